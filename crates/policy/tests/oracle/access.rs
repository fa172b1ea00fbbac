//! Whether this provider is an access provider of the filing.

use icpgate_policy::codes::{AccessStatus, ApplicationKind, ApplicationStage, Reason, RecordKind};
use icpgate_policy::records::Access;
use jiff::Timestamp;

use super::filing::{Found, stands};
use super::{Question, Sheet};

/// Hosting and reverse proxy: the link with this provider.
pub(crate) fn link(question: &Question<'_>, website: &Found, sheet: &mut Sheet<'_>) {
    if !stands(website) {
        return;
    }
    let own = question.policy.provider_id();
    if active(question, website)
        .iter()
        .any(|access| *access.provider_id == *own)
    {
        return;
    }
    let set = &question.facts.name;
    let candidates = question.candidates();
    let mut grace: Option<Timestamp> = None;
    for fact in &set.applications {
        let application = &fact.value;
        let counts = application.kind == ApplicationKind::NewAccess
            && *application.provider_id == *own
            && candidates
                .iter()
                .any(|name| name == application.domain.ascii())
            && matches!(
                application.stage,
                ApplicationStage::ProviderReviewPassed
                    | ApplicationStage::AuthorityReview
                    | ApplicationStage::Approved
            );
        if let (true, Some(passed)) = (counts, application.provider_review_passed_at) {
            let end = passed.saturating_add(question.policy.access_grace).unwrap();
            if passed <= question.now && question.now < end {
                grace = grace.max(Some(end));
            }
        }
    }
    if grace.is_some() {
        sheet.say_due(Reason::AccessLinkGrace, grace);
    } else if let Some(why) = question.unknown(set, RecordKind::Access) {
        sheet.unknown(why);
    } else if let Some(why) = question.unknown(set, RecordKind::Application) {
        sheet.unknown(why);
    } else {
        sheet.say(Reason::AccessNotLinked);
    }
}

/// CDN: a filing that no access provider serves any more.
pub(crate) fn empty_shell(question: &Question<'_>, website: &Found, sheet: &mut Sheet<'_>) {
    if stands(website)
        && question
            .unknown(&question.facts.name, RecordKind::Access)
            .is_none()
        && active(question, website).is_empty()
    {
        sheet.say(Reason::EmptyShellRisk);
    }
}

/// Access records of the service that stand now.
fn active<'a>(question: &'a Question<'_>, website: &Found) -> Vec<&'a Access> {
    let Some(service) = &website.service else {
        return Vec::new();
    };
    question
        .facts
        .name
        .accesses
        .iter()
        .map(|fact| &fact.value)
        .filter(|access| {
            access.service_number == service.service_number
                && access.status == AccessStatus::Active
                && access.since.is_none_or(|since| question.reached(since))
        })
        .collect()
}
