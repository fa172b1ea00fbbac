//! Wording for problems of `crate::numbers`.
