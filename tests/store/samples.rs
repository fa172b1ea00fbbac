//! Records and decisions to write.

use icpgate::store::{Content, NewDecision, NewRecord};
use icpgate_policy::codes::{
    AccessStatus, BlockList, LicenceStatus, Sector, ServiceKind, ServiceStatus, SubjectEntity,
    SubjectNature, SubjectStatus, TelecomBusiness,
};
use icpgate_policy::domain_name;
use icpgate_policy::identity::{
    Certificate, CertificateKind, CheckDigits, Holder, Name, SealedCertificate, SealedName, Sealer,
};
use icpgate_policy::numbers::{LicenceNumber, ServiceNumber, SubjectNumber};
use icpgate_policy::records::{
    Access, Approval, ApprovalHolder, Block, BlockTarget, Handle, Licence, Parent, Record,
    RecordDomain, Registration, Service, Subject,
};
use jiff::Timestamp;

const YEAR: i16 = 2026;

/// An instant: seconds after 2026-01-01T00:00:00Z.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

pub(crate) fn new(record: Record) -> NewRecord {
    NewRecord {
        record,
        source: "filing department".into(),
        observed_at: at(-60),
    }
}

pub(crate) fn subject_number(number: u32) -> SubjectNumber {
    SubjectNumber::parse(&format!("京ICP备{}号", 10_000_001 + number), YEAR).unwrap()
}

pub(crate) fn service_number(number: u32) -> ServiceNumber {
    ServiceNumber::parse(&format!("京ICP备{}号-1", 10_000_001 + number), YEAR).unwrap()
}

pub(crate) fn licence_number(number: u32) -> LicenceNumber {
    // A year and a serial of four digits, from 1 in each year.
    let (year, serial) = (2009 + number / 9_999, 1 + number % 9_999);
    LicenceNumber::parse(&format!("京B2-{year}{serial:04}"), YEAR).unwrap()
}

/// A credit code; its organisation code is that of [`organisation_code`].
pub(crate) fn credit_code(number: u32) -> SealedCertificate {
    certificate(
        CertificateKind::UnifiedSocialCreditCode,
        &format!("91110000{number:09}X"),
    )
}

pub(crate) fn organisation_code(number: u32) -> SealedCertificate {
    certificate(CertificateKind::OrganisationCode, &format!("{number:09}"))
}

pub(crate) fn certificate(kind: CertificateKind, number: &str) -> SealedCertificate {
    sealer().seal_certificate(&Certificate::parse(kind, number, CheckDigits::Accept).unwrap())
}

pub(crate) fn name(text: &str) -> SealedName {
    sealer().seal_name(&Name::parse(text).unwrap(), Holder::Organisation)
}

pub(crate) fn named(domain: &str) -> Handle {
    Handle::name(&domain_name::fold(domain))
}

pub(crate) fn service(number: u32, domains: &[&str]) -> Record {
    Record::Service(Service {
        service_number: service_number(number),
        kind: ServiceKind::Website,
        name: "示例网站".into(),
        domains: domains
            .iter()
            .map(|domain| RecordDomain::new(domain))
            .collect(),
        content_types: vec!["综合门户".into()],
        status: ServiceStatus::Active,
        access_restricted: false,
        approved_at: Some(at(-1_000_000)),
    })
}

pub(crate) fn subject(number: u32, holder: u32, parents: &[u32]) -> Record {
    Record::Subject(Subject {
        subject_number: subject_number(number),
        name: name("北京示例科技有限公司"),
        nature: SubjectNature::Enterprise,
        entity: SubjectEntity::Domestic,
        certificate: credit_code(holder),
        status: SubjectStatus::Active,
        people: Vec::new(),
        parents: parents
            .iter()
            .map(|parent| Parent {
                certificate: credit_code(*parent),
                share_basis_points: 5100,
            })
            .collect(),
    })
}

pub(crate) fn access(number: u32, provider: &str) -> Record {
    Record::Access(Access {
        service_number: service_number(number),
        provider_id: provider.into(),
        status: AccessStatus::Active,
        since: Some(at(-2_000_000)),
    })
}

pub(crate) fn licence(number: u32, holder: SealedCertificate) -> Record {
    Record::Licence(Licence {
        licence_number: licence_number(number),
        holder_name: None,
        holder_certificate: holder,
        businesses: vec![TelecomBusiness::B25],
        issued_on: None,
        expires_on: Some(jiff::civil::date(2030, 12, 31)),
        status: LicenceStatus::Active,
    })
}

pub(crate) fn registration(domain: &str, registrar: &str) -> Record {
    Record::Registration(Registration {
        domain: RecordDomain::new(domain),
        registrar: registrar.into(),
        registrar_approved: Some(true),
        registrant_name: Some(name("北京示例科技有限公司")),
        registrant_certificate: Some(credit_code(1)),
        redacted: false,
        real_name: None,
        real_name_verified_at: None,
        in_authority_library: None,
        statuses: vec!["ok".into()],
        expires_at: Some(at(10_000_000)),
    })
}

pub(crate) fn block(target: BlockTarget) -> Record {
    Record::Block(Block {
        list: BlockList::Authority,
        target,
        reason: "通报".into(),
        since: None,
        until: None,
    })
}

pub(crate) fn approval(number: &str, holder: SealedCertificate) -> Record {
    Record::Approval(Approval {
        sector: Sector::News,
        approval_number: number.into(),
        holder: ApprovalHolder::Certificate(holder),
        expires_on: None,
    })
}

pub(crate) fn content(text: &str) -> Content {
    Content {
        digest: *blake3::hash(text.as_bytes()).as_bytes(),
        bytes: text.as_bytes().into(),
    }
}

pub(crate) fn decision(id: &str, order: Option<&str>, recorded_at: Timestamp) -> NewDecision {
    NewDecision {
        decision_id: id.to_owned(),
        answer: format!("answer {id}").into_bytes(),
        profile: format!("profile {id}").into_bytes(),
        facts: content("facts"),
        policy: content("policy"),
        decided_at: at(5),
        recorded_at,
        order_id: order.map(str::to_owned),
        caller: None,
    }
}

/// A decision that a named caller asked for.
pub(crate) fn called(
    id: &str,
    caller: &str,
    order: Option<&str>,
    recorded_at: Timestamp,
) -> NewDecision {
    NewDecision {
        caller: Some(caller.to_owned()),
        ..decision(id, order, recorded_at)
    }
}

fn sealer() -> Sealer {
    Sealer::new(b"a key for tests, known to all").unwrap()
}
