//! Reading of what the filing system knows: subjects, services, access links, applications.

use icpgate_policy::codes::{
    AccessStatus, ServiceKind, ServiceStatus, SubjectEntity, SubjectNature, SubjectStatus,
};
use icpgate_policy::field::{FieldProblem, kind_of_letter};
use icpgate_policy::identity::Holder;
use icpgate_policy::numbers::{ServiceNumber, SubjectNumber};
use icpgate_policy::records::{Access, Application, Parent, RecordDomain, Service, Subject};

use super::{all, drop_repeats, people, texts};
use crate::intake::fields::{Path, Reading, TEXT_LIMIT};
use crate::proto::v1;

const PARENTS_LIMIT: usize = 50;
const DOMAINS_LIMIT: usize = 1000;

/// Longest identifier of a provider, in characters.
const PROVIDER_LIMIT: usize = 64;

/// Longest identifier of an application, in characters.
const APPLICATION_LIMIT: usize = 128;

pub(super) fn subject(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Subject,
) -> Option<Subject> {
    let subject_number = reading.number(
        &at.field("subject_number"),
        &wire.subject_number,
        SubjectNumber::parse,
    );
    let nature: Option<SubjectNature> = reading.code(&at.field("nature"), wire.nature);
    let holder = match nature {
        Some(
            SubjectNature::Enterprise
            | SubjectNature::Government
            | SubjectNature::PublicInstitution
            | SubjectNature::SocialOrganisation,
        ) => Holder::Organisation,
        Some(SubjectNature::Individual) | None => Holder::Person,
    };
    let name = reading.name(&at.field("name"), &wire.name, holder);
    let entity = reading.code_or(&at.field("entity"), wire.entity, SubjectEntity::Domestic);
    let certificate = reading.certificate(&at.field("certificate"), wire.certificate.as_ref());
    let status = reading.code_or(&at.field("status"), wire.status, SubjectStatus::Active);
    let people = people(reading, at, &wire.people);
    let parents = parents(reading, at, &wire.parents);
    Some(Subject {
        subject_number: subject_number?,
        name: name?,
        nature: nature?,
        entity: entity?,
        certificate: certificate?,
        status: status?,
        people: people?,
        parents: parents?,
    })
}

fn parents(reading: &mut Reading<'_>, at: &Path<'_>, wire: &[v1::Parent]) -> Option<Vec<Parent>> {
    reading.bounded(&at.field("parents"), wire, PARENTS_LIMIT)?;
    all(wire, |index, wire| {
        let at = at.entry("parents", index);
        let certificate = reading.certificate(&at.field("certificate"), wire.certificate.as_ref());
        let share = share(reading, &at.field("share_percent"), wire.share_percent);
        Some(Parent {
            certificate: certificate?,
            share_basis_points: share?,
        })
    })
}

/// A share of 0 to 100 percent, in hundredths of a percent.
fn share(reading: &mut Reading<'_>, at: &Path<'_>, percent: f64) -> Option<u16> {
    if !(0.0..=100.0).contains(&percent) {
        reading.refuse(at, FieldProblem::Share { found: percent });
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 10000, as just checked"
    )]
    let basis_points = (percent * 100.0).round() as u16;
    Some(basis_points)
}

pub(super) fn service(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Service,
) -> Option<Service> {
    let number_at = at.field("service_number");
    let service_number = reading.number(&number_at, &wire.service_number, ServiceNumber::parse);
    let subject_at = at.field("subject_number");
    let its_subject = if wire.subject_number.trim().is_empty() {
        Some(())
    } else {
        let subject = reading.number(&subject_at, &wire.subject_number, SubjectNumber::parse);
        match (service_number, subject) {
            (Some(service), Some(subject)) if service.subject() != subject => {
                let (service, subject) = (Box::new(service), Box::new(subject));
                let problem = FieldProblem::NotItsSubject { service, subject };
                reading.refuse(&subject_at, problem);
                None
            }
            (_, subject) => subject.map(|_| ()),
        }
    };
    let kind = reading.code(&at.field("kind"), wire.kind);
    let letter_fits = fitting_letter(reading, &number_at, service_number, kind);
    let name = reading.text(&at.field("name"), &wire.name, TEXT_LIMIT);
    let domains = domains(reading, at, &wire.domains);
    let content_types = texts(reading, at, "content_types", &wire.content_types);
    let status = reading.code_or(&at.field("status"), wire.status, ServiceStatus::Active);
    let approved_at = reading.instant(&at.field("approved_at"), wire.approved_at);
    its_subject?;
    letter_fits?;
    Some(Service {
        service_number: service_number?,
        kind: kind?,
        name: name?.into(),
        domains: domains?,
        content_types: content_types?,
        status: status?,
        access_restricted: wire.access_restricted,
        approved_at: approved_at?,
    })
}

fn fitting_letter(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    number: Option<ServiceNumber>,
    kind: Option<ServiceKind>,
) -> Option<()> {
    let (number, kind) = number.zip(kind)?;
    let letter = kind_of_letter(number.letter());
    if letter != kind {
        let number = Box::new(number);
        reading.refuse(
            at,
            FieldProblem::LetterNotKind {
                number,
                letter,
                kind,
            },
        );
        return None;
    }
    Some(())
}

fn domains(reading: &mut Reading<'_>, at: &Path<'_>, wire: &[String]) -> Option<Vec<RecordDomain>> {
    reading.bounded(&at.field("domains"), wire, DOMAINS_LIMIT)?;
    let mut domains = all(wire, |index, text| {
        reading.domain(&at.entry("domains", index), text)
    })?;
    drop_repeats(&mut domains);
    Some(domains)
}

pub(super) fn access(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Access,
) -> Option<Access> {
    let service_number = reading.number(
        &at.field("service_number"),
        &wire.service_number,
        ServiceNumber::parse,
    );
    let provider_id = reading.key(&at.field("provider_id"), &wire.provider_id, PROVIDER_LIMIT);
    let status = reading.code_or(&at.field("status"), wire.status, AccessStatus::Active);
    let since = reading.instant(&at.field("since"), wire.since);
    Some(Access {
        service_number: service_number?,
        provider_id: provider_id?,
        status: status?,
        since: since?,
    })
}

pub(super) fn application(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Application,
) -> Option<Application> {
    let application_id = reading.key(
        &at.field("application_id"),
        &wire.application_id,
        APPLICATION_LIMIT,
    );
    let domain = reading.domain(&at.field("domain"), &wire.domain);
    let kind = reading.code(&at.field("kind"), wire.kind);
    let provider_id = if wire.provider_id.trim().is_empty() {
        Some("".into())
    } else {
        reading.key(&at.field("provider_id"), &wire.provider_id, PROVIDER_LIMIT)
    };
    let stage = reading.code(&at.field("stage"), wire.stage);
    let passed_at = reading.instant(
        &at.field("provider_review_passed_at"),
        wire.provider_review_passed_at,
    );
    Some(Application {
        application_id: application_id?,
        domain: domain?,
        kind: kind?,
        provider_id: provider_id?,
        stage: stage?,
        provider_review_passed_at: passed_at?,
    })
}
