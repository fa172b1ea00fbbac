//! What can be wrong with a number, and where.
//!
//! Wording lives in [`crate::explain::numbers`].

use thiserror::Error;

/// A text is not a number of the kind asked for.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("not a valid number: {kind:?} at index {position}")]
pub struct NumberError {
    /// What is wrong.
    pub kind: NumberErrorKind,
    /// Index of the first wrong character in the text as typed, counted in characters from 0;
    /// where something is missing, the index at which it should stand.
    pub position: usize,
    /// The character that was typed at `position`; none at the end of the text.
    pub found: Option<char>,
    /// The whole number as it should probably read, where that is plain. It is valid in itself,
    /// but only a person or a record can say whether it is the right one.
    pub suggestion: Option<String>,
}

/// The kinds of [`NumberError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberErrorKind {
    /// The suffix after the dash is not a number from 1 to 99999 without leading zero.
    BadSuffix,
    /// Nothing was typed.
    Empty,
    /// A letter O, I or l stands where a digit belongs.
    LetterForDigit {
        /// The digit that was probably meant.
        digit: char,
    },
    /// The province before `ICP证` is another than that of the licence number after it.
    LicenceProvinceMismatch,
    /// An address of a web site, not a number.
    LooksLikeUrl,
    /// The dash between licence class and digits is missing.
    MissingDash,
    /// The character 号 is missing.
    MissingHao,
    /// The province character at the beginning is missing.
    MissingProvince,
    /// 港, 澳 or 台: there are no such numbers, filing is a mainland duty.
    NotMainland,
    /// A made-up number of templates, such as 12345678, 00000000 or XXXXXXXX.
    Placeholder,
    /// The province is written with the character of another kind of number, such as that of
    /// number plates.
    ProvinceForm {
        /// The character that this kind of number uses.
        expected: char,
    },
    /// The first two digits of a public security number are not the GB/T 2260 code of its
    /// province character.
    PublicSecurityProvince {
        /// The two digits that the province character calls for.
        expected: u8,
    },
    /// A service number was asked for and the suffix is missing.
    SuffixMissing,
    /// A number without service suffix was asked for.
    SuffixNotAllowed,
    /// More characters than [`super::MAX_INPUT_CHARS`].
    TooLong,
    /// Something follows the number.
    TrailingText,
    /// A character that this place of a number does not allow.
    UnexpectedCharacter,
    /// Nothing at the beginning resembles a number.
    UnknownPrefix,
    /// The character before ICP or 公网安备 is no province.
    UnknownProvince,
    /// The letter after the suffix is none of A (app), X (mini program) and K (quick app).
    UnknownServiceLetter,
    /// A number of a joke registry, such as 萌ICP备.
    UnofficialRegistry,
    /// Too few or too many digits.
    WrongDigitCount {
        /// How many digits there are; counting stops at 40.
        found: u8,
        /// How many there should be.
        expected: DigitCount,
    },
    /// A valid number, but of another kind than the one asked for.
    WrongKind {
        /// The kind that was found.
        found: NumberKind,
        /// The kind that was asked for.
        wanted: NumberKind,
    },
    /// The number's year has not come yet.
    YearInFuture {
        /// The year read.
        year: i16,
    },
    /// No number of this form was given out in that year.
    YearOutOfRange {
        /// First year of the form.
        first: i16,
        /// Last year of the form.
        last: i16,
    },
}

/// How many digits a form of number has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DigitCount {
    /// Licence in class form, such as B2-20090059: 8.
    ClassedLicence,
    /// Filing: 8 or 10, and 6 for the oldest.
    Filing,
    /// Licence in the form 京ICP证030173号: 6.
    NumberedLicence,
    /// Public security: 14.
    PublicSecurity,
}

/// The kinds of number there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    /// A filing number, with or without service suffix.
    Filing,
    /// A telecom licence number.
    Licence,
    /// A public security filing number.
    PublicSecurity,
}
