"""The path of an order at a glance: is it right, fresh and fast."""

from .model import (
    OF_ALERTS, VERDICTS, bars, dashboard as made, graph, q, quantile, quantiles, stat, table,
)

CHECKS = 'method="icpgate.v1.ProvisioningService/CheckProvisioning"'


def dashboard():
    return made(
        "icpgate-overview", "icpgate: overview",
        "May orders be decided, and are the answers right, fresh and fast. Begin here.",
        [
            ("Now", [(4, [ready(), firing(), *objectives()])]),
            ("Verdicts", [(8, verdicts()), (10, reasons())]),
            ("Objectives", [(9, burn()), (9, latency())]),
            ("Calls", [(9, calls()), (9, callers())]),
            ("What it rests on", [(8, [alerts(), replicas()]), (7, versions())]),
        ],
    )


def ready():
    return stat(
        "Replicas ready",
        "Replicas that take calls, of those that are looked at: normally all of them; when fewer, see "
        "IcpgateReplicaDown, and with none IcpgateDown.",
        "none",
        q("sum(icpgate_ready{*})", "ready"),
        q("count(up{*})", "of"),
        low=1,
    )


def firing():
    return stat(
        "Alerts firing",
        "Normally 0; the table at the foot says which fire, and each has an entry of its name in "
        "docs/RUNBOOK.md.",
        "none",
        q(f"count(ALERTS{{{OF_ALERTS}}}) or vector(0)", "alerts"),
        high=1,
    )


def objectives():
    return [
        stat(
            "Checks",
            "Checks that come in, those that were turned away too; as many as your shop asks, and none "
            "when nobody reaches it: see IcpgateAbsent and IcpgateCallersRefused.",
            "reqps",
            q("sum(icpgate:checks:rate5m{@})", "checks"),
        ),
        stat(
            "Answered, last hour",
            "Checks that got an answer, whatever it was; the objective is 99.95 %, below it see "
            "IcpgateAvailabilityBurn.",
            "percentunit",
            q("1 - max(icpgate:check_failures:ratio_rate1h{@})", "answered"),
            none="no checks", decimals=3, low=0.9995,
        ),
        stat(
            "Within 10 ms, last hour",
            "Answers that took 10 ms at most; the objective is 99 %, below it see IcpgateLatencyBurn.",
            "percentunit",
            q("1 - max(icpgate:slow_checks:ratio_rate1h{@})", "within 10 ms"),
            none="no checks", decimals=2, low=0.99,
        ),
        stat(
            "Failures left, 30 days",
            "What is left of the 0.05 % of checks that may fail within 30 days, or since there are "
            "records; below nothing the objective is missed: put off what is risky, and see "
            "IcpgateAvailabilityBurn.",
            "percentunit",
            q(
                "1 - sum(avg_over_time(icpgate:check_failures:rate5m{@}[30d])) "
                "/ (sum(avg_over_time(icpgate:checks:rate5m{@}[30d])) > 0) / 0.0005",
                "left",
            ),
            none="no checks", decimals=1, low=0, warn=0.25,
        ),
        stat(
            "Slowness left, 30 days",
            "What is left of the 1 % of answers that may take more than 10 ms within 30 days, or since "
            "there are records; below nothing the objective is missed: see IcpgateLatencyBurn.",
            "percentunit",
            q(
                "1 - sum(avg_over_time(icpgate:slow_checks:rate5m{@}[30d])) "
                "/ (sum(avg_over_time(icpgate:checks:rate5m{@}[30d])) "
                "- sum(avg_over_time(icpgate:check_failures:rate5m{@}[30d])) > 0) / 0.01",
                "left",
            ),
            none="no checks", decimals=1, low=0, warn=0.25,
        ),
        stat(
            "Past their bound, last day",
            "Allowances that were given although they had run out; must be 0, otherwise the licence is at "
            "risk: see IcpgateAllowPastBound.",
            "none",
            q("sum(increase(icpgate_decisions_past_bound_total{*}[1d]))", "allowances"),
            decimals=0, high=0.1,
        ),
    ]


def verdicts():
    return [
        graph(
            "Verdicts of orders and activations",
            "Shares of the verdicts, steady from day to day; a jump of DENY is in IcpgateDenialsShifted, "
            "a jump of INDETERMINATE in IcpgateIndeterminateRatio.",
            "percentunit",
            q("sum by (verdict) (icpgate:decisions:share_rate5m{@})", "{{verdict}}"),
            stack=True, top=1, colours=VERDICTS,
        ),
        graph(
            "Decisions",
            "Decisions by verdict, those of rechecks and screenings too, so that an inventory that is "
            "gone through stands out; steps without one call for a look at the callers below.",
            "cps",
            q("sum by (verdict) (rate(icpgate_decisions_total{*}[*]))", "{{verdict}}"),
            stack=True, colours=VERDICTS,
        ),
        graph(
            "Denials against the day before",
            "Share of denials within the hour and within the day before it, normally close to each other; "
            "0.2 apart, see IcpgateDenialsShifted.",
            "percentunit",
            q('sum(icpgate:decisions:share_rate1h{@, verdict="DENY"})', "within the hour"),
            q(
                'sum(icpgate:decisions:share_rate1d{@, verdict="DENY"} offset 1h)',
                "within the day before",
            ),
            top=1,
        ),
        graph(
            "Stale, and without facts",
            "Answers from facts that may have changed, and INDETERMINATE for want of facts, of all "
            "answers; normally 0 while the store answers, otherwise see IcpgateStoreLost and "
            "IcpgateFactsMissing.",
            "percentunit",
            q(
                "sum(rate(icpgate_decisions_stale_total{*}[*])) "
                "/ (sum(rate(icpgate_decisions_total{*}[*])) > 0)",
                "stale",
            ),
            q("max(icpgate:facts_missing:ratio_rate5m{@})", "without facts"),
            high=0.02,
        ),
    ]


def reasons():
    def most(verdict, says):
        return bars(
            f"Reasons of {verdict}, last hour", says, "none",
            q(
                "sort_desc(topk(10, sum by (reason) (increase("
                f'icpgate_decision_reasons_total{{*, verdict="{verdict}"}}[1h])) > 0))',
                "{{reason}}",
            ),
        )

    return [
        most(
            "DENY",
            "The ten most frequent reasons, much the same every day and told in docs/RULES.md; a reason "
            "that is new here is in IcpgateDenialsShifted.",
        ),
        most(
            "INDETERMINATE",
            "The ten most frequent reasons; REAL_NAME_SYNCING is usual, FACTS_UNAVAILABLE and FACTS_STALE "
            "are in IcpgateFactsMissing, all others in IcpgateIndeterminateRatio.",
        ),
        most(
            "REVIEW",
            "The ten most frequent reasons for which somebody has to look at an order; as many as those "
            "who look can bear, otherwise change the policy as docs/POLICY.md tells.",
        ),
        bars(
            "Obligations, last hour",
            "What callers were told to do, whatever the verdict; much the same every day, and told in "
            "docs/RULES.md.",
            "none",
            q(
                "sort_desc(topk(10, sum by (reason) "
                "(increase(icpgate_decision_obligations_total{*}[1h])) > 0))",
                "{{reason}}",
            ),
        ),
    ]


def burn():
    def budget(what, series, part, alert):
        return graph(
            f"Budget that is burnt: {what}",
            "How many times as fast as the objective allows over 30 days; normally below 1, and somebody "
            f"is woken at 14.4 within the hour and at 6 within six: see {alert}.",
            "none",
            *(
                q(f"max(icpgate:{series}:ratio_rate{span}{{@}}) / {part}", f"within {span}")
                for span in ("1h", "6h", "1d")
            ),
            warn=1, high=14.4,
        )

    return [
        budget("failures (0.05 %)", "check_failures", "0.0005", "IcpgateAvailabilityBurn"),
        budget("more than 10 ms (1 %)", "slow_checks", "0.01", "IcpgateLatencyBurn"),
    ]


def latency():
    return [
        graph(
            "Latency of checks",
            "From the headers of a check to its answer; normally p99 is below 10 ms, otherwise see "
            "IcpgateLatencyBurn, and which store is slow in the dashboard of caches and stores.",
            "s",
            *quantiles(
                "icpgate_rpc_duration_seconds", where=f'{CHECKS}, code="OK"', shares=(0.5, 0.95, 0.99),
            ),
            high=0.01,
        ),
        graph(
            "Time to a decision, p99",
            "By where the farthest fact came from, without the transport; each point is a decision that took "
            "so long, with the identifier by which GetDecision shows it; when the store alone is slow, see "
            "IcpgatePoolWait.",
            "s",
            q(
                quantile(0.99, "icpgate_decision_duration_seconds", by=["served_from"]),
                "{{served_from}}", exemplar=True,
            ),
            high=0.01,
        ),
    ]


def calls():
    return [
        graph(
            "Calls by method",
            "All calls, those that were turned away too; as many as callers make, and when all cease see "
            "IcpgateDown.",
            "reqps",
            q("sum by (method) (rate(icpgate_rpc_duration_seconds_count{*}[*]))", "{{method}}"),
        ),
        graph(
            "Calls without OK, by code",
            "Normally next to none; UNAVAILABLE, INTERNAL and DEADLINE_EXCEEDED are failures of this side "
            "(IcpgateAvailabilityBurn), RESOURCE_EXHAUSTED is load or a caller's rate (IcpgateOrdersShed), "
            "all others are what callers ask wrongly.",
            "reqps",
            q(
                'sum by (code) (rate(icpgate_rpc_duration_seconds_count{*, code!="OK"}[*]))',
                "{{code}}",
            ),
        ),
        graph(
            "Calls turned away for load",
            "Normally 0; checks go before all else, so that when they are turned away there are too few "
            "replicas: see IcpgateOrdersShed.",
            "reqps",
            q(
                "sum by (kind, why) (rate(icpgate_rpc_shed_calls_total{*}[*])) > 0 "
                "or 0 * sum by (kind, why) (rate(icpgate_rpc_shed_calls_total{*, kind=\"check\"}[*]))",
                "{{kind}} {{why}}",
            ),
        ),
    ]


def callers():
    return [
        graph(
            "Callers",
            "The ten callers that ask most; each as it usually does, and one that ceases may have been "
            "refused: see IcpgateCallersRefused.",
            "reqps",
            q("topk(10, sum by (caller) (rate(icpgate_caller_calls_total{*}[*])))", "{{caller}}"),
        ),
        graph(
            "Calls not let in, by reason",
            "Normally next to none; after a change of certificates, tokens or roles see "
            "IcpgateCallersRefused.",
            "reqps",
            q("sum by (reason) (rate(icpgate_auth_refusals_total{*}[*]))", "{{reason}}"),
        ),
        graph(
            "Known callers not let in",
            "Normally none: a caller lacks a role, or asks faster than its rate; its entry in the list of "
            "callers says what it may (docs/SECURING.md), see IcpgateCallersRefused.",
            "reqps",
            q(
                "topk(10, sum by (caller, reason) (rate(icpgate_caller_refusals_total{*}[*])) > 0)",
                "{{caller}} {{reason}}",
            ),
        ),
    ]


def alerts():
    return table(
        "Alerts that fire",
        "Normally none; the entry of each name in docs/RUNBOOK.md says what it means, where to look and "
        "how to mend it.",
        {
            "severity": ("Severity", None), "alertname": ("Alert", None), "instance": ("Replica", None),
        },
        q(f"sum by (severity, alertname, instance) (ALERTS{{{OF_ALERTS}}})", ""),
    )


def replicas():
    """A line for each, which leads to its own dashboard."""
    return table(
        "Replicas",
        "Ready is 1, nothing is lost, calls are spread evenly, and none takes more than 60 % of its "
        "processors (docs/CAPACITY.md); of one that differs see IcpgateReplicaDown and its own dashboard.",
        {
            "instance": ("Replica", None),
            "Value #A": ("Ready", "none"),
            "Value #B": ("Store lost", "none"),
            "Value #C": ("Calls", "reqps"),
            "Value #D": ("Checks, p99", "s"),
            "Value #E": ("Processors", "none"),
            "Value #F": ("Up for", "dtdurations"),
        },
        q("max by (instance) (icpgate_ready{*})", ""),
        q('max by (instance) (icpgate_store_contact{*, state="lost"})', ""),
        q("sum by (instance) (rate(icpgate_rpc_duration_seconds_count{*}[*]))", ""),
        q(
            quantile(0.99, "icpgate_rpc_duration_seconds", by=["instance"], where=f'{CHECKS}, code="OK"'),
            "",
        ),
        q(
            "sum by (instance) (rate(process_cpu_seconds_total{*}[*]) "
            "and on (namespace, job, instance) icpgate_build_info{*})",
            "",
        ),
        q(
            "time() - max by (instance) (process_start_time_seconds{*} "
            "and on (namespace, job, instance) icpgate_build_info{*})",
            "",
        ),
        links=[{
            "matcher": {"id": "byName", "options": "Replica"},
            "properties": [{"id": "links", "value": [{
                "title": "This replica",
                "url": "/d/icpgate-replica?${datasource:queryparam}&${job:queryparam}"
                       "&${namespace:queryparam}&var-instance=${__value.raw}&${__url_time_range}",
            }]}],
        }],
    )


def versions():
    return [
        graph(
            "Replicas by policy in force",
            "One version, and two for as long as a change takes; for longer, see IcpgatePolicySkew.",
            "none",
            q("count by (policy_version) (icpgate_policy_info{*} == 1)", "{{policy_version}}"),
            stack=True,
        ),
        graph(
            "Replicas by version of the program",
            "One version, and two during an upgrade (docs/UPGRADING.md); when a replica comes and goes, "
            "see IcpgateRestartLoop.",
            "none",
            q("count by (version) (icpgate_build_info{*})", "{{version}}"),
            stack=True,
        ),
        graph(
            "Decisions by purpose",
            "What is asked for: orders and activations by day, rechecks when an inventory is gone "
            "through; a purpose that ceases is a caller that has stopped, see IcpgateCallersRefused.",
            "cps",
            q("sum by (purpose) (rate(icpgate_decisions_total{*}[*]))", "{{purpose}}"),
        ),
        graph(
            "Decisions by product",
            "What is ordered; a product that ceases, or whose denials rise, is in IcpgateDenialsShifted.",
            "cps",
            q("sum by (product) (rate(icpgate_decisions_total{*}[*]))", "{{product}}"),
        ),
    ]
