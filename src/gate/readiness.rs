//! Whether a replica is ready, and why not: the same for every way in which it is asked.
//!
//! Ready means: a safe answer can be given. That is so from the first sight of the end of the change
//! log until the process is told to stop, while the store is away too: answers are then stale or
//! indeterminate, as the policy allows, and a balancer that took all replicas out at once would
//! leave callers with none.
//! **Invariant:** asking costs no look at anything but two values in memory.

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Contact, Gate};

/// Tells whether a replica is ready.
#[derive(Clone, Debug)]
pub struct Readiness {
    contact: watch::Receiver<Contact>,
    stop: CancellationToken,
}

/// Whether a replica was ready when it was looked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// Whether it is in contact with its store.
    pub contact: Contact,
    stopping: bool,
}

impl Gate {
    /// Tells whether this replica is ready; from `stop` on it is not.
    #[must_use]
    pub fn readiness(&self, stop: CancellationToken) -> Readiness {
        Readiness {
            contact: self.contact(),
            stop,
        }
    }
}

impl Readiness {
    /// How it is now.
    #[must_use]
    pub fn now(&self) -> Ready {
        Ready {
            contact: *self.contact.borrow(),
            stopping: self.stop.is_cancelled(),
        }
    }

    /// Waits for a change and tells how it is then. Once it is stopping, that is told at once.
    pub async fn changed(&mut self) -> Ready {
        let changed = async {
            if self.contact.changed().await.is_err() {
                // Whoever followed has gone; the process is about to end.
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = changed => {}
        }
        self.now()
    }
}

impl Ready {
    /// Whether a safe answer can be given.
    #[must_use]
    pub fn is_ready(self) -> bool {
        !self.stopping && self.contact != Contact::Beginning
    }

    /// Whether records can be read and written.
    #[must_use]
    pub fn has_store(self) -> bool {
        !self.stopping && self.contact == Contact::Held
    }

    /// Whether the process was told to stop.
    #[must_use]
    pub fn is_stopping(self) -> bool {
        self.stopping
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_ready_from_the_first_contact_until_it_is_told_to_stop() {
        let contact = watch::Sender::new(Contact::Beginning);
        let mut readiness = Readiness {
            contact: contact.subscribe(),
            stop: CancellationToken::new(),
        };
        let told = |ready: Ready| (ready.is_ready(), ready.has_store(), ready.is_stopping());
        assert_eq!(told(readiness.now()), (false, false, false));
        contact.send_replace(Contact::Held);
        assert_eq!(told(readiness.changed().await), (true, true, false));
        contact.send_replace(Contact::Lost);
        assert_eq!(told(readiness.changed().await), (true, false, false));
        readiness.stop.cancel();
        for _ in 0..2 {
            assert_eq!(told(readiness.changed().await), (false, false, true));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_of_whoever_follows_is_no_change() {
        let contact = watch::Sender::new(Contact::Held);
        let mut readiness = Readiness {
            contact: contact.subscribe(),
            stop: CancellationToken::new(),
        };
        drop(contact);
        let long = std::time::Duration::from_mins(1);
        assert!(
            tokio::time::timeout(long, readiness.changed())
                .await
                .is_err()
        );
    }
}
