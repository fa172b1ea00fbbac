//! Which questions are one question: the identifier of a decision.

use std::collections::BTreeMap;

use icpgate::proto::v1;
use jiff::{SignedDuration, Timestamp};

use super::harness::{Server, ask, filed, wherever, wire};

type Ask = v1::CheckProvisioningRequest;
type Freshness = v1::check_provisioning_request::Consistency;

#[tokio::test]
async fn spellings_of_one_name_are_one_question() {
    let server = Server::sample().await;
    let one = [
        [
            "sample-shop.cn",
            "SAMPLE-Shop.CN",
            "sample-shop.cn.",
            "sample-shop。cn",
            " sample-shop.cn ",
            "ｓａｍｐｌｅ-shop．cn",
        ],
        [
            "样例.中国",
            "xn--fsq541d.xn--fiqs8s",
            "XN--FSQ541D.中国",
            "样例。中国",
            "样例.中国.",
            "样例｡xn--fiqs8s",
        ],
    ];
    for spellings in one {
        let first = wherever(server.check(ask(spellings[0])).await);
        for spelling in spellings {
            let decision = wherever(server.check(ask(spelling)).await);
            assert_eq!(decision.decision_id, first.decision_id, "{spelling}");
            let domain = v1::DecisionDomain {
                input: String::new(),
                ..decision.domain.clone().unwrap()
            };
            let again = v1::Decision {
                domain: Some(domain),
                ..decision
            };
            let domain = v1::DecisionDomain {
                input: String::new(),
                ..first.domain.clone().unwrap()
            };
            assert_eq!(
                again,
                v1::Decision {
                    domain: Some(domain),
                    ..first.clone()
                },
                "{spelling}"
            );
        }
    }
    // The origin is a name too.
    let origin = |host: &str| Ask {
        origin_host: host.to_owned(),
        ..ask("sample-shop.cn")
    };
    let lower = server.check(origin("origin.qq.com")).await;
    assert_eq!(
        server.check(origin("ORIGIN.QQ.com.")).await.decision_id,
        lower.decision_id
    );
}

#[tokio::test]
async fn what_stands_outside_the_profile_changes_nothing() {
    let server = Server::sample().await;
    let plain = server.check(ask("sample-shop.cn")).await;
    let revision = plain.revision.clone();
    let outside = [
        Ask {
            order_id: "order 1".into(),
            ..ask("sample-shop.cn")
        },
        Ask {
            view: v1::View::Full as i32,
            ..ask("sample-shop.cn")
        },
        Ask {
            view: v1::View::Basic as i32,
            ..ask("sample-shop.cn")
        },
        Ask {
            consistency: Some(Freshness::MinimizeLatency(true)),
            ..ask("sample-shop.cn")
        },
        Ask {
            consistency: Some(Freshness::FullyConsistent(true)),
            ..ask("sample-shop.cn")
        },
        Ask {
            consistency: Some(Freshness::AtLeastAsFresh(revision)),
            ..ask("sample-shop.cn")
        },
        Ask {
            purpose: v1::Purpose::Order as i32,
            ..ask("sample-shop.cn")
        },
        Ask {
            language: "fr".into(),
            ..ask("sample-shop.cn")
        },
        Ask {
            site: Some(v1::Site::default()),
            customer: Some(v1::Customer::default()),
            ..ask("sample-shop.cn")
        },
    ];
    for question in outside {
        let decision = server.check(question.clone()).await;
        assert_eq!(decision.decision_id, plain.decision_id, "{question:?}");
    }
    let sectors = |sectors: &[v1::Sector]| Ask {
        site: Some(v1::Site {
            sectors: sectors.iter().map(|s| *s as i32).collect(),
            ..Default::default()
        }),
        ..ask("sample-shop.cn")
    };
    let (news, games) = (v1::Sector::News, v1::Sector::Games);
    let one = server.check(sectors(&[news, games])).await;
    let other = server.check(sectors(&[games, news, games])).await;
    assert_eq!(
        one.decision_id, other.decision_id,
        "the order of sectors says nothing"
    );
}

/// Walks every field of the profile: two questions that differ in it have two identifiers.
#[tokio::test]
async fn every_field_of_the_profile_counts() {
    let server = Server::sample().await;
    let mut ids: BTreeMap<String, String> = BTreeMap::new();
    for (field, question) in one_field_each() {
        let decision = server.check(question.clone()).await;
        if let Some(other) = ids.insert(decision.decision_id, field.clone()) {
            panic!("`{field}` and `{other}` have one identifier: {question:?}");
        }
    }
}

#[expect(clippy::too_many_lines, reason = "one entry for each field")]
fn one_field_each() -> Vec<(String, Ask)> {
    let base = || ask("sample-shop.cn");
    let mut all: Vec<(String, Ask)> = vec![
        ("nothing".into(), base()),
        ("domain".into(), ask("www.sample-shop.cn")),
        ("domain, wildcard".into(), ask("*.sample-shop.cn")),
        (
            "language".into(),
            Ask {
                language: "zh".into(),
                ..base()
            },
        ),
        (
            "claimed_filing_number".into(),
            Ask {
                claimed_filing_number: "京ICP备2024880001号".into(),
                ..base()
            },
        ),
        (
            "claimed_filing_number, service".into(),
            Ask {
                claimed_filing_number: "京ICP备2024880001号-1".into(),
                ..base()
            },
        ),
        (
            "origin_host".into(),
            Ask {
                origin_host: "sample-news.cn".into(),
                ..base()
            },
        ),
        (
            "host_header".into(),
            Ask {
                host_header: "sample-news.cn".into(),
                ..base()
            },
        ),
        (
            "origin_in_mainland true".into(),
            Ask {
                origin_in_mainland: Some(true),
                ..base()
            },
        ),
        (
            "origin_in_mainland false".into(),
            Ask {
                origin_in_mainland: Some(false),
                ..base()
            },
        ),
    ];
    for product in super::harness::PRODUCTS.into_iter().skip(1) {
        all.push((
            format!("{product:?}"),
            Ask {
                product: product as i32,
                ..base()
            },
        ));
    }
    for area in [v1::ServiceArea::Global, v1::ServiceArea::OutsideMainland] {
        all.push((
            format!("{area:?}"),
            Ask {
                service_area: area as i32,
                ..base()
            },
        ));
    }
    for purpose in super::harness::PURPOSES.into_iter().skip(1) {
        all.push((
            format!("{purpose:?}"),
            Ask {
                purpose: purpose as i32,
                ..base()
            },
        ));
    }
    let site = |site: v1::Site| Ask {
        site: Some(site),
        ..base()
    };
    all.push((
        "payment".into(),
        site(v1::Site {
            payment_enabled: true,
            ..Default::default()
        }),
    ));
    for model in 1..=4 {
        all.push((
            format!("model {model}"),
            site(v1::Site {
                business_model: model,
                ..Default::default()
            }),
        ));
    }
    for sector in 1..=13 {
        all.push((
            format!("sector {sector}"),
            site(v1::Site {
                sectors: vec![sector],
                ..Default::default()
            }),
        ));
    }
    all.push((
        "two sectors".into(),
        site(v1::Site {
            sectors: vec![1, 2],
            ..Default::default()
        }),
    ));
    for live in [
        "2026-03-01T00:00:00Z",
        "2026-03-01T00:00:01Z",
        "2026-03-01T00:00:00.000000001Z",
    ] {
        let live_since = Some(wire(live.parse::<Timestamp>().unwrap()));
        all.push((
            format!("live {live}"),
            site(v1::Site {
                live_since,
                ..Default::default()
            }),
        ));
    }
    let customer = |customer: v1::Customer| Ask {
        customer: Some(customer),
        ..base()
    };
    for account_id in ["a", "b", "ab"] {
        let account = v1::Customer {
            account_id: account_id.into(),
            ..Default::default()
        };
        all.push((format!("account {account_id}"), customer(account)));
    }
    for real_name in 1..=2 {
        all.push((
            format!("real name {real_name}"),
            customer(v1::Customer {
                real_name,
                ..Default::default()
            }),
        ));
    }
    for domain_control in 1..=2 {
        all.push((
            format!("control {domain_control}"),
            customer(v1::Customer {
                domain_control,
                ..Default::default()
            }),
        ));
    }
    all.extend(applicants());
    // The same text in another field is another question.
    for (field, question) in [
        (
            "text as number",
            Ask {
                claimed_filing_number: "x.cn".into(),
                ..base()
            },
        ),
        (
            "text as origin",
            Ask {
                origin_host: "x.cn".into(),
                ..base()
            },
        ),
        (
            "text as header",
            Ask {
                host_header: "x.cn".into(),
                ..base()
            },
        ),
    ] {
        all.push((field.into(), question));
    }
    all
}

#[expect(clippy::too_many_lines, reason = "one entry for each field")]
fn applicants() -> Vec<(String, Ask)> {
    let filing = |applicant: v1::Applicant| Ask {
        purpose: v1::Purpose::PreFiling as i32,
        applicant: Some(applicant),
        ..ask("sample-shop.cn")
    };
    let credit = |number: &str| {
        Some(v1::Certificate {
            kind: v1::CertificateKind::UnifiedSocialCreditCode as i32,
            number: number.into(),
        })
    };
    let company = || v1::Applicant {
        nature: v1::SubjectNature::Enterprise as i32,
        name: "样例1号科技有限公司（虚构）".into(),
        certificate: credit("91110105MA8800017U"),
        province: "11".into(),
        ..Default::default()
    };
    let person = |role: v1::PersonRole, name: &str| v1::Person {
        role: role as i32,
        name: name.into(),
        certificate: None,
    };
    let legal = v1::PersonRole::LegalRepresentative;
    vec![
        ("applicant".into(), filing(company())),
        (
            "subject_number".into(),
            filing(v1::Applicant {
                subject_number: "京ICP备2024880001号".into(),
                ..Default::default()
            }),
        ),
        (
            "subject_number, other".into(),
            filing(v1::Applicant {
                subject_number: "京ICP备2024880002号".into(),
                ..Default::default()
            }),
        ),
        (
            "nature".into(),
            filing(v1::Applicant {
                nature: v1::SubjectNature::SocialOrganisation as i32,
                ..company()
            }),
        ),
        (
            "entity".into(),
            filing(v1::Applicant {
                entity: v1::SubjectEntity::JointVenture as i32,
                ..company()
            }),
        ),
        (
            "name".into(),
            filing(v1::Applicant {
                name: "样例2号科技有限公司（虚构）".into(),
                ..company()
            }),
        ),
        (
            "certificate".into(),
            filing(v1::Applicant {
                certificate: credit("91110105MA8800033H"),
                ..company()
            }),
        ),
        (
            "no certificate".into(),
            filing(v1::Applicant {
                certificate: None,
                ..company()
            }),
        ),
        (
            "province".into(),
            filing(v1::Applicant {
                province: "44".into(),
                ..company()
            }),
        ),
        (
            "people".into(),
            filing(v1::Applicant {
                people: vec![person(legal, "样例甲")],
                ..company()
            }),
        ),
        (
            "people, name".into(),
            filing(v1::Applicant {
                people: vec![person(legal, "样例乙")],
                ..company()
            }),
        ),
        (
            "people, role".into(),
            filing(v1::Applicant {
                people: vec![person(v1::PersonRole::SeniorManager, "样例甲")],
                ..company()
            }),
        ),
    ]
}

#[tokio::test]
async fn facts_and_time_count_too() {
    let server = Server::sample().await;
    let first = server.check(ask("sample-shop.cn")).await;
    // A write that does not bear on the name changes nothing.
    server.put(filed("elsewhere-example.cn", 880_090)).await;
    assert_eq!(
        server.check(ask("sample-shop.cn")).await.decision_id,
        first.decision_id
    );
    // One that does is another answer.
    let block =
        r#"{"block":{"list":"BLOCK_LIST_PROVIDER","domain":"sample-shop.cn","reason":"test"}}"#;
    server.clock.advance(SignedDuration::from_secs(1));
    server.put(vec![super::harness::record(block)]).await;
    let blocked = server.check(ask("sample-shop.cn")).await;
    assert_eq!(blocked.verdict(), v1::Verdict::Deny);
    assert_ne!(blocked.decision_id, first.decision_id);
    // Past its validity an answer is another one.
    let valid_until = super::harness::instant(first.valid_until);
    let other = Server::sample().await;
    let before = other.check(ask("sample-blog.cn")).await;
    other.clock.set(valid_until);
    assert_ne!(
        other.check(ask("sample-blog.cn")).await.decision_id,
        before.decision_id
    );
}

#[tokio::test]
async fn two_servers_on_one_store_give_one_identifier() {
    let one = Server::sample().await;
    let config = one.config.clone();
    let parts = icpgate::bootstrap::open(&config, true).await.unwrap();
    let (gate, _worker) = icpgate::bootstrap::gate(parts, &config, one.clock.clone()).unwrap();
    for name in super::harness::NAMES {
        let here = one.check(ask(name)).await;
        let question = gate.question(ask(name)).unwrap();
        let there = gate.check(question).await.unwrap();
        assert_eq!(there.decision_id.to_string(), here.decision_id, "{name}");
    }
}
