//! Counts what is answered.

use std::time::Duration;

use icpgate_policy::codes::{Outcome, Reason, Verdict};
use jiff::Timestamp;

use super::answer::{DecisionId, Served};
use super::{ActivePolicy, ServedFrom};
use crate::cache::Entry;
use crate::clock::Clock;
use crate::telemetry::call;
use crate::telemetry::metrics::kinds::Example;
use crate::telemetry::metrics::label::{Level, PolicyLoad, Source};
use crate::telemetry::metrics::list::{
    CACHE_ABSENT, CACHE_AGE, CACHE_HITS, CACHE_STALE, DECISION_DURATION, DECISIONS, OBLIGATIONS,
    PAST_BOUND, POLICY, POLICY_LOADED_AT, POLICY_LOADS, POLICY_REJECTED, REASONS, STALE,
};
use crate::telemetry::metrics::names;

/// An answer was given.
pub(super) fn given(served: &Served) {
    let answer = &*served.answer;
    let (decision, profile) = (&answer.decision, &answer.request.profile);
    let verdict = decision.verdict;
    DECISIONS.inc((verdict, profile.purpose, profile.product));
    let deciding = match verdict {
        Verdict::Allow => None,
        Verdict::Deny => Some(Outcome::Deny),
        Verdict::Indeterminate => Some(Outcome::Indeterminate),
        Verdict::Review => Some(Outcome::Review),
    };
    // A reason that several findings have is one reason of the answer.
    let mut counted = 0_u128;
    for finding in &decision.findings {
        let Some(reason) = finding.reason else {
            continue;
        };
        if finding.outcome == Outcome::Pass {
            OBLIGATIONS.inc((reason,));
        } else if Some(finding.outcome) == deciding && counted & mark(reason) == 0 {
            counted |= mark(reason);
            REASONS.inc((verdict, reason));
        }
    }
    if answer.stale {
        STALE.inc((profile.purpose,));
    }
}

const fn mark(reason: Reason) -> u128 {
    const { assert!(Reason::ALL.len() <= 128) };
    1 << reason as u8
}

/// An answer is about to be given at an instant.
pub(super) fn bounded(served: &Served, now: Timestamp) {
    let decision = &served.answer.decision;
    if decision.verdict == Verdict::Allow && decision.valid_until <= now {
        PAST_BOUND.inc(());
    }
}

/// A single question was answered within a time.
pub(super) fn took(served: &Served, took: Duration, clock: &dyn Clock) {
    let source = match served.served_from {
        ServedFrom::LocalCache => Source::Local,
        ServedFrom::SharedCache => Source::Shared,
        ServedFrom::Store => Source::Store,
    };
    DECISION_DURATION.observe_with((source,), took, || {
        example(served.answer.decision_id, clock.now())
    });
}

/// Facts from a cache were used at an instant.
pub(super) fn used(level: Level, entry: &Entry, now: Timestamp) {
    CACHE_HITS.inc((level,));
    if entry.facts.services.is_empty() && entry.facts.subjects.is_empty() {
        CACHE_ABSENT.inc((level,));
    }
    let age = Duration::try_from(now.duration_since(entry.as_of)).unwrap_or_default();
    CACHE_AGE.observe((level,), age);
}

/// Facts stood in for the store's.
pub(super) fn stale(from: Option<ServedFrom>) {
    let level = match from {
        Some(ServedFrom::SharedCache) => Level::Shared,
        Some(ServedFrom::LocalCache | ServedFrom::Store) | None => Level::Local,
    };
    CACHE_STALE.inc((level,));
}

/// A policy came into force.
pub(super) fn policy_in_force(policy: &ActivePolicy, now: Timestamp) {
    let version = names::policy_of(&policy.policy.version);
    POLICY.alone((version,));
    POLICY_LOADS.inc((PolicyLoad::Loaded,));
    POLICY_REJECTED.set_flag((), false);
    POLICY_LOADED_AT.set((), seconds(now));
}

/// Whether a policy that was to come into force was refused.
pub(super) fn policy_refused(refused: bool) {
    if refused {
        POLICY_LOADS.inc((PolicyLoad::Rejected,));
    }
    POLICY_REJECTED.set_flag((), refused);
}

fn example(decision_id: DecisionId, now: Timestamp) -> Example {
    Example {
        decision_id: decision_id.number(),
        trace_id: call::trace_id(),
        at: seconds(now),
    }
}

/// Seconds since the epoch.
fn seconds(instant: Timestamp) -> f64 {
    instant.as_duration().as_secs_f64()
}
