//! The answer as callers see it. Wording comes from `explain`.

use icpgate_policy::codes::{Outcome, Reason, SubjectNature};
use icpgate_policy::decision::Finding;
use icpgate_policy::domain_name::Host;
use icpgate_policy::explain::{self, Explained};
use icpgate_policy::rules::RULES;
use prost::Message as _;

use super::{Answer, Served, ServedFrom};
use crate::intake::{View, instant, token};
use crate::proto::convert::Coded as _;
use crate::proto::v1;

/// Makes the answer to a caller who typed `input`.
#[must_use]
pub fn render(served: &Served, input: &str, view: View) -> v1::Decision {
    let answer = &served.answer;
    v1::Decision {
        domain: Some(domain(answer, input)),
        served_from: served_from(served.served_from) as i32,
        ..shared(answer, view)
    }
}

/// As [`render`], with all that equal questions share encoded once for them all.
#[must_use]
pub fn respond(served: &Served, input: &str, view: View) -> v1::CheckProvisioningResponse {
    let answer = &served.answer;
    let own = v1::Decision {
        domain: Some(domain(answer, input)),
        served_from: served_from(served.served_from) as i32,
        ..v1::Decision::default()
    };
    v1::CheckProvisioningResponse::encoded(answer.encoded(view), own.encode_to_vec().into())
}

/// The answer as it is recorded: whole, without what belongs to one call.
pub(super) fn recorded(answer: &Answer) -> Vec<u8> {
    let decision = v1::Decision {
        domain: Some(domain(answer, "")),
        ..shared(answer, View::Full)
    };
    decision.encode_to_vec()
}

/// The answer without the fields that hold something of one call: `domain` and `served_from`.
pub(super) fn shared(answer: &Answer, view: View) -> v1::Decision {
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
        decision_id: answer.decision_id.to_string(),
        verdict: decision.verdict.to_number(),
        reasons: decision
            .reasons()
            .into_iter()
            .map(Reason::to_number)
            .collect(),
        findings,
        obligations,
        domain: None,
        filing: filing(answer),
        decided_at: Some(instant(decision.decided_at)),
        valid_until: Some(instant(decision.valid_until)),
        retry_after: decision.retry_after.map(instant),
        policy_version: answer.policy.policy.version.to_string(),
        revision: token(decision.revision),
        stale: answer.stale,
        served_from: v1::ServedFrom::Unspecified as i32,
    }
}

const fn served_from(from: ServedFrom) -> v1::ServedFrom {
    match from {
        ServedFrom::LocalCache => v1::ServedFrom::LocalCache,
        ServedFrom::SharedCache => v1::ServedFrom::SharedCache,
        ServedFrom::Store => v1::ServedFrom::Store,
    }
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

/// Adds the rules that found nothing because they do not apply, each at its place. Findings stand
/// in the order of the rules.
fn not_applicable(context: &Explained<'_>, findings: &mut Vec<v1::Finding>) {
    let mut found = std::mem::replace(findings, Vec::with_capacity(RULES.len()))
        .into_iter()
        .peekable();
    for rule in RULES {
        let mut own = false;
        while let Some(finding) = found.next_if(|finding| finding.rule == rule.id.as_str()) {
            findings.push(finding);
            own = true;
        }
        if !own {
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
