//! Certificate numbers: normal form, alphabet, length, dates and check characters.

use std::fmt;

use jiff::civil;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::CertificateKind;
use super::check_digits::{self, CREDIT_CODE_ALPHABET};

/// Longest number of any kind, in characters; keeps hostile input small.
const NUMBER_LIMIT: usize = 64;

/// What to do with numbers that break the rules of their kind (`records.certificate_check`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CheckDigits {
    /// Keep them, marked as unchecked: for registries with typing errors.
    Accept,
    /// Refuse them.
    #[default]
    Refuse,
}

/// A certificate in normal form. Personal data: see the module.
#[derive(Clone)]
pub struct Certificate {
    kind: CertificateKind,
    number: Zeroizing<String>,
    old_form: bool,
    defect: Option<CertificateError>,
}

/// Why a number is not one of its kind. Never holds a character of the number.
///
/// Positions count from 1 in the normal form, without spaces and hyphens.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
pub enum CertificateError {
    /// The digits of the date of birth are not a date.
    #[error("no date of birth at 7 to 14")]
    BirthDate,
    /// A character that the standard does not have in this place.
    #[error("position {position}: expected {expected:?}")]
    Character {
        /// Position of the character.
        position: usize,
        /// What may stand there.
        expected: ExpectedCharacter,
    },
    /// The check character does not fit the rest: one of the characters is mistyped.
    #[error("check character at {position}")]
    CheckCharacter {
        /// Position of the check character.
        position: usize,
    },
    /// A control character.
    #[error("control character")]
    Control,
    /// Nothing left of it.
    #[error("empty")]
    Empty,
    /// Wrong number of characters.
    #[error("{found} characters, expected {expected:?}")]
    Length {
        /// Lengths that the kind has.
        expected: CertificateLength,
        /// Length found.
        found: usize,
    },
}

/// What may stand in one place of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExpectedCharacter {
    /// `0` to `9`, or `X` for ten.
    CheckDigit,
    /// Digits and letters without I, O, S, V, Z.
    CreditCode,
    /// `0` to `9`.
    Digit,
    /// `1` to `9`.
    DigitNotZero,
    /// `H` or `M`.
    HkOrMacao,
    /// `A` to `Z`.
    Letter,
    /// `A` to `Z`, `0` to `9`.
    LetterOrDigit,
    /// `9`, the first digit of the permanent residence card since 2023.
    Nine,
}

/// Lengths of a kind of number, in characters of the normal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateLength {
    /// At most this many.
    AtMost(usize),
    /// One or the other.
    Either(usize, usize),
    /// Exactly this many.
    Exactly(usize),
    /// From the first to the second.
    Range(usize, usize),
}

impl Certificate {
    /// Reads a number of the kind: NFKC, white space and hyphens removed, upper case, then the
    /// rules of the kind.
    ///
    /// - Credit code: GB 32100-2015, 18 characters, digits at 3 to 8, check character at 18. The
    ///   check character that the organisation code brings along at 17 is not tested: the one at
    ///   18 covers that place too, so it would find no further slip of the pen, and a refused
    ///   record of a company that exists takes its site down.
    /// - Organisation code: GB 11714-1997, 9 characters with a check character.
    /// - Resident identity: GB 11643-1999, 18 characters with a real date of birth and a check
    ///   character; numbers of 15 digits become 18 by that standard and are [`Self::is_old_form`].
    ///   Divisions are not looked up, because abolished ones stay in numbers for life.
    /// - Travel permit of Hong Kong and Macao: `H` or `M` and 8 digits; the two digits that count
    ///   replacements of the card are dropped, as the holder keeps the rest for life.
    /// - Travel permit of Taiwan: 8 digits. Passport: 5 to 20 letters and digits.
    /// - Permanent residence: 3 letters and 12 digits, or 18 characters from `9` on.
    ///
    /// # Errors
    ///
    /// With [`CheckDigits::Refuse`] the first rule broken. With [`CheckDigits::Accept`] only what
    /// cannot be kept at all: nothing, control characters, more than 64 characters.
    pub fn parse(
        kind: CertificateKind,
        number: &str,
        check: CheckDigits,
    ) -> Result<Self, CertificateError> {
        let number = normalise(number)?;
        match (check_number(kind, &number), check) {
            (Ok(Form::Current), _) => Ok(Self {
                kind,
                number,
                old_form: false,
                defect: None,
            }),
            (Ok(Form::Replaced(number)), _) => Ok(Self {
                kind,
                number,
                old_form: false,
                defect: None,
            }),
            (Ok(Form::Old(number)), _) => Ok(Self {
                kind,
                number,
                old_form: true,
                defect: None,
            }),
            (Err(defect), CheckDigits::Accept) => Ok(Self {
                kind,
                number,
                old_form: false,
                defect: Some(defect),
            }),
            (Err(defect), CheckDigits::Refuse) => Err(defect),
        }
    }

    /// The kind of certificate.
    #[must_use]
    pub fn kind(&self) -> CertificateKind {
        self.kind
    }

    /// Whether the number was a resident identity number of 15 digits.
    #[must_use]
    pub fn is_old_form(&self) -> bool {
        self.old_form
    }

    /// Whether the number breaks a rule of its kind and was kept all the same.
    #[must_use]
    pub fn is_unchecked(&self) -> bool {
        self.defect.is_some()
    }

    /// The rule that an unchecked number breaks.
    #[must_use]
    pub fn defect(&self) -> Option<CertificateError> {
        self.defect
    }

    /// The number in normal form. Personal data.
    pub(super) fn number(&self) -> &str {
        &self.number
    }

    /// The organisation code in it: characters 9 to 17 of a credit code, or the whole.
    pub(super) fn organisation_code(&self) -> Option<&str> {
        match self.kind {
            CertificateKind::OrganisationCode if self.number.len() == 9 => Some(&self.number),
            CertificateKind::UnifiedSocialCreditCode if self.number.len() == 18 => {
                self.number.get(8..17)
            }
            CertificateKind::ForeignPermanentResident
            | CertificateKind::HkMacaoPermit
            | CertificateKind::OrganisationCode
            | CertificateKind::Other
            | CertificateKind::Passport
            | CertificateKind::ResidentId
            | CertificateKind::TaiwanPermit
            | CertificateKind::UnifiedSocialCreditCode => None,
        }
    }

    /// The GB code of the province in the division of a credit code. None where the division
    /// names no province: bodies registered with the state itself (10xxxx), codes that begin with
    /// a letter.
    pub(super) fn province(&self) -> Option<u8> {
        if self.kind != CertificateKind::UnifiedSocialCreditCode
            || !self.number.starts_with(|c: char| c.is_ascii_digit())
        {
            return None;
        }
        let code: u8 = self.number.get(2..4)?.parse().ok()?;
        (code > 10).then_some(code)
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// In which form a well-formed number came.
enum Form {
    Current,
    /// The same number in today's form.
    Old(Zeroizing<String>),
    /// The part of the number that stays when the card is replaced.
    Replaced(Zeroizing<String>),
}

fn normalise(number: &str) -> Result<Zeroizing<String>, CertificateError> {
    // Reserved once: a buffer that grows leaves copies behind that nobody wipes.
    let mut normal = Zeroizing::new(String::with_capacity(NUMBER_LIMIT.saturating_mul(4)));
    let mut found = 0_usize;
    for character in number.trim().nfkc() {
        if character.is_control() {
            return Err(CertificateError::Control);
        }
        if character.is_whitespace() || is_hyphen(character) || is_invisible(character) {
            continue;
        }
        found = found.saturating_add(1);
        if found > NUMBER_LIMIT {
            let expected = CertificateLength::AtMost(NUMBER_LIMIT);
            return Err(CertificateError::Length {
                expected,
                found: number.chars().count(),
            });
        }
        normal.push(character.to_ascii_uppercase());
    }
    if normal.is_empty() {
        Err(CertificateError::Empty)
    } else {
        Ok(normal)
    }
}

fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}'
    )
}

fn check_number(kind: CertificateKind, number: &str) -> Result<Form, CertificateError> {
    match kind {
        CertificateKind::ForeignPermanentResident => check_permanent_resident(number),
        CertificateKind::HkMacaoPermit => check_hk_macao_permit(number),
        CertificateKind::OrganisationCode => check_organisation_code(number),
        CertificateKind::Other => Ok(Form::Current),
        CertificateKind::Passport => check_passport(number),
        CertificateKind::ResidentId => check_resident_id(number),
        CertificateKind::TaiwanPermit => {
            length(number, CertificateLength::Exactly(8))?;
            characters(number, |_| ExpectedCharacter::Digit)?;
            Ok(Form::Current)
        }
        CertificateKind::UnifiedSocialCreditCode => check_credit_code(number),
    }
}

fn check_credit_code(number: &str) -> Result<Form, CertificateError> {
    length(number, CertificateLength::Exactly(18))?;
    characters(number, |position| match position {
        3..=8 => ExpectedCharacter::Digit,
        _ => ExpectedCharacter::CreditCode,
    })?;
    check_character(number, check_digits::credit_code)?;
    Ok(Form::Current)
}

fn check_organisation_code(number: &str) -> Result<Form, CertificateError> {
    length(number, CertificateLength::Exactly(9))?;
    characters(number, |position| match position {
        9 => ExpectedCharacter::CheckDigit,
        _ => ExpectedCharacter::LetterOrDigit,
    })?;
    check_character(number, check_digits::organisation_code)?;
    Ok(Form::Current)
}

fn check_resident_id(number: &str) -> Result<Form, CertificateError> {
    length(number, CertificateLength::Either(15, 18))?;
    characters(number, |position| match position {
        1 => ExpectedCharacter::DigitNotZero,
        18 => ExpectedCharacter::CheckDigit,
        _ => ExpectedCharacter::Digit,
    })?;
    if number.len() == 18 {
        check_birth_date(number)?;
        check_character(number, check_digits::resident_id)?;
        return Ok(Form::Current);
    }
    let mut current = Zeroizing::new(String::with_capacity(18));
    let (division, rest) = number.split_at_checked(6).unwrap_or_default();
    current.push_str(division);
    current.push_str("19");
    current.push_str(rest);
    check_birth_date(&current)?;
    let check = check_digits::resident_id(current.as_bytes())
        .ok_or(CertificateError::CheckCharacter { position: 18 })?;
    current.push(char::from(check));
    Ok(Form::Old(current))
}

fn check_birth_date(number: &str) -> Result<(), CertificateError> {
    let part = |from: usize, to: usize| number.get(from..to)?.parse::<i16>().ok();
    let narrow = |value: Option<i16>| i8::try_from(value?).ok();
    part(6, 10)
        .zip(narrow(part(10, 12)))
        .zip(narrow(part(12, 14)))
        .filter(|((year, _), _)| *year >= 1800)
        .and_then(|((year, month), day)| civil::Date::new(year, month, day).ok())
        .map(|_| ())
        .ok_or(CertificateError::BirthDate)
}

fn check_hk_macao_permit(number: &str) -> Result<Form, CertificateError> {
    length(number, CertificateLength::Either(9, 11))?;
    characters(number, |position| match position {
        1 => ExpectedCharacter::HkOrMacao,
        _ => ExpectedCharacter::Digit,
    })?;
    Ok(match number.get(..9) {
        Some(lasting) if number.len() > 9 => Form::Replaced(Zeroizing::new(lasting.to_owned())),
        _ => Form::Current,
    })
}

fn check_passport(number: &str) -> Result<Form, CertificateError> {
    length(number, CertificateLength::Range(5, 20))?;
    characters(number, |_| ExpectedCharacter::LetterOrDigit)?;
    Ok(Form::Current)
}

fn check_permanent_resident(number: &str) -> Result<Form, CertificateError> {
    length(number, CertificateLength::Either(15, 18))?;
    let old = number.chars().count() == 15;
    characters(number, |position| match (old, position) {
        (true, 1..=3) => ExpectedCharacter::Letter,
        (false, 1) => ExpectedCharacter::Nine,
        (false, 18) => ExpectedCharacter::CheckDigit,
        (true | false, _) => ExpectedCharacter::Digit,
    })?;
    Ok(Form::Current)
}

fn length(number: &str, expected: CertificateLength) -> Result<(), CertificateError> {
    let found = number.chars().count();
    let fits = match expected {
        CertificateLength::AtMost(most) => found <= most,
        CertificateLength::Either(one, other) => found == one || found == other,
        CertificateLength::Exactly(length) => found == length,
        CertificateLength::Range(least, most) => (least..=most).contains(&found),
    };
    if fits {
        Ok(())
    } else {
        Err(CertificateError::Length { expected, found })
    }
}

fn characters(
    number: &str,
    expected: impl Fn(usize) -> ExpectedCharacter,
) -> Result<(), CertificateError> {
    for (character, position) in number.chars().zip(1_usize..) {
        let expected = expected(position);
        let fits = match expected {
            ExpectedCharacter::CheckDigit => character.is_ascii_digit() || character == 'X',
            ExpectedCharacter::CreditCode => CREDIT_CODE_ALPHABET
                .iter()
                .any(|&c| char::from(c) == character),
            ExpectedCharacter::Digit => character.is_ascii_digit(),
            ExpectedCharacter::DigitNotZero => matches!(character, '1'..='9'),
            ExpectedCharacter::HkOrMacao => matches!(character, 'H' | 'M'),
            ExpectedCharacter::Letter => character.is_ascii_uppercase(),
            ExpectedCharacter::LetterOrDigit => character.is_ascii_alphanumeric(),
            ExpectedCharacter::Nine => character == '9',
        };
        if !fits {
            return Err(CertificateError::Character { position, expected });
        }
    }
    Ok(())
}

/// Tests the last character against the rest.
fn check_character(
    number: &str,
    compute: impl Fn(&[u8]) -> Option<u8>,
) -> Result<(), CertificateError> {
    let fits = number
        .as_bytes()
        .split_last()
        .is_some_and(|(&found, body)| compute(body) == Some(found));
    let position = number.len();
    if fits {
        Ok(())
    } else {
        Err(CertificateError::CheckCharacter { position })
    }
}
