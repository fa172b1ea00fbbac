//! Who may say "no": registries that are complete and in time, and those that are not.

use icpgate::clock::Clock as _;
use icpgate::proto::v1;
use jiff::SignedDuration;

use super::harness::{PRODUCTS, PURPOSES, Server, Start, ask, filed, hosting, instant, reasons};

type Ask = v1::CheckProvisioningRequest;

const ALL: [&str; 10] = [
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

fn all_but(kind: &str) -> &'static str {
    let rest: Vec<_> = ALL.into_iter().filter(|other| *other != kind).collect();
    rest.join(",").leak()
}

fn asked(name: &str, product: v1::Product, purpose: v1::Purpose) -> Ask {
    Ask {
        product: product as i32,
        purpose: purpose as i32,
        ..ask(name)
    }
}

#[tokio::test]
async fn an_incomplete_registry_never_says_no() {
    for kind in ["service", "subject", "application"] {
        let server = Server::with(&[("records.complete_for", all_but(kind))]).await;
        for product in PRODUCTS {
            for purpose in PURPOSES {
                let decision = server
                    .check(asked("nowhere-filed.cn", product, purpose))
                    .await;
                let of_filing = [
                    v1::Reason::FilingNotFound,
                    v1::Reason::AppNotFiled,
                    v1::Reason::MiniProgramNotFiled,
                    v1::Reason::FilingVariantOnly,
                    v1::Reason::FilingKindMismatch,
                ];
                if kind == "service" {
                    for reason in reasons(&decision) {
                        assert!(
                            !of_filing.contains(&reason),
                            "{kind} {product:?} {purpose:?}: {reason:?}"
                        );
                    }
                }
            }
        }
    }
    let server = Server::with(&[("records.complete_for", all_but("service"))]).await;
    for question in [ask("nowhere-filed.cn"), hosting("nowhere-filed.cn")] {
        let decision = server.check(question).await;
        assert_eq!(decision.verdict(), v1::Verdict::Indeterminate);
        assert_eq!(reasons(&decision), [v1::Reason::FactsUnavailable]);
        assert!(instant(decision.retry_after) > server.clock.now());
    }
    // What is known is known.
    assert_eq!(
        server.check(ask("sample-shop.cn")).await.verdict(),
        v1::Verdict::Allow
    );
    assert_eq!(
        reasons(&server.check(ask("sample-held.cn")).await),
        [v1::Reason::DomainNotActive]
    );
}

#[tokio::test]
async fn a_kind_that_is_missing_leaves_its_own_question_open() {
    let paid = |name: &str| Ask {
        site: Some(v1::Site {
            payment_enabled: true,
            ..Default::default()
        }),
        ..ask(name)
    };
    let cases = [
        ("licence", paid("sample-elsewhere.cn")),
        ("registration", ask("sample-unregistered.cn")),
        ("access", hosting("sample-shell.cn")),
        ("block", ask("sample-shop.cn")),
    ];
    for (kind, question) in cases {
        let server = Server::with(&[("records.complete_for", all_but(kind))]).await;
        let mut records = filed("sample-unregistered.cn", 995_001);
        records
            .retain(|record| !matches!(record.record, Some(v1::record::Record::Registration(_))));
        server.put(records).await;
        let decision = server.check(question.clone()).await;
        assert_eq!(
            (decision.verdict(), reasons(&decision)),
            (
                v1::Verdict::Indeterminate,
                vec![v1::Reason::FactsUnavailable]
            ),
            "{kind}: {decision:?}"
        );
    }
}

#[tokio::test]
async fn a_registry_that_nobody_synced_says_nothing() {
    let server = Server::with(&[("records.complete_for", "none")]).await;
    let decision = server.check(ask("nowhere-filed.cn")).await;
    assert_eq!(reasons(&decision), [v1::Reason::FactsUnavailable]);
    let blocked = server.check(ask("sample-blocked.cn")).await;
    assert_eq!(
        blocked.verdict(),
        v1::Verdict::Deny,
        "a block that is known holds"
    );
}

/// The sync's age is a horizon: no answer by absence outlives it.
#[tokio::test]
async fn absence_ends_with_the_age_of_the_sync() {
    let server = Server::with(&[("records.max_sync_age", "2h")]).await;
    let synced = server.clock.now();
    let fresh = server.check(ask("nowhere-filed.cn")).await;
    assert_eq!(reasons(&fresh), [v1::Reason::FilingNotFound]);
    assert!(
        instant(fresh.valid_until) <= synced + SignedDuration::from_hours(2),
        "{fresh:?}"
    );
    server
        .clock
        .set(synced + SignedDuration::from_secs(2 * 3600 - 1));
    assert_eq!(
        reasons(&server.check(ask("nowhere-filed.cn")).await),
        [v1::Reason::FilingNotFound]
    );
    server.clock.set(synced + SignedDuration::from_hours(2));
    for purpose in PURPOSES {
        let decision = server
            .check(asked("nowhere-filed.cn", v1::Product::Cdn, purpose))
            .await;
        assert_eq!(
            decision.verdict(),
            v1::Verdict::Indeterminate,
            "{purpose:?}"
        );
        assert_eq!(
            reasons(&decision),
            [v1::Reason::FactsUnavailable],
            "{purpose:?}"
        );
    }
    // A sync of what was known already is a sync.
    let text = icpgate::sample::records(synced, "self");
    let records = text.lines().map(super::harness::record).collect();
    server.put(records).await;
    assert_eq!(
        reasons(&server.check(ask("nowhere-filed.cn")).await),
        [v1::Reason::FilingNotFound]
    );
}

#[tokio::test]
async fn a_registry_without_any_sync_is_too_old() {
    let server = Server::start(Start {
        sample: false,
        settings: vec![("records.max_sync_age", "24h")],
        ..Start::default()
    })
    .await;
    let decision = server.check(ask("nowhere-filed.cn")).await;
    assert_eq!(reasons(&decision), [v1::Reason::FactsUnavailable]);
}
