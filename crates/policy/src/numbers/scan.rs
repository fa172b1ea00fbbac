//! Finding numbers in the text or the source of a page.
//!
//! **Never here:** fetching or rendering a page, or deciding whose number it is.

use super::cursor::Rules;
use super::grammar::{read_number, spoils_what_follows};
use super::text::{Mark, Source, read};
use super::{Mode, Number};

/// Longest page that is read whole, in characters; of a longer one, the first and the last half
/// of this, since the number stands in the footer (MII Order 33, Art. 13).
pub const MAX_PAGE_CHARS: usize = 1_000_000;

/// Most numbers reported for one page.
pub const MAX_FOUND: usize = 1_000;

/// Marks before a licence class that belong to it: 沪ICP证:, and a class or two.
const LONGEST_LABEL: usize = 12;

/// Characters that a service suffix may add to a number.
const LONGEST_SUFFIX: usize = 8;

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
    scan_ends(text, MAX_PAGE_CHARS, current_year)
}

/// Reads a text of at most `limit` characters whole, and both ends of a longer one.
fn scan_ends(text: &str, limit: usize, current_year: i16) -> Vec<Found> {
    let mut found = Vec::new();
    let length = text.chars().count();
    if length <= limit {
        let marks = marks_of(text, 0, length);
        find_all(&marks, current_year, &mut found);
        return found;
    }
    let half = limit / 2;
    let head = marks_of(text, 0, half);
    find_all(&head, current_year, &mut found);
    // What touches the cut may be a part of something else.
    let cut = head.last().map_or(0, |mark| mark.end);
    found.retain(|found| found.end + LONGEST_SUFFIX < cut);
    // The footer must not be crowded out by what stands above it.
    found.truncate(MAX_FOUND / 2);
    let tail = marks_of(text, length - half, half);
    let mut found_in_tail = Vec::new();
    find_all(&tail, current_year, &mut found_in_tail);
    let cut = tail.get(LONGEST_LABEL).map_or(length, |mark| mark.at);
    found_in_tail.retain(|found| found.position >= cut);
    found.extend(found_in_tail);
    found.truncate(MAX_FOUND);
    found
}

fn marks_of(text: &str, skipped: usize, length: usize) -> Vec<Mark> {
    let original: Vec<char> = text.chars().skip(skipped).take(length).collect();
    read(&original, skipped, Source::Page)
}

fn find_all(marks: &[Mark], current_year: i16, found: &mut Vec<Found>) {
    let rules = Rules {
        mode: Mode::Display,
        source: Source::Page,
        current_year,
    };
    let mut at = 0;
    let mut last_end = None;
    while at < marks.len() && found.len() < MAX_FOUND {
        match find_at(marks, at, last_end == Some(at), rules) {
            Some((number, end)) => {
                found.push(number);
                at = end;
                last_end = Some(end);
            }
            None => at += 1,
        }
    }
}

/// The number that begins at a mark, and the mark behind it.
fn find_at(
    marks: &[Mark],
    at: usize,
    follows_number: bool,
    rules: Rules,
) -> Option<(Found, usize)> {
    let first = marks.get(at)?;
    let before = at.checked_sub(1).and_then(|before| marks.get(before));
    // Between two numbers no space is needed.
    let is_glued = !follows_number
        && !first.gap
        && before.is_some_and(|before| spoils_what_follows(before.ch));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_cut_in_the_middle_is_not_half_read() {
        let limit = 200;
        let filler = "字".repeat(limit);
        for number in ["沪ICP证：沪B2-20100043", "京ICP备2020004644号-123"] {
            for shift in 0..60 {
                let near = "字".repeat(limit / 2 - shift);
                let head = scan_ends(&format!("{near}{number}{filler}"), limit, 2026);
                let tail = scan_ends(&format!("{filler}{number}{near}"), limit, 2026);
                let whole = scan(number, 2026);
                for found in head.iter().chain(&tail) {
                    assert_eq!(found.number, whole[0].number, "{number} {shift}");
                }
                let far_enough = shift > number.chars().count() + LONGEST_LABEL;
                assert!(
                    !far_enough || (head.len(), tail.len()) == (1, 1),
                    "{number} {shift}"
                );
            }
        }
    }
}
