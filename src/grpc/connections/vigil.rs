//! Watches over one connection: says when it is to be asked to leave, and when to be closed.
//!
//! Decides from counts and instants that it is handed; reads no clock and touches no socket.

use std::fmt;
use std::time::Duration;

use tokio::time::Instant;

use crate::telemetry::metrics::label::Ended;

/// What a client sends before anything else: the preface and the head of a settings frame.
const GREETING: u64 = 24 + 9;

/// How long a connection on which nothing runs may stay after it was told to leave.
const LINGER: Duration = Duration::from_secs(5);

/// The same when the process ends: answers may still be on their way.
pub(super) const LAST_BYTES_WITHIN: Duration = Duration::from_secs(1);

/// Calls that begin later than this after the caller was told to leave come from one who does not
/// listen.
const HEARD_WITHIN: Duration = Duration::from_mins(1);

/// How often it is looked at least, and at most.
const LOOK: (Duration, Duration) = (Duration::from_millis(10), Duration::from_secs(5));

/// How long connections may do what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Until the greeting is there.
    pub(super) greeting: Duration,
    /// Without a call.
    pub(super) idle: Duration,
    /// Until it is asked to leave.
    pub(super) age: Duration,
    /// Until a call that is no stream is answered and the answer is taken.
    pub(super) call: Duration,
}

/// What is seen of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signs {
    /// Octets that came.
    pub(super) read: u64,
    /// Calls so far.
    pub(super) begun: u64,
    /// Calls that run.
    pub(super) running: usize,
    /// Whether a call is older than [`Bounds::call`] that is no stream.
    pub(super) overdue: bool,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    Stay,
    /// Ask the peer to leave; calls that run finish.
    Leave(Why),
    /// Close it at once.
    Close(Why),
}

/// Why a connection is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// It is as old as connections may be.
    Age,
    /// The peer was told to leave and went on.
    Deaf,
    /// Nothing was asked for long.
    Idle,
    /// The peer was told to leave, and nothing runs any more.
    Left,
    /// No greeting came.
    Silent,
    /// The peer does not take its answers.
    Stuck,
}

impl Why {
    /// What it is counted under.
    pub(super) fn label(self) -> Ended {
        match self {
            Self::Age => Ended::Age,
            Self::Deaf => Ended::Deaf,
            Self::Idle => Ended::Idle,
            Self::Left => Ended::Left,
            Self::Silent => Ended::Silent,
            Self::Stuck => Ended::Stuck,
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Age => "it is old (limits.connection_age)",
            Self::Deaf => "its peer was told to leave and goes on asking",
            Self::Idle => "nothing was asked for long (limits.idle_timeout)",
            Self::Left => "its peer was told to leave, and nothing runs any more",
            Self::Silent => "its peer did not greet (limits.handshake_timeout)",
            Self::Stuck => "its peer does not take its answers (limits.call_timeout)",
        })
    }
}

/// Watches over one connection.
#[derive(Debug)]
pub(super) struct Vigil {
    bounds: Bounds,
    began: Instant,
    retires: Instant,
    /// Calls so far when one was last seen to begin or to run, and when that was.
    last: (u64, Instant),
    leaving: Option<Leaving>,
}

#[derive(Debug)]
struct Leaving {
    told: Instant,
    /// Calls so far [`HEARD_WITHIN`] after it was told.
    heard: Option<u64>,
    linger: Duration,
}

impl Vigil {
    /// `jitter` from 0 to 1 spreads the ages, so that connections that came together do not leave
    /// together.
    pub(super) fn new(bounds: Bounds, jitter: f64, now: Instant) -> Self {
        Self {
            bounds,
            began: now,
            retires: now + bounds.age.mul_f64(jitter.clamp(0.0, 1.0).mul_add(0.2, 0.9)),
            last: (0, now),
            leaving: None,
        }
    }

    /// How long until the next look.
    pub(super) fn pace(&self) -> Duration {
        let Bounds {
            greeting,
            idle,
            age,
            call,
        } = self.bounds;
        let shortest = greeting.min(idle).min(age).min(call);
        let shortest = match &self.leaving {
            Some(leaving) => shortest.min(leaving.linger),
            None => shortest,
        };
        (shortest / 8).clamp(LOOK.0, LOOK.1)
    }

    /// Takes note that the peer was told to leave because the process ends.
    pub(super) fn ending(&mut self, now: Instant) {
        self.leave(now, LAST_BYTES_WITHIN);
    }

    /// Looks at what is seen.
    pub(super) fn look(&mut self, signs: Signs, now: Instant) -> Verdict {
        if signs.running > 0 || signs.begun != self.last.0 {
            self.last = (signs.begun, now);
        }
        let quiet = now.saturating_duration_since(self.last.1);
        if signs.overdue {
            return Verdict::Close(Why::Stuck);
        }
        if let Some(leaving) = &mut self.leaving {
            if quiet.min(now.saturating_duration_since(leaving.told)) >= leaving.linger {
                return Verdict::Close(Why::Left);
            }
            if now.saturating_duration_since(leaving.told) >= HEARD_WITHIN {
                let heard = *leaving.heard.get_or_insert(signs.begun);
                if signs.begun > heard {
                    return Verdict::Close(Why::Deaf);
                }
            }
            return Verdict::Stay;
        }
        if signs.read < GREETING {
            let waited = now.saturating_duration_since(self.began);
            return if waited >= self.bounds.greeting {
                Verdict::Close(Why::Silent)
            } else {
                Verdict::Stay
            };
        }
        if now >= self.retires {
            self.leave(now, LINGER);
            return Verdict::Leave(Why::Age);
        }
        if quiet >= self.bounds.idle {
            self.leave(now, LINGER);
            return Verdict::Leave(Why::Idle);
        }
        Verdict::Stay
    }

    fn leave(&mut self, now: Instant, linger: Duration) {
        let told = self.leaving.take().map_or(now, |leaving| leaving.told);
        self.leaving = Some(Leaving {
            told,
            heard: None,
            linger,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds {
        greeting: Duration::from_secs(10),
        idle: Duration::from_mins(5),
        age: Duration::from_mins(10),
        call: Duration::from_mins(1),
    };

    const GREETED: Signs = Signs {
        read: GREETING,
        begun: 0,
        running: 0,
        overdue: false,
    };

    fn after(from: Instant, seconds: u64) -> Instant {
        from + Duration::from_secs(seconds)
    }

    #[test]
    fn a_peer_that_does_not_greet_is_closed() {
        let began = Instant::now();
        let mut vigil = Vigil::new(BOUNDS, 0.5, began);
        let slow = Signs {
            read: GREETING - 1,
            ..Signs::default()
        };
        assert_eq!(vigil.look(slow, after(began, 9)), Verdict::Stay);
        let verdict = vigil.look(slow, after(began, 10));
        assert_eq!(verdict, Verdict::Close(Why::Silent));
    }

    #[test]
    fn a_peer_that_asks_nothing_is_asked_to_leave_and_then_closed() {
        let began = Instant::now();
        let mut vigil = Vigil::new(BOUNDS, 0.5, began);
        // A call that ran between two looks counts.
        let asked = Signs {
            begun: 1,
            ..GREETED
        };
        assert_eq!(vigil.look(asked, after(began, 200)), Verdict::Stay);
        assert_eq!(vigil.look(asked, after(began, 499)), Verdict::Stay);
        let verdict = vigil.look(asked, after(began, 500));
        assert_eq!(verdict, Verdict::Leave(Why::Idle));
        assert_eq!(vigil.look(asked, after(began, 504)), Verdict::Stay);
        let verdict = vigil.look(asked, after(began, 505));
        assert_eq!(verdict, Verdict::Close(Why::Left));
    }

    #[test]
    fn calls_that_run_keep_an_aged_connection_open() {
        let began = Instant::now();
        let mut vigil = Vigil::new(BOUNDS, 0.0, began);
        let running = Signs {
            begun: 7,
            running: 1,
            ..GREETED
        };
        assert_eq!(vigil.look(running, after(began, 539)), Verdict::Stay);
        let verdict = vigil.look(running, after(began, 540));
        assert_eq!(verdict, Verdict::Leave(Why::Age));
        for second in [545, 601, 10_000] {
            let verdict = vigil.look(running, after(began, second));
            assert_eq!(verdict, Verdict::Stay, "{second}");
        }
        let done = Signs {
            running: 0,
            ..running
        };
        assert_eq!(vigil.look(done, after(began, 10_001)), Verdict::Stay);
        let verdict = vigil.look(done, after(began, 10_005));
        assert_eq!(verdict, Verdict::Close(Why::Left));
    }

    #[test]
    fn who_goes_on_after_he_was_told_to_leave_is_closed() {
        let began = Instant::now();
        let mut vigil = Vigil::new(BOUNDS, 0.0, began);
        let mut signs = Signs {
            running: 1,
            begun: 1,
            ..GREETED
        };
        vigil.look(signs, after(began, 540));
        // What was on its way is welcome.
        signs.begun = 50;
        assert_eq!(vigil.look(signs, after(began, 600)), Verdict::Stay);
        signs.begun = 51;
        let verdict = vigil.look(signs, after(began, 605));
        assert_eq!(verdict, Verdict::Close(Why::Deaf));
    }

    #[test]
    fn who_does_not_take_his_answers_is_closed() {
        let began = Instant::now();
        let mut vigil = Vigil::new(BOUNDS, 0.0, began);
        let overdue = Signs {
            running: 3,
            begun: 3,
            overdue: true,
            ..GREETED
        };
        let verdict = vigil.look(overdue, after(began, 70));
        assert_eq!(verdict, Verdict::Close(Why::Stuck));
    }

    #[test]
    fn ages_are_spread() {
        let began = Instant::now();
        for (jitter, seconds) in [(0.0, 540), (0.5, 600), (1.0, 660), (7.0, 660)] {
            let retires = Vigil::new(BOUNDS, jitter, began).retires - began;
            let off = retires.abs_diff(Duration::from_secs(seconds));
            assert!(off < Duration::from_millis(1), "{jitter}: {retires:?}");
        }
    }

    #[test]
    fn at_the_end_nobody_is_waited_for_who_says_nothing() {
        let began = Instant::now();
        let mut vigil = Vigil::new(BOUNDS, 0.0, began);
        vigil.look(Signs::default(), after(began, 1));
        vigil.ending(after(began, 2));
        let verdict = vigil.look(Signs::default(), after(began, 3));
        assert_eq!(verdict, Verdict::Close(Why::Left));
    }
}
