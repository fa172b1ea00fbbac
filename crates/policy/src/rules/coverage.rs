//! Which filing covers a name, and in which state it is.

use jiff::Timestamp;

use super::case::{Entry, entry, place};
use crate::codes::{
    ApplicationKind, ApplicationStage, Product, RecordKind, ServiceKind, ServiceStatus,
    SubjectStatus,
};
use crate::decision::{Evidence, FactSet, Horizon, absence};
use crate::domain_name::{self, HostName};
use crate::facts::{Fact, NameFacts, Why};
use crate::records::{RecordDomain, Service, Subject};

/// How a name stands with the filings of one kind of service.
#[derive(Clone, Copy)]
pub(crate) struct Coverage<'a> {
    pub(crate) state: FilingState,
    /// The service that the state is about.
    pub(crate) service: Option<Entry<'a, Service>>,
    /// Its subject.
    pub(crate) subject: Option<Entry<'a, Subject>>,
    /// The name at which the service was found.
    pub(crate) at: Option<&'a str>,
    /// The application that the state is about.
    pub(crate) application: Option<Evidence>,
}

/// State of a filing; one state, one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FilingState {
    /// Not looked at: the question is about no name.
    NotAsked,
    /// In force.
    Filed,
    /// In force, with the authority's access restriction.
    Restricted,
    /// Suspended.
    Suspended,
    /// Under review, no number yet.
    InProgress,
    /// Cancelled.
    Cancelled,
    /// Could not be found out.
    Unknown(RecordKind, Why),
    /// Only a service of another kind covers the name.
    OtherKind,
    /// Only the script twin is filed.
    VariantOnly,
    /// Positively none.
    NotFound,
}

impl Coverage<'_> {
    /// Whether a filing that is not cancelled covers the name itself.
    pub(crate) const fn standing(&self) -> bool {
        matches!(
            self.state,
            FilingState::Filed | FilingState::Restricted | FilingState::Suspended
        )
    }

    /// Service and subject as evidence about the name.
    pub(crate) fn evidence(&self) -> arrayvec::ArrayVec<Evidence, 3> {
        let mut evidence = arrayvec::ArrayVec::new();
        if let Some(service) = self.service {
            evidence.push(service.evidence(FactSet::Name, RecordKind::Service));
        }
        if let Some(subject) = self.subject {
            evidence.push(subject.evidence(FactSet::Name, RecordKind::Subject));
        }
        if let Some(application) = self.application {
            evidence.push(application);
        }
        evidence
    }
}

/// Finds the filing of one kind that covers a name.
///
/// A website filing covers the filed name and everything under it; the first filed name from the
/// exact one upwards counts, so that bodies under a government suffix, which file by themselves,
/// come before their parents. An app filing covers exact names; a mini program's domains cover
/// what is under them.
pub(crate) fn coverage<'a>(
    facts: &'a NameFacts,
    name: Option<&'a HostName>,
    wanted: ServiceKind,
    horizon: &mut Horizon,
) -> Coverage<'a> {
    let mut none = Coverage {
        state: FilingState::NotAsked,
        service: None,
        subject: None,
        at: None,
        application: None,
    };
    let Some(name) = name else { return none };
    let mut unknown = None;
    let mut cancelled = None;
    for candidate in name.candidates() {
        let found = pick(facts, name, candidate, wanted, horizon, &mut unknown);
        if let Some(standing) = found.standing {
            return standing;
        }
        cancelled = cancelled.or(found.cancelled);
    }
    if let Some(index) = application(facts, name) {
        none.state = FilingState::InProgress;
        none.application = Some(Evidence {
            set: FactSet::Name,
            kind: RecordKind::Application,
            index,
        });
        return none;
    }
    if let Some(cancelled) = cancelled {
        return cancelled;
    }
    if unknown.is_none()
        && let Err(why) = absence(facts.entitlement.missing(RecordKind::Service), horizon)
    {
        unknown = Some((RecordKind::Service, why));
    }
    if let Some((kind, why)) = unknown {
        none.state = FilingState::Unknown(kind, why);
        return none;
    }
    none.state = FilingState::NotFound;
    none
}

#[derive(Default)]
struct Picked<'a> {
    standing: Option<Coverage<'a>>,
    cancelled: Option<Coverage<'a>>,
}

/// The best service of a kind that lists one candidate name.
fn pick<'a>(
    facts: &'a NameFacts,
    name: &HostName,
    candidate: &'a str,
    wanted: ServiceKind,
    horizon: &mut Horizon,
    unknown: &mut Option<(RecordKind, Why)>,
) -> Picked<'a> {
    let mut picked = Picked::default();
    if candidate != name.ascii() && !covers_below(wanted) {
        return picked;
    }
    let mut standing_rank = None;
    let mut cancelled_rank = None;
    for (index, fact) in facts.services.iter().enumerate() {
        let service = &fact.value;
        if service.kind != wanted
            || !service
                .domains
                .iter()
                .any(|domain| domain.ascii() == candidate)
        {
            continue;
        }
        let Some(subject) = subject_of(facts, service) else {
            // Not effective before its subject is there, unless the subject may be there unseen.
            if let Err(why) = absence(facts.entitlement.missing(RecordKind::Subject), horizon) {
                unknown.get_or_insert((RecordKind::Subject, why));
            }
            continue;
        };
        let state = state_of(service, &subject.fact.value);
        let in_force = matches!(state, FilingState::Filed | FilingState::Restricted);
        let rank = Rank {
            in_force,
            ..Rank::of(fact)
        };
        let (best, coverage) = if state == FilingState::Cancelled {
            (&mut cancelled_rank, &mut picked.cancelled)
        } else {
            (&mut standing_rank, &mut picked.standing)
        };
        if best.as_ref().is_none_or(|best| *best < rank) {
            *best = Some(rank);
            *coverage = Some(Coverage {
                state,
                service: Some(entry(index, fact)),
                subject: Some(subject),
                at: Some(candidate),
                application: None,
            });
        }
    }
    picked
}

/// Order of services that list one name; the order of the fields is the priority.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Rank<'a> {
    in_force: bool,
    approved_at: Option<Timestamp>,
    number: &'a str,
}

impl<'a> Rank<'a> {
    fn of(fact: &'a Fact<Service>) -> Self {
        let approved_at = fact.value.approved_at;
        Self {
            in_force: true,
            approved_at,
            number: fact.value.service_number.as_str(),
        }
    }
}

pub(crate) fn state_of(service: &Service, subject: &Subject) -> FilingState {
    match (service.status, subject.status) {
        (ServiceStatus::Cancelled, _) | (_, SubjectStatus::Cancelled) => FilingState::Cancelled,
        (ServiceStatus::Suspended, _) | (_, SubjectStatus::Suspended) => FilingState::Suspended,
        (ServiceStatus::Active | ServiceStatus::Changing, SubjectStatus::Active) => {
            if service.access_restricted {
                FilingState::Restricted
            } else {
                FilingState::Filed
            }
        }
    }
}

const fn covers_below(kind: ServiceKind) -> bool {
    matches!(kind, ServiceKind::Website | ServiceKind::MiniProgram)
}

pub(crate) fn subject_of<'a>(
    facts: &'a NameFacts,
    service: &Service,
) -> Option<Entry<'a, Subject>> {
    let number = service.service_number.subject();
    facts
        .subjects
        .iter()
        .enumerate()
        .find(|(_, fact)| fact.value.subject_number == number)
        .map(|(index, fact)| entry(index, fact))
}

/// A first filing or new site under review for the name or an ancestor of it.
fn application(facts: &NameFacts, name: &HostName) -> Option<u16> {
    facts
        .applications
        .iter()
        .position(|fact| {
            let application = &fact.value;
            matches!(
                application.kind,
                ApplicationKind::FirstFiling | ApplicationKind::NewService
            ) && matches!(
                application.stage,
                ApplicationStage::Submitted
                    | ApplicationStage::ProviderReviewPassed
                    | ApplicationStage::AuthorityReview
            ) && lists(name, &application.domain)
        })
        .map(place)
}

/// What comes near a filing of the website: a service of another kind, or the script twin. The
/// backend of a mini program needs the website's filing beside its own, which cannot stand for it.
pub(super) fn related<'a>(
    facts: &'a NameFacts,
    name: Option<&'a HostName>,
    product: Product,
) -> Option<Coverage<'a>> {
    let name = name?;
    let other = match product {
        Product::MiniProgramBackend => None,
        Product::Cdn
        | Product::Hosting
        | Product::ReverseProxy
        | Product::AppBackend
        | Product::DnsOnly => other_kind(facts, name),
    };
    other.or_else(|| variant(facts, name))
}

/// A service of another kind that covers the name and is in force.
fn other_kind<'a>(facts: &'a NameFacts, name: &'a HostName) -> Option<Coverage<'a>> {
    name.candidates().find_map(|candidate| {
        let covers = |service: &Service| {
            let reaches = match service.kind {
                ServiceKind::Website => false,
                ServiceKind::App | ServiceKind::QuickApp => candidate == name.ascii(),
                ServiceKind::MiniProgram => true,
            };
            reaches
                && service
                    .domains
                    .iter()
                    .any(|domain| domain.ascii() == candidate)
        };
        let found = best_in_force(facts, FilingState::OtherKind, covers)?;
        Some(Coverage {
            at: Some(candidate),
            ..found
        })
    })
}

/// A website filing in force of the name's script twin.
fn variant<'a>(facts: &'a NameFacts, name: &'a HostName) -> Option<Coverage<'a>> {
    name.candidates().find_map(|candidate| {
        let fold = domain_name::fold(candidate);
        best_in_force(facts, FilingState::VariantOnly, |service| {
            service.kind == ServiceKind::Website
                && service
                    .domains
                    .iter()
                    .any(|domain| domain.ascii() != candidate && domain.fold() == &*fold)
        })
    })
}

/// The best of the services in force that `covers` takes, told with a state of its own.
fn best_in_force(
    facts: &NameFacts,
    state: FilingState,
    covers: impl Fn(&Service) -> bool,
) -> Option<Coverage<'_>> {
    let found = facts
        .services
        .iter()
        .enumerate()
        .filter(|(_, fact)| covers(&fact.value));
    let in_force = found.filter_map(|(index, fact)| {
        let subject = subject_of(facts, &fact.value)?;
        match state_of(&fact.value, &subject.fact.value) {
            FilingState::Filed | FilingState::Restricted => Some((entry(index, fact), subject)),
            FilingState::NotAsked
            | FilingState::Suspended
            | FilingState::InProgress
            | FilingState::Cancelled
            | FilingState::Unknown(..)
            | FilingState::OtherKind
            | FilingState::VariantOnly
            | FilingState::NotFound => None,
        }
    });
    let (service, subject) =
        in_force.max_by(|(a, _), (b, _)| Rank::of(a.fact).cmp(&Rank::of(b.fact)))?;
    let (service, subject) = (Some(service), Some(subject));
    Some(Coverage {
        state,
        service,
        subject,
        at: None,
        application: None,
    })
}

/// Whether a record's domain is the name or an ancestor of it.
pub(super) fn lists(name: &HostName, domain: &RecordDomain) -> bool {
    let domain = domain.ascii();
    domain.len() >= name.registrable().len() && domain_name::is_under(name.ascii(), domain)
}
