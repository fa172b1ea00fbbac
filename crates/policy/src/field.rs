//! What can be wrong with the fields of a record, with a line of a file and with a whole file.
//!
//! **Invariant:** no value here holds a name of a person or a certificate number, so that all of
//! it may be logged and returned. Wording lives in [`crate::explain::field`] and
//! [`crate::explain::file`].
//! Start at [`FieldProblem`].

use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calendar::DayError;
use crate::codes::ServiceKind;
use crate::domain_name::HostError;
use crate::identity::{CertificateError, NameError};
use crate::numbers::{NumberError, ServiceLetter, ServiceNumber, SubjectNumber};

/// Longest text that is repeated to whoever sent it, in characters.
pub const SHOWN_CHARACTERS: usize = 64;

/// What is wrong with one field of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum FieldProblem {
    /// The certificate number breaks a rule of its kind.
    Certificate(CertificateError),
    /// A control character, or one that turns the direction of writing.
    Control {
        /// Its place, in characters from 1.
        position: usize,
    },
    /// Not a day.
    Day {
        /// Why not.
        error: DayError,
        /// The text.
        text: Shown,
    },
    /// Not a host name.
    Domain(HostError),
    /// An IP address where a name is wanted.
    DomainIsAddress(IpAddr),
    /// A wildcard where a name is wanted.
    DomainIsWildcard {
        /// The name below the wildcard.
        host: Box<str>,
    },
    /// An end before its start.
    EndBeforeStart {
        /// Field that holds the start, beside the one that holds the end.
        start: &'static str,
    },
    /// Observed more than a day ahead.
    InFuture {
        /// The latest instant that is taken.
        latest: Timestamp,
    },
    /// Not an instant between the years 1 and 9999.
    Instant,
    /// The letter of a service number stands for another kind of service.
    LetterNotKind {
        /// The number.
        number: Box<ServiceNumber>,
        /// Kind that its letter stands for.
        letter: ServiceKind,
        /// Kind that the record gives.
        kind: ServiceKind,
    },
    /// The line of the file cannot be read as a record.
    Line(LineProblem),
    /// A masked certificate number, as this service returns it.
    Masked,
    /// Required and not given.
    Missing,
    /// The name is none.
    Name(NameError),
    /// None of several fields is given, and one is required.
    NoneOf {
        /// The fields.
        fields: &'static [&'static str],
    },
    /// The service number is not under the subject number beside it.
    NotItsSubject {
        /// The service number.
        service: Box<ServiceNumber>,
        /// The subject number.
        subject: Box<SubjectNumber>,
    },
    /// Not a number of the kind asked for.
    Number {
        /// Why not.
        error: NumberError,
        /// The text.
        text: Shown,
    },
    /// Something that only a question has.
    Question(QuestionProblem),
    /// A share outside 0 to 100 percent.
    Share {
        /// The share.
        found: f64,
    },
    /// More characters than allowed.
    TooLong {
        /// Allowed.
        limit: usize,
        /// Found.
        found: usize,
    },
    /// More entries than allowed.
    TooMany {
        /// Allowed.
        limit: usize,
        /// Found.
        found: usize,
    },
    /// A number that no member of the closed set has.
    UnknownCode {
        /// The number.
        found: i32,
    },
}

/// What is wrong with a field that only questions have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuestionProblem {
    /// Not a BCP 47 language tag.
    LanguageTag {
        /// The text.
        text: Shown,
    },
    /// A number outside its range.
    OutOfRange {
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// Not the GB/T 2260 code of a mainland province.
    Province {
        /// The text.
        text: Shown,
    },
    /// Not a token that this service gave out.
    Token {
        /// The text.
        text: Shown,
    },
    /// A freshness token of a write that this store does not have.
    TokenAhead {
        /// The text.
        text: Shown,
    },
}

/// Why a line is not a record in the proto3 JSON mapping. Holds nothing of the line but names of
/// fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineProblem {
    /// A field stands there twice, or two fields of which one is possible.
    Duplicate,
    /// The line ends in the middle of a value.
    Incomplete,
    /// Not the name of any member of the closed set.
    NotAMember {
        /// Names that the set has.
        expected: Vec<Box<str>>,
    },
    /// A JSON value, but not an object.
    NotAnObject,
    /// Not JSON.
    NotJson {
        /// Where reading stopped, in octets from 1.
        column: usize,
    },
    /// Not UTF-8.
    NotUtf8 {
        /// First octet that is none, from 1.
        column: usize,
    },
    /// Longer than a line may be.
    TooLong {
        /// Most octets of a line.
        limit: usize,
    },
    /// A field that the record does not have.
    UnknownField {
        /// Its name, where it looks like one.
        name: Option<Box<str>>,
    },
    /// A value that its field cannot have.
    WrongValue {
        /// Where reading stopped, in octets from 1; `None` where not known.
        column: Option<usize>,
    },
    /// A JSON value of another type than the field has.
    WrongType {
        /// Where reading stopped, in octets from 1; `None` where not known.
        column: Option<usize>,
    },
}

/// Why a file is not, or not to its end, a file of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileProblem {
    /// Compressed data that does not decompress; lines before the damage are read.
    Damaged {
        /// How it is compressed.
        compression: Compression,
    },
    /// A directory.
    Directory,
    /// No line in it.
    Empty,
    /// The stream of records broke off.
    Interrupted,
    /// Something else than lines of JSON objects.
    NotLines(Content),
    /// There is no such file.
    NotFound,
    /// The file may not be read.
    PermissionDenied,
    /// Decompresses to more than the limit.
    TooLarge {
        /// Most octets after decompression.
        limit: u64,
    },
    /// Compressed data that breaks off; lines before the break are read.
    Truncated {
        /// How it is compressed.
        compression: Compression,
    },
    /// The operating system cannot read it.
    Unreadable(std::io::ErrorKind),
}

/// How a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Compression {
    /// gzip (RFC 1952).
    Gzip,
    /// Zstandard (RFC 8878).
    Zstd,
}

/// What a file holds that holds no lines of JSON objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Content {
    /// bzip2 or xz, which are not read.
    Archive,
    /// A table with separators.
    Csv,
    /// An image.
    Image,
    /// One JSON array around all records.
    JsonArray,
    /// A JSON object spread over several lines.
    JsonPretty,
    /// A PDF document.
    Pdf,
    /// A database file of `SQLite`.
    Sqlite,
    /// Other text.
    Text,
    /// UTF-16.
    Utf16,
    /// A zip archive, or an office document, which is one.
    Zip,
}

/// A text as it is repeated to whoever sent it: at most [`SHOWN_CHARACTERS`] characters, controls
/// replaced. Never made from personal data.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shown(Box<str>);

impl Shown {
    /// Takes a text that is not personal data.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let visible = |c: char| {
            if is_control(c) {
                char::REPLACEMENT_CHARACTER
            } else {
                c
            }
        };
        let mut characters = text.trim().chars();
        let mut shown: String = characters
            .by_ref()
            .take(SHOWN_CHARACTERS)
            .map(visible)
            .collect();
        if characters.next().is_some() {
            shown.pop();
            shown.push('…');
        }
        Self(shown.into())
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a character has no place in a line of text: controls, and those that turn the
/// direction of writing, with which a text can be made to look like another.
#[must_use]
pub fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}'
                | '\u{2066}'..='\u{2069}'
        )
}

/// The kind of service that a letter of a service number stands for; no letter: a website.
#[must_use]
pub const fn kind_of_letter(letter: Option<ServiceLetter>) -> ServiceKind {
    match letter {
        None => ServiceKind::Website,
        Some(ServiceLetter::App) => ServiceKind::App,
        Some(ServiceLetter::MiniProgram) => ServiceKind::MiniProgram,
        Some(ServiceLetter::QuickApp) => ServiceKind::QuickApp,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shown_text_is_short_and_on_one_line() {
        assert_eq!(
            Shown::new(" a\u{7}b\u{202e} ").as_str(),
            "a\u{fffd}b\u{fffd}"
        );
        let long = Shown::new(&"京".repeat(100));
        assert_eq!(long.as_str().chars().count(), SHOWN_CHARACTERS);
        assert!(long.as_str().ends_with('…'));
        assert_eq!(Shown::new(&"a".repeat(64)).as_str(), "a".repeat(64));
    }
}
