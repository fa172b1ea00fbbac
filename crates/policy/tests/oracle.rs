//! The engine against a naive one, on generated questions.
//!
//! `ICPGATE_TEST_SEED` and `ICPGATE_TEST_CASES` choose the questions; a failure names its seed and
//! shows the smallest question found on which the two differ.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[path = "generate/mod.rs"]
mod generate;
#[path = "oracle/mod.rs"]
mod naive;
#[path = "oracle/regressions.rs"]
mod regressions;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use icpgate_policy::codes::{Outcome, Reason, Verdict};
use icpgate_policy::decision::{Decision, decide};
use icpgate_policy::facts::Facts;

use generate::{Case, World, for_each};
use naive::{Retry, Said, answer};

#[test]
fn engine_and_oracle_agree() {
    for_each(100, |world, case, _| compare(world, case));
}

/// Guards the comparison itself: what the generator never brings about is not compared.
#[test]
fn generated_cases_reach_every_reason_and_verdict() {
    let verdicts: RefCell<BTreeMap<Verdict, u32>> = RefCell::default();
    let reasons: RefCell<BTreeMap<Reason, u32>> = RefCell::default();
    for_each(20, |world, case, _| {
        let request = case.request(world);
        let facts = case.facts(&request);
        let answer = answer(case.policy(world), &request, &facts, case.now);
        *verdicts.borrow_mut().entry(answer.verdict).or_default() += 1;
        for said in answer.findings {
            *reasons.borrow_mut().entry(said.0).or_default() += 1;
        }
        Ok(())
    });
    let (verdicts, reasons) = (verdicts.into_inner(), reasons.into_inner());
    for verdict in Verdict::ALL {
        assert!(verdicts.contains_key(verdict), "{verdict}: {verdicts:?}");
    }
    for reason in Reason::ALL {
        assert!(reasons.contains_key(reason), "{reason}: {reasons:?}");
    }
}

fn compare(world: &World, case: &Case) -> Result<(), String> {
    let request = case.request(world);
    let facts = case.facts(&request);
    let policy = case.policy(world);
    let expected = answer(policy, &request, &facts, case.now);
    let decision = decide(policy, &request, &facts, case.now);

    let said = said(&decision);
    if said != expected.findings {
        let lacks: Vec<_> = expected.findings.difference(&said).collect();
        let more: Vec<_> = said.difference(&expected.findings).collect();
        return Err(format!(
            "findings: engine lacks {lacks:?}, has {more:?} beyond the oracle"
        ));
    }
    equal("verdict", &decision.verdict, &expected.verdict)?;
    equal("reasons", &decision.reasons(), &expected.reasons)?;
    equal("filing", &shown(&decision, &facts), &expected.filing)?;
    let retry = match (expected.retry, decision.retry_after) {
        (Retry::None, None) => true,
        (Retry::NotBefore(least), Some(at)) => at >= least,
        (Retry::None, Some(_)) | (Retry::NotBefore(_), None) => false,
    };
    if !retry {
        return Err(format!("retry_after {:?}", decision.retry_after));
    }
    Ok(())
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, engine: &T, oracle: &T) -> Result<(), String> {
    if engine == oracle {
        Ok(())
    } else {
        Err(format!("{what}: engine {engine:?}, oracle {oracle:?}"))
    }
}

fn said(decision: &Decision) -> BTreeSet<Said> {
    decision
        .findings
        .iter()
        .filter(|finding| finding.outcome != Outcome::NotApplicable)
        .filter_map(|finding| Some((finding.reason?, finding.outcome, finding.due_at)))
        .collect()
}

/// Number of the service shown, after checking that the subject shown is its own.
fn shown(decision: &Decision, facts: &Facts) -> Option<String> {
    let filing = decision.filing?;
    let service = &facts.name.services[usize::from(filing.service)].value;
    let subject = &facts.name.subjects[usize::from(filing.subject)].value;
    assert_eq!(service.service_number.subject(), subject.subject_number);
    Some(service.service_number.as_str().to_owned())
}
