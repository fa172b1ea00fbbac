//! Names of people and organisations in the form in which they are compared.

use std::fmt;

use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Longest name, in characters of the normal form; licences of organisations stay below 120.
pub const NAME_LIMIT: usize = 200;

/// Longest text that is looked at, in octets; keeps the work on hostile input small.
const TEXT_LIMIT: usize = 4096;

/// Most rounds of upper-casing and composing until nothing changes any more; two are common.
const ROUNDS: usize = 4;

/// A name in normal form. May be personal data: see the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(Zeroizing<String>);

/// Why a text is not a name. Never holds a character of it; positions count characters from 1.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq, Hash)]
pub enum NameError {
    /// A control character, or one that turns the direction of writing.
    #[error("control character at {position}")]
    Control {
        /// Position of the character.
        position: usize,
    },
    /// Nothing but white space.
    #[error("empty")]
    Empty,
    /// U+FFFD: the text was damaged between two encodings before it came here.
    #[error("replacement character at {position}")]
    Damaged {
        /// Position of the character.
        position: usize,
    },
    /// No letter, character or digit in it.
    #[error("no letters")]
    NoLetters,
    /// More characters than a name has.
    #[error("{found} characters")]
    TooLong {
        /// Length found, in characters.
        found: usize,
    },
}

impl Name {
    /// Reads a name, see [`normalise_name`].
    ///
    /// # Errors
    ///
    /// As [`normalise_name`].
    pub fn parse(text: &str) -> Result<Self, NameError> {
        normalise_name(text).map(|name| Self(Zeroizing::new(name)))
    }

    /// The normal form. May be personal data.
    pub(super) fn text(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(..)")
    }
}

/// Writes a name in the form in which names are compared: NFKC (so Kangxi radicals, compatibility
/// ideographs and full-width Latin become ordinary characters), upper case, full-width
/// parentheses, one middle dot for the seven in use, a plain hyphen and apostrophe; full stops and
/// commas count as spaces (`Co., Ltd.`), a full stop between Chinese characters as a middle dot;
/// spaces are collapsed, and removed next to Chinese characters and parentheses; invisible
/// characters and variation selectors are removed.
///
/// Traditional characters stay, because 后 and 後 are different surnames.
///
/// # Errors
///
/// [`NameError`] if the text is empty, too long, damaged, or holds control characters.
pub fn normalise_name(text: &str) -> Result<String, NameError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(NameError::Empty);
    }
    if text.len() > TEXT_LIMIT {
        return Err(NameError::TooLong {
            found: text.chars().count(),
        });
    }
    for (character, position) in text.chars().zip(1_usize..) {
        if character.is_control() || turns_direction(character) {
            return Err(NameError::Control { position });
        }
        if character == char::REPLACEMENT_CHARACTER {
            return Err(NameError::Damaged { position });
        }
    }
    let name = join_words(&unify(&compose(text)));
    let found = name.chars().count();
    if found > NAME_LIMIT {
        return Err(NameError::TooLong { found });
    }
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if !name
        .chars()
        .any(|c| c.is_alphanumeric() || is_private_use(c) || c == '○')
    {
        return Err(NameError::NoLetters);
    }
    Ok(name)
}

/// The key under which script variants of a normalised name meet: traditional and simplified, and
/// 〇, ○ and 零. Equal keys are a case for review.
pub(super) fn fold_name(name: &str) -> Zeroizing<String> {
    let mut key = Zeroizing::new(String::with_capacity(name.len().saturating_mul(2)));
    key.extend(name.chars().map(fold_character));
    key
}

/// The folding of one character of a name.
pub(super) fn fold_character(character: char) -> char {
    match character {
        '〇' | '○' | '◯' => '零',
        other => crate::script::simplify(other),
    }
}

/// A character that only the font of one system knows: rare characters of names from before
/// Unicode had them.
pub(super) fn is_private_use(c: char) -> bool {
    matches!(
        c,
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{ffffd}' | '\u{100000}'..='\u{10fffd}'
    )
}

/// Chinese characters, and what stands for one in a name.
pub(super) fn is_han(c: char) -> bool {
    matches!(
        c,
        '〇' | '○' | '◯' | '々'
        | '\u{2e80}'..='\u{2fdf}'
        | '\u{3400}'..='\u{4dbf}'
        | '\u{4e00}'..='\u{9fff}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}'
    ) || is_private_use(c)
}

/// NFKC and upper case, until both leave the text as it is.
fn compose(text: &str) -> Zeroizing<String> {
    let visible = text.chars().filter(|&c| !is_invisible(c));
    let mut current: Zeroizing<String> = Zeroizing::new(visible.nfkc().collect());
    for _ in 0..ROUNDS {
        let next: Zeroizing<String> = Zeroizing::new(current.to_uppercase().nfkc().collect());
        if next == current {
            break;
        }
        current = next;
    }
    current
}

/// One character for each group of characters that people type for each other.
fn unify(text: &str) -> Zeroizing<String> {
    let mut unified = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2)));
    let mut previous = None;
    let mut characters = text.chars().filter(|&c| !is_invisible(c)).peekable();
    while let Some(character) = characters.next() {
        let between_han =
            previous.is_some_and(is_han) && characters.peek().is_some_and(|&next| is_han(next));
        unified.push(match character {
            '\u{2022}' | '\u{2027}' | '\u{2219}' | '\u{22c5}' | '\u{30fb}' | '\u{ff65}'
            | '\u{16eb}' => '·',
            '.' if between_han => '·',
            '.' | ',' => ' ',
            '(' | '〔' => '（',
            ')' | '〕' => '）',
            '\u{2010}'..='\u{2015}' | '\u{2212}' => '-',
            '\u{2018}' | '\u{2019}' | '\u{2bc}' | '`' => '\'',
            other => other,
        });
        previous = Some(character);
    }
    unified
}

/// Collapses spaces, and removes them where Chinese typography has none.
fn join_words(text: &str) -> String {
    let closed = |c: char| is_han(c) || matches!(c, '（' | '）' | '·' | '\u{3040}'..='\u{30ff}');
    let mut joined = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let tight =
            joined.chars().next_back().is_none_or(closed) || word.chars().next().is_none_or(closed);
        if !tight {
            joined.push(' ');
        }
        joined.push_str(word);
    }
    joined
}

fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}'
    )
}

fn turns_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
