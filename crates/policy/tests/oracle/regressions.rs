//! Questions on which engine and oracle once differed, made small and given names.

use std::sync::Arc;

use icpgate_policy::calendar::{beijing_day, start_of};
use icpgate_policy::codes::{
    ApplicationKind, ApplicationStage, BlockList, BusinessModel, Outcome, Product, Purpose, Reason,
    RecordKind, ServiceArea, ServiceKind, ServiceStatus, SubjectEntity, SubjectNature,
    SubjectStatus, Verdict,
};
use icpgate_policy::decision::{Decision, decide};
use icpgate_policy::explain::Language;
use icpgate_policy::facts::{Entitlement, Fact, Missing, Provenance, Revision, Why};
use icpgate_policy::identity::SealedCertificate;
use icpgate_policy::numbers::{ServiceLetter, ServiceNumber, SubjectNumber};
use icpgate_policy::records::{
    Application, Block, BlockTarget, Record, RecordDomain, Service, Subject,
};
use icpgate_policy::request::{Applicant, Customer, Profile, Site};
use jiff::{SignedDuration, Timestamp};

use super::compare;
use super::generate::{Case, World};

#[test]
fn a_mini_program_number_is_not_held_against_a_website() {
    let world = World::new();
    let mut case = case(
        "www.example.com",
        Product::MiniProgramBackend,
        Purpose::Order,
    );
    add(&mut case, subject(&world, "京ICP备10046444号", 0));
    add(&mut case, service("京ICP备10046444号-1", &["example.com"]));
    case.profile.claimed_filing_number = Some("京ICP备10046444号-2X".to_owned());
    let decision = decided(&world, &case);
    assert!(
        !has(&decision, Reason::FilingNumberMismatch),
        "{decision:#?}"
    );
}

#[test]
fn both_subjects_of_a_mini_program_are_held_against_block_lists() {
    let world = World::new();
    for blocked in [0, 2] {
        let mut case = case("example.com", Product::MiniProgramBackend, Purpose::Order);
        add(&mut case, subject(&world, "京ICP备10046444号", 0));
        add(&mut case, subject(&world, "宁ICP备2024000001号", 2));
        add(&mut case, service("京ICP备10046444号-1", &["example.com"]));
        add(
            &mut case,
            service("宁ICP备2024000001号-1X", &["example.com"]),
        );
        let certificate = world.organisations[blocked].clone();
        add(&mut case, block(BlockTarget::Certificate(certificate)));
        let decision = decided(&world, &case);
        assert!(
            has(&decision, Reason::SubjectBlacklisted),
            "{blocked}: {decision:#?}"
        );
    }
}

#[test]
fn a_restricted_twin_is_a_twin_all_the_same() {
    let world = World::new();
    let mut case = case("东方.com", Product::Cdn, Purpose::Order);
    add(&mut case, subject(&world, "京ICP备10046444号", 0));
    let Record::Service(mut twin) = service("京ICP备10046444号-1", &["xn--nfv21b.com"]) else {
        unreachable!()
    };
    twin.access_restricted = true;
    add(&mut case, Record::Service(twin));
    let decision = decided(&world, &case);
    assert!(has(&decision, Reason::FilingVariantOnly), "{decision:#?}");
}

#[test]
fn of_several_twins_the_latest_approved_counts() {
    let world = World::new();
    for latest_first in [true, false] {
        let mut case = case("东方.com", Product::Cdn, Purpose::Order);
        case.policy = 1;
        case.profile.site.payment_enabled = true;
        case.profile.site.business_model = Some(BusinessModel::Advertising);
        add(&mut case, subject(&world, "京ICP备10046444号", 0));
        add(&mut case, subject(&world, "粤B2-20090059", 2));
        approved(&mut case, "京ICP备10046444号-1", "xn--nfv21b.com", 300);
        let days = if latest_first { 100 } else { 400 };
        approved(&mut case, "粤B2-20090059-1", "xn--nfv21b.com", days);
        let decision = decided(&world, &case);
        // Only the second subject has a licence in its number.
        assert_eq!(
            has(&decision, Reason::CommercialLicenceKindUnknown),
            latest_first,
            "{decision:#?}"
        );
    }
}

#[test]
fn of_several_services_of_another_kind_the_latest_approved_counts() {
    let world = World::new();
    for person_latest in [true, false] {
        let mut case = case("example.com", Product::Cdn, Purpose::Order);
        case.profile.site.payment_enabled = true;
        let Record::Subject(mut person) = subject(&world, "京ICP备10046444号", 0) else {
            unreachable!()
        };
        person.nature = SubjectNature::Individual;
        add(&mut case, Record::Subject(person));
        add(&mut case, subject(&world, "粤ICP备2023001234号", 2));
        let days = if person_latest { 100 } else { 400 };
        approved(&mut case, "京ICP备10046444号-1X", "example.com", days);
        approved(&mut case, "粤ICP备2023001234号-1A", "example.com", 300);
        let decision = decided(&world, &case);
        assert_eq!(
            has(&decision, Reason::CommercialByIndividual),
            person_latest,
            "{decision:#?}"
        );
    }
}

#[test]
fn an_ancestor_under_a_government_suffix_does_not_say_who_filed_a_name() {
    let world = World::new();
    let mut case = case("a.city.gov.cn", Product::Cdn, Purpose::PreFiling);
    add(&mut case, subject(&world, "京ICP备10046444号", 0));
    add(&mut case, service("京ICP备10046444号-1", &["city.gov.cn"]));
    case.entitlement
        .set(RecordKind::Service, Missing::Unknown(Why::NotComplete));
    let decision = decided(&world, &case);
    assert_eq!(decision.verdict, Verdict::Indeterminate, "{decision:#?}");
}

#[test]
fn an_application_does_not_hide_that_a_filing_is_unknown() {
    let world = World::new();
    let mut case = case("example.com", Product::Cdn, Purpose::PreFiling);
    add(&mut case, service("京ICP备10046444号-1", &["example.com"]));
    add(
        &mut case,
        Record::Application(Application {
            application_id: "A1".into(),
            domain: RecordDomain::new("example.com"),
            kind: ApplicationKind::NewService,
            provider_id: "another".into(),
            stage: ApplicationStage::Submitted,
            provider_review_passed_at: None,
        }),
    );
    case.entitlement
        .set(RecordKind::Subject, Missing::Unknown(Why::StoreUnavailable));
    let decision = decided(&world, &case);
    assert_eq!(decision.verdict, Verdict::Indeterminate, "{decision:#?}");
}

#[test]
fn a_name_filed_by_the_applicant_below_another_subject_is_filed_by_another() {
    let world = World::new();
    let mut case = case("www.example.com", Product::Cdn, Purpose::PreFiling);
    add(&mut case, subject(&world, "京ICP备10046444号", 0));
    add(&mut case, subject(&world, "粤ICP备2023001234号", 2));
    add(
        &mut case,
        service("京ICP备10046444号-1", &["www.example.com"]),
    );
    add(
        &mut case,
        service("粤ICP备2023001234号-1", &["example.com"]),
    );
    let applicant = SubjectNumber::parse("京ICP备10046444号", 2026).unwrap();
    case.profile.applicant = Some(Applicant::Existing(applicant));
    let decision = decided(&world, &case);
    assert!(
        has(&decision, Reason::FiledByAnotherSubject),
        "{decision:#?}"
    );
}

/// Decides, and compares with the oracle.
fn decided(world: &World, case: &Case) -> Decision {
    if let Err(problem) = compare(world, case) {
        panic!("{problem}\n{}", case.shown());
    }
    let request = case.request(world);
    decide(
        case.policy(world),
        &request,
        &case.facts(&request),
        case.now,
    )
}

fn has(decision: &Decision, reason: Reason) -> bool {
    decision
        .findings
        .iter()
        .any(|finding| finding.reason == Some(reason) && finding.outcome != Outcome::NotApplicable)
}

/// A question about a name of which nothing is on record.
fn case(domain: &str, product: Product, purpose: Purpose) -> Case {
    Case {
        policy: 0,
        profile: Profile {
            domain: domain.to_owned(),
            product,
            service_area: ServiceArea::Mainland,
            purpose,
            site: Site::default(),
            claimed_filing_number: None,
            origin_host: None,
            origin_in_mainland: None,
            host_header: None,
            customer: Customer::default(),
            applicant: None,
            language: Language::English,
        },
        records: Vec::new(),
        entitlement: Entitlement::complete(),
        whole: false,
        now: now(),
    }
}

fn now() -> Timestamp {
    "2026-11-22T12:00:00+08".parse().unwrap()
}

fn add(case: &mut Case, value: Record) {
    let revision = u64::try_from(case.records.len()).unwrap() + 1;
    let observed_at = start_of(beijing_day(case.now));
    let provenance = Provenance {
        source: Arc::from("test"),
        observed_at,
        revision: Revision(revision),
        committed_at: observed_at,
    };
    case.records.push(Fact { value, provenance });
}

/// An enterprise under a certificate of the list.
fn subject(world: &World, number: &str, certificate: usize) -> Record {
    let certificate: SealedCertificate = world.organisations[certificate].clone();
    Record::Subject(Subject {
        subject_number: SubjectNumber::parse(number, 2026).unwrap(),
        name: world.organisation_names[0].clone(),
        nature: SubjectNature::Enterprise,
        entity: SubjectEntity::Domestic,
        certificate,
        status: SubjectStatus::Active,
        people: Vec::new(),
        parents: Vec::new(),
    })
}

fn service(number: &str, domains: &[&str]) -> Record {
    let service_number = ServiceNumber::parse(number, 2026).unwrap();
    Record::Service(Service {
        service_number,
        kind: match service_number.letter() {
            None => ServiceKind::Website,
            Some(ServiceLetter::App) => ServiceKind::App,
            Some(ServiceLetter::MiniProgram) => ServiceKind::MiniProgram,
            Some(ServiceLetter::QuickApp) => ServiceKind::QuickApp,
        },
        name: "网站".into(),
        domains: domains
            .iter()
            .map(|domain| RecordDomain::new(domain))
            .collect(),
        content_types: Vec::new(),
        status: ServiceStatus::Active,
        access_restricted: false,
        approved_at: None,
    })
}

/// A service approved so many days ago.
fn approved(case: &mut Case, number: &str, domain: &str, days: i64) {
    let Record::Service(mut service) = service(number, &[domain]) else {
        unreachable!()
    };
    service.approved_at = Some(now() - SignedDuration::from_hours(24 * days));
    add(case, Record::Service(service));
}

fn block(target: BlockTarget) -> Record {
    Record::Block(Block {
        list: BlockList::Authority,
        target,
        reason: "".into(),
        since: None,
        until: None,
    })
}
