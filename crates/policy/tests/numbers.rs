//! Reading single numbers: real ones, fakes from real footers, and what people mistype.

use std::collections::BTreeSet;

use icpgate_policy::numbers::{
    DigitCount, FilingNumber, LicenceNumber, MAX_INPUT_CHARS, Mode, Number, NumberError,
    NumberErrorKind as Kind, NumberKind, Province, PublicSecurityNumber, ServiceLetter,
    ServiceNumber, SubjectNumber,
};
use proptest::prelude::*;

const YEAR: i16 = 2026;

fn read(text: &str) -> Number {
    let parsed = Number::parse(text, Mode::Strict, YEAR);
    parsed
        .unwrap_or_else(|error| panic!("{text}: {error:?}"))
        .number
}

fn fail(text: &str) -> NumberError {
    match Number::parse(text, Mode::Strict, YEAR) {
        Ok(parsed) => panic!("{text} was read as {}", parsed.number),
        Err(error) => error,
    }
}

/// Kind, position, found and suggestion of the error.
#[track_caller]
fn assert_fault(
    text: &str,
    kind: Kind,
    position: usize,
    found: Option<char>,
    suggestion: Option<&str>,
) {
    let suggestion = suggestion.map(str::to_owned);
    assert_eq!(
        fail(text),
        NumberError {
            kind,
            position,
            found,
            suggestion
        },
        "{text}"
    );
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
        let error = fail(text);
        assert_eq!(error.kind, Kind::MissingHao);
        assert_eq!(error.suggestion.as_deref(), Some(normal));
    }
    let parsed = Number::parse("粤B2-20090059", Mode::Display, YEAR).unwrap();
    assert!(!parsed.missing_hao);
    assert_fault(
        "京ICP备10046444 ",
        Kind::MissingHao,
        13,
        None,
        Some("京ICP备10046444号"),
    );
    let normal = Some("京ICP备10046444号-1");
    assert_fault(
        " 京ICP备10046444-1",
        Kind::MissingHao,
        14,
        Some('-'),
        normal,
    );
}

#[test]
fn provinces_of_number_plates_are_named_with_the_right_one() {
    for (text, expected, suggestion) in [
        ("川ICP备2026033844号-1", '蜀', "蜀ICP备2026033844号-1"),
        ("贵ICP备2025056580号", '黔', "黔ICP备2025056580号"),
        ("云ICP备2026006119号", '滇', "滇ICP备2026006119号"),
        ("甘ICP备2020003856号", '陇', "陇ICP备2020003856号"),
        (
            "蜀公网安备51012402001727号",
            '川',
            "川公网安备51012402001727号",
        ),
        (
            "陇公网安备62090202000584号",
            '甘',
            "甘公网安备62090202000584号",
        ),
    ] {
        let found = text.chars().next();
        assert_fault(
            text,
            Kind::ProvinceForm { expected },
            0,
            found,
            Some(suggestion),
        );
    }
    let mended = Some("蜀ICP备2026033844号");
    let kind = Kind::ProvinceForm { expected: '蜀' };
    assert_fault("\u{FEFF} 川ICP备2O26O33844", kind, 2, Some('川'), mended);
}

#[test]
fn letters_in_place_of_digits() {
    let zero = Kind::LetterForDigit { digit: '0' };
    let one = Kind::LetterForDigit { digit: '1' };
    let mended = Some("京ICP备10046444号-1");
    assert_fault("京ICP备1OO46444号-1", zero, 6, Some('O'), mended);
    assert_fault("京ICP备1o046444号-1", zero, 6, Some('o'), mended);
    assert_fault("京ICP备l0046444号-1", one, 5, Some('l'), mended);
    assert_fault("京 ICP备 I0046444号-1", one, 7, Some('I'), mended);
    assert_fault("京ICP备10046444号-l", one, 15, Some('l'), mended);
    assert_fault(
        "京ICP备10046444号-1O",
        zero,
        16,
        Some('O'),
        Some("京ICP备10046444号-10"),
    );
    assert_fault("粤B2-2OO9OO59", zero, 5, Some('O'), Some("粤B2-20090059"));
    assert_fault(
        "京ICP证O30173号",
        zero,
        5,
        Some('O'),
        Some("京ICP证030173号"),
    );
    let mended = Some("京公网安备11010802032137号");
    assert_fault("京公网安备11O10802032137", zero, 7, Some('O'), mended);
}

#[test]
fn wrong_digit_counts_point_at_the_gap_or_the_excess() {
    let filing = |found| Kind::WrongDigitCount {
        found,
        expected: DigitCount::Filing,
    };
    assert_fault("京ICP备093817344号", filing(9), 13, Some('4'), None);
    assert_fault("京ICP备1004644号", filing(7), 12, Some('号'), None);
    assert_fault("京ICP备202403689号", filing(9), 14, Some('号'), None);
    assert_fault("京ICP备20240368931号", filing(11), 15, Some('1'), None);
    assert_fault("京ICP备", filing(0), 5, None, None);
    assert_fault("京ICP备123号", filing(3), 8, Some('号'), None);
    let security = |found| Kind::WrongDigitCount {
        found,
        expected: DigitCount::PublicSecurity,
    };
    assert_fault(
        "甘公网安备 235487154313号",
        security(12),
        18,
        Some('号'),
        None,
    );
    assert_fault(
        "京公网安备110000000001号",
        security(12),
        17,
        Some('号'),
        None,
    );
    let numbered = Kind::WrongDigitCount {
        found: 8,
        expected: DigitCount::NumberedLicence,
    };
    assert_fault("京ICP证03017345号", numbered, 11, Some('4'), None);
    let classed = Kind::WrongDigitCount {
        found: 7,
        expected: DigitCount::ClassedLicence,
    };
    assert_fault("粤B2-2009005", classed, 11, None, None);
}

#[test]
fn years_out_of_range() {
    let short = Kind::YearOutOfRange {
        first: 2005,
        last: 2020,
    };
    assert_fault("京ICP备21018813号", short, 6, Some('1'), None);
    assert_fault("京ICP备00018813号", short, 6, Some('0'), None);
    assert_fault("京ICP备93018813号", short, 5, Some('9'), None);
    let long = Kind::YearOutOfRange {
        first: 2020,
        last: 2026,
    };
    assert_fault("京ICP备2019018813号", long, 7, Some('1'), None);
    assert_fault("京ICP备1202255112号", long, 5, Some('1'), None);
    let future = Kind::YearInFuture { year: 2027 };
    assert_fault("京ICP备2027018813号", future, 8, Some('7'), None);
    assert!(Number::parse("京ICP备2027018813号", Mode::Strict, 2027).is_ok());
    assert_fault(
        "粤B2-20990059",
        Kind::YearInFuture { year: 2099 },
        6,
        Some('9'),
        None,
    );
    let licence = Kind::YearOutOfRange {
        first: 2000,
        last: 2026,
    };
    assert_fault("粤B2-19990059", licence, 4, Some('1'), None);
    assert!(Number::parse("京ICP备05000593号", Mode::Strict, YEAR).is_ok());
    assert!(Number::parse("京ICP备04000593号", Mode::Strict, YEAR).is_err());
}

#[test]
fn suffixes() {
    for text in [
        "京ICP备10046444号-1",
        "京ICP备10046444号-99999",
        "京ICP备10046444号-99999K",
    ] {
        read(text);
    }
    assert_fault(
        "京ICP备10046444号-100000",
        Kind::BadSuffix,
        20,
        Some('0'),
        None,
    );
    assert_fault("京ICP备10046444号-0", Kind::BadSuffix, 15, Some('0'), None);
    let one = Some("京ICP备10046444号-1");
    assert_fault("京ICP备10046444号-01", Kind::BadSuffix, 15, Some('0'), one);
    assert_fault("京ICP备10046444号1", Kind::BadSuffix, 14, Some('1'), one);
    assert_fault("京ICP备10046444号-", Kind::BadSuffix, 15, None, None);
    assert_fault("京ICP备10046444号-A", Kind::BadSuffix, 15, Some('A'), None);
    assert_fault(
        "京ICP备10046444号-1b",
        Kind::UnknownServiceLetter,
        16,
        Some('b'),
        None,
    );
    let app = Some("京ICP备10046444号-1A");
    assert_fault(
        "京ICP备10046444号-1AA",
        Kind::TrailingText,
        17,
        Some('A'),
        app,
    );
    let subject = Some("京ICP备10046444号");
    assert_fault(
        "京ICP备10046444号 版权所有",
        Kind::TrailingText,
        15,
        Some('版'),
        subject,
    );
}

#[test]
fn fakes_and_templates() {
    for (text, kind, position) in [
        ("京ICP备12345678号", Kind::Placeholder, 5),
        ("京ICP备123456号", Kind::Placeholder, 5),
        ("京ICP备1234567890号", Kind::Placeholder, 5),
        ("粤ICP备XXXXXXXX号", Kind::Placeholder, 5),
        ("粤ICP备xxxxxxxx号-1", Kind::Placeholder, 5),
        ("粤ICP备2024******号", Kind::Placeholder, 9),
        ("京ICP备00000000号-1A", Kind::Placeholder, 5),
        ("京ICP备2024000000号", Kind::Placeholder, 9),
        ("沪ICP证000000号", Kind::Placeholder, 5),
        ("沪ICP证XXXXXX号", Kind::Placeholder, 5),
        ("粤B2-12345678", Kind::Placeholder, 4),
        ("粤B2-20240000", Kind::Placeholder, 8),
        ("津公网安备12345678901234号", Kind::Placeholder, 5),
        ("京公网安备11010802000000号", Kind::Placeholder, 13),
        ("萌ICP备20259514号", Kind::UnofficialRegistry, 0),
        ("彬ICP备20252823号", Kind::UnofficialRegistry, 0),
        ("团ICP备20252823号", Kind::UnofficialRegistry, 0),
        ("港ICP备20252823号", Kind::NotMainland, 0),
        ("台ICP备20252823号", Kind::NotMainland, 0),
        ("哈ICP备20252823号", Kind::UnknownProvince, 0),
        ("ICP备10046444号", Kind::MissingProvince, 0),
        ("10046444", Kind::MissingProvince, 0),
        ("ICP证030173号", Kind::MissingProvince, 0),
        ("京网文[2016]1234-567号", Kind::UnexpectedCharacter, 1),
        ("网络视听 0110516", Kind::UnknownPrefix, 0),
        ("乙测资字32005078", Kind::UnknownPrefix, 0),
        ("https://beian.miit.gov.cn/", Kind::LooksLikeUrl, 0),
        ("beian.miit.gov.cn", Kind::LooksLikeUrl, 0),
        ("www.京.cn", Kind::LooksLikeUrl, 0),
        ("京ICP证：沪B2-20100043", Kind::LicenceProvinceMismatch, 6),
        ("", Kind::Empty, 0),
        (" \u{200B}&nbsp;", Kind::Empty, 0),
    ] {
        let error = fail(text);
        assert_eq!((error.kind, error.position), (kind, position), "{text}");
        assert!(Number::parse(text, Mode::Display, YEAR).is_err(), "{text}");
    }
}

#[test]
fn what_people_mistype_is_mended() {
    let right = Some("京ICP备10046444号-1");
    let odd = Kind::UnexpectedCharacter;
    assert_fault("京ICP备案10046444号-1", odd, 5, Some('案'), right);
    assert_fault("京ICP备：10046444号-1", odd, 5, Some('：'), right);
    assert_fault("京ICP10046444号-1", odd, 4, Some('1'), right);
    assert_fault("京1CP备10046444号-1", odd, 1, Some('1'), right);
    assert_fault(
        "北京ICP备10046444号-1",
        Kind::UnknownProvince,
        0,
        Some('北'),
        right,
    );
    assert_fault("京IPC备10046444号-1", odd, 2, Some('P'), None);
    assert_fault("京公网备10046444号-1", odd, 3, Some('备'), None);
    let shu = Some("蜀ICP备2026033844号");
    assert_fault(
        "四川ICP备2026033844号",
        Kind::UnknownProvince,
        0,
        Some('四'),
        shu,
    );
    assert_fault(
        "粤B220090059",
        Kind::MissingDash,
        3,
        Some('2'),
        Some("粤B2-20090059"),
    );
    assert_fault("粤B3-20090059", odd, 1, Some('B'), None);
    assert_fault("A2.C1-20090059", odd, 3, Some('C'), None);
}

#[test]
fn public_security_digits_belong_to_the_province() {
    let kind = Kind::PublicSecurityProvince { expected: 11 };
    assert_fault("京公网安备44030502008569号", kind, 5, Some('4'), None);
    assert_fault("京公网安备 12010802032137号", kind, 7, Some('2'), None);
    let kind = Kind::PublicSecurityProvince { expected: 62 };
    assert_fault("甘公网安备23548715431300号", kind, 5, Some('2'), None);
}

#[test]
fn positions_count_characters_as_typed() {
    // Dropped, merged and multiplied characters before the fault do not shift it.
    let letter = Kind::LetterForDigit { digit: '0' };
    let text = "\u{FEFF}京&nbsp;ＩＣＰ備 １O046444號";
    let position = text.chars().position(|ch| ch == 'O').unwrap();
    assert_fault(text, letter, position, Some('O'), Some("京ICP备10046444号"));
}

#[test]
fn each_type_refuses_the_others() {
    let subject = SubjectNumber::parse("京ICP备10046444号-1", YEAR).unwrap_err();
    assert_eq!(
        (subject.kind, subject.position),
        (Kind::SuffixNotAllowed, 14)
    );
    assert_eq!(subject.suggestion.as_deref(), Some("京ICP备10046444号"));
    let service = ServiceNumber::parse("粤B2-20090059", YEAR).unwrap_err();
    assert_eq!((service.kind, service.position), (Kind::SuffixMissing, 12));
    let licence = LicenceNumber::parse("京ICP备10046444号", YEAR).unwrap_err();
    let kind = Kind::WrongKind {
        found: NumberKind::Filing,
        wanted: NumberKind::Licence,
    };
    assert_eq!(
        (licence.kind, licence.position, licence.found),
        (kind, 4, Some('备'))
    );
    let licence = LicenceNumber::parse("粤B2-20090059-5", YEAR).unwrap_err();
    assert_eq!(
        (licence.kind, licence.position),
        (Kind::SuffixNotAllowed, 12)
    );
    let security = PublicSecurityNumber::parse("粤B2-20090059", YEAR).unwrap_err();
    let kind = Kind::WrongKind {
        found: NumberKind::Licence,
        wanted: NumberKind::PublicSecurity,
    };
    assert_eq!((security.kind, security.position), (kind, 1));
    let subject = SubjectNumber::parse("京公网安备11010802032137号", YEAR).unwrap_err();
    let kind = Kind::WrongKind {
        found: NumberKind::PublicSecurity,
        wanted: NumberKind::Filing,
    };
    assert_eq!((subject.kind, subject.position), (kind, 1));
}

#[test]
fn hostile_lengths() {
    let text = "京".repeat(MAX_INPUT_CHARS + 1);
    assert_fault(&text, Kind::TooLong, MAX_INPUT_CHARS, Some('京'), None);
    for piece in [
        "1",
        "B2.",
        "ICP证:",
        "京ICP证",
        "&",
        "<",
        "-",
        "O",
        "\u{FDFA}",
        "X",
    ] {
        for head in ["", "京ICP备", "京公网安备", "粤B2-", "京ICP备10046444号-"] {
            let room = (MAX_INPUT_CHARS - head.chars().count()) / piece.chars().count();
            let text = format!("{head}{}", piece.repeat(room));
            assert!(Number::parse(&text, Mode::Display, YEAR).is_err(), "{text}");
        }
    }
    assert!(SubjectNumber::parse(&"1".repeat(1 << 20), YEAR).is_err());
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
