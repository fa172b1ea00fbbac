//! Turns at working on many questions, so that single ones are not kept waiting.
//!
//! A batch of a thousand questions is as much work as a thousand orders, and would be done in one
//! go. Here it is cut into slices; between two of them everything else has its turn.
//! **Invariant:** work on many questions takes no more than all processors but one at once, and a
//! screening no more than half of these turns while batches want them;
//! while single questions wait, they go first many times over.

use tokio::sync::{Semaphore, SemaphorePermit};

/// Questions that are answered in one turn: about a tenth of a millisecond.
pub(super) const SLICE: usize = 16;

/// How often single questions that wait go first, all of them each time, before a turn: some
/// milliseconds on a machine that is full of them.
const GO_FIRST: usize = 16;

/// Who wants a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bulk {
    /// A batch, which somebody waits for.
    Batch,
    /// A screening, which may take its time.
    Screening,
}

/// Tells whether single questions wait for a processor.
pub type Pressed<'a> = &'a (dyn Fn() -> bool + Sync);

/// Turns at working on many questions.
#[derive(Debug)]
pub(super) struct Turns {
    all: Semaphore,
    screening: Semaphore,
}

/// A turn; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    _all: Option<SemaphorePermit<'a>>,
    _screening: Option<SemaphorePermit<'a>>,
}

impl Turns {
    /// For a machine with so many processors.
    pub(super) fn new(processors: usize) -> Self {
        let all = processors.saturating_sub(1).max(1);
        Self {
            all: Semaphore::new(all),
            // Screenings stand in line for turns one by one, behind as many batches as there are.
            screening: Semaphore::new(all.div_ceil(2)),
        }
    }

    /// Lets others run, more often while `pressed` says that single questions wait, and waits for a
    /// turn.
    pub(super) async fn take(&self, bulk: Bulk, pressed: Pressed<'_>) -> Turn<'_> {
        tokio::task::yield_now().await;
        for _ in 0..GO_FIRST {
            if !pressed() {
                break;
            }
            tokio::task::yield_now().await;
        }
        let screening = match bulk {
            Bulk::Batch => None,
            Bulk::Screening => self.screening.acquire().await.ok(),
        };
        Turn {
            _all: self.all.acquire().await.ok(),
            _screening: screening,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn one_processor_is_left_for_single_questions() {
        for (processors, most) in [(0, 1), (1, 1), (2, 1), (8, 7)] {
            let turns = Turns::new(processors);
            let mut taken = Vec::new();
            for _ in 0..most {
                taken.push(turns.take(Bulk::Batch, &|| false).await);
            }
            let next = tokio::time::timeout(std::time::Duration::from_millis(5), async {
                turns.take(Bulk::Batch, &|| false).await
            });
            assert!(next.await.is_err(), "{processors}");
            taken.pop();
            turns.take(Bulk::Batch, &|| false).await;
        }
    }

    #[tokio::test]
    async fn screenings_take_no_more_than_half_of_the_turns() {
        let turns = Turns::new(9);
        let mut screenings = Vec::new();
        for _ in 0..4 {
            screenings.push(turns.take(Bulk::Screening, &|| false).await);
        }
        let mut fifth = Box::pin(turns.take(Bulk::Screening, &|| false));
        // Once for the yield, once for the turn.
        assert!((&mut fifth).now_or_never().is_none());
        tokio::task::yield_now().await;
        assert!((&mut fifth).now_or_never().is_none());
        turns.take(Bulk::Batch, &|| false).await;
        screenings.pop();
        fifth.await;
    }

    #[tokio::test]
    async fn who_waits_goes_first_but_not_for_ever() {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let pressed = || asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 5;
        let turns = Turns::new(2);
        drop(turns.take(Bulk::Batch, &pressed).await);
        assert_eq!(asked.into_inner(), 6);
        drop(turns.take(Bulk::Batch, &|| true).await);
    }
}
