//! The spans of a call, in the words of the semantic conventions of OpenTelemetry for RPC and for
//! databases, as of version 1.42.
//!
//! One span for the call and one for each part of the work that there was, however often: a
//! screening of a million names has as many spans as a single question. **Never here:** the
//! caller's identifier of the call, its address, or a path that is none of ours; callers choose
//! them, and might say of whom they ask.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::LazyLock;
use std::time::Instant;

use icpgate_policy::codes::{Reason, Verdict};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};

use super::call::{Laps, Part, Traced};
use super::context::Hex;
use super::requests::mixed;
use super::traces::Finished;
use crate::config::Otlp;

/// The version of the conventions.
const SCHEMA: &str = "https://opentelemetry.io/schemas/1.42.0";

/// Flags of a span: kept, and the parent is in another process, as far as is known.
const SAMPLED: u32 = 0x001;
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Words spans.
#[derive(Debug)]
pub(super) struct Wording {
    resource: Resource,
    /// The database, as the conventions name it.
    engine: &'static str,
}

impl Wording {
    pub(super) fn new(config: &Otlp, engine: &'static str) -> Self {
        Self {
            resource: resource(config),
            engine,
        }
    }

    /// The message that tells the collector of calls.
    pub(super) fn request(&self, group: &[Finished]) -> ExportTraceServiceRequest {
        let spans = group.iter().flat_map(|finished| self.spans(finished));
        ExportTraceServiceRequest {
            resource_spans: vec![ResourceSpans {
                resource: Some(self.resource.clone()),
                scope_spans: vec![ScopeSpans {
                    scope: Some(InstrumentationScope {
                        name: "icpgate".to_owned(),
                        version: env!("CARGO_PKG_VERSION").to_owned(),
                        ..InstrumentationScope::default()
                    }),
                    spans: spans.collect(),
                    schema_url: SCHEMA.to_owned(),
                }],
                schema_url: SCHEMA.to_owned(),
            }],
        }
    }

    fn spans(&self, finished: &Finished) -> Vec<Span> {
        let Some(traced) = &finished.notes.traced else {
            return Vec::new();
        };
        let mut spans = vec![call(finished, traced)];
        let parts = [
            Part::Local,
            Part::Shared,
            Part::Store,
            Part::Evaluation,
            Part::Log,
        ];
        for (place, (part, laps)) in parts.into_iter().zip(&traced.laps).enumerate() {
            if let Some(laps) = laps {
                let own = mixed(traced.span_id ^ (place as u64 + 1)).max(1);
                spans.push(self.part(finished, traced, part, laps, own));
            }
        }
        spans
    }

    fn part(
        &self,
        finished: &Finished,
        traced: &Traced,
        part: Part,
        laps: &Laps,
        span_id: u64,
    ) -> Span {
        let mut attributes = Vec::new();
        let (name, kind) = match part {
            Part::Local => ("local cache", SpanKind::Internal),
            Part::Evaluation => ("evaluate", SpanKind::Internal),
            Part::Log => ("decision log", SpanKind::Internal),
            Part::Shared => {
                attributes.push(text("db.system.name", "redis"));
                attributes.push(text("db.operation.name", laps.operation));
                (laps.operation, SpanKind::Client)
            }
            Part::Store => {
                attributes.push(text("db.system.name", self.engine));
                attributes.push(text("db.query.summary", laps.operation));
                (laps.operation, SpanKind::Client)
            }
        };
        if laps.count > 1 {
            attributes.push(number("icpgate.laps", laps.count.into()));
        }
        if let Some(busy) = finished.notes.busy(part).filter(|_| laps.count > 1) {
            let nanos = i64::try_from(busy.as_nanos()).unwrap_or(i64::MAX);
            attributes.push(number("icpgate.busy_ns", nanos));
        }
        if laps.failed {
            attributes.push(text("error.type", "_OTHER"));
        }
        Span {
            span_id: span_id.to_be_bytes().to_vec(),
            parent_span_id: traced.span_id.to_be_bytes().to_vec(),
            flags: SAMPLED | HAS_IS_REMOTE,
            name: name.to_owned(),
            kind: kind as i32,
            start_time_unix_nano: finished.unix(laps.first),
            end_time_unix_nano: finished.unix(laps.last),
            attributes,
            status: status(laps.failed),
            ..common(finished, traced)
        }
    }
}

impl Finished {
    /// An instant of the call, in nanoseconds since 1970.
    fn unix(&self, instant: Instant) -> u64 {
        let (end, at) = self.at;
        let before = end.saturating_duration_since(instant).as_nanos();
        let at = u128::try_from(at.as_nanosecond()).unwrap_or(0);
        u64::try_from(at.saturating_sub(before)).unwrap_or(u64::MAX)
    }
}

/// The span of the call.
fn call(finished: &Finished, traced: &Traced) -> Span {
    let (notes, ended) = (&finished.notes, finished.ended);
    let decided = &notes.decided;
    let mut attributes = vec![
        text("rpc.system.name", "grpc"),
        text("rpc.method", notes.method),
        text("rpc.response.status_code", ended.code),
    ];
    if ended.is_error {
        attributes.push(text("error.type", ended.code));
    }
    if let Some(error) = notes.error.filter(|_| ended.code != "OK") {
        attributes.push(text("icpgate.error", error));
    }
    if let Some(caller) = &notes.caller {
        attributes.push(text("icpgate.caller", caller));
    }
    let questions = decided.questions();
    if let Some(verdict) = decided.verdict() {
        attributes.push(text("icpgate.verdict", verdict.as_str()));
        let id = Hex(decided.decision_id).to_string();
        attributes.push(text("icpgate.decision_id", &id));
    } else if questions > 1 {
        attributes.push(number("icpgate.questions", questions.into()));
        for verdict in Verdict::ALL {
            let key = match verdict {
                Verdict::Allow => "icpgate.allow",
                Verdict::Review => "icpgate.review",
                Verdict::Indeterminate => "icpgate.indeterminate",
                Verdict::Deny => "icpgate.deny",
            };
            attributes.push(number(key, decided.count(*verdict).into()));
        }
        attributes.push(number("icpgate.errors", decided.errors.into()));
    }
    let reasons: Vec<&str> = decided.reasons().map(Reason::as_str).collect();
    if !reasons.is_empty() {
        attributes.push(texts("icpgate.reasons", &reasons));
    }
    if let Some(source) = decided.source {
        attributes.push(text("icpgate.served_from", source.as_str()));
        attributes.push(truth("icpgate.stale", decided.stale));
    }
    let parent = traced.parent.map(|parent| parent.to_be_bytes().to_vec());
    let remote = if parent.is_some() { IS_REMOTE } else { 0 };
    Span {
        span_id: traced.span_id.to_be_bytes().to_vec(),
        parent_span_id: parent.unwrap_or_default(),
        flags: SAMPLED | HAS_IS_REMOTE | remote,
        // The conventions name calls of unknown methods by the system.
        name: match notes.method {
            super::call::OTHER => "grpc".to_owned(),
            method => method.to_owned(),
        },
        kind: SpanKind::Server as i32,
        start_time_unix_nano: finished.unix(notes.began),
        end_time_unix_nano: finished.unix(finished.at.0),
        attributes,
        status: status(ended.is_error),
        ..common(finished, traced)
    }
}

/// What all spans of a call have alike.
fn common(finished: &Finished, traced: &Traced) -> Span {
    let trace_id = finished.notes.trace_id.unwrap_or_default();
    Span {
        trace_id: trace_id.to_be_bytes().to_vec(),
        trace_state: traced.state.clone(),
        ..Span::default()
    }
}

fn status(failed: bool) -> Option<Status> {
    failed.then(|| Status {
        message: String::new(),
        code: StatusCode::Error as i32,
    })
}

/// What is said of this process with everything.
pub(super) fn resource(config: &Otlp) -> Resource {
    // Another one for each start; nothing is to be found under it but what is sent.
    static INSTANCE: LazyLock<String> = LazyLock::new(|| {
        let random = RandomState::new();
        let (high, low) = (random.hash_one(1), random.hash_one(2));
        Hex(u128::from(high) << 64 | u128::from(low)).to_string()
    });
    // The name has a key of its own; what else is given wins.
    let name = [("service.name", config.service_name.as_str())];
    let given = config.resource.as_slice();
    let given = given.iter().map(|(name, value)| (&**name, &**value));
    let ours = [
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("service.instance.id", INSTANCE.as_str()),
    ];
    let mut attributes: Vec<KeyValue> = Vec::new();
    for (name, value) in name.into_iter().chain(given).chain(ours) {
        if !attributes.iter().any(|known| known.key == name) {
            attributes.push(text(name, value));
        }
    }
    Resource {
        attributes,
        ..Resource::default()
    }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn texts(key: &str, values: &[&str]) -> KeyValue {
    let values = values.iter().map(|value| AnyValue {
        value: Some(Value::StringValue((*value).to_owned())),
    });
    let values = values.collect();
    attribute(key, Value::ArrayValue(ArrayValue { values }))
}

fn number(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn truth(key: &str, value: bool) -> KeyValue {
    attribute(key, Value::BoolValue(value))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}
