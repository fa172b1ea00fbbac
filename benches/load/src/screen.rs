//! Screens names over streams, as a re-screening of a whole inventory does.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::client::{Connection, SCREEN};
use crate::wire::{self, Purpose, ServedFrom, v1};

/// Streams, each on a connection of its own.
pub const WAYS: usize = 4;
/// Batches of a stream that are not answered yet.
const AHEAD: usize = 2;
/// Names of a batch: the most that the interface takes.
const BATCH: usize = 1_000;

/// Names in batches, ready to be sent.
#[derive(Clone, Debug)]
pub struct Batches {
    /// For each stream its batches, with the names that they ask about.
    ways: Arc<Vec<Vec<Batch>>>,
    names: usize,
}

/// A batch as it is sent, and which names it asks about.
type Batch = (Bytes, Range<usize>);

/// What came of a pass over all names.
#[derive(Debug)]
pub struct Screened {
    /// The verdict of each name.
    pub verdicts: Arc<[u8]>,
    /// Answers that did not come from the local cache, or have become INDETERMINATE or have ceased
    /// to be.
    pub elsewhere: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Screened {
    /// Decisions a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.verdicts.len() as f64 / self.elapsed.as_secs_f64()
    }
}

impl Batches {
    /// Puts names into batches.
    #[must_use]
    pub fn new(names: &[Box<str>]) -> Self {
        let mut ways = vec![Vec::new(); WAYS];
        for (place, batch) in names.chunks(BATCH).enumerate() {
            let message = v1::ScreenDomainsRequest {
                sequence: place as u64,
                requests: batch
                    .iter()
                    .map(|domain| wire::question(domain, Purpose::Recheck))
                    .collect(),
            };
            if let Some(way) = ways.get_mut(place % WAYS) {
                let first = place * BATCH;
                way.push((wire::framed(&message), first..first + batch.len()));
            }
        }
        Self {
            ways: Arc::new(ways),
            names: names.len(),
        }
    }

    /// Screens all names once. Where verdicts are given, each has to be as it was.
    ///
    /// # Errors
    ///
    /// A call fails, an answer is missing, or a verdict is another than before.
    pub async fn screen(
        &self,
        address: SocketAddr,
        expected: Option<&Arc<[u8]>>,
    ) -> anyhow::Result<Screened> {
        let mut tasks = JoinSet::new();
        let start = Instant::now();
        for way in 0..WAYS {
            let (ways, expected) = (Arc::clone(&self.ways), expected.cloned());
            tasks.spawn(async move {
                let batches = ways.get(way).map_or(&[][..], Vec::as_slice);
                stream(address, batches, expected.as_deref()).await
            });
        }
        let mut verdicts = vec![0; self.names];
        let mut elsewhere = 0;
        while let Some(done) = tasks.join_next().await {
            let (answered, from_elsewhere) = done??;
            elsewhere += from_elsewhere;
            for (first, batch) in answered {
                let place = verdicts.get_mut(first..first + batch.len());
                place
                    .context("an answer to nothing")?
                    .copy_from_slice(&batch);
            }
        }
        let elapsed = start.elapsed();
        ensure!(!verdicts.contains(&0), "a name has no verdict");
        Ok(Screened {
            verdicts: verdicts.into(),
            elsewhere,
            elapsed,
        })
    }
}

type Answered = (Vec<(usize, Vec<u8>)>, u64);

async fn stream(
    address: SocketAddr,
    batches: &[Batch],
    expected: Option<&[u8]>,
) -> anyhow::Result<Answered> {
    let connection = Connection::open(address).await?;
    let mut call = connection.call(&connection.method(SCREEN)?).await?;
    let mut leaving = batches.iter();
    for (framed, _) in leaving.by_ref().take(AHEAD) {
        call.send(framed.clone())?;
    }
    let mut all = Vec::with_capacity(batches.len());
    let mut elsewhere = 0;
    for (_, names) in batches {
        let answer = call.next().await?.context("a batch has no answer")?;
        match leaving.next() {
            Some((framed, _)) => call.send(framed.clone())?,
            None if all.len() + 1 == batches.len() => call.end()?,
            None => {}
        }
        let mut verdicts = Vec::with_capacity(names.len());
        let sequence = wire::screened(&answer, |seen| {
            verdicts.push(u8::try_from(seen.verdict).unwrap_or(0));
            elsewhere += u64::from(seen.served_from != i32::from(ServedFrom::LocalCache));
        })?;
        ensure!(
            sequence == (names.start / BATCH) as u64,
            "batches are answered out of order"
        );
        ensure!(verdicts.len() == names.len(), "a batch lacks answers");
        if let Some(expected) = expected {
            let before = expected.get(names.clone()).unwrap_or_default();
            for (now, before) in verdicts.iter().zip(before) {
                let (now, before) = (i32::from(*now), i32::from(*before));
                ensure!(
                    wire::agree(now, before),
                    "a verdict is {now} where it was {before}"
                );
                elsewhere += u64::from(now != before);
            }
        }
        all.push((names.start, verdicts));
    }
    if batches.is_empty() {
        call.end()?;
    }
    ensure!(call.next().await?.is_none(), "more answers than batches");
    Ok((all, elsewhere))
}
