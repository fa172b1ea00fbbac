//! Whom the rules about subjects are about: the subject of the filing, or the applicant.

use icpgate_policy::codes::{RecordKind, SubjectEntity, SubjectNature};
use icpgate_policy::facts::Why;
use icpgate_policy::identity::{CertificateMatch, SealedCertificate, SealedName, same_certificate};
use icpgate_policy::numbers::{Province, SubjectNumber};
use icpgate_policy::records::{Parent, Person, Subject};
use icpgate_policy::request::Applicant;

use super::Question;
use super::filing::{Found, State, subject_of};

/// Whom the rules about subjects are about.
#[derive(Clone, Debug)]
pub(crate) enum Subjects {
    Known(Box<Who>),
    Nobody,
    Unknown(Why),
}

/// What is known of a subject or applicant.
#[derive(Clone, Debug)]
pub(crate) struct Who {
    pub number: Option<SubjectNumber>,
    pub nature: SubjectNature,
    pub entity: SubjectEntity,
    pub name: Option<SealedName>,
    pub certificate: Option<SealedCertificate>,
    /// GB code of the province whose bureau filed it or will.
    pub province: Option<u8>,
    pub people: Vec<Person>,
    pub parents: Vec<Parent>,
}

impl Who {
    /// Whether it is an organisation.
    pub(crate) fn organisation(&self) -> bool {
        self.nature != SubjectNature::Individual
    }

    /// Whether a certificate is its own, in any form.
    pub(crate) fn holds(&self, certificate: &SealedCertificate) -> bool {
        self.certificate
            .as_ref()
            .is_some_and(|own| is_same(own, certificate))
    }
}

/// The subject of the service behind a state of filing.
pub(crate) fn of_filing(question: &Question<'_>, found: &Found) -> Subjects {
    if let State::Unknown(why) = found.state {
        return Subjects::Unknown(why);
    }
    let subject = found
        .service
        .as_ref()
        .and_then(|service| subject_of(&question.facts.name, service));
    match subject {
        Some(subject) => Subjects::Known(Box::new(of_record(subject))),
        None => Subjects::Nobody,
    }
}

/// Who wants to file.
pub(crate) fn applicant(question: &Question<'_>) -> Subjects {
    if let Some(Applicant::New(applicant)) = &question.request.profile.applicant {
        return Subjects::Known(Box::new(Who {
            number: None,
            nature: applicant.nature,
            entity: applicant.entity,
            name: applicant.name.clone(),
            certificate: applicant.certificate.clone(),
            province: applicant.province.map(Province::code),
            people: applicant.people.clone(),
            parents: Vec::new(),
        }));
    }
    let (Some(number), Some(set)) = (
        question.request.applicant_number(),
        &question.facts.applicant,
    ) else {
        return Subjects::Nobody;
    };
    let record = set
        .subjects
        .iter()
        .map(|fact| &fact.value)
        .find(|one| one.subject_number == number);
    match (record, question.unknown(set, RecordKind::Subject)) {
        (Some(subject), _) => Subjects::Known(Box::new(of_record(subject))),
        (None, Some(why)) => Subjects::Unknown(why),
        (None, None) => Subjects::Nobody,
    }
}

/// Whether the subject of a filing is the applicant.
pub(crate) fn is_applicant(
    question: &Question<'_>,
    applicant: &Subjects,
    subject: &Subject,
) -> bool {
    if question.request.applicant_number() == Some(subject.subject_number) {
        return true;
    }
    match applicant {
        Subjects::Known(who) => who.holds(&subject.certificate),
        Subjects::Nobody | Subjects::Unknown(_) => false,
    }
}

/// Whether two certificates are of one holder.
pub(crate) fn is_same(a: &SealedCertificate, b: &SealedCertificate) -> bool {
    match same_certificate(a, b) {
        CertificateMatch::Same
        | CertificateMatch::SameByOldForm
        | CertificateMatch::SameByOrganisationCode => true,
        CertificateMatch::Different | CertificateMatch::NotComparable => false,
    }
}

fn of_record(subject: &Subject) -> Who {
    Who {
        number: Some(subject.subject_number),
        nature: subject.nature,
        entity: subject.entity,
        name: Some(subject.name.clone()),
        certificate: Some(subject.certificate.clone()),
        province: subject.subject_number.province().map(Province::code),
        people: subject.people.clone(),
        parents: subject.parents.clone(),
    }
}
