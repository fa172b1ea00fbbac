//! Host names: what a person typed, made into one canonical form with its registrable domain.
//!
//! **Invariant:** a [`HostName`] is a lower-case A-label name of at least two labels, lies below a
//! public suffix, and parses to itself.
//! **Never** resolves a name, and never says whether a name is filed.
//! Start at [`parse()`].

mod address;
mod error;
mod fold;
mod parse;
mod suffixes;

use std::fmt;
use std::net::IpAddr;

pub use address::is_public;
pub use error::{HostError, LabelProblem, NumberOfOctets, UrlPart};
pub use fold::fold;
pub use parse::parse;
pub use suffixes::{SuffixError, SuffixList, SuffixProblem, Suffixes};

/// What stands in a request where a host is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Host {
    /// A bare IP address, in brackets or not.
    Ip(IpAddr),
    /// A host name, or a wildcard over one.
    Name(HostName),
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

/// A host name in canonical form.
///
/// `Display` writes the A-label form with the leading `*.` of a wildcard, which [`parse()`] reads
/// back to an equal value.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HostName {
    /// Lower-case A-labels, no trailing dot, no `*.`.
    ascii: Box<str>,
    /// The U-label form where it differs.
    unicode: Option<Box<str>>,
    /// Where the registrable name begins in `ascii`, in octets.
    registrable_at: u8,
    /// Where the public suffix begins in `ascii`, in octets.
    suffix_at: u8,
    wildcard: bool,
    government: bool,
    suffix_known: bool,
}

impl HostName {
    /// The name in lower-case A-labels, without a trailing dot; for a wildcard without its `*.`.
    #[must_use]
    pub fn ascii(&self) -> &str {
        &self.ascii
    }

    /// The name in U-labels, as the filing site of the ministry shows it; without `*.`.
    #[must_use]
    pub fn unicode(&self) -> &str {
        self.unicode.as_deref().unwrap_or(&self.ascii)
    }

    /// Whether the name was written with a leading `*.`.
    ///
    /// A wildcard stands for one level below [`Self::ascii`].
    #[must_use]
    pub fn is_wildcard(&self) -> bool {
        self.wildcard
    }

    /// The registrable name, in A-labels: the public suffix and one label more.
    ///
    /// Filings of enterprises and persons are made at this name and cover everything below it.
    #[must_use]
    pub fn registrable(&self) -> &str {
        tail(&self.ascii, self.registrable_at)
    }

    /// The public suffix, in A-labels.
    #[must_use]
    pub fn suffix(&self) -> &str {
        tail(&self.ascii, self.suffix_at)
    }

    /// Whether the suffix stands in the list, or is only the last label of a name under a
    /// top-level domain that the list does not know.
    #[must_use]
    pub fn has_known_suffix(&self) -> bool {
        self.suffix_known
    }

    /// Whether the name lies under a suffix of government bodies, where names below the
    /// registrable one are filed by themselves.
    #[must_use]
    pub fn is_government(&self) -> bool {
        self.government
    }

    /// The names at which a filing that covers this one may stand, in A-labels: the name, then
    /// each ancestor down to and including the registrable name.
    #[must_use]
    pub fn candidates(&self) -> Candidates<'_> {
        Candidates {
            next: Some(&self.ascii),
            shortest: self.registrable().len(),
        }
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.wildcard {
            f.write_str("*.")?;
        }
        f.write_str(&self.ascii)
    }
}

impl fmt::Debug for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HostName({self})")
    }
}

/// Iterator of [`HostName::candidates`], longest name first.
#[derive(Clone, Debug)]
pub struct Candidates<'a> {
    next: Option<&'a str>,
    /// Length of the registrable name, in octets.
    shortest: usize,
}

impl<'a> Iterator for Candidates<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let name = self.next?;
        self.next = parent(name).filter(|parent| parent.len() >= self.shortest);
        Some(name)
    }
}

impl std::iter::FusedIterator for Candidates<'_> {}

/// Whether `name` is `ancestor` or lies below it, label by label. Both in lower-case A-labels,
/// without a trailing dot.
#[must_use]
pub fn is_under(name: &str, ancestor: &str) -> bool {
    name.strip_suffix(ancestor)
        .is_some_and(|rest| !ancestor.is_empty() && (rest.is_empty() || rest.ends_with('.')))
}

/// The name without its leftmost label.
fn parent(name: &str) -> Option<&str> {
    // Names are short, so that a plain search for the octet beats one for a character.
    let dot = name.bytes().position(|byte| byte == b'.')?;
    name.get(dot + 1..)
}

fn tail(name: &str, at: u8) -> &str {
    name.get(usize::from(at)..).unwrap_or(name)
}
