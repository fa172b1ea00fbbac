//! What holds for every decision, whatever the rules say.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "generate/mod.rs"]
mod generate;

use std::sync::Arc;

use icpgate_policy::codes::{BlockList, Outcome, Reason, RecordKind, Verdict};
use icpgate_policy::decision::{Decision, decide};
use icpgate_policy::facts::{Entitlement, Fact, Facts, Missing, Provenance, Revision, Why};
use icpgate_policy::records::{Block, BlockTarget, Record, RecordDomain};
use icpgate_policy::request::Request;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use generate::{Case, World, for_each};

const NANO: SignedDuration = SignedDuration::from_nanos(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

#[test]
fn deciding_again_gives_the_same() {
    for_each(8, |world, case, _| {
        let (request, facts) = inputs(world, case);
        let policy = case.policy(world);
        let decision = decide(policy, &request, &facts, case.now);
        same(
            "again",
            &decision,
            &decide(policy, &request, &facts, case.now),
        )?;
        same(
            "at decided_at",
            &decision,
            &decide(policy, &request, &facts, decision.decided_at),
        )
    });
}

#[test]
fn nothing_changes_while_an_answer_is_valid() {
    for_each(8, |world, case, dice| {
        let (request, facts) = inputs(world, case);
        let policy = case.policy(world);
        let decision = decide(policy, &request, &facts, case.now);
        let last = decision.valid_until - NANO;
        let length = last.duration_since(case.now).as_nanos();
        let part = length * i128::try_from(dice.below(1000)).unwrap() / 1000;
        let between = case.now + SignedDuration::from_nanos_i128(part);
        for instant in [decision.decided_at, case.now, between, last] {
            let later = decide(policy, &request, &facts, instant);
            if substance(&later) != substance(&decision) {
                return Err(format!("at {instant}: {later:#?}\nis not {decision:#?}"));
            }
        }
        Ok(())
    });
}

#[test]
fn a_decision_stays_equal_until_it_says() {
    for_each(8, |world, case, dice| {
        let (request, facts) = inputs(world, case);
        let policy = case.policy(world);
        let decision = decide(policy, &request, &facts, case.now);
        if decision.same_until <= case.now {
            return Ok(());
        }
        let last = decision.same_until - NANO;
        let length = last.duration_since(case.now).as_nanos();
        let part = length * i128::try_from(dice.below(1000)).unwrap() / 1000;
        for instant in [case.now + SignedDuration::from_nanos_i128(part), last] {
            let later = decide(policy, &request, &facts, instant);
            same("before same_until", &decision, &later)?;
        }
        let next = decide(policy, &request, &facts, decision.same_until);
        if next == decision {
            return Err(format!("at same_until it is still {decision:#?}"));
        }
        Ok(())
    });
}

#[test]
fn instants_are_in_order() {
    for_each(8, |world, case, _| {
        let (request, facts) = inputs(world, case);
        let decision = decide(case.policy(world), &request, &facts, case.now);
        let earliest_end = decision.findings.iter().map(|finding| finding.until).min();
        let longest = decision.decided_at + DAY;
        let checks = [
            ("decided_at is not ahead", decision.decided_at <= case.now),
            ("valid beyond now", decision.valid_until > case.now),
            ("valid for a day at most", decision.valid_until <= longest),
            (
                "no longer than a finding",
                Some(decision.valid_until) <= earliest_end,
            ),
        ];
        match checks.iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(format!("{what}: {decision:#?}")),
            None => Ok(()),
        }
    });
}

#[test]
fn verdicts_are_what_the_findings_say() {
    for_each(8, |world, case, _| {
        let (request, facts) = inputs(world, case);
        let decision = decide(case.policy(world), &request, &facts, case.now);
        let reasons = decision.reasons();
        let has = |outcome| {
            decision
                .findings
                .iter()
                .any(|finding| finding.outcome == outcome)
        };
        let wanted = if has(Outcome::Deny) {
            Verdict::Deny
        } else if has(Outcome::Indeterminate) {
            Verdict::Indeterminate
        } else if has(Outcome::Review) {
            Verdict::Review
        } else {
            Verdict::Allow
        };
        let retry = match decision.verdict {
            Verdict::Indeterminate => decision.retry_after.is_some_and(|at| at >= case.now),
            Verdict::Allow | Verdict::Review => decision.retry_after.is_none(),
            Verdict::Deny => {
                decision.retry_after.is_none()
                    || reasons.contains(&Reason::FilingNotFound)
                    || reasons.contains(&Reason::FilingInProgress)
            }
        };
        let blocking = decision.findings.iter().all(|finding| {
            finding.reason.is_some()
                || matches!(finding.outcome, Outcome::Pass | Outcome::NotApplicable)
        });
        let silent = decision
            .findings
            .iter()
            .all(|finding| finding.outcome != Outcome::NotApplicable || finding.reason.is_none());
        let checks = [
            ("verdict", decision.verdict == wanted),
            ("reasons", reasons.is_empty() == (wanted == Verdict::Allow)),
            ("retry_after", retry),
            ("whatever blocks has a reason", blocking),
            ("what does not apply has none", silent),
        ];
        match checks.iter().find(|(_, holds)| !holds) {
            Some((what, _)) => Err(format!("{what}: {decision:#?}")),
            None => Ok(()),
        }
    });
}

#[test]
fn ignorance_never_allows() {
    for_each(8, |world, case, dice| {
        let (request, facts) = inputs(world, case);
        let before = decide(case.policy(world), &request, &facts, case.now).verdict;
        let why = *dice.pick(&[
            Why::StoreUnavailable,
            Why::NotComplete,
            Why::SyncTooOld,
            Why::Stale,
        ]);
        for kind in RecordKind::ALL {
            let mut ignorant = case.clone();
            ignorant
                .records
                .retain(|record| record.value.kind() != *kind);
            ignorant.entitlement.set(*kind, Missing::Unknown(why));
            let facts = ignorant.facts(&request);
            let after = decide(case.policy(world), &request, &facts, case.now);
            if before != Verdict::Allow && after.verdict == Verdict::Allow {
                return Err(format!(
                    "{before} became ALLOW without any {kind}: {after:#?}"
                ));
            }
        }
        Ok(())
    });
}

#[test]
fn knowing_nothing_never_allows_where_a_filing_is_needed() {
    for_each(5, |world, case, _| {
        let request = case.request(world);
        let mut ignorant = case.clone();
        ignorant.records.clear();
        ignorant.entitlement = Entitlement::unknown(Why::StoreUnavailable);
        let facts = ignorant.facts(&request);
        let decision = decide(case.policy(world), &request, &facts, case.now);
        if request.needs_facts() && decision.verdict == Verdict::Allow {
            return Err(format!("{decision:#?}"));
        }
        Ok(())
    });
}

#[test]
fn a_block_never_allows() {
    for_each(8, |world, case, dice| {
        let (request, facts) = inputs(world, case);
        let before = decide(case.policy(world), &request, &facts, case.now);
        let Some(name) = request.host_name() else {
            return Ok(());
        };
        let candidates: Vec<&str> = name.candidates().collect();
        let blocked = blocked(candidates[dice.below(candidates.len())], case.now);
        let key = blocked.value.key();
        let mut case = case.clone();
        case.records.retain(|record| record.value.key() != key);
        case.records.push(blocked);
        let facts = case.facts(&request);
        let after = decide(case.policy(world), &request, &facts, case.now);
        let applies = after
            .findings
            .iter()
            .any(|finding| finding.reason == Some(Reason::DomainBlacklisted));
        if (before.verdict != Verdict::Allow && after.verdict == Verdict::Allow)
            || (applies && after.verdict != Verdict::Deny)
            || (request.needs_facts() && !applies)
        {
            return Err(format!("{} became {after:#?}", before.verdict));
        }
        Ok(())
    });
}

#[test]
fn the_order_of_records_does_not_matter() {
    for_each(8, |world, case, dice| {
        let (request, facts) = inputs(world, case);
        let mut shuffled = case.clone();
        for last in (1..shuffled.records.len()).rev() {
            shuffled.records.swap(last, dice.below(last + 1));
        }
        let policy = case.policy(world);
        same(
            "shuffled",
            &decide(policy, &request, &facts, case.now),
            &decide(policy, &request, &shuffled.facts(&request), case.now),
        )
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_text_is_answered(
        domain in text(),
        claimed in proptest::option::of(text()),
        origin in proptest::option::of(text()),
        host_header in proptest::option::of(text()),
        number in 0_u64..1_000_000,
    ) {
        let world = world();
        let mut case = generate::case(world, 1, number);
        case.profile.domain = domain;
        case.profile.claimed_filing_number = claimed;
        case.profile.origin_host = origin;
        case.profile.host_header = host_header;
        let (request, facts) = inputs(world, &case);
        let decision = decide(case.policy(world), &request, &facts, case.now);
        prop_assert!(!decision.findings.is_empty());
    }

    #[test]
    fn any_instant_is_answered(number in 0_u64..1_000_000, pick in 0_usize..8, nanos in any::<i64>()) {
        let world = world();
        let mut case = generate::case(world, 2, number);
        let ends = [
            Timestamp::MIN,
            Timestamp::MIN + NANO,
            Timestamp::MAX,
            Timestamp::MAX - NANO,
            Timestamp::MAX - DAY,
            Timestamp::UNIX_EPOCH,
        ];
        case.now = ends
            .get(pick)
            .copied()
            .unwrap_or_else(|| Timestamp::UNIX_EPOCH + SignedDuration::from_nanos(nanos));
        let (request, facts) = inputs(world, &case);
        let decision = decide(case.policy(world), &request, &facts, case.now);
        prop_assert!(decision.decided_at <= case.now);
    }

    /// Records whose instants and days lie at the ends of time, which a feed may send.
    #[test]
    fn any_recorded_instant_is_answered(number in 0_u64..1_000_000, first in any::<bool>()) {
        let world = world();
        let mut case = generate::case(world, 3, number);
        let end = if first { Timestamp::MIN } else { Timestamp::MAX };
        for fact in &mut case.records {
            extreme(&mut fact.value, end);
            fact.provenance.observed_at = end;
        }
        case.profile.site.live_since = Some(end);
        let (request, facts) = inputs(world, &case);
        let decision = decide(case.policy(world), &request, &facts, case.now);
        prop_assert!(decision.valid_until <= decision.decided_at + DAY);
    }
}

fn inputs(world: &World, case: &Case) -> (Request, Facts) {
    let request = case.request(world);
    let facts = case.facts(&request);
    (request, facts)
}

fn same(what: &str, one: &Decision, other: &Decision) -> Result<(), String> {
    if one == other {
        Ok(())
    } else {
        Err(format!("{what}: {other:#?}\nis not {one:#?}"))
    }
}

/// What may not change while an answer is valid.
fn substance(decision: &Decision) -> impl PartialEq {
    let findings: Vec<(Outcome, Option<Reason>, Option<Timestamp>)> = decision
        .findings
        .iter()
        .map(|finding| (finding.outcome, finding.reason, finding.due_at))
        .collect();
    (
        decision.verdict,
        decision.reasons(),
        findings,
        decision.filing,
    )
}

fn blocked(name: &str, now: Timestamp) -> Fact<Record> {
    Fact {
        value: Record::Block(Block {
            list: BlockList::Authority,
            target: BlockTarget::Domain(RecordDomain::new(name)),
            reason: "".into(),
            since: None,
            until: None,
        }),
        provenance: Provenance {
            source: Arc::from("test"),
            observed_at: now,
            revision: Revision(1000),
            committed_at: now,
        },
    }
}

fn extreme(record: &mut Record, end: Timestamp) {
    let day = icpgate_policy::calendar::beijing_day(end);
    match record {
        Record::Subject(_) | Record::PublicSecurityFiling(_) | Record::DisplayObservation(_) => {}
        Record::Service(service) => service.approved_at = Some(end),
        Record::Access(access) => access.since = Some(end),
        Record::Application(application) => application.provider_review_passed_at = Some(end),
        Record::Licence(licence) => licence.expires_on = Some(day),
        Record::Registration(registration) => {
            registration.real_name_verified_at = Some(end);
            registration.expires_at = Some(end);
        }
        Record::Block(block) => block.until = Some(end),
        Record::Approval(approval) => approval.expires_on = Some(day),
    }
}

/// Names, numbers, and what else people and attackers type.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "\\PC{0,300}",
        "[a-z0-9.*_-]{0,80}",
        "[*.]{0,3}[a-z例東。．]{0,20}(\\.com|\\.cn|\\.gov\\.cn|\\.中国|。公司)?",
        "[京沪粤川]?(ICP|icp)?[备證证]?[0-9０-９]{0,12}号?(-[0-9]{0,12}[AXKaxk]?)?",
        "(https?://|//)?[a-z.@:\\[\\]0-9/]{0,40}",
        "[0-9a-fA-FxX.:]{0,45}",
    ]
}

fn world() -> &'static World {
    static WORLD: std::sync::OnceLock<World> = std::sync::OnceLock::new();
    WORLD.get_or_init(World::new)
}
