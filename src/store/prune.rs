//! Removing what was recorded long ago: batch after batch, each a transaction, with rests between them.
//!
//! **Invariant:** a content goes in the transaction in which the last decision goes that refers to it,
//! while no decision can be recorded: so none is left behind, wherever this is broken off, and none
//! goes that a decision needs which is recorded at that moment.
//! **Absent on purpose:** SQL; engines give the batches, see [`Batches`].

use std::time::Duration;

use jiff::Timestamp;

use super::StoreError;
use super::upkeep::{Aged, Progress, Prunable, Prune, Pruned, Stage};

/// Most decisions that go in one transaction. Recording waits that long: some tens of milliseconds.
const DECISIONS: u32 = 1000;

/// Most orders and callers that go in one transaction. Where some decisions have more, fewer decisions go;
/// of one that has more by itself they go before it.
pub(super) const ASKERS: u32 = 4000;

/// Oldest decisions whose size is looked at, for each policy.
const SAMPLE: u32 = 500;

/// Octets of a row of a decision beside its answer and its question (140), with its places in three
/// indexes (160; measured with 600 thousand in PostgreSQL).
const ROW: u64 = 300;

/// Behind the digest of every policy. They are gone through from the last to the first: so the newest
/// decision of each is met, and not what an index still holds of the oldest, which have gone.
const BEHIND_ALL: [u8; 33] = [0xff; 33];

/// Least rest between two batches; where one took longer, the rest is as long as it took, so that at
/// least half the time belongs to those who record. Whoever waits for the lock of an SQLite file in
/// another process looks every tenth of a second at least.
const REST: Duration = Duration::from_millis(100);

/// How long a store that does not take a batch now is tried again: others may be at work, or a server
/// may be on its way to another machine.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where to go on: decisions of a policy that were recorded from an instant on and before another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'p> {
    pub(super) policy: &'p [u8],
    /// What was recorded before has gone. It keeps a batch from going through what those before it
    /// have left in an index.
    pub(super) from: i64,
    pub(super) before: i64,
    /// Most decisions at once.
    pub(super) most: u32,
}

/// What went in one transaction.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Batch {
    pub(super) decisions: u64,
    pub(super) orders: u64,
    pub(super) callers: u64,
    pub(super) contents: u64,
    /// When the first and the last of its decisions were recorded, in microseconds.
    pub(super) recorded: Option<(i64, i64)>,
    /// Whether there may be more.
    pub(super) more: bool,
    /// Nothing went: these decisions have more orders and callers than may go at once.
    pub(super) crowded: bool,
}

impl Batch {
    /// Of which nothing went.
    pub(super) fn crowded() -> Self {
        Self {
            more: true,
            crowded: true,
            ..Self::default()
        }
    }
}

/// Decisions of one policy that would go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Counted {
    pub(super) decisions: u64,
    pub(super) recorded: Option<(i64, i64)>,
    /// Octets of answers and questions of some of them, and how many these are.
    pub(super) sample: (u64, u64),
}

/// The batches of an engine.
pub(super) trait Batches {
    /// The last policy before one, of those that decisions refer to.
    fn policy_before(
        &self,
        policy: &[u8],
    ) -> impl Future<Output = Result<Option<Vec<u8>>, StoreError>> + Send;

    /// Removes the oldest decisions of a place.
    fn remove(&self, place: Place<'_>) -> impl Future<Output = Result<Batch, StoreError>> + Send;

    /// Counts the decisions of a place, and looks at the size of the oldest.
    fn count(&self, place: Place<'_>) -> impl Future<Output = Result<Counted, StoreError>> + Send;
}

/// Removes everything that is old enough.
///
/// # Errors
/// A batch cannot be removed; those before it are gone.
pub(super) async fn prune(
    batches: &impl Batches,
    prune: Prune,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<Pruned, StoreError> {
    let mut pruned = Pruned::default();
    let mut span = Span::default();
    let mut policy = BEHIND_ALL.to_vec();
    while let Some(next) = batches.policy_before(&policy).await? {
        policy = next;
        let mut from = i64::MIN;
        let mut most = DECISIONS;
        loop {
            let began = tokio::time::Instant::now();
            let place = Place {
                policy: &policy,
                from,
                before: prune.before().as_microsecond(),
                most,
            };
            let batch = patiently(batches, place).await?;
            pruned.decisions += batch.decisions;
            pruned.orders += batch.orders;
            pruned.callers += batch.callers;
            pruned.contents += batch.contents;
            span.add(batch.recorded);
            most = if batch.crowded {
                (most / 4).max(1)
            } else {
                (most * 2).min(DECISIONS)
            };
            from = batch.recorded.map_or(from, |(_, last)| last);
            progress(Progress {
                stage: Stage::Decisions,
                done: pruned.decisions,
            });
            if !batch.more {
                break;
            }
            tokio::time::sleep(began.elapsed().max(REST)).await;
        }
    }
    pruned.recorded = span.aged()?;
    Ok(pruned)
}

/// Removes a batch, as soon as the store takes it. Where it did and could not say so, the next batch is
/// another one, and what went is not counted.
async fn patiently(batches: &impl Batches, place: Place<'_>) -> Result<Batch, StoreError> {
    let began = tokio::time::Instant::now();
    loop {
        match batches.remove(place).await {
            Err(StoreError::Unavailable { .. }) if began.elapsed() < PATIENCE => {
                tokio::time::sleep(REST).await;
            }
            done => return done,
        }
    }
}

/// Tells what [`prune`] would remove.
///
/// # Errors
/// Something cannot be read.
pub(super) async fn prunable(batches: &impl Batches, prune: Prune) -> Result<Prunable, StoreError> {
    let mut prunable = Prunable::default();
    let mut span = Span::default();
    let mut policy = BEHIND_ALL.to_vec();
    while let Some(next) = batches.policy_before(&policy).await? {
        policy = next;
        let place = Place {
            policy: &policy,
            from: i64::MIN,
            before: prune.before().as_microsecond(),
            most: SAMPLE,
        };
        let counted = batches.count(place).await?;
        let (octets, rows) = counted.sample;
        prunable.decisions += counted.decisions;
        prunable.octets += (octets.checked_div(rows).unwrap_or_default() + ROW) * counted.decisions;
        span.add(counted.recorded);
    }
    prunable.recorded = span.aged()?;
    Ok(prunable)
}

/// The first and the last instant of many.
#[derive(Default)]
struct Span(Option<(i64, i64)>);

impl Span {
    fn add(&mut self, more: Option<(i64, i64)>) {
        self.0 = match (self.0, more) {
            (Some(here), Some(more)) => Some((here.0.min(more.0), here.1.max(more.1))),
            (one, other) => one.or(other),
        };
    }

    fn aged(&self) -> Result<Option<Aged>, StoreError> {
        let instant = |at: i64| {
            Timestamp::from_microsecond(at).map_err(|error| StoreError::Inconsistent {
                table: "decision",
                key: at.to_string(),
                problem: error.to_string(),
            })
        };
        let Some((first, last)) = self.0 else {
            return Ok(None);
        };
        Ok(Some(Aged {
            first: instant(first)?,
            last: instant(last)?,
        }))
    }
}
