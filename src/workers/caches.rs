//! Looks after the cache that replicas share.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;

/// How often: a small request each time. That long operators see another state than there is, where no
/// caller asks.
const EVERY: Duration = Duration::from_secs(2);

/// Finds out whether the shared cache can be used, until `stop`: questions find out too, but there may
/// be none that ask it.
pub async fn look_after_caches(gate: Arc<Gate>, stop: CancellationToken) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let looking = async {
        loop {
            turns.tick().await;
            gate.look_after_caches().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = looking => {}
    }
}
