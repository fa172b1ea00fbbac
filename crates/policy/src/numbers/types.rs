//! Numbers that cannot be wrong: they are made by the grammar only, and are always normalised.
//!
//! Equal numbers are equal strings; a province has one character per kind of number, so that
//! `川ICP证B2-20070191` and `蜀B2-20070191` are the same licence.

use std::fmt;

use super::Mode;
use super::error::{NumberError, NumberErrorKind, NumberKind};
use super::field::{Want, parse};
use super::province::Province;
use arrayvec::ArrayString;

/// Room for the longest subject number: 合字A1.A2.B1.B2-20180017, 26 bytes.
pub(super) type SubjectText = ArrayString<32>;

/// Room for the longest service number: 7 more bytes than the subject; and for a public security
/// number: 32 bytes.
pub(super) type LongText = ArrayString<40>;

/// The number of whoever filed (主体备案号): a filing number without service suffix, such as
/// 京ICP备10046444号, or a telecom licence number, which replaces it once the subject holds one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectNumber {
    pub(super) text: SubjectText,
}

impl SubjectNumber {
    /// Reads a subject number strictly.
    ///
    /// # Errors
    ///
    /// What is wrong and where, among others a service suffix.
    pub fn parse(text: &str, current_year: i16) -> Result<Self, NumberError> {
        parse(text, Mode::Strict, Want::Subject, current_year)?
            .number
            .subject()
            .ok_or_else(|| unreachable_kind(NumberKind::PublicSecurity, NumberKind::Filing))
    }

    /// The normalised number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The province; none for a licence issued by the ministry.
    #[must_use]
    pub fn province(&self) -> Option<Province> {
        leading_province(&self.text)
    }

    /// The same number as a licence number; none for a filing number.
    #[must_use]
    pub fn as_licence(&self) -> Option<LicenceNumber> {
        (!self.text.contains("ICP备")).then_some(LicenceNumber { text: self.text })
    }

    /// The year in the number; none for the oldest filing numbers, of six digits.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        match self.as_licence() {
            Some(licence) => Some(licence.year()),
            None => match digits(&self.text).len() {
                6 => None,
                8 => Some(2000 + leading_number(&self.text, 2)),
                _ => Some(leading_number(&self.text, 4)),
            },
        }
    }

    /// Whether it is one of the oldest filing numbers, of six digits.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.year().is_none()
    }
}

/// What kind of service a suffix letter stands for; a website has no letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceLetter {
    /// A: an app.
    App,
    /// X: a mini program.
    MiniProgram,
    /// K: a quick app.
    QuickApp,
}

impl ServiceLetter {
    pub(super) fn from_char(letter: char) -> Option<Self> {
        match letter {
            'A' => Some(Self::App),
            'X' => Some(Self::MiniProgram),
            'K' => Some(Self::QuickApp),
            _ => None,
        }
    }

    /// The letter as it is written.
    #[must_use]
    pub fn as_char(self) -> char {
        match self {
            Self::App => 'A',
            Self::MiniProgram => 'X',
            Self::QuickApp => 'K',
        }
    }
}

/// The number of one service of a subject (服务备案号), such as 京ICP备10046444号-1.
///
/// Websites, apps, mini programs and quick apps of a subject share one sequence.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceNumber {
    text: LongText,
    subject: SubjectNumber,
    index: u32,
    letter: Option<ServiceLetter>,
}

impl ServiceNumber {
    pub(super) fn new(subject: SubjectNumber, index: u32, letter: Option<ServiceLetter>) -> Self {
        let text = match letter {
            Some(letter) => compose(format_args!("{subject}-{index}{}", letter.as_char())),
            None => compose(format_args!("{subject}-{index}")),
        };
        Self {
            text,
            subject,
            index,
            letter,
        }
    }

    /// Reads a service number strictly.
    ///
    /// # Errors
    ///
    /// What is wrong and where, among others a missing suffix.
    pub fn parse(text: &str, current_year: i16) -> Result<Self, NumberError> {
        parse(text, Mode::Strict, Want::Service, current_year)?
            .number
            .service()
            .ok_or_else(|| unreachable_kind(NumberKind::PublicSecurity, NumberKind::Filing))
    }

    /// The normalised number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number of the subject.
    #[must_use]
    pub fn subject(&self) -> SubjectNumber {
        self.subject
    }

    /// The place in the subject's sequence, 1 to 99999.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The kind of service; none for a website.
    #[must_use]
    pub fn letter(&self) -> Option<ServiceLetter> {
        self.letter
    }
}

/// A filing number (备案号): of a subject, or of one of its services.
///
/// A licence number with a service suffix, such as 粤B2-20090059-5, is a filing number too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FilingNumber {
    pub(super) subject: SubjectNumber,
    pub(super) service: Option<ServiceNumber>,
}

impl FilingNumber {
    /// The normalised number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.service
            .as_ref()
            .map_or(self.subject.as_str(), ServiceNumber::as_str)
    }

    /// The number of the subject.
    #[must_use]
    pub fn subject(&self) -> SubjectNumber {
        self.subject
    }

    /// The number of the service; none for the subject form.
    #[must_use]
    pub fn service(&self) -> Option<ServiceNumber> {
        self.service
    }
}

/// A telecom licence number (电信业务经营许可证编号), without service suffix.
///
/// The class in it (B2) never tells which business its holder may run: B21 and B25 are both B2.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LicenceNumber {
    pub(super) text: SubjectText,
}

impl LicenceNumber {
    /// Reads a licence number strictly, in any of the forms in which licences are quoted.
    ///
    /// # Errors
    ///
    /// What is wrong and where, among others a service suffix or a filing number.
    pub fn parse(text: &str, current_year: i16) -> Result<Self, NumberError> {
        parse(text, Mode::Strict, Want::Licence, current_year)?
            .number
            .licence()
            .ok_or_else(|| unreachable_kind(NumberKind::Filing, NumberKind::Licence))
    }

    /// The normalised number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The province that issued it; none for a licence of the ministry.
    #[must_use]
    pub fn province(&self) -> Option<Province> {
        leading_province(&self.text)
    }

    /// The same number as the subject number that filings use.
    #[must_use]
    pub fn as_subject(&self) -> SubjectNumber {
        SubjectNumber { text: self.text }
    }

    /// The year of issue in the number.
    #[must_use]
    pub fn year(&self) -> i16 {
        match self.classes() {
            Some(_) => leading_number(&self.text, 4),
            None => 2000 + leading_number(&self.text, 2),
        }
    }

    /// The classes of business, such as `B2` or `A2.B1.B2`; none for the form 京ICP证030173号,
    /// which is for internet information services.
    #[must_use]
    pub fn classes(&self) -> Option<&str> {
        let (before, _) = self.text.split_once('-')?;
        Some(before.trim_start_matches(|character: char| !character.is_ascii()))
    }

    /// Whether it begins with 合字: issued by the ministry to a foreign-invested company.
    #[must_use]
    pub fn is_foreign_invested(&self) -> bool {
        self.text.starts_with("合字")
    }
}

/// A number of the public security filing (公安联网备案号), such as 京公网安备11010802032137号.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PublicSecurityNumber {
    pub(super) text: LongText,
}

impl PublicSecurityNumber {
    /// Reads a public security number strictly.
    ///
    /// # Errors
    ///
    /// What is wrong and where, among others digits of another province.
    pub fn parse(text: &str, current_year: i16) -> Result<Self, NumberError> {
        let parsed = parse(text, Mode::Strict, Want::PublicSecurity, current_year)?;
        match parsed.number {
            Number::PublicSecurity(number) => Ok(number),
            Number::Filing(_) | Number::Licence(_) => Err(unreachable_kind(
                NumberKind::Filing,
                NumberKind::PublicSecurity,
            )),
        }
    }

    /// The normalised number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The 14 digits, as the public query page takes them.
    #[must_use]
    pub fn digits(&self) -> &str {
        digits(&self.text)
    }

    /// The province.
    #[must_use]
    pub fn province(&self) -> Option<Province> {
        self.text
            .chars()
            .next()
            .and_then(Province::from_public_security_prefix)
    }

    /// Whether digits 7 and 8 are other than `02`, as no known number has them. A reason to look
    /// twice, not to refuse.
    #[must_use]
    pub fn is_unusual(&self) -> bool {
        self.digits().get(6..8) != Some("02")
    }
}

/// Any of the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Number {
    /// A filing number, including a licence number with a service suffix.
    Filing(FilingNumber),
    /// A licence number without service suffix, which may serve as subject number.
    Licence(LicenceNumber),
    /// A public security number.
    PublicSecurity(PublicSecurityNumber),
}

impl Number {
    /// The normalised number.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Number::Filing(number) => number.as_str(),
            Number::Licence(number) => number.as_str(),
            Number::PublicSecurity(number) => number.as_str(),
        }
    }

    /// Which kind it is.
    #[must_use]
    pub fn kind(&self) -> NumberKind {
        match self {
            Number::Filing(_) => NumberKind::Filing,
            Number::Licence(_) => NumberKind::Licence,
            Number::PublicSecurity(_) => NumberKind::PublicSecurity,
        }
    }

    /// The subject it belongs to or is; none for a public security number.
    #[must_use]
    pub fn subject(&self) -> Option<SubjectNumber> {
        match self {
            Number::Filing(number) => Some(number.subject),
            Number::Licence(number) => Some(number.as_subject()),
            Number::PublicSecurity(_) => None,
        }
    }

    /// The service it names; none for the subject form and for a public security number.
    #[must_use]
    pub fn service(&self) -> Option<ServiceNumber> {
        match self {
            Number::Filing(number) => number.service,
            Number::Licence(_) | Number::PublicSecurity(_) => None,
        }
    }

    /// The licence it is, or that its subject number is.
    #[must_use]
    pub fn licence(&self) -> Option<LicenceNumber> {
        self.subject().and_then(|subject| subject.as_licence())
    }

    /// The province; none for a licence of the ministry.
    #[must_use]
    pub fn province(&self) -> Option<Province> {
        match self {
            Number::Filing(number) => number.subject.province(),
            Number::Licence(number) => number.province(),
            Number::PublicSecurity(number) => number.province(),
        }
    }
}

/// A string of pieces that the grammar has bounded.
pub(super) fn compose<const N: usize>(pieces: fmt::Arguments<'_>) -> ArrayString<N> {
    let mut text = ArrayString::new();
    // INVARIANT: the grammar bounds every piece, so that the text always has room.
    let written = fmt::write(&mut text, pieces);
    debug_assert!(written.is_ok(), "a number outgrew its room");
    text
}

fn leading_province(text: &str) -> Option<Province> {
    text.chars().next().and_then(Province::from_any_prefix)
}

/// The digits of the serial: the last run of digits.
fn digits(text: &str) -> &str {
    let text = text.trim_end_matches(|character: char| !character.is_ascii_digit());
    let start = text
        .rfind(|character: char| !character.is_ascii_digit())
        .map_or(0, |index| {
            text.get(index..)
                .and_then(|rest| rest.chars().next())
                .map_or(0, |c| index + c.len_utf8())
        });
    text.get(start..).unwrap_or_default()
}

/// The number in the first `count` digits of the serial.
fn leading_number(text: &str, count: usize) -> i16 {
    digits(text)
        .get(..count)
        .and_then(|year| year.parse().ok())
        .unwrap_or_default()
}

/// What a number of the wrong kind would be answered with, if the grammar let one through.
pub(super) fn unreachable_kind(found: NumberKind, wanted: NumberKind) -> NumberError {
    NumberError {
        kind: NumberErrorKind::WrongKind { found, wanted },
        position: 0,
        found: None,
        suggestion: None,
    }
}
