//! Whole questions: a message from a stranger, the gate, and the answer on the wire.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use icpgate::cache::{Applied, LocalCache};
use icpgate::clock::FixedClock;
use icpgate::gate::{
    ActivePolicy, CacheBounds, Caches, Completeness, Gate, GateError, Served, replay, respond,
};
use icpgate::intake::View;
use icpgate::proto::v1;
use icpgate::store::{NewDecision, RecordedDecision};
use icpgate_policy::codes::{
    LicenceStatus, Outcome, Product, Purpose, RecordKind, ServiceStatus, SubjectNature,
    SubjectStatus, Verdict,
};
use icpgate_policy::domain_name::is_under;
use icpgate_policy::explain::Language;
use icpgate_policy::records::{BlockTarget, Record, RecordDomain, Service};
use jiff::SignedDuration;
use prost::Message as _;
use tokio::runtime::Runtime;
use tokio_util::task::TaskTracker;

use super::registry::{Memory, NOW, PROVIDER, RECORDS, intake, policy};

/// A gate over the sample, and what it runs on.
struct World {
    runtime: Runtime,
    gate: Gate,
    store: Arc<Memory>,
}

thread_local! {
    static WORLD: RefCell<Option<World>> = const { RefCell::new(None) };
}

/// Takes the input for a question, in its JSON form where it begins with a brace and else encoded,
/// and asks it twice.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let Some(wire) = read(input) else { return };
    WORLD.with_borrow_mut(|world| ask(world.get_or_insert_with(World::new), &wire));
}

fn read(input: &[u8]) -> Option<v1::CheckProvisioningRequest> {
    let wire: v1::CheckProvisioningRequest = if input.first() == Some(&b'{') {
        serde_json::from_slice(input).ok()?
    } else {
        v1::CheckProvisioningRequest::decode(input).ok()?
    };
    let encoded = wire.encode_to_vec();
    let again = v1::CheckProvisioningRequest::decode(encoded.as_slice());
    assert_eq!(again.as_ref(), Ok(&wire));
    Some(wire)
}

impl World {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime is built");
        let store = Arc::new(Memory::default());
        let caches = Caches {
            local: Some(LocalCache::new(4 << 20)),
            shared: None,
            answers: Some(1 << 20),
            applied: Applied::new(Duration::from_secs(30), 1024),
            bounds: CacheBounds {
                ttl: Duration::from_mins(10),
                absent_ttl: Duration::from_mins(1),
                load_timeout: Duration::from_mins(1),
                max_loads: 4,
            },
            completeness: Completeness {
                complete_for: RecordKind::ALL.to_vec(),
                max_sync_age: None,
            },
        };
        let tasks = TaskTracker::new();
        let (gate, worker) = Gate::new(
            Arc::clone(&store) as _,
            ActivePolicy::new(policy()).expect("a policy is encoded"),
            Arc::new(intake()),
            Arc::new(FixedClock::new(*NOW)),
            caches,
            tasks.clone(),
        );
        runtime.block_on(async {
            tasks.spawn(worker.run(std::future::pending()));
            gate.follow().await.expect("memory always answers");
        });
        Self {
            runtime,
            gate,
            store,
        }
    }
}

fn ask(world: &World, wire: &v1::CheckProvisioningRequest) {
    let question = match world.gate.question(wire.clone()) {
        Ok(question) => question,
        Err(GateError::Malformed(violations)) => {
            assert!(!violations.is_empty(), "{wire:?}");
            for violation in &violations {
                for language in [Language::English, Language::Chinese] {
                    assert!(!violation.description(language).is_empty(), "{violation:?}");
                }
            }
            return;
        }
        Err(error) => panic!("{error:?}: {wire:?}"),
    };
    let (input, view) = (question.input.clone(), question.view);
    let first = world.runtime.block_on(async {
        let served = world.gate.check(question.clone()).await;
        // The log is written while others wait.
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        served
    });
    let first = match first {
        Ok(served) => served,
        // A token that is ahead of the store.
        Err(GateError::Malformed(violations)) if !violations.is_empty() => return,
        Err(error) => panic!("{error:?}: {wire:?}"),
    };
    let again = world.runtime.block_on(world.gate.check(question));
    let again = again.expect("it was answered before");
    assert_eq!(first.decision_id, again.decision_id, "{wire:?}");
    assert_eq!(first.decision, again.decision, "{wire:?}");

    timely(&first);
    deserved(&first);
    for view in [view, View::Basic, View::Full] {
        on_the_wire(&first, &input, view);
    }
    if let Some(recorded) = world.store.take(&first.decision_id.to_string()) {
        replayed(recorded, &first);
    }
}

fn timely(served: &Served) {
    let decision = &served.decision;
    assert!(decision.decided_at <= *NOW, "{decision:?}");
    assert!(*NOW < decision.valid_until, "{decision:?}");
    assert!(
        decision.valid_until <= *NOW + SignedDuration::from_hours(24),
        "{decision:?}"
    );
}

/// An allowance rests on records of the sample, found here without the rules and the handles.
fn deserved(served: &Served) {
    let (decision, request) = (&served.decision, &served.request);
    let weightiest = |outcome| {
        let mut findings = decision.findings.iter();
        findings.any(|finding| finding.outcome == outcome)
    };
    let verdict = if weightiest(Outcome::Deny) {
        Verdict::Deny
    } else if weightiest(Outcome::Indeterminate) {
        Verdict::Indeterminate
    } else if weightiest(Outcome::Review) {
        Verdict::Review
    } else {
        Verdict::Allow
    };
    assert_eq!(decision.verdict, verdict, "{decision:?}");
    let profile = &request.profile;
    if verdict != Verdict::Allow || !request.needs_facts() {
        return;
    }
    let name = request.host_name().expect("only a name is allowed").ascii();
    assert!(!is_blocked(name), "{decision:?}");
    if profile.purpose == Purpose::PreFiling {
        return;
    }
    let registrable = request.host_name().expect("a name").registrable();
    let deserved = RECORDS.iter().any(|record| {
        let Record::Service(service) = &record.value else {
            return false;
        };
        let covers = |domain: &RecordDomain| {
            is_under(name, domain.ascii()) && is_under(domain.ascii(), registrable)
        };
        let in_force = matches!(
            service.status,
            ServiceStatus::Active | ServiceStatus::Changing
        );
        let must_be_linked = matches!(profile.product, Product::Hosting | Product::ReverseProxy);
        in_force
            && !service.access_restricted
            && service.domains.iter().any(covers)
            && subject_allows(service, profile.site.payment_enabled)
            && (!must_be_linked || is_linked(service, name))
    });
    assert!(
        deserved,
        "allowed without a filing: {profile:?}: {decision:?}"
    );
    assert!(decision.filing.is_some(), "{decision:?}");
    let mut evidence = decision.findings.iter().flat_map(|found| &found.evidence);
    assert!(
        evidence.any(|evidence| evidence.kind == RecordKind::Service),
        "{decision:?}"
    );
}

fn is_blocked(name: &str) -> bool {
    RECORDS.iter().any(|record| {
        let Record::Block(block) = &record.value else {
            return false;
        };
        let begun = block.since.is_none_or(|since| since <= *NOW);
        let ended = block.until.is_some_and(|until| until <= *NOW);
        let here = match &block.target {
            BlockTarget::Domain(domain) => is_under(name, domain.ascii()),
            BlockTarget::Certificate(_) => false,
        };
        begun && !ended && here
    })
}

/// Whether the subject stands, and may take payments if it does.
fn subject_allows(service: &Service, payment: bool) -> bool {
    RECORDS.iter().any(|record| {
        let Record::Subject(subject) = &record.value else {
            return false;
        };
        let licensed = RECORDS.iter().any(|record| {
            matches!(&record.value, Record::Licence(licence)
                if licence.holder_certificate == subject.certificate
                    && licence.status == LicenceStatus::Active)
        });
        let may_sell = subject.nature != SubjectNature::Individual
            && (licensed || subject.subject_number.as_licence().is_some());
        subject.subject_number == service.service_number.subject()
            && subject.status == SubjectStatus::Active
            && (may_sell || !payment)
    })
}

/// Whether this provider is an access provider of the service, or about to be.
fn is_linked(service: &Service, name: &str) -> bool {
    RECORDS.iter().any(|record| {
        if let Record::Access(access) = &record.value {
            return access.service_number == service.service_number
                && access.provider_id.as_ref() == PROVIDER;
        }
        if let Record::Application(application) = &record.value {
            return application.provider_id.as_ref() == PROVIDER
                && is_under(name, application.domain.ascii());
        }
        false
    })
}

/// What is sent is what can be read again, with the words that a caller needs.
fn on_the_wire(served: &Served, input: &str, view: View) {
    let bytes = respond(served, input, view).encode_to_vec();
    let read = v1::CheckProvisioningResponse::decode(bytes.as_slice());
    let read = read.expect("an answer decodes").decision;
    let sent = icpgate::gate::render(served, input, view);
    assert_eq!(read.as_ref(), Some(&sent));
    let json = serde_json::to_string(&sent).expect("an answer has a JSON form");
    let parsed: v1::Decision = serde_json::from_str(&json).expect("the JSON form reads");
    assert_eq!(parsed, sent);
    assert_eq!(sent.decision_id, served.decision_id.to_string());
    assert_ne!(sent.verdict(), v1::Verdict::Unspecified);
    assert_eq!(
        sent.verdict() == v1::Verdict::Allow,
        sent.reasons.is_empty(),
        "{sent:?}"
    );
    for finding in &sent.findings {
        assert!(!finding.message.is_empty(), "{finding:?}");
        let blocks = !matches!(
            finding.outcome(),
            v1::Outcome::Pass | v1::Outcome::NotApplicable
        );
        assert!(!blocks || !finding.remediation.is_empty(), "{finding:?}");
    }
}

/// What was recorded gives the same answer again, to the byte.
fn replayed(recorded: NewDecision, served: &Served) {
    let recorded = RecordedDecision {
        answer: recorded.answer,
        profile: recorded.profile,
        facts: recorded.facts.bytes.to_vec(),
        policy: recorded.policy.bytes.to_vec(),
        decided_at: recorded.decided_at,
        orders: Vec::new(),
        callers: Vec::new(),
    };
    let again = replay(&recorded, &served.decision_id.to_string());
    assert_eq!(again.ok().as_ref(), Some(&recorded.answer), "{served:?}");
}
