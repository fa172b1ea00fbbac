//! The page that tells of every metric, made from the list.

use std::fmt::Write as _;

use super::kinds::Kind;
use super::label::{Caller, Label, PolicyVersion, RecordSource, Version};
use super::list::{LIST, Metric};

/// Where the page stands, from the root of the project.
pub const REFERENCE_PATH: &str = "docs/METRICS.md";

/// Values of a label that are told one by one; of longer sets the page says how many there are.
const TOLD: usize = 20;

/// The page, in Markdown.
#[must_use]
pub fn reference() -> String {
    let mut page = String::from(INTRODUCTION);
    let mut section = "";
    for metric in LIST {
        if metric.section != section {
            section = metric.section;
            let _ = write!(page, "\n## {section}\n");
        }
        entry(&mut page, metric);
    }
    page
}

fn entry(page: &mut String, metric: &Metric) {
    let kind = match metric.family.kind() {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    };
    let help: Vec<&str> = metric.help.iter().map(|line| line.trim()).collect();
    let _ = write!(
        page,
        "\n### `{}`\n\n{}\n\n- Kind: {kind}",
        metric.name,
        help.join(" ")
    );
    if let Some(unit) = metric.unit() {
        let _ = write!(page, ", in {unit}");
    }
    page.push('\n');
    let labels = metric.family.labels();
    for (label, values) in labels.iter().zip(metric.family.values()) {
        let _ = write!(page, "- Label `{label}`: ");
        page.push_str(&match *label {
            // What these hold hangs on the configuration of the process that writes the page.
            Caller::NAME => format!(
                "configured names, at most {} of them, or `other`",
                Caller::COUNT - 1
            ),
            PolicyVersion::NAME => {
                format!(
                    "the first {} that were in force, or `other`",
                    PolicyVersion::COUNT - 1
                )
            }
            RecordSource::NAME => format!(
                "sources of records, at most {} of them, or `other`",
                RecordSource::COUNT - 1
            ),
            Version::NAME => "that of the program".to_owned(),
            "reason" if values.len() > TOLD => {
                "the reasons of docs/RULES.md, by their codes".to_owned()
            }
            _ => {
                let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                values.join(", ")
            }
        });
        page.push('\n');
    }
    if labels.is_empty() {
        page.push_str("- No labels\n");
    }
}

const INTRODUCTION: &str = "# Metrics

This page is made from the list in `src/telemetry/metrics/list.rs`, from which the program counts and
shows; `UPDATE_DOCS=1 cargo test --test metrics` writes it anew.

`GET /metrics` on `http.listen` shows them, in OpenMetrics 1.0 to whoever asks for it with `Accept`, as
Prometheus does, and else in the text form of Prometheus, version 0.0.4. Both hold the same series;
OpenMetrics adds units, and to decisions examples: the identifier of a decision that took so long, with
which `GetDecision` shows it, and that of its trace where there is one.

**Labels** have values from closed sets, or configured names up to a bound; the sources of records are
named by whoever may write records, up to a bound too. No domain, number, subject, order or identifier is
ever one, as long as none is given as a source. So the number of series is bounded, whatever is sent: most metrics have
a handful; the largest, `icpgate_rpc_duration_seconds`, shows only combinations of method and code that
have occurred. Of a metric with more than 64 combinations (of a histogram, 8) those appear that have
occurred; all others stand at 0 from the start, so that `increase()` sees the first event. A gauge that
has no meaning where a process runs (Redis without `redis.urls`, a certificate without TLS) has no
series.

**Cost.** A count is one atomic addition, an observation two; nothing is looked up, allocated or locked.
States (sizes, pools, memory) are read from memory when they are asked for; counts of records come from
the store at `metrics.data_interval`, and never because somebody asks.

Where `otlp.endpoint` is set, the same list is sent to its collector every `otlp.metrics_interval`, under
the names of OpenTelemetry's semantic conventions where these have one (`rpc.server.call.duration`,
`db.client.operation.duration`, `db.client.connection.*`, `process.*`), and else under the names below
without their units, which OpenTelemetry tells apart: a collector that writes Prometheus names makes them
of it again. Fetches of keys of tokens, which no convention for databases is about, stand apart from the
other dependencies under the name below.

Counters begin at 0 with the process. Times are in seconds, also where buckets begin at 50 µs.
";
