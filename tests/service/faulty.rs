//! A store with something wrong with it, between the gate and the real one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use icpgate::store::{
    ChangeEntry, Found, Freshness, NewDecision, NewRecord, RecordedDecision, Store, StoreError,
    Touched, Written,
};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;

/// What is wrong with a store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// The second look at its change log panics. One test at a time.
    Breaks,
    /// Looks at its change log are counted, and may hang. One test at a time.
    Counted,
    /// Its log takes nothing and says nothing.
    DeafLog,
    /// Its log takes nothing that names an order, and says nothing.
    DeafToOrders,
    /// Looking for a recorded decision panics.
    Panic,
    /// It was sealed under another key, and its log takes nothing that is sealed.
    Resealed,
    /// Facts take long to find.
    Slow(Duration),
}

/// A store with a fault.
pub(crate) struct Faulty {
    inner: Arc<dyn Store>,
    fault: Fault,
}

static LOOKS: AtomicUsize = AtomicUsize::new(0);

static BROKEN_LOOKS: AtomicUsize = AtomicUsize::new(0);

static HANGS: AtomicBool = AtomicBool::new(false);

/// How often the change log of a [`Fault::Counted`] was looked at.
pub(crate) fn looks() -> usize {
    LOOKS.load(Ordering::Relaxed)
}

/// Lets looks at the change log of a [`Fault::Counted`] hang, or go on.
pub(crate) fn hang(hangs: bool) {
    HANGS.store(hangs, Ordering::Relaxed);
}

impl Faulty {
    pub(crate) fn over(inner: Arc<dyn Store>, fault: Fault) -> Arc<dyn Store> {
        Arc::new(Self { inner, fault })
    }
}

#[async_trait]
impl Store for Faulty {
    async fn find(&self, sets: &[Vec<Handle>], freshness: Freshness) -> Result<Found, StoreError> {
        if let Fault::Slow(slow) = self.fault {
            tokio::time::sleep(slow).await;
        }
        self.inner.find(sets, freshness).await
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
        if let Fault::Breaks = self.fault {
            let looked = BROKEN_LOOKS.fetch_add(1, Ordering::Relaxed);
            assert!(looked == 0, "as the test wants it");
        }
        if let Fault::Counted = self.fault {
            LOOKS.fetch_add(1, Ordering::Relaxed);
            while HANGS.load(Ordering::Relaxed) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
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
        let deaf = match self.fault {
            Fault::DeafLog => true,
            Fault::DeafToOrders => decisions.iter().any(|one| one.order_id.is_some()),
            Fault::Breaks | Fault::Counted | Fault::Panic | Fault::Resealed | Fault::Slow(_) => {
                false
            }
        };
        let sealed = decisions.iter().any(|one| !one.facts.bytes.is_empty());
        if matches!(self.fault, Fault::Resealed) && sealed {
            return Err(StoreError::KeyReplaced {
                started: "5eed".to_owned(),
                stored: "5eed2".to_owned(),
            });
        }
        if deaf {
            std::future::pending::<()>().await;
        }
        self.inner.record_decisions(decisions).await
    }

    async fn decision(&self, decision_id: &str) -> Result<Option<RecordedDecision>, StoreError> {
        assert!(!matches!(self.fault, Fault::Panic), "as the test wants it");
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
