//! A decision for people: the verdict first, then why, then what is owed, then the rest.

use std::fmt::Write as _;

use anstyle::Style;
use jiff::Timestamp;

use super::output::{BAD, BOLD, CARE, DIM, GOOD, clean};
use crate::proto::v1::{Decision, Finding, Obligation, Outcome, Reason, Verdict};

/// The text of a decision, coloured.
pub(super) fn table(decision: &Decision) -> String {
    let mut text = headline(decision);
    let wanted = deciding(decision.verdict());
    let (first, rest): (Vec<&Finding>, Vec<&Finding>) = decision
        .findings
        .iter()
        .partition(|finding| Some(finding.outcome()) == wanted);
    for found in first {
        finding(&mut text, found, style(decision.verdict()));
    }
    if !decision.obligations.is_empty() {
        let _ = writeln!(text, "\n{BOLD}still owed{BOLD:#}");
        for owed in &decision.obligations {
            obligation(&mut text, owed);
        }
    }
    other_findings(&mut text, &rest);
    text.push('\n');
    facts(&mut text, decision);
    text
}

fn headline(decision: &Decision) -> String {
    let verdict = decision.verdict();
    let (mark, advice) = match verdict {
        Verdict::Allow => ("✓", "provision"),
        Verdict::Deny => ("✗", "do not provision"),
        Verdict::Review => ("?", "a person must judge"),
        Verdict::Indeterminate => ("…", "could not be found out now; ask again later"),
        Verdict::Unspecified => ("?", "no verdict"),
    };
    let style = style(verdict);
    let name = verdict.as_str_name().trim_start_matches("VERDICT_");
    let domain = decision.domain.clone().unwrap_or_default();
    let shown = if domain.unicode.is_empty() {
        &domain.input
    } else {
        &domain.unicode
    };
    let mut line = format!(
        "{style}{mark} {name}{style:#}  {BOLD}{}{BOLD:#}",
        clean(shown)
    );
    if !domain.ascii.is_empty() && domain.ascii != *shown {
        let _ = write!(line, " ({})", clean(&domain.ascii));
    }
    let _ = writeln!(line, ": {advice}");
    line
}

fn finding(text: &mut String, finding: &Finding, style: Style) {
    let reason = reason_name(finding.reason());
    let _ = writeln!(
        text,
        "\n{style}{reason}{style:#} {DIM}{}{DIM:#}",
        clean(&finding.rule)
    );
    if !finding.message.is_empty() {
        let _ = writeln!(text, "  {}", clean(&finding.message));
    }
    if !finding.remediation.is_empty() {
        let _ = writeln!(text, "  {BOLD}→{BOLD:#} {}", clean(&finding.remediation));
    }
    for reference in &finding.references {
        let _ = writeln!(text, "  {DIM}§ {}{DIM:#}", clean(reference));
    }
    for evidence in &finding.evidence {
        let mut line = clean(&evidence.record).into_owned();
        if !evidence.source.is_empty() {
            let _ = write!(line, ", reported by {}", clean(&evidence.source));
        }
        if let Some(at) = &evidence.observed_at {
            let _ = write!(line, " on {}", beijing(at));
        }
        let _ = writeln!(text, "  {DIM}· {line}{DIM:#}");
    }
}

fn obligation(text: &mut String, owed: &Obligation) {
    let _ = write!(text, "  {CARE}{}{CARE:#}", reason_name(owed.reason()));
    if let Some(due) = &owed.due_at {
        let _ = write!(text, " by {}", beijing(due));
    }
    let _ = writeln!(text, ": {}", clean(&owed.message));
}

/// The findings that did not decide: those that would have, whole; the others by rule.
fn other_findings(text: &mut String, rest: &[&Finding]) {
    for outcome in [Outcome::Indeterminate, Outcome::Review] {
        for found in rest.iter().filter(|found| found.outcome() == outcome) {
            finding(text, found, CARE);
        }
    }
    for (outcome, label) in [
        (Outcome::Pass, "passed"),
        (Outcome::NotApplicable, "do not apply"),
    ] {
        let rules: Vec<_> = rest
            .iter()
            .filter(|found| found.outcome() == outcome)
            .map(|found| clean(&found.rule))
            .collect();
        if !rules.is_empty() {
            let _ = writeln!(text, "\n{DIM}{label}: {}{DIM:#}", rules.join(" "));
        }
    }
}

fn facts(text: &mut String, decision: &Decision) {
    let mut line = |label: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "{DIM}{label:<12}{DIM:#} {}", clean(&value));
        }
    };
    line(
        "valid until",
        decision
            .valid_until
            .as_ref()
            .map(beijing)
            .unwrap_or_default(),
    );
    line(
        "ask again",
        decision
            .retry_after
            .as_ref()
            .map(beijing)
            .unwrap_or_default(),
    );
    if let Some(filing) = &decision.filing {
        let number = match filing.service_number.as_str() {
            "" => &filing.subject_number,
            number => number,
        };
        let holder = match filing.subject_name.as_str() {
            "" => String::new(),
            name => format!(" {name}"),
        };
        line("filing", format!("{number}{holder}"));
    }
    line("policy", decision.policy_version.clone());
    let stale = if decision.stale {
        " (older than usual: the store does not answer)"
    } else {
        ""
    };
    let from = decision
        .served_from()
        .as_str_name()
        .trim_start_matches("SERVED_FROM_");
    line("facts", format!("{} from {from}{stale}", decision.revision));
    line(
        "decided at",
        decision
            .decided_at
            .as_ref()
            .map(beijing)
            .unwrap_or_default(),
    );
    line("decision", decision.decision_id.clone());
}

fn deciding(verdict: Verdict) -> Option<Outcome> {
    match verdict {
        Verdict::Deny => Some(Outcome::Deny),
        Verdict::Review => Some(Outcome::Review),
        Verdict::Indeterminate => Some(Outcome::Indeterminate),
        Verdict::Allow | Verdict::Unspecified => None,
    }
}

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Allow => GOOD,
        Verdict::Deny => BAD,
        Verdict::Review | Verdict::Indeterminate | Verdict::Unspecified => CARE,
    }
}

fn reason_name(reason: Reason) -> &'static str {
    reason.as_str_name().trim_start_matches("REASON_")
}

/// An instant by the clock of Beijing, in which the terms of the field run.
fn beijing(at: &pbjson_types::Timestamp) -> String {
    let instant = Timestamp::new(at.seconds, at.nanos).unwrap_or_default();
    let local = jiff::tz::offset(8).to_datetime(instant);
    format!("{} +08:00", local.strftime("%Y-%m-%d %H:%M:%S"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::v1::{DecisionDomain, DecisionFiling, ServedFrom};

    fn plain(decision: &Decision) -> String {
        anstream::adapter::strip_str(&table(decision)).to_string()
    }

    #[test]
    fn a_denial_tells_why_what_to_do_and_by_when() {
        let decision = Decision {
            decision_id: "dec-1".into(),
            verdict: Verdict::Deny.into(),
            findings: vec![
                Finding {
                    rule: "R02".into(),
                    outcome: Outcome::Pass.into(),
                    ..Finding::default()
                },
                Finding {
                    rule: "R07".into(),
                    outcome: Outcome::Deny.into(),
                    reason: Reason::FilingNotFound.into(),
                    message: "no filing\u{1b}[2J covers it".into(),
                    remediation: "file it".into(),
                    references: vec!["Decree 292, Art. 8".into()],
                    ..Finding::default()
                },
            ],
            obligations: vec![Obligation {
                reason: Reason::DisplayMissing.into(),
                message: "show the number".into(),
                due_at: Some(pbjson_types::Timestamp {
                    seconds: 1_795_363_200,
                    nanos: 0,
                }),
            }],
            domain: Some(DecisionDomain {
                input: "例子.中国".into(),
                ascii: "xn--fsqu00a.xn--fiqs8s".into(),
                unicode: "例子.中国".into(),
                registrable: String::new(),
            }),
            filing: Some(DecisionFiling {
                subject_number: "京ICP备10046444号".into(),
                ..DecisionFiling::default()
            }),
            policy_version: "mainland-strict 1".into(),
            revision: "r1".into(),
            served_from: ServedFrom::Store.into(),
            ..Decision::default()
        };
        let text = plain(&decision);
        let expected = "\
✗ DENY  例子.中国 (xn--fsqu00a.xn--fiqs8s): do not provision

FILING_NOT_FOUND R07
  no filing\u{fffd}[2J covers it
  → file it
  § Decree 292, Art. 8

still owed
  DISPLAY_MISSING by 2026-11-23 00:00:00 +08:00: show the number

passed: R02

filing       京ICP备10046444号
policy       mainland-strict 1
facts        r1 from STORE
decision     dec-1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn an_allowance_is_short() {
        let decision = Decision {
            verdict: Verdict::Allow.into(),
            ..Decision::default()
        };
        assert!(plain(&decision).starts_with("✓ ALLOW  : provision\n"));
    }
}
