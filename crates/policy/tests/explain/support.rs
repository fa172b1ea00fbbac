//! Questions, facts and findings about which texts are made.

use std::sync::LazyLock;

use icpgate_policy::codes::*;
use icpgate_policy::decision::{
    Decision, Detail, Evidence, EvidenceList, FactSet, Filing, Finding, decide,
};
use icpgate_policy::explain::{Explained, Language};
use icpgate_policy::facts::{Entitlement, Fact, Facts, NameFacts, Provenance, Revision};
use icpgate_policy::identity::{
    Certificate, CertificateKind, CheckDigits, Holder, Name, SealedCertificate, SealedName, Sealer,
};
use icpgate_policy::numbers::{
    LicenceNumber, Province, PublicSecurityNumber, ServiceNumber, SubjectNumber,
};
use icpgate_policy::policy::{Policy, shipped};
use icpgate_policy::records::*;
use icpgate_policy::request::{Applicant, Customer, NewApplicant, Profile, Request, Site};
use icpgate_policy::rules::RuleId;
use jiff::Timestamp;
use jiff::civil::date;

/// A domain that the facts know.
pub(crate) const FILED: &str = "www.example.cn";
/// The number of its filing.
pub(crate) const RIGHT_NUMBER: &str = "京ICP备10046444号-1";
/// Names and numbers of people in the facts.
pub(crate) const PERSON_NAME: &str = "样例人";
pub(crate) const PERSON_NUMBER: &str = "11010519491231002X";

/// What a question differs in.
pub(crate) struct Question {
    pub(crate) domain: String,
    pub(crate) product: Product,
    pub(crate) area: ServiceArea,
    pub(crate) purpose: Purpose,
    pub(crate) claimed: Option<String>,
    pub(crate) origin: Option<String>,
    pub(crate) host_header: Option<String>,
    pub(crate) model: Option<BusinessModel>,
    pub(crate) list: BlockList,
}

impl Default for Question {
    fn default() -> Self {
        Self {
            domain: FILED.to_owned(),
            product: Product::Cdn,
            area: ServiceArea::Mainland,
            purpose: Purpose::Order,
            claimed: None,
            origin: None,
            host_header: None,
            model: None,
            list: BlockList::Authority,
        }
    }
}

impl Question {
    /// Questions of every product and purpose, with names and numbers of many kinds.
    pub(crate) fn all() -> Vec<Self> {
        let mut questions = Vec::new();
        for purpose in Purpose::ALL {
            for product in Product::ALL {
                let question = Self {
                    product: *product,
                    purpose: *purpose,
                    list: BlockList::Provider,
                    ..Self::default()
                };
                questions.push(question);
            }
        }
        for (domain, product) in [
            ("https://www.example.cn/x", Product::Cdn),
            ("example..cn", Product::Cdn),
            ("198.51.100.7", Product::Cdn),
            ("8.8.8.8", Product::Hosting),
            ("10.0.0.1", Product::Hosting),
            ("例子.政务", Product::ReverseProxy),
            ("example.io", Product::Cdn),
        ] {
            questions.push(Self {
                domain: domain.to_owned(),
                product,
                claimed: Some("京ICP备1004644号".to_owned()),
                origin: Some("origin_1.example.net".to_owned()),
                host_header: Some("other.example.org".to_owned()),
                model: Some(BusinessModel::Marketplace),
                ..Self::default()
            });
        }
        questions
    }
}

/// Everything from which an answer is explained.
pub(crate) struct Setting {
    pub(crate) policy: Policy,
    pub(crate) request: Request,
    pub(crate) facts: Facts,
    pub(crate) decision: Decision,
}

impl Setting {
    pub(crate) fn new(question: &Question) -> Self {
        static STRICT: LazyLock<Policy> =
            LazyLock::new(|| Policy::compile(shipped("mainland-strict").unwrap(), "self").unwrap());
        let policy = STRICT.clone();
        let request = Request::new(profile(question), &policy.suffixes);
        let facts = Facts::of_name(NameFacts::collect(
            records(question.list).into_iter().map(fact),
            Entitlement::complete(),
        ));
        let now = "2027-05-01T02:00:00Z".parse().unwrap();
        let mut decision = decide(&policy, &request, &facts, now);
        decision.filing = Some(Filing {
            service: 0,
            subject: 0,
        });
        Self {
            policy,
            request,
            facts,
            decision,
        }
    }

    pub(crate) fn explained(&self, language: Language) -> Explained<'_> {
        Explained {
            policy: &self.policy,
            request: &self.request,
            facts: &self.facts,
            decision: &self.decision,
            language,
        }
    }

    /// Every record of the facts with its place.
    pub(crate) fn records(&self) -> Vec<(Record, Evidence)> {
        let facts = &self.facts.name;
        let mut records = Vec::new();
        let mut push = |record: Record, index: usize| {
            let place = about(record.kind(), u16::try_from(index).unwrap());
            records.push((record, place));
        };
        macro_rules! each {
            ($($field:ident $variant:ident,)+) => {
                $(for (index, fact) in facts.$field.iter().enumerate() {
                    push(Record::$variant(fact.value.clone()), index);
                })+
            };
        }
        each! {
            subjects Subject, services Service, accesses Access, applications Application,
            licences Licence, registrations Registration, blocks Block, approvals Approval,
            public_security_filings PublicSecurityFiling, display_observations DisplayObservation,
        }
        assert_eq!(records.len(), 11);
        records
    }
}

/// Evidence of one kind.
pub(crate) fn evidence_of(kind: RecordKind) -> EvidenceList {
    [about(kind, 0)].into_iter().collect()
}

/// None, markers, and records of every kind.
pub(crate) fn evidence_lists() -> Vec<EvidenceList> {
    let mut lists = vec![EvidenceList::new()];
    for set in [FactSet::Origin, FactSet::HostHeader] {
        let marker = Evidence {
            set,
            ..about(RecordKind::Service, u16::MAX)
        };
        lists.push([marker].into_iter().collect());
    }
    for kinds in RecordKind::ALL.chunks(4) {
        lists.push(kinds.iter().map(|kind| about(*kind, 0)).collect());
    }
    lists
}

pub(crate) fn profile(question: &Question) -> Profile {
    Profile {
        domain: question.domain.clone(),
        product: question.product,
        service_area: question.area,
        purpose: question.purpose,
        site: Site {
            payment_enabled: true,
            business_model: question.model,
            sectors: vec![Sector::News, Sector::Forum, Sector::Games],
            live_since: Some("2027-04-20T02:00:00Z".parse().unwrap()),
        },
        claimed_filing_number: question.claimed.clone(),
        origin_host: question.origin.clone(),
        origin_in_mainland: None,
        host_header: question.host_header.clone(),
        customer: Customer::default(),
        applicant: (question.purpose == Purpose::PreFiling).then(|| {
            Applicant::New(Box::new(NewApplicant {
                nature: SubjectNature::PublicInstitution,
                entity: SubjectEntity::Domestic,
                name: Some(name(PERSON_NAME)),
                certificate: Some(certificate()),
                province: Some(Province::Ningxia),
                people: Vec::new(),
            }))
        }),
        language: Language::English,
    }
}

pub(crate) fn finding(rule: RuleId, outcome: Outcome, reason: Option<Reason>) -> Finding {
    Finding {
        rule,
        outcome,
        reason,
        detail: Detail::None,
        evidence: EvidenceList::new(),
        until: Timestamp::MAX,
        due_at: None,
    }
}

fn about(kind: RecordKind, index: u16) -> Evidence {
    Evidence {
        set: FactSet::Name,
        kind,
        index,
    }
}

fn fact(value: Record) -> Fact<Record> {
    Fact {
        value,
        provenance: Provenance {
            source: "test".into(),
            observed_at: "2027-04-30T02:00:00Z".parse().unwrap(),
            revision: Revision(1),
            committed_at: "2027-04-30T02:00:00Z".parse().unwrap(),
        },
    }
}

fn sealer() -> Sealer {
    Sealer::new(b"a key of thirty-two octets, or so").unwrap()
}

fn certificate() -> SealedCertificate {
    let read = Certificate::parse(
        CertificateKind::ResidentId,
        PERSON_NUMBER,
        CheckDigits::Refuse,
    );
    sealer().seal_certificate(&read.unwrap())
}

fn organisation() -> SealedCertificate {
    let kind = CertificateKind::UnifiedSocialCreditCode;
    let read = Certificate::parse(kind, "91440300708461136T", CheckDigits::Refuse);
    sealer().seal_certificate(&read.unwrap())
}

fn name(text: &str) -> SealedName {
    sealer().seal_name(&Name::parse(text).unwrap(), Holder::Person)
}

/// One record of each kind, and a second block.
fn records(list: BlockList) -> Vec<Record> {
    let service_number = ServiceNumber::parse(RIGHT_NUMBER, 2027).unwrap();
    let domain = || RecordDomain::new("example.cn");
    vec![
        Record::Subject(Subject {
            subject_number: SubjectNumber::parse("京ICP备10046444号", 2027).unwrap(),
            name: name(PERSON_NAME),
            nature: SubjectNature::Government,
            entity: SubjectEntity::Domestic,
            certificate: organisation(),
            status: SubjectStatus::Active,
            people: Vec::new(),
            parents: Vec::new(),
        }),
        Record::Service(Service {
            service_number,
            kind: ServiceKind::Website,
            name: "example".into(),
            domains: vec![domain()],
            content_types: Vec::new(),
            status: ServiceStatus::Active,
            access_restricted: false,
            approved_at: None,
        }),
        Record::Access(Access {
            service_number,
            provider_id: "self".into(),
            status: AccessStatus::Active,
            since: None,
        }),
        Record::Application(Application {
            application_id: "A-1".into(),
            domain: domain(),
            kind: ApplicationKind::NewAccess,
            provider_id: "self".into(),
            stage: ApplicationStage::Submitted,
            provider_review_passed_at: None,
        }),
        Record::Licence(Licence {
            licence_number: LicenceNumber::parse("京B2-20220001", 2027).unwrap(),
            holder_name: None,
            holder_certificate: organisation(),
            businesses: Vec::new(),
            issued_on: None,
            expires_on: Some(date(2027, 6, 30)),
            status: LicenceStatus::Active,
        }),
        Record::Registration(Registration {
            domain: domain(),
            registrar: "示例注册商".into(),
            registrar_approved: Some(false),
            registrant_name: Some(name(PERSON_NAME)),
            registrant_certificate: Some(certificate()),
            redacted: false,
            real_name: Some(RealName::Verified),
            real_name_verified_at: None,
            in_authority_library: Some(false),
            statuses: vec!["serverhold".into(), "ok".into()],
            expires_at: Some("2027-04-01T00:00:00Z".parse().unwrap()),
        }),
        Record::Block(Block {
            list,
            target: BlockTarget::Domain(domain()),
            reason: "test".into(),
            since: None,
            until: None,
        }),
        Record::Block(Block {
            list,
            target: BlockTarget::Certificate(certificate()),
            reason: "test".into(),
            since: None,
            until: None,
        }),
        Record::Approval(Approval {
            sector: Sector::News,
            approval_number: "11120170001".into(),
            holder: ApprovalHolder::Domain(domain()),
            expires_on: Some(date(2026, 12, 31)),
        }),
        Record::PublicSecurityFiling(PublicSecurityFiling {
            number: PublicSecurityNumber::parse("京公网安备11010802020134号", 2027).unwrap(),
            domain: domain(),
            filed_on: None,
        }),
        Record::DisplayObservation(DisplayObservation {
            domain: domain(),
            numbers: Vec::new(),
            linked: None,
            takedown: false,
        }),
    ]
}

/// Asserts that a text is whole sentences of a language; `of` tells which one it is.
pub(crate) fn check(text: &str, language: Language, of: &impl std::fmt::Debug) {
    let stop = match language {
        Language::English => '.',
        Language::Chinese => '。',
    };
    assert!(text.ends_with(stop), "{text} {of:?}");
    let own = outside_quotes(text);
    for wrong in ["{", "}", "\n", "  ", "..", "。。", "Some(", "None"] {
        assert!(!own.contains(wrong), "{text} {of:?}");
    }
    match language {
        Language::English => {
            assert!(!own.chars().any(cjk), "{text} {of:?}");
            assert!(
                text.starts_with(|first: char| first.is_ascii_uppercase()),
                "{text} {of:?}"
            );
        }
        Language::Chinese => assert!(text.chars().any(cjk), "{text} {of:?}"),
    }
}

/// A text without what stands in backticks and brackets.
pub(crate) fn outside_quotes(text: &str) -> String {
    let mut outside = String::new();
    let (mut quoted, mut depth) = (false, 0);
    for character in text.chars() {
        match character {
            '`' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            other if !quoted && depth == 0 => outside.push(other),
            // What is quoted still stands between the words around it.
            _ if !outside.ends_with('_') => outside.push('_'),
            _ => {}
        }
    }
    outside
}

/// Whether a character is Chinese, punctuation included.
pub(crate) fn cjk(character: char) -> bool {
    ('\u{3000}'..='\u{9fff}').contains(&character) || ('\u{ff00}'..='\u{ffef}').contains(&character)
}
