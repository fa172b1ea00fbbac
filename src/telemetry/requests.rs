//! What is kept of each call once it is over: a line in the log, a trace.
//!
//! **Invariant:** a line is never waited for by a caller longer than standard error takes it, and of
//! calls that fail there are not more lines than a person can read.
//! Start at [`Watch::begin`] and [`Watch::over`].

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue};
use icpgate_policy::codes::{Reason, Verdict};

use super::call::{Notes, OTHER, Part};
use super::context::{Hex, Parent};
use super::seldom::Seldom;
use super::traces::Tracer;
use crate::config::{Log, LogRequests};

/// Header with the caller's own identifier of a call.
static ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest identifier of a call that is taken from a caller, in octets.
const LONGEST_ID: usize = 64;

/// Lines a second about calls that failed: in an outage every call does, and the log must not be
/// what the process is busy with.
const FAILED_A_SECOND: u32 = 100;

/// Step between the numbers of two calls: the golden ratio, as `SplitMix64` has it.
const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

static WATCH: OnceLock<Watch> = OnceLock::new();

/// What watches over the calls of this process.
#[derive(Debug)]
pub(crate) struct Watch {
    lines: LogRequests,
    /// Whether probes are told of.
    probes: bool,
    tracer: Option<Tracer>,
    /// Seed of the numbers, and how many were given.
    seed: u64,
    begun: AtomicU64,
    failed: Seldom,
}

/// How a call ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended {
    /// Its code, such as `OK`.
    pub(crate) code: &'static str,
    /// Whether that is the fault of this side, or of its load.
    pub(crate) failed: bool,
    /// Whether that is an error of this side, as conventions for traces have it.
    pub(crate) is_error: bool,
}

/// What watches over the calls of this process; `None`: nothing does.
pub(crate) fn watch() -> Option<&'static Watch> {
    WATCH.get()
}

/// Has calls watched over from here on. The first one holds: there is one log in a process.
pub(super) fn begin(log: &Log, tracer: Option<Tracer>) {
    let _ = WATCH.set(Watch::new(log, tracer));
}

impl Watch {
    fn new(log: &Log, tracer: Option<Tracer>) -> Self {
        Self {
            lines: log.requests,
            probes: super::logs::debugs_requests(log),
            tracer,
            seed: RandomState::new().hash_one(0),
            begun: AtomicU64::new(0),
            failed: Seldom::new(FAILED_A_SECOND, Duration::from_secs(1)),
        }
    }

    /// Notes for a call that begins; `None` where nothing will be told of it. `method` is its path,
    /// if it is one of ours.
    pub(crate) fn begin(
        &self,
        method: Option<&'static str>,
        probe: bool,
        headers: &HeaderMap,
    ) -> Option<Notes> {
        let lined = match self.lines {
            LogRequests::All => !probe || self.probes,
            LogRequests::Failed => !probe,
            LogRequests::Off => false,
        };
        // Probes come all the time and say nothing that other signals do not.
        let tracer = self.tracer.as_ref().filter(|_| !probe);
        if !lined && tracer.is_none() {
            return None;
        }
        let count = self.begun.fetch_add(1, Ordering::Relaxed);
        let number = mixed(self.seed.wrapping_add(count.wrapping_mul(STEP)));
        let method = method.map_or(OTHER, |path| path.trim_start_matches('/'));
        let mut notes = Notes::new(method, number);
        let parent = Parent::of(headers);
        notes.trace_id = parent.map(|parent| parent.trace_id);
        if let Some(tracer) = tracer {
            tracer.sample(&mut notes, parent, headers);
        }
        if lined || notes.traced.is_some() {
            notes.given = headers.get(&ID_HEADER).filter(|id| is_plain(id)).cloned();
            Some(notes)
        } else {
            None
        }
    }

    /// Tells of a call that is over.
    pub(crate) fn over(&self, notes: Notes, ended: Ended) {
        let now = Instant::now();
        let indeterminate = notes.decided.count(Verdict::Indeterminate) > 0;
        match self.lines {
            LogRequests::All => line(&notes, ended, now, 0),
            LogRequests::Failed if ended.failed || indeterminate => {
                self.failed.tell(|more| line(&notes, ended, now, more));
            }
            LogRequests::Failed | LogRequests::Off => {}
        }
        if let Some(tracer) = &self.tracer
            && notes.traced.is_some()
        {
            tracer.finish(notes, ended, now);
        }
    }
}

/// A number that looks like any other, and is another one for each.
pub(super) const fn mixed(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// Whether a caller's identifier can stand in a line.
fn is_plain(id: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    (1..=LONGEST_ID).contains(&id.len()) && id.as_bytes().iter().all(plain)
}

fn line(notes: &Notes, ended: Ended, now: Instant, more: u64) {
    let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
    let decided = &notes.decided;
    let questions = decided.questions();
    let verdict = decided.verdict();
    // Of several questions the line counts.
    let several = questions > 1;
    let count = |verdict| several.then(|| decided.count(verdict));
    let reasons: Vec<&str> = decided.reasons().map(Reason::as_str).collect();
    let reasons = (!reasons.is_empty()).then(|| reasons.join(","));
    let decision_id = verdict.map(|_| Hex(decided.decision_id).to_string());
    let trace_id = notes.trace_id.map(|id| Hex(id).to_string());
    tracing::info!(
        target: "icpgate::requests",
        method = notes.method,
        code = ended.code,
        error = notes.error.filter(|_| ended.code != "OK"),
        caller = notes.caller.as_deref(),
        verdict = verdict.map(Verdict::as_str),
        reasons = reasons.as_deref(),
        questions = several.then_some(questions),
        allow = count(Verdict::Allow),
        review = count(Verdict::Review),
        indeterminate = count(Verdict::Indeterminate),
        deny = count(Verdict::Deny),
        errors = several.then_some(decided.errors),
        served_from = decided.source.map(super::call::Source::as_str),
        stale = decided.source.map(|_| decided.stale),
        elapsed_us = micros(now.saturating_duration_since(notes.began)),
        store_us = notes.busy(Part::Store).map(micros),
        shared_cache_us = notes.busy(Part::Shared).map(micros),
        decision_log_us = notes.busy(Part::Log).map(micros),
        request_id = notes.id().as_str(),
        trace_id = trace_id.as_deref(),
        decision_id = decision_id.as_deref(),
        more = (more > 0).then_some(more),
        "answered"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{LogFormat, LogLevel, Setting as _};

    fn watch(lines: LogRequests, level: &str) -> Watch {
        let log = Log {
            format: LogFormat::Json,
            level: LogLevel::read(level).expect("a level"),
            requests: lines,
        };
        Watch::new(&log, None)
    }

    #[test]
    fn nothing_is_noted_where_nobody_wants_it() {
        let headers = HeaderMap::new();
        let noted = |lines, level, probe| {
            let watch = watch(lines, level);
            watch.begin(Some("/a/B"), probe, &headers).is_some()
        };
        assert!(!noted(LogRequests::Off, "debug", false));
        assert!(noted(LogRequests::Failed, "off", false));
        assert!(!noted(LogRequests::Failed, "debug", true));
        assert!(noted(LogRequests::All, "off", false));
        assert!(!noted(LogRequests::All, "info", true));
        assert!(!noted(LogRequests::All, "info,icpgate::store=debug", true));
        assert!(noted(LogRequests::All, "debug", true));
        assert!(noted(
            LogRequests::All,
            "warn,icpgate::requests=debug",
            true
        ));
    }

    #[test]
    fn every_call_has_an_identifier_of_its_own_or_its_callers() {
        let watch = watch(LogRequests::All, "info");
        let id = |given: Option<&str>| {
            let mut headers = HeaderMap::new();
            if let Some(given) = given {
                headers.insert(&ID_HEADER, given.parse().expect("a value"));
            }
            watch.begin(None, false, &headers).expect("notes").id()
        };
        assert_eq!(id(Some("shop-1:a.b_c")), "shop-1:a.b_c");
        let long = "x".repeat(65);
        let own: Vec<String> = [None, None, Some(""), Some("a b"), Some("\"x"), Some(&*long)]
            .map(id)
            .into();
        for (at, one) in own.iter().enumerate() {
            assert_eq!(one.len(), 16, "{one}");
            assert!(!own[..at].contains(one), "{own:?}");
        }
    }

    #[test]
    fn a_caller_who_keeps_no_trace_is_named_all_the_same() {
        let watch = watch(LogRequests::All, "info");
        let mut headers = HeaderMap::new();
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        headers.insert("traceparent", parent.parse().expect("a value"));
        let notes = watch.begin(Some("/a/B"), false, &headers).expect("notes");
        assert_eq!(
            notes.trace_id,
            Some(0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736)
        );
        assert!(notes.traced.is_none());
        assert_eq!(notes.method, "a/B");
    }
}
