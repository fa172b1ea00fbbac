//! Traditional to simplified Chinese, one character at a time.
//!
//! Used to make comparison keys of host names and of names of people and organisations, never to
//! show text: a key folds more than a translator would (乾 and 干, 著 and 着), and two texts with
//! equal keys are a case for a person, not equal texts.
//!
//! **Invariant:** folding a folded character changes nothing.
//! **Absent on purpose:** phrase tables. They make the result of one character depend on its
//! neighbours, and then a part of a name would not fold as it does in the whole.

use std::sync::LazyLock;

use hanconv::RawDictionary;

/// The character table of `OpenCC`: one traditional character a line, then its simplified forms,
/// the usual one first.
const TABLE: &str = RawDictionary::TSCharacters.text();

/// Longest chain of entries that is followed to a character that stands for itself.
const CHAIN_LIMIT: usize = 8;

/// The simplified character that stands for `character` in comparison keys; itself if the table
/// does not know it.
pub(crate) fn simplify(character: char) -> char {
    static PAIRS: LazyLock<Box<[(char, char)]>> = LazyLock::new(pairs);
    // Everything the table holds lies in or above the first block of Han characters.
    if character < '\u{2e80}' {
        character
    } else {
        look_up(&PAIRS, character)
    }
}

fn pairs() -> Box<[(char, char)]> {
    let mut direct: Vec<(char, char)> = TABLE.lines().filter_map(pair).collect();
    direct.sort_unstable();
    direct.dedup_by_key(|&mut (from, _)| from);
    // A few simplified forms are themselves entries; following them here makes one look-up final.
    direct
        .iter()
        .map(|&(from, to)| {
            (
                from,
                (0..CHAIN_LIMIT).fold(to, |at, _| look_up(&direct, at)),
            )
        })
        .collect()
}

fn pair(line: &str) -> Option<(char, char)> {
    let mut words = line.split_whitespace();
    Some((single(words.next()?)?, single(words.next()?)?))
}

/// The only character of `word`; comment lines and sequences have none.
fn single(word: &str) -> Option<char> {
    let mut characters = word.chars();
    let first = characters.next().filter(|&c| c >= '\u{2e80}')?;
    characters.next().is_none().then_some(first)
}

fn look_up(pairs: &[(char, char)], character: char) -> char {
    pairs
        .binary_search_by_key(&character, |&(from, _)| from)
        .ok()
        .and_then(|at| pairs.get(at))
        .map_or(character, |&(_, to)| to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_the_characters_of_suffixes_and_surnames() {
        for (traditional, simplified) in "國网網后後范範于於务務公司络絡叶葉"
            .chars()
            .zip("国网网后后范范于于务务公司络络叶叶".chars())
        {
            assert_eq!(simplify(traditional), simplified, "{traditional}");
        }
    }

    #[test]
    fn folding_is_final_for_every_character() {
        for character in '\u{0}'..=char::MAX {
            let once = simplify(character);
            assert_eq!(simplify(once), once, "{character}");
        }
    }

    #[test]
    fn the_table_is_there() {
        assert!(pairs().len() > 3_500);
    }
}
