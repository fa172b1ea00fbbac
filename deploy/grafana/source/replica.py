"""One replica: whether it is well, what it uses up, and what comes to it."""

from .model import VERDICTS, dashboard as made, graph, q, quantiles, stat, states


def dashboard():
    return made(
        "icpgate-replica", "icpgate: one replica",
        "Whether one replica is well, what it uses up, and what comes to it.",
        [
            ("Now", [(4, state()), (4, build())]),
            ("States", [(6, states_of())]),
            ("Process", [(8, process()), (8, runtime())]),
            ("Connections", [(8, connections())]),
            ("Calls", [(9, calls()), (9, waits()), (9, work())]),
            ("Who is not let in", [(8, refusals())]),
            ("HTTP and telemetry", [(7, telemetry())]),
        ],
        instance="one",
    )


def state():
    return [
        stat(
            "Ready",
            "Whether it takes calls; yes but for its start and its end, otherwise see IcpgateReplicaDown.",
            "bool_yes_no",
            q("icpgate_ready{*}", "ready"),
            none="not seen", low=1,
        ),
        stat(
            "Why not",
            "Nothing while it is ready; `starting` until it has seen the end of the change log, `stopping` "
            "once it was told to stop, and when either lasts see IcpgateReplicaDown and IcpgateDrainLong.",
            "none",
            q("icpgate_not_ready{*} == 1", "{{reason}}"),
            name=True, colours={"starting": "orange", "stopping": "orange"},
        ),
        stat(
            "Phase",
            "`running`; at its end `announced`, `draining` and, where calls do not finish, `dropping`: see "
            "IcpgateDrainLong.",
            "none",
            q("icpgate_phase{*} == 1", "{{phase}}"),
            none="not seen", name=True,
            colours={
                "running": "green", "announced": "orange", "draining": "orange", "dropping": "red",
            },
        ),
        stat(
            "Store",
            "`held` while the store answers, `beginning` at the start; `lost` is in IcpgateStoreLost.",
            "none",
            q("icpgate_store_contact{*} == 1", "{{state}}"),
            none="not seen", name=True,
            colours={"beginning": "orange", "held": "green", "lost": "red"},
        ),
    ]


def build():
    return [
        stat(
            "Version",
            "Version of the program; that of all others, but for an upgrade (docs/UPGRADING.md), otherwise "
            "see IcpgateReplicaDown.",
            "none",
            q("icpgate_build_info{*}", "{{version}}"),
            none="not seen", name=True,
        ),
        stat(
            "Policy",
            "Policy in force; that of all others, otherwise see IcpgatePolicySkew.",
            "none",
            q("icpgate_policy_info{*} == 1", "{{policy_version}}"),
            none="not seen", name=True,
        ),
        stat(
            "Up for",
            "Since its start; as long as your last upgrade is ago, and shorter again and again is in "
            "IcpgateRestartLoop.",
            "dtdurations",
            q("time() - process_start_time_seconds{*}", "up"),
            none="not seen",
        ),
        stat(
            "Panics, last day",
            "Must be 0: each is a defect of the program, see IcpgatePanic.",
            "none",
            q("sum(increase(icpgate_panics_total{*}[1d]))", "panics"),
            none="not seen", decimals=0, high=0.1,
        ),
    ]


def states_of():
    return [
        states(
            "Ready, over time",
            "Gaps are times at which it was not reached; short ones at upgrades are usual, many of them "
            "are in IcpgateRestartLoop.",
            q("icpgate_ready{*}", "ready"),
            mapped={0: ("not ready", "orange"), 1: ("ready", "green")},
        ),
        states(
            "Phase, over time",
            "Of the four phases one holds; `draining` for long is in IcpgateDrainLong.",
            q("icpgate_phase{*}", "{{phase}}"),
            mapped={0: ("no", "transparent"), 1: ("holds", "blue")},
        ),
        graph(
            "Time in the phase, while it ends",
            "Since it was told to stop, and from then on since it began to drain; it ends well below the limit "
            "(`limits.drain_timeout`), otherwise see IcpgateDrainLong.",
            "s",
            q(
                "time() - icpgate_phase_timestamp_seconds{*} "
                'and on (namespace, job, instance) icpgate_phase{*, phase="running"} == 0',
                "in the phase",
            ),
            q("icpgate_drain_limit_seconds{*}", "limit"),
        ),
    ]


def process():
    return [
        graph(
            "Processor",
            "Processors in use; follows the calls, and at all that it has, answers become slow: see "
            "IcpgateLatencyBurn and docs/CAPACITY.md.",
            "none",
            q("rate(process_cpu_seconds_total{*}[*])", "processors"),
        ),
        graph(
            "Memory",
            "Grows until the caches are full, and then stays (docs/CAPACITY.md); when it goes on growing "
            "the process is ended: see IcpgateRestartLoop.",
            "bytes",
            q("process_resident_memory_bytes{*}", "held"),
            q("sum(icpgate_cache_bytes{*})", "caches"),
        ),
        graph(
            "Descriptors",
            "Open files and connections against what may be open; normally some hundred, from 80 % on see "
            "IcpgateDescriptors.",
            "none",
            q("process_open_fds{*}", "open"),
            q("process_max_fds{*}", "limit"),
        ),
        graph(
            "Threads",
            "A few more than workers, steady; when they grow without end the process runs out of them: see "
            "IcpgateRestartLoop.",
            "none",
            q("process_threads{*}", "threads"),
            q("icpgate_runtime_workers{*}", "workers"),
        ),
    ]


def runtime():
    return [
        graph(
            "Tasks",
            "Of the runtime: some for each connection and call; they follow these, and when they grow "
            "without end see IcpgateDescriptors.",
            "none",
            q("icpgate_runtime_tasks{*}", "tasks"),
        ),
        graph(
            "Tasks that wait for a thread",
            "Normally near 0; above a hundred for long the processors do not suffice: see "
            "IcpgateLatencyBurn.",
            "none",
            q("icpgate_runtime_queue_tasks{*}", "waiting"),
        ),
        graph(
            "Panics",
            "Normally none; each is a defect of the program, see IcpgatePanic.",
            "none",
            q("sum by (place) (increase(icpgate_panics_total{*}[*]))", "{{place}}"),
        ),
        graph(
            "Decisions",
            "As many as the other replicas give; far fewer means that calls are not balanced: see "
            "docs/DEPLOYING.md, and IcpgateReplicaDown.",
            "cps",
            q("sum by (verdict) (rate(icpgate_decisions_total{*}[*]))", "{{verdict}}"),
            stack=True, colours=VERDICTS,
        ),
    ]


def connections():
    return [
        graph(
            "Open connections",
            "As many as clients or proxies keep, up to `limits.max_connections`; when descriptors run out "
            "see IcpgateDescriptors.",
            "none",
            q("icpgate_rpc_connections{*}", "open"),
        ),
        graph(
            "Connections taken",
            "A few a minute where clients keep theirs, and each anew at `limits.connection_age`; attempts "
            "that fail are normally none, otherwise see IcpgateDescriptors.",
            "cps",
            q("rate(icpgate_rpc_connections_taken_total{*}[*])", "taken"),
            q("rate(icpgate_rpc_accept_failures_total{*}[*])", "failed"),
        ),
        graph(
            "Connections without a call",
            "Turned away or lost before their first call; probes of ports aside normally none: `handshake` "
            "is a certificate that does not fit (IcpgateCallersRefused), limits are in docs/LIMITS.md.",
            "cps",
            q(
                "sum by (why) (rate(icpgate_rpc_connections_unserved_total{*}[*]))", "{{why}}",
            ),
        ),
        graph(
            "Connections that were ended",
            "`age`, `idle` and `left` are usual; `deaf`, `silent` and `stuck` are clients that misbehave "
            "or are gone (docs/LIMITS.md), and with many of them see IcpgateCallersRefused.",
            "cps",
            q("sum by (why) (rate(icpgate_rpc_connections_ended_total{*}[*]))", "{{why}}"),
        ),
    ]


def calls():
    return [
        graph(
            "Calls by method",
            "As many as the other replicas get; when there are none see IcpgateReplicaDown.",
            "reqps",
            q("sum by (method) (rate(icpgate_rpc_duration_seconds_count{*}[*]))", "{{method}}"),
        ),
        graph(
            "Calls by code",
            "Nearly all are OK; UNAVAILABLE, INTERNAL and DEADLINE_EXCEEDED are failures of this side: see "
            "IcpgateAvailabilityBurn.",
            "reqps",
            q("sum by (code) (rate(icpgate_rpc_duration_seconds_count{*}[*]))", "{{code}}"),
            colours={"OK": "green"},
        ),
        graph(
            "Latency by method, p99",
            "Checks below 10 ms, batches and screenings as long as their questions take; when all rise "
            "see IcpgateLatencyBurn.",
            "s",
            *quantiles("icpgate_rpc_duration_seconds", by=["method"], where='code="OK"', shares=(0.99,)),
        ),
        graph(
            "Calls under way",
            "Waiting ones included; few, since most take a millisecond, and at the limits of "
            "docs/LIMITS.md they wait: see IcpgateOrdersShed.",
            "none",
            q("sum by (method) (icpgate_rpc_in_flight_calls{*}) > 0", "{{method}}"),
        ),
    ]


def waits():
    return [
        graph(
            "Wait for a place",
            "Of calls that had to wait; normally none has to, and at `limits.queue_timeout` they are turned "
            "away: see IcpgateOrdersShed.",
            "s",
            *quantiles("icpgate_rpc_queue_wait_seconds", by=["kind"]),
            high=0.5,
        ),
        graph(
            "Calls turned away for load",
            "Normally 0; see IcpgateOrdersShed.",
            "reqps",
            q("sum by (kind, why) (rate(icpgate_rpc_shed_calls_total{*}[*]))", "{{kind}} {{why}}"),
        ),
        graph(
            "Time that callers allow",
            "When their calls come in: how long the most impatient hundredth and half of them wait; below "
            "the latency of checks they give up before they are answered: see IcpgateAvailabilityBurn.",
            "s",
            *quantiles("icpgate_rpc_deadline_left_seconds", shares=(0.01, 0.5)),
        ),
    ]


def work():
    return [
        graph(
            "Time to a decision",
            "By where the farthest fact came from; normally p99 is below 10 ms, otherwise see "
            "IcpgateLatencyBurn.",
            "s",
            *quantiles("icpgate_decision_duration_seconds", by=["served_from"]),
            high=0.01,
        ),
        graph(
            "Time of deciding itself",
            "Without reading facts; normally some microseconds, and more when the processors do not "
            "suffice: see IcpgateLatencyBurn.",
            "s",
            *quantiles("icpgate_decision_evaluation_seconds"),
        ),
        graph(
            "Questions in a batch",
            "As callers ask, at most 1000; larger ones take longer, and are worked on after single checks "
            "(IcpgateLatencyBurn).",
            "none",
            *quantiles("icpgate_batch_questions", by=["kind"]),
        ),
    ]


def refusals():
    return [
        graph(
            "Calls not let in",
            "Normally next to none; after a change of certificates, tokens or roles see "
            "IcpgateCallersRefused.",
            "reqps",
            q("sum by (reason) (rate(icpgate_auth_refusals_total{*}[*]))", "{{reason}}"),
        ),
        graph(
            "Known callers not let in",
            "Normally none: a caller lacks a role, or asks faster than its rate (docs/SECURING.md); see "
            "IcpgateCallersRefused.",
            "reqps",
            q(
                "sum by (caller, reason) (rate(icpgate_caller_refusals_total{*}[*])) > 0",
                "{{caller}} {{reason}}",
            ),
        ),
        graph(
            "Fetches of keys of tokens",
            "Every `auth.jwks_refresh`, and when a token names a key that is not known; when they fail for "
            "long see IcpgateKeysOld.",
            "none",
            q(
                "sum(increase(icpgate_dependency_duration_seconds_count"
                '{*, dependency="issuer", operation="fetch"}[*]))',
                "made",
            ),
            q(
                'sum by (kind) (increase(icpgate_dependency_failures_total{*, dependency="issuer"}[*]))',
                "failed: {{kind}}",
            ),
        ),
    ]


def telemetry():
    return [
        graph(
            "Requests over HTTP",
            "Probes and Prometheus, steady; other pages are somebody who looks around, and without those of "
            "metrics nothing here is known: see IcpgateAbsent.",
            "reqps",
            q("sum by (page) (rate(icpgate_http_requests_total{*}[*]))", "{{page}}"),
        ),
        graph(
            "Spans of traced calls",
            "Where `otlp.endpoint` is set; those that were dropped are normally 0, otherwise the collector "
            "is slow or away (docs/TRACING.md), which no alert tells and no answer waits for.",
            "cps",
            q("sum by (outcome) (rate(icpgate_otlp_spans_total{*}[*]))", "{{outcome}}"),
            colours={"sent": "green", "dropped": "red"},
        ),
        graph(
            "Metrics to the collector",
            "Messages, one every `otlp.metrics_interval` where `otlp.endpoint` is set; those that failed are "
            "normally 0, otherwise the collector is away (docs/TRACING.md).",
            "cps",
            q("sum by (outcome) (rate(icpgate_otlp_metrics_pushes_total{*}[*]))", "{{outcome}}"),
            colours={"taken": "green", "failed": "red"},
        ),
    ]
