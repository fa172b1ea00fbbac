//! Reading single numbers: real ones, in all the ways in which people write them.

use std::collections::BTreeSet;

use icpgate_policy::numbers::{
    FilingNumber, LicenceNumber, Mode, Number, NumberErrorKind as Kind, NumberKind, Province,
    PublicSecurityNumber, ServiceLetter, ServiceNumber, SubjectNumber,
};
use proptest::prelude::*;

const YEAR: i16 = 2026;

#[expect(clippy::expect_used, reason = "a test fails by panicking")]
fn read(text: &str) -> Number {
    Number::parse(text, Mode::Strict, YEAR).expect(text).number
}

#[test]
fn real_filing_numbers() {
    for text in [
        "京ICP备10046444号",
        "津ICP备2026011740号-1",
        "冀ICP备2023045927号-2",
        "沪ICP备13002172号-3",
        "苏ICP备2025210868号-1",
        "鲁ICP备2023032291号-1",
        "鄂ICP备2024036893号-1A",
        "湘ICP备2026037508号-1",
        "桂ICP备2025078677号",
        "渝ICP备2025052772号-1A",
        "蜀ICP备2026033844号-1",
        "黔ICP备2025056580号",
        "滇ICP备2026006119号-2",
        "陕ICP备2026009958号-1",
        "陇ICP备2020003856号",
        "京ICP备20018813号-3",
        "蜀ICP备2020030589号-10",
        "陇ICP备2021003158号-1",
        "黔ICP备2021008357号",
        "黔ICP备14000582号-1",
        "京ICP备12022551号",
        "京ICP备18063315号-1",
        "沪ICP备13002172号-102",
    ] {
        let number = read(text);
        assert_eq!(number.as_str(), text);
        assert_eq!(number.kind(), NumberKind::Filing, "{text}");
        assert!(number.licence().is_none(), "{text}");
        assert_eq!(number.service().is_some(), text.contains('-'), "{text}");
    }
}

#[test]
fn real_licence_numbers() {
    for (text, normal) in [
        ("京ICP证030173号", "京ICP证030173号"),
        ("京ICP证150476号", "京ICP证150476号"),
        ("粤B2-20090059", "粤B2-20090059"),
        ("京B2-20202418", "京B2-20202418"),
        ("沪B2-20100043", "沪B2-20100043"),
        ("浙B2-20080224", "浙B2-20080224"),
        ("苏ICP证B2-20180251", "苏B2-20180251"),
        ("沪ICP证：沪B2-20100043", "沪B2-20100043"),
        ("浙ICP证B2-20090064号", "浙B2-20090064"),
        ("冀ICP证B2-20130050", "冀B2-20130050"),
        ("ICP证B2-20130050", "B2-20130050"),
        ("A2.B1.B2-20100001", "A2.B1.B2-20100001"),
        ("A2.B1.B2-20202637", "A2.B1.B2-20202637"),
        ("B1.B2-20202637", "B1.B2-20202637"),
        ("B2.B1-20202637", "B1.B2-20202637"),
        ("合字B2-20190051", "合字B2-20190051"),
        ("合字A1.B1.B2-20180017", "合字A1.B1.B2-20180017"),
        ("川ICP证B2-20070191", "蜀B2-20070191"),
        ("黔ICP证B2-20130004", "黔B2-20130004"),
        ("贵B2-20130004", "黔B2-20130004"),
        ("甘ICP证030173号", "陇ICP证030173号"),
        ("云B2-20130004", "滇B2-20130004"),
    ] {
        let number = read(text);
        assert_eq!(number.as_str(), normal);
        assert_eq!(number.kind(), NumberKind::Licence, "{text}");
        assert_eq!(number.subject().unwrap().as_str(), normal);
        assert_eq!(LicenceNumber::parse(text, YEAR).unwrap().as_str(), normal);
        assert_eq!(
            SubjectNumber::parse(text, YEAR).unwrap().as_licence(),
            number.licence()
        );
    }
}

#[test]
fn licence_numbers_in_place_of_filing_numbers() {
    for (text, subject) in [
        ("粤B2-20090059-5", "粤B2-20090059"),
        ("浙B2-20080224-1", "浙B2-20080224"),
        ("京ICP证030173号-1", "京ICP证030173号"),
        ("京ICP证030173号-151", "京ICP证030173号"),
        ("粤B2-20090059-12A", "粤B2-20090059"),
    ] {
        let number = read(text);
        assert_eq!(number.kind(), NumberKind::Filing, "{text}");
        assert_eq!(number.subject().unwrap().as_str(), subject);
        assert_eq!(number.service().unwrap().as_str(), text);
        assert_eq!(number.licence().unwrap().as_str(), subject);
    }
}

#[test]
fn real_public_security_numbers() {
    for text in [
        "京公网安备11010802032137号",
        "津公网安备12011402001763号",
        "苏公网安备32010202010078号",
        "浙公网安备33028302000652号",
        "鲁公网安备37021402000083号",
        "湘公网安备43010502002236号",
        "粤公网安备44030502008569号",
        "川公网安备51012402001727号",
        "贵公网安备52052302000396号",
        "贵公网安备52038202001416号",
        "滇公网安备53062802000020号",
        "陕公网安备61040202000893号",
        "甘公网安备62090202000584号",
        "京公网安备11000002000001号",
    ] {
        let number = read(text);
        assert_eq!(number.as_str(), text);
        assert_eq!(number.kind(), NumberKind::PublicSecurity);
        assert_eq!(number.subject(), None);
        let number = PublicSecurityNumber::parse(text, YEAR).unwrap();
        assert!(!number.is_unusual(), "{text}");
        assert_eq!(number.digits().len(), 14);
    }
    assert_eq!(
        read("云公网安备 53062802000020号").as_str(),
        "滇公网安备53062802000020号"
    );
    assert!(
        PublicSecurityNumber::parse("京公网安备11010803032137号", YEAR)
            .unwrap()
            .is_unusual()
    );
}

#[test]
fn parts_of_numbers() {
    let service = ServiceNumber::parse("鄂icp备2024036893号-1a", YEAR).unwrap();
    assert_eq!(service.as_str(), "鄂ICP备2024036893号-1A");
    assert_eq!(service.subject().as_str(), "鄂ICP备2024036893号");
    assert_eq!(
        (service.index(), service.letter()),
        (1, Some(ServiceLetter::App))
    );
    assert_eq!(service.subject().province(), Some(Province::Hubei));
    assert_eq!(service.subject().year(), Some(2024));
    let letters = ["-2A", "-3X", "-4K", "-5"].map(|suffix| {
        ServiceNumber::parse(&format!("京ICP备20018813号{suffix}"), YEAR)
            .unwrap()
            .letter()
    });
    assert_eq!(
        letters,
        [
            Some(ServiceLetter::App),
            Some(ServiceLetter::MiniProgram),
            Some(ServiceLetter::QuickApp),
            None
        ]
    );
    assert_eq!(
        SubjectNumber::parse("京ICP备20018813号", YEAR)
            .unwrap()
            .year(),
        Some(2020)
    );
    let legacy = SubjectNumber::parse("京ICP备020018号", YEAR).unwrap();
    assert_eq!((legacy.year(), legacy.is_legacy()), (None, true));
    let licence = LicenceNumber::parse("合字A1.B1.B2-20180017", YEAR).unwrap();
    assert_eq!(licence.classes(), Some("A1.B1.B2"));
    assert_eq!((licence.year(), licence.province()), (2018, None));
    assert!(licence.is_foreign_invested());
    let licence = LicenceNumber::parse("川B2-20070191", YEAR).unwrap();
    assert_eq!(
        (licence.classes(), licence.province()),
        (Some("B2"), Some(Province::Sichuan))
    );
    let licence = LicenceNumber::parse("京ICP证030173号", YEAR).unwrap();
    assert_eq!((licence.classes(), licence.year()), (None, 2003));
    assert_eq!(licence.as_subject().year(), Some(2003));
    let licence: FilingNumber = "粤B2-20090059".parse().unwrap();
    assert_eq!(
        (licence.as_str(), licence.service()),
        ("粤B2-20090059", None)
    );
}

#[test]
fn strict_reading_normalises() {
    for text in [
        "  京ICP备10046444号-1 ",
        "京icp备10046444号－１",
        "京ＩＣＰ備１００４６４４４號—1",
        "京 ICP 备 1004 6444 号 - 1",
        "京ICP\u{200B}备10046444号\u{FEFF}-1",
        "京ICP备&nbsp;10046444号-1&emsp;",
        "京ICP备\u{3000}10046444\n号-1",
    ] {
        assert_eq!(read(text).as_str(), "京ICP备10046444号-1", "{text}");
    }
    assert_eq!(read("粵ICP備2024036893號").as_str(), "粤ICP备2024036893号");
    assert_eq!(read("粤b2 – 20090059").as_str(), "粤B2-20090059");
    assert_eq!(
        read("ICP证：黔ICP备14000582号-1").as_str(),
        "黔ICP备14000582号-1"
    );
}

#[test]
fn a_missing_hao_is_tolerated_in_display_only() {
    for (text, normal) in [
        ("冀ICP备06000578", "冀ICP备06000578号"),
        ("陇ICP备 05000593", "陇ICP备05000593号"),
        ("京ICP备10046444-1", "京ICP备10046444号-1"),
        ("京ICP证030173-1", "京ICP证030173号-1"),
        ("京公网安备11010802032137", "京公网安备11010802032137号"),
    ] {
        let parsed = Number::parse(text, Mode::Display, YEAR).unwrap();
        assert_eq!((parsed.number.as_str(), parsed.missing_hao), (normal, true));
        let error = Number::parse(text, Mode::Strict, YEAR).unwrap_err();
        assert_eq!(error.kind, Kind::MissingHao);
        assert_eq!(error.suggestion.as_deref(), Some(normal));
    }
    let parsed = Number::parse("粤B2-20090059", Mode::Display, YEAR).unwrap();
    assert!(!parsed.missing_hao);
}

#[test]
fn serialised_form_is_the_normalised_text_and_is_validated() {
    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Row {
        subject: SubjectNumber,
        service: ServiceNumber,
        licence: LicenceNumber,
        security: PublicSecurityNumber,
        filing: FilingNumber,
        any: Number,
    }
    let text = "subject = \"京ICP备10046444号\"\nservice = \"粤B2-20090059-5\"\n\
                licence = \"合字B2-20190051\"\nsecurity = \"川公网安备51012402001727号\"\n\
                filing = \"粤B2-20090059\"\nany = \"京ICP证030173号\"\n";
    let row: Row = toml::from_str(text).unwrap();
    assert_eq!(toml::to_string(&row).unwrap(), text);
    let error = toml::from_str::<Row>(&text.replace("10046444", "12345678")).unwrap_err();
    assert!(error.to_string().contains("Placeholder"), "{error}");
    assert!(toml::from_str::<Row>(&text.replace("-5", "")).is_err());
}

#[test]
fn equal_numbers_are_equal_however_written() {
    let written = [
        "川ICP证B2-20070191",
        "蜀B2-20070191号",
        "川b2－20070191",
        "川ICP证：蜀B2-20070191",
    ];
    let numbers: BTreeSet<Number> = written.iter().map(|text| read(text)).collect();
    assert_eq!(numbers.len(), 1);
}

/// Texts that resemble numbers, so that the deep branches are reached.
fn resembling() -> impl Strategy<Value = String> {
    let pieces = vec![
        "京",
        "蜀",
        "川",
        "萌",
        "ICP备",
        "ICP证",
        "公网安备",
        "合字",
        "号",
        "-",
        "B2",
        "A2.",
        "：",
        "10046444",
        "2024036893",
        "030173",
        "20090059",
        "11010802032137",
        "1",
        "0",
        "O",
        "A",
        " ",
        "案",
        "&nbsp;",
        "&",
        "<b>",
        "\u{200B}",
        "XXXX",
        "I",
        "⑴",
    ];
    prop::collection::vec(prop::sample::select(pieces), 0..9).prop_map(|pieces| pieces.concat())
}

/// Well-formed numbers of every kind.
fn well_formed() -> impl Strategy<Value = String> {
    let province = prop::sample::select(Province::all().collect::<Vec<_>>());
    let suffix = "(-[1-9][0-9]{0,4}[AXK]?)?";
    let filing = "(0[5-9]|1[013-9]|20|202[0-6])[0-9]{5}[1-9]";
    prop_oneof![
        (province.clone(), filing, suffix).prop_map(|(province, serial, suffix)| {
            format!("{}ICP备{serial}号{suffix}", province.icp_prefix())
        }),
        (province.clone(), "[0-9]{5}[1-57-9]", suffix).prop_map(|(province, serial, suffix)| {
            format!("{}ICP证{serial}号{suffix}", province.icp_prefix())
        }),
        (
            province.clone(),
            "20(0[0-9]|1[0-9]|2[0-6])[0-9]{3}[1-9]",
            suffix
        )
            .prop_map(|(province, serial, suffix)| format!(
                "{}B2-{serial}{suffix}",
                province.icp_prefix()
            )),
        (province, "[0-9]{11}[5-9]").prop_map(|(province, digits)| {
            let prefix = province.public_security_prefix();
            format!("{prefix}公网安备{}{digits}号", province.code())
        }),
    ]
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,40}") {
        let _ = Number::parse(&text, Mode::Strict, YEAR);
    }

    #[test]
    fn errors_point_into_the_text_and_suggestions_are_valid(text in resembling()) {
        for mode in [Mode::Strict, Mode::Display] {
            match Number::parse(&text, mode, YEAR) {
                Ok(parsed) => {
                    let again = Number::parse(parsed.number.as_str(), Mode::Strict, YEAR);
                    prop_assert_eq!(again.unwrap().number, parsed.number);
                }
                Err(error) => {
                    let length = text.chars().count();
                    prop_assert!(error.position <= length);
                    if let Some(found) = error.found {
                        prop_assert_eq!(text.chars().nth(error.position), Some(found));
                    }
                    if let Some(suggestion) = &error.suggestion {
                        let number = Number::parse(suggestion, Mode::Strict, YEAR).unwrap().number;
                        prop_assert_eq!(number.as_str(), suggestion);
                    }
                }
            }
        }
    }

    #[test]
    fn well_formed_numbers_are_normal(text in well_formed()) {
        let parsed = Number::parse(&text, Mode::Strict, YEAR).unwrap();
        prop_assert_eq!(parsed.number.as_str(), text.as_str());
        let spaced: String = text.chars().flat_map(|ch| [ch.to_ascii_lowercase(), ' ']).collect();
        prop_assert_eq!(Number::parse(&spaced, Mode::Strict, YEAR).unwrap(), parsed);
    }
}
