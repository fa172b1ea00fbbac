//! Reading single numbers that are wrong: fakes from real footers, and what people mistype.

use icpgate_policy::numbers::{
    DigitCount, LicenceNumber, MAX_INPUT_CHARS, Mode, Number, NumberError, NumberErrorKind as Kind,
    NumberKind, PublicSecurityNumber, ServiceNumber, SubjectNumber,
};

const YEAR: i16 = 2026;

#[expect(clippy::expect_used, reason = "a test fails by panicking")]
fn fail(text: &str) -> NumberError {
    Number::parse(text, Mode::Strict, YEAR).expect_err(text)
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
        assert_eq!(
            Number::parse(text, Mode::Strict, YEAR)
                .unwrap()
                .number
                .as_str(),
            text
        );
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
fn a_missing_hao_is_put_in() {
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
