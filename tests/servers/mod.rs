//! Servers that tests start for themselves, and that end with them.

pub(crate) mod postgres;
