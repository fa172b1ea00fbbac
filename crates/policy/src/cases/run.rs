//! Runs a case and compares the answer with the expected one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{
    Case, CaseResult, Expectation, ExpectedRetry, Failure, Given, Promise, StoreState,
    THIS_PROVIDER,
};
use crate::codes::{Outcome, Reason, RecordKind, Verdict};
use crate::decision::{Decision, decide, plus};
use crate::facts::{Entitlement, Fact, Facts, Missing, NameFacts, Provenance, Revision, Why};
use crate::policy::Policy;
use crate::records::{Handle, Record};
use crate::request::Request;

/// No answer stands for longer, whatever the policy.
const LONGEST: SignedDuration = SignedDuration::from_hours(24);

/// An obligation and when it is due.
type Owed = (Reason, Option<Timestamp>);

pub(super) fn case(policy: &Policy, case: &Case) -> CaseResult {
    let request = Request::new(case.question.clone(), &policy.suffixes);
    let facts = facts(policy, &request, &case.given, case.now);
    let decision = decide(policy, &request, &facts, case.now);
    let mut failures = differences(&case.expect, &decision);
    let again = |now| decide(policy, &request, &facts, now);
    failures.extend(
        broken_promises(&decision, case.now, again)
            .into_iter()
            .map(Failure::Broken),
    );
    CaseResult {
        name: case.name.clone(),
        failures,
        decision,
    }
}

/// What the store holds about the request: the records of its handles, and what those lead to.
fn facts(policy: &Policy, request: &Request, given: &Given, now: Timestamp) -> Facts {
    let registry = registry(policy, given, now);
    let entitlement = entitlement(given);
    let wanted = request.wanted();
    let set = |handles: Vec<Handle>| {
        let records = found(&registry, handles);
        Arc::new(NameFacts::collect(records, entitlement.clone()))
    };
    let wanted_set = |handles: Vec<Handle>| (!handles.is_empty()).then(|| set(handles));
    Facts {
        origin: wanted_set(wanted.origin),
        host_header: wanted_set(wanted.host_header),
        applicant: wanted_set(wanted.applicant),
        name: set(wanted.name),
    }
}

fn registry(policy: &Policy, given: &Given, now: Timestamp) -> Vec<Fact<Record>> {
    if given.store != StoreState::Answers {
        return Vec::new();
    }
    let this = |provider: &mut Box<str>| {
        if **provider == *THIS_PROVIDER {
            *provider = policy.provider_id().into();
        }
    };
    given
        .records
        .iter()
        .zip(1_u64..)
        .map(|(given, revision)| {
            let mut value = given.record.clone();
            match &mut value {
                Record::Access(access) => this(&mut access.provider_id),
                Record::Application(application) => this(&mut application.provider_id),
                Record::Subject(_)
                | Record::Service(_)
                | Record::Licence(_)
                | Record::Registration(_)
                | Record::Block(_)
                | Record::Approval(_)
                | Record::PublicSecurityFiling(_)
                | Record::DisplayObservation(_) => {}
            }
            let provenance = Provenance {
                source: Arc::from("case file"),
                observed_at: given.observed_at.unwrap_or(now),
                revision: Revision(revision),
                committed_at: Timestamp::UNIX_EPOCH,
            };
            Fact { value, provenance }
        })
        .collect()
}

fn entitlement(given: &Given) -> Entitlement {
    match given.store {
        StoreState::Down => return Entitlement::unknown(Why::StoreUnavailable),
        StoreState::Stale => return Entitlement::unknown(Why::Stale),
        StoreState::Answers => {}
    }
    let mut entitlement = Entitlement::complete();
    for kind in RecordKind::ALL {
        let missing = if given.unknown.contains(kind) {
            Missing::Unknown(Why::NotComplete)
        } else {
            Missing::Absent {
                until: given.complete_until,
            }
        };
        entitlement.set(*kind, missing);
    }
    entitlement
}

fn found(registry: &[Fact<Record>], handles: Vec<Handle>) -> Vec<Fact<Record>> {
    let mut seen: BTreeSet<Handle> = BTreeSet::new();
    let mut next: Vec<Handle> = handles;
    let mut found: BTreeMap<usize, Fact<Record>> = BTreeMap::new();
    while let Some(handle) = next.pop() {
        if !seen.insert(handle.clone()) {
            continue;
        }
        for (index, fact) in registry.iter().enumerate() {
            if fact.value.handles().contains(&handle) {
                next.extend(fact.value.leads_to());
                found.insert(index, fact.clone());
            }
        }
    }
    found.into_values().collect()
}

fn differences(expect: &Expectation, decision: &Decision) -> Vec<Failure> {
    let mut failures = Vec::new();
    if expect.verdict != decision.verdict {
        failures.push(Failure::Verdict {
            expected: expect.verdict,
            found: decision.verdict,
        });
    }
    let reasons: BTreeSet<Reason> = decision.reasons().into_iter().collect();
    let missing = expect.reasons.difference(&reasons);
    failures.extend(missing.copied().map(Failure::ReasonMissing));
    let unexpected = reasons.difference(&expect.reasons);
    failures.extend(unexpected.copied().map(Failure::ReasonUnexpected));
    obligations(expect, decision, &mut failures);
    for expected in &expect.findings {
        let found: Vec<_> = decision
            .findings
            .iter()
            .filter(|finding| finding.rule == expected.rule)
            .map(|finding| (finding.outcome, finding.reason))
            .collect();
        let silent = found.is_empty() && expected.outcome == Outcome::NotApplicable;
        if !silent && !found.contains(&(expected.outcome, expected.reason)) {
            failures.push(Failure::Finding {
                expected: *expected,
                found,
            });
        }
    }
    for silent in &expect.silent {
        let fired = decision
            .findings
            .iter()
            .any(|f| f.rule == silent.rule && f.reason == Some(silent.reason));
        if fired {
            failures.push(Failure::NotSilent(*silent));
        }
    }
    if let Some(expected) = expect.valid_until
        && expected != decision.valid_until
    {
        failures.push(Failure::ValidUntil {
            expected,
            found: decision.valid_until,
        });
    }
    let found = decision.retry_after;
    if let Some(expected) = expect.retry_after {
        let as_expected = match expected {
            ExpectedRetry::Never => found.is_none(),
            ExpectedRetry::Some => found.is_some(),
            ExpectedRetry::At(at) => found == Some(at),
        };
        if !as_expected {
            failures.push(Failure::RetryAfter { expected, found });
        }
    }
    failures
}

fn obligations(expect: &Expectation, decision: &Decision, failures: &mut Vec<Failure>) {
    let mut rest: Vec<Owed> = decision
        .obligations()
        .map(|owed| (owed.reason, owed.finding.due_at))
        .collect();
    for expected in &expect.obligations {
        let of_reason = |(reason, _): &Owed| *reason == expected.reason;
        let at = rest
            .iter()
            .position(|owed| of_reason(owed) && (expected.due.is_none() || owed.1 == expected.due))
            .or_else(|| rest.iter().position(of_reason));
        let Some(at) = at else {
            failures.push(Failure::ObligationMissing(expected.reason));
            continue;
        };
        let (_, found) = rest.remove(at);
        if let Some(due) = expected.due
            && found != Some(due)
        {
            failures.push(Failure::ObligationDue {
                reason: expected.reason,
                expected: due,
                found,
            });
        }
    }
    failures.extend(
        rest.into_iter()
            .map(|(reason, _)| Failure::ObligationUnexpected(reason)),
    );
}

fn broken_promises(
    decision: &Decision,
    now: Timestamp,
    again: impl Fn(Timestamp) -> Decision,
) -> Vec<Promise> {
    let mut broken = Vec::new();
    let Decision {
        decided_at,
        valid_until,
        ..
    } = *decision;
    if again(decided_at) != *decision {
        broken.push(Promise::Repeatable);
    }
    let last = valid_until
        .checked_sub(SignedDuration::from_nanos(1))
        .unwrap_or(valid_until);
    let at_the_end = again(last);
    if summary(&at_the_end) != summary(decision) {
        broken.push(Promise::Lasting);
    }
    if decided_at > now || valid_until <= now || valid_until > plus(decided_at, LONGEST) {
        broken.push(Promise::Window);
    }
    let retry_fits = match decision.verdict {
        Verdict::Allow => decision.retry_after.is_none(),
        Verdict::Indeterminate => decision.retry_after.is_some_and(|at| at > now),
        Verdict::Deny | Verdict::Review => decision.retry_after.is_none_or(|at| at > now),
    };
    if !retry_fits {
        broken.push(Promise::Retry);
    }
    broken
}

/// What must not change while an answer stands.
fn summary(decision: &Decision) -> (Verdict, Vec<Reason>, Vec<Owed>) {
    let owed = decision
        .obligations()
        .map(|owed| (owed.reason, owed.finding.due_at))
        .collect();
    (decision.verdict, decision.reasons(), owed)
}
