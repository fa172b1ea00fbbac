//! P2: `decide()` beside the same rule table in regorus and in cedar-policy, in one process on one
//! core, in turns.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use icpgate_bench::cedar::{Cedar, Prepared};
use icpgate_bench::measure::{Timed, medians};
use icpgate_bench::questions::{POLICY, Question, load};
use icpgate_bench::rego::{self, Rego};
use icpgate_bench::{document, table};
use icpgate_policy::codes::{Reason, Verdict};
use icpgate_policy::decision::decide;
use icpgate_policy::policy::Policy;
use serde_json::{Value, json};

/// Longest time of one decision, in nanoseconds.
const LONGEST: f64 = 1_000.0;
/// How much faster than regorus at least.
const OVER_REGORUS: f64 = 50.0;
/// How much faster than cedar-policy at least.
const OVER_CEDAR: f64 = 10.0;

struct Options {
    rounds: usize,
    /// Short, so that what else the machine does falls into some rounds and the median is free
    /// of it.
    slice: Duration,
    json: Option<PathBuf>,
    /// Only decide, this often, and print nothing: for a profiler.
    spin: Option<u64>,
}

fn main() -> anyhow::Result<()> {
    let options = options()?;
    let (policy, questions) = load()?;
    if let Some(times) = options.spin {
        spin(&policy, &questions, times);
        return Ok(());
    }
    let data = document::policy(&policy);
    let rego = Rego::new(&data)?;
    let cedar = Cedar::new()?;
    let mut rows = vec![
        [
            "question",
            "verdict",
            "decide()",
            "regorus",
            "ratio",
            "cedar-policy",
            "ratio",
            "targets",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    let mut results = Vec::new();
    for question in &questions {
        let result = measure(&policy, &data, &rego, &cedar, question, &options)
            .with_context(|| question.name.clone())?;
        rows.push(result.row());
        results.push(result.json());
    }
    println!(
        "P2, policy {POLICY}, {} rounds, medians of one decision",
        options.rounds
    );
    println!("{}", table::markdown(&rows));
    println!(
        "targets: at most 1 µs; at least 50 × faster than regorus; at least 10 × cedar-policy"
    );
    println!("regorus: the faster of interpreter and virtual machine");
    table::write_json(
        options.json.as_deref(),
        &json!({"benchmark": "P2", "rounds": options.rounds, "questions": results}),
    )
}

struct Measured<'a> {
    name: &'a str,
    verdict: Verdict,
    own: f64,
    interpreter: f64,
    machine: Option<f64>,
    cedar: f64,
}

impl Measured<'_> {
    fn regorus(&self) -> f64 {
        self.machine
            .map_or(self.interpreter, |machine| machine.min(self.interpreter))
    }

    fn met(&self) -> [bool; 3] {
        [
            self.own <= LONGEST,
            self.regorus() / self.own >= OVER_REGORUS,
            self.cedar / self.own >= OVER_CEDAR,
        ]
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.name.to_owned(),
            self.verdict.to_string(),
            time(self.own),
            time(self.regorus()),
            format!("{:.0} ×", self.regorus() / self.own),
            time(self.cedar),
            format!("{:.0} ×", self.cedar / self.own),
            self.met().map(table::met).join(", "),
        ]
    }

    fn json(&self) -> Value {
        let [fast, over_regorus, over_cedar] = self.met();
        json!({
            "question": self.name,
            "verdict": self.verdict,
            "decide_ns": self.own,
            "regorus_interpreter_ns": self.interpreter,
            "regorus_machine_ns": self.machine,
            "cedar_ns": self.cedar,
            "regorus_ratio": self.regorus() / self.own,
            "cedar_ratio": self.cedar / self.own,
            "met": {"1_us": fast, "50x_regorus": over_regorus, "10x_cedar": over_cedar},
        })
    }
}

fn measure<'a>(
    policy: &Policy,
    data: &Value,
    rego: &Rego,
    cedar: &Cedar,
    question: &'a Question,
    options: &Options,
) -> anyhow::Result<Measured<'a>> {
    let asked = document::question(policy, question);
    let input = rego::value(&asked)?;
    let mut interpreter = rego.interpreter(&input)?;
    same_as_rego(question, &interpreter()?)?;
    let mut machine = rego.machine(&input)?;
    let machine_works = machine().and_then(|answer| same_as_rego(question, &answer));
    if machine_works.is_err() {
        println!(
            "left out, because it answers otherwise: regorus' virtual machine on `{}`",
            question.name
        );
    }
    let prepared = Prepared::new(data, &asked, rego)?;
    same_as_cedar(question, cedar, &prepared)?;
    let mut functions: Vec<Timed<'_>> = vec![
        Box::new(|| {
            black_box(decide(
                black_box(policy),
                black_box(&question.request),
                black_box(&question.facts),
                black_box(question.now),
            ));
        }),
        Box::new(|| {
            let _ = black_box(interpreter());
        }),
        Box::new(|| {
            black_box(cedar.decide(black_box(&prepared)));
        }),
    ];
    if machine_works.is_ok() {
        functions.push(Box::new(|| {
            let _ = black_box(machine());
        }));
    }
    let times = medians(&mut functions, options.rounds, options.slice);
    let time = |place: usize| times.get(place).copied();
    let (Some(own), Some(interpreter), Some(cedar)) = (time(0), time(1), time(2)) else {
        bail!("nothing was measured");
    };
    Ok(Measured {
        name: &question.name,
        verdict: question.answer.verdict,
        own,
        interpreter,
        machine: time(3),
        cedar,
    })
}

fn same_as_rego(question: &Question, answer: &regorus::Value) -> anyhow::Result<()> {
    let answer: Value = serde_json::from_str(&answer.to_json_str()?)?;
    let set = |key: &str| -> BTreeSet<&str> {
        let list = answer.get(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    };
    let verdict = answer.get("verdict").and_then(Value::as_str);
    let (reasons, owed) = own(question);
    ensure!(
        verdict == Some(question.answer.verdict.as_str())
            && set("reasons") == reasons
            && set("obligations") == owed,
        "regorus answers {answer}, not {} {reasons:?} {owed:?}",
        question.answer.verdict,
    );
    Ok(())
}

fn same_as_cedar(question: &Question, cedar: &Cedar, prepared: &Prepared) -> anyhow::Result<()> {
    let answer = cedar.answer(prepared, false)?;
    let (reasons, owed) = own(question);
    let obligations_told = question.answer.verdict == Verdict::Allow;
    ensure!(
        answer.verdict == question.answer.verdict
            && answer
                .reasons
                .iter()
                .map(String::as_str)
                .eq(reasons.iter().copied())
            && (!obligations_told
                || answer
                    .obligations
                    .iter()
                    .map(String::as_str)
                    .eq(owed.iter().copied())),
        "cedar-policy answers {answer:?}, not {} {reasons:?} {owed:?}",
        question.answer.verdict,
    );
    Ok(())
}

fn own(question: &Question) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let answer = &question.answer;
    let reasons = answer.reasons().into_iter().map(Reason::as_str);
    let owed = answer.obligations().map(|one| one.reason.as_str());
    (reasons.collect(), owed.collect())
}

fn spin(policy: &Policy, questions: &[Question], times: u64) {
    for _ in 0..times {
        for question in questions {
            black_box(decide(
                policy,
                &question.request,
                &question.facts,
                question.now,
            ));
        }
    }
}

fn time(nanoseconds: f64) -> String {
    if nanoseconds < 10_000.0 {
        format!("{nanoseconds:.0} ns")
    } else {
        format!("{:.1} µs", nanoseconds / 1_000.0)
    }
}

fn options() -> anyhow::Result<Options> {
    let mut options = Options {
        rounds: 301,
        slice: Duration::from_millis(1),
        json: None,
        spin: None,
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--rounds" => options.rounds = value()?.parse()?,
            "--slice-ms" => options.slice = Duration::from_millis(value()?.parse()?),
            "--json" => options.json = Some(value()?.into()),
            "--spin" => options.spin = Some(value()?.parse()?),
            _ => bail!(
                "unknown argument {argument}; known: --rounds N --slice-ms N --json FILE --spin N"
            ),
        }
    }
    ensure!(options.rounds >= 5, "at least five rounds");
    Ok(options)
}
