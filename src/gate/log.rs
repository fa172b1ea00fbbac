//! The log of decisions: bounded queues before a worker that writes in groups.
//!
//! **Invariant:** a decision that was answered and is to be recorded is in the queue or in the
//! store; nothing is dropped. An activation is answered only after its decision is in the store;
//! it has a queue of its own, so that it never waits behind orders that the store does not take.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::FusedFuture;
use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::answer::{Answer, DecisionId, encode};
use super::{GateError, render};
use crate::clock::Clock;
use crate::store::{Content, NewDecision, Store, StoreError};
use crate::telemetry::metrics::label::Queue;
use crate::telemetry::metrics::list::{
    LOG_DROPPED, LOG_FAILURES, LOG_FULL, LOG_LIMIT, LOG_QUEUE, LOG_WRITTEN,
};
use crate::telemetry::seldom::Seldom;

/// Decisions that may wait to be written.
const QUEUE: usize = 16_384;

/// Most decisions that are written at once.
const GROUP: usize = 512;

/// Identifiers that are remembered, in each of two generations: of a screening of a whole inventory
/// too. About 36 MB each, once there are so many.
const REMEMBERED: usize = 1 << 20;

/// How long a full queue is waited for.
pub(super) const FULL_FOR: Duration = Duration::from_secs(1);

/// How long an activation waits to become durable. Longer than a store waits for a lock, so that
/// the store has its say.
const WRITTEN_WITHIN: Duration = Duration::from_secs(10);

/// How often an order's decision is tried anew while the store does not take it.
const RETRY_EVERY: Duration = Duration::from_millis(500);

static UNWRITTEN: Seldom = Seldom::new(1, Duration::from_secs(10));

/// A decision could not be made durable.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LogFailure {
    /// The store refused it.
    #[error("record the decision")]
    Store(#[source] Arc<StoreError>),
    /// The worker has ended.
    #[error("record the decision: the service is ending")]
    Ended,
    /// The store did not say whether it took it.
    #[error("record the decision: the store did not answer in time")]
    Late,
}

/// Who asked, and for which order: recorded beside the decision, which is the same for all.
#[derive(Clone, Debug)]
pub(super) struct Asker {
    pub(super) order_id: Option<String>,
    /// Name of the caller; `None` where callers have no names.
    pub(super) caller: Option<Arc<str>>,
}

struct Entry {
    answer: Arc<Answer>,
    asker: Asker,
    written: Option<oneshot::Sender<Result<(), LogFailure>>>,
}

/// How much of a decision is written down.
#[derive(Clone, Copy)]
enum Kept {
    All,
    /// Without what is sealed: the store is sealed under a key that this process does not have, and
    /// has no use for digests under the one before.
    Bare,
}

impl Entry {
    fn decision(&self, now: Timestamp, kept: Kept) -> NewDecision {
        let answer = &self.answer;
        let (profile, facts) = match kept {
            Kept::All => (
                answer.profile.to_vec(),
                Content {
                    digest: answer.facts_digest,
                    bytes: encode(&answer.facts).into(),
                },
            ),
            Kept::Bare => {
                let mut profile = answer.request.profile.clone();
                profile.applicant = None;
                (encode(&profile), Content::of(Vec::new()))
            }
        };
        NewDecision {
            decision_id: answer.decision_id.to_string(),
            answer: render::recorded(answer),
            profile,
            facts,
            policy: answer.policy.content.clone(),
            decided_at: answer.decision.decided_at,
            recorded_at: now,
            order_id: self.asker.order_id.clone(),
            caller: self.asker.caller.as_deref().map(str::to_owned),
        }
    }
}

/// Where decisions are handed in.
pub(super) struct LogHandle {
    queue: mpsc::Sender<Entry>,
    /// Of activations.
    urgent: mpsc::Sender<Entry>,
    seen: Arc<Mutex<Seen>>,
}

/// Writes the log; see [`LogWorker::run`].
pub struct LogWorker {
    queue: mpsc::Receiver<Entry>,
    /// Of activations.
    urgent: mpsc::Receiver<Entry>,
    writer: Writer,
}

/// Writes groups.
struct Writer {
    seen: Arc<Mutex<Seen>>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
}

pub(super) fn decision_log(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> (LogHandle, LogWorker) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (urgent_sender, urgent_receiver) = mpsc::channel(QUEUE);
    let seen = Arc::new(Mutex::new(Seen::default()));
    let handle = LogHandle {
        queue: sender,
        urgent: urgent_sender,
        seen: Arc::clone(&seen),
    };
    (
        handle,
        LogWorker {
            queue: receiver,
            urgent: urgent_receiver,
            writer: Writer { seen, store, clock },
        },
    )
}

/// Tells when a decision is in the store.
pub(super) struct Receipt(oneshot::Receiver<Result<(), LogFailure>>);

impl Receipt {
    /// Waits until the decision is in the store.
    pub(super) async fn written(self) -> Result<(), LogFailure> {
        match tokio::time::timeout(WRITTEN_WITHIN, self.0).await {
            Ok(written) => written.unwrap_or(Err(LogFailure::Ended)),
            Err(_) => Err(LogFailure::Late),
        }
    }
}

impl Asker {
    /// What is remembered of a decision that was handed in: it is recorded for each caller.
    fn mark(&self, answer: &Answer) -> DecisionId {
        match &self.caller {
            Some(caller) => answer.decision_id.asked_by(caller),
            None => answer.decision_id,
        }
    }
}

impl LogHandle {
    /// Hands in an answer that is to be durable before it is given; the receipt tells when it is.
    /// `None`: it is in the store already.
    pub(super) async fn record(
        &self,
        answer: &Arc<Answer>,
        asker: Asker,
        patience: Duration,
    ) -> Result<Option<Receipt>, GateError> {
        if self.knows(answer, &asker) {
            return Ok(None);
        }
        let place = place(&self.urgent, patience).await?;
        let (sender, receiver) = oneshot::channel();
        place.send(Entry {
            answer: Arc::clone(answer),
            asker,
            written: Some(sender),
        });
        Ok(Some(Receipt(receiver)))
    }

    /// Hands in an answer for which there was no room, as soon as there is some, so that a long
    /// screening goes at the pace of the log; after `patience` the log is told to be full.
    pub(super) async fn wait(
        &self,
        answer: &Arc<Answer>,
        asker: Asker,
        patience: Duration,
    ) -> Result<(), GateError> {
        let place = place(&self.queue, patience).await?;
        self.send(place, answer, asker);
        Ok(())
    }

    /// Hands an answer in without waiting; gives back who asked where there is no room.
    pub(super) fn admit(&self, answer: &Arc<Answer>, asker: Asker) -> Result<(), Asker> {
        if self.knows(answer, &asker) {
            return Ok(());
        }
        match self.queue.try_reserve() {
            Ok(place) => {
                self.send(place, answer, asker);
                Ok(())
            }
            Err(_) => Err(asker),
        }
    }

    /// Sends an answer that is not waited for. From here on it is in good hands: the worker keeps
    /// it until the store takes it, so equal answers need not be sent.
    fn send(&self, place: mpsc::Permit<'_, Entry>, answer: &Arc<Answer>, asker: Asker) {
        self.seen().insert(asker.mark(answer));
        place.send(Entry {
            answer: Arc::clone(answer),
            asker,
            written: None,
        });
    }

    /// Whether an answer is known to be written with who asked, or to be in the queue of what is
    /// not waited for. Orders are always written.
    fn knows(&self, answer: &Answer, asker: &Asker) -> bool {
        asker.order_id.is_none() && self.seen().contains(asker.mark(answer))
    }

    /// Shows how much waits.
    pub(super) fn observe(&self) {
        let waiting = |queue: &mpsc::Sender<Entry>| queue.max_capacity() - queue.capacity();
        LOG_QUEUE.set_count((Queue::Orders,), waiting(&self.queue) as u64);
        LOG_QUEUE.set_count((Queue::Activations,), waiting(&self.urgent) as u64);
        LOG_LIMIT.set_count((), self.queue.max_capacity() as u64);
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for room in a queue.
async fn place(
    queue: &mpsc::Sender<Entry>,
    patience: Duration,
) -> Result<mpsc::Permit<'_, Entry>, GateError> {
    match tokio::time::timeout(patience, queue.reserve()).await {
        Ok(Ok(place)) => Ok(place),
        Ok(Err(_)) => Err(LogFailure::Ended.into()),
        Err(_) => {
            LOG_FULL.inc(());
            Err(GateError::LogFull)
        }
    }
}

impl LogWorker {
    /// Writes until the gate is gone and the queues are empty, or until `stop` is ready: then one
    /// last attempt is made for what waits. The queues are written side by side, so that a group
    /// of orders that the store is slow to take holds up no activation.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Self {
            queue,
            urgent,
            writer,
        } = self;
        let stop = stop.shared();
        futures::join!(
            writer.activations(urgent, stop.clone()),
            writer.orders(queue, stop)
        );
    }
}

/// Takes what waits in a queue, up to a group; closes the queue once `stop` is ready. `false`:
/// nothing comes any more.
async fn take(
    queue: &mut mpsc::Receiver<Entry>,
    group: &mut Vec<Entry>,
    stop: &mut (impl FusedFuture<Output = ()> + Unpin),
) -> bool {
    tokio::select! {
        taken = queue.recv_many(group, GROUP) => return taken > 0,
        () = &mut *stop, if !stop.is_terminated() => queue.close(),
    }
    queue.recv_many(group, GROUP).await > 0
}

impl Writer {
    /// Whoever waits for an activation learns at once that it could not be written.
    async fn activations(
        &self,
        mut queue: mpsc::Receiver<Entry>,
        mut stop: impl FusedFuture<Output = ()> + Unpin,
    ) {
        let mut group = Vec::with_capacity(GROUP);
        while take(&mut queue, &mut group, &mut stop).await {
            match self.write(&mut group).await {
                Ok(()) => LOG_WRITTEN.add((Queue::Activations,), group.len() as u64),
                Err(error) => {
                    LOG_FAILURES.inc((Queue::Activations,));
                    answer_waiting(&mut group, &error);
                }
            }
            group.clear();
        }
    }

    /// Nobody waits for the others: they are kept until the store takes them.
    async fn orders(
        &self,
        mut queue: mpsc::Receiver<Entry>,
        mut stop: impl FusedFuture<Output = ()> + Unpin,
    ) {
        let mut group = Vec::with_capacity(GROUP);
        while take(&mut queue, &mut group, &mut stop).await {
            while let Err(error) = self.write(&mut group).await {
                tell(&error, group.len());
                LOG_FAILURES.inc((Queue::Orders,));
                if stop.is_terminated() {
                    let lost = group.len() + queue.len();
                    LOG_DROPPED.add((), lost as u64);
                    tracing::error!(decisions = lost, "decisions could not be recorded");
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(RETRY_EVERY) => {}
                    () = &mut stop => queue.close(),
                }
            }
            LOG_WRITTEN.add((Queue::Orders,), group.len() as u64);
            group.clear();
        }
    }

    async fn write(&self, group: &mut [Entry]) -> Result<(), Arc<StoreError>> {
        if group.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        let decisions = |kept| {
            group
                .iter()
                .map(|entry| entry.decision(now, kept))
                .collect()
        };
        let mut recorded = self.store.record_decisions(decisions(Kept::All)).await;
        if matches!(recorded, Err(StoreError::KeyReplaced { .. })) {
            // What was answered is told, although it cannot be worked out anew.
            recorded = self.store.record_decisions(decisions(Kept::Bare)).await;
        }
        recorded.map_err(Arc::new)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in group {
            if let Some(written) = entry.written.take() {
                seen.insert(entry.asker.mark(&entry.answer));
                // Whoever waited may have gone.
                let _ = written.send(Ok(()));
            }
        }
        Ok(())
    }
}

/// Tells activations that their decision is not durable.
fn answer_waiting(urgent: &mut [Entry], error: &Arc<StoreError>) {
    tell(error, urgent.len());
    for entry in urgent {
        if let Some(written) = entry.written.take() {
            let _ = written.send(Err(LogFailure::Store(Arc::clone(error))));
        }
    }
}

/// Tells that the store takes no decisions now: they wait, or activations are not answered. Those
/// that are lost, at the end, are an error.
fn tell(error: &Arc<StoreError>, decisions: usize) {
    let error: &dyn std::error::Error = &**error;
    UNWRITTEN.tell(|more| {
        tracing::warn!(error, decisions, more, "record decisions");
    });
}

/// Marks of answers that need not be handed in again; the older of two generations is
/// forgotten when the younger is full, so that memory stays bounded.
///
/// A mark can outlive its decision, which is pruned one day, and does no harm: a decision is pruned
/// [`crate::store::KEPT_AT_LEAST`] after it was recorded at the earliest, which was after the instant
/// that is part of its identifier, and an answer is given for 24 hours after that instant at most. So
/// nobody asks for a mark that is as old as that.
struct Seen {
    young: HashSet<DecisionId>,
    old: HashSet<DecisionId>,
}

impl Default for Seen {
    /// With room for all, because making room takes long and callers would wait for it. Memory that
    /// is not used yet is not taken from the system.
    fn default() -> Self {
        Self {
            young: HashSet::with_capacity(REMEMBERED),
            old: HashSet::with_capacity(REMEMBERED),
        }
    }
}

impl Seen {
    fn contains(&self, id: DecisionId) -> bool {
        self.young.contains(&id) || self.old.contains(&id)
    }

    fn insert(&mut self, id: DecisionId) {
        if self.young.len() >= REMEMBERED {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(id);
    }
}
