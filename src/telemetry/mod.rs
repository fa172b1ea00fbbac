//! What operators see of a running process: log lines and metrics.
//!
//! **Absent on purpose:** anything that decides; nothing here changes an answer.

mod logs;
pub mod metrics;

pub use logs::{TelemetryError, init};
