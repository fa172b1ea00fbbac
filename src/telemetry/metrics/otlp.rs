//! The same list in the form of OpenTelemetry, for whoever collects by OTLP.
//!
//! What its semantic conventions name (calls, requests to databases, pools, the process) goes under
//! their names and attributes; everything else under the name of the list, with the unit told apart
//! as OpenTelemetry does, so that a collector that writes Prometheus names makes those of the list
//! of it again.
//! **Absent on purpose:** an instrument of the SDK for each metric: it would count everything a
//! second time.

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric as Told,
    NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, exemplar, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;

use super::kinds::{Buckets, Example, Kind, Reading, Texts};
use super::list::{LIST, Metric};

/// Names of the semantic conventions, with those of labels that differ, and attributes that every
/// series has.
const CONVENTIONS: [Convention; 11] = [
    Convention {
        ours: "icpgate_rpc_duration_seconds",
        name: "rpc.server.call.duration",
        labels: &[
            ("method", "rpc.method"),
            ("code", "rpc.response.status_code"),
        ],
        always: &[("rpc.system.name", "grpc")],
        but: &[],
    },
    Convention {
        ours: "icpgate_dependency_duration_seconds",
        name: "db.client.operation.duration",
        labels: &[
            ("dependency", "db.system.name"),
            ("operation", "db.operation.name"),
        ],
        always: &[],
        // Whoever issues tokens is no database.
        but: &[("dependency", "issuer")],
    },
    Convention {
        ours: "icpgate_pool_connections",
        name: "db.client.connection.count",
        labels: &[POOL, ("state", "db.client.connection.state")],
        always: &[],
        but: &[],
    },
    Convention {
        ours: "icpgate_pool_limit_connections",
        name: "db.client.connection.max",
        labels: &[POOL],
        always: &[],
        but: &[],
    },
    Convention {
        ours: "icpgate_pool_wait_seconds",
        name: "db.client.connection.wait_time",
        labels: &[POOL],
        always: &[],
        but: &[],
    },
    Convention {
        ours: "icpgate_pool_timeouts_total",
        name: "db.client.connection.timeouts",
        labels: &[POOL],
        always: &[],
        but: &[],
    },
    process("process_resident_memory_bytes", "process.memory.usage"),
    process("process_virtual_memory_bytes", "process.memory.virtual"),
    process("process_open_fds", "process.unix.file_descriptor.count"),
    process("process_threads", "process.thread.count"),
    process("process_cpu_seconds_total", "process.cpu.time"),
];

const POOL: (&str, &str) = ("pool", "db.client.connection.pool.name");

struct Convention {
    ours: &'static str,
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    always: &'static [(&'static str, &'static str)],
    /// Values of our labels whose series are not what the convention is about; they go under the name
    /// of the list.
    but: &'static [(&'static str, &'static str)],
}

const fn process(ours: &'static str, name: &'static str) -> Convention {
    Convention {
        ours,
        name,
        labels: &[],
        always: &[],
        but: &[],
    }
}

/// From when to when is told of, in nanoseconds since the epoch.
#[derive(Clone, Copy)]
struct Span {
    from: u64,
    to: u64,
}

/// Everything that the list holds.
#[must_use]
pub(crate) fn request(
    resource: Resource,
    began: Timestamp,
    now: Timestamp,
) -> ExportMetricsServiceRequest {
    let span = Span {
        from: nanoseconds(began),
        to: nanoseconds(now),
    };
    let metrics = LIST.iter().flat_map(|metric| told(metric, span));
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: Some(resource),
            scope_metrics: vec![ScopeMetrics {
                scope: Some(InstrumentationScope {
                    name: env!("CARGO_PKG_NAME").to_owned(),
                    version: env!("CARGO_PKG_VERSION").to_owned(),
                    ..InstrumentationScope::default()
                }),
                metrics: metrics.collect(),
                schema_url: String::new(),
            }],
            schema_url: String::new(),
        }],
    }
}

/// One metric: what a convention is about, and the rest; neither where there are no series.
fn told(metric: &Metric, span: Span) -> impl Iterator<Item = Told> {
    let convention = CONVENTIONS.iter().find(|known| known.ours == metric.name);
    let but = convention.map_or(&[][..], |convention| convention.but);
    let labels = metric.family.labels();
    let is_other = |texts: &Texts| {
        let mut series = labels.iter().zip(texts);
        series.any(|(label, text)| but.contains(&(*label, &**text)))
    };
    let known = series(metric, convention, span, |texts| !is_other(texts));
    let others = series(metric, None, span, is_other);
    [known, others].into_iter().flatten()
}

/// Those series of a metric that are wanted; `None` where there are none.
fn series(
    metric: &Metric,
    convention: Option<&Convention>,
    span: Span,
    wanted: impl Fn(&Texts) -> bool,
) -> Option<Told> {
    let (name, unit) = name(metric, convention);
    let labels = metric.family.labels();
    let attributes = |texts: &Texts| -> Vec<KeyValue> {
        let always = convention.map_or(&[][..], |convention| convention.always);
        let always = always.iter().map(|(name, value)| attribute(name, value));
        let labels = labels.iter().zip(texts);
        always
            .chain(labels.map(|(label, text)| {
                let renamed = convention.and_then(|convention| {
                    let mut labels = convention.labels.iter();
                    labels.find(|(ours, _)| ours == label)
                });
                attribute(renamed.map_or(label, |(_, name)| name), text)
            }))
            .collect()
    };
    let mut numbers = Vec::new();
    let mut histograms = Vec::new();
    metric.family.each(&mut |texts, reading| {
        if !wanted(texts) {
            return;
        }
        let attributes = attributes(texts);
        match reading {
            Reading::Count(count) => {
                let count = i64::try_from(count).unwrap_or(i64::MAX);
                numbers.push(number(
                    attributes,
                    span,
                    number_data_point::Value::AsInt(count),
                ));
            }
            Reading::Value(value) => {
                numbers.push(number(
                    attributes,
                    span,
                    number_data_point::Value::AsDouble(value),
                ));
            }
            Reading::Buckets(buckets) => histograms.push(histogram(attributes, span, &buckets)),
        }
    });
    if numbers.is_empty() && histograms.is_empty() {
        return None;
    }
    let temporality = AggregationTemporality::Cumulative.into();
    let data = match metric.family.kind() {
        Kind::Counter => Data::Sum(Sum {
            data_points: numbers,
            aggregation_temporality: temporality,
            is_monotonic: true,
        }),
        Kind::Gauge => Data::Gauge(Gauge {
            data_points: numbers,
        }),
        Kind::Histogram => Data::Histogram(Histogram {
            data_points: histograms,
            aggregation_temporality: temporality,
        }),
    };
    let help: Vec<&str> = metric.help.iter().map(|line| line.trim()).collect();
    Some(Told {
        name: name.to_owned(),
        description: help.join(" "),
        unit,
        data: Some(data),
        ..Told::default()
    })
}

/// The name, and the unit in the Unified Code for Units of Measure.
fn name(metric: &Metric, convention: Option<&Convention>) -> (&'static str, String) {
    let base = metric.base();
    let (short, unit) = match metric.unit() {
        Some("seconds") => (base.strip_suffix("_seconds"), "s".to_owned()),
        Some("bytes") => (base.strip_suffix("_bytes"), "By".to_owned()),
        // What is counted is no unit; the name says what it is.
        Some(things) => (None, format!("{{{}}}", things.trim_end_matches('s'))),
        None => (None, String::new()),
    };
    let name = convention.map_or(short.unwrap_or(base), |convention| convention.name);
    (name, unit)
}

fn number(
    attributes: Vec<KeyValue>,
    span: Span,
    value: number_data_point::Value,
) -> NumberDataPoint {
    NumberDataPoint {
        attributes,
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        value: Some(value),
        ..NumberDataPoint::default()
    }
}

fn histogram(attributes: Vec<KeyValue>, span: Span, buckets: &Buckets<'_>) -> HistogramDataPoint {
    let counts: Vec<u64> = buckets.counts.iter().map(|(_, count)| *count).collect();
    let bounds = buckets.counts.iter().map(|(bound, _)| *bound);
    let examples = buckets.examples.iter().flatten();
    HistogramDataPoint {
        attributes,
        start_time_unix_nano: span.from,
        time_unix_nano: span.to,
        count: counts.iter().sum(),
        sum: Some(buckets.sum),
        bucket_counts: counts,
        explicit_bounds: bounds.filter(|bound| bound.is_finite()).collect(),
        exemplars: examples
            .map(|(value, example)| exemplar(*value, example))
            .collect(),
        ..HistogramDataPoint::default()
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the clock of the process, which stands between 1970 and 2554"
)]
fn exemplar(value: f64, example: &Example) -> Exemplar {
    let decision = format!("{:032x}", example.decision_id);
    Exemplar {
        filtered_attributes: vec![attribute("decision_id", &decision)],
        time_unix_nano: (example.at * 1e9) as u64,
        trace_id: example
            .trace_id
            .map(|id| id.to_be_bytes().to_vec())
            .unwrap_or_default(),
        value: Some(exemplar::Value::AsDouble(value)),
        ..Exemplar::default()
    }
}

fn attribute(name: &str, value: &str) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue {
            value: Some(Value::StringValue(value.to_owned())),
        }),
        ..KeyValue::default()
    }
}

fn nanoseconds(instant: Timestamp) -> u64 {
    u64::try_from(instant.as_nanosecond()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn conventions_name_metrics_and_labels_that_there_are() {
        for convention in &CONVENTIONS {
            let metric = LIST.iter().find(|metric| metric.name == convention.ours);
            let metric = metric.unwrap_or_else(|| panic!("{}", convention.ours));
            for (label, _) in convention.labels {
                assert!(metric.family.labels().contains(label), "{label}");
            }
            for (label, value) in convention.but {
                let at = metric.family.labels().iter().position(|one| one == label);
                let values = &metric.family.values()[at.unwrap()];
                assert!(values.iter().any(|one| one == value), "{label}={value}");
            }
        }
    }

    #[test]
    fn no_name_is_there_twice_and_units_stand_apart() {
        let mut names = BTreeSet::new();
        for metric in LIST {
            let convention = CONVENTIONS.iter().find(|known| known.ours == metric.name);
            let (name, unit) = name(metric, convention);
            assert!(names.insert(name), "{name}");
            assert!(
                !name.ends_with("_total") && !name.ends_with("_seconds"),
                "{name}"
            );
            let translated = match unit.as_str() {
                "s" => format!("{name}_seconds"),
                "By" => format!("{name}_bytes"),
                _ => name.to_owned(),
            };
            assert!(
                convention.is_some() || translated == metric.base(),
                "{name}"
            );
        }
    }

    #[test]
    fn what_is_no_database_is_not_told_of_as_one() {
        use std::time::Duration;

        use crate::telemetry::metrics::label::{Dependency, Operation};
        use crate::telemetry::metrics::list::DEPENDENCY_DURATION;
        for labels in [
            (Dependency::Sqlite, Operation::Find),
            (Dependency::Issuer, Operation::Fetch),
        ] {
            DEPENDENCY_DURATION.observe(labels, Duration::from_millis(1));
        }
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let request = request(Resource::default(), now, now);
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let whom = |name: &str, label: &str| {
            let metric = metrics.iter().find(|one| one.name == name).unwrap();
            let Some(Data::Histogram(histogram)) = &metric.data else {
                panic!("{metric:?}");
            };
            let points = histogram.data_points.iter();
            let attributes = points.flat_map(|point| point.attributes.clone());
            let values = attributes.filter(|attribute| attribute.key == label);
            values
                .filter_map(|attribute| attribute.value?.value)
                .collect::<Vec<_>>()
        };
        let issuer = Value::StringValue("issuer".to_owned());
        let databases = whom("db.client.operation.duration", "db.system.name");
        assert!(!databases.is_empty() && !databases.contains(&issuer));
        assert_eq!(whom("icpgate_dependency_duration", "dependency"), [issuer]);
    }

    #[test]
    fn histograms_have_a_count_more_than_bounds() {
        use crate::telemetry::metrics::label::Bulk;
        use crate::telemetry::metrics::list::BATCH;
        BATCH.count((Bulk::Batch,), 7);
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let request = request(Resource::default(), now, now);
        let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
        let batch = metrics
            .iter()
            .find(|one| one.name == "icpgate_batch_questions");
        let Some(Data::Histogram(histogram)) = &batch.unwrap().data else {
            panic!("{batch:?}");
        };
        let point = &histogram.data_points[0];
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
        assert!(point.count >= 1 && point.sum.unwrap() >= 7.0);
        assert!(
            point.bucket_counts[3] >= 1,
            "seven is more than five and at most ten"
        );
        assert_eq!(point.time_unix_nano, 1_795_305_600_000_000_000);
    }
}
