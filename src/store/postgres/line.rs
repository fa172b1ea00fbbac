//! The line on which the server tells of writes, whoever made them.
//!
//! **Absent on purpose:** what was written. A sign says that the log is worth looking at; the log
//! says the rest, in order and without gaps.

use std::time::Duration;

use icpgate_policy::facts::Revision;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::errors::store_error;
use crate::store::StoreError;

/// Channel of the signs; [`super::write`] names it in its statement. Stores in other schemas of
/// the database share it: a false sign does no harm.
const CHANNEL: &str = "icpgate_changed";

/// Silence after which the line is tried: a peer that has gone without a word, or a firewall that
/// has forgotten the connection, would look like a store that nobody writes to.
const SILENCE: Duration = Duration::from_secs(20);

/// Time that the line has to be made, or to answer when it is tried.
const ANSWER: Duration = Duration::from_secs(5);

/// A connection for signs alone, made when it is first wanted.
pub(super) struct Line {
    pool: PgPool,
    open: Mutex<Option<Open>>,
}

struct Open {
    listener: PgListener,
    /// When the server last gave a sign of life.
    alive: Instant,
}

impl Line {
    /// `pool` has one connection more than the line needs: the one that is lost may be on its way
    /// back while the new one is made.
    pub(super) fn new(pool: PgPool) -> Self {
        Self {
            pool,
            open: Mutex::new(None),
        }
    }

    pub(super) async fn next(&self) -> Result<Option<Revision>, StoreError> {
        let error = store_error("wait for changes");
        let mut open = self.open.lock().await;
        let Some(line) = open.as_mut() else {
            *open = Some(within(self.make()).await.map_err(error)?);
            return Ok(None);
        };
        match line.next().await {
            Ok(told) => Ok(told),
            Err(lost) => {
                *open = None;
                Err(error(lost))
            }
        }
    }

    pub(super) async fn close(&self) {
        // Marks the pool as closed at once, which ends the wait of a caller.
        let closing = self.pool.close();
        *self.open.lock().await = None;
        closing.await;
    }

    async fn make(&self) -> Result<Open, sqlx::Error> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        // The caller is to learn of a loss before there is a new line.
        listener.eager_reconnect(false);
        listener.listen(CHANNEL).await?;
        Ok(Open {
            listener,
            alive: Instant::now(),
        })
    }
}

impl Open {
    /// Waits for a sign. May be dropped and called again: `alive` outlives the call, so that a
    /// caller who never waits long finds out all the same.
    async fn next(&mut self) -> Result<Option<Revision>, sqlx::Error> {
        loop {
            let waiting = tokio::time::timeout_at(self.alive + SILENCE, self.listener.try_recv());
            match waiting.await {
                Ok(Ok(Some(mut sign))) => {
                    // One sign for all that have come: they come in the order of the commits.
                    while let Some(later) = self.listener.next_buffered() {
                        sign = later;
                    }
                    self.alive = Instant::now();
                    // Other versions of the program say nothing.
                    return Ok(sign.payload().parse().ok().map(Revision));
                }
                Ok(Ok(None)) => {
                    return Err(std::io::Error::from(std::io::ErrorKind::ConnectionAborted).into());
                }
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    within(sqlx::query("SELECT 1").execute(&mut self.listener)).await?;
                    self.alive = Instant::now();
                }
            }
        }
    }
}

impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Line")
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

async fn within<T>(work: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, sqlx::Error> {
    tokio::time::timeout(ANSWER, work)
        .await
        .unwrap_or_else(|elapsed| Err(sqlx::Error::Io(elapsed.into())))
}
