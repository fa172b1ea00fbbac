//! Which calls are traced, and the way of their spans to the collector.
//!
//! A call that is over is put whole into a bounded queue; a worker words its spans and sends them
//! in groups. Why there is no span machinery around every call: ADR 13.
//! **Invariant:** no call waits for the collector. What finds the queue full is left out, and
//! counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::HeaderMap;
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::call::{Notes, PARTS, Traced};
use super::context::{self, Parent};
use super::otlp::Collector;
use super::requests::{Ended, mixed};
use super::seldom::Seldom;
use super::spans::Wording;
use crate::clock::Clock;
use crate::config::Otlp;

/// Calls that may wait to be sent.
const QUEUE: usize = 2_048;

/// Most calls that are sent at once.
const GROUP: usize = 256;

/// How long calls are gathered before they are sent.
const GATHER: Duration = Duration::from_secs(1);

/// Pauses before what was not taken is sent anew; after the last it is given up, so that what comes
/// next is not too old.
const PAUSES: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// Longest time that what waits is sent for when the process ends.
const FLUSH: Duration = Duration::from_secs(2);

static SENT: AtomicU64 = AtomicU64::new(0);
static DROPPED: AtomicU64 = AtomicU64::new(0);

/// Spans of this process so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpanCounts {
    /// Spans that the collector took.
    pub sent: u64,
    /// Spans that found the queue full, or that the collector did not take.
    pub dropped: u64,
}

/// How many spans were sent, and how many were not.
#[must_use]
pub fn span_counts() -> SpanCounts {
    SpanCounts {
        sent: SENT.load(Ordering::Relaxed),
        dropped: DROPPED.load(Ordering::Relaxed),
    }
}

/// Chooses the calls that are traced, and takes them when they are over.
#[derive(Debug)]
pub(super) struct Tracer {
    /// Calls whose number is below are traced, where no caller says; `None`: all are.
    below: Option<u64>,
    queue: mpsc::Sender<Finished>,
    clock: Clocked,
}

/// A clock that shows nothing of itself.
struct Clocked(Arc<dyn Clock>);

impl std::fmt::Debug for Clocked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}

/// A call that is over.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) notes: Notes,
    pub(super) ended: Ended,
    /// The end, by the clock that measures and by that of the world.
    pub(super) at: (Instant, Timestamp),
}

/// Sends traces; see [`TraceWorker::run`].
#[derive(Debug)]
pub struct TraceWorker {
    queue: mpsc::Receiver<Finished>,
    collector: Collector,
    wording: Wording,
    failing: bool,
    overflow: Seldom,
    told_dropped: u64,
}

/// What chooses traces, and what sends them.
pub(super) fn tracer(
    config: &Otlp,
    collector: Collector,
    engine: &'static str,
    clock: Arc<dyn Clock>,
) -> (Tracer, TraceWorker) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let worker = TraceWorker {
        queue: receiver,
        collector,
        wording: Wording::new(config, engine),
        failing: false,
        overflow: Seldom::new(1, Duration::from_mins(1)),
        told_dropped: 0,
    };
    let tracer = Tracer {
        below: threshold(config.sample_ratio.value()),
        queue: sender,
        clock: Clocked(clock),
    };
    (tracer, worker)
}

/// The bound below which a part of all numbers lies; `None`: all do.
fn threshold(ratio: f64) -> Option<u64> {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a part of calls needs no more precision; the conversion ends at the bounds"
    )]
    let below = (ratio * u64::MAX as f64) as u64;
    (ratio < 1.0).then_some(below)
}

impl Tracer {
    /// Traces a call where its caller does, or where it has no trace and its number says so.
    pub(super) fn sample(&self, notes: &mut Notes, parent: Option<Parent>, headers: &HeaderMap) {
        let chosen = match parent {
            Some(parent) => parent.sampled,
            None => self.below.is_none_or(|below| notes.number < below),
        };
        if !chosen {
            return;
        }
        let root = || {
            let (high, low) = (mixed(notes.number ^ 1), mixed(notes.number ^ 2));
            (u128::from(high) << 64 | u128::from(low)).max(1)
        };
        notes.trace_id = Some(notes.trace_id.unwrap_or_else(root));
        notes.traced = Some(Box::new(Traced {
            span_id: mixed(notes.number ^ 3).max(1),
            parent: parent.map(|parent| parent.span_id),
            state: parent.map_or_else(String::new, |_| context::state(headers)),
            laps: [None; PARTS],
        }));
    }

    /// Hands a traced call to the worker, or leaves it out.
    pub(super) fn finish(&self, notes: Notes, ended: Ended, now: Instant) {
        let finished = Finished {
            notes,
            ended,
            at: (now, self.clock.0.now()),
        };
        if let Err(left) = self.queue.try_send(finished) {
            let (mpsc::error::TrySendError::Full(left) | mpsc::error::TrySendError::Closed(left)) =
                left;
            dropped(left.spans());
        }
    }
}

impl Finished {
    /// How many spans it has.
    pub(super) fn spans(&self) -> usize {
        let traced = self.notes.traced.as_ref();
        1 + traced.map_or(0, |traced| traced.laps.iter().flatten().count())
    }
}

impl TraceWorker {
    /// Sends traces until `stop` is ready, and then what waits, for a short time.
    pub async fn run(mut self, stop: impl Future<Output = ()>) {
        let closing = CancellationToken::new();
        let end = async {
            stop.await;
            closing.cancel();
            tokio::time::sleep(FLUSH).await;
        };
        let whole = tokio::select! {
            () = self.work(&closing) => true,
            () = end => false,
        };
        let mut left = 0;
        self.queue.close();
        while let Ok(finished) = self.queue.try_recv() {
            left += finished.spans();
        }
        dropped(left);
        if !whole {
            tracing::warn!(
                spans = left,
                "the collector did not take all traces before the end"
            );
        }
    }

    async fn work(&mut self, closing: &CancellationToken) {
        let mut group = Vec::with_capacity(GROUP);
        while self.gather(&mut group, closing).await {
            self.deliver(&mut group, closing).await;
            self.tell_overflow();
        }
    }

    /// Gathers calls; `false`: none will come any more.
    async fn gather(&mut self, group: &mut Vec<Finished>, closing: &CancellationToken) -> bool {
        let mut until = None;
        loop {
            if closing.is_cancelled() {
                self.queue.close();
            }
            let room = GROUP.saturating_sub(group.len());
            if room == 0 {
                return true;
            }
            let patience = async {
                match until {
                    Some(until) => tokio::time::sleep_until(until).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                taken = self.queue.recv_many(group, room) => {
                    if taken == 0 {
                        return !group.is_empty();
                    }
                    until.get_or_insert_with(|| tokio::time::Instant::now() + GATHER);
                }
                () = closing.cancelled(), if !closing.is_cancelled() => {}
                () = patience => return true,
            }
        }
    }

    /// Sends a group, anew where that may help. The end is not waited for in a pause.
    async fn deliver(&mut self, group: &mut Vec<Finished>, closing: &CancellationToken) {
        let spans: usize = group.iter().map(Finished::spans).sum();
        let request = self.wording.request(group);
        group.clear();
        // Counted as dropped until it is known better: this may be given up at any await.
        let mut unsent = Unsent(spans);
        let mut pauses = PAUSES.into_iter();
        loop {
            match self.collector.traces(&request).await {
                Ok(refused) => {
                    let refused = usize::try_from(refused).unwrap_or(0).min(spans);
                    unsent.0 = refused;
                    SENT.fetch_add((spans - refused) as u64, Ordering::Relaxed);
                    if std::mem::take(&mut self.failing) {
                        tracing::info!(
                            dropped = DROPPED.load(Ordering::Relaxed),
                            "the collector takes traces again"
                        );
                    }
                    return;
                }
                Err(failure) => {
                    let passing = failure.is_passing();
                    if !std::mem::replace(&mut self.failing, true) {
                        let error: &dyn std::error::Error = &failure;
                        tracing::warn!(error, "traces cannot be sent; calls go on without");
                    }
                    let Some(pause) = pauses.next().filter(|_| passing) else {
                        return;
                    };
                    if closing.is_cancelled() {
                        return;
                    }
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = closing.cancelled() => {}
                    }
                }
            }
        }
    }

    /// Tells of traces that found the queue full although the collector takes them.
    fn tell_overflow(&mut self) {
        let dropped = DROPPED.load(Ordering::Relaxed);
        if dropped > self.told_dropped && !self.failing {
            let since = dropped - self.told_dropped;
            let told = &mut self.told_dropped;
            self.overflow.tell(|_| {
                *told = dropped;
                tracing::warn!(
                    spans = since,
                    "more is traced than the collector takes; lower otlp.sample_ratio"
                );
            });
        }
    }
}

/// Spans that count as dropped unless they are sent.
struct Unsent(usize);

impl Drop for Unsent {
    fn drop(&mut self) {
        dropped(self.0);
    }
}

fn dropped(spans: usize) {
    DROPPED.fetch_add(spans as u64, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(below: Option<u64>, number: u64, parent: Option<bool>) -> Notes {
        let (queue, _) = mpsc::channel(1);
        let tracer = Tracer {
            below,
            queue,
            clock: Clocked(Arc::new(crate::clock::SystemClock)),
        };
        let mut notes = Notes::new("a/B", number);
        let parent = parent.map(|sampled| Parent {
            trace_id: 5,
            span_id: 6,
            sampled,
        });
        notes.trace_id = parent.map(|parent| parent.trace_id);
        tracer.sample(&mut notes, parent, &HeaderMap::new());
        notes
    }

    #[test]
    fn callers_say_whether_their_calls_are_traced_and_the_ratio_says_it_of_others() {
        let none = threshold(0.0);
        assert!(sampled(none, 0, None).traced.is_none());
        assert!(sampled(none, 9, Some(true)).traced.is_some());
        assert!(sampled(threshold(1.0), u64::MAX, None).traced.is_some());
        assert!(sampled(threshold(1.0), 9, Some(false)).traced.is_none());
        let half = threshold(0.5);
        let chosen = (0..10_000).filter(|n| sampled(half, mixed(*n), None).traced.is_some());
        assert!((4_700..5_300).contains(&chosen.count()));
    }

    #[test]
    fn a_trace_goes_on_or_begins() {
        let notes = sampled(None, 9, Some(true));
        let traced = notes.traced.expect("traced");
        assert_eq!((notes.trace_id, traced.parent), (Some(5), Some(6)));
        assert_ne!(traced.span_id, 6);
        let (one, other) = (sampled(None, 9, None), sampled(None, 10, None));
        assert_ne!(one.trace_id, other.trace_id);
        assert!(one.trace_id.is_some_and(|id| id > u128::from(u64::MAX)));
        assert_eq!(one.traced.expect("traced").parent, None);
    }

    #[test]
    fn what_finds_no_room_is_left_out_and_counted() {
        let (queue, mut waiting) = mpsc::channel(1);
        let tracer = Tracer {
            below: None,
            queue,
            clock: Clocked(Arc::new(crate::clock::SystemClock)),
        };
        let ended = Ended {
            code: "OK",
            failed: false,
            is_error: false,
        };
        let before = span_counts().dropped;
        for number in 0..3 {
            let mut notes = Notes::new("a/B", number);
            tracer.sample(&mut notes, None, &HeaderMap::new());
            tracer.finish(notes, ended, Instant::now());
        }
        assert_eq!(span_counts().dropped - before, 2);
        assert!(waiting.try_recv().is_ok() && waiting.try_recv().is_err());
    }
}
