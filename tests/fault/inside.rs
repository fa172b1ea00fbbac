//! A gate in this process, with a clock that a test moves, a store that a test watches and holds
//! up, and a follower that looks at the log when the test says so.
//! Start at [`Inside::start`].

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use icpgate::bootstrap::{self, Parts};
use icpgate::clock::FixedClock;
use icpgate::config::{Flag, Inputs, load};
use icpgate::gate::{Gate, Served};
use icpgate::proto::v1;
use icpgate::store::{
    ChangeEntry, Found, Freshness, NewDecision, NewRecord, RecordedDecision, Store, StoreError,
    Touched, Written,
};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A gate and what it stands on.
pub(crate) struct Inside {
    pub(crate) gate: Arc<Gate>,
    pub(crate) store: Arc<Watched>,
    _log: JoinSet<()>,
}

/// A store that does as it is told.
pub(crate) struct Watched {
    inner: Arc<dyn Store>,
    /// Reads of facts so far.
    finds: AtomicU64,
    /// Reads of facts under way, and the most there were at once.
    running: AtomicU64,
    most: AtomicU64,
    /// How long a read of facts takes on top.
    late: Mutex<Duration>,
    /// What was read is held up while this is so.
    held: watch::Sender<bool>,
    /// The log says that nothing was written.
    silent: AtomicBool,
}

impl Inside {
    /// A gate over a database, with the key of a folder.
    pub(crate) async fn start(
        url: &str,
        folder: &Path,
        clock: Arc<FixedClock>,
        settings: &[(&str, &str)],
    ) -> Self {
        let key_file = folder.join("privacy.key").display().to_string();
        let own = [("store.url", url), ("privacy.key_file", &*key_file)];
        let flag = |(key, value): &(&str, &str)| Flag {
            name: format!("--set {key}"),
            key: (*key).to_owned(),
            value: (*value).to_owned(),
        };
        let inputs = Inputs {
            directory: folder.to_owned(),
            flags: own.iter().chain(settings).map(flag).collect(),
            ..Inputs::default()
        };
        let config = load(&inputs).unwrap().config;
        let parts = bootstrap::open(&config, true).await.unwrap();
        let store = Arc::new(Watched {
            inner: Arc::clone(&parts.store),
            finds: AtomicU64::new(0),
            running: AtomicU64::new(0),
            most: AtomicU64::new(0),
            late: Mutex::default(),
            held: watch::Sender::new(false),
            silent: AtomicBool::new(false),
        });
        let parts = Parts {
            store: store.clone(),
            ..parts
        };
        let (gate, worker) = bootstrap::gate(parts, &config, clock).unwrap();
        let gate = Arc::new(gate);
        gate.follow().await.unwrap();
        let mut log = JoinSet::new();
        log.spawn(worker.run(std::future::pending()));
        Self {
            gate,
            store,
            _log: log,
        }
    }

    pub(crate) async fn check(&self, question: v1::CheckProvisioningRequest) -> Served {
        let question = self.gate.question(question).unwrap();
        self.gate.check(question).await.unwrap()
    }

    /// Writes past the gate, as another replica does.
    pub(crate) async fn written(&self, records: Vec<v1::Record>) -> Revision {
        let now = self.gate.now();
        let records = records
            .into_iter()
            .map(|record| self.gate.intake().record(record, now).unwrap())
            .collect();
        self.store.inner.put(records, now).await.unwrap().revision
    }
}

impl Watched {
    pub(crate) fn finds(&self) -> u64 {
        self.finds.load(Ordering::SeqCst)
    }

    pub(crate) fn running(&self) -> u64 {
        self.running.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn be_late(&self, by: Duration) {
        *self.late.lock().unwrap() = by;
    }

    pub(crate) fn hold(&self, held: bool) {
        self.held.send_replace(held);
    }

    pub(crate) fn be_silent(&self, silent: bool) {
        self.silent.store(silent, Ordering::SeqCst);
    }
}

/// A read under way; over when it is dropped, however it ends.
struct Running<'a> {
    running: &'a AtomicU64,
    at_once: u64,
}

impl<'a> Running<'a> {
    fn begin(running: &'a AtomicU64) -> Self {
        let at_once = running.fetch_add(1, Ordering::SeqCst) + 1;
        Self { running, at_once }
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.running.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl Store for Watched {
    async fn find(&self, sets: &[Vec<Handle>], freshness: Freshness) -> Result<Found, StoreError> {
        self.finds.fetch_add(1, Ordering::SeqCst);
        let running = Running::begin(&self.running);
        self.most.fetch_max(running.at_once, Ordering::SeqCst);
        let found = self.inner.find(sets, freshness).await;
        let late = *self.late.lock().unwrap();
        tokio::time::sleep(late).await;
        let _ = self.held.subscribe().wait_for(|held| !held).await;
        found
    }

    async fn put(&self, records: Vec<NewRecord>, at: Timestamp) -> Result<Written, StoreError> {
        self.inner.put(records, at).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.inner.head().await
    }

    async fn changes(
        &self,
        after: (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.inner.changes(after, limit).await
    }

    async fn touched(&self, after: Revision, limit: u32) -> Result<Touched, StoreError> {
        if self.silent.load(Ordering::SeqCst) {
            return Ok(Touched {
                handles: Vec::new(),
                everything: None,
                through: after,
                head: after,
            });
        }
        self.inner.touched(after, limit).await
    }

    async fn revision_before(&self, versions: u64) -> Result<Revision, StoreError> {
        self.inner.revision_before(versions).await
    }

    async fn changed(&self) -> Result<Option<Revision>, StoreError> {
        self.inner.changed().await
    }

    async fn history(&self, kind: RecordKind, key: &str) -> Result<Vec<Fact<Record>>, StoreError> {
        self.inner.history(kind, key).await
    }

    async fn record_decisions(&self, decisions: Vec<NewDecision>) -> Result<(), StoreError> {
        self.inner.record_decisions(decisions).await
    }

    async fn decision(&self, decision_id: &str) -> Result<Option<RecordedDecision>, StoreError> {
        self.inner.decision(decision_id).await
    }

    async fn id(&self) -> Result<String, StoreError> {
        self.inner.id().await
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        self.inner.counts().await
    }

    async fn source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.inner.source_syncs().await
    }

    async fn page(
        &self,
        kind: RecordKind,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        self.inner.page(kind, after, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
