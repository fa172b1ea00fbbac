//! All wording for callers, English and Chinese; no other module holds any.
//!
//! **Invariant:** wording is looked up, not made: a text is static but where a number, a day or a
//! name of the case is told in it. **Never** decides anything, and never shows a name of a person,
//! a whole certificate number, or a number of a subject other than the one asked about.
//! Start at [`finding`].

pub mod cases;
mod decision;
mod details;
pub mod domain_name;
pub mod field;
pub mod file;
pub mod identity;
mod meaning;
mod message;
mod names;
pub mod numbers;
mod pass;
mod policy;
pub mod question;
mod references;
mod remedy;
pub mod rules_page;
mod titles;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

pub use decision::{
    Explained, FindingText, evidence_key, finding, not_applicable, obligation, verdict,
};
pub use meaning::reason_meaning;
pub use policy::policy_problem;
pub use references::rule_references;
pub use titles::rule_title;

/// A text; static where nothing of the case is told in it.
pub type Text = Cow<'static, str>;

/// Language of an answer.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
pub enum Language {
    /// English, the default.
    #[default]
    English,
    /// Simplified Chinese.
    Chinese,
}

impl Language {
    /// The one of two texts that is in this language.
    const fn pick<'a>(self, english: &'a str, chinese: &'a str) -> &'a str {
        match self {
            Self::English => english,
            Self::Chinese => chinese,
        }
    }
}
