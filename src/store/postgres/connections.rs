//! Connections that are used over and over: a question costs one trip to the server.
//!
//! The driver's pool asks a connection for a sign of life before each use and after it, which are
//! two trips more than the one that reads. Here a connection that was used to the end rests beside
//! the pool, in its place there, and is asked only where it has rested for a while. One whose user
//! went away in the middle goes back through the pool, which tries it first.
//!
//! **Invariant:** a user who holds a place gets a connection as soon as the pool has one: those
//! that are used, rest or come back are never more than the pool may have.
//! **Absent on purpose:** tasks. What has rested for long goes back to the pool, which closes it
//! in the end, when another connection is given back.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{Connection as _, Postgres};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use crate::store::PoolView;
use crate::telemetry::metrics::label::Pool;
use crate::telemetry::metrics::list::{POOL_TIMEOUTS, POOL_WAIT};

/// Rest after which a connection is asked for a sign of life. A server that has gone, or a
/// firewall that has forgotten the connection, would else cost a question its time-out.
const REST: Duration = Duration::from_secs(1);

/// Time for that sign. Short beside that of a question, which then makes a new connection.
const SIGN: Duration = Duration::from_secs(1);

/// Time after which a connection goes back to the pool, which looks at its age.
const LEASE: Duration = Duration::from_mins(1);

/// Connections to one database.
#[derive(Debug)]
pub(super) struct Connections {
    pool: PgPool,
    /// What it is counted under.
    label: Pool,
    /// Those that rest, the one that was used last at the end; `None` once closed.
    resting: Mutex<Option<Vec<Resting>>>,
    places: Semaphore,
    /// Time for which a user waits for a place, and for a connection.
    patience: Duration,
}

#[derive(Debug)]
struct Resting {
    connection: PoolConnection<Postgres>,
    since: Instant,
    /// When it came from the pool.
    leased: Instant,
}

/// A connection in use. Dropped, it goes back through the pool, which tries it.
#[derive(Debug)]
pub(super) struct Borrowed<'c> {
    connection: PoolConnection<Postgres>,
    leased: Instant,
    /// Whether it was used again without a sign of life.
    unasked: bool,
    from: &'c Connections,
    /// Given up after the connection: fields are dropped in their order.
    _place: SemaphorePermit<'c>,
}

impl Connections {
    /// `pool` is used by nobody else.
    pub(super) fn new(pool: PgPool, label: Pool) -> Self {
        let places = usize::try_from(pool.options().get_max_connections()).unwrap_or(1);
        Self {
            resting: Mutex::new(Some(Vec::with_capacity(places))),
            places: Semaphore::new(places),
            patience: pool.options().get_acquire_timeout(),
            label,
            pool,
        }
    }

    /// Takes a connection; one that has rested only for a moment as it is. Whoever uses that and
    /// finds it dead may ask again, with [`Connections::asked`].
    pub(super) async fn any(&self) -> Result<Borrowed<'_>, sqlx::Error> {
        self.take(REST).await
    }

    /// Takes a connection that is new or gave a sign of life just now.
    pub(super) async fn asked(&self) -> Result<Borrowed<'_>, sqlx::Error> {
        self.take(Duration::ZERO).await
    }

    pub(super) async fn close(&self) {
        self.places.close();
        // The pool waits for all that it has handed out.
        drop(self.locked().take());
        self.pool.close().await;
    }

    /// How they are used.
    pub(super) fn view(&self) -> PoolView {
        let most = self.pool.options().get_max_connections();
        let free = u32::try_from(self.places.available_permits()).unwrap_or(most);
        let used = most.saturating_sub(free);
        PoolView {
            pool: self.label,
            used,
            idle: self.pool.size().saturating_sub(used),
            most,
        }
    }

    async fn take(&self, rest: Duration) -> Result<Borrowed<'_>, sqlx::Error> {
        let begun = std::time::Instant::now();
        let taken = self.take_one(rest).await;
        POOL_WAIT.observe((self.label,), begun.elapsed());
        if matches!(taken, Err(sqlx::Error::PoolTimedOut)) {
            POOL_TIMEOUTS.inc((self.label,));
        }
        taken
    }

    async fn take_one(&self, rest: Duration) -> Result<Borrowed<'_>, sqlx::Error> {
        let place = timeout(self.patience, self.places.acquire())
            .await
            .map_err(|_| sqlx::Error::PoolTimedOut)?
            .map_err(|_| sqlx::Error::PoolClosed)?;
        let borrowed = |connection, leased, unasked| Borrowed {
            connection,
            leased,
            unasked,
            from: self,
            _place: place,
        };
        let last = self.locked().as_mut().and_then(Vec::pop);
        if let Some(Resting {
            mut connection,
            since,
            leased,
        }) = last
        {
            if since.elapsed() < rest {
                return Ok(borrowed(connection, leased, true));
            }
            if let Ok(Ok(())) = timeout(SIGN, connection.ping()).await {
                return Ok(borrowed(connection, leased, false));
            }
            self.abandon(connection);
        }
        // Boxed, for it is large and rare.
        let connection = Box::pin(self.pool.acquire()).await?;
        Ok(borrowed(connection, Instant::now(), false))
    }

    /// Closes a connection that is dead, and those that rest: they are as old, and would have to
    /// be found out one after the other.
    fn abandon(&self, connection: PoolConnection<Postgres>) {
        let resting = self.locked().as_mut().map(std::mem::take);
        let resting = resting.into_iter().flatten();
        for connection in resting
            .map(|resting| resting.connection)
            .chain([connection])
        {
            // Not by way of the pool: it would wait for signs of life, and the place with it.
            drop(connection.detach());
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Vec<Resting>>> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Borrowed<'_> {
    /// Gives the connection back after the last answer was read to its end.
    pub(super) fn give_back(self) {
        let now = Instant::now();
        if now.duration_since(self.leased) > LEASE {
            return;
        }
        let mut resting = self.from.locked();
        let Some(all) = resting.as_mut() else {
            return;
        };
        all.push(Resting {
            connection: self.connection,
            since: now,
            leased: self.leased,
        });
        let long = all.partition_point(|resting| now.duration_since(resting.since) > LEASE);
        let gone: Vec<Resting> = all.drain(..long).collect();
        // Dropping a connection spawns a task.
        drop(resting);
        drop(gone);
    }

    /// Whether an error may mean no more than that the connection was dead already.
    pub(super) fn was_dead(&self, error: &sqlx::Error) -> bool {
        self.unasked && super::errors::lost(error)
    }

    /// Closes it, and those that rest.
    pub(super) fn abandon(self) {
        self.from.abandon(self.connection);
    }
}

impl Deref for Borrowed<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &Self::Target {
        &self.connection
    }
}

impl DerefMut for Borrowed<'_> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.connection
    }
}
