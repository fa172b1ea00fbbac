//! The values from which cases are made: names, numbers, certificates and policies that collide
//! with each other in the ways that matter. Made once, because sealing and parsing cost most.

use icpgate_policy::codes::ServiceKind;
use icpgate_policy::domain_name::{self, Host};
use icpgate_policy::identity::{
    Certificate, CertificateKind, CheckDigits, Holder, Name, SealedCertificate, SealedName, Sealer,
};
use icpgate_policy::numbers::{LicenceNumber, PublicSecurityNumber, ServiceNumber, SubjectNumber};
use icpgate_policy::policy::Policy;
use icpgate_policy::records::RecordDomain;

/// This provider.
pub(crate) const PROVIDER: &str = "icpgate-test";

/// Everything that cases choose from.
pub(crate) struct World {
    pub policies: Vec<Policy>,
    pub families: Vec<Family>,
    pub subjects: Vec<SubjectNumber>,
    pub licences: Vec<LicenceNumber>,
    pub public_security: Vec<PublicSecurityNumber>,
    pub organisations: Vec<SealedCertificate>,
    pub persons: Vec<SealedCertificate>,
    pub organisation_names: Vec<SealedName>,
    pub person_names: Vec<SealedName>,
    services: Vec<(SubjectNumber, ServiceKind, ServiceNumber)>,
}

/// Names of one registrable domain, with its twins.
pub(crate) struct Family {
    /// As people type them.
    pub hosts: Vec<&'static str>,
    /// As records hold them.
    pub records: Vec<RecordDomain>,
}

/// Names that are typed and that records hold, by registrable domain.
const FAMILIES: &[&[&str]] = &[
    &[
        "example.com",
        "www.example.com",
        "a.www.example.com",
        "*.www.example.com",
        "EXAMPLE.com.",
    ],
    &["例子.中国", "例子.中國", "www.例子.中国", "www.例子.中國"],
    &["東方.com", "东方.com", "a.东方.com", "a.東方.com"],
    &[
        "city.gov.cn",
        "a.city.gov.cn",
        "b.city.gov.cn",
        "x.a.city.gov.cn",
        "*.a.city.gov.cn",
    ],
    &[
        "school.cn",
        "www.school.cn",
        "example.app",
        "www.example.app",
    ],
];

/// Subject numbers: Beijing, Guangdong and Ningxia (fewer roles, another display), Fujian, and
/// licences of a province, of Beijing's form and of the ministry.
const SUBJECTS: &[&str] = &[
    "京ICP备10046444号",
    "粤ICP备2023001234号",
    "宁ICP备2024000001号",
    "闽ICP备20000002号",
    "粤B2-20090059",
    "京ICP证030173号",
    "A2.B1.B2-20100001",
];

const LICENCES: &[&str] = &[
    "粤B2-20090059",
    "京ICP证030173号",
    "A2.B1.B2-20100001",
    "浙B2-20080224",
    "京B2-20202418",
];

const PUBLIC_SECURITY: &[&str] = &["京公网安备11010802032137号", "川公网安备51012402001727号"];

const ORGANISATIONS: &[(CertificateKind, &str)] = &[
    (
        CertificateKind::UnifiedSocialCreditCode,
        "91110000600037341L",
    ),
    (CertificateKind::OrganisationCode, "60003734-1"),
    (
        CertificateKind::UnifiedSocialCreditCode,
        "91440300708461136T",
    ),
    (CertificateKind::OrganisationCode, "708461136"),
    (
        CertificateKind::UnifiedSocialCreditCode,
        "91110000802100433B",
    ),
    (CertificateKind::Other, "社证字第0001号"),
];

const PERSONS: &[(CertificateKind, &str)] = &[
    (CertificateKind::ResidentId, "11010519491231002X"),
    (CertificateKind::ResidentId, "110105491231002"),
    (CertificateKind::ResidentId, "360426199101010071"),
    (CertificateKind::Passport, "E12345678"),
    (CertificateKind::Passport, "G87654321"),
    (CertificateKind::HkMacaoPermit, "H1234567801"),
];

const ORGANISATION_NAMES: &[&str] = &["北京范例有限公司", "北京範例有限公司", "深圳实验有限公司"];

const PERSON_NAMES: &[&str] = &["张三", "張三", "李四", "李\u{e000}"];

impl World {
    /// Makes everything.
    pub(crate) fn new() -> Self {
        let documents = [
            include_str!("../../../../policies/mainland-strict/policy.toml"),
            include_str!("../../../../policies/mainland-business-model/policy.toml"),
        ];
        let policies: Vec<Policy> = documents
            .iter()
            .map(|text| Policy::compile(text, PROVIDER).unwrap())
            .collect();
        let sealer = Sealer::new(b"a key for tests only").unwrap();
        let certificates = |list: &[(CertificateKind, &str)]| -> Vec<SealedCertificate> {
            list.iter()
                .map(|(kind, number)| {
                    let certificate =
                        Certificate::parse(*kind, number, CheckDigits::Refuse).unwrap();
                    sealer.seal_certificate(&certificate)
                })
                .collect()
        };
        let names = |list: &[&str], holder: Holder| -> Vec<SealedName> {
            list.iter()
                .map(|name| sealer.seal_name(&Name::parse(name).unwrap(), holder))
                .collect()
        };
        let subjects: Vec<SubjectNumber> = SUBJECTS
            .iter()
            .map(|text| SubjectNumber::parse(text, 2026).unwrap())
            .collect();
        World {
            families: FAMILIES
                .iter()
                .map(|hosts| family(hosts, &policies[0]))
                .collect(),
            policies,
            services: services(&subjects),
            subjects,
            licences: LICENCES
                .iter()
                .map(|text| LicenceNumber::parse(text, 2026).unwrap())
                .collect(),
            public_security: PUBLIC_SECURITY
                .iter()
                .map(|text| PublicSecurityNumber::parse(text, 2026).unwrap())
                .collect(),
            organisations: certificates(ORGANISATIONS),
            persons: certificates(PERSONS),
            organisation_names: names(ORGANISATION_NAMES, Holder::Organisation),
            person_names: names(PERSON_NAMES, Holder::Person),
        }
    }

    /// Numbers of services of one subject and kind.
    pub(crate) fn services_of(
        &self,
        subject: SubjectNumber,
        kind: ServiceKind,
    ) -> Vec<ServiceNumber> {
        self.services
            .iter()
            .filter(|(of, is, _)| *of == subject && *is == kind)
            .map(|(_, _, number)| *number)
            .collect()
    }
}

fn family(hosts: &[&'static str], policy: &Policy) -> Family {
    let mut records: Vec<RecordDomain> = hosts
        .iter()
        .map(|text| match domain_name::parse(text, &policy.suffixes) {
            Ok(Host::Name(name)) => RecordDomain::new(name.ascii()),
            other => panic!("{text}: {other:?}"),
        })
        .collect();
    records.sort_unstable();
    records.dedup();
    Family {
        hosts: hosts.to_vec(),
        records,
    }
}

fn services(subjects: &[SubjectNumber]) -> Vec<(SubjectNumber, ServiceKind, ServiceNumber)> {
    let letters = [
        (ServiceKind::Website, ""),
        (ServiceKind::App, "A"),
        (ServiceKind::MiniProgram, "X"),
        (ServiceKind::QuickApp, "K"),
    ];
    let mut services = Vec::new();
    for subject in subjects {
        for (kind, letter) in letters {
            for index in [1, 2, 10] {
                let text = format!("{}-{index}{letter}", subject.as_str());
                services.push((*subject, kind, ServiceNumber::parse(&text, 2026).unwrap()));
            }
        }
    }
    services
}
