//! Wording of an answer: its verdict, findings, obligations and evidence.

use super::{Language, Text, details, message, pass, references, remedy};
use crate::codes::{Outcome, Purpose, RecordKind, Verdict};
use crate::decision::{Decision, Evidence, Finding};
use crate::facts::{Fact, Facts, Provenance};
use crate::policy::Policy;
use crate::request::Request;

/// An answer with everything that it was worked out from.
#[derive(Clone, Copy, Debug)]
pub struct Explained<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// The question.
    pub request: &'a Request,
    /// The facts.
    pub facts: &'a Facts,
    /// The answer.
    pub decision: &'a Decision,
    /// Language of the texts, that of the request's profile.
    pub language: Language,
}

/// Wording of one finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingText {
    /// What was found; one sentence or two.
    pub message: Text,
    /// What to do about it, as an instruction to whoever takes the order; empty where there is
    /// nothing to do.
    pub remediation: Text,
    /// Law or provider rule behind the rule, in English with the Chinese title of a law.
    pub references: &'static [&'static str],
}

impl Explained<'_> {
    /// Whether the question is whether a name may be filed.
    pub(super) fn pre_filing(&self) -> bool {
        self.request.profile.purpose == Purpose::PreFiling
            && self.request.profile.service_area.includes_mainland()
    }
}

/// Wording of one finding of `ctx.decision`.
#[must_use]
pub fn finding(ctx: &Explained<'_>, finding: &Finding) -> FindingText {
    let (message, remediation) = match (finding.outcome, finding.reason) {
        (
            Outcome::Pass | Outcome::Review | Outcome::Indeterminate | Outcome::Deny,
            Some(reason),
        ) => match ctx.language {
            Language::English => (
                message::english(ctx, finding, reason),
                remedy::english(ctx, finding, reason),
            ),
            Language::Chinese => (
                message::chinese(ctx, finding, reason),
                remedy::chinese(ctx, finding, reason),
            ),
        },
        (Outcome::NotApplicable, _) => (pass::not_applicable(ctx.language), Text::default()),
        (Outcome::Pass | Outcome::Review | Outcome::Indeterminate | Outcome::Deny, None) => {
            (pass::passed(ctx, finding), Text::default())
        }
    };
    FindingText {
        message,
        remediation,
        references: references::rule_references(finding.rule),
    }
}

/// Wording of an obligation: what was found, what is owed, and the last day in Beijing where
/// there is one. Complete by itself, as the finding behind it may not be shown.
#[must_use]
pub fn obligation(ctx: &Explained<'_>, behind: &Finding) -> Text {
    let text = finding(ctx, behind);
    let (message, remediation) = (text.message, text.remediation);
    let due = behind.due_at.map(details::last_day);
    match (ctx.language, due) {
        (_, None) if remediation.is_empty() => message,
        (Language::English, None) => format!("{message} {remediation}").into(),
        (Language::Chinese, None) => format!("{message}{remediation}").into(),
        (Language::English, Some(day)) => {
            format!("{message} {remediation} Due by {day} (Beijing time).").into()
        }
        (Language::Chinese, Some(day)) => {
            format!("{message}{remediation}期限：{day}（北京时间，含当日）。").into()
        }
    }
}

/// What a verdict means to whoever asked.
#[must_use]
pub const fn verdict(verdict: Verdict, language: Language) -> &'static str {
    match verdict {
        Verdict::Allow => language.pick("Provision the order.", "可以开通。"),
        Verdict::Review => language.pick(
            "A person must judge the evidence before the order is provisioned.",
            "须人工审核证据后再决定是否开通。",
        ),
        Verdict::Indeterminate => language.pick(
            "The evidence could not be had now; hold the order and ask again. This is no denial.",
            "暂时无法取得证据，请保留订单并稍后重试；这不是拒绝。",
        ),
        Verdict::Deny => language.pick("Do not provision the order.", "不得开通。"),
    }
}

/// What is told of a rule that does not apply to the question.
#[must_use]
pub const fn not_applicable(language: Language) -> &'static str {
    language.pick(
        "The rule does not apply to this question.",
        "该规则不适用于本次查询。",
    )
}

/// Kind and key of a record that a finding rests on, such as `service/京ICP备10046444号-1`, and
/// where it comes from. Certificates in keys are masked. `None` for evidence that names a part of
/// the request and no record.
#[must_use]
pub fn evidence_key(facts: &Facts, evidence: Evidence) -> Option<(String, &Provenance)> {
    fn keyed<T>(
        records: &[Fact<T>],
        evidence: Evidence,
        key: impl Fn(&T) -> String,
    ) -> Option<(String, &Provenance)> {
        let fact = records.get(usize::from(evidence.index))?;
        let shown = format!("{}/{}", evidence.kind, key(&fact.value));
        Some((shown, &fact.provenance))
    }
    if evidence.index == u16::MAX {
        return None;
    }
    let set = details::set(facts, evidence.set)?;
    match evidence.kind {
        RecordKind::Subject => keyed(&set.subjects, evidence, |subject| {
            subject.subject_number.as_str().to_owned()
        }),
        RecordKind::Service => keyed(&set.services, evidence, |service| {
            service.service_number.as_str().to_owned()
        }),
        RecordKind::Access => keyed(&set.accesses, evidence, crate::records::Access::key),
        RecordKind::Application => keyed(&set.applications, evidence, |application| {
            application.application_id.to_string()
        }),
        RecordKind::Licence => keyed(&set.licences, evidence, |licence| {
            licence.licence_number.as_str().to_owned()
        }),
        RecordKind::Registration => keyed(&set.registrations, evidence, |registration| {
            registration.domain.ascii().to_owned()
        }),
        RecordKind::Block => keyed(&set.blocks, evidence, crate::records::Block::shown_key),
        RecordKind::Approval => keyed(&set.approvals, evidence, crate::records::Approval::key),
        RecordKind::PublicSecurityFiling => {
            keyed(&set.public_security_filings, evidence, |filing| {
                filing.number.as_str().to_owned()
            })
        }
        RecordKind::DisplayObservation => {
            keyed(&set.display_observations, evidence, |observation| {
                observation.domain.ascii().to_owned()
            })
        }
    }
}
