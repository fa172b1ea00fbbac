//! What single texts tell of their case.

use std::collections::BTreeSet;

use crate::support::{Question, RIGHT_NUMBER, Setting, cjk, evidence_of, finding};
use icpgate_policy::codes::{BlockList, Outcome, Product, Purpose, Reason, RecordKind};
use icpgate_policy::decision::{Detail, Evidence, FactSet, Finding};
use icpgate_policy::explain::{self, Language, policy_problem};
use icpgate_policy::policy::Policy;
use icpgate_policy::rules::RuleId;

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

#[test]
fn the_right_number_is_named_to_its_own_subject() {
    let setting = Setting::new(&Question::default());
    for language in LANGUAGES {
        let ctx = setting.explained(language);
        let found = Finding {
            evidence: evidence_of(RecordKind::Service),
            ..finding(RuleId::R16, Outcome::Pass, Some(Reason::FilingNumberForm))
        };
        assert!(explain::obligation(&ctx, &found).contains(RIGHT_NUMBER));
        let found = finding(RuleId::R39, Outcome::Pass, Some(Reason::DisplayMissing));
        assert!(
            explain::finding(&ctx, &found)
                .remediation
                .contains(RIGHT_NUMBER)
        );
    }
}

#[test]
fn claimed_numbers_are_explained_to_the_character() {
    let text = |number: &str, detail: Detail, language: Language| {
        let setting = Setting::new(&Question {
            claimed: Some(number.to_owned()),
            ..Question::default()
        });
        let found = Finding {
            detail,
            ..finding(
                RuleId::R17,
                Outcome::Deny,
                Some(Reason::FilingNumberInvalid),
            )
        };
        let text = explain::finding(&setting.explained(language), &found);
        (text.message.into_owned(), text.remediation.into_owned())
    };
    let (message, remediation) = text(
        "川ICP备2026033844号-1",
        Detail::Malformed,
        Language::English,
    );
    assert_eq!(
        message,
        "The claimed number is not well formed: in this kind of number the province is written 蜀 \
         (character 1, `川`)."
    );
    assert!(
        remediation.contains("`蜀ICP备2026033844号-1`"),
        "{remediation}"
    );
    let (message, remediation) = text(
        "川ICP备2026033844号-1",
        Detail::Malformed,
        Language::Chinese,
    );
    assert!(
        message.contains("第 1 个字符“川”") && message.ends_with("。"),
        "{message}"
    );
    assert!(
        remediation.contains("蜀ICP备2026033844号-1"),
        "{remediation}"
    );
    let (message, _) = text(
        "川公网安备51012402001727号",
        Detail::Malformed,
        Language::English,
    );
    assert!(message.contains("public-security"), "{message}");
    let (message, _) = text("京ICP备2099000001号", Detail::YearAhead, Language::English);
    assert!(message.contains("year"), "{message}");
}

#[test]
fn names_that_are_none_are_explained() {
    let text = |domain: &str, product: Product, language: Language| {
        let setting = Setting::new(&Question {
            domain: domain.to_owned(),
            product,
            ..Question::default()
        });
        let found = Finding {
            detail: Detail::Malformed,
            ..finding(RuleId::R01, Outcome::Deny, Some(Reason::DomainInvalid))
        };
        let text = explain::finding(&setting.explained(language), &found);
        format!("{} {}", text.message, text.remediation)
    };
    let url = "https://www.example.cn/index.html";
    assert!(
        text(url, Product::Cdn, Language::English).ends_with("Ask again with `www.example.cn`.")
    );
    assert!(text(url, Product::Cdn, Language::Chinese).contains("`www.example.cn`"));
    assert!(text("203.0.113.7", Product::Cdn, Language::English).contains("IP address"));
    assert!(text("10.0.0.1", Product::Hosting, Language::English).contains("private"));
    assert!(text("com.cn", Product::Cdn, Language::English).contains("public suffix"));
    assert!(text("", Product::Cdn, Language::English).contains("empty"));
}

#[test]
fn origin_and_host_header_are_told_apart() {
    let setting = Setting::new(&Question {
        origin: Some("origin.example.net".to_owned()),
        host_header: Some("a_b.example.org".to_owned()),
        ..Question::default()
    });
    let ctx = setting.explained(Language::English);
    let marked = |set, reason| Finding {
        evidence: [Evidence {
            set,
            kind: RecordKind::Service,
            index: u16::MAX,
        }]
        .into_iter()
        .collect(),
        ..finding(RuleId::R18, Outcome::Deny, Some(reason))
    };
    let origin = explain::finding(&ctx, &marked(FactSet::Origin, Reason::OriginNotFiled));
    assert!(
        origin.message.contains("`origin.example.net`"),
        "{}",
        origin.message
    );
    let header = explain::finding(&ctx, &marked(FactSet::HostHeader, Reason::DomainInvalid));
    assert!(
        header.message.starts_with("The host header "),
        "{}",
        header.message
    );
    assert!(header.message.contains("underscore"), "{}", header.message);
}

#[test]
fn days_are_those_of_beijing_and_the_last_day_counts() {
    let setting = Setting::new(&Question::default());
    let due = |instant: &str| {
        let found = Finding {
            due_at: Some(instant.parse().unwrap()),
            evidence: evidence_of(RecordKind::Licence),
            ..finding(
                RuleId::R26,
                Outcome::Pass,
                Some(Reason::CommercialLicenceExpiring),
            )
        };
        explain::obligation(&setting.explained(Language::English), &found).into_owned()
    };
    // Midnight in Beijing after 30 June.
    let text = due("2027-06-30T16:00:00Z");
    assert!(text.contains("ends on 2027-06-30."), "{text}");
    assert!(
        text.ends_with("Due by 2027-06-30 (Beijing time)."),
        "{text}"
    );
    assert!(due("2027-06-30T16:00:01Z").ends_with("Due by 2027-07-01 (Beijing time)."));
}

#[test]
fn a_lost_filing_is_confirmed_before_anything_is_switched_off() {
    for (language, wait) in [
        (Language::English, "after 1 hour,"),
        (Language::Chinese, "1 小时后"),
    ] {
        let text = |purpose| {
            let setting = Setting::new(&Question {
                purpose,
                ..Question::default()
            });
            let found = finding(RuleId::R07, Outcome::Deny, Some(Reason::FilingNotFound));
            explain::finding(&setting.explained(language), &found)
                .remediation
                .into_owned()
        };
        assert!(
            text(Purpose::Recheck).contains(wait),
            "{}",
            text(Purpose::Recheck)
        );
        assert!(!text(Purpose::Order).contains(wait));
        assert!(text(Purpose::Order).contains("OUTSIDE_MAINLAND"));
    }
}

#[test]
fn lists_of_the_policy_are_named() {
    let setting = Setting::new(&Question {
        purpose: Purpose::PreFiling,
        ..Question::default()
    });
    let ctx = setting.explained(Language::English);
    let mismatch = finding(RuleId::R31, Outcome::Deny, Some(Reason::RegistrantMismatch));
    assert!(explain::finding(&ctx, &mismatch).remediation.contains(
        "the organisation itself, its legal representative, its principal, a senior manager or a \
         shareholder"
    ));
    // The applicant is a public institution in Ningxia, which accepts the organisation alone.
    let narrowed = finding(RuleId::R30, Outcome::Deny, Some(Reason::RegistrantMismatch));
    let text = explain::finding(&ctx, &narrowed).remediation;
    assert!(
        text.ends_with("Accepted as registrant: the organisation itself."),
        "{text}"
    );
    let suffix = finding(RuleId::R46, Outcome::Deny, Some(Reason::SuffixNotForNature));
    let text = explain::finding(&ctx, &suffix);
    assert!(
        text.message.contains("public institutions"),
        "{}",
        text.message
    );
    assert!(
        text.remediation.contains("`.cn, .公益"),
        "{}",
        text.remediation
    );
    assert!(
        !text.remediation.contains("公益.cn"),
        "{}",
        text.remediation
    );
}

#[test]
fn a_pass_does_not_claim_what_the_policy_switched_off() {
    let document = r#"
        extends = "mainland-strict"
        [reasons]
        TLD_NOT_APPROVED = "off"
    "#;
    let mut setting = Setting::new(&Question::default());
    let text = |setting: &Setting, rule, detail| {
        let found = Finding {
            detail,
            ..finding(rule, Outcome::Pass, None)
        };
        explain::finding(&setting.explained(Language::English), &found).message
    };
    assert_eq!(
        text(&setting, RuleId::R37, Detail::None),
        "The top-level domain is approved."
    );
    setting.policy = Policy::compile(document, "self").unwrap();
    assert_eq!(
        text(&setting, RuleId::R37, Detail::None),
        "Nothing was found that the policy weighs."
    );
    assert!(text(&setting, RuleId::R47, Detail::Undeclared).starts_with("This was not declared"));
}

#[test]
fn block_lists_are_told_apart() {
    for (list, own) in [(BlockList::Authority, false), (BlockList::Provider, true)] {
        let setting = Setting::new(&Question {
            list,
            ..Question::default()
        });
        let found = Finding {
            evidence: evidence_of(RecordKind::Block),
            ..finding(RuleId::R04, Outcome::Deny, Some(Reason::DomainBlacklisted))
        };
        let text = explain::finding(&setting.explained(Language::English), &found);
        assert_eq!(
            text.message.contains("this provider's"),
            own,
            "{}",
            text.message
        );
    }
}

#[test]
fn policy_problems_name_the_remedy() {
    let document = r#"
        extends = "mainland-strict"
        [access]
        grace = "soon"
        graze = "45d"
        [sectors]
        NEWS = "forbid"
        [rules]
        R04 = "off"
        [names]
        extra_suffixes = ["-", "*.cn"]
        [calendar.2026]
        holidays = ["2026-13-01", "first of May", "2025-01-01", "2026-05-03..2026-05-01"]
        make_up_days = ["2026-11-23"]
        [calendar.next]
        holidays = []
        make_up_days = []
    "#;
    let mut problems = Policy::compile(document, "self").unwrap_err().problems;
    for broken in ["x = ", "extends = \"nowhere\"", "name = \"n\""] {
        problems.extend(Policy::compile(broken, "self").unwrap_err().problems);
    }
    let mut kinds = BTreeSet::new();
    for (path, problem) in &problems {
        kinds.insert(
            format!("{problem:?}")
                .split([' ', '('])
                .next()
                .unwrap()
                .to_owned(),
        );
        for language in LANGUAGES {
            let text = policy_problem(problem, language);
            let stop = if language == Language::English {
                '.'
            } else {
                '。'
            };
            assert!(text.ends_with(stop), "{path}: {text}");
            assert!(!text.contains("PolicyProblem"), "{text}");
            if language == Language::Chinese {
                assert!(text.chars().any(cjk), "{text}");
            }
        }
    }
    assert_eq!(kinds.len(), 9, "{kinds:?}");
    let text = |path: &str| {
        let (_, problem) = problems.iter().find(|(at, _)| at == path).unwrap();
        policy_problem(problem, Language::English)
    };
    assert!(
        text("access.graze").contains("`access.grace`"),
        "{}",
        text("access.graze")
    );
    assert!(text("sectors.NEWS").contains("deny-with-payment"));
    assert!(text("rules.R04").contains("cannot be weakened"));
}
