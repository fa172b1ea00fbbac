//! Reading of the ten kinds of record.
//!
//! Every field is read before the record is put together, so that all violations are reported at
//! once.

use icpgate_policy::codes::{
    AccessStatus, LicenceStatus, ServiceKind, ServiceStatus, SubjectEntity, SubjectNature,
    SubjectStatus,
};
use icpgate_policy::field::{FieldProblem, Shown, kind_of_letter};
use icpgate_policy::identity::{CertificateKind, Holder};
use icpgate_policy::numbers::{
    LicenceNumber, Mode, Number, PublicSecurityNumber, ServiceNumber, SubjectNumber,
};
use icpgate_policy::records::{
    Access, Application, Approval, ApprovalHolder, Block, BlockTarget, DisplayObservation, Licence,
    Parent, Person, PublicSecurityFiling, Record, RecordDomain, Registration, Service, ShownNumber,
    Subject,
};

use super::fields::{Path, Reading, TEXT_LIMIT, kind_of};
use crate::proto::v1;

const PEOPLE_LIMIT: usize = 200;
const PARENTS_LIMIT: usize = 50;
const DOMAINS_LIMIT: usize = 1000;
const NUMBERS_LIMIT: usize = 100;

/// Most content types, businesses or statuses; the longest of these catalogues has fewer.
const CODES_LIMIT: usize = 100;

/// Longest identifier of a provider, in characters.
const PROVIDER_LIMIT: usize = 64;

/// Longest identifier of an application, in characters.
const APPLICATION_LIMIT: usize = 128;

/// Fields of which a record has one.
const KINDS: &[&str] = &[
    "subject",
    "service",
    "access",
    "application",
    "licence",
    "registration",
    "block",
    "approval",
    "public_security_filing",
    "display_observation",
];

pub(super) fn record(
    reading: &mut Reading<'_>,
    root: &Path<'_>,
    wire: Option<v1::record::Record>,
) -> Option<Record> {
    use v1::record::Record as Wire;
    match wire {
        Some(Wire::Subject(wire)) => {
            subject(reading, &root.field("subject"), &wire).map(Record::Subject)
        }
        Some(Wire::Service(wire)) => {
            service(reading, &root.field("service"), &wire).map(Record::Service)
        }
        Some(Wire::Access(wire)) => {
            access(reading, &root.field("access"), &wire).map(Record::Access)
        }
        Some(Wire::Application(wire)) => {
            application(reading, &root.field("application"), &wire).map(Record::Application)
        }
        Some(Wire::Licence(wire)) => {
            licence(reading, &root.field("licence"), &wire).map(Record::Licence)
        }
        Some(Wire::Registration(wire)) => {
            registration(reading, &root.field("registration"), &wire).map(Record::Registration)
        }
        Some(Wire::Block(wire)) => block(reading, &root.field("block"), &wire).map(Record::Block),
        Some(Wire::Approval(wire)) => {
            approval(reading, &root.field("approval"), &wire).map(Record::Approval)
        }
        Some(Wire::PublicSecurityFiling(wire)) => {
            public_security_filing(reading, &root.field("public_security_filing"), &wire)
                .map(Record::PublicSecurityFiling)
        }
        Some(Wire::DisplayObservation(wire)) => {
            display_observation(reading, &root.field("display_observation"), &wire)
                .map(Record::DisplayObservation)
        }
        None => {
            reading.refuse(
                &root.field("record"),
                FieldProblem::NoneOf { fields: KINDS },
            );
            None
        }
    }
}

fn subject(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Subject) -> Option<Subject> {
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

/// Persons and companies behind an organisation, in the field `people`.
pub(super) fn people(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &[v1::Person],
) -> Option<Vec<Person>> {
    reading.bounded(&at.field("people"), wire, PEOPLE_LIMIT)?;
    all(wire, |index, wire| {
        person(reading, &at.entry("people", index), wire)
    })
}

fn person(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Person) -> Option<Person> {
    let role = reading.code(&at.field("role"), wire.role);
    let holder = Holder::of(kind_of(wire.certificate.as_ref()));
    let name = reading.name_or_none(&at.field("name"), &wire.name, holder);
    let certificate =
        reading.certificate_or_none(&at.field("certificate"), wire.certificate.as_ref());
    Some(Person {
        role: role?,
        name: name?,
        certificate: certificate?,
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

fn service(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Service) -> Option<Service> {
    let number_at = at.field("service_number");
    let service_number = reading.number(&number_at, &wire.service_number, ServiceNumber::parse);
    let subject_at = at.field("subject_number");
    let its_subject = if wire.subject_number.trim().is_empty() {
        Some(())
    } else {
        let subject = reading.number(&subject_at, &wire.subject_number, SubjectNumber::parse);
        match (service_number, subject) {
            (Some(service), Some(subject)) if service.subject() != subject => {
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

fn texts(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    name: &'static str,
    wire: &[String],
) -> Option<Vec<Box<str>>> {
    reading.bounded(&at.field(name), wire, CODES_LIMIT)?;
    all(wire, |index, text| {
        reading
            .text(&at.entry(name, index), text, TEXT_LIMIT)
            .map(Into::into)
    })
}

fn access(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Access) -> Option<Access> {
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

fn application(
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

fn licence(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Licence) -> Option<Licence> {
    let licence_number = reading.number(
        &at.field("licence_number"),
        &wire.licence_number,
        LicenceNumber::parse,
    );
    let holder = licence_holder(kind_of(wire.holder_certificate.as_ref()));
    let holder_name = reading.name_or_none(&at.field("holder_name"), &wire.holder_name, holder);
    let holder_certificate = reading.certificate(
        &at.field("holder_certificate"),
        wire.holder_certificate.as_ref(),
    );
    let businesses = reading
        .bounded(&at.field("businesses"), &wire.businesses, CODES_LIMIT)
        .and_then(|()| {
            all(&wire.businesses, |index, &number| {
                reading.code(&at.entry("businesses", index), number)
            })
        })
        .map(|mut businesses: Vec<_>| {
            drop_repeats(&mut businesses);
            businesses
        });
    let issued_on = reading.day(&at.field("issued_on"), &wire.issued_on);
    let expires_at = at.field("expires_on");
    let expires_on = reading.day(&expires_at, &wire.expires_on);
    let in_order = in_order(reading, &expires_at, "issued_on", issued_on, expires_on);
    let status = reading.code_or(&at.field("status"), wire.status, LicenceStatus::Active);
    in_order?;
    Some(Licence {
        licence_number: licence_number?,
        holder_name: holder_name?,
        holder_certificate: holder_certificate?,
        businesses: businesses?,
        issued_on: issued_on?,
        expires_on: expires_on?,
        status: status?,
    })
}

/// Licences are given to companies (State Council Decree 291, Art. 13), so that a document of
/// no known form is a company's too; only a document of a person says otherwise.
fn licence_holder(kind: Option<CertificateKind>) -> Holder {
    match kind {
        Some(
            CertificateKind::ForeignPermanentResident
            | CertificateKind::HkMacaoPermit
            | CertificateKind::Passport
            | CertificateKind::ResidentId
            | CertificateKind::TaiwanPermit,
        ) => Holder::Person,
        Some(
            CertificateKind::OrganisationCode
            | CertificateKind::Other
            | CertificateKind::UnifiedSocialCreditCode,
        )
        | None => Holder::Organisation,
    }
}

fn registration(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::Registration,
) -> Option<Registration> {
    let domain = reading.domain(&at.field("domain"), &wire.domain);
    let registrar = reading.text(&at.field("registrar"), &wire.registrar, TEXT_LIMIT);
    let redacted = wire
        .registrant
        .as_ref()
        .is_some_and(|registrant| registrant.redacted);
    // What a registry writes in place of a hidden name is no name.
    let registrant = wire
        .registrant
        .as_ref()
        .filter(|registrant| !registrant.redacted);
    let registrant_at = at.field("registrant");
    let (name, certificate) = match registrant {
        Some(registrant) => {
            let wire = registrant.certificate.as_ref();
            let holder = Holder::of(kind_of(wire));
            (
                reading.name_or_none(&registrant_at.field("name"), &registrant.name, holder),
                reading.certificate_or_none(&registrant_at.field("certificate"), wire),
            )
        }
        None => (Some(None), Some(None)),
    };
    let real_name = reading.code_or_none(&at.field("real_name"), wire.real_name);
    let verified_at = reading.instant(
        &at.field("real_name_verified_at"),
        wire.real_name_verified_at,
    );
    let statuses = statuses(reading, at, &wire.statuses);
    let expires_at = reading.instant(&at.field("expires_at"), wire.expires_at);
    Some(Registration {
        domain: domain?,
        registrar: registrar?.into(),
        registrar_approved: wire.registrar_approved,
        registrant_name: name?,
        registrant_certificate: certificate?,
        redacted,
        real_name: real_name?,
        real_name_verified_at: verified_at?,
        in_authority_library: wire.in_authority_library,
        statuses: statuses?,
        expires_at: expires_at?,
    })
}

/// EPP statuses in lower case, in any of the forms in which they are reported: `clientHold`
/// (RFC 5731), `clientHold https://icann.org/epp#clientHold` (whois), `client hold` (RFC 8056).
fn statuses(reading: &mut Reading<'_>, at: &Path<'_>, wire: &[String]) -> Option<Vec<Box<str>>> {
    let mut statuses = texts(reading, at, "statuses", wire)?;
    for status in &mut statuses {
        let words = status
            .split_whitespace()
            .filter(|word| !word.contains("://"));
        *status = words.collect::<String>().to_lowercase().into();
    }
    statuses.retain(|status| !status.is_empty());
    drop_repeats(&mut statuses);
    Some(statuses)
}

fn block(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Block) -> Option<Block> {
    use v1::block::Target;
    let list = reading.code(&at.field("list"), wire.list);
    let target = match &wire.target {
        Some(Target::Domain(text)) => reading
            .domain(&at.field("domain"), text)
            .map(BlockTarget::Domain),
        Some(Target::Certificate(wire)) => reading
            .certificate(&at.field("certificate"), Some(wire))
            .map(BlockTarget::Certificate),
        None => {
            reading.refuse(
                &at.field("target"),
                FieldProblem::NoneOf {
                    fields: &["domain", "certificate"],
                },
            );
            None
        }
    };
    let reason = reading.text(&at.field("reason"), &wire.reason, TEXT_LIMIT);
    let since = reading.instant(&at.field("since"), wire.since);
    let until_at = at.field("until");
    let until = reading.instant(&until_at, wire.until);
    in_order(reading, &until_at, "since", since, until)?;
    Some(Block {
        list: list?,
        target: target?,
        reason: reason?.into(),
        since: since?,
        until: until?,
    })
}

fn approval(reading: &mut Reading<'_>, at: &Path<'_>, wire: &v1::Approval) -> Option<Approval> {
    use v1::approval::Holder as Wire;
    let sector = reading.code(&at.field("sector"), wire.sector);
    let approval_number = reading.key(
        &at.field("approval_number"),
        &wire.approval_number,
        TEXT_LIMIT,
    );
    let holder = match &wire.holder {
        Some(Wire::HolderCertificate(wire)) => reading
            .certificate(&at.field("holder_certificate"), Some(wire))
            .map(ApprovalHolder::Certificate),
        Some(Wire::Domain(text)) => reading
            .domain(&at.field("domain"), text)
            .map(ApprovalHolder::Domain),
        None => {
            reading.refuse(
                &at.field("holder"),
                FieldProblem::NoneOf {
                    fields: &["holder_certificate", "domain"],
                },
            );
            None
        }
    };
    let expires_on = reading.day(&at.field("expires_on"), &wire.expires_on);
    Some(Approval {
        sector: sector?,
        approval_number: approval_number?,
        holder: holder?,
        expires_on: expires_on?,
    })
}

fn public_security_filing(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::PublicSecurityFiling,
) -> Option<PublicSecurityFiling> {
    let number = reading.number(
        &at.field("number"),
        &wire.number,
        PublicSecurityNumber::parse,
    );
    let domain = reading.domain(&at.field("domain"), &wire.domain);
    let filed_on = reading.day(&at.field("filed_on"), &wire.filed_on);
    Some(PublicSecurityFiling {
        number: number?,
        domain: domain?,
        filed_on: filed_on?,
    })
}

fn display_observation(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    wire: &v1::DisplayObservation,
) -> Option<DisplayObservation> {
    let domain = reading.domain(&at.field("domain"), &wire.domain);
    let year = reading.year;
    let numbers = reading
        .bounded(&at.field("numbers"), &wire.numbers, NUMBERS_LIMIT)
        .map(|()| {
            let given = wire.numbers.iter().filter(|text| !text.trim().is_empty());
            given.map(|text| shown_number(text, year)).collect()
        });
    Some(DisplayObservation {
        domain: domain?,
        numbers: numbers?,
        linked: wire.linked,
        takedown: wire.takedown,
    })
}

/// A number as a page shows it; never refused, for what a page shows is a fact.
fn shown_number(text: &str, year: i16) -> ShownNumber {
    let number = Number::parse(text, Mode::Display, year)
        .ok()
        .map(|parsed| parsed.number);
    let subject_or_service = number.and_then(|number| match number.service() {
        Some(service) => Some(ShownNumber::Service(service)),
        None => number.subject().map(ShownNumber::Subject),
    });
    subject_or_service.unwrap_or_else(|| ShownNumber::Unreadable(Shown::new(text).as_str().into()))
}

/// Refuses an end before its start.
#[expect(
    clippy::option_option,
    reason = "the outer one says whether the field was refused"
)]
fn in_order<T: Ord>(
    reading: &mut Reading<'_>,
    at: &Path<'_>,
    start_field: &'static str,
    start: Option<Option<T>>,
    end: Option<Option<T>>,
) -> Option<()> {
    if let (Some(Some(start)), Some(Some(end))) = (start, end)
        && end < start
    {
        reading.refuse(at, FieldProblem::EndBeforeStart { start: start_field });
        return None;
    }
    Some(())
}

/// Reads every entry, also behind one that is refused; `None` if any was.
fn all<W, T>(wire: &[W], mut read: impl FnMut(usize, &W) -> Option<T>) -> Option<Vec<T>> {
    let mut entries = Some(Vec::with_capacity(wire.len()));
    for (index, wire) in wire.iter().enumerate() {
        match (read(index, wire), &mut entries) {
            (Some(entry), Some(entries)) => entries.push(entry),
            (Some(_), None) => {}
            (None, _) => entries = None,
        }
    }
    entries
}

/// Keeps the first of equal entries.
fn drop_repeats<T: Ord + Clone>(entries: &mut Vec<T>) {
    let mut seen = std::collections::BTreeSet::new();
    entries.retain(|entry| seen.insert(entry.clone()));
}
