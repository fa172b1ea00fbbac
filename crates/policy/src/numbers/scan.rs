//! Finding numbers in the text or the source of a page.
//!
//! **Never here:** fetching or rendering a page, or deciding whose number it is.

use super::grammar::{Rules, read_number, spoils_what_follows};
use super::text::{Mark, Source, read};
use super::{Mode, Number};

/// Longest page that is read whole, in characters; of a longer one, the first and the last half
/// of this, since the number stands in the footer (MII Order 33, Art. 13).
pub const MAX_PAGE_CHARS: usize = 1_000_000;

/// Most numbers reported for one page.
pub const MAX_FOUND: usize = 1_000;

/// A number on a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// The number.
    pub number: Number,
    /// It is written without 号 where the form has one.
    pub missing_hao: bool,
    /// Index of its first character in the page, counted in characters from 0.
    pub position: usize,
    /// Index just behind its last character.
    pub end: usize,
}

/// Finds all numbers in a page, in order: leniently as in [`Mode::Display`], over entities, tags,
/// spaces and line breaks, and where one number is glued to the next.
///
/// Nothing that merely resembles a number is reported; a missing number is not an error here.
#[must_use]
pub fn scan(text: &str, current_year: i16) -> Vec<Found> {
    let mut found = Vec::new();
    let length = text.chars().count();
    if length <= MAX_PAGE_CHARS {
        scan_part(text, 0, length, current_year, &mut found);
    } else {
        let half = MAX_PAGE_CHARS / 2;
        scan_part(text, 0, half, current_year, &mut found);
        // The footer must not be crowded out by what stands above it.
        found.truncate(MAX_FOUND / 2);
        scan_part(text, length - half, half, current_year, &mut found);
    }
    found
}

fn scan_part(
    text: &str,
    skipped: usize,
    length: usize,
    current_year: i16,
    found: &mut Vec<Found>,
) {
    let original: Vec<char> = text.chars().skip(skipped).take(length).collect();
    let marks = read(&original, skipped, Source::Page);
    let rules = Rules { mode: Mode::Display, source: Source::Page, current_year };
    let mut at = 0;
    while at < marks.len() && found.len() < MAX_FOUND {
        match find_at(&marks, at, rules) {
            Some((number, end)) => {
                found.push(number);
                at = end;
            }
            None => at += 1,
        }
    }
}

/// The number that begins at a mark, and the mark behind it.
fn find_at(marks: &[Mark], at: usize, rules: Rules) -> Option<(Found, usize)> {
    let first = marks.get(at)?;
    // Between two found numbers no space is needed, so only what is not part of one counts.
    let before = at.checked_sub(1).and_then(|before| marks.get(before));
    let is_glued = !first.gap && before.is_some_and(|before| spoils_what_follows(before.ch));
    if is_glued && (first.ch.is_ascii() || first.ch == '合') {
        return None;
    }
    let read = read_number(marks, at, rules).ok()?;
    let last = read.end.checked_sub(1).and_then(|last| marks.get(last))?;
    let next_is_digit = marks
        .get(read.end)
        .is_some_and(|next| !next.gap && next.ch.is_ascii_digit() && last.ch.is_ascii_digit());
    if next_is_digit {
        return None;
    }
    let found = Found {
        number: read.parsed.number,
        missing_hao: read.parsed.missing_hao,
        position: first.at,
        end: last.end,
    };
    Some((found, read.end))
}
