//! What operators see of a running process: log lines, lines about calls, metrics, traces.
//!
//! **Absent on purpose:** anything that decides, and what was asked and about whom. Neither a domain, a
//! number, a name nor an order stands in a log line, a metric or a trace.
//!
//! `logs` writes lines; `metrics` counts; `call` holds what is noted about a call on its way,
//! `requests` makes a line and a trace of it when it is over; `context` reads what callers say of
//! their traces; `traces` samples, `spans` words and `otlp` sends them; `push` sends metrics the same
//! way.
//! Start at [`init`] and [`observe`].

pub(crate) mod call;
mod context;
mod logs;
pub mod metrics;
mod otlp;
mod push;
pub(crate) mod requests;
pub(crate) mod seldom;
mod spans;
mod traces;

use std::sync::Arc;

pub use logs::{TelemetryError, init};
pub use otlp::OtlpError;
pub use push::{MetricsWorker, metrics_worker};
pub use traces::{SpanCounts, TraceWorker, span_counts};

use crate::clock::Clock;
use crate::config::Config;

/// Has the calls of this process watched over, as it is configured: for the log, and for traces.
/// Once in a process; a later one changes nothing. The worker sends the traces; it is to be run until
/// it ends.
///
/// # Errors
///
/// What is wrong with the keys of the section `otlp`.
pub fn observe(config: &Config, clock: Arc<dyn Clock>) -> Result<Option<TraceWorker>, OtlpError> {
    let Some(endpoint) = &config.otlp.endpoint else {
        requests::begin(&config.log, None);
        return Ok(None);
    };
    let engine = match config.store.url {
        Some(_) => "postgresql",
        None => "sqlite",
    };
    let collector = otlp::Collector::new(endpoint, &config.otlp)?;
    let (tracer, worker) = traces::tracer(&config.otlp, collector, engine, clock);
    requests::begin(&config.log, Some(tracer));
    Ok(Some(worker))
}
