"""What is decided from: records and how fresh they are, what ends soon, the policy, and credentials."""

from .model import dashboard as made, graph, q, stat, states

KINDS = {"licence": "licences", "registration": "registrations", "approval": "approvals"}


def dashboard():
    return made(
        "icpgate-data", "icpgate: data",
        "How fresh the records are, what ends soon, and which policy, certificates and keys hold.",
        [
            ("Now", [(4, now())]),
            ("Freshness", [(10, freshness()), (7, revisions())]),
            ("Registry", [(9, records()), (8, handed_in())]),
            ("What ends soon", [(8, ending()), (7, surveys())]),
            ("Policy", [(7, policy())]),
            ("Certificates, callers and keys", [(7, credentials())]),
        ],
        since="now-7d",
    )


def now():
    return [
        stat(
            "Oldest kind",
            "How long ago the kind of record was written to that waited longest of subjects, services and "
            "registrations; normally less than a day, after 36 hours see IcpgateSyncStale.",
            "s",
            q(
                "time() - min(max by (kind) "
                '(icpgate_last_sync_timestamp_seconds{*, kind=~"subject|service|registration"}))',
                "age",
            ),
            none="no records", warn=86400, high=129600,
        ),
        stat(
            "Records",
            "All records of the registry; it only grows, otherwise see IcpgateRegistryShrank.",
            "short",
            q("sum(max by (kind) (icpgate_records{*}))", "records"),
            none="not counted",
        ),
        stat(
            "Of registrations, end in 7 days",
            "Share of all registrations of domains; of those that are for a year 2 % end in any week, and "
            "above 5 % see IcpgateExpiryWave.",
            "percentunit",
            q(
                'max(icpgate_expiring_records{*, kind="registration", within="7d"}) '
                '/ (max(icpgate_records{*, kind="registration"}) > 0)',
                "share",
            ),
            none="not counted", decimals=1, high=0.05,
        ),
        stat(
            "Last survey",
            "How long ago counting what ends soon began that was finished; normally less than "
            "`metrics.survey_interval` (6 hours) and a little, after 2 days see IcpgateSurveyOld.",
            "s",
            q("time() - max(icpgate_survey_timestamp_seconds{*})", "age"),
            none="never", high=172800,
        ),
        stat(
            "Policies in force",
            "How many different ones the replicas decide by; 1, and 2 for as long as a change takes, "
            "otherwise see IcpgatePolicySkew.",
            "none",
            q("count(count by (policy_version) (icpgate_policy_info{*} == 1))", "policies"),
            high=2,
        ),
        stat(
            "Certificate ends in",
            "Of the replica whose certificate ends first; renewed long before, otherwise see "
            "IcpgateCertificateEnding and, within 2 days, IcpgateCertificateEnds; without TLS there is none.",
            "s",
            q("min(icpgate_certificate_expiry_timestamp_seconds{*}) - time()", "left"),
            low=172800, warn=1209600,
        ),
    ]


def freshness():
    return [
        graph(
            "Age of the last write, by kind",
            "Falls to nothing with every sync, so that it looks like a saw; a kind that goes on rising is "
            "a feed that has stopped (IcpgateSyncStale), and at the limit of `records.max_sync_age` no "
            "record no longer means that there is none (IcpgateSyncLimit).",
            "s",
            q("time() - max by (kind) (icpgate_last_sync_timestamp_seconds{*})", "{{kind}}"),
            q("max(icpgate_sync_limit_seconds{*})", "limit"),
        ),
        graph(
            "Age of the last write, by source",
            "The same of each source of records; one that wrote again and again and has stopped is in "
            "IcpgateSourceSilent, one that was used once is done.",
            "s",
            q("time() - max by (source) (icpgate_source_sync_timestamp_seconds{*})", "{{source}}"),
        ),
    ]


def revisions():
    return [
        graph(
            "Writes of records",
            "Revisions of the store within a second, as the replica that knows most sees them; it follows "
            "the syncs, and without any for long see IcpgateSyncStale.",
            "cps",
            # A gauge, since a restored store goes back.
            q('max(deriv(icpgate_data_revision{*, place="newest"}[*]))', "revisions"),
        ),
        graph(
            "Newest and applied revision",
            "As each replica knows them, on one line; one that stays below the others is in "
            "IcpgateReplicaBehind.",
            "none",
            q('max(icpgate_data_revision{*, place="newest"})', "newest"),
            q(
                'max by (instance) (icpgate_data_revision{*, place="applied"})',
                "applied by {{instance}}",
            ),
        ),
        graph(
            "Revisions not yet applied",
            "Normally 0 but for moments; when it stays above for minutes, see IcpgateReplicaBehind.",
            "none",
            q(
                'max(icpgate_data_revision{*, place="newest"}) - on () group_right () '
                'max by (instance) (icpgate_data_revision{*, place="applied"})',
                "{{instance}}",
            ),
        ),
    ]


def records():
    return [
        graph(
            "Records by kind",
            "Grows, and never shrinks, since records are kept when they end; less than before is another "
            "store: see IcpgateRegistryShrank.",
            "short",
            q("max by (kind) (icpgate_records{*})", "{{kind}}"),
        ),
        graph(
            "In force, by kind",
            "Records that hold today, as of the last survey; grows slowly, and a step down is a feed that "
            "ends filings which exist: see IcpgateRegistryShrank.",
            "short",
            q("max by (kind) (icpgate_records_in_force{*})", "{{kind}}"),
        ),
        graph(
            "In force, against a day before",
            "Near 1; below 0.95 see IcpgateRegistryShrank, for each filing that was ended wrongly is a "
            "wrong denial.",
            "percentunit",
            q(
                "max by (kind) (icpgate_records_in_force{*}) "
                "/ (max by (kind) (max_over_time(icpgate_records_in_force{*}[1d])) > 0)",
                "{{kind}}",
            ),
            low=0.95,
        ),
    ]


def handed_in():
    return [
        graph(
            "Records handed in",
            "Over gRPC, by what became of them; those that were refused are normally few, and a sender "
            "that has changed its form shows here first, before IcpgateSyncStale.",
            "cps",
            q("sum by (outcome) (rate(icpgate_records_handed_in_total{*}[*]))", "{{outcome}}"),
            stack=True,
            colours={"accepted": "green", "unchanged": "blue", "rejected": "red"},
        ),
        graph(
            "Share of records that are refused",
            "Normally 0; the answers to whoever handed them in tell what is wrong with each, and while "
            "they are refused the kind grows old: see IcpgateSyncStale.",
            "percentunit",
            q(
                'sum(rate(icpgate_records_handed_in_total{*, outcome="rejected"}[*])) '
                "/ (sum(rate(icpgate_records_handed_in_total{*}[*])) > 0)",
                "refused",
            ),
            top=1,
        ),
    ]


def ending():
    return [
        graph(
            f"{plural.capitalize()} that end soon",
            f"{plural.capitalize()} that end within 1, 7 and 30 days, as of the last survey; even from week "
            "to week, and a wave is in IcpgateExpiryWave: tell customers, or look after the feed.",
            "short",
            *(
                q(
                    f'max(icpgate_expiring_records{{*, kind="{kind}", within="{within}"}})',
                    f"within {within}",
                )
                for within in ("1d", "7d", "30d")
            ),
        )
        for kind, plural in KINDS.items()
    ]


def surveys():
    return [
        graph(
            "Share that ends within 7 days",
            "Of all records of the kind; normally about 0.02 of registrations, above 0.05 see "
            "IcpgateExpiryWave.",
            "percentunit",
            q(
                'max by (kind) (icpgate_expiring_records{*, within="7d"}) '
                "/ (max by (kind) (icpgate_records{*}) > 0)",
                "{{kind}}",
            ),
            high=0.05,
        ),
        graph(
            "Age of the survey",
            "By replica, each of which counts for itself; rises to `metrics.survey_interval` and falls "
            "again, and beyond 2 days of all of them see IcpgateSurveyOld.",
            "s",
            q(
                "time() - max by (instance) (icpgate_survey_timestamp_seconds{*})", "{{instance}}",
            ),
            high=172800,
        ),
        graph(
            "Duration of the survey",
            "How long counting took; some minutes at millions of domains, and more where the store is slow: "
            "see IcpgatePoolWait and IcpgateSurveyOld.",
            "s",
            q("max by (instance) (icpgate_survey_duration_seconds{*})", "{{instance}}"),
        ),
    ]


def policy():
    return [
        graph(
            "Replicas by policy in force",
            "One version, and two for as long as a change takes; for longer, see IcpgatePolicySkew.",
            "none",
            q("count by (policy_version) (icpgate_policy_info{*} == 1)", "{{policy_version}}"),
            stack=True,
        ),
        graph(
            "Age of the policy in force",
            "Since each replica put it in force, at its start at the latest; equal but for starts, and a "
            "replica that is older than a change has not taken it: see IcpgatePolicySkew.",
            "dtdurations",
            q("time() - max by (instance) (icpgate_policy_loaded_timestamp_seconds{*})", "{{instance}}"),
        ),
        graph(
            "Policies to be put in force",
            "At every start and with every change of the file; one that was rejected is in "
            "IcpgatePolicyRejected.",
            "none",
            q(
                "sum by (outcome) (increase(icpgate_policy_loads_total{*}[*]))", "{{outcome}}",
            ),
            colours={"loaded": "green", "rejected": "red"},
        ),
        states(
            "Policy refused",
            "Whether the last policy that a replica was given was refused, and the one before still holds; "
            "normally not, otherwise see IcpgatePolicyRejected.",
            q("max by (instance) (icpgate_policy_rejected{*})", "{{instance}}"),
            mapped={0: ("taken", "green"), 1: ("refused", "red")},
        ),
    ]


def credentials():
    return [
        graph(
            "Certificates end in",
            "By replica; jumps up with every renewal, and below 14 days see IcpgateCertificateEnding, below 2 "
            "days IcpgateCertificateEnds.",
            "s",
            q(
                "min by (instance) (icpgate_certificate_expiry_timestamp_seconds{*}) - time()",
                "{{instance}}",
            ),
            low=172800, warn=1209600,
        ),
        graph(
            "Age of the keys of tokens",
            "Since they were last had from the file or the issuer; below `auth.jwks_refresh` (10 minutes) "
            "and a little, after an hour see IcpgateKeysOld.",
            "s",
            q(
                "time() - max by (instance) (icpgate_auth_keys_timestamp_seconds{*})", "{{instance}}",
            ),
            high=3600,
        ),
        states(
            "Files not in force",
            "Whether what stands in the files of certificates, callers and keys is wrong, and what held "
            "before holds; normally not, otherwise see IcpgateReloadRefused.",
            q("max by (instance, file) (icpgate_auth_refused{*})", "{{instance}} {{file}}"),
            mapped={0: ("in force", "green"), 1: ("refused", "red")},
        ),
        graph(
            "Files read again",
            "With every change of certificates, callers and keys; one that was refused is in "
            "IcpgateReloadRefused.",
            "none",
            q("sum by (outcome) (increase(icpgate_auth_reloads_total{*}[*]))", "{{outcome}}"),
            colours={"taken": "green", "refused": "red"},
        ),
    ]
