//! Policy documents: read, compiled, and decided under once.

use std::collections::BTreeSet;

use icpgate_policy::codes::{BlockList, Product, Purpose, Reason, ServiceArea, Verdict};
use icpgate_policy::decision::{Decision, decide};
use icpgate_policy::explain::{Language, policy_problem};
use icpgate_policy::facts::{Entitlement, Fact, Facts, NameFacts, Provenance, Revision, Why};
use icpgate_policy::policy::Policy;
use icpgate_policy::records::{Block, BlockTarget, Record, RecordDomain};
use icpgate_policy::request::{Customer, Profile, Request, Site};
use jiff::{SignedDuration, Timestamp};

/// Longest document that is tried: the limits are those of the operator's own file.
const LONGEST: usize = 32 * 1024;

/// Compiles the input as a document of this provider.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let Ok(document) = std::str::from_utf8(input) else {
        return;
    };
    if document.len() > LONGEST {
        return;
    }
    match Policy::compile(document, "self") {
        Ok(policy) => compiled(&policy),
        Err(error) => {
            assert!(!error.problems.is_empty());
            let once: BTreeSet<String> = error
                .problems
                .iter()
                .map(|problem| format!("{problem:?}"))
                .collect();
            assert_eq!(once.len(), error.problems.len(), "{error:?}");
            for (_, problem) in &error.problems {
                for language in [Language::English, Language::Chinese] {
                    assert!(!policy_problem(problem, language).is_empty(), "{problem:?}");
                }
            }
        }
    }
}

fn compiled(policy: &Policy) {
    // A decision is replayed from the source of its policy, for years.
    let again = Policy::from_source(policy.source.clone()).expect("it compiled before");
    assert_eq!(again.version, policy.version);

    // Monday noon in Beijing.
    let now: Timestamp = "2026-03-16T04:00:07Z".parse().expect("an instant");
    for &product in Product::ALL {
        for &purpose in Purpose::ALL {
            let request = Request::new(profile(product, purpose), &policy.suffixes);
            for facts in [
                blocked(),
                unknown(),
                NameFacts::empty(Entitlement::complete()),
            ] {
                let facts = Facts::of_name(facts);
                let decision = decide(policy, &request, &facts, now);
                assert_eq!(decide(&again, &request, &facts, now), decision);
                let then = decide(policy, &request, &facts, decision.decided_at);
                assert_eq!(then.verdict, decision.verdict);
                assert_eq!(then.findings, decision.findings);
                timely(&decision, now);
            }
            if request.needs_facts() {
                denied(&decide(policy, &request, &Facts::of_name(blocked()), now));
                let decision = decide(policy, &request, &Facts::of_name(unknown()), now);
                assert_ne!(decision.verdict, Verdict::Allow, "{decision:?}");
            }
        }
    }
}

/// A name on the authority's list, and nothing else.
fn blocked() -> NameFacts {
    let long_ago: Timestamp = "2025-03-16T00:00:00Z".parse().expect("an instant");
    let block = Fact {
        value: Record::Block(Block {
            list: BlockList::Authority,
            target: BlockTarget::Domain(RecordDomain::new("blocked.cn")),
            reason: "for fuzzing".into(),
            since: None,
            until: None,
        }),
        provenance: Provenance {
            source: "test".into(),
            observed_at: long_ago,
            revision: Revision(1),
            committed_at: long_ago,
        },
    };
    NameFacts::collect([block], Entitlement::complete())
}

/// A store that did not answer.
fn unknown() -> NameFacts {
    NameFacts::empty(Entitlement::unknown(Why::StoreUnavailable))
}

/// Whatever a policy says, a name on a list of blocks is denied.
fn denied(decision: &Decision) {
    assert_eq!(decision.verdict, Verdict::Deny, "{decision:?}");
    let reasons = decision.reasons();
    assert!(reasons.contains(&Reason::DomainBlacklisted), "{decision:?}");
}

fn timely(decision: &Decision, now: Timestamp) {
    assert!(decision.decided_at <= now, "{decision:?}");
    assert!(now < decision.valid_until, "{decision:?}");
    assert!(
        decision.valid_until <= decision.decided_at + SignedDuration::from_hours(24),
        "{decision:?}"
    );
    let waits = decision.retry_after.is_some();
    match decision.verdict {
        Verdict::Indeterminate => assert!(waits, "{decision:?}"),
        Verdict::Allow | Verdict::Review => assert!(!waits, "{decision:?}"),
        Verdict::Deny => {}
    }
}

fn profile(product: Product, purpose: Purpose) -> Profile {
    Profile {
        domain: "www.blocked.cn".to_owned(),
        product,
        service_area: ServiceArea::Mainland,
        purpose,
        site: Site {
            payment_enabled: true,
            ..Site::default()
        },
        claimed_filing_number: None,
        origin_host: None,
        origin_in_mainland: None,
        host_header: None,
        customer: Customer::default(),
        applicant: None,
        language: Language::English,
    }
}
