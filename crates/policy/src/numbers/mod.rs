//! Filing, telecom licence and public security numbers: reading, normalising, finding on pages.
//!
//! **Invariant:** a value of these types is well-formed and normalised; equal numbers are equal
//! strings. **Never here:** whether a number is anybody's. A well-formed number may be copied from
//! another site or never have been given out; only a record can tell.
//!
//! Sources: MII Order 33 of 2005 and the ministry's published records for filing numbers; the
//! Measures for Licensing of Telecommunication Business (2017) for licences; Ministry of Public
//! Security Decree 33, Art. 12, for public security numbers. Start at [`Number::parse`] for a
//! field and at [`scan()`] for a page.

mod cursor;
mod error;
mod field;
mod grammar;
mod province;
mod scan;
mod serial;
mod serialised;
mod suffix;
mod text;
mod types;

pub use error::{DigitCount, NumberError, NumberErrorKind, NumberKind};
pub use province::Province;
pub use scan::{Found, MAX_FOUND, MAX_PAGE_CHARS, scan};
pub use text::decode_page;
pub use types::{
    FilingNumber, LicenceNumber, Number, PublicSecurityNumber, ServiceLetter, ServiceNumber,
    SubjectNumber,
};

/// Longest text that is read as one number, in characters.
pub const MAX_INPUT_CHARS: usize = 255;

/// Last year that the grammar knows: four-digit years begin with 20.
const LAST_YEAR: i16 = 2099;

/// How leniently a number is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// As on a web page: a missing 号 is tolerated, and a label `ICP证：` before a filing number
    /// is skipped.
    Display,
    /// As input of an interface: normalised all the same, but 号 must be there.
    Strict,
}

/// A number that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Parsed {
    /// The number.
    pub number: Number,
    /// The text had no 号 where the form has one.
    pub missing_hao: bool,
}

impl Number {
    /// Reads one number. `current_year` is the year in Beijing; later years are refused.
    ///
    /// # Errors
    ///
    /// What is wrong, where in `text`, and how the number should probably read.
    pub fn parse(text: &str, mode: Mode, current_year: i16) -> Result<Parsed, NumberError> {
        field::parse(text, mode, field::Want::Any, current_year)
    }
}
