//! Keeps a replica's view of the change log up to date.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::gate::{FollowError, Gate};

/// Follows the change log until `stop`: at every sign of a write, and at the latest `every` so
/// often, because signs get lost.
///
/// # Errors
///
/// This process is of no more use: [`FollowError::is_final`].
pub async fn follow(
    gate: Arc<Gate>,
    every: Duration,
    stop: CancellationToken,
) -> Result<(), FollowError> {
    loop {
        let looked = match gate.follow().await {
            Err(error) if error.is_final() => return Err(error),
            looked => looked,
        };
        let next = async {
            match looked {
                Ok(()) => {
                    tokio::select! {
                        () = gate.sign() => {}
                        () = tokio::time::sleep(every) => {}
                    }
                }
                // A sign may be true of a store that does not answer.
                Err(_) => tokio::time::sleep(every).await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = next => {}
        }
    }
}
