//! Names: normal form, script variants, and hostile input.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use icpgate_policy::identity::{
    Holder, Name, NameError, NameMatch, SealedName, Sealer, normalise_name, same_name,
};
use proptest::prelude::*;

fn sealer() -> Sealer {
    Sealer::new(b"a key of thirty-two octets, or so").unwrap()
}

fn seal_name(text: &str, holder: Holder) -> SealedName {
    sealer().seal_name(&Name::parse(text).unwrap(), holder)
}

fn compare(a: &str, b: &str) -> NameMatch {
    let match_of = |first, second| same_name(&seal_name(a, first), &seal_name(b, second));
    let one = match_of(Holder::Person, Holder::Person);
    assert_eq!(
        match_of(Holder::Organisation, Holder::Organisation),
        one,
        "{a} {b}"
    );
    assert_eq!(
        same_name(&seal_name(b, Holder::Person), &seal_name(a, Holder::Person)),
        one
    );
    one
}

#[test]
fn names_that_are_equal() {
    for (a, b) in [
        ("张三", " 张 三\u{3000}"),
        ("张三", "张\u{200b}三"),
        ("北京某某（集团）有限公司", "北京某某(集团) 有限公司"),
        ("北京某某（集团）有限公司", "北京某某﹙集团﹚有限公司"),
        ("买买提·吐尔逊", "买买提•吐尔逊"),
        ("买买提·吐尔逊", "买买提‧吐尔逊"),
        ("买买提·吐尔逊", "买买提・吐尔逊"),
        ("买买提·吐尔逊", "买买提･吐尔逊"),
        ("买买提·吐尔逊", "买买提᛫吐尔逊"),
        ("买买提·吐尔逊", "买买提 · 吐尔逊"),
        ("买买提·吐尔逊", "买买提.吐尔逊"),
        ("Acme Co., Ltd.", "ACME CO.,LTD"),
        ("Acme Co., Ltd.", "ａｃｍｅ　Ｃｏ．，　Ｌｔｄ．"),
        ("Acme Co., Ltd.", "acme co ltd"),
        ("⼯业", "工业"),
        ("凉山", "\u{f979}山"),
        ("café", "CAFE\u{301}"),
        ("王葛\u{e0100}", "王葛"),
    ] {
        assert_eq!(compare(a, b), NameMatch::Equal, "{a} {b}");
    }
}

#[test]
fn script_variants_are_never_equal() {
    for (a, b) in [
        ("后羿", "後羿"),
        ("范冰", "範冰"),
        ("于谦", "於谦"),
        ("张〇", "张零"),
        ("张○", "张〇"),
        ("北京网络公司", "北京網絡公司"),
    ] {
        assert_eq!(compare(a, b), NameMatch::Variant, "{a} {b}");
    }
    for (a, b) in [
        ("张三", "李三"),
        ("张三", "张三丰"),
        ("ACME", "ACMF"),
        ("张三", "张四"),
    ] {
        assert_eq!(compare(a, b), NameMatch::Different, "{a} {b}");
    }
}

#[test]
fn private_use_characters_leave_the_rest_of_a_name_in_force() {
    for (a, b, expected) in [
        ("张\u{e863}", "张䶮", NameMatch::Variant),
        ("\u{e863}三", "张三", NameMatch::Variant),
        ("张\u{e863}", "张\u{e863}", NameMatch::Equal),
        ("张\u{e863}", "李䶮", NameMatch::Different),
        ("张\u{e863}", "张小䶮", NameMatch::Different),
    ] {
        assert_eq!(compare(a, b), expected, "{a} {b}");
    }
    assert!(seal_name("张\u{e863}", Holder::Person).has_private_use);
    let person = seal_name("张\u{e863}", Holder::Person);
    let unknown = seal_name("张䶮", Holder::Organisation);
    assert_eq!(same_name(&person, &unknown), NameMatch::Variant);
}

#[test]
fn names_that_cannot_be_read() {
    for (text, error) in [
        ("", NameError::Empty),
        (" \u{3000}\t", NameError::Empty),
        ("\u{200b}", NameError::Empty),
        ("张\0三", NameError::Control { position: 2 }),
        ("张\n三", NameError::Control { position: 2 }),
        ("张三\u{202e}", NameError::Control { position: 3 }),
        ("张\u{fffd}", NameError::Damaged { position: 2 }),
        ("***", NameError::NoLetters),
        ("·", NameError::NoLetters),
        (&"张".repeat(201), NameError::TooLong { found: 201 }),
        (&"张".repeat(100_000), NameError::TooLong { found: 100_000 }),
        // One character that NFKC writes with eighteen.
        (&"\u{fdfa}".repeat(100), NameError::TooLong { found: 1800 }),
    ] {
        assert_eq!(Name::parse(text).unwrap_err(), error, "{error:?}");
    }
    assert!(Name::parse(&"张".repeat(200)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_name_is_read_or_refused_and_normal_form_is_final(text in "(?s).{0,30}|[张後〇.,·() a-zß]{0,20}") {
        if let Ok(name) = normalise_name(&text) {
            let again = normalise_name(&name);
            prop_assert_eq!(again.as_deref(), Ok(name.as_str()));
            let person = seal_name(&text, Holder::Person);
            prop_assert_eq!(person.display.chars().count(), name.chars().count());
        }
    }
}
