//! What every family needs to know of a question: which filing covers the name, whose it is, and
//! which registration is compared with it.

use super::coverage::{Coverage, FilingState, coverage, lists, related};
use crate::codes::{Product, Purpose, RecordKind, ServiceKind, SubjectEntity, SubjectNature};
use crate::decision::{Evidence, FactSet, Filing, Horizon, absence};
use crate::domain_name::HostName;
use crate::facts::{Fact, Facts, NameFacts, Why};
use crate::identity::{SealedCertificate, SealedName};
use crate::numbers::SubjectNumber;
use crate::policy::Policy;
use crate::records::{Parent, Person, RecordDomain, Registration, Subject};
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
