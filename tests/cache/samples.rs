//! Sets of facts to keep.

use icpgate::cache::{SetKey, Snapshot};
use icpgate_policy::codes::{
    AccessStatus, ApplicationKind, ApplicationStage, BlockList, LicenceStatus, PersonRole,
    RealName, RecordKind, Sector, ServiceKind, ServiceStatus, SubjectEntity, SubjectNature,
    SubjectStatus, TelecomBusiness,
};
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::identity::{
    Certificate, CertificateKind, CheckDigits, Holder, Name, SealedCertificate, SealedName, Sealer,
};
use icpgate_policy::numbers::{LicenceNumber, PublicSecurityNumber, ServiceNumber, SubjectNumber};
use icpgate_policy::records::{
    Access, Application, Approval, ApprovalHolder, Block, BlockTarget, DisplayObservation, Handle,
    Licence, Parent, Person, PublicSecurityFiling, Record, RecordDomain, Registration, Service,
    ShownNumber, Subject,
};
use jiff::Timestamp;

const YEAR: i16 = 2026;

/// Raw personal data of which nothing may be found anywhere.
pub(crate) const PERSON: &str = "王小明";
pub(crate) const PERSON_NUMBER: &str = "11010519491231002X";

/// An instant: seconds after 2026-01-01T00:00:00Z.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

/// The key of a name.
pub(crate) fn key(name: &str) -> SetKey {
    SetKey::of(&[Handle::name(name)])
}

/// Facts of one record, read at a revision.
pub(crate) fn facts(revision: u64) -> Snapshot {
    Snapshot {
        records: vec![fact(access(), revision)],
        synced_at: vec![(RecordKind::Access, at(5))],
        revision: Revision(revision),
        as_of: at(i64::try_from(revision).unwrap()),
    }
}

/// Facts with a record of each kind, every field filled.
pub(crate) fn full() -> Snapshot {
    let records: Vec<Fact<Record>> = records()
        .into_iter()
        .zip(1..)
        .map(|(record, revision)| fact(record, revision))
        .collect();
    Snapshot {
        synced_at: RecordKind::ALL
            .iter()
            .zip(0..)
            .map(|(kind, seconds)| (*kind, at(seconds)))
            .collect(),
        revision: Revision(u64::MAX - 1),
        as_of: at(77),
        records,
    }
}

fn fact(record: Record, revision: u64) -> Fact<Record> {
    Fact {
        value: record,
        provenance: Provenance {
            source: "filing department".into(),
            observed_at: at(-60),
            revision: Revision(revision),
            committed_at: at(-30),
        },
    }
}

fn access() -> Record {
    Record::Access(Access {
        service_number: service_number(),
        provider_id: "self".into(),
        status: AccessStatus::Active,
        since: Some(at(-2_000_000)),
    })
}

fn records() -> Vec<Record> {
    let domain = || RecordDomain::new("example.cn");
    let person = || (person_name(), person_certificate());
    vec![
        Record::Subject(Subject {
            subject_number: subject_number(),
            name: organisation(),
            nature: SubjectNature::Enterprise,
            entity: SubjectEntity::Domestic,
            certificate: credit_code(),
            status: SubjectStatus::Active,
            people: vec![Person {
                role: PersonRole::LegalRepresentative,
                name: Some(person().0),
                certificate: Some(person().1),
            }],
            parents: vec![Parent {
                certificate: credit_code(),
                share_basis_points: 5100,
            }],
        }),
        Record::Service(Service {
            service_number: service_number(),
            kind: ServiceKind::Website,
            name: "示例网站".into(),
            domains: vec![domain(), RecordDomain::new("xn--fiqs8s.cn")],
            content_types: vec!["综合门户".into()],
            status: ServiceStatus::Active,
            access_restricted: true,
            approved_at: Some(at(-1_000_000)),
        }),
        access(),
        Record::Application(Application {
            application_id: "a-1".into(),
            domain: domain(),
            kind: ApplicationKind::NewAccess,
            provider_id: "self".into(),
            stage: ApplicationStage::AuthorityReview,
            provider_review_passed_at: Some(at(1)),
        }),
        Record::Licence(Licence {
            licence_number: LicenceNumber::parse("京B2-20090059", YEAR).unwrap(),
            holder_name: Some(organisation()),
            holder_certificate: credit_code(),
            businesses: vec![TelecomBusiness::B21, TelecomBusiness::B25],
            issued_on: Some(jiff::civil::date(2020, 1, 1)),
            expires_on: Some(jiff::civil::date(2030, 12, 31)),
            status: LicenceStatus::Active,
        }),
        Record::Registration(Registration {
            domain: domain(),
            registrar: "registrar".into(),
            registrar_approved: Some(true),
            registrant_name: Some(person().0),
            registrant_certificate: Some(person().1),
            redacted: false,
            real_name: Some(RealName::Verified),
            real_name_verified_at: Some(at(2)),
            in_authority_library: Some(false),
            statuses: vec!["ok".into(), "clientTransferProhibited".into()],
            expires_at: Some(at(10_000_000)),
        }),
        Record::Block(Block {
            list: BlockList::Provider,
            target: BlockTarget::Certificate(person().1),
            reason: "通报".into(),
            since: Some(at(3)),
            until: Some(at(4)),
        }),
        Record::Approval(Approval {
            sector: Sector::News,
            approval_number: "n-1".into(),
            holder: ApprovalHolder::Domain(domain()),
            expires_on: Some(jiff::civil::date(2029, 1, 1)),
        }),
        Record::PublicSecurityFiling(PublicSecurityFiling {
            number: PublicSecurityNumber::parse("京公网安备11010502030143号", YEAR).unwrap(),
            domain: domain(),
            filed_on: Some(jiff::civil::date(2025, 6, 1)),
        }),
        Record::DisplayObservation(DisplayObservation {
            domain: domain(),
            numbers: vec![
                ShownNumber::Subject(subject_number()),
                ShownNumber::Service(service_number()),
                ShownNumber::Unreadable("京ICP备号".into()),
            ],
            linked: Some(true),
            takedown: false,
        }),
    ]
}

fn subject_number() -> SubjectNumber {
    SubjectNumber::parse("京ICP备10046444号", YEAR).unwrap()
}

fn service_number() -> ServiceNumber {
    ServiceNumber::parse("京ICP备10046444号-1", YEAR).unwrap()
}

fn organisation() -> SealedName {
    let name = Name::parse("北京示例科技有限公司").unwrap();
    sealer().seal_name(&name, Holder::Organisation)
}

fn person_name() -> SealedName {
    sealer().seal_name(&Name::parse(PERSON).unwrap(), Holder::Person)
}

fn person_certificate() -> SealedCertificate {
    certificate(CertificateKind::ResidentId, PERSON_NUMBER)
}

fn credit_code() -> SealedCertificate {
    let number = "91110000000000001X";
    certificate(CertificateKind::UnifiedSocialCreditCode, number)
}

fn certificate(kind: CertificateKind, number: &str) -> SealedCertificate {
    sealer().seal_certificate(&Certificate::parse(kind, number, CheckDigits::Accept).unwrap())
}

fn sealer() -> Sealer {
    Sealer::new(b"a key for tests, known to all").unwrap()
}
