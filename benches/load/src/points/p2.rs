//! P2: one decision beside policy engines, as the benchmark of the engines measured it.

use std::path::Path;

use anyhow::Context as _;
use serde::Deserialize;

use crate::report::{Goal, Outcome, Unit};

#[derive(Deserialize)]
struct Results {
    questions: Vec<Question>,
}

#[derive(Deserialize)]
struct Question {
    decide_ns: f64,
    regorus_ratio: f64,
    cedar_ratio: f64,
}

/// Takes the least favourable question for each target from the results of `p2`.
pub(super) fn read(file: &Path) -> anyhow::Result<Outcome> {
    let text = std::fs::read(file).with_context(|| format!("read {}", file.display()))?;
    let results: Results = serde_json::from_slice(&text)?;
    let mut outcome = Outcome::default();
    let (mut longest, mut regorus, mut cedar) = (0.0_f64, f64::INFINITY, f64::INFINITY);
    for question in &results.questions {
        outcome.note("decide(), ns", question.decide_ns);
        outcome.note("regorus, ratio", question.regorus_ratio);
        outcome.note("cedar-policy, ratio", question.cedar_ratio);
        longest = longest.max(question.decide_ns);
        regorus = regorus.min(question.regorus_ratio);
        cedar = cedar.min(question.cedar_ratio);
    }
    let most = Goal::AtMost(1e3);
    outcome.row(
        "decide(), all rules, longest",
        "",
        "",
        (longest, Unit::Microseconds),
        most,
    );
    for (peer, ratio, least) in [("regorus", regorus, 50.0), ("cedar-policy", cedar, 10.0)] {
        outcome.row(
            "decide(), all rules, times faster",
            peer,
            "",
            (ratio, Unit::Ratio),
            Goal::AtLeast(least),
        );
    }
    let questions = results.questions.len();
    outcome.notes.push(format!(
        "of {questions} questions the least favourable one for each line"
    ));
    Ok(outcome)
}
