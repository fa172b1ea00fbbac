//! What is noted about a call on its way: for its line in the log and for its spans.
//!
//! Notes lie in the future of the call. While it is polled they lie in the thread, so that whoever
//! works for the call writes to them without having been handed them ([`note`], [`begin`]), and
//! without an allocation. Where nobody wants notes there are none, and writing to them is a look at
//! one value of the thread.
//! **Never here:** what was asked, and about whom.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use icpgate_policy::codes::{Reason, Verdict};

use super::context::Hex;

/// A part of the work for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Looking for facts in the memory of the process.
    Local,
    /// Asking the cache of all replicas.
    Shared,
    /// Waiting for the store.
    Store,
    /// Deciding.
    Evaluation,
    /// Handing a decision to the log, and waiting for it to be durable.
    Log,
}

/// How many parts there are.
pub(crate) const PARTS: usize = 5;

/// Where facts came from, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The memory of the process.
    LocalCache,
    /// The cache of all replicas.
    SharedCache,
    /// The store.
    Store,
}

/// The notes of one call.
#[derive(Debug)]
pub(crate) struct Notes {
    /// Its method without a slash before it, or [`OTHER`].
    pub(crate) method: &'static str,
    /// When it came.
    pub(crate) began: Instant,
    /// The caller's own identifier of it.
    pub(crate) given: Option<HeaderValue>,
    /// Ours, other than that of every other call.
    pub(crate) number: u64,
    /// The trace that it belongs to.
    pub(crate) trace_id: Option<u128>,
    /// Who makes it.
    pub(crate) caller: Option<Arc<str>>,
    /// What the status says beside its code, such as `OVERLOADED`.
    pub(crate) error: Option<&'static str>,
    /// What was decided.
    pub(crate) decided: Decided,
    /// Time that each part took, in nanoseconds.
    busy: [u64; PARTS],
    /// Kept where the call is traced.
    pub(crate) traced: Option<Box<Traced>>,
}

/// Method of a call that names none of ours: paths are the caller's to choose.
pub(crate) const OTHER: &str = "_OTHER";

/// What was decided in a call.
#[derive(Debug, Default)]
pub(crate) struct Decided {
    /// Verdicts, by their place in [`Verdict::ALL`].
    pub(crate) verdicts: [u32; 4],
    /// Questions that ended with an error of their own.
    pub(crate) errors: u32,
    /// Places in [`Reason::ALL`] of the reasons of all verdicts.
    reasons: u128,
    /// Identifier of the last decision.
    pub(crate) decision_id: u128,
    /// Of all questions, the farthest.
    pub(crate) source: Option<Source>,
    /// Whether facts from before stood in.
    pub(crate) stale: bool,
}

/// What is kept of a call that is traced.
#[derive(Debug)]
pub(crate) struct Traced {
    /// Its span.
    pub(crate) span_id: u64,
    /// The caller's span.
    pub(crate) parent: Option<u64>,
    /// What others keep about the trace, as it came.
    pub(crate) state: String,
    /// The laps of each part.
    pub(crate) laps: [Option<Laps>; PARTS],
}

/// All times that a part was worked on in one call: a span.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Laps {
    /// What was done, the first time.
    pub(crate) operation: &'static str,
    /// Begin of the first.
    pub(crate) first: Instant,
    /// End of the last.
    pub(crate) last: Instant,
    /// How many.
    pub(crate) count: u32,
    /// Whether one failed.
    pub(crate) failed: bool,
}

thread_local! {
    static HERE: RefCell<Option<Notes>> = const { RefCell::new(None) };
}

/// Works for a call: notes that are written meanwhile are its own.
pub(crate) fn within<R>(notes: &mut Option<Notes>, work: impl FnOnce() -> R) -> R {
    if notes.is_none() {
        return work();
    }
    swap(notes);
    // A panic takes them back too.
    let _back = Back(notes);
    work()
}

/// Writes to the notes of the call that is worked for, if there are any.
pub(crate) fn note(write: impl FnOnce(&mut Notes)) {
    // Without a thread there is no call, and writing writes no notes.
    let _ = HERE.try_with(|here| {
        if let Ok(mut here) = here.try_borrow_mut()
            && let Some(notes) = here.as_mut()
        {
            write(notes);
        }
    });
}

/// The trace of the call that is worked for, where it is one that is kept.
pub(crate) fn trace_id() -> Option<u128> {
    let mut trace_id = None;
    note(|notes| trace_id = notes.trace_id.filter(|_| notes.traced.is_some()));
    trace_id
}

/// Measures a part of the work until the measure is dropped.
pub(crate) fn begin(part: Part, operation: &'static str) -> Measure {
    Measure {
        part,
        operation,
        began: Instant::now(),
        failed: false,
    }
}

/// As [`begin`], for what is too short to be measured in each call: only where it is traced.
pub(crate) fn begin_traced(part: Part, operation: &'static str) -> Option<Measure> {
    let mut traced = false;
    note(|notes| traced = notes.traced.is_some());
    traced.then(|| begin(part, operation))
}

/// Waits for something that a part of the work consists of.
pub(crate) async fn timed<T, E>(
    part: Part,
    operation: &'static str,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let mut measure = begin(part, operation);
    let done = work.await;
    measure.failed = done.is_err();
    done
}

/// What lines of the log about a call that is worked for say of it: its method, its identifier and
/// its trace.
pub(crate) fn shown() -> Shown {
    let mut shown = Shown::default();
    note(|notes| {
        shown = Shown {
            method: Some(notes.method),
            request_id: Some(notes.id()),
            trace_id: notes.trace_id.map(|id| Hex(id).to_string()),
        };
    });
    shown
}

/// See [`shown`].
#[derive(Debug, Default)]
pub(crate) struct Shown {
    /// The method.
    pub(crate) method: Option<&'static str>,
    /// The caller's identifier of the call, or ours.
    pub(crate) request_id: Option<String>,
    /// The trace.
    pub(crate) trace_id: Option<String>,
}

/// A part of the work that is measured.
#[derive(Debug)]
pub(crate) struct Measure {
    part: Part,
    operation: &'static str,
    began: Instant,
    /// Whether it did not succeed.
    pub(crate) failed: bool,
}

impl Drop for Measure {
    fn drop(&mut self) {
        let now = Instant::now();
        note(|notes| notes.took(self, now));
    }
}

impl Notes {
    /// Notes of a call that begins now.
    pub(crate) fn new(method: &'static str, number: u64) -> Self {
        Self {
            method,
            began: Instant::now(),
            given: None,
            number,
            trace_id: None,
            caller: None,
            error: None,
            decided: Decided::default(),
            busy: [0; PARTS],
            traced: None,
        }
    }

    /// The caller's identifier of the call, or ours.
    pub(crate) fn id(&self) -> String {
        match self.given.as_ref().and_then(|given| given.to_str().ok()) {
            Some(given) => given.to_owned(),
            None => format!("{:016x}", self.number),
        }
    }

    /// Time that a part took; `None` if there was none of it.
    pub(crate) fn busy(&self, part: Part) -> Option<Duration> {
        let busy = self.busy.get(part as usize).copied();
        busy.filter(|busy| *busy > 0).map(Duration::from_nanos)
    }

    fn took(&mut self, measure: &Measure, now: Instant) {
        let lasted = now.saturating_duration_since(measure.began);
        let lasted = u64::try_from(lasted.as_nanos()).unwrap_or(u64::MAX).max(1);
        if let Some(busy) = self.busy.get_mut(measure.part as usize) {
            *busy = busy.saturating_add(lasted);
        }
        let Some(traced) = &mut self.traced else {
            return;
        };
        if let Some(laps) = traced.laps.get_mut(measure.part as usize) {
            let laps = laps.get_or_insert(Laps {
                operation: measure.operation,
                first: measure.began,
                last: now,
                count: 0,
                failed: false,
            });
            laps.first = laps.first.min(measure.began);
            laps.last = laps.last.max(now);
            laps.count += 1;
            laps.failed |= measure.failed;
        }
    }
}

impl Decided {
    /// How many questions there were.
    pub(crate) fn questions(&self) -> u32 {
        self.verdicts.iter().sum::<u32>() + self.errors
    }

    /// How often a verdict was given.
    pub(crate) fn count(&self, verdict: Verdict) -> u32 {
        self.verdicts.get(verdict as usize).copied().unwrap_or(0)
    }

    /// The one verdict, where there was one question.
    pub(crate) fn verdict(&self) -> Option<Verdict> {
        if self.questions() != 1 {
            return None;
        }
        let given = |verdict: &&Verdict| self.count(**verdict) == 1;
        Verdict::ALL.iter().find(given).copied()
    }

    /// Reasons of all verdicts.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = Reason> {
        let all = self.reasons;
        let named = move |reason: &Reason| all & (1 << (*reason as u8)) != 0;
        Reason::ALL.iter().copied().filter(named)
    }

    /// Adds an answer.
    pub(crate) fn add(
        &mut self,
        verdict: Verdict,
        reasons: impl Iterator<Item = Reason>,
        decision_id: u128,
        source: Source,
        stale: bool,
    ) {
        if let Some(count) = self.verdicts.get_mut(verdict as usize) {
            *count += 1;
        }
        for reason in reasons {
            self.reasons |= 1 << (reason as u8);
        }
        self.decision_id = decision_id;
        self.source = self.source.max(Some(source));
        self.stale |= stale;
    }
}

impl Source {
    /// As it stands in logs and traces.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::LocalCache => "local",
            Self::SharedCache => "shared",
            Self::Store => "store",
        }
    }
}

/// Gives notes back to their call.
struct Back<'n>(&'n mut Option<Notes>);

impl Drop for Back<'_> {
    fn drop(&mut self) {
        swap(self.0);
    }
}

fn swap(notes: &mut Option<Notes>) {
    let _ = HERE.try_with(|here| {
        if let Ok(mut here) = here.try_borrow_mut() {
            std::mem::swap(&mut *here, notes);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notes() -> Notes {
        Notes::new("a/B", 7)
    }

    #[test]
    fn notes_are_written_while_their_call_is_worked_for_and_no_longer() {
        let (mut one, mut other) = (Some(notes()), Some(notes()));
        within(&mut one, || {
            note(|notes| notes.error = Some("ONE"));
            within(&mut other, || note(|notes| notes.error = Some("OTHER")));
            drop(begin(Part::Store, "find"));
        });
        note(|_| panic!("nobody is worked for"));
        within(&mut None, || note(|_| panic!("nothing is wanted")));
        let (one, other) = (one.unwrap(), other.unwrap());
        assert_eq!((one.error, other.error), (Some("ONE"), Some("OTHER")));
        assert!(one.busy(Part::Store).is_some() && one.busy(Part::Log).is_none());
        assert!(other.busy(Part::Store).is_none());
        assert_eq!(one.id(), "0000000000000007");
    }

    #[test]
    fn a_panic_leaves_nothing_behind() {
        let mut one = Some(notes());
        let broken = std::panic::AssertUnwindSafe(|| within(&mut one, || panic!("broken")));
        assert!(std::panic::catch_unwind(broken).is_err());
        note(|_| panic!("nobody is worked for"));
        assert!(one.is_some());
    }

    #[test]
    fn answers_of_a_batch_are_counted() {
        let mut decided = Decided::default();
        assert_eq!(decided.verdict(), None);
        let reason = Reason::ALL[60];
        let none = std::iter::empty;
        decided.add(Verdict::Allow, none(), 1, Source::LocalCache, false);
        assert_eq!(decided.verdict(), Some(Verdict::Allow));
        decided.add(Verdict::Deny, [reason].into_iter(), 2, Source::Store, false);
        decided.add(
            Verdict::Deny,
            [reason].into_iter(),
            3,
            Source::SharedCache,
            true,
        );
        decided.errors += 1;
        assert_eq!((decided.questions(), decided.count(Verdict::Deny)), (4, 2));
        assert_eq!(decided.verdict(), None);
        assert_eq!(decided.reasons().collect::<Vec<_>>(), [reason]);
        assert_eq!((decided.source, decided.stale), (Some(Source::Store), true));
    }
}
