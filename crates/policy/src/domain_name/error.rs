//! Why a text is not a host name. Wording: [`crate::explain::domain_name`].

use thiserror::Error;

/// Length of a name or label in octets of its A-label form.
pub type NumberOfOctets = usize;

/// Why a text does not name a host for which a decision can be asked.
///
/// Positions count characters of the trimmed text from 1, labels from the left from 1. Texts
/// before an `@` may be a mailbox or a password and are in no variant.
#[derive(Clone, Debug, Error, PartialEq, Eq, Hash)]
pub enum HostError {
    /// Right-to-left and left-to-right labels are mixed against RFC 5893.
    #[error("bidirectional rule broken")]
    Bidirectional,
    /// A control character, NUL included.
    #[error("control character at {position}")]
    Control {
        /// Position of the character.
        position: usize,
    },
    /// Nothing but white space.
    #[error("empty")]
    Empty,
    /// Two dots in a row, or more than one at the end.
    #[error("label {label} is empty")]
    EmptyLabel {
        /// Number of the label.
        label: usize,
    },
    /// A character that host names do not have (RFC 1123, section 2.1), the underscore aside.
    #[error("forbidden character at {position}")]
    Forbidden {
        /// The character; never a control character.
        character: char,
        /// Position of the character.
        position: usize,
    },
    /// One label is not a label of a host name.
    #[error("label {label}: {problem:?}")]
    Label {
        /// Number of the label.
        label: usize,
        /// What is wrong with it.
        problem: LabelProblem,
    },
    /// `.example.com`: a wildcard in the notation of another provider.
    #[error("leading dot")]
    LeadingDot {
        /// The wildcard to write instead, if the rest is a name.
        suggestion: Option<Box<str>>,
    },
    /// Longer than a name can be (RFC 1035, section 2.3.4).
    #[error("{length} octets")]
    NameTooLong {
        /// Length found; of the text as typed where that alone is too much.
        length: NumberOfOctets,
    },
    /// A URL, a mailbox, a port or a path around a host.
    #[error("not a bare host: {part:?}")]
    NotBare {
        /// The host to use, in canonical form, if one can be made out.
        host: Option<Box<str>>,
        /// What is too much; the first of these that was found.
        part: UrlPart,
    },
    /// The last label is a number, and the whole is not an IPv4 address in four decimal parts.
    #[error("numeric last label")]
    Numeric,
    /// A public suffix, below which names are registered.
    #[error("public suffix")]
    PublicSuffix {
        /// The suffix, in A-labels.
        suffix: Box<str>,
    },
    /// One label only, and not a suffix: `localhost`.
    #[error("single label")]
    SingleLabel,
    /// An underscore: names such as `_dmarc.example.com` hold DNS records, and are not hosts.
    #[error("underscore at {position}")]
    Underscore {
        /// Position of the first underscore.
        position: usize,
    },
    /// `*` and nothing else.
    #[error("bare wildcard")]
    WildcardAlone,
    /// `*.com.cn`: a wildcard over names of many registrants.
    #[error("wildcard over a public suffix")]
    WildcardOverSuffix {
        /// The suffix, in A-labels.
        suffix: Box<str>,
    },
    /// A `*` that is not the whole leftmost label.
    #[error("wildcard at {position}")]
    WildcardPosition {
        /// Position of the misplaced `*`.
        position: usize,
    },
}

/// What is wrong with one label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LabelProblem {
    /// A hyphen at the start or the end (RFC 952, RFC 1123).
    EdgeHyphen,
    /// Characters that UTS 46 does not allow, or not here.
    Idna,
    /// Starts with `xn--` and is not the A-label of any label (RFC 5890, section 2.3.2.1).
    Punycode,
    /// More than 63 octets as an A-label (RFC 1035, section 2.3.4).
    TooLong {
        /// Length found.
        length: NumberOfOctets,
    },
}

/// What a text holds besides the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UrlPart {
    /// `/index.html`, `?q`, `#top`.
    Path,
    /// `:8080`.
    Port,
    /// `https://`.
    Scheme,
    /// `user@`.
    UserInfo,
}
