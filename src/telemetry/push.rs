//! Sends metrics to the collector of `otlp.endpoint`, beside being there for whoever asks for them.
//!
//! **Invariant:** what is sent is the list, in sums from the start: what a collector did not take is in
//! what is sent next, so nothing is kept for it and nothing is tried anew.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio_util::sync::CancellationToken;

use super::metrics::label::Pushed;
use super::metrics::list::PUSHES;
use super::metrics::{Observers, otlp as told};
use super::otlp::{Collector, OtlpError};
use super::spans;
use crate::clock::Clock;
use crate::config::{Config, Every};

/// Time for what is sent last.
const FLUSH: Duration = Duration::from_secs(2);

/// Sends metrics; see [`MetricsWorker::run`].
pub struct MetricsWorker {
    collector: Collector,
    resource: Resource,
    every: Duration,
    clock: Arc<dyn Clock>,
    began: Timestamp,
    failing: bool,
}

/// What sends metrics as it is configured; `None` where nothing is to be sent.
///
/// # Errors
///
/// What is wrong with the keys of the section `otlp`.
pub fn metrics_worker(
    config: &Config,
    clock: Arc<dyn Clock>,
) -> Result<Option<MetricsWorker>, OtlpError> {
    let (Some(endpoint), Every::Interval(every)) =
        (&config.otlp.endpoint, config.otlp.metrics_interval)
    else {
        return Ok(None);
    };
    Ok(Some(MetricsWorker {
        collector: Collector::new(endpoint, &config.otlp)?,
        resource: spans::resource(&config.otlp),
        every,
        began: clock.now(),
        clock,
        failing: false,
    }))
}

impl MetricsWorker {
    /// Sends every `otlp.metrics_interval`, and a last time after `stop`.
    pub async fn run(mut self, observers: Observers, stop: CancellationToken) {
        loop {
            let ending = tokio::select! {
                () = stop.cancelled() => true,
                () = tokio::time::sleep(self.every) => false,
            };
            if ending {
                // A collector that is away holds up no end.
                let _ = tokio::time::timeout(FLUSH, self.send(&observers)).await;
                return;
            }
            self.send(&observers).await;
        }
    }

    async fn send(&mut self, observers: &Observers) {
        observers.observe();
        let request = told::request(self.resource.clone(), self.began, self.clock.now());
        match self.collector.metrics(&request).await {
            Ok(_) => {
                PUSHES.inc((Pushed::Taken,));
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the collector takes metrics again");
                }
            }
            Err(failure) => {
                PUSHES.inc((Pushed::Failed,));
                if !std::mem::replace(&mut self.failing, true) {
                    let error: &dyn std::error::Error = &failure;
                    tracing::warn!(
                        error,
                        "metrics cannot be sent; what is sent next holds them too"
                    );
                }
            }
        }
    }
}
