//! Wording of answers, policy problems and evidence.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod complete;
mod support;
mod texts;
