//! The questions, with the facts that the registry holds about each.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use icpgate_policy::cases::{self, Case};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::decision::{Decision, decide};
use icpgate_policy::facts::{
    Entitlement, Fact, Facts, Missing, NameFacts, Provenance, Revision, Why,
};
use icpgate_policy::policy::{Policy, shipped};
use icpgate_policy::records::{Handle, Record};
use icpgate_policy::request::Request;
use jiff::Timestamp;

/// The policy that the peers carry over.
pub const POLICY: &str = "mainland-strict";

const QUESTIONS: &str = include_str!("../questions.toml");

/// A question that is ready to be answered.
#[derive(Debug)]
pub struct Question {
    /// What it is about, in a few words.
    pub name: String,
    /// The question.
    pub request: Request,
    /// What is known.
    pub facts: Facts,
    /// The moment at which it is asked.
    pub now: Timestamp,
    /// The answer of the product, which is the one that the file expects.
    pub answer: Decision,
}

/// Compiles the policy and reads the questions.
///
/// # Errors
///
/// The file cannot be read, or the product answers otherwise than it expects.
pub fn load() -> anyhow::Result<(Policy, Vec<Question>)> {
    let document = shipped(POLICY).context("the policy is not shipped")?;
    let policy = Policy::compile(document, cases::THIS_PROVIDER).context("compile the policy")?;
    let file = cases::parse(QUESTIONS).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    for result in cases::run(&policy, &file) {
        ensure!(result.passed(), "{}: {:?}", result.name, result.failures);
    }
    let questions = file
        .cases
        .iter()
        .map(|case| question(&policy, case))
        .collect();
    Ok((policy, questions))
}

fn question(policy: &Policy, case: &Case) -> Question {
    let request = Request::new(case.question.clone(), &policy.suffixes);
    let facts = facts(&request, case);
    let answer = decide(policy, &request, &facts, case.now);
    Question {
        name: case.name.clone(),
        request,
        facts,
        now: case.now,
        answer,
    }
}

/// What a store holds about a request: the records of its handles, and what those lead to.
fn facts(request: &Request, case: &Case) -> Facts {
    let registry: Vec<Fact<Record>> = case
        .given
        .records
        .iter()
        .zip(1_u64..)
        .map(|(given, revision)| Fact {
            value: given.record.clone(),
            provenance: Provenance {
                source: Arc::from("registry"),
                observed_at: given.observed_at.unwrap_or(case.now),
                revision: Revision(revision),
                committed_at: Timestamp::UNIX_EPOCH,
            },
        })
        .collect();
    let mut entitlement = Entitlement::complete();
    for kind in RecordKind::ALL {
        if case.given.unknown.contains(kind) {
            entitlement.set(*kind, Missing::Unknown(Why::NotComplete));
        }
    }
    let set = |handles: Vec<Handle>| {
        Arc::new(NameFacts::collect(
            found(&registry, handles),
            entitlement.clone(),
        ))
    };
    let wanted = request.wanted();
    let of_its_own = |handles: Vec<Handle>| (!handles.is_empty()).then(|| set(handles));
    Facts {
        origin: of_its_own(wanted.origin),
        host_header: of_its_own(wanted.host_header),
        applicant: of_its_own(wanted.applicant),
        name: set(wanted.name),
    }
}

fn found(registry: &[Fact<Record>], mut next: Vec<Handle>) -> Vec<Fact<Record>> {
    let mut seen = BTreeSet::new();
    let mut found = vec![false; registry.len()];
    while let Some(handle) = next.pop() {
        if !seen.insert(handle.clone()) {
            continue;
        }
        for (fact, found) in registry.iter().zip(&mut found) {
            if fact.value.handles().contains(&handle) {
                next.extend(fact.value.leads_to());
                *found = true;
            }
        }
    }
    let taken = registry.iter().zip(found);
    taken
        .filter(|(_, found)| *found)
        .map(|(fact, _)| fact.clone())
        .collect()
}
