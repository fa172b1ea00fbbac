//! Public suffixes: the ICANN section of the public suffix list, and the registry's own extras.
//!
//! **Absent on purpose:** the private section. `github.io` or `amazonaws.com.cn` are names that
//! somebody registered and would have to file, not places under which the public registers.

use std::collections::HashSet;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};
use psl::{Psl as _, Type};
use thiserror::Error;

use super::{is_under, parent};

/// The suffixes under which names are registered, and which of them belong to government bodies.
#[derive(Clone, Debug)]
pub struct Suffixes {
    extra: HashSet<Box<str>>,
    /// Labels of the longest extra suffix: names need not be looked up deeper.
    extra_depth: usize,
    /// A handful of entries; a list is faster than a set.
    government: Box<[Box<str>]>,
}

/// An entry of a list that cannot be a suffix.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("suffix `{entry}` ({list:?}, index {index}): {problem:?}")]
pub struct SuffixError {
    /// The list it stands in.
    pub list: SuffixList,
    /// Its place in that list, from 0.
    pub index: usize,
    /// The entry as written.
    pub entry: String,
    /// What is wrong.
    pub problem: SuffixProblem,
}

/// The lists of suffixes in policy data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuffixList {
    /// Suffixes that the public suffix list lacks.
    Extra,
    /// Suffixes of government bodies.
    Government,
}

/// Why an entry cannot be a suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SuffixProblem {
    /// Nothing but dots and white space.
    Empty,
    /// Not labels of a host name.
    NotAName,
    /// A `*` or `!`: rules of the public suffix list are not read here.
    Rule,
}

impl Suffixes {
    /// Takes the extra suffixes and the suffixes of government bodies from policy data.
    ///
    /// Entries may be in U-labels or A-labels of any case, with a leading dot, with white space
    /// around them, and with a typographic dash where `xn--` should stand, as in the list of
    /// suffixes that the ministry published. A government suffix is not thereby a public suffix.
    ///
    /// # Errors
    ///
    /// Every entry of either list that cannot be a suffix.
    pub fn new(extra: &[String], government: &[String]) -> Result<Self, Vec<SuffixError>> {
        let mut errors = Vec::new();
        let mut clean = |list, entries: &[String]| -> Vec<Box<str>> {
            let mut cleaned = Vec::with_capacity(entries.len());
            for (index, entry) in entries.iter().enumerate() {
                match clean_entry(entry) {
                    Ok(suffix) => cleaned.push(suffix),
                    Err(problem) => {
                        errors.push(SuffixError {
                            list,
                            index,
                            entry: entry.clone(),
                            problem,
                        });
                    }
                }
            }
            cleaned
        };
        let extra: HashSet<_> = clean(SuffixList::Extra, extra).into_iter().collect();
        let mut government = clean(SuffixList::Government, government);
        if !errors.is_empty() {
            return Err(errors);
        }
        government.sort_unstable();
        government.dedup();
        let extra_depth = extra.iter().map(|suffix| labels(suffix)).max().unwrap_or(0);
        Ok(Self {
            extra,
            extra_depth,
            government: government.into(),
        })
    }

    /// The public suffix of a name in lower-case A-labels, and whether a list holds it. Under an
    /// unknown top-level domain it is the last label, as the list's own algorithm says.
    pub(super) fn find<'a>(&self, name: &'a str) -> Found<'a> {
        let listed = find_icann(name);
        match self.find_extra(name) {
            Some(extra) if extra.len() >= listed.suffix.len() => Found {
                suffix: extra,
                known: true,
            },
            _ => listed,
        }
    }

    /// Whether the name is a government suffix or lies under one.
    pub(super) fn is_government(&self, name: &str) -> bool {
        self.government.iter().any(|suffix| is_under(name, suffix))
    }

    /// The longest extra suffix that the name is or lies under.
    fn find_extra<'a>(&self, name: &'a str) -> Option<&'a str> {
        if self.extra.is_empty() {
            return None;
        }
        let excess = labels(name).saturating_sub(self.extra_depth);
        std::iter::successors(Some(name), |name| parent(name))
            .skip(excess)
            .find(|ancestor| self.extra.contains(*ancestor))
    }
}

/// The suffix of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) suffix: &'a str,
    pub(super) known: bool,
}

fn find_icann(name: &str) -> Found<'_> {
    let mut rest = name;
    loop {
        let Some(found) = psl::List.suffix(rest.as_bytes()) else {
            return Found {
                suffix: rest,
                known: false,
            };
        };
        let length = found.as_bytes().len();
        let suffix = rest
            .get(rest.len().saturating_sub(length)..)
            .unwrap_or(rest);
        match (found.typ(), parent(suffix)) {
            // A rule of the private section hides the shorter one of the other section. Whatever
            // matches there matches the rest without the leftmost label of the private suffix.
            (Some(Type::Private), Some(shorter)) => rest = shorter,
            (typ, _) => {
                return Found {
                    suffix,
                    known: typ.is_some(),
                };
            }
        }
    }
}

fn clean_entry(entry: &str) -> Result<Box<str>, SuffixProblem> {
    let trimmed =
        entry.trim_matches(|c: char| c.is_whitespace() || matches!(c, '.' | '。' | '．' | '｡'));
    if trimmed.is_empty() {
        return Err(SuffixProblem::Empty);
    }
    if trimmed.contains(['*', '!']) {
        return Err(SuffixProblem::Rule);
    }
    // Word processors turn the two hyphens of `xn--` into one dash.
    let plain = trimmed
        .to_lowercase()
        .replace("xn\u{2014}", "xn--")
        .replace("xn\u{2013}", "xn--");
    if plain.contains(|c: char| matches!(c, '\u{2010}'..='\u{2015}' | '\u{2212}')) {
        return Err(SuffixProblem::NotAName);
    }
    Uts46::new()
        .to_ascii(
            plain.as_bytes(),
            AsciiDenyList::STD3,
            Hyphens::CheckFirstLast,
            DnsLength::Verify,
        )
        .map(|ascii| ascii.into_owned().into_boxed_str())
        .map_err(|_| SuffixProblem::NotAName)
}

fn labels(name: &str) -> usize {
    name.split('.').count()
}
