//! Host names: forms that people type, suffixes, and hostile input.

#![expect(
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use icpgate_policy::domain_name::{
    Host, HostError, HostName, LabelProblem, Suffixes, UrlPart, fold, is_under, parse,
};
use icpgate_policy::explain::{Language, domain_name::host_error};
use proptest::prelude::*;

const EXTRA: [&str; 14] = [
    "政务.cn",
    "政務.cn",
    "公益.cn",
    "其它.cn",
    "公益.中国",
    "公益.中國",
    "政务.中国",
    "政務.中國",
    "cn.com",
    "cn.net",
    "kr.com",
    "com.ru",
    "com.de",
    "com.sc",
];
const GOVERNMENT: [&str; 6] = [
    "gov.cn",
    "政务",
    "政务.cn",
    "政務.cn",
    "政务.中国",
    "政務.中國",
];

fn suffixes() -> Suffixes {
    Suffixes::new(&EXTRA.map(String::from), &GOVERNMENT.map(String::from)).unwrap()
}

fn plain() -> Suffixes {
    Suffixes::new(&[], &[]).unwrap()
}

fn name(text: &str) -> HostName {
    match parse(text, &suffixes()) {
        Ok(Host::Name(name)) => name,
        other => panic!("`{text}`: {other:?}"),
    }
}

fn error(text: &str) -> HostError {
    match parse(text, &suffixes()) {
        Err(error) => error,
        Ok(host) => panic!("`{text}` is {host:?}"),
    }
}

fn boxed(text: &str) -> Box<str> {
    text.into()
}

/// Lines of a vector file: the text and what is expected of it.
fn vectors(file: &str) -> impl Iterator<Item = (String, &str)> {
    file.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| {
            let (text, expected) = line.rsplit_once(' ').unwrap();
            let mut unescaped = String::new();
            let mut rest = text;
            while let Some((before, after)) = rest.split_once("\\u{") {
                let (code, after) = after.split_once('}').unwrap();
                unescaped.push_str(before);
                unescaped.push(char::from_u32(u32::from_str_radix(code, 16).unwrap()).unwrap());
                rest = after;
            }
            (unescaped + rest, expected)
        })
}

#[test]
fn registrable_names_follow_the_icann_section() {
    let plain = plain();
    let mut seen = 0;
    for (text, expected) in vectors(include_str!("data/public_suffix.txt")) {
        seen += 1;
        let found = parse(&text, &plain);
        match (found, expected) {
            (Ok(Host::Name(found)), expected) if expected != "-" => {
                let Ok(Host::Name(expected)) = parse(expected, &plain) else {
                    panic!("{expected}")
                };
                assert_eq!(found.registrable(), expected.ascii(), "{text}");
            }
            (Err(HostError::PublicSuffix { .. } | HostError::SingleLabel), "-") => {}
            (found, expected) => panic!("{text}: {found:?}, expected {expected}"),
        }
    }
    assert!(seen > 90);
}

#[test]
fn internationalised_names_follow_uts_46() {
    let plain = plain();
    for (text, expected) in vectors(include_str!("data/idna.txt")) {
        match parse(&text, &plain) {
            Ok(host) => assert_eq!(host.to_string(), expected, "{text}"),
            Err(error) => assert_eq!(expected, "-", "{text}: {error:?}"),
        }
    }
}

#[test]
fn forms_that_people_type_meet_in_one_name() {
    for text in [
        "www.example.com.cn",
        "WWW.Example.COM.CN",
        "www.example.com.cn.",
        "  www.example.com.cn\r\n",
        "\u{feff}www.example.com.cn",
        "www。example。com。cn",
        "www．example｡com．cn。",
        "ｗｗｗ.ｅｘａｍｐｌｅ.ｃｏｍ.ｃｎ",
    ] {
        let name = name(text);
        assert_eq!(name.ascii(), "www.example.com.cn", "{text:?}");
        assert_eq!(name.unicode(), "www.example.com.cn");
        assert_eq!(name.registrable(), "example.com.cn");
        assert_eq!(name.suffix(), "com.cn");
        assert!(name.has_known_suffix() && !name.is_wildcard() && !name.is_government());
    }
    let typed = name("网址之家.CN");
    assert_eq!(typed, name("XN--9iq21T6wdw30c.cn"));
    assert_eq!(typed.unicode(), "网址之家.cn");
}

#[test]
fn wildcards_stand_over_registered_names_only() {
    let wildcard = name("*.Example.com.");
    assert!(wildcard.is_wildcard());
    assert_eq!(wildcard.ascii(), "example.com");
    assert_eq!(wildcard.to_string(), "*.example.com");
    assert_eq!(name("＊。example。com"), wildcard);
    assert_eq!(error("*"), HostError::WildcardAlone);
    assert_eq!(error("*."), HostError::WildcardAlone);
    for (text, suffix) in [
        ("*.cn", "cn"),
        ("*.com.cn", "com.cn"),
        ("*.政务.cn", "xn--zfr164b.cn"),
    ] {
        assert_eq!(
            error(text),
            HostError::WildcardOverSuffix {
                suffix: suffix.into()
            }
        );
    }
    assert_eq!(error("*.localhost"), HostError::SingleLabel);
    for (text, position) in [
        ("a.*.com", 3),
        ("*a.com", 1),
        ("a*.com", 2),
        ("*.*.com", 3),
        ("**.com", 1),
    ] {
        assert_eq!(
            error(text),
            HostError::WildcardPosition { position },
            "{text}"
        );
    }
}

#[test]
fn a_leading_dot_is_answered_with_the_wildcard() {
    let suggestion = Some(boxed("*.example.com"));
    assert_eq!(
        error(".Example.com"),
        HostError::LeadingDot {
            suggestion: suggestion.clone()
        }
    );
    assert_eq!(error("。example.com"), HostError::LeadingDot { suggestion });
    assert_eq!(error(".com.cn"), HostError::LeadingDot { suggestion: None });
    assert_eq!(
        error(".192.0.2.1"),
        HostError::LeadingDot { suggestion: None }
    );
    for text in [".", "..", "..example.com"] {
        assert_eq!(error(text), HostError::EmptyLabel { label: 1 }, "{text}");
    }
}

#[test]
fn urls_and_ports_are_answered_with_the_host() {
    use UrlPart::{Path, Port, Scheme, UserInfo};
    for (text, part, host) in [
        ("https://WWW.example.com/a?b#c", Scheme, "www.example.com"),
        (
            "http：／／例子.中国／首页",
            Scheme,
            "xn--fsqu00a.xn--fiqs8s",
        ),
        ("//example.com", Scheme, "example.com"),
        ("http:example.com", Scheme, "example.com"),
        (
            "https://user:secret@example.com:8443/",
            Scheme,
            "example.com",
        ),
        ("mailto:user@example.com", UserInfo, "example.com"),
        ("user@example.com", UserInfo, "example.com"),
        ("example.com:8080", Port, "example.com"),
        ("example.com:", Port, "example.com"),
        ("*.example.com:443", Port, "*.example.com"),
        ("192.0.2.1:80", Port, "192.0.2.1"),
        ("[2001:db8::1]:443", Port, "2001:db8::1"),
        ("https://[2001:db8::1]/", Scheme, "2001:db8::1"),
        ("example.com/", Path, "example.com"),
        ("example.com\\a", Path, "example.com"),
        ("example.com?a=b", Path, "example.com"),
        ("example.com#a", Path, "example.com"),
    ] {
        assert_eq!(
            error(text),
            HostError::NotBare {
                part,
                host: Some(host.into())
            },
            "{text}"
        );
    }
    for text in [
        "https://",
        "http:///a",
        "https://com.cn/",
        "a@",
        "://",
        "https://a_b.example.com",
    ] {
        assert!(
            matches!(error(text), HostError::NotBare { host: None, .. }),
            "{text}"
        );
    }
}

#[test]
fn what_stands_before_an_at_sign_is_never_repeated() {
    for text in [
        "zhangsan:hunter2@example.com",
        "https://zhangsan:hunter2@example.com/",
    ] {
        let error = error(text);
        for language in [Language::English, Language::Chinese] {
            let message = host_error(&error, language);
            assert!(message.contains("`example.com`"), "{message}");
            assert!(
                !message.contains("zhangsan") && !message.contains("hunter2"),
                "{message}"
            );
        }
        assert!(!format!("{error:?} {error}").contains("hunter2"));
    }
}

#[test]
fn addresses_are_read_in_their_usual_forms() {
    for (text, address) in [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1. ", "192.0.2.1"),
        ("１９２．０．２．１", "192.0.2.1"),
        ("192。0。2。1", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1"),
        ("fe80::1%eth0", "fe80::1"),
    ] {
        assert_eq!(
            parse(text, &plain()),
            Ok(Host::Ip(address.parse().unwrap())),
            "{text}"
        );
    }
    for text in [
        "1.2.3",
        "1.2.3.4.5",
        "256.1.1.1",
        "01.2.3.4",
        "0x7f.1",
        "0x7f000001",
        "2130706433",
        "example.1",
        "example.0x1f",
        "example.0x",
        "*.1.2.3.4",
    ] {
        assert_eq!(error(text), HostError::Numeric, "{text}");
    }
    for text in ["[192.0.2.1]", "[example.com]", "1::2::3", "[::1", "::1]"] {
        assert!(parse(text, &plain()).is_err(), "{text}");
    }
}

#[test]
fn texts_that_are_no_host_names() {
    for text in ["", " \t\n", "\u{3000}"] {
        assert_eq!(error(text), HostError::Empty);
    }
    assert_eq!(error("exa\0mple.com"), HostError::Control { position: 4 });
    assert_eq!(error("a.com\nb.com"), HostError::Control { position: 6 });
    assert_eq!(
        error("_dmarc.example.com"),
        HostError::Underscore { position: 1 }
    );
    assert_eq!(
        error("a_b.example.com"),
        HostError::Underscore { position: 2 }
    );
    assert_eq!(
        error("*._dmarc.example.com"),
        HostError::Underscore { position: 3 }
    );
    assert_eq!(
        error("a b.com"),
        HostError::Forbidden {
            character: ' ',
            position: 2
        }
    );
    assert_eq!(
        error("a.com;"),
        HostError::Forbidden {
            character: ';',
            position: 6
        }
    );
    assert_eq!(error("a..com"), HostError::EmptyLabel { label: 2 });
    assert_eq!(error("*..com"), HostError::EmptyLabel { label: 2 });
    assert_eq!(error("a.com.."), HostError::EmptyLabel { label: 3 });
    assert_eq!(error("localhost"), HostError::SingleLabel);
    assert_eq!(
        error("COM.cn."),
        HostError::PublicSuffix {
            suffix: "com.cn".into()
        }
    );
    assert_eq!(
        error("中国"),
        HostError::PublicSuffix {
            suffix: "xn--fiqs8s".into()
        }
    );
    let label = |label, problem| HostError::Label { label, problem };
    assert_eq!(error("a.-b.com"), label(2, LabelProblem::EdgeHyphen));
    assert_eq!(error("*.b-.com"), label(2, LabelProblem::EdgeHyphen));
    assert_eq!(
        error("a.XN--zzzzzzz99999.com"),
        label(2, LabelProblem::Punycode)
    );
    // The A-label of `xn--䝹䟩䞐cnex䞻b`: no U-label begins like an A-label.
    let twice = "example.xn--xn--cnexb-jl2mfiqs8s";
    assert_eq!(error(twice), label(2, LabelProblem::Punycode));
    let below = "*.XN--xn--cnexb-jl2mFIQS8S.cn";
    assert_eq!(error(below), label(2, LabelProblem::Punycode));
    assert_eq!(error("a\u{202e}.com"), label(1, LabelProblem::Idna));
    assert_eq!(error("0à.א.com"), HostError::Bidirectional);
}

#[test]
fn lengths_are_those_of_the_a_label_form() {
    let label = "a".repeat(63);
    assert_eq!(
        name(&format!("{label}.com")).registrable(),
        format!("{label}.com")
    );
    let problem = LabelProblem::TooLong { length: 64 };
    assert_eq!(
        error(&format!("x.{label}a.com")),
        HostError::Label { label: 2, problem }
    );
    let han: String = (0..30)
        .filter_map(|n| char::from_u32(0x4e00 + n * 7919 % 20_000))
        .collect();
    assert!(matches!(
        error(&format!("{han}.cn")),
        HostError::Label {
            label: 1,
            problem: LabelProblem::TooLong { .. }
        }
    ));
    let longest = format!("{label}.{label}.{label}.{}.com", "b".repeat(57));
    assert_eq!(longest.len(), 253);
    assert_eq!(name(&longest).ascii().len(), 253);
    assert_eq!(name(&format!("{longest}.")).registrable().len(), 61);
    assert_eq!(
        error(&format!("c{longest}")),
        HostError::Label {
            label: 1,
            problem: LabelProblem::TooLong { length: 64 }
        }
    );
    assert_eq!(
        error(&format!("{}b.com", &longest[..249])),
        HostError::NameTooLong { length: 254 }
    );
    assert_eq!(
        error(&format!("*.{longest}")),
        HostError::NameTooLong { length: 255 }
    );
    assert_eq!(
        error(&"a.".repeat(5_000)),
        HostError::NameTooLong { length: 10_000 }
    );
}

#[test]
fn every_error_is_worded_in_both_languages() {
    for text in [
        "",
        "a\0b.com",
        "a..com",
        "a b.com",
        "a;b.com",
        "-a.com",
        "xn--a.com",
        "a\u{e000}.com",
        ".example.com",
        ".cn",
        "https://",
        "https://example.com",
        "a@example.com",
        "example.com:1",
        "example.com/",
        "1.2.3",
        "cn",
        "localhost",
        "_a.cn",
        "*",
        "*.cn",
        "a.*.cn",
        "0à.א.com",
        &"a".repeat(300),
        &format!("{}.com", "a".repeat(64)),
        &"a.".repeat(999),
    ] {
        let error = error(text);
        let english = host_error(&error, Language::English);
        let chinese = host_error(&error, Language::Chinese);
        assert!(
            !english.ends_with('.') && english.contains("; "),
            "{english}"
        );
        assert!(
            !chinese.ends_with('。') && chinese.contains('；'),
            "{chinese}"
        );
        assert!(!english.contains("  "), "{english}");
    }
}

fn typed() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[a-zA-Z0-9-]{1,8}",
        "[中国國网網公司政务務例子]{1,4}",
        Just("xn--fiqs8s".to_owned()),
        Just("*".to_owned()),
        Just("com.cn".to_owned()),
        Just("gov.cn".to_owned()),
        Just("_x".to_owned()),
        "\\PC{1,3}",
    ];
    let separator = prop_oneof![
        8 => Just("."), 1 => Just("。"), 1 => Just("．"), 1 => Just(":"), 1 => Just("/"), 1 => Just("@"),
    ];
    (
        prop::collection::vec((part, separator), 1..6),
        "[.\u{3000} \u{feff}]{0,1}",
    )
        .prop_map(|(parts, end)| {
            let mut text: String = parts
                .into_iter()
                .flat_map(|(p, s)| [p, s.to_owned()])
                .collect();
            text.pop();
            text + &end
        })
}

/// What must hold of any text.
fn check(text: &str) -> Result<(), TestCaseError> {
    let suffixes = suffixes();
    match parse(text, &suffixes) {
        Ok(host) => {
            let again = parse(&host.to_string(), &suffixes);
            prop_assert_eq!(again.as_ref(), Ok(&host));
            let Host::Name(name) = host else {
                return Ok(());
            };
            prop_assert!(name.ascii().len() <= 253 && name.ascii().is_ascii());
            prop_assert!(
                name.ascii()
                    .split('.')
                    .all(|l| !l.is_empty() && l.len() <= 63)
            );
            prop_assert!(!name.ascii().contains(|c: char| c.is_ascii_uppercase()));
            prop_assert_eq!(name.candidates().next(), Some(name.ascii()));
            prop_assert_eq!(name.candidates().last(), Some(name.registrable()));
            prop_assert!(name.candidates().all(|c| is_under(name.ascii(), c)));
            let suffix = format!(".{}", name.suffix());
            prop_assert!(name.registrable().ends_with(&suffix));
            let typed_in_script = parse(name.unicode(), &suffixes);
            let by_script = typed_in_script.map(|host| host.to_string());
            prop_assert_eq!(by_script.as_deref(), Ok(name.ascii()));
            let key = fold(name.ascii()).into_owned();
            prop_assert_eq!(fold(&key), key.as_str());
        }
        Err(error) => {
            for language in [Language::English, Language::Chinese] {
                prop_assert!(!host_error(&error, language).is_empty());
            }
            if let HostError::NotBare {
                host: Some(host), ..
            } = error
            {
                let again = parse(&host, &suffixes).map(|host| host.to_string());
                prop_assert_eq!(again.as_deref(), Ok(&*host));
            }
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}|(?s).{0,40}") {
        check(&text)?;
    }

    #[test]
    fn typed_names_are_read_or_refused(text in typed()) {
        check(&text)?;
    }

    #[test]
    fn folding_is_final(text in "[a-z0-9.-]{0,20}(xn--[a-z0-9-]{0,12})?[.a-z]{0,5}") {
        let once = fold(&text).into_owned();
        prop_assert_eq!(fold(&once), once.as_str());
    }
}
