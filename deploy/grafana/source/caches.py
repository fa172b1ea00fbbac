"""What answers are made from: caches, the change log, stores, and the log of decisions."""

from .model import dashboard as made, graph, q, quantile, quantiles, states


def dashboard():
    return made(
        "icpgate-caches-and-stores", "icpgate: caches and stores",
        "Where facts come from, how old they are, and what the stores behind bear.",
        [
            ("Caches", [(9, hits()), (9, space())]),
            ("Reads of facts", [(8, loads())]),
            ("Signs of writes", [(8, lag()), (7, signs())]),
            ("Dependencies", [(10, dependencies()), (8, failures()), (6, breakers())]),
            ("Connections to stores", [(8, pools())]),
            ("Log of decisions", [(8, log())]),
        ],
        instance="some",
    )


def hits():
    return [
        graph(
            "Hit ratio",
            "What was found, of what was looked for; steady once a replica has run for an hour, and when "
            "it halves see IcpgateHitRatioCollapsed.",
            "percentunit",
            q(
                "sum by (level) (rate(icpgate_cache_hits_total{*}[*])) "
                "/ (sum by (level) (rate(icpgate_cache_hits_total{*}[*])) "
                "+ sum by (level) (rate(icpgate_cache_misses_total{*}[*])) > 0)",
                "{{level}}",
            ),
            q("icpgate:cache_hits:ratio_rate1d{@}", "{{level}}, all replicas, 1d"),
            top=1,
        ),
        graph(
            "Lookups",
            "What was asked of each level, found or not; each level sees what the one before it did not "
            "have, and when `shared` rises beyond that see IcpgateHitRatioCollapsed.",
            "cps",
            q("sum by (level) (rate(icpgate_cache_hits_total{*}[*]))", "{{level}} found"),
            q("sum by (level) (rate(icpgate_cache_misses_total{*}[*]))", "{{level}} not found"),
        ),
        graph(
            "Hits without a filing, and stale",
            "Facts that know of no filing, and facts that could not be shown to be current; the latter "
            "are normally 0, otherwise see IcpgateStoreLost.",
            "cps",
            q("sum by (level) (rate(icpgate_cache_absent_hits_total{*}[*]))", "{{level}} no filing"),
            q("sum by (level) (rate(icpgate_cache_stale_served_total{*}[*]))", "{{level}} stale"),
        ),
        graph(
            "Age of facts that were used",
            "How long ago they were read, at most `cache.ttl`; age is no staleness, since the change log "
            "is looked at before they are used: when that lags, see IcpgateInvalidationLag.",
            "s",
            *quantiles("icpgate_cache_age_seconds", by=["level"]),
        ),
    ]


def space():
    return [
        graph(
            "Memory of caches",
            "Octets held against the limit; full is normal, and with many evictions and a low hit ratio "
            "raise `cache.local_bytes`: see IcpgateHitRatioCollapsed.",
            "bytes",
            q("sum by (level) (icpgate_cache_bytes{*})", "{{level}}"),
            q("sum by (level) (icpgate_cache_limit_bytes{*})", "limit of {{level}}"),
        ),
        graph(
            "Entries",
            "Sets of facts and answers in memory; they fall to nothing at a start and grow from there, "
            "and otherwise see IcpgateHitRatioCollapsed.",
            "none",
            q("sum by (level) (icpgate_cache_entries{*})", "{{level}}"),
        ),
        graph(
            "Pushed out",
            "Entries that made room for others; 0 while everything that is asked for fits, and with a "
            "falling hit ratio see IcpgateHitRatioCollapsed.",
            "cps",
            q("sum by (level) (rate(icpgate_cache_evictions_total{*}[*]))", "{{level}}"),
        ),
        graph(
            "Refused and unreadable",
            "Puts that came after something newer, few and harmless, and values that could not be read, "
            "normally 0: with those, another program or key writes to the shared cache, and the store is "
            "asked instead (IcpgateHitRatioCollapsed).",
            "cps",
            q("sum by (level) (rate(icpgate_cache_refused_puts_total{*}[*]))", "{{level}} refused"),
            q("sum(rate(icpgate_cache_unreadable_total{*}[*]))", "unreadable"),
        ),
    ]


def loads():
    return [
        graph(
            "Duration of reads",
            "How long reading the facts of a domain took; normally a few milliseconds, and near "
            "`cache.load_timeout` see IcpgatePoolWait and IcpgateStoreLost.",
            "s",
            *quantiles("icpgate_load_duration_seconds", by=["outcome"]),
        ),
        graph(
            "Reads by outcome",
            "As many as the caches did not answer; those that failed or were late are normally 0, "
            "otherwise see IcpgateStoreLost.",
            "cps",
            q("sum by (outcome) (rate(icpgate_load_duration_seconds_count{*}[*]))", "{{outcome}}"),
        ),
        graph(
            "Reads under way",
            "Of each replica, and normally few; at `cache.max_loads`, 64 by default, more wait for their "
            "turn: see IcpgatePoolWait.",
            "none",
            q("sum by (instance) (icpgate_loads_in_flight{*})", "{{instance}}"),
            high=64,
        ),
        graph(
            "Questions that shared a read",
            "Questions that waited for the read of another; it rises with bursts of the same domain and "
            "spares the store, so that nothing is to be done unless answers are slow "
            "(IcpgateLatencyBurn).",
            "cps",
            q("sum(rate(icpgate_load_coalesced_total{*}[*]))", "shared"),
        ),
    ]


def lag():
    return [
        graph(
            "Writes seen late",
            "For how long at most a write was not seen; normally some milliseconds with signs of writes "
            "and `cache.poll_interval` without, and beyond 2 s see IcpgateInvalidationLag.",
            "s",
            *quantiles("icpgate_invalidation_lag_seconds"),
            high=2,
        ),
        graph(
            "Age of the view of the change log",
            "How long ago each replica saw the end of the log; normally below `cache.max_lag` (2 s), and "
            "beyond 10 s see IcpgateInvalidationLag.",
            "s",
            q("max by (instance) (icpgate_change_log_view_age_seconds{*})", "{{instance}}"),
            warn=2, high=10,
        ),
        graph(
            "Revisions not yet applied",
            "What a replica knows of and has not applied; normally 0, and when it stays above for minutes "
            "see IcpgateReplicaBehind.",
            "none",
            q(
                'max by (instance) (icpgate_data_revision{*, place="newest"}) '
                '- max by (instance) (icpgate_data_revision{*, place="applied"})',
                "{{instance}}",
            ),
        ),
    ]


def signs():
    return [
        graph(
            "Entries found out by writes",
            "What the change log told to forget; it follows the writes, and without writes it is 0: when "
            "it is 0 with them, see IcpgateReplicaBehind.",
            "cps",
            q("sum by (level) (rate(icpgate_cache_invalidations_total{*}[*]))", "{{level}}"),
        ),
        graph(
            "Handles that writes touched",
            "As each replica applied them, so that replicas show the same; one that lags is in "
            "IcpgateReplicaBehind.",
            "cps",
            q("sum by (instance) (rate(icpgate_change_log_handles_total{*}[*]))", "{{instance}}"),
        ),
        states(
            "Channels of signs",
            "Whether signs of writes can come in; normally connected where the channel is configured, and "
            "without it writes are found by polling: see IcpgateChannelLost.",
            q("min by (instance, channel) (icpgate_channel_connected{*})", "{{instance}} {{channel}}"),
            mapped={0: ("lost", "red"), 1: ("connected", "green")},
        ),
    ]


def dependencies():
    def times(share, name):
        return graph(
            f"Latency of dependencies, {name}",
            "How long requests took, failed ones included; normally below a millisecond for Redis and a few "
            "for PostgreSQL and SQLite, the survey aside: when a store is slow, see IcpgatePoolWait.",
            "s",
            q(
                quantile(share, "icpgate_dependency_duration_seconds", by=["dependency", "operation"]),
                "{{dependency}} {{operation}}",
            ),
        )

    return [times(0.5, "p50"), times(0.99, "p99")]


def failures():
    return [
        graph(
            "Requests to dependencies",
            "As many as the caches did not answer, writes and looks at the change log beside; when reads "
            "rise without more calls, see IcpgateHitRatioCollapsed.",
            "reqps",
            q(
                "sum by (dependency, operation) (rate(icpgate_dependency_duration_seconds_count{*}[*])) > 0",
                "{{dependency}} {{operation}}",
            ),
        ),
        graph(
            "Failures of dependencies",
            "Normally 0; of the store see IcpgateStoreLost, of Redis and of a replica of the database "
            "IcpgateBreakerOpen.",
            "cps",
            q(
                "sum by (dependency, kind) (rate(icpgate_dependency_failures_total{*}[*]))",
                "{{dependency}} {{kind}}",
            ),
        ),
        graph(
            "Requests not made",
            "Requests that were left out because too many were under way; normally 0, otherwise the "
            "dependency is slow: see IcpgateBreakerOpen and IcpgatePoolWait.",
            "cps",
            q("sum by (dependency) (rate(icpgate_dependency_shed_total{*}[*]))", "{{dependency}}"),
        ),
    ]


def breakers():
    return [
        states(
            "Dependencies left alone",
            "Whether a dependency is done without because it failed; normally none is, otherwise see "
            "IcpgateBreakerOpen.",
            q("max by (instance, dependency) (icpgate_breaker_open{*})", "{{instance}} {{dependency}}"),
            mapped={0: ("in use", "green"), 1: ("left alone", "red")},
        ),
        states(
            "Contact with the store",
            "Whether the store answers each replica; normally it does, otherwise orders are answered from "
            "what is held: see IcpgateStoreLost.",
            q('max by (instance) (icpgate_store_contact{*, state="lost"})', "{{instance}}"),
            mapped={0: ("held", "green"), 1: ("lost", "red")},
        ),
        graph(
            "How often one was given up",
            "Normally never; again and again means a dependency that comes and goes: see "
            "IcpgateBreakerOpen.",
            "none",
            q(
                "sum by (dependency) (increase(icpgate_breaker_opened_total{*}[*]))", "{{dependency}}",
            ),
        ),
    ]


def pools():
    return [
        graph(
            "Connections in use",
            "Of all replicas chosen, against what their pools may hold; normally well below, and at the "
            "limit requests wait: see IcpgatePoolWait.",
            "none",
            q('sum by (pool) (icpgate_pool_connections{*, state="used"})', "{{pool}}"),
            q("sum by (pool) (icpgate_pool_limit_connections{*})", "limit of {{pool}}"),
        ),
        graph(
            "Connections that wait for work",
            "Normally some; none together with waiting requests means that the pool is too small or the "
            "store slow: see IcpgatePoolWait.",
            "none",
            q('sum by (pool) (icpgate_pool_connections{*, state="idle"})', "{{pool}}"),
        ),
        graph(
            "Wait for a connection",
            "Normally microseconds; beyond 100 ms see IcpgatePoolWait.",
            "s",
            *quantiles("icpgate_pool_wait_seconds", by=["pool"]),
            high=0.1,
        ),
        graph(
            "Requests without a connection",
            "Requests that got none in time; normally 0, otherwise see IcpgatePoolWait.",
            "cps",
            q("sum by (pool) (rate(icpgate_pool_timeouts_total{*}[*]))", "{{pool}}"),
        ),
    ]


def log():
    return [
        graph(
            "Decisions that wait to be written",
            "Normally few; from half of the limit on see IcpgateDecisionLogDeep, and at the limit checks "
            "are refused.",
            "none",
            q(
                "sum by (instance) (icpgate_decision_log_queue_decisions{*})", "{{instance}}",
            ),
            q("max(icpgate_decision_log_queue_limit_decisions{*})", "limit"),
        ),
        graph(
            "Decisions written",
            "As many as are given; when it falls behind the decisions, see IcpgateDecisionLogDeep.",
            "cps",
            q("sum by (queue) (rate(icpgate_decision_log_written_total{*}[*]))", "{{queue}}"),
        ),
        graph(
            "Attempts to write that failed",
            "Normally 0; otherwise activations are not answered: see IcpgateDecisionLogFails.",
            "cps",
            q("sum by (queue) (rate(icpgate_decision_log_failures_total{*}[*]))", "{{queue}}"),
        ),
        graph(
            "Not answered, and lost",
            "Answers that were not given because the log was full (IcpgateDecisionLogDeep), and decisions "
            "that were given and not recorded (IcpgateDecisionLogDropped); both must be 0.",
            "cps",
            q("sum(rate(icpgate_decision_log_full_total{*}[*]))", "not answered"),
            q("sum(rate(icpgate_decision_log_dropped_total{*}[*]))", "lost"),
        ),
    ]
