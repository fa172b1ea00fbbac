//! Filing, licence and public-security numbers: in a field, in a record and on a page.

use icpgate_policy::explain::Language;
use icpgate_policy::explain::numbers::{describe_number, number_error};
use icpgate_policy::numbers::{
    FilingNumber, LicenceNumber, MAX_FOUND, Mode, Number, NumberError, PublicSecurityNumber,
    ServiceNumber, SubjectNumber, decode_page, scan,
};

/// Year in Beijing.
const YEAR: i16 = 2026;

/// Reads the input as a number in each way, and as a page.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let strict = Number::parse(&text, Mode::Strict, YEAR);
    let lenient = Number::parse(&text, Mode::Display, YEAR);
    if let Ok(strict) = &strict {
        assert!(!strict.missing_hao, "{text:?}");
        assert_eq!(lenient.as_ref(), Ok(strict), "{text:?}");
        typed(&text, strict.number);
    }
    for read in [&strict, &lenient] {
        match read {
            Ok(parsed) => {
                normal(parsed.number);
                for language in [Language::English, Language::Chinese] {
                    assert!(!describe_number(parsed, language).is_empty(), "{text:?}");
                }
            }
            Err(error) => told(&text, error),
        }
    }
    page(&text);
    page(&decode_page(input, None));
    page(&decode_page(input, Some("gb2312")));
}

/// A number in normal form reads as itself, everywhere.
fn normal(number: Number) {
    let text = number.as_str();
    for mode in [Mode::Strict, Mode::Display] {
        let again = Number::parse(text, mode, YEAR);
        let again = again.map(|parsed| (parsed.number, parsed.missing_hao));
        assert_eq!(again, Ok((number, false)), "{text}");
    }
    assert_eq!(text.parse(), Ok(number));
    let json = serde_json::to_string(&number).expect("a number is a string");
    assert_eq!(serde_json::from_str::<Number>(&json).ok(), Some(number));
    if let Some(subject) = number.subject() {
        assert_eq!(SubjectNumber::parse(subject.as_str(), YEAR), Ok(subject));
    }
    if let Some(licence) = number.licence() {
        assert_eq!(LicenceNumber::parse(licence.as_str(), YEAR), Ok(licence));
        assert_eq!(Some(licence.as_subject()), number.subject(), "{text}");
        assert_eq!(licence.province(), number.province(), "{text}");
    }
    if let Some(service) = number.service() {
        assert_eq!(ServiceNumber::parse(service.as_str(), YEAR), Ok(service));
        assert_eq!(Some(service.subject()), number.subject(), "{text}");
        assert!((1..=99_999).contains(&service.index()), "{text}");
    }
    let found = scan(text, YEAR);
    assert_eq!(found.len(), 1, "{text}: {found:?}");
    for found in found {
        assert_eq!(found.number, number);
        assert_eq!((found.position, found.end), (0, text.chars().count()));
    }
}

/// The types of single kinds agree with the reading of any kind.
fn typed(text: &str, number: Number) {
    let filing: Result<FilingNumber, _> = text.parse();
    match number {
        Number::Filing(number) => {
            assert_eq!(filing, Ok(number), "{text:?}");
            match number.service() {
                Some(service) => assert_eq!(ServiceNumber::parse(text, YEAR), Ok(service)),
                None => assert_eq!(SubjectNumber::parse(text, YEAR), Ok(number.subject())),
            }
        }
        Number::Licence(number) => {
            assert_eq!(LicenceNumber::parse(text, YEAR), Ok(number));
            let subject = filing.map(|filing| filing.subject());
            assert_eq!(subject, Ok(number.as_subject()), "{text:?}");
        }
        Number::PublicSecurity(number) => {
            assert_eq!(PublicSecurityNumber::parse(text, YEAR), Ok(number));
            assert_eq!(number.digits().len(), 14, "{text:?}");
            assert!(filing.is_err(), "{text:?}");
        }
    }
}

/// An error points into the text, and suggests only what is well-formed.
fn told(text: &str, error: &NumberError) {
    assert!(
        error.position <= text.chars().count(),
        "{text:?}: {error:?}"
    );
    let from: String = text.chars().skip(error.position).collect();
    match error.found {
        Some(found) => assert_eq!(Some(found), from.chars().next(), "{text:?}: {error:?}"),
        // The end of what is read; white space and invisible characters may follow.
        None => assert!(is_blank(&from), "{text:?}: {error:?}"),
    }
    if let Some(suggestion) = &error.suggestion {
        let read = Number::parse(suggestion, Mode::Strict, YEAR);
        assert!(read.is_ok(), "{text:?}: {suggestion}: {read:?}");
    }
    for language in [Language::English, Language::Chinese] {
        assert!(!number_error(error, language).is_empty(), "{text:?}");
    }
}

/// Whether nothing is left to be read, entities of HTML aside: `&nbsp;` is a blank.
fn is_blank(text: &str) -> bool {
    text.split('&').enumerate().all(|(place, piece)| {
        let behind = piece.split_once(';').filter(|_| place > 0);
        let piece = behind.map_or(piece, |(_, behind)| behind);
        !piece.contains(char::is_alphanumeric)
    })
}

/// What is found on a page stands there, in order, and is well-formed.
fn page(text: &str) {
    let found = scan(text, YEAR);
    assert!(found.len() <= MAX_FOUND, "{text:?}");
    let length = text.chars().count();
    let mut behind = 0;
    for found in found {
        assert!(behind <= found.position, "{text:?}: {found:?}");
        assert!(found.position < found.end, "{text:?}: {found:?}");
        assert!(found.end <= length, "{text:?}: {found:?}");
        behind = found.end;
        let read = Number::parse(found.number.as_str(), Mode::Strict, YEAR);
        assert_eq!(
            read.map(|parsed| parsed.number),
            Ok(found.number),
            "{text:?}"
        );
    }
}
