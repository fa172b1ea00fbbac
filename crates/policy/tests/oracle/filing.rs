//! The state of filing of a name.

use icpgate_policy::codes::{
    ApplicationKind, ApplicationStage, Product, Reason, RecordKind, ServiceKind, ServiceStatus,
    SubjectStatus,
};
use icpgate_policy::domain_name::{HostName, fold};
use icpgate_policy::facts::{NameFacts, Why};
use icpgate_policy::records::{Service, Subject};

use super::who::{Subjects, is_applicant};
use super::{Question, Sheet};

/// Which filing a product needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Website,
    App,
    MiniProgram,
}

/// State of filing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Filed,
    Restricted,
    Suspended,
    InProgress,
    Cancelled,
    Unknown(Why),
    OtherKind,
    VariantOnly,
    NotFound,
}

/// State of filing, the service behind it and the name at which it was found.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub state: State,
    pub service: Option<Service>,
    pub at: Option<String>,
}

/// The filing that a decision shows, by service number.
pub(crate) type ShownFiling = String;

/// A service with its subject and the state that follows from both.
struct Effective<'a> {
    service: &'a Service,
    force: Force,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Force {
    Full,
    Suspended,
    Cancelled,
}

/// The state of filing of a name for a kind of service.
pub(crate) fn find(
    question: &Question<'_>,
    set: &NameFacts,
    name: &HostName,
    wanted: Wanted,
) -> Found {
    let kind = match wanted {
        Wanted::Website => ServiceKind::Website,
        Wanted::App => ServiceKind::App,
        Wanted::MiniProgram => ServiceKind::MiniProgram,
    };
    let names: Vec<String> = name.candidates().map(str::to_owned).collect();
    let own = covered_names(kind, &names);

    for at in &own {
        let here = listing(set, kind, at);
        let standing: Vec<Effective<'_>> = here
            .into_iter()
            .filter(|one| one.force != Force::Cancelled)
            .collect();
        if let Some(best) = best(&standing) {
            let state = match best.force {
                Force::Full if best.service.access_restricted => State::Restricted,
                Force::Full => State::Filed,
                Force::Suspended | Force::Cancelled => State::Suspended,
            };
            return found(state, best.service, at);
        }
    }
    if in_progress(set, &names) {
        return Found {
            state: State::InProgress,
            service: None,
            at: None,
        };
    }
    for at in &own {
        if let Some(best) = best(&listing(set, kind, at)) {
            return found(State::Cancelled, best.service, at);
        }
    }
    if let Some(why) = unknown(question, set, kind, &own) {
        return Found {
            state: State::Unknown(why),
            service: None,
            at: None,
        };
    }
    if wanted == Wanted::Website {
        // A mini program's own filing does not stand for the website's.
        let mini = question.request.profile.product == Product::MiniProgramBackend;
        for at in names.iter().filter(|_| !mini) {
            let mut others = Vec::new();
            for other in [
                ServiceKind::App,
                ServiceKind::MiniProgram,
                ServiceKind::QuickApp,
            ] {
                if covered_names(other, &names).contains(at) {
                    others.extend(listing(set, other, at));
                }
            }
            others.retain(|one| one.force == Force::Full);
            if let Some(best) = best(&others) {
                return found(State::OtherKind, best.service, at);
            }
        }
        for at in &names {
            let mut twins = effective(set, ServiceKind::Website);
            twins.retain(|one| {
                one.force == Force::Full
                    && one
                        .service
                        .domains
                        .iter()
                        .any(|listed| listed.ascii() != at && fold(listed.ascii()) == fold(at))
            });
            if let Some(best) = best(&twins) {
                // The name itself is filed nowhere.
                return Found {
                    at: None,
                    ..found(State::VariantOnly, best.service, at)
                };
            }
        }
    }
    Found {
        state: State::NotFound,
        service: None,
        at: None,
    }
}

/// The finding about a state of filing.
pub(crate) fn report(found: &Found, wanted: Wanted, sheet: &mut Sheet<'_>) {
    match found.state {
        State::Filed => {}
        State::Restricted => sheet.say(Reason::FilingAccessRestricted),
        State::Suspended => sheet.say(Reason::FilingSuspended),
        State::InProgress => sheet.say(Reason::FilingInProgress),
        State::Cancelled => sheet.say(Reason::FilingCancelled),
        State::Unknown(why) => sheet.unknown(why),
        State::OtherKind => sheet.say(Reason::FilingKindMismatch),
        State::VariantOnly => sheet.say(Reason::FilingVariantOnly),
        State::NotFound => sheet.say(match wanted {
            Wanted::Website => Reason::FilingNotFound,
            Wanted::App => Reason::AppNotFiled,
            Wanted::MiniProgram => Reason::MiniProgramNotFiled,
        }),
    }
}

/// The filing that the decision shows: the one that covers the name, in force or not any more.
pub(crate) fn shown(found: &Found) -> Option<ShownFiling> {
    if !stands(found) && found.state != State::Cancelled {
        return None;
    }
    found
        .service
        .as_ref()
        .map(|service| service.service_number.as_str().to_owned())
}

/// Before filing: whether somebody else has filed the name.
pub(crate) fn filed_by_another(
    question: &Question<'_>,
    applicant: &Subjects,
    sheet: &mut Sheet<'_>,
) {
    let Some(name) = question.request.host_name() else {
        return;
    };
    let set = &question.facts.name;
    let mut names = question.candidates();
    if name.is_government() {
        names.truncate(1);
    }
    let mut any = false;
    for at in &names {
        for one in listing(set, ServiceKind::Website, at) {
            if one.force == Force::Cancelled {
                continue;
            }
            any = true;
            if let Some(subject) = subject_of(set, one.service)
                && !is_applicant(question, applicant, subject)
            {
                match applicant {
                    // It may be the same under another number.
                    Subjects::Unknown(why) => sheet.unknown(*why),
                    Subjects::Known(_) | Subjects::Nobody => {
                        sheet.say(Reason::FiledByAnotherSubject);
                    }
                }
            }
        }
    }
    if !any && let Some(why) = unknown(question, set, ServiceKind::Website, &names) {
        sheet.unknown(why);
    }
}

/// The subject record of a service.
pub(crate) fn subject_of<'a>(set: &'a NameFacts, service: &Service) -> Option<&'a Subject> {
    set.subjects
        .iter()
        .map(|fact| &fact.value)
        .find(|subject| subject.subject_number == service.service_number.subject())
}

/// Whether a not-cancelled service of the wanted kind was found.
pub(crate) fn stands(found: &Found) -> bool {
    matches!(
        found.state,
        State::Filed | State::Restricted | State::Suspended
    )
}

fn found(state: State, service: &Service, at: &str) -> Found {
    Found {
        state,
        service: Some(service.clone()),
        at: Some(at.to_owned()),
    }
}

/// Apps are filed name by name, everything else from a name downwards.
fn covered_names(kind: ServiceKind, names: &[String]) -> Vec<String> {
    match kind {
        ServiceKind::Website | ServiceKind::MiniProgram => names.to_vec(),
        ServiceKind::App | ServiceKind::QuickApp => names.iter().take(1).cloned().collect(),
    }
}

fn effective(set: &NameFacts, kind: ServiceKind) -> Vec<Effective<'_>> {
    let mut all = Vec::new();
    for fact in &set.services {
        let service = &fact.value;
        if service.kind != kind {
            continue;
        }
        let Some(subject) = subject_of(set, service) else {
            continue;
        };
        let cancelled = service.status == ServiceStatus::Cancelled
            || subject.status == SubjectStatus::Cancelled;
        let suspended = service.status == ServiceStatus::Suspended
            || subject.status == SubjectStatus::Suspended;
        let force = if cancelled {
            Force::Cancelled
        } else if suspended {
            Force::Suspended
        } else {
            Force::Full
        };
        all.push(Effective { service, force });
    }
    all
}

fn listing<'a>(set: &'a NameFacts, kind: ServiceKind, at: &str) -> Vec<Effective<'a>> {
    let mut here = effective(set, kind);
    here.retain(|one| {
        one.service
            .domains
            .iter()
            .any(|listed| listed.ascii() == at)
    });
    here
}

/// In force first, then the latest approval, then the greater number.
fn best<'a, 'b>(services: &'b [Effective<'a>]) -> Option<&'b Effective<'a>> {
    services.iter().max_by_key(|one| {
        (
            one.force == Force::Full,
            one.service.approved_at,
            one.service.service_number.as_str().to_owned(),
        )
    })
}

fn in_progress(set: &NameFacts, names: &[String]) -> bool {
    set.applications
        .iter()
        .map(|fact| &fact.value)
        .any(|application| {
            matches!(
                application.kind,
                ApplicationKind::FirstFiling | ApplicationKind::NewService
            ) && matches!(
                application.stage,
                ApplicationStage::Submitted
                    | ApplicationStage::ProviderReviewPassed
                    | ApplicationStage::AuthorityReview
            ) && names.iter().any(|name| name == application.domain.ascii())
        })
}

/// Why the absence of a filing is not known: services may be missing, or the subject of one that
/// lists the name.
fn unknown(
    question: &Question<'_>,
    set: &NameFacts,
    kind: ServiceKind,
    names: &[String],
) -> Option<Why> {
    if let Some(why) = question.unknown(set, RecordKind::Service) {
        return Some(why);
    }
    let orphaned = set.services.iter().map(|fact| &fact.value).any(|service| {
        service.kind == kind
            && subject_of(set, service).is_none()
            && service
                .domains
                .iter()
                .any(|listed| names.iter().any(|name| name == listed.ascii()))
    });
    if orphaned {
        question.unknown(set, RecordKind::Subject)
    } else {
        None
    }
}
