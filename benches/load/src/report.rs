//! Results: one table for people, JSON for machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde_json::Value;

use crate::load::Run;

/// How the series are called that tell which part of the answers came from another level.
const ELSEWHERE: &str = "answers not from";
/// The part of the answers that may come from another level: entries end while they are used.
const FEW: f64 = 0.01;

/// A line of the table.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Number of the target.
    pub number: String,
    /// What is measured.
    pub what: String,
    /// What it is compared with, and how that did.
    pub reference: String,
    /// How the product did.
    pub measured: String,
    /// The ratio or the figure that the target is about.
    pub figure: f64,
    /// The figure as it is shown.
    pub shown: String,
    /// The target.
    pub target: String,
    /// Whether it is met; `None` where the figure has no target or says nothing.
    pub met: Option<bool>,
}

/// What came of measuring one number.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Outcome {
    /// Lines of the table.
    pub rows: Vec<Row>,
    /// What has to be known about the figures.
    pub notes: Vec<String>,
    /// The figures of every round, by what they are.
    pub rounds: BTreeMap<String, Vec<f64>>,
    /// Whether the figures say nothing.
    pub void: bool,
    /// Why there are no figures.
    pub failure: Option<String>,
}

/// A target.
#[derive(Clone, Copy, Debug)]
pub enum Goal {
    /// The figure is to be at least this.
    AtLeast(f64),
    /// The figure is to be at most this.
    AtMost(f64),
    /// No target: context.
    None,
}

/// In what a figure is given.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Times another figure.
    Ratio,
    /// Nanoseconds, shown as microseconds.
    Microseconds,
    /// Nanoseconds, shown as milliseconds.
    Milliseconds,
    /// Bytes, shown as MiB.
    Mebibytes,
}

impl Outcome {
    /// Keeps the figure of a round.
    pub fn note(&mut self, series: impl Into<String>, figure: f64) {
        self.rounds.entry(series.into()).or_default().push(figure);
    }

    /// Keeps the median time of a run.
    pub fn p50(&mut self, series: &str, run: &Run) {
        self.note(format!("{series}, p50 ns"), run.quantile(0.5));
    }

    /// Median of the rounds; not a number where there are none.
    #[must_use]
    pub fn median(&self, series: &str) -> f64 {
        median(self.rounds.get(series).cloned().unwrap_or_default())
    }

    /// Median of the rounds' median times.
    #[must_use]
    pub fn median_p50(&self, series: &str) -> f64 {
        self.median(&format!("{series}, p50 ns"))
    }

    /// Adds a line.
    pub fn row(
        &mut self,
        what: impl Into<String>,
        reference: impl Into<String>,
        measured: impl Into<String>,
        (figure, unit): (f64, Unit),
        goal: Goal,
    ) {
        let shown = |figure: f64| match unit {
            Unit::Ratio => format!("{figure:.2} ×"),
            Unit::Microseconds => format!("{:.2} µs", figure / 1e3),
            Unit::Milliseconds => format!("{:.1} ms", figure / 1e6),
            Unit::Mebibytes => format!("{:.1} MiB", figure / f64::from(1 << 20)),
        };
        let (target, met) = match goal {
            Goal::AtLeast(least) => (format!("≥ {}", shown(least)), Some(figure >= least)),
            Goal::AtMost(most) => (format!("≤ {}", shown(most)), Some(figure <= most)),
            Goal::None => (String::new(), None),
        };
        self.rows.push(Row {
            number: String::new(),
            what: what.into(),
            reference: reference.into(),
            measured: measured.into(),
            figure,
            shown: shown(figure),
            target,
            met,
        });
    }

    /// Keeps which part of the answers came from another level than the one that is measured: where
    /// it is more than few, the figures say nothing about it, and no target is met by them.
    pub fn level(&mut self, what: &str, runs: &[&Run]) {
        for run in runs {
            self.elsewhere(what, run.elsewhere());
        }
    }

    /// Keeps which part of a run's answers came from another level than `what`.
    pub fn elsewhere(&mut self, what: &str, part: f64) {
        self.note(format!("{ELSEWHERE} {what}"), part);
    }

    /// Says why the figures say nothing: no target is met by them.
    pub fn void(&mut self, why: String) {
        self.notes.push(why);
        self.void = true;
    }

    /// Closes the account of a number: its name on every line, and no target met by answers that
    /// came from elsewhere.
    #[must_use]
    pub fn close(mut self, number: &str) -> Self {
        let mut void = self.void;
        for (series, parts) in &self.rounds {
            let most = parts.iter().copied().fold(0.0, f64::max);
            if series.starts_with(ELSEWHERE) && most > FEW {
                void = true;
                self.notes
                    .push(format!("{series}: up to {:.0} %", most * 100.0));
            }
        }
        for row in &mut self.rows {
            number.clone_into(&mut row.number);
            if void {
                row.met = row.met.map(|_| false);
            }
        }
        self
    }
}

/// The median; not a number where there are no samples.
#[must_use]
pub fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    let upper = samples.get(samples.len() / 2).copied();
    let lower = samples.get(samples.len().saturating_sub(1) / 2).copied();
    lower
        .zip(upper)
        .map_or(f64::NAN, |(a, b)| f64::midpoint(a, b))
}

/// Nanoseconds as people read them.
#[must_use]
pub fn micros(nanoseconds: f64) -> String {
    format!("{:.0} µs", nanoseconds / 1e3)
}

/// A rate as people read it.
#[must_use]
pub fn rate(a_second: f64) -> String {
    format!("{a_second:.0}/s")
}

/// The table, with what has to be known about it.
#[must_use]
pub fn table(outcomes: &BTreeMap<String, Outcome>) -> String {
    let head = ["#", "what", "reference", "icpgate", "figure", "target", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for (number, outcome) in outcomes {
        for row in &outcome.rows {
            let met = match row.met {
                Some(true) => "met",
                Some(false) => "not met",
                None => "",
            };
            rows.push(vec![
                row.number.clone(),
                row.what.clone(),
                row.reference.clone(),
                row.measured.clone(),
                row.shown.clone(),
                row.target.clone(),
                met.to_owned(),
            ]);
        }
        if outcome.failure.is_some() {
            let failed = [number, "not measured", "", "", "", "", "failed"];
            rows.push(failed.map(str::to_owned).to_vec());
        }
    }
    let mut text = markdown(&rows);
    for (number, outcome) in outcomes {
        for note in outcome.notes.iter().chain(&outcome.failure) {
            let _ = write!(text, "\n- {number}: {note}");
        }
    }
    text
}

/// The results as JSON.
///
/// # Errors
///
/// A figure has no form in JSON.
pub fn json(outcomes: &BTreeMap<String, Outcome>, options: &Value) -> anyhow::Result<Value> {
    Ok(serde_json::json!({
        "options": options,
        "results": serde_json::to_value(outcomes)?,
    }))
}

fn markdown(rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        widths.resize(widths.len().max(row.len()), 3);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        for (cell, width) in row.iter().zip(&widths) {
            // Writing to a string cannot fail.
            let _ = write!(text, "| {cell:<width$} ");
        }
        text.push_str("|\n");
        if index == 0 {
            for width in &widths {
                let _ = write!(text, "| {} ", "-".repeat(*width));
            }
            text.push_str("|\n");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_judged_and_answers_from_elsewhere_meet_none() {
        let mut outcome = Outcome::default();
        for figure in [3.0, 1.0, 2.0] {
            outcome.note("x", figure);
        }
        assert!((outcome.median("x") - 2.0).abs() < 1e-9);
        assert!(outcome.median("y").is_nan());
        outcome.row("a", "", "", (2.0, Unit::Ratio), Goal::AtLeast(2.0));
        outcome.row("b", "", "", (f64::NAN, Unit::Ratio), Goal::AtMost(2.0));
        outcome.row("c", "", "", (2.1e6, Unit::Milliseconds), Goal::AtMost(2e6));
        let met = |outcome: &Outcome| outcome.rows.iter().map(|row| row.met).collect::<Vec<_>>();
        assert_eq!(met(&outcome), [Some(true), Some(false), Some(false)]);
        let text = table(&BTreeMap::from([(
            "P".to_owned(),
            outcome.clone().close("P"),
        )]));
        assert!(text.contains("| 2.1 ms | ≤ 2.0 ms | not met |"), "{text}");
        outcome.elsewhere("a cache", 0.02);
        assert_eq!(met(&outcome.close("P")), [Some(false); 3]);
    }
}
