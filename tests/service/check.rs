//! One question: what is refused, what is a finding, and what an answer holds.

use icpgate::proto::v1;
use tonic::Code;

use super::harness::{
    Server, ask, bad_fields, full, hosting, instant, obligations, reasons, sound, wherever,
};
use icpgate::clock::Clock as _;

type Ask = v1::CheckProvisioningRequest;
type Freshness = v1::check_provisioning_request::Consistency;

#[tokio::test]
async fn a_malformed_question_is_refused_with_its_field() {
    let server = Server::empty().await;
    let fine = || ask("sample-shop.cn");
    let cases: Vec<(Ask, &[&str])> = vec![
        (ask(""), &["domain"]),
        (ask("   "), &["domain"]),
        (ask(&"a".repeat(256)), &["domain"]),
        (ask(&"样".repeat(256)), &["domain"]),
        (
            Ask {
                product: 0,
                ..fine()
            },
            &["product"],
        ),
        (
            Ask {
                product: 7,
                ..fine()
            },
            &["product"],
        ),
        (
            Ask {
                product: -1,
                ..fine()
            },
            &["product"],
        ),
        (
            Ask {
                service_area: 0,
                ..fine()
            },
            &["service_area"],
        ),
        (
            Ask {
                service_area: 4,
                ..fine()
            },
            &["service_area"],
        ),
        (
            Ask {
                language: "not a tag!".into(),
                ..fine()
            },
            &["language"],
        ),
        (
            Ask {
                language: "zh_CN".into(),
                ..fine()
            },
            &["language"],
        ),
        (
            Ask {
                language: "中文".into(),
                ..fine()
            },
            &["language"],
        ),
        (
            Ask {
                consistency: Some(Freshness::AtLeastAsFresh("r1F".into())),
                ..fine()
            },
            &["at_least_as_fresh"],
        ),
        (
            Ask {
                consistency: Some(Freshness::AtLeastAsFresh(String::new())),
                ..fine()
            },
            &["at_least_as_fresh"],
        ),
        (
            Ask {
                consistency: Some(Freshness::AtLeastAsFresh("'; DROP TABLE record".into())),
                ..fine()
            },
            &["at_least_as_fresh"],
        ),
        (Ask::default(), &["domain", "product", "service_area"]),
        (
            Ask {
                product: 0,
                language: "x".repeat(9),
                ..ask("")
            },
            &["domain", "product", "language"],
        ),
    ];
    for (question, fields) in cases {
        let status = server.try_check(question.clone()).await.unwrap_err();
        assert_eq!(bad_fields(&status), fields, "{question:?}");
    }
}

#[tokio::test]
async fn the_longest_domain_is_255_characters_as_typed() {
    let server = Server::empty().await;
    for text in [
        "a".repeat(255),
        "样".repeat(255),
        format!("{}.cn", "a.".repeat(126)),
    ] {
        assert!(text.chars().count() <= 255);
        let decision = server.check(ask(&text)).await;
        assert_eq!(decision.verdict(), v1::Verdict::Deny, "{text}");
        assert_eq!(decision.domain.unwrap().input, text);
    }
}

#[tokio::test]
async fn everything_else_that_is_typed_is_a_finding() {
    let server = Server::sample().await;
    let typed = [
        "cn",
        "com.cn",
        ".",
        "..",
        "a..cn",
        "-",
        "*",
        "*.*.sample-shop.cn",
        "www.*.cn",
        "*.cn",
        "https://sample-shop.cn/path?x=1",
        "sample-shop.cn:8080",
        "sample-shop.cn/",
        "a b.cn",
        "user@sample-shop.cn",
        "192.168.1.1",
        "8.8.8.8",
        "[::1]",
        "2001:db8::1",
        "localhost",
        "sample_shop.cn\u{0}",
        "\u{202e}nc.pohs",
        "xn--",
        "xn--zzzzzzzzz.cn",
        "%E6%A0%B7.cn",
        "'; --",
        "\u{feff}",
        "-a.cn",
        "a-.cn",
        "1.1",
        "0x7f.1",
        "样例。中国。。",
    ];
    for text in typed {
        let decision = server.check(ask(text)).await;
        assert_eq!(
            (decision.verdict(), reasons(&decision)),
            (v1::Verdict::Deny, vec![v1::Reason::DomainInvalid]),
            "{text:?}: {decision:?}"
        );
        assert_eq!(decision.domain.unwrap().input, text);
    }
    let message = |decision: &v1::Decision| decision.findings[0].message.clone();
    let url = server.check(ask("https://sample-shop.cn/path")).await;
    let told = format!("{} {}", message(&url), url.findings[0].remediation);
    assert!(
        told.contains("`sample-shop.cn`") || told.contains("sample-shop.cn "),
        "{told}"
    );
}

#[tokio::test]
async fn addresses_go_by_product_and_by_reach() {
    let server = Server::sample().await;
    for product in super::harness::PRODUCTS {
        for address in ["8.8.8.8", "2400:3200::1"] {
            let question = Ask {
                product: product as i32,
                ..ask(address)
            };
            let decision = server.check(question).await;
            let expected = match product {
                v1::Product::Hosting | v1::Product::ReverseProxy => {
                    (v1::Verdict::Review, vec![v1::Reason::BareIp])
                }
                v1::Product::Unspecified
                | v1::Product::Cdn
                | v1::Product::AppBackend
                | v1::Product::MiniProgramBackend
                | v1::Product::DnsOnly => (v1::Verdict::Deny, vec![v1::Reason::DomainInvalid]),
            };
            assert_eq!(
                (decision.verdict(), reasons(&decision)),
                expected,
                "{product:?} {address}"
            );
        }
        for address in [
            "10.0.0.1",
            "127.0.0.1",
            "169.254.1.1",
            "224.0.0.1",
            "0.0.0.0",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
        ] {
            let question = Ask {
                product: product as i32,
                ..ask(address)
            };
            let decision = server.check(question).await;
            assert_eq!(
                reasons(&decision),
                [v1::Reason::DomainInvalid],
                "{product:?} {address}"
            );
        }
    }
}

#[tokio::test]
async fn every_answer_owes_the_same_to_its_caller() {
    let server = Server::sample().await;
    let questions = super::harness::every_question();
    let answers = super::harness::answers(&server, &questions).await;
    let mut seen = std::collections::BTreeSet::new();
    for decision in &answers {
        sound(decision, server.clock.now());
        seen.insert(decision.verdict() as i32);
    }
    assert_eq!(seen.len(), 4, "the sample shows every verdict: {seen:?}");
}

#[tokio::test]
async fn the_sample_shows_what_its_names_say() {
    use v1::Reason as R;
    let server = Server::sample().await;
    let allow: &[R] = &[];
    let cases: [(Ask, &[R], &[R]); 24] = [
        (ask("sample-shop.cn"), allow, &[]),
        (paid(ask("sample-shop.cn")), allow, &[]),
        (ask("sample-blog.cn"), allow, &[]),
        (
            paid(ask("sample-blog.cn")),
            &[R::CommercialByIndividual],
            &[],
        ),
        (ask("sample-elsewhere.cn"), allow, &[]),
        (hosting("sample-elsewhere.cn"), &[R::AccessNotLinked], &[]),
        (hosting("sample-moving.cn"), allow, &[R::AccessLinkGrace]),
        (
            paid(ask("sample-expired.cn")),
            &[R::CommercialLicenceExpired],
            &[],
        ),
        (
            paid(ask("sample-expiring.cn")),
            allow,
            &[R::CommercialLicenceExpiring],
        ),
        (ask("sample-mismatch.cn"), &[R::RegistrantMismatch], &[]),
        (ask("sample-redacted.com"), &[R::RegistrantUnknown], &[]),
        (ask("sample-syncing.cn"), &[R::RealNameSyncing], &[]),
        (ask("样例。中国"), allow, &[]),
        (ask("sample-app.cn"), &[R::FilingKindMismatch], &[]),
        (ask("edu.sample-city.gov.cn"), allow, &[]),
        (ask("sample-city.gov.cn"), &[R::FilingNotFound], &[]),
        (ask("sample-cancelled.cn"), &[R::FilingCancelled], &[]),
        (ask("sample-suspended.cn"), &[R::FilingSuspended], &[]),
        (ask("sample-pending.cn"), &[R::FilingInProgress], &[]),
        (ask("sample-blocked.cn"), &[R::DomainBlacklisted], &[]),
        (ask("sample-shell.cn"), allow, &[R::EmptyShellRisk]),
        (ask("sample-unlinked.cn"), allow, &[R::DisplayMissing]),
        (ask("sample-held.cn"), &[R::DomainNotActive], &[]),
        (ask("nowhere-filed.cn"), &[R::FilingNotFound], &[]),
    ];
    for (question, expected, owed) in cases {
        let decision = server.check(question.clone()).await;
        assert_eq!(reasons(&decision), expected, "{question:?}");
        assert_eq!(obligations(&decision), owed, "{question:?}");
    }
}

#[tokio::test]
async fn retry_after_is_told_where_time_may_mend_it() {
    let server = Server::sample().await;
    let now = server.clock.now();
    for name in ["nowhere-filed.cn", "sample-pending.cn"] {
        let decision = server.check(ask(name)).await;
        assert!(instant(decision.retry_after) >= now, "{name}");
    }
    for name in [
        "sample-blocked.cn",
        "sample-cancelled.cn",
        "sample-shop.cn",
        "sample-redacted.com",
        "cn",
    ] {
        assert_eq!(server.check(ask(name)).await.retry_after, None, "{name}");
    }
    // Monday noon: the next working day at the earliest.
    let syncing = server.check(ask("sample-syncing.cn")).await;
    assert_eq!(syncing.verdict(), v1::Verdict::Indeterminate);
    let retry = instant(syncing.retry_after);
    assert!(retry >= "2026-03-16T16:00:00Z".parse().unwrap(), "{retry}");
}

#[tokio::test]
async fn basic_is_full_without_what_passed_or_does_not_apply() {
    let server = Server::sample().await;
    for name in super::harness::NAMES {
        for product in super::harness::PRODUCTS {
            let question = Ask {
                product: product as i32,
                ..ask(name)
            };
            let basic = wherever(server.check(question.clone()).await);
            let unspecified = server
                .check(Ask {
                    view: 0,
                    ..question.clone()
                })
                .await;
            assert_eq!(basic, wherever(unspecified));
            let whole = wherever(server.check(full(question)).await);
            let rules: std::collections::BTreeSet<_> =
                whole.findings.iter().map(|f| f.rule.clone()).collect();
            let table: std::collections::BTreeSet<_> = icpgate_policy::rules::RULES
                .iter()
                .map(|rule| rule.id.as_str().to_owned())
                .collect();
            assert_eq!(rules, table, "FULL holds every rule: {name} {product:?}");
            let shown: Vec<_> = whole
                .findings
                .iter()
                .filter(|finding| match finding.outcome() {
                    v1::Outcome::Pass => finding.reason() != v1::Reason::Unspecified,
                    v1::Outcome::NotApplicable => false,
                    v1::Outcome::Unspecified
                    | v1::Outcome::Deny
                    | v1::Outcome::Review
                    | v1::Outcome::Indeterminate => true,
                })
                .cloned()
                .collect();
            assert_eq!(basic.findings, shown, "{name} {product:?}");
            assert_eq!(
                v1::Decision {
                    findings: basic.findings.clone(),
                    ..whole
                },
                basic
            );
        }
    }
}

#[tokio::test]
async fn rules_run_by_product_and_area() {
    let server = Server::sample().await;
    let applies = |decision: &v1::Decision| {
        decision
            .findings
            .iter()
            .filter(|finding| finding.outcome() != v1::Outcome::NotApplicable)
            .map(|finding| finding.rule.clone())
            .collect::<std::collections::BTreeSet<_>>()
    };
    // Outside the mainland, and for name resolution anywhere, a filing is never asked for.
    for product in super::harness::PRODUCTS {
        let outside = Ask {
            product: product as i32,
            service_area: v1::ServiceArea::OutsideMainland as i32,
            ..full(ask("nowhere-filed.cn"))
        };
        let decision = server.check(outside).await;
        assert_eq!(decision.verdict(), v1::Verdict::Allow, "{product:?}");
        assert!(decision.filing.is_none());
    }
    for area in [v1::ServiceArea::Mainland, v1::ServiceArea::Global] {
        let question = Ask {
            product: v1::Product::DnsOnly as i32,
            service_area: area as i32,
            ..full(ask("sample-blocked.cn"))
        };
        assert_eq!(server.check(question).await.verdict(), v1::Verdict::Allow);
        let cdn = Ask {
            service_area: area as i32,
            ..ask("nowhere-filed.cn")
        };
        assert_eq!(
            reasons(&server.check(cdn).await),
            [v1::Reason::FilingNotFound]
        );
    }
    // Access is a hosting matter; hosting has more rules than an app's backend.
    let cdn = applies(&server.check(full(ask("sample-elsewhere.cn"))).await);
    let host = applies(&server.check(full(hosting("sample-elsewhere.cn"))).await);
    let app = Ask {
        product: v1::Product::AppBackend as i32,
        ..full(ask("sample-app.cn"))
    };
    let app = server.check(app).await;
    assert_eq!(app.verdict(), v1::Verdict::Allow, "{app:?}");
    assert!(applies(&app).is_subset(&host) || applies(&app).len() < host.len());
    assert_ne!(cdn, host);
    let below = Ask {
        product: v1::Product::AppBackend as i32,
        ..ask("www.sample-app.cn")
    };
    assert_eq!(
        reasons(&server.check(below).await),
        [v1::Reason::AppNotFiled]
    );
    // What was declared about the customer counts everywhere.
    let unverified = v1::Customer {
        real_name: v1::RealName::Unverified as i32,
        ..Default::default()
    };
    for area in [v1::ServiceArea::Mainland, v1::ServiceArea::OutsideMainland] {
        let question = Ask {
            service_area: area as i32,
            customer: Some(unverified.clone()),
            ..ask("sample-shop.cn")
        };
        assert_eq!(
            reasons(&server.check(question).await),
            [v1::Reason::CustomerNotVerified]
        );
    }
}

#[tokio::test]
async fn answers_come_in_the_language_that_was_asked_for() {
    let server = Server::sample().await;
    let chinese = |text: &str| text.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c));
    for (language, in_chinese) in [
        ("", false),
        ("en", false),
        ("en-GB", false),
        ("fr", false),
        ("de-CH-1996", false),
        ("zh", true),
        ("zh-CN", true),
        ("zh-Hans-CN", true),
        ("ZH-hans", true),
    ] {
        let question = Ask {
            language: language.to_owned(),
            ..full(ask("sample-cancelled.cn"))
        };
        let decision = server.check(question).await;
        for finding in decision.findings {
            assert_eq!(
                chinese(&finding.message),
                in_chinese,
                "{language}: {}",
                finding.message
            );
            if finding.outcome() == v1::Outcome::Deny {
                assert_eq!(
                    chinese(&finding.remediation),
                    in_chinese,
                    "{language}: {}",
                    finding.remediation
                );
            }
        }
    }
}

#[tokio::test]
async fn the_name_and_its_filing_are_told() {
    let server = Server::sample().await;
    let decision = server.check(ask("WWW。样例．中国.")).await;
    assert_eq!(decision.verdict(), v1::Verdict::Allow, "{decision:?}");
    let domain = decision.domain.unwrap();
    assert_eq!(domain.input, "WWW。样例．中国.");
    assert_eq!(domain.unicode, "www.样例.中国");
    assert_eq!(domain.ascii, "www.xn--fsq541d.xn--fiqs8s");
    assert_eq!(domain.registrable, "xn--fsq541d.xn--fiqs8s");
    let filing = decision.filing.unwrap();
    assert_eq!(filing.subject_number, "粤ICP备2024880010号");
    assert_eq!(filing.service_number, "粤ICP备2024880010号-1");
    assert_eq!(filing.subject_name, "样例10号科技有限公司（虚构）");
    // The name of a person is never told.
    let person = server.check(ask("sample-blog.cn")).await.filing.unwrap();
    assert_eq!(person.nature(), v1::SubjectNature::Individual);
    assert_eq!(person.subject_name, "");
    // A wildcard is asked about what it stands under.
    let star = server.check(ask("*.sample-shop.cn")).await;
    assert_eq!(star.verdict(), v1::Verdict::Allow);
    assert_eq!(star.domain.unwrap().ascii, "*.sample-shop.cn");
}

#[tokio::test]
async fn origins_and_host_headers_are_checked_for_a_cdn_alone() {
    use v1::Reason as R;
    let server = Server::sample().await;
    let origin = |host: &str, mainland: Option<bool>| Ask {
        origin_host: host.to_owned(),
        origin_in_mainland: mainland,
        ..ask("sample-shop.cn")
    };
    let none: &[R] = &[];
    let cases: [(Ask, &[R]); 7] = [
        (origin("nowhere-filed.cn", Some(true)), &[R::OriginNotFiled]),
        (origin("nowhere-filed.cn", Some(false)), none),
        (origin("origin.sample-shop.cn", Some(true)), none),
        (origin("203.0.113.7", Some(true)), none),
        (origin("qq.com", Some(true)), none),
        (
            Ask {
                host_header: "nowhere-filed.cn".into(),
                ..ask("sample-shop.cn")
            },
            &[R::HostHeaderNotFiled],
        ),
        (
            Ask {
                product: v1::Product::Hosting as i32,
                ..origin("nowhere-filed.cn", Some(true))
            },
            none,
        ),
    ];
    for (question, expected) in cases {
        let decision = server.check(question.clone()).await;
        assert_eq!(reasons(&decision), expected, "{question:?}");
    }
}

#[tokio::test]
async fn a_request_beyond_the_limit_is_refused_and_the_server_lives() {
    let server = Server::with(&[("limits.max_request_bytes", "64KiB")]).await;
    let question = Ask {
        claimed_filing_number: "9".repeat(100_000),
        ..ask("sample-shop.cn")
    };
    let status = server.try_check(question).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
    let question = Ask {
        claimed_filing_number: "9".repeat(10_000),
        ..ask("sample-shop.cn")
    };
    let status = server.try_check(question).await.unwrap_err();
    assert_eq!(bad_fields(&status), ["claimed_filing_number"]);
    assert_eq!(
        server.check(ask("sample-shop.cn")).await.verdict(),
        v1::Verdict::Allow
    );
}

fn paid(question: Ask) -> Ask {
    Ask {
        site: Some(v1::Site {
            payment_enabled: true,
            ..v1::Site::default()
        }),
        ..question
    }
}
