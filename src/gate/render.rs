//! The answer as callers see it. Wording comes from `explain`.

use icpgate_policy::codes::{Outcome, Reason, SubjectNature};
use icpgate_policy::decision::Finding;
use icpgate_policy::domain_name::Host;
use icpgate_policy::explain::{self, Explained};
use icpgate_policy::rules::RULES;
use prost::Message as _;

use super::{Answer, ServedFrom};
use crate::intake::{View, instant, token};
use crate::proto::convert::Coded as _;
use crate::proto::v1;

/// Makes the answer to a caller who typed `input`.
#[must_use]
pub fn render(answer: &Answer, input: &str, view: View) -> v1::Decision {
    let decision = &answer.decision;
    let context = Explained {
        policy: &answer.policy.policy,
        request: &answer.request,
        facts: &answer.facts,
        decision,
        language: answer.request.profile.language,
    };
    let shown = |finding: &&Finding| match view {
        View::Full => true,
        View::Basic => {
            matches!(
                finding.outcome,
                Outcome::Deny | Outcome::Review | Outcome::Indeterminate
            ) || finding.reason.is_some()
        }
    };
    let mut findings: Vec<v1::Finding> = decision
        .findings
        .iter()
        .filter(shown)
        .map(|found| finding(&context, found))
        .collect();
    if view == View::Full {
        not_applicable(&context, &mut findings);
    }
    let obligations = decision
        .obligations()
        .map(|owed| v1::Obligation {
            reason: owed.reason.to_number(),
            message: explain::obligation(&context, owed.finding).into_owned(),
            due_at: owed.finding.due_at.map(instant),
        })
        .collect();
    v1::Decision {
        decision_id: answer.decision_id.clone(),
        verdict: decision.verdict.to_number(),
        reasons: decision
            .reasons()
            .into_iter()
            .map(Reason::to_number)
            .collect(),
        findings,
        obligations,
        domain: Some(domain(answer, input)),
        filing: filing(answer),
        decided_at: Some(instant(decision.decided_at)),
        valid_until: Some(instant(decision.valid_until)),
        retry_after: decision.retry_after.map(instant),
        policy_version: answer.policy.policy.version.to_string(),
        revision: token(decision.revision),
        stale: answer.stale,
        served_from: served_from(answer.served_from) as i32,
    }
}

const fn served_from(from: ServedFrom) -> v1::ServedFrom {
    match from {
        ServedFrom::LocalCache => v1::ServedFrom::LocalCache,
        ServedFrom::SharedCache => v1::ServedFrom::SharedCache,
        ServedFrom::Store => v1::ServedFrom::Store,
    }
}

/// The answer as it is recorded: whole, without what belongs to one call.
pub(super) fn recorded(answer: &Answer) -> Vec<u8> {
    let mut decision = render(answer, "", View::Full);
    decision.served_from = v1::ServedFrom::Unspecified as i32;
    decision.encode_to_vec()
}

fn finding(context: &Explained<'_>, finding: &Finding) -> v1::Finding {
    let text = explain::finding(context, finding);
    let evidence = finding
        .evidence
        .iter()
        .filter_map(|evidence| explain::evidence_key(context.facts, *evidence))
        .map(|(record, provenance)| v1::Evidence {
            record,
            source: provenance.source.to_string(),
            observed_at: Some(instant(provenance.observed_at)),
            revision: token(provenance.revision),
        })
        .collect();
    v1::Finding {
        rule: finding.rule.as_str().to_owned(),
        outcome: finding.outcome.to_number(),
        reason: finding.reason.map_or(0, Reason::to_number),
        message: text.message.into_owned(),
        remediation: text.remediation.into_owned(),
        references: text
            .references
            .iter()
            .map(|&reference| reference.to_owned())
            .collect(),
        evidence,
    }
}

/// Adds the rules that found nothing because they do not apply, each at its place.
fn not_applicable(context: &Explained<'_>, findings: &mut Vec<v1::Finding>) {
    let mut rest = std::mem::take(findings);
    for rule in RULES {
        let (own, others): (Vec<_>, Vec<_>) = rest
            .into_iter()
            .partition(|found| found.rule == rule.id.as_str());
        rest = others;
        if own.is_empty() {
            findings.push(v1::Finding {
                rule: rule.id.as_str().to_owned(),
                outcome: Outcome::NotApplicable.to_number(),
                message: explain::not_applicable(context.language).to_owned(),
                references: explain::rule_references(rule.id)
                    .iter()
                    .map(|&reference| reference.to_owned())
                    .collect(),
                ..v1::Finding::default()
            });
        } else {
            findings.extend(own);
        }
    }
}

fn domain(answer: &Answer, input: &str) -> v1::DecisionDomain {
    let mut domain = v1::DecisionDomain {
        input: input.to_owned(),
        ..Default::default()
    };
    if let Ok(Host::Name(name)) = &answer.request.host {
        let star = if name.is_wildcard() { "*." } else { "" };
        domain.ascii = format!("{star}{}", name.ascii());
        domain.unicode = format!("{star}{}", name.unicode());
        name.registrable().clone_into(&mut domain.registrable);
    }
    domain
}

fn filing(answer: &Answer) -> Option<v1::DecisionFiling> {
    let filing = answer.decision.filing?;
    let service = answer
        .facts
        .name
        .services
        .get(usize::from(filing.service))?;
    let subject = &answer
        .facts
        .name
        .subjects
        .get(usize::from(filing.subject))?
        .value;
    let subject_name = match subject.nature {
        SubjectNature::Individual => String::new(),
        SubjectNature::Enterprise
        | SubjectNature::Government
        | SubjectNature::PublicInstitution
        | SubjectNature::SocialOrganisation => subject.name.display.to_string(),
    };
    Some(v1::DecisionFiling {
        subject_number: subject.subject_number.as_str().to_owned(),
        service_number: service.value.service_number.as_str().to_owned(),
        subject_name,
        nature: subject.nature.to_number(),
    })
}
