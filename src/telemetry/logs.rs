//! Log lines: text or JSON, on standard error.
//!
//! **Absent on purpose:** standard output belongs to the answers of commands.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::config::{Log, LogFormat, LogRequests};

/// What is written unless `log.level` says otherwise of the same module. The driver of Redis tells
/// of every attempt to reach a node; that a server is lost or found again is told once, by us.
const QUIET: &str = "redis=off";

/// Target of the lines about calls.
const REQUESTS: &str = "icpgate::requests";

/// Logging cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// Something in this process logs already.
    #[error("set up log lines")]
    AlreadySet(#[source] tracing_subscriber::util::TryInitError),
    /// The level is not one.
    #[error("read `log.level`")]
    Level(#[source] tracing_subscriber::filter::ParseError),
}

/// Starts writing log lines. Called once, before anything that logs.
///
/// # Errors
///
/// The level is not one, or this was called before.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    // A key of their own says which calls are told of.
    let requests = match log.requests {
        LogRequests::All | LogRequests::Failed => "info",
        LogRequests::Off => "off",
    };
    let filter = format!("{QUIET},{},{REQUESTS}={requests}", log.level.as_str());
    let filter = EnvFilter::try_new(filter).map_err(TelemetryError::Level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let set = match log.format {
        LogFormat::Json => lines.json().flatten_event(true).finish().try_init(),
        LogFormat::Text => {
            let colour = anstream::AutoStream::choice(&std::io::stderr());
            lines
                .with_ansi(colour != anstream::ColorChoice::Never)
                .finish()
                .try_init()
        }
    };
    set.map_err(TelemetryError::AlreadySet)
}

/// Whether the level lets everything be told about calls, probes included.
pub(super) fn debugs_requests(log: &Log) -> bool {
    log.level.as_str().split(',').any(|directive| {
        let (target, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        ["debug", "trace"].contains(&level.trim()) && REQUESTS.starts_with(target.trim())
    })
}
