//! The list: every metric with its name, what it tells, and its labels.
//!
//! From it follow the handles with which the service counts, what is exposed, and
//! `docs/METRICS.md`. Names end in their unit; a counter in `_total` after it.

use icpgate_policy::codes::{Product, Purpose, Reason, RecordKind, Verdict};

use super::kinds::{Counter, Examples, Family, Gauge, Histogram, Level, Total};
use super::label::{
    AuthFile, Bulk, CallKind, Caller, Channel, Code, ContactState, Dependency, Ended, Ending,
    Failure, Handed, InForce, Label, Level as CacheLevel, LoadEnd, Method, NotReady, Operation,
    Page, Panicked, Phase, Place, PolicyLoad, PolicyVersion, Pool, PoolState, Pushed, Queue,
    RecordSource, Refusal, Reload, Shed, Source, SpanEnd, Unserved, Version, Within,
};

/// One metric of the list.
pub struct Metric {
    /// Part of the list.
    pub section: &'static str,
    /// Name, with its unit.
    pub name: &'static str,
    /// What it tells, in lines.
    pub help: &'static [&'static str],
    /// Its values.
    pub family: &'static dyn Family,
}

/// Times of calls and of everything that a call waits for: from 50 µs, since most calls take less
/// than a millisecond, to beyond `limits.call_timeout`.
const TIMES: [u64; 18] = [
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    25_000_000,
    50_000_000,
    100_000_000,
    250_000_000,
    500_000_000,
    1_000_000_000,
    2_500_000_000,
    5_000_000_000,
    10_000_000_000,
    30_000_000_000,
];

/// Times of working out a decision, which reads nothing.
const MOMENTS: [u64; 10] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000, 10_000_000,
];

/// Ages of facts, and how long a write may take to be seen.
const AGES: [u64; 12] = [
    1_000_000,
    10_000_000,
    50_000_000,
    100_000_000,
    500_000_000,
    1_000_000_000,
    5_000_000_000,
    30_000_000_000,
    300_000_000_000,
    900_000_000_000,
    3_600_000_000_000,
    259_200_000_000_000,
];

/// Questions of a batch.
const SIZES: [u64; 10] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000];

static DECISION_EXAMPLES: Examples = Examples::new();

/// The type of a metric.
macro_rules! family {
    (counter $($label:ty),*) => {
        Counter<($($label,)*), { 1 $(* <$label as Label>::COUNT)* }>
    };
    (gauge $($label:ty),*) => {
        Gauge<($($label,)*), { 1 $(* <$label as Label>::COUNT)* }>
    };
    (total $($label:ty),*) => {
        Total<($($label,)*), { 1 $(* <$label as Label>::COUNT)* }>
    };
    (level $($label:ty),*) => {
        Level<($($label,)*), { 1 $(* <$label as Label>::COUNT)* }>
    };
    (($($histogram:tt)*) $($label:ty),*) => {
        Histogram<
            ($($label,)*),
            { 1 $(* <$label as Label>::COUNT)* },
            { bounds!($($histogram)*).len() },
        >
    };
}

macro_rules! bounds {
    (of_times($bounds:ident)) => {
        $bounds
    };
    (of_times_with($bounds:ident, $examples:expr)) => {
        $bounds
    };
    (of_counts($bounds:ident)) => {
        $bounds
    };
}

/// An empty metric.
macro_rules! empty {
    (counter) => {
        Counter::new()
    };
    (gauge) => {
        Gauge::new()
    };
    (total) => {
        Total::new()
    };
    (level) => {
        Level::new()
    };
    ((of_times($bounds:ident))) => {
        Histogram::of_times(&$bounds)
    };
    ((of_times_with($bounds:ident, $examples:expr))) => {
        Histogram::of_times_with(&$bounds, $examples)
    };
    ((of_counts($bounds:ident))) => {
        Histogram::of_counts(&$bounds)
    };
}

/// Declares the handles and the list.
macro_rules! metrics {
    ($(
        $section:literal {$(
            $(#[doc = $help:literal])+
            $handle:ident = $name:literal: $kind:tt [$($label:ty),*];
        )+}
    )+) => {
        $($(
            $(#[doc = $help])+
            pub static $handle: family!($kind $($label),*) = empty!($kind);
        )+)+

        /// Every metric, in the order of the reference.
        pub static LIST: &[Metric] = &[$($(
            Metric {
                section: $section,
                name: $name,
                help: &[$($help),+],
                family: &$handle,
            },
        )+)+];
    };
}

metrics! {
    "Calls" {
        /// How long calls took, by method and code, from their headers to the head of the answer;
        /// of streams and batches to the end of the answer. Counts all calls, those that were turned
        /// away too.
        RPC_DURATION = "icpgate_rpc_duration_seconds": (of_times(TIMES)) [Method, Code];
        /// Calls that are under way, waiting ones included.
        RPC_IN_FLIGHT = "icpgate_rpc_in_flight_calls": level [Method];
        /// Calls that were turned away without having been worked on, by kind of work.
        RPC_SHED = "icpgate_rpc_shed_calls_total": counter [CallKind, Shed];
        /// How long calls waited for a place, of those that had to wait.
        RPC_QUEUE_WAIT = "icpgate_rpc_queue_wait_seconds": (of_times(TIMES)) [CallKind];
        /// Time that callers allowed when their call came in, of those that said so.
        RPC_DEADLINE_LEFT = "icpgate_rpc_deadline_left_seconds": (of_times(TIMES)) [];
        /// Open connections of the gRPC listener.
        CONNECTIONS = "icpgate_rpc_connections": level [];
        /// Connections that were taken.
        CONNECTIONS_TAKEN = "icpgate_rpc_connections_taken_total": counter [];
        /// Connections that were turned away or lost before their first call.
        CONNECTIONS_UNSERVED = "icpgate_rpc_connections_unserved_total": counter [Unserved];
        /// Connections that the server asked to leave or closed.
        CONNECTIONS_ENDED = "icpgate_rpc_connections_ended_total": counter [Ended];
        /// Attempts to take a connection that failed, as when files run out.
        CONNECTIONS_FAILED = "icpgate_rpc_accept_failures_total": counter [];
    }

    "Callers" {
        /// Calls that were let in, by configured caller. Where nobody has to say who calls, the
        /// caller is `local`. Callers beyond the first 64 are `other`.
        CALLER_CALLS = "icpgate_caller_calls_total": counter [Caller, Method];
        /// Calls of known callers that were not let in: for want of a role, or of rate.
        CALLER_REFUSALS = "icpgate_caller_refusals_total": counter [Caller, Refusal];
        /// Calls that were not let in, known callers or not.
        REFUSALS = "icpgate_auth_refusals_total": counter [Refusal];
        /// Changed files of certificates, callers and keys that were read while the process ran, and
        /// what became of them; one that stays wrong is counted once.
        RELOADS = "icpgate_auth_reloads_total": counter [Reload];
        /// Whether what stands in the files (of keys, at the URL) is not in force, because it is wrong
        /// or cannot be read: 1 until it is. What held before holds. No series for what is not
        /// configured.
        AUTH_REFUSED = "icpgate_auth_refused": gauge [AuthFile];
        /// When the keys of tokens were last had, changed or not; no series before they were, and
        /// where no tokens are taken.
        AUTH_KEYS_AT = "icpgate_auth_keys_timestamp_seconds": gauge [];
    }

    "Decisions" {
        /// Decisions that were given.
        DECISIONS = "icpgate_decisions_total": counter [Verdict, Purpose, Product];
        /// Reasons of the findings that decided, by verdict; an answer may have several, an
        /// allowance has none.
        REASONS = "icpgate_decision_reasons_total": counter [Verdict, Reason];
        /// Obligations that were given along, whatever the verdict.
        OBLIGATIONS = "icpgate_decision_obligations_total": counter [Reason];
        /// How long single questions took from the question to the answer, by where the farthest
        /// of their facts came from. In `OpenMetrics` with examples: decision and trace.
        DECISION_DURATION = "icpgate_decision_duration_seconds":
            (of_times_with(TIMES, &DECISION_EXAMPLES)) [Source];
        /// How long deciding took, reading of facts not included. An answer that equal questions
        /// share is worked out once.
        EVALUATION = "icpgate_decision_evaluation_seconds": (of_times(MOMENTS)) [];
        /// Decisions from facts that could not be shown to be current, because the store did not
        /// answer.
        STALE = "icpgate_decisions_stale_total": counter [Purpose];
        /// Allowances that were given although their `valid_until` had passed. Must stay 0.
        PAST_BOUND = "icpgate_decisions_past_bound_total": counter [];
        /// Questions in a batch.
        BATCH = "icpgate_batch_questions": (of_counts(SIZES)) [Bulk];
        /// The policy in force: 1.
        POLICY = "icpgate_policy_info": gauge [PolicyVersion];
        /// Policies that were to be put in force.
        POLICY_LOADS = "icpgate_policy_loads_total": counter [PolicyLoad];
        /// When the policy in force was loaded.
        POLICY_LOADED_AT = "icpgate_policy_loaded_timestamp_seconds": gauge [];
        /// Whether the last policy that was to be put in force was refused: 1 until one is taken.
        POLICY_REJECTED = "icpgate_policy_rejected": gauge [];
    }

    "Caches" {
        /// Sets of facts, or answers, that were found and used.
        CACHE_HITS = "icpgate_cache_hits_total": counter [CacheLevel];
        /// The same that were not found, or could not be shown to be current.
        CACHE_MISSES = "icpgate_cache_misses_total": counter [CacheLevel];
        /// Hits on facts that know of no filing.
        CACHE_ABSENT = "icpgate_cache_absent_hits_total": counter [CacheLevel];
        /// Sets of facts that were used although they could not be shown to be current.
        CACHE_STALE = "icpgate_cache_stale_served_total": counter [CacheLevel];
        /// Puts that were refused because newer facts, or a later invalidation, were there.
        CACHE_REFUSED = "icpgate_cache_refused_puts_total": counter [CacheLevel];
        /// Entries that were pushed out to make room.
        CACHE_EVICTIONS = "icpgate_cache_evictions_total": counter [CacheLevel];
        /// Entries that were found out by the change log, or told to be forgotten.
        CACHE_INVALIDATIONS = "icpgate_cache_invalidations_total": counter [CacheLevel];
        /// Values that were damaged, of an unknown form, or not of this installation.
        CACHE_UNREADABLE = "icpgate_cache_unreadable_total": counter [];
        /// Entries held in the memory of the process.
        CACHE_ENTRIES = "icpgate_cache_entries": gauge [CacheLevel];
        /// Octets held in the memory of the process.
        CACHE_BYTES = "icpgate_cache_bytes": gauge [CacheLevel];
        /// Octets that may be held.
        CACHE_LIMIT = "icpgate_cache_limit_bytes": gauge [CacheLevel];
        /// How long ago facts were read that were used from a cache.
        CACHE_AGE = "icpgate_cache_age_seconds": (of_times(AGES)) [CacheLevel];
        /// How long reads of facts from the store took.
        LOAD_DURATION = "icpgate_load_duration_seconds": (of_times(TIMES)) [LoadEnd];
        /// Reads of facts that are under way.
        LOADS = "icpgate_loads_in_flight": level [];
        /// Questions that waited for a read that another one had begun.
        COALESCED = "icpgate_load_coalesced_total": counter [];
        /// How old the view of the change log was when a write was found in it: a write was not
        /// seen here for at most so long.
        INVALIDATION_LAG = "icpgate_invalidation_lag_seconds": (of_times(AGES)) [];
        /// How long ago the end of the change log was last seen.
        LOG_VIEW_AGE = "icpgate_change_log_view_age_seconds": gauge [];
        /// Handles that writes touched, as applied by this replica.
        HANDLES_TOUCHED = "icpgate_change_log_handles_total": counter [];
        /// Whether signs of writes can come in.
        CHANNEL = "icpgate_channel_connected": gauge [Channel];
    }

    "Dependencies" {
        /// How long requests took, failed ones included.
        DEPENDENCY_DURATION = "icpgate_dependency_duration_seconds":
            (of_times(TIMES)) [Dependency, Operation];
        /// Requests that failed.
        DEPENDENCY_FAILURES = "icpgate_dependency_failures_total": counter [Dependency, Failure];
        /// Whether a dependency is left alone because it failed: 1.
        BREAKER = "icpgate_breaker_open": gauge [Dependency];
        /// How often that began.
        BREAKER_OPENED = "icpgate_breaker_opened_total": counter [Dependency];
        /// Requests that were not made because too many were under way.
        DEPENDENCY_SHED = "icpgate_dependency_shed_total": counter [Dependency];
        /// Connections of each pool.
        POOL = "icpgate_pool_connections": gauge [Pool, PoolState];
        /// Most connections of each pool.
        POOL_LIMIT = "icpgate_pool_limit_connections": gauge [Pool];
        /// How long a connection was waited for; of `PostgreSQL`, for questions and decisions.
        POOL_WAIT = "icpgate_pool_wait_seconds": (of_times(TIMES)) [Pool];
        /// Requests that got no connection in time.
        POOL_TIMEOUTS = "icpgate_pool_timeouts_total": counter [Pool];
    }

    "Data" {
        /// Revisions of the store, as this replica knows them.
        REVISION = "icpgate_data_revision": gauge [Place];
        /// Records of the registry.
        RECORDS = "icpgate_records": gauge [RecordKind];
        /// When each kind was last written to.
        LAST_SYNC = "icpgate_last_sync_timestamp_seconds": gauge [RecordKind];
        /// When each source of records last wrote, through whatever process, unchanged records
        /// included. The first 64 that the process sees are told apart, of those that it finds at its
        /// start the first of the alphabet; the others are `other`, with the newest instant of any. A
        /// source that writes no more keeps its series. Of one write 64 sources are noted at most.
        SOURCE_SYNC = "icpgate_source_sync_timestamp_seconds": gauge [RecordSource];
        /// Records that end within so many days from now, those that ended before not counted; as of
        /// the last survey.
        EXPIRING = "icpgate_expiring_records": gauge [Ending, Within];
        /// Records that are in force, of the kinds that can cease to be: active, and of services no
        /// less where a change is under review, but not where access is restricted; of what ends, not
        /// over. As of the last survey.
        IN_FORCE = "icpgate_records_in_force": gauge [InForce];
        /// When the last survey began that was finished.
        SURVEYED_AT = "icpgate_survey_timestamp_seconds": gauge [];
        /// How long it took.
        SURVEY_DURATION = "icpgate_survey_duration_seconds": gauge [];
        /// How long a kind may go without a write until no record means that nobody knows
        /// (`records.max_sync_age`); no series where that is unlimited.
        SYNC_LIMIT = "icpgate_sync_limit_seconds": gauge [];
        /// Records that were handed in to this process, over gRPC: by `PutRecords`, of which one that
        /// is refused counts as one, and on streams of `ImportRecords`, by the batch.
        HANDED_IN = "icpgate_records_handed_in_total": counter [Handed];
    }

    "Decision log" {
        /// Decisions that were written.
        LOG_WRITTEN = "icpgate_decision_log_written_total": counter [Queue];
        /// Decisions that wait to be written.
        LOG_QUEUE = "icpgate_decision_log_queue_decisions": gauge [Queue];
        /// Most decisions that may wait.
        LOG_LIMIT = "icpgate_decision_log_queue_limit_decisions": gauge [];
        /// Attempts to write that failed; orders are tried again, activations are told.
        LOG_FAILURES = "icpgate_decision_log_failures_total": counter [Queue];
        /// Answers that were not given because the log was full.
        LOG_FULL = "icpgate_decision_log_full_total": counter [];
        /// Decisions that were given and could not be recorded. Must stay 0.
        LOG_DROPPED = "icpgate_decision_log_dropped_total": counter [];
    }

    "Telemetry" {
        /// Spans of traced calls (`otlp.endpoint`).
        SPANS = "icpgate_otlp_spans_total": total [SpanEnd];
        /// Messages with metrics to the collector.
        PUSHES = "icpgate_otlp_metrics_pushes_total": counter [Pushed];
    }

    "Process" {
        /// Whether the replica is ready.
        READY = "icpgate_ready": gauge [];
        /// Why it is not: 1 where so.
        NOT_READY = "icpgate_not_ready": gauge [NotReady];
        /// Whether the store answers: 1 at the state that is so. A replica that has lost it stays
        /// ready.
        CONTACT = "icpgate_store_contact": gauge [ContactState];
        /// How far the process is on its way to the end: 1 at the phase that is so.
        PHASE = "icpgate_phase": gauge [Phase];
        /// When that phase began.
        PHASE_AT = "icpgate_phase_timestamp_seconds": gauge [];
        /// How long running calls may go on after the process was told to stop, which is when the phase
        /// `announced` begins (`limits.drain_timeout`).
        DRAIN_LIMIT = "icpgate_drain_limit_seconds": gauge [];
        /// Requests to the HTTP listener.
        HTTP_REQUESTS = "icpgate_http_requests_total": counter [Page];
        /// Panics that were caught, each a defect of this program.
        PANICS = "icpgate_panics_total": counter [Panicked];
        /// Tasks of the runtime.
        TASKS = "icpgate_runtime_tasks": gauge [];
        /// Threads of the runtime that run tasks.
        WORKERS = "icpgate_runtime_workers": gauge [];
        /// Tasks that wait for a thread, beside those that threads hold for themselves.
        RUNTIME_QUEUE = "icpgate_runtime_queue_tasks": gauge [];
        /// When the certificate of the gRPC listener ends.
        CERTIFICATE = "icpgate_certificate_expiry_timestamp_seconds": gauge [];
        /// The version of the program: 1.
        BUILD = "icpgate_build_info": gauge [Version];
        /// Memory that the process holds.
        RESIDENT = "process_resident_memory_bytes": gauge [];
        /// Address space of the process.
        VIRTUAL = "process_virtual_memory_bytes": gauge [];
        /// Open descriptors.
        DESCRIPTORS = "process_open_fds": gauge [];
        /// Descriptors that may be open.
        DESCRIPTOR_LIMIT = "process_max_fds": gauge [];
        /// Threads of the process.
        THREADS = "process_threads": gauge [];
        /// Processor time that the process took.
        CPU = "process_cpu_seconds_total": total [];
        /// When the process started.
        STARTED_AT = "process_start_time_seconds": gauge [];
    }
}
