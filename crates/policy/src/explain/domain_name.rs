//! Wording for problems of `crate::domain_name`.
