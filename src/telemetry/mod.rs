//! What operators see of a running process.
//!
//! **Absent on purpose:** anything that decides, and what was asked and about whom. Neither a domain, a
//! number, a name nor an order stands in a log line, a metric or a trace.
//! Start at [`init`].

mod logs;
pub mod metrics;

pub use logs::{TelemetryError, init};
