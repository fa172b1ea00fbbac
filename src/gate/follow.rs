//! Following the change log, so that what is held is known to be right.
//!
//! **Invariant:** the log is applied in its order and without a gap; only when its end was seen
//! does what is held count as current. Signs from elsewhere make a look come sooner and say
//! nothing else.

use std::sync::atomic::Ordering;

use icpgate_policy::facts::Revision;

use super::{Contact, Gate};
use crate::store::{StoreError, Touched};
use crate::telemetry::metrics::label::{Channel, Place};
use crate::telemetry::metrics::list::{CHANNEL, HANDLES_TOUCHED, INVALIDATION_LAG, REVISION};

/// Versions read from the log at once.
const AT_ONCE: u32 = 4096;

/// Versions of the past that are read at the start, so that what the other replicas have put into
/// the shared cache can be judged.
const PAST: u64 = 65_536;

/// Why the log could not be followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The store said so.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store did not answer in time.
    #[error("read the change log: the store did not answer in time")]
    Late,
    /// The store holds an older state than before, as after a backup was restored.
    #[error(
        "read the change log: the store went back from revision {applied} to {head}; restart \
         every replica and empty the shared cache"
    )]
    WentBack {
        /// Revision that was applied.
        applied: u64,
        /// Newest revision of the store.
        head: u64,
    },
}

impl FollowError {
    /// Whether no later look can succeed: the process has to be started again.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Store(StoreError::KeyReplaced { .. }))
    }
}

/// What following remembers; behind a lock, so that one look runs at a time.
#[derive(Debug, Default)]
pub(super) struct Following {
    begun: bool,
    /// Whether the end of the log was seen once.
    seen: bool,
}

impl Gate {
    /// Applies the change log to its end.
    ///
    /// # Errors
    ///
    /// The store does not answer; what is held does not count as current until a look succeeds.
    pub async fn follow(&self) -> Result<(), FollowError> {
        let mut following = self.following.lock().await;
        self.look(&mut following).await
    }

    /// Waits for a sign that something was written: from the store, or from another replica
    /// through the shared cache.
    pub async fn sign(&self) {
        let applied = &self.sources.caches.applied;
        // Of most writes two signs come, and of one of its own this replica has read already.
        let is_known = |revision| revision <= applied.revision();
        let from_store = async {
            loop {
                match self.store.changed().await {
                    Ok(told) => {
                        CHANNEL.set_flag((Channel::Store,), true);
                        self.deaf.store(false, Ordering::Relaxed);
                        if !told.is_some_and(is_known) {
                            break;
                        }
                    }
                    // Often the first that is seen of the end of a store. A look tells.
                    Err(_) if !self.deaf.swap(true, Ordering::Relaxed) => {
                        CHANNEL.set_flag((Channel::Store,), false);
                        applied.doubt();
                        break;
                    }
                    // There is still no line. Looks at their usual pace tell enough.
                    Err(_) => std::future::pending().await,
                }
            }
        };
        let from_others = async {
            match &self.sources.caches.shared {
                Some(shared) => loop {
                    match shared.changed().await {
                        Ok(told) => {
                            CHANNEL.set_flag((Channel::Shared,), true);
                            if !told.is_some_and(is_known) {
                                break;
                            }
                        }
                        Err(_) => {
                            CHANNEL.set_flag((Channel::Shared,), false);
                            std::future::pending::<()>().await;
                        }
                    }
                },
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = from_store => {}
            () = from_others => {}
        }
    }

    /// Takes note of a write of this replica: its own next question sees it, and the others are
    /// told.
    pub async fn wrote(&self, revision: Revision) {
        let applied = &self.sources.caches.applied;
        applied.expect(revision);
        if let Some(shared) = self.sources.caches.shared.clone() {
            self.tasks
                .spawn(async move { shared.announce(revision).await });
        }
        let mut following = self.following.lock().await;
        if applied.revision() < revision {
            // Where it fails, questions are answered from the store until it succeeds.
            let _ = self.look(&mut following).await;
        }
    }

    async fn look(&self, following: &mut Following) -> Result<(), FollowError> {
        let applied = &self.sources.caches.applied;
        match self.read_log(following).await {
            Ok(()) => {
                self.note(Contact::Held);
                Ok(())
            }
            Err(error) => {
                // A replica that never saw the log has nothing to answer from.
                if following.seen {
                    self.note(Contact::Lost);
                }
                if applied.lose() {
                    let error: &dyn std::error::Error = &error;
                    tracing::error!(error, "the change log cannot be read; held facts are stale");
                }
                Err(error)
            }
        }
    }

    fn note(&self, contact: Contact) {
        self.contact
            .send_if_modified(|noted| std::mem::replace(noted, contact) != contact);
    }

    async fn read_log(&self, following: &mut Following) -> Result<(), FollowError> {
        let caches = &self.sources.caches;
        let applied = &caches.applied;
        if !following.begun {
            let past = if caches.shared.is_some() { PAST } else { 0 };
            applied.begin(self.in_time(self.store.revision_before(past)).await?);
            following.begun = true;
        }
        loop {
            let began = self.clock.now();
            let reading = self.store.touched(applied.revision(), AT_ONCE);
            let Touched {
                handles,
                everything,
                through,
                head,
            } = self.in_time(reading).await?;
            if head < applied.revision() {
                return Err(FollowError::WentBack {
                    applied: applied.revision().0,
                    head: head.0,
                });
            }
            if let Some(revision) = everything {
                // Before the rest, so that nothing that was read earlier is taken to hold.
                applied.begin(revision);
            }
            let touched: usize = handles.iter().map(|(_, handles)| handles.len()).sum();
            if touched > 0 && following.seen {
                HANDLES_TOUCHED.add((), touched as u64);
                let unseen = began.duration_since(applied.confirmed_at());
                INVALIDATION_LAG.observe((), unseen.unsigned_abs());
            }
            applied.apply(&handles, through);
            REVISION.set_count((Place::Newest,), head.0);
            REVISION.set_count((Place::Applied,), applied.revision().0);
            if through >= head {
                let was_lost = applied.is_lost();
                applied.confirm(began);
                following.seen = true;
                if was_lost {
                    tracing::info!("the change log is read again");
                }
                return Ok(());
            }
        }
    }

    async fn in_time<T>(
        &self,
        reading: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, FollowError> {
        let timeout = self.sources.caches.bounds.load_timeout;
        match tokio::time::timeout(timeout, reading).await {
            Ok(read) => Ok(read?),
            Err(_) => Err(FollowError::Late),
        }
    }
}
