//! What every engine of the store does. Each case takes an engine with an empty store and may
//! open it several times, as processes beside each other would.

mod follow;
mod log;
mod prune;
mod records;
mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;
use icpgate::store::Store;
use icpgate_policy::facts::Fact;
use icpgate_policy::records::Record;

pub(crate) use follow::*;
pub(crate) use log::*;
pub(crate) use prune::*;
pub(crate) use records::*;
pub(crate) use upkeep::*;

/// An engine with one store.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// Opens the store once more.
    async fn open(&self) -> Arc<dyn Store>;

    /// Opens the store once more, with keys of this fingerprint; [`Engine::open`] is `5eed`.
    async fn upkeep(&self, key_id: &str) -> Opened;

    /// Everything in the tables of the store, in whatever order.
    async fn dump(&self) -> Vec<u8>;
}

/// Runs every case on an engine; takes an async function that makes one with an empty store.
macro_rules! contract_suite {
    ($fresh:path) => {
        contract_suite!(
            $fresh:
            an_empty_store_answers,
            a_record_is_found_with_its_provenance,
            a_put_takes_one_revision,
            what_is_known_is_counted_and_not_written,
            a_put_replaces,
            an_older_observation_replaces_too,
            handles_follow_the_record,
            a_key_may_come_twice_in_a_put,
            find_follows_to_the_end,
            sets_are_answered_in_their_order,
            twins_meet,
            many_sets_of_many_names_are_answered,
            changes_are_read_in_pages,
            changes_take_any_cursor,
            certificates_are_shown_masked,
            decisions_are_recorded_once,
            callers_of_a_decision_are_recorded,
            decisions_share_their_contents,
            counts_are_those_of_the_records,
            sources_are_noted_when_they_write,
            no_more_sources_are_noted_than_may_be,
            pages_hold_what_holds_in_the_order_of_its_keys,
            an_abandoned_put_is_whole_or_not_there,
            an_abandoned_put_of_many_is_whole_or_not_there,
            revisions_are_seen_in_commit_order,
            touched_tells_where_a_record_was_and_is,
            touched_reads_whole_revisions,
            touched_reaches_the_head_in_pages,
            a_revision_is_found_by_what_was_written_since,
            a_write_through_another_store_gives_a_sign,
            a_dropped_wait_loses_no_sign,
            a_closed_store_gives_no_sign,
            everything_is_kept_when_the_store_is_closed,
            everything_is_sealed_anew,
            a_resealing_that_breaks_off_is_whole_or_not_there,
            a_person_is_erased,
            subjects_and_domains_are_erased,
            old_decisions_are_pruned,
            pruning_may_break_off_anywhere,
            decisions_are_recorded_while_old_ones_are_pruned,
            crowded_decisions_are_pruned_whole,
            facts_of_an_erased_question_go_with_the_last_decision,
        );
    };
    ($fresh:path: $($case:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::$case(&$fresh().await).await;
            }
        )+
    };
}

pub(crate) use contract_suite;

fn values(facts: &[Fact<Record>]) -> Vec<Record> {
    facts.iter().map(|fact| fact.value.clone()).collect()
}

fn in_order(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| (record.kind(), record.key()));
    records
}
