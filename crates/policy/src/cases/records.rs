//! Records of a case file, under the field names of the import format.

use toml::Table;

use super::fields::Fields;
use super::{CaseProblem, GivenRecord};
use crate::codes::{
    AccessStatus, ApplicationKind, ApplicationStage, BlockList, LicenceStatus, PersonRole,
    RealName, RecordKind, Sector, ServiceKind, ServiceStatus, SubjectEntity, SubjectNature,
    SubjectStatus, TelecomBusiness,
};
use crate::identity::{
    Certificate, CertificateKind, CheckDigits, Holder, Name, SealedCertificate, SealedName,
};
use crate::numbers::{
    LicenceNumber, Mode, Number, PublicSecurityNumber, ServiceLetter, ServiceNumber, SubjectNumber,
};
use crate::records::{
    Access, Application, Approval, ApprovalHolder, Block, BlockTarget, DisplayObservation, Licence,
    Parent, Person, PublicSecurityFiling, Record, Registration, Service, ShownNumber, Subject,
};

/// Years of numbers in records are not held against the moment of a case: a record stands.
pub(super) const ANY_YEAR: i16 = i16::MAX;

const CERTIFICATE_KINDS: &[CertificateKind] = &[
    CertificateKind::UnifiedSocialCreditCode,
    CertificateKind::OrganisationCode,
    CertificateKind::ResidentId,
    CertificateKind::Passport,
    CertificateKind::HkMacaoPermit,
    CertificateKind::TaiwanPermit,
    CertificateKind::ForeignPermanentResident,
    CertificateKind::Other,
];

type Read<'t, 'c, 'x> = Fields<'t, 'c, 'x>;

/// Reads a record of a kind.
pub(super) fn record(kind: RecordKind, fields: &mut Read<'_, '_, '_>) -> Option<GivenRecord> {
    let observed_at = fields.instant("observed_at");
    let record = match kind {
        RecordKind::Subject => subject(fields).map(Record::Subject),
        RecordKind::Service => service(fields).map(Record::Service),
        RecordKind::Access => access(fields).map(Record::Access),
        RecordKind::Application => application(fields).map(Record::Application),
        RecordKind::Licence => licence(fields).map(Record::Licence),
        RecordKind::Registration => registration(fields).map(Record::Registration),
        RecordKind::Block => block(fields).map(Record::Block),
        RecordKind::Approval => approval(fields).map(Record::Approval),
        RecordKind::PublicSecurityFiling => {
            public_security_filing(fields).map(Record::PublicSecurityFiling)
        }
        RecordKind::DisplayObservation => {
            display_observation(fields).map(Record::DisplayObservation)
        }
    }?;
    Some(GivenRecord {
        record,
        observed_at,
    })
}

/// Whether two tables describe the record of one key.
pub(super) fn same_key(kind: RecordKind, one: &Table, other: &Table) -> bool {
    let keys: &[&str] = match kind {
        RecordKind::Subject => &["subject_number"],
        RecordKind::Service => &["service_number"],
        RecordKind::Access => &["service_number", "provider_id"],
        RecordKind::Application => &["application_id"],
        RecordKind::Licence => &["licence_number"],
        RecordKind::Registration | RecordKind::DisplayObservation => &["domain"],
        RecordKind::Block => &["list", "domain", "certificate"],
        RecordKind::Approval => &["sector", "approval_number"],
        RecordKind::PublicSecurityFiling => &["number"],
    };
    keys.iter().all(|key| one.get(*key) == other.get(*key))
}

/// A certificate: `{ kind = "…", number = "…" }`.
pub(super) fn certificate(fields: &mut Read<'_, '_, '_>) -> Option<SealedCertificate> {
    fields.require(&["kind", "number"]);
    let kind = fields.code("kind", CERTIFICATE_KINDS, certificate_kind_code);
    let kind = kind.unwrap_or(CertificateKind::Other);
    let certificate = fields.parsed("number", |number| {
        Certificate::parse(kind, number, CheckDigits::Refuse).map_err(CaseProblem::Certificate)
    })?;
    Some(fields.context.sealer.seal_certificate(&certificate))
}

/// A name, shown as its holder demands.
pub(super) fn name(
    fields: &mut Read<'_, '_, '_>,
    key: &'static str,
    holder: Holder,
) -> Option<SealedName> {
    let name = fields.parsed(key, |name| Name::parse(name).map_err(CaseProblem::Name))?;
    Some(fields.context.sealer.seal_name(&name, holder))
}

/// Somebody with a role in an organisation.
pub(super) fn person(fields: &mut Read<'_, '_, '_>) -> Option<Person> {
    fields.require(&["role"]);
    let role = fields.code("role", PersonRole::ALL, PersonRole::as_str);
    let certificate = fields.table("certificate", certificate).flatten();
    let holder = Holder::of(certificate.as_ref().map(|certificate| certificate.kind));
    let name = name(fields, "name", holder);
    Some(Person {
        role: role?,
        name,
        certificate,
    })
}

/// Whose names are public.
pub(super) const fn holder_of(nature: SubjectNature) -> Holder {
    match nature {
        SubjectNature::Individual => Holder::Person,
        SubjectNature::Enterprise
        | SubjectNature::Government
        | SubjectNature::PublicInstitution
        | SubjectNature::SocialOrganisation => Holder::Organisation,
    }
}

pub(super) fn subject_number(
    fields: &mut Read<'_, '_, '_>,
    key: &'static str,
) -> Option<SubjectNumber> {
    fields.parsed(key, |text| {
        SubjectNumber::parse(text, ANY_YEAR).map_err(|error| CaseProblem::Number(Box::new(error)))
    })
}

fn subject(fields: &mut Read<'_, '_, '_>) -> Option<Subject> {
    fields.require(&["subject_number", "name", "nature", "certificate"]);
    let subject_number = subject_number(fields, "subject_number");
    let nature = fields.code("nature", SubjectNature::ALL, SubjectNature::as_str);
    let entity = fields.code("entity", SubjectEntity::ALL, SubjectEntity::as_str);
    let holder = holder_of(nature.unwrap_or(SubjectNature::Individual));
    let name = name(fields, "name", holder);
    let certificate = fields.table("certificate", certificate).flatten();
    let status = fields.code("status", SubjectStatus::ALL, SubjectStatus::as_str);
    let people = fields.tables("people", person);
    let parents = fields.tables("parents", parent);
    Some(Subject {
        subject_number: subject_number?,
        name: name?,
        nature: nature?,
        entity: entity.unwrap_or(SubjectEntity::Domestic),
        certificate: certificate?,
        status: status.unwrap_or(SubjectStatus::Active),
        people,
        parents,
    })
}

fn parent(fields: &mut Read<'_, '_, '_>) -> Option<Parent> {
    fields.require(&["certificate", "share_percent"]);
    let certificate = fields.table("certificate", certificate).flatten();
    let share = fields.share("share_percent");
    Some(Parent {
        certificate: certificate?,
        share_basis_points: share?,
    })
}

fn service_number(fields: &mut Read<'_, '_, '_>) -> Option<ServiceNumber> {
    fields.parsed("service_number", |text| {
        ServiceNumber::parse(text, ANY_YEAR).map_err(|error| CaseProblem::Number(Box::new(error)))
    })
}

fn service(fields: &mut Read<'_, '_, '_>) -> Option<Service> {
    fields.require(&["service_number", "domains"]);
    let service_number = service_number(fields);
    let of_letter = service_number.map(|number| match number.letter() {
        None => ServiceKind::Website,
        Some(ServiceLetter::App) => ServiceKind::App,
        Some(ServiceLetter::MiniProgram) => ServiceKind::MiniProgram,
        Some(ServiceLetter::QuickApp) => ServiceKind::QuickApp,
    });
    let kind = fields.code("kind", ServiceKind::ALL, ServiceKind::as_str);
    if kind.is_some_and(|kind| of_letter.is_some_and(|of_letter| of_letter != kind)) {
        fields.error("kind", CaseProblem::OtherKind);
    }
    let subject = subject_number(fields, "subject_number");
    if subject.is_some_and(|subject| service_number.is_some_and(|n| n.subject() != subject)) {
        fields.error("subject_number", CaseProblem::OtherSubject);
    }
    let name = fields.text("name").unwrap_or_default().into();
    let domains = fields.domains("domains");
    let content_types = fields.texts("content_types");
    let status = fields.code("status", ServiceStatus::ALL, ServiceStatus::as_str);
    let access_restricted = fields.flag("access_restricted").unwrap_or_default();
    let approved_at = fields.instant("approved_at");
    Some(Service {
        service_number: service_number?,
        kind: of_letter?,
        name,
        domains,
        content_types: content_types.into_iter().map(Into::into).collect(),
        status: status.unwrap_or(ServiceStatus::Active),
        access_restricted,
        approved_at,
    })
}

fn access(fields: &mut Read<'_, '_, '_>) -> Option<Access> {
    fields.require(&["service_number", "provider_id"]);
    let service_number = service_number(fields);
    let provider_id = fields.text("provider_id");
    let status = fields.code("status", AccessStatus::ALL, AccessStatus::as_str);
    let since = fields.instant("since");
    Some(Access {
        service_number: service_number?,
        provider_id: provider_id?.into(),
        status: status.unwrap_or(AccessStatus::Active),
        since,
    })
}

fn application(fields: &mut Read<'_, '_, '_>) -> Option<Application> {
    fields.require(&["application_id", "domain", "kind", "stage"]);
    let application_id = fields.text("application_id");
    let domain = fields.domain("domain");
    let kind = fields.code("kind", ApplicationKind::ALL, ApplicationKind::as_str);
    let provider_id = fields.text("provider_id").unwrap_or_default().into();
    let stage = fields.code("stage", ApplicationStage::ALL, ApplicationStage::as_str);
    let provider_review_passed_at = fields.instant("provider_review_passed_at");
    Some(Application {
        application_id: application_id?.into(),
        domain: domain?,
        kind: kind?,
        provider_id,
        stage: stage?,
        provider_review_passed_at,
    })
}

fn licence(fields: &mut Read<'_, '_, '_>) -> Option<Licence> {
    fields.require(&["licence_number", "holder_certificate"]);
    let licence_number = fields.parsed("licence_number", |text| {
        LicenceNumber::parse(text, ANY_YEAR).map_err(|error| CaseProblem::Number(Box::new(error)))
    });
    let holder_name = name(fields, "holder_name", Holder::Organisation);
    let holder_certificate = fields.table("holder_certificate", certificate).flatten();
    let businesses = fields.codes("businesses", TelecomBusiness::ALL, TelecomBusiness::as_str);
    let issued_on = fields.day("issued_on");
    let expires_on = fields.day("expires_on");
    let status = fields.code("status", LicenceStatus::ALL, LicenceStatus::as_str);
    Some(Licence {
        licence_number: licence_number?,
        holder_name,
        holder_certificate: holder_certificate?,
        businesses,
        issued_on,
        expires_on,
        status: status.unwrap_or(LicenceStatus::Active),
    })
}

fn registration(fields: &mut Read<'_, '_, '_>) -> Option<Registration> {
    fields.require(&["domain"]);
    let domain = fields.domain("domain");
    let registrar = fields.text("registrar").unwrap_or_default().into();
    let registrar_approved = fields.flag("registrar_approved");
    let (registrant_name, registrant_certificate, redacted) =
        fields.table("registrant", registrant).unwrap_or_default();
    let real_name = fields.code("real_name", RealName::ALL, RealName::as_str);
    let real_name_verified_at = fields.instant("real_name_verified_at");
    let in_authority_library = fields.flag("in_authority_library");
    let statuses = fields.texts("statuses");
    let expires_at = fields.instant("expires_at");
    Some(Registration {
        domain: domain?,
        registrar,
        registrar_approved,
        registrant_name,
        registrant_certificate,
        redacted,
        real_name,
        real_name_verified_at,
        in_authority_library,
        statuses: statuses
            .into_iter()
            .map(|status| status.to_ascii_lowercase().into())
            .collect(),
        expires_at,
    })
}

fn registrant(
    fields: &mut Read<'_, '_, '_>,
) -> (Option<SealedName>, Option<SealedCertificate>, bool) {
    let certificate = fields.table("certificate", certificate).flatten();
    let holder = Holder::of(certificate.as_ref().map(|certificate| certificate.kind));
    let name = name(fields, "name", holder);
    let redacted = fields.flag("redacted").unwrap_or_default();
    (name, certificate, redacted)
}

fn block(fields: &mut Read<'_, '_, '_>) -> Option<Block> {
    fields.require(&["list"]);
    let list = fields.code("list", BlockList::ALL, BlockList::as_str);
    if fields.has("domain") == fields.has("certificate") {
        fields.error("", CaseProblem::OneOf("domain", "certificate"));
    }
    let domain = fields.domain("domain").map(BlockTarget::Domain);
    let certificate = fields.table("certificate", certificate).flatten();
    let reason = fields.text("reason").unwrap_or_default().into();
    let since = fields.instant("since");
    let until = fields.instant("until");
    Some(Block {
        list: list?,
        target: domain.or(certificate.map(BlockTarget::Certificate))?,
        reason,
        since,
        until,
    })
}

fn approval(fields: &mut Read<'_, '_, '_>) -> Option<Approval> {
    fields.require(&["sector", "approval_number"]);
    let sector = fields.code("sector", Sector::ALL, Sector::as_str);
    let approval_number = fields.text("approval_number");
    if fields.has("domain") == fields.has("holder_certificate") {
        fields.error("", CaseProblem::OneOf("domain", "holder_certificate"));
    }
    let domain = fields.domain("domain").map(ApprovalHolder::Domain);
    let holder = fields.table("holder_certificate", certificate).flatten();
    let expires_on = fields.day("expires_on");
    Some(Approval {
        sector: sector?,
        approval_number: approval_number?.into(),
        holder: domain.or(holder.map(ApprovalHolder::Certificate))?,
        expires_on,
    })
}

fn public_security_filing(fields: &mut Read<'_, '_, '_>) -> Option<PublicSecurityFiling> {
    fields.require(&["number", "domain"]);
    let number = fields.parsed("number", |text| {
        PublicSecurityNumber::parse(text, ANY_YEAR)
            .map_err(|error| CaseProblem::Number(Box::new(error)))
    });
    let domain = fields.domain("domain");
    let filed_on = fields.day("filed_on");
    Some(PublicSecurityFiling {
        number: number?,
        domain: domain?,
        filed_on,
    })
}

fn display_observation(fields: &mut Read<'_, '_, '_>) -> Option<DisplayObservation> {
    fields.require(&["domain"]);
    let domain = fields.domain("domain");
    let numbers = fields.texts("numbers");
    let linked = fields.flag("linked");
    let takedown = fields.flag("takedown").unwrap_or_default();
    Some(DisplayObservation {
        domain: domain?,
        numbers: numbers.into_iter().map(shown_number).collect(),
        linked,
        takedown,
    })
}

fn shown_number(text: &str) -> ShownNumber {
    let number = Number::parse(text, Mode::Display, ANY_YEAR)
        .ok()
        .map(|parsed| parsed.number);
    let service = number.and_then(|number| number.service());
    let subject = number.and_then(|number| number.subject());
    service
        .map(ShownNumber::Service)
        .or(subject.map(ShownNumber::Subject))
        .unwrap_or_else(|| ShownNumber::Unreadable(text.chars().take(64).collect()))
}

const fn certificate_kind_code(kind: CertificateKind) -> &'static str {
    match kind {
        CertificateKind::UnifiedSocialCreditCode => "UNIFIED_SOCIAL_CREDIT_CODE",
        CertificateKind::OrganisationCode => "ORGANISATION_CODE",
        CertificateKind::ResidentId => "RESIDENT_ID",
        CertificateKind::Passport => "PASSPORT",
        CertificateKind::HkMacaoPermit => "HK_MACAO_PERMIT",
        CertificateKind::TaiwanPermit => "TAIWAN_PERMIT",
        CertificateKind::ForeignPermanentResident => "FOREIGN_PERMANENT_RESIDENT",
        CertificateKind::Other => "OTHER",
    }
}
