//! Whether Redis is used: a breaker that holds the connection while it is closed.
//!
//! Closed means that there is a connection and that requests go through it. What fails opens it
//! and drops the connection; from then on nobody waits for Redis. At growing intervals one caller
//! is told to look after Redis, which happens in the background, with a connection of its own, so
//! that even a server that takes connections and never answers slows nobody down.
//! **Invariant:** at most one look is under way; what an older connection reports late does not
//! count against a newer one.
//! **Absent on purpose:** clocks other than tokio's, so that tests can stop the time.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Time within which failures are in a row.
const WINDOW: Duration = Duration::from_secs(5);

/// Pause before the first look after Redis; doubled with each look that fails.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Longest pause between two looks, so that Redis is in use again this long after it came back.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Time for which Redis has to be of use before the pauses begin anew. Without it, a Redis that
/// can be reached and then fails would be tried ten times a second.
const STABLE: Duration = Duration::from_secs(30);

/// A breaker over connections of type `L`.
#[derive(Debug)]
pub(super) struct Breaker<L> {
    phase: Mutex<Phase<L>>,
    /// Longest time that a look takes; one that takes longer has gone astray.
    look_timeout: Duration,
    /// Spreads the pauses of replicas that lost Redis at the same time.
    jitter: u64,
    /// Failures in a row that open it.
    failures: u32,
}

/// What a caller may do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Permit<L> {
    /// Look after Redis in the background, and tell [`Breaker::settle`].
    Look(Look),
    /// Go without Redis.
    Pass,
    /// The very first look is under way since this instant: a moment's patience may pay.
    Starting(Instant),
    /// Use this connection, and tell [`Breaker::succeeded`] or [`Breaker::failed`].
    Use(L, Generation),
}

/// Which connection a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generation(u64);

/// The right to look after Redis.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look(Generation);

/// How bad a failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// The connection is gone, or the server says that it cannot be used: opens at once.
    Certain,
    /// It may pass: several in a row open.
    Transient,
}

#[derive(Debug)]
enum Phase<L> {
    Closed {
        link: L,
        generation: u64,
        since: Instant,
        /// Looks that failed before this connection and count on if it fails soon.
        failed_looks: u32,
        streak: u32,
        streak_since: Instant,
    },
    Open {
        generation: u64,
        failed_looks: u32,
        look_at: Instant,
    },
    Looking {
        generation: u64,
        failed_looks: u32,
        since: Instant,
        first: bool,
    },
}

impl<L: Clone> Breaker<L> {
    /// A breaker that is open and may look at once.
    pub(super) fn new(look_timeout: Duration, jitter: u64, failures: u32) -> Self {
        Self {
            phase: Mutex::new(Phase::Open {
                generation: 0,
                failed_looks: 0,
                look_at: Instant::now(),
            }),
            look_timeout,
            jitter,
            failures,
        }
    }

    /// Closes it over a connection that is known to be of use.
    pub(super) fn close(&self, link: L) {
        if let Permit::Look(look) = self.ask() {
            self.settle(&look, Some(link));
        }
    }

    /// What a caller may do now.
    pub(super) fn ask(&self) -> Permit<L> {
        let now = Instant::now();
        let mut phase = self.lock();
        let (generation, failed_looks) = match &*phase {
            Phase::Closed {
                link, generation, ..
            } => return Permit::Use(link.clone(), Generation(*generation)),
            Phase::Open {
                generation,
                failed_looks,
                look_at,
            } => {
                if now < *look_at {
                    return Permit::Pass;
                }
                (*generation, *failed_looks)
            }
            Phase::Looking {
                generation,
                failed_looks,
                since,
                first,
            } => {
                if now <= *since + self.look_timeout {
                    return if *first {
                        Permit::Starting(*since)
                    } else {
                        Permit::Pass
                    };
                }
                (*generation, failed_looks.saturating_add(1))
            }
        };
        let generation = generation + 1;
        *phase = Phase::Looking {
            generation,
            failed_looks,
            since: now,
            first: generation == 1,
        };
        Permit::Look(Look(Generation(generation)))
    }

    /// Takes the result of a look: the connection, or `None`. Whether it counts; a look that took
    /// too long does not.
    pub(super) fn settle(&self, look: &Look, link: Option<L>) -> bool {
        let now = Instant::now();
        let mut phase = self.lock();
        let (generation, failed_looks) = match &*phase {
            Phase::Looking {
                generation,
                failed_looks,
                ..
            } if *generation == look.0.0 => (*generation, *failed_looks),
            Phase::Looking { .. } | Phase::Closed { .. } | Phase::Open { .. } => return false,
        };
        *phase = match link {
            Some(link) => Phase::Closed {
                link,
                generation,
                since: now,
                failed_looks,
                streak: 0,
                streak_since: now,
            },
            None => Phase::Open {
                generation,
                failed_looks: failed_looks.saturating_add(1),
                look_at: now + self.pause(failed_looks.saturating_add(1)),
            },
        };
        true
    }

    /// A request got its answer.
    pub(super) fn succeeded(&self, of: Generation) {
        if let Phase::Closed {
            generation, streak, ..
        } = &mut *self.lock()
            && *generation == of.0
        {
            *streak = 0;
        }
    }

    /// A request failed. Whether that opened the breaker.
    pub(super) fn failed(&self, of: Generation, severity: Severity) -> bool {
        let now = Instant::now();
        let mut phase = self.lock();
        let Phase::Closed {
            generation,
            since,
            failed_looks,
            streak,
            streak_since,
            ..
        } = &mut *phase
        else {
            return false;
        };
        if *generation != of.0 {
            return false;
        }
        if *streak == 0 || now > *streak_since + WINDOW {
            *streak = 0;
            *streak_since = now;
        }
        *streak += 1;
        if severity == Severity::Transient && *streak < self.failures {
            return false;
        }
        let failed_looks = if now > *since + STABLE {
            0
        } else {
            failed_looks.saturating_add(1)
        };
        *phase = Phase::Open {
            generation: of.0,
            failed_looks,
            look_at: now + self.pause(failed_looks),
        };
        true
    }

    /// The connection, where the breaker is closed.
    pub(super) fn is_closed(&self) -> bool {
        matches!(&*self.lock(), Phase::Closed { .. })
    }

    /// Between half of the interval and the whole of it.
    fn pause(&self, failed_looks: u32) -> Duration {
        let doubled = 1_u32.checked_shl(failed_looks.min(16)).unwrap_or(u32::MAX);
        let interval = FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE);
        // Another figure for each look and each process.
        let mixed = (self.jitter ^ u64::from(failed_looks)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let per_mille = u32::try_from((mixed >> 32) % 501).unwrap_or(0);
        interval.saturating_mul(1000 - per_mille) / 1000
    }

    fn lock(&self) -> MutexGuard<'_, Phase<L>> {
        self.phase.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const LOOK: Duration = Duration::from_secs(1);

    const FAILURES: u32 = 5;

    fn look(breaker: &Breaker<u8>) -> Look {
        let Permit::Look(look) = breaker.ask() else {
            panic!("nobody may look");
        };
        look
    }

    fn closed() -> (Breaker<u8>, Generation) {
        let breaker = Breaker::new(LOOK, 7, FAILURES);
        let first = look(&breaker);
        assert!(breaker.settle(&first, Some(1)));
        breaker.close(2);
        let Permit::Use(1, generation) = breaker.ask() else {
            panic!("it is not closed");
        };
        (breaker, generation)
    }

    /// Time until the breaker lets somebody look.
    async fn until_look(breaker: &Breaker<u8>) -> (Duration, Look) {
        let start = Instant::now();
        loop {
            match breaker.ask() {
                Permit::Look(look) => return (start.elapsed(), look),
                Permit::Pass => advance(Duration::from_millis(10)).await,
                Permit::Starting(_) | Permit::Use(..) => panic!("it is not open"),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn one_caller_looks_and_the_others_go_without() {
        let breaker = Breaker::new(LOOK, 7, FAILURES);
        let first = look(&breaker);
        assert_eq!(breaker.ask(), Permit::Starting(Instant::now()));
        assert!(breaker.settle(&first, None));
        assert_eq!(breaker.ask(), Permit::Pass);
        let (_, second) = until_look(&breaker).await;
        assert_eq!(
            breaker.ask(),
            Permit::Pass,
            "only the first look is awaited"
        );
        assert!(breaker.settle(&second, Some(2)));
        assert!(matches!(breaker.ask(), Permit::Use(2, _)));
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_in_a_row_open_it() {
        let (breaker, generation) = closed();
        for _ in 1..FAILURES {
            assert!(!breaker.failed(generation, Severity::Transient));
        }
        breaker.succeeded(generation);
        for _ in 1..FAILURES {
            assert!(!breaker.failed(generation, Severity::Transient));
        }
        assert!(breaker.failed(generation, Severity::Transient));
        assert!(
            !breaker.failed(generation, Severity::Transient),
            "opens once"
        );
        assert_eq!(breaker.ask(), Permit::Pass);
        assert!(!breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn failures_far_apart_are_not_in_a_row() {
        let (breaker, generation) = closed();
        for _ in 0..FAILURES * 3 {
            assert!(!breaker.failed(generation, Severity::Transient));
            advance(WINDOW / 2).await;
        }
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_certain_failure_opens_it_at_once() {
        let (breaker, generation) = closed();
        assert!(breaker.failed(generation, Severity::Certain));
        assert!(!breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_up_to_their_bound_and_differ_between_replicas() {
        let breaker = Breaker::new(LOOK, 7, FAILURES);
        let mut pending = look(&breaker);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            breaker.settle(&pending, None);
            let (pause, next) = until_look(&breaker).await;
            pauses.push(pause);
            pending = next;
        }
        assert!(pauses.first() >= Some(&FIRST_PAUSE), "{pauses:?}");
        assert!(pauses.get(3) > pauses.first(), "{pauses:?}");
        let step = Duration::from_millis(10);
        for pause in &pauses {
            assert!(*pause <= LONGEST_PAUSE + step, "{pauses:?}");
        }
        assert!(pauses.last() >= Some(&(LONGEST_PAUSE / 2)), "{pauses:?}");
        let other = Breaker::<u8>::new(LOOK, 8, FAILURES);
        assert_ne!(breaker.pause(9), other.pause(9));
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_fails_soon_does_not_shorten_the_pauses() {
        let (breaker, mut generation) = closed();
        let mut pauses = Vec::new();
        for _ in 0..9 {
            assert!(breaker.failed(generation, Severity::Certain));
            let (pause, next) = until_look(&breaker).await;
            pauses.push(pause);
            assert!(breaker.settle(&next, Some(1)));
            let Permit::Use(_, next) = breaker.ask() else {
                panic!("it is not closed");
            };
            generation = next;
        }
        assert!(pauses.last() >= Some(&(LONGEST_PAUSE / 2)), "{pauses:?}");
        advance(STABLE * 2).await;
        assert!(breaker.failed(generation, Severity::Certain));
        let (pause, _) = until_look(&breaker).await;
        assert!(
            pause <= FIRST_PAUSE + Duration::from_millis(10),
            "{pause:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_older_connection_reports_does_not_count() {
        let (breaker, old) = closed();
        breaker.failed(old, Severity::Certain);
        let (_, next) = until_look(&breaker).await;
        breaker.settle(&next, Some(2));
        assert!(!breaker.failed(old, Severity::Certain));
        assert!(breaker.is_closed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_went_astray_is_made_up_for() {
        let breaker = Breaker::new(LOOK, 7, FAILURES);
        let lost = look(&breaker);
        advance(LOOK * 2).await;
        let second = look(&breaker);
        assert!(!breaker.settle(&lost, Some(1)), "too late");
        assert!(breaker.settle(&second, Some(2)));
        assert!(matches!(breaker.ask(), Permit::Use(2, _)));
    }
}
