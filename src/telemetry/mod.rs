//! What operators see of a running process.
//!
//! **Absent on purpose:** anything that decides; nothing here changes an answer.

mod logs;

pub use logs::{TelemetryError, init};
