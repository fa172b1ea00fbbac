//! Suffix lists, ancestors, comparison keys and classes of addresses.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use std::net::IpAddr;

use icpgate_policy::domain_name::{
    Host, HostError, HostName, SuffixList, SuffixProblem, Suffixes, fold, is_public, is_under,
    parse,
};

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

#[test]
fn extra_suffixes_count() {
    for (text, registrable) in [
        ("a.foo.cn.com", "foo.cn.com"),
        ("foo.com.ru", "foo.com.ru"),
        ("a.部门.政务.cn", "xn--x8s48s.xn--zfr164b.cn"),
        ("a.b.公益.中国", "b.xn--55qw42g.xn--fiqs8s"),
    ] {
        let name = name(text);
        if text.is_ascii() {
            assert_eq!(name.registrable(), registrable);
        }
        assert_eq!(name.registrable().split('.').count(), 3, "{name}");
    }
    assert_eq!(
        error("cn.com"),
        HostError::PublicSuffix {
            suffix: "cn.com".into()
        }
    );
    assert_eq!(error("政務.中國").to_string(), "public suffix");
    assert_eq!(parse("cn.com", &plain()).unwrap().to_string(), "cn.com");
    assert_eq!(name("xcn.com").registrable(), "xcn.com");
}

#[test]
fn government_names() {
    for text in [
        "www.bj.gov.cn",
        "bj.gov.cn",
        "a.政务",
        "a.政务.cn",
        "a.b.政務.中國",
        "*.bj.gov.cn",
    ] {
        assert!(name(text).is_government(), "{text}");
    }
    for text in ["gov.cn.example.com", "xgov.cn", "bj.com.cn", "政务.com"] {
        assert!(!name(text).is_government(), "{text}");
    }
}

#[test]
fn dirty_suffix_lists_are_cleaned_or_reported() {
    let extra = [" .XN--FIQ64B ", "xn—czru2d", "．Cn.COM", "政务.CN\u{3000}"].map(String::from);
    let suffixes = Suffixes::new(&extra, &[]).unwrap();
    for text in ["cn.com", "政务.cn"] {
        assert!(
            matches!(parse(text, &suffixes), Err(HostError::PublicSuffix { .. })),
            "{text}"
        );
    }
    let bad = ["cn.com", " . ", "*.ck", "a b", "co–m", "-x"].map(String::from);
    let errors = Suffixes::new(&bad, &[String::from("!www.ck")]).unwrap_err();
    let found: Vec<_> = errors
        .iter()
        .map(|e| (e.list, e.index, e.problem))
        .collect();
    assert_eq!(
        found,
        [
            (SuffixList::Extra, 1, SuffixProblem::Empty),
            (SuffixList::Extra, 2, SuffixProblem::Rule),
            (SuffixList::Extra, 3, SuffixProblem::NotAName),
            (SuffixList::Extra, 4, SuffixProblem::NotAName),
            (SuffixList::Extra, 5, SuffixProblem::NotAName),
            (SuffixList::Government, 0, SuffixProblem::Rule),
        ]
    );
}

#[test]
fn candidates_run_from_the_name_to_the_registrable_name() {
    let candidates = |text| {
        name(text)
            .candidates()
            .map(String::from)
            .collect::<Vec<_>>()
    };
    assert_eq!(
        candidates("a.b.bj.gov.cn"),
        ["a.b.bj.gov.cn", "b.bj.gov.cn", "bj.gov.cn"]
    );
    assert_eq!(candidates("example.com"), ["example.com"]);
    assert_eq!(
        candidates("*.a.example.com"),
        ["a.example.com", "example.com"]
    );
}

#[test]
fn spellings_of_one_name_share_a_key() {
    for (one, other) in [
        ("例子.中国", "例子.中國"),
        ("例子.网络.cn", "例子.網絡.cn"),
        ("公司網.公司.cn", "公司网.公司.cn"),
        ("机关.政务.cn", "機關.政務.cn"),
        ("www.網絡.com", "www.网络.com"),
    ] {
        let (one, other) = (name(one), name(other));
        assert_ne!(one.ascii(), other.ascii());
        assert_eq!(fold(one.ascii()), fold(other.ascii()), "{one}");
    }
    assert_eq!(fold("www.example.com"), "www.example.com");
    assert_ne!(
        fold(name("例子.中国").ascii()),
        fold(name("例句.中国").ascii())
    );
    assert_eq!(fold(name("例子.中国").ascii()), name("例子.中国").ascii());
    assert_eq!(fold("xn--\u{ff}!.xn--"), "xn--\u{ff}!.xn--");
}

#[test]
fn under_is_by_labels() {
    assert!(is_under("example.com", "example.com"));
    assert!(is_under("a.example.com", "example.com"));
    assert!(!is_under("aexample.com", "example.com"));
    assert!(!is_under("example.com", "a.example.com"));
    assert!(!is_under("example.com", ""));
}

#[test]
fn public_addresses() {
    let public = |text: &str| is_public(text.parse::<IpAddr>().unwrap());
    for text in [
        "8.8.8.8",
        "172.32.0.1",
        "223.5.5.5",
        "2400:3200::1",
        "::ffff:8.8.8.8",
        // Special purposes that nobody calls private: a reviewer sees them.
        "100.64.0.1",
        "192.0.2.1",
        "198.51.100.1",
        "203.0.113.1",
        "2001:db8::1",
    ] {
        assert!(public(text), "{text}");
    }
    for text in [
        "0.0.0.0",
        "10.0.0.1",
        "127.0.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "224.0.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::ffff:10.1.2.3",
        "fe80::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
    ] {
        assert!(!public(text), "{text}");
    }
}
