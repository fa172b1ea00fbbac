//! What every family needs to know of a question: which filing covers the name, whose it is, and
//! which registration is compared with it.

use jiff::Timestamp;

use crate::codes::{
    ApplicationKind, ApplicationStage, Product, Purpose, RecordKind, ServiceKind, ServiceStatus,
    SubjectEntity, SubjectNature, SubjectStatus,
};
use crate::decision::{Evidence, FactSet, Filing, Horizon, absence};
use crate::domain_name::{self, HostName};
use crate::facts::{Fact, Facts, NameFacts, Why};
use crate::identity::{SealedCertificate, SealedName};
use crate::numbers::SubjectNumber;
use crate::policy::Policy;
use crate::records::{Parent, Person, RecordDomain, Registration, Service, Subject};
use crate::request::{Applicant, Request};

/// A question with what its rules share.
pub(crate) struct Case<'a> {
    pub(crate) policy: &'a Policy,
    pub(crate) request: &'a Request,
    pub(crate) facts: &'a Facts,
    /// The name; `None` where the question is about none, or no record bears on it.
    pub(crate) name: Option<&'a HostName>,
    /// The filing of the kind that the product needs: of a website, but for app backends.
    pub(crate) filing: Coverage<'a>,
    /// For mini-program backends, the filing of the mini program.
    pub(crate) mini_program: Option<Coverage<'a>>,
    /// The party that the rules about subjects look at: the subject of the filing, or before
    /// filing the applicant.
    pub(crate) party: Party<'a>,
    /// The registration that is compared.
    pub(crate) registration: Compared<'a>,
}

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

/// A record and its place among the facts about the name.
pub(crate) struct Entry<'a, T> {
    pub(crate) index: u16,
    pub(crate) fact: &'a Fact<T>,
}

impl<T> Clone for Entry<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Entry<'_, T> {}

impl<T> Entry<'_, T> {
    pub(crate) fn evidence(self, set: FactSet, kind: RecordKind) -> Evidence {
        Evidence {
            set,
            kind,
            index: self.index,
        }
    }
}

/// Who files or has filed.
#[derive(Clone, Copy)]
pub(crate) enum Party<'a> {
    /// Nobody is known to.
    Nobody,
    /// Could not be found out.
    Unknown(RecordKind, Why),
    /// Known.
    Known(Holder<'a>),
}

/// What rules read of a party.
#[derive(Clone, Copy)]
pub(crate) struct Holder<'a> {
    pub(crate) number: Option<SubjectNumber>,
    pub(crate) name: Option<&'a SealedName>,
    pub(crate) nature: SubjectNature,
    pub(crate) entity: SubjectEntity,
    pub(crate) certificate: Option<&'a SealedCertificate>,
    pub(crate) people: &'a [Person],
    pub(crate) parents: &'a [Parent],
    /// GB/T 2260 code of the province whose bureau the filing goes to.
    pub(crate) province: Option<u8>,
    /// The subject record, where there is one.
    pub(crate) evidence: Option<Evidence>,
}

/// The registration of the filed name, or of the registrable name.
#[derive(Clone, Copy)]
pub(crate) enum Compared<'a> {
    /// Not looked at: the question is about no name.
    NotAsked,
    /// Positively none.
    Absent,
    /// Could not be found out.
    Unknown(Why),
    /// Known.
    Known(Entry<'a, Registration>),
}

impl<'a> Case<'a> {
    pub(crate) fn new(
        policy: &'a Policy,
        request: &'a Request,
        facts: &'a Facts,
        horizon: &mut Horizon,
    ) -> Self {
        let name = request.host_name().filter(|_| request.needs_facts());
        let product = request.profile.product;
        let wanted =
            if product == Product::AppBackend && request.profile.purpose != Purpose::PreFiling {
                ServiceKind::App
            } else {
                ServiceKind::Website
            };
        let mut filing = coverage(&facts.name, name, wanted, horizon);
        if filing.state == FilingState::NotFound && wanted == ServiceKind::Website {
            filing = related(&facts.name, name, product).unwrap_or(filing);
        }
        let mini_program = (product == Product::MiniProgramBackend
            && request.profile.purpose != Purpose::PreFiling)
            .then(|| coverage(&facts.name, name, ServiceKind::MiniProgram, horizon));
        let party = if request.profile.purpose == Purpose::PreFiling {
            applicant(request, facts, horizon)
        } else {
            let leading = match &mini_program {
                Some(own) if filing.subject.is_none() => own,
                Some(_) | None => &filing,
            };
            subject(leading)
        };
        let registration = registration(&facts.name, name, filing.at, horizon);
        Self {
            policy,
            request,
            facts,
            name,
            filing,
            mini_program,
            party,
            registration,
        }
    }

    /// Whether the question is whether a name may be filed.
    pub(crate) fn pre_filing(&self) -> bool {
        self.request.profile.purpose == Purpose::PreFiling
    }

    /// The filing that the answer shows: one that names the domain itself, of the kind asked for.
    pub(crate) fn shown_filing(&self) -> Option<Filing> {
        if self.pre_filing() {
            return None;
        }
        let own = |coverage: &Coverage<'_>| {
            let covers = matches!(
                coverage.state,
                FilingState::Filed
                    | FilingState::Restricted
                    | FilingState::Suspended
                    | FilingState::Cancelled
            );
            let service = coverage.service.filter(|_| covers)?;
            let subject = coverage.subject?;
            Some(Filing {
                service: service.index,
                subject: subject.index,
            })
        };
        self.mini_program
            .as_ref()
            .and_then(own)
            .or_else(|| own(&self.filing))
    }

    /// Whether a record's domain is the name or an ancestor of it.
    pub(crate) fn reaches(&self, domain: &RecordDomain) -> bool {
        self.name.is_some_and(|name| lists(name, domain))
    }
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
fn related<'a>(
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

fn subject<'a>(coverage: &Coverage<'a>) -> Party<'a> {
    match (coverage.subject, coverage.state) {
        (Some(subject), _) => Party::Known(holder(subject, FactSet::Name)),
        (None, FilingState::Unknown(kind, why)) => Party::Unknown(kind, why),
        (None, _) => Party::Nobody,
    }
}

fn applicant<'a>(request: &'a Request, facts: &'a Facts, horizon: &mut Horizon) -> Party<'a> {
    if let Some(number) = request.applicant_number() {
        let Some(set) = &facts.applicant else {
            return Party::Nobody;
        };
        let found = set
            .subjects
            .iter()
            .enumerate()
            .find(|(_, fact)| fact.value.subject_number == number);
        return match found {
            Some((index, fact)) => Party::Known(holder(entry(index, fact), FactSet::Applicant)),
            None => match absence(set.entitlement.missing(RecordKind::Subject), horizon) {
                Ok(()) => Party::Nobody,
                Err(why) => Party::Unknown(RecordKind::Subject, why),
            },
        };
    }
    match &request.profile.applicant {
        Some(Applicant::New(applicant)) => Party::Known(Holder {
            number: None,
            name: applicant.name.as_ref(),
            nature: applicant.nature,
            entity: applicant.entity,
            certificate: applicant.certificate.as_ref(),
            people: &applicant.people,
            parents: &[],
            province: applicant.province.map(crate::numbers::Province::code),
            evidence: None,
        }),
        Some(Applicant::Existing(_)) | None => Party::Nobody,
    }
}

fn holder(subject: Entry<'_, Subject>, set: FactSet) -> Holder<'_> {
    let value = &subject.fact.value;
    Holder {
        number: Some(value.subject_number),
        name: Some(&value.name),
        nature: value.nature,
        entity: value.entity,
        certificate: Some(&value.certificate),
        people: &value.people,
        parents: &value.parents,
        province: value
            .subject_number
            .province()
            .map(crate::numbers::Province::code),
        evidence: Some(subject.evidence(set, RecordKind::Subject)),
    }
}

fn registration<'a>(
    facts: &'a NameFacts,
    name: Option<&HostName>,
    filed: Option<&str>,
    horizon: &mut Horizon,
) -> Compared<'a> {
    let Some(name) = name else {
        return Compared::NotAsked;
    };
    let find = |wanted: &str| {
        facts
            .registrations
            .iter()
            .enumerate()
            .find(|(_, fact)| fact.value.domain.ascii() == wanted)
            .map(|(index, fact)| entry(index, fact))
    };
    let found = filed.and_then(find).or_else(|| find(name.registrable()));
    match found {
        Some(found) => Compared::Known(found),
        None => match absence(facts.entitlement.missing(RecordKind::Registration), horizon) {
            Ok(()) => Compared::Absent,
            Err(why) => Compared::Unknown(why),
        },
    }
}

/// Whether a record's domain is the name or an ancestor of it.
fn lists(name: &HostName, domain: &RecordDomain) -> bool {
    let domain = domain.ascii();
    domain.len() >= name.registrable().len() && domain_name::is_under(name.ascii(), domain)
}

pub(crate) fn entry<T>(index: usize, fact: &Fact<T>) -> Entry<'_, T> {
    Entry {
        index: place(index),
        fact,
    }
}

/// Places beyond what an index can hold are told as the last one; facts about one name are few.
pub(crate) fn place(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}
