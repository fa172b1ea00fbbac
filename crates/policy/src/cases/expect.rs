//! The expected answer of a case.

use toml::Value;

use super::fields::{Fields, read_code, read_instant};
use super::{
    CaseProblem, Expectation, Expected, ExpectedFinding, ExpectedObligation, ExpectedRetry, Silent,
};
use crate::codes::{Outcome, Reason, Verdict};
use crate::rules::RuleId;

/// Reads an expected answer. Reasons and obligations that are not named are expected to be absent.
pub(super) fn expectation(fields: &mut Fields<'_, '_, '_>) -> Option<Expectation> {
    fields.require(&["verdict"]);
    let verdict = fields.code("verdict", Verdict::ALL, Verdict::as_str);
    let reasons = fields.codes("reasons", Reason::ALL, Reason::as_str);
    let obligations = obligations(fields);
    let findings = fields.tables("findings", finding);
    let silent = silent(fields);
    let valid_until = fields.instant("valid_until");
    let retry_after = retry_after(fields);
    Some(Expectation {
        verdict: verdict?,
        reasons: reasons.into_iter().collect(),
        obligations,
        findings,
        silent,
        valid_until,
        retry_after,
    })
}

/// A list of reasons, or of `{ reason = "…", due = "…" }`.
fn obligations(fields: &mut Fields<'_, '_, '_>) -> Vec<ExpectedObligation> {
    let mut obligations = Vec::new();
    for (index, value) in fields.list("obligations").iter().enumerate() {
        let path = format!("obligations[{index}]");
        let (reason, due) = match value {
            Value::String(reason) => (Some(reason.as_str()), None),
            Value::Table(table) => (
                table.get("reason").and_then(Value::as_str),
                table.get("due"),
            ),
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => {
                fields.error(&path, CaseProblem::WrongType(Expected::Text));
                continue;
            }
        };
        if let Value::Table(table) = value
            && let Some(unknown) = table.keys().find(|key| *key != "reason" && *key != "due")
        {
            let nearest = None;
            fields.error(
                &format!("{path}.{unknown}"),
                CaseProblem::UnknownKey { nearest },
            );
        }
        let Some(reason) = reason.and_then(|code| read_code(code, Reason::ALL, Reason::as_str))
        else {
            let allowed = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
            fields.error(&path, CaseProblem::NotAllowed { allowed });
            continue;
        };
        let instant = due.and_then(read_instant);
        if due.is_some() && instant.is_none() {
            fields.error(&format!("{path}.due"), CaseProblem::Instant);
        }
        obligations.push(ExpectedObligation {
            reason,
            due: instant,
        });
    }
    obligations
}

fn finding(fields: &mut Fields<'_, '_, '_>) -> Option<ExpectedFinding> {
    fields.require(&["rule", "outcome"]);
    let rule = fields.code("rule", RuleId::ALL, RuleId::as_str);
    let outcome = fields.code("outcome", Outcome::ALL, Outcome::as_str);
    let reason = fields.code("reason", Reason::ALL, Reason::as_str);
    Some(ExpectedFinding {
        rule: rule?,
        outcome: outcome?,
        reason,
    })
}

/// Texts such as `R12 ACCESS_LINK_GRACE`.
fn silent(fields: &mut Fields<'_, '_, '_>) -> Vec<Silent> {
    let mut silent = Vec::new();
    for (index, text) in fields.texts("silent").into_iter().enumerate() {
        let pair = text.split_once(' ').and_then(|(rule, reason)| {
            let rule = RuleId::from_code(rule)?;
            let reason = Reason::from_code(reason)?;
            let can_find = rule.rule().reasons.contains(&reason);
            can_find.then_some(Silent { rule, reason })
        });
        match pair {
            Some(pair) => silent.push(pair),
            None => fields.error(&format!("silent[{index}]"), CaseProblem::NotOfRule),
        }
    }
    silent
}

fn retry_after(fields: &mut Fields<'_, '_, '_>) -> Option<ExpectedRetry> {
    let value = fields.value("retry_after")?;
    let retry = match value {
        Value::Boolean(true) => Some(ExpectedRetry::Some),
        Value::Boolean(false) => Some(ExpectedRetry::Never),
        Value::String(_)
        | Value::Integer(_)
        | Value::Float(_)
        | Value::Datetime(_)
        | Value::Array(_)
        | Value::Table(_) => read_instant(value).map(ExpectedRetry::At),
    };
    if retry.is_none() {
        fields.error(
            "retry_after",
            CaseProblem::WrongType(Expected::FlagOrInstant),
        );
    }
    retry
}
