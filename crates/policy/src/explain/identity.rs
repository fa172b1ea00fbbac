//! Wording for problems of `crate::identity`.
