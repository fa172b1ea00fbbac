//! Keeps the counts of the registry up to date that operators see.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;

/// Counts records `every` so often, and surveys what is in force and what ends soon `whole` so often,
/// if at all, until `stop`. A store that does not answer is asked again at the next turn.
pub async fn survey(
    gate: Arc<Gate>,
    every: Duration,
    whole: Option<Duration>,
    stop: CancellationToken,
) {
    let counting = async {
        let mut turns = interval(every);
        turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            turns.tick().await;
            if let Err(error) = gate.count_records().await {
                let error: &dyn std::error::Error = &error;
                tracing::debug!(error, "records could not be counted");
            }
        }
    };
    let surveying = async {
        let Some(whole) = whole else {
            return std::future::pending().await;
        };
        let mut next = Instant::now();
        loop {
            tokio::time::sleep_until(next).await;
            // Where it fails it is not waited for as long as after one that was finished.
            next = match gate.survey().await {
                Ok(()) => Instant::now() + whole,
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::debug!(error, "the registry could not be surveyed");
                    Instant::now() + every.min(whole)
                }
            };
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = counting => {}
        () = surveying => {}
    }
}
