//! What the readers of numbers share: a place in some marks, how to read on, and what went wrong.

use super::Mode;
use super::error::NumberErrorKind as Kind;
use super::serial;
use super::text::{Mark, Source};

/// How to read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) mode: Mode,
    pub(super) source: Source,
    pub(super) current_year: i16,
}

/// What is wrong at which mark.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) at: usize,
    pub(super) edit: Option<Edit>,
}

/// How a fault can probably be mended, at its mark.
#[derive(Clone, Copy, Debug)]
pub(super) enum Edit {
    /// Take the mark out.
    Delete,
    /// Put this before the mark.
    Insert(char),
    /// Put this in place of the mark.
    Replace(char),
    /// Take out the mark and all behind it.
    Truncate,
}

impl Fault {
    pub(super) fn plain(kind: Kind, at: usize) -> Self {
        Self {
            kind,
            at,
            edit: None,
        }
    }

    pub(super) fn with(kind: Kind, at: usize, edit: Edit) -> Self {
        Self {
            kind,
            at,
            edit: Some(edit),
        }
    }
}

/// A place in some marks.
#[derive(Clone, Copy)]
pub(super) struct Cursor<'a> {
    pub(super) marks: &'a [Mark],
    pub(super) at: usize,
}

impl Cursor<'_> {
    pub(super) fn mark(&self, offset: usize) -> Option<Mark> {
        self.marks.get(self.at + offset).copied()
    }

    pub(super) fn peek(&self, offset: usize) -> Option<char> {
        self.mark(offset).map(|mark| mark.ch)
    }

    pub(super) fn eat(&mut self, character: char) -> bool {
        let found = self.peek(0) == Some(character);
        self.at += usize::from(found);
        found
    }

    pub(super) fn starts_with(&self, text: &str) -> bool {
        self.starts_with_at(0, text)
    }

    pub(super) fn starts_with_at(&self, offset: usize, text: &str) -> bool {
        text.chars()
            .enumerate()
            .all(|(index, ch)| self.peek(offset + index) == Some(ch))
    }

    pub(super) fn has_digit_at(&self, offset: usize) -> bool {
        self.peek(offset).is_some_and(serial::stands_for_digit)
    }

    /// Whether a licence class begins here: A1, A2, B1 or B2.
    pub(super) fn at_class(&self) -> bool {
        matches!(
            (self.peek(0), self.peek(1)),
            (Some('A' | 'B'), Some('1' | '2'))
        )
    }
}
