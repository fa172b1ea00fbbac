//! Reading a field that should be one number, and saying what is wrong with it.
//!
//! A fault of the grammar may carry an edit. Where edits lead to a valid number, that number is
//! the suggestion.

use super::cursor::{Cursor, Edit, Fault, Rules};
use super::error::{NumberError, NumberErrorKind as Kind, NumberKind};
use super::grammar::{Read, read_number};
use super::text::{Mark, Source, read};
use super::{MAX_INPUT_CHARS, Mode, Parsed};

/// Edits tried for a suggestion: every digit of a public security number mistyped, and two more.
const MAX_EDITS: usize = 16;

/// What a caller asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Any,
    /// A filing number, or a licence number in its place.
    Filing,
    Licence,
    PublicSecurity,
    /// With service suffix.
    Service,
    /// Without service suffix.
    Subject,
}

/// Reads a field that should be one number.
pub(super) fn parse(
    text: &str,
    mode: Mode,
    want: Want,
    current_year: i16,
) -> Result<Parsed, NumberError> {
    let original: Vec<char> = text.chars().take(MAX_INPUT_CHARS + 1).collect();
    if original.len() > MAX_INPUT_CHARS {
        return Err(NumberError {
            kind: Kind::TooLong,
            position: MAX_INPUT_CHARS,
            found: original.last().copied(),
            suggestion: None,
        });
    }
    let rules = Rules {
        mode,
        source: Source::Field,
        current_year,
    };
    let marks = read(&original, 0, Source::Field);
    whole(&marks, want, rules).map_err(|fault| {
        let position = match marks.get(fault.at) {
            Some(mark) => mark.at,
            None => marks.last().map_or(0, |mark| mark.end),
        };
        let typed = original.get(position).copied();
        NumberError {
            kind: fault.kind,
            position,
            found: typed.filter(|_| fault.at < marks.len()),
            suggestion: mend(marks, fault, want, rules),
        }
    })
}

/// The number that the text reads as once every fault is mended.
fn mend(mut marks: Vec<Mark>, mut fault: Fault, want: Want, rules: Rules) -> Option<String> {
    for _ in 0..MAX_EDITS {
        let at = fault.at.min(marks.len());
        match fault.edit? {
            Edit::Delete => {
                if at < marks.len() {
                    marks.remove(at);
                }
            }
            Edit::Insert(ch) => marks.insert(
                at,
                Mark {
                    ch,
                    at: 0,
                    end: 0,
                    gap: false,
                },
            ),
            Edit::Replace(ch) => marks.get_mut(at)?.ch = ch,
            Edit::Truncate => marks.truncate(at),
        }
        match whole(&marks, want, rules) {
            Ok(parsed) => return Some(parsed.number.to_string()),
            Err(next) => fault = next,
        }
    }
    None
}

/// A number that is the whole text and of the kind wanted.
fn whole(marks: &[Mark], want: Want, rules: Rules) -> Result<Parsed, Fault> {
    if marks.is_empty() {
        return Err(Fault::plain(Kind::Empty, 0));
    }
    if looks_like_url(marks) {
        return Err(Fault::plain(Kind::LooksLikeUrl, 0));
    }
    let read = read_number(marks, 0, rules)?;
    if let Some(next) = marks.get(read.end) {
        let after_hao = read.suffix_at.is_none()
            && read
                .end
                .checked_sub(1)
                .and_then(|at| marks.get(at))
                .is_some_and(|m| m.ch == '号');
        let kind = read.parsed.number.kind();
        if after_hao && next.ch.is_ascii_digit() && kind != NumberKind::PublicSecurity {
            return Err(Fault::with(Kind::BadSuffix, read.end, Edit::Insert('-')));
        }
        return Err(Fault::with(Kind::TrailingText, read.end, Edit::Truncate));
    }
    check_wanted(&read, want)?;
    Ok(read.parsed)
}

fn check_wanted(read: &Read, want: Want) -> Result<(), Fault> {
    let number = read.parsed.number;
    let wanted = match want {
        Want::Any => return Ok(()),
        Want::Filing | Want::Service | Want::Subject => NumberKind::Filing,
        Want::Licence => NumberKind::Licence,
        Want::PublicSecurity => NumberKind::PublicSecurity,
    };
    let fits = match wanted {
        NumberKind::Filing => number.subject().is_some(),
        NumberKind::Licence => number.licence().is_some(),
        NumberKind::PublicSecurity => number.kind() == NumberKind::PublicSecurity,
    };
    if !fits {
        let kind = Kind::WrongKind {
            found: number.kind(),
            wanted,
        };
        return Err(Fault::plain(kind, read.kind_at));
    }
    match read.suffix_at {
        Some(at) if matches!(want, Want::Licence | Want::Subject) => {
            Err(Fault::with(Kind::SuffixNotAllowed, at, Edit::Truncate))
        }
        None if want == Want::Service => Err(Fault::plain(Kind::SuffixMissing, read.end)),
        Some(_) | None => Ok(()),
    }
}

/// Whether a person pasted an address instead of a number.
fn looks_like_url(marks: &[Mark]) -> bool {
    let text: String = marks.iter().map(|mark| mark.ch).collect();
    let is_host = text.is_ascii()
        && text.contains('.')
        && text.contains(|ch: char| ch.is_ascii_alphabetic())
        && !Cursor { marks, at: 0 }.at_class();
    text.contains("://") || text.starts_with("WWW.") || is_host
}
