//! All wording for callers, English and Chinese; no other module holds any.

use serde::{Deserialize, Serialize};

pub mod cases;
pub mod domain_name;
pub mod field;
pub mod file;
pub mod identity;
pub mod numbers;
pub mod question;

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
