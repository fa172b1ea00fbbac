//! Service suffixes: `-1`, `-2A`.

use super::cursor::{Cursor, Edit, Fault, Rules};
use super::error::NumberErrorKind as Kind;
use super::serial;
use super::text::Source;
use super::types::{ServiceLetter, ServiceNumber, SubjectNumber};

/// Most digits in the suffix of a service number.
const MAX_SUFFIX_DIGITS: usize = 5;

/// A service suffix.
#[derive(Clone, Copy)]
pub(super) struct Suffix {
    /// Index of the mark of the dash.
    pub(super) at: usize,
    index: u32,
    letter: Option<ServiceLetter>,
}

impl Suffix {
    /// The service of a subject that the suffix names.
    pub(super) fn of(self, subject: SubjectNumber) -> ServiceNumber {
        ServiceNumber::new(subject, self.index, self.letter)
    }
}

/// Reads `-n` and a letter. On a page, what is no suffix is text that follows the number.
pub(super) fn suffix(
    cursor: &mut Cursor<'_>,
    rules: Rules,
    missing_hao: bool,
) -> Result<Option<Suffix>, Fault> {
    let Some(dash) = cursor.mark(0).filter(|mark| mark.ch == '-') else {
        return Ok(None);
    };
    if rules.source == Source::Field {
        return read_suffix(cursor, rules.source).map(Some);
    }
    let gaps = [dash.gap, cursor.mark(1).is_some_and(|mark| mark.gap)];
    // A dash with space on both sides, or on one side where 号 is missing, sets a new text off.
    let separates = if missing_hao {
        gaps.contains(&true)
    } else {
        gaps == [true, true]
    };
    if separates {
        return Ok(None);
    }
    let start = cursor.at;
    let found = read_suffix(cursor, rules.source).ok();
    if found.is_none() {
        cursor.at = start;
    }
    Ok(found)
}

fn read_suffix(cursor: &mut Cursor<'_>, source: Source) -> Result<Suffix, Fault> {
    let at = cursor.at;
    cursor.at += 1;
    let start = cursor.at;
    let mut index: u32 = 0;
    while let Some(mark) = cursor.mark(0) {
        let count = cursor.at - start;
        let Some(digit) = mark.ch.to_digit(10).filter(|_| count == 0 || !mark.gap) else {
            break;
        };
        if count == 0 && digit == 0 {
            return Err(Fault::with(Kind::BadSuffix, start, Edit::Delete));
        }
        if count == MAX_SUFFIX_DIGITS {
            return Err(Fault::plain(Kind::BadSuffix, cursor.at));
        }
        index = index * 10 + digit;
        cursor.at += 1;
    }
    let slipped = source == Source::Field && cursor.peek(0).and_then(serial::digit_meant).is_some();
    if index == 0 && !slipped {
        return Err(Fault::plain(Kind::BadSuffix, cursor.at));
    }
    let letter = match source {
        Source::Field => field_letter(cursor)?,
        Source::Page => page_letter(cursor),
    };
    Ok(Suffix { at, index, letter })
}

/// In a field, any letter behind the index claims to be a service letter.
fn field_letter(cursor: &mut Cursor<'_>) -> Result<Option<ServiceLetter>, Fault> {
    let Some(typed) = cursor.peek(0).filter(char::is_ascii_alphabetic) else {
        return Ok(None);
    };
    if let Some(digit) = serial::digit_meant(typed) {
        let kind = Kind::LetterForDigit { digit };
        return Err(Fault::with(kind, cursor.at, Edit::Replace(digit)));
    }
    let letter = ServiceLetter::from_char(typed)
        .ok_or(Fault::plain(Kind::UnknownServiceLetter, cursor.at))?;
    cursor.at += 1;
    Ok(Some(letter))
}

/// On a page, a letter that begins a word or another number is not the service letter.
fn page_letter(cursor: &mut Cursor<'_>) -> Option<ServiceLetter> {
    let mark = cursor.mark(0).filter(|mark| !mark.gap)?;
    let letter = ServiceLetter::from_char(mark.ch)?;
    let goes_on = cursor
        .mark(1)
        .is_some_and(|next| !next.gap && next.ch.is_ascii_alphanumeric());
    if goes_on {
        return None;
    }
    cursor.at += 1;
    Some(letter)
}
