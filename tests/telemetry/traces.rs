//! Traces, as a collector gets them.

use std::time::{Duration, Instant};

use icpgate::proto::v1;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::TcpListener;

use crate::collector::{Collector, attribute};
use crate::servers::gate::{Gate, Settings, Signal, until};
use crate::world::{
    BATCH, CHECK, FILED, ORDER, PLANTED, SCREEN, UNFILED, gate, question, with_headers,
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn settings(endpoint: &str, more: &[(&'static str, &str)]) -> Settings {
    let mut settings = vec![
        ("otlp.endpoint", endpoint.to_owned()),
        ("otlp.sample_ratio", "0".to_owned()),
        (
            "otlp.resource",
            "deployment.environment.name=test".to_owned(),
        ),
    ];
    for (key, value) in more {
        settings.retain(|(known, _)| known != key);
        settings.push((*key, (*value).to_owned()));
    }
    settings
}

fn hex(id: &[u8]) -> String {
    id.iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn named<'s>(spans: &'s [Span], name: &str) -> &'s Span {
    let found = spans.iter().find(|span| span.name == name);
    found.unwrap_or_else(|| panic!("no span `{name}` among {spans:?}"))
}

fn of(span: &Span, key: &str) -> Option<String> {
    attribute(&span.attributes, key)
}

async fn ask(gate: &Gate, domain: &str, headers: &[(&'static str, &str)]) -> v1::Decision {
    let request = with_headers(question(domain), headers);
    let answer = gate.provisioning().check_provisioning(request).await;
    answer.unwrap().into_inner().decision.unwrap()
}

/// A call whose caller keeps a trace, cold: the spans, how they hang together, what they say.
async fn a_trace_goes_on(collector: &Collector, protocol: &str) {
    let settings = settings(&collector.url(), &[("otlp.protocol", protocol)]);
    let gate = gate(settings).await;
    let headers = [
        ("traceparent", PARENT),
        ("tracestate", "vendor=1"),
        ("x-request-id", ORDER),
    ];
    let decision = ask(&gate, UNFILED, &headers).await;
    let spans = collector
        .received
        .trace("the call is there", |span| span.name == CHECK)
        .await;
    assert!(spans.iter().all(|span| hex(&span.trace_id) == TRACE));
    let call = named(&spans, CHECK);
    assert_eq!(hex(&call.parent_span_id), "00f067aa0ba902b7");
    assert_eq!(
        (call.kind, call.trace_state.as_str()),
        (SpanKind::Server as i32, "vendor=1")
    );
    for (key, value) in [
        ("rpc.system.name", "grpc"),
        ("rpc.method", CHECK),
        ("rpc.response.status_code", "OK"),
        ("icpgate.verdict", "DENY"),
        ("icpgate.decision_id", &decision.decision_id),
        ("icpgate.served_from", "store"),
        ("icpgate.stale", "false"),
    ] {
        assert_eq!(of(call, key).as_deref(), Some(value), "{key}");
    }
    assert!(
        of(call, "icpgate.reasons")
            .unwrap()
            .contains("FILING_NOT_FOUND")
    );
    assert!(call.status.is_none() && of(call, "error.type").is_none());
    for name in ["local cache", "find facts", "evaluate"] {
        let span = named(&spans, name);
        assert_eq!(span.parent_span_id, call.span_id, "{name}");
        assert!(
            span.start_time_unix_nano >= call.start_time_unix_nano,
            "{name}"
        );
        assert!(span.end_time_unix_nano <= call.end_time_unix_nano, "{name}");
        assert!(
            span.start_time_unix_nano <= span.end_time_unix_nano,
            "{name}"
        );
    }
    let store = named(&spans, "find facts");
    assert_eq!(store.kind, SpanKind::Client as i32);
    assert_eq!(of(store, "db.system.name").as_deref(), Some("sqlite"));
    assert_eq!(of(store, "db.query.summary").as_deref(), Some("find facts"));
    let mut ids: Vec<_> = spans.iter().map(|span| span.span_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), spans.len());
    let resource = collector.received.resource();
    for (key, value) in [
        ("service.name", "icpgate"),
        ("service.version", env!("CARGO_PKG_VERSION")),
        ("deployment.environment.name", "test"),
    ] {
        assert_eq!(attribute(&resource, key).as_deref(), Some(value), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on_over_grpc() {
    a_trace_goes_on(&Collector::grpc().await, "grpc").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_goes_on_over_http() {
    a_trace_goes_on(&Collector::http().await, "http").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_caller_says_whether_a_call_is_traced() {
    let collector = Collector::grpc().await;
    let mut gate = gate(settings(&collector.url(), &[("otlp.sample_ratio", "1")])).await;
    let unsampled = PARENT.replace("-01", "-00");
    ask(&gate, FILED, &[("traceparent", &unsampled)]).await;
    // Nobody says, and the ratio is all.
    ask(&gate, FILED, &[]).await;
    ask(&gate, FILED, &[("traceparent", "00-nonsense")]).await;
    // What waits is sent before the end.
    gate.process().signal(Signal::Terminate);
    assert_eq!(
        gate.process().wait().await.code(),
        Some(0),
        "{}",
        gate.log()
    );
    let spans = collector.received.spans();
    assert!(spans.iter().all(|span| hex(&span.trace_id) != TRACE));
    let calls: Vec<&Span> = spans.iter().filter(|span| span.name == CHECK).collect();
    assert_eq!(calls.len(), 2, "{spans:?}");
    assert_ne!(calls[0].trace_id, calls[1].trace_id);
    assert!(calls.iter().all(|call| call.parent_span_id.is_empty()));
    let puts = spans
        .iter()
        .filter(|span| span.name.ends_with("PutRecords"));
    assert_eq!(puts.count(), 1);
    // Probes have been asked for, by whoever waited for the start.
    assert!(!spans.iter().any(|span| span.name.contains("Health")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_and_streams_have_as_many_spans_as_a_question() {
    let collector = Collector::grpc().await;
    let gate = gate(settings(&collector.url(), &[])).await;
    let sampled = [("traceparent", PARENT)];
    let requests = vec![question(FILED), question(UNFILED), question("")];
    let batch = v1::BatchCheckProvisioningRequest {
        requests: requests.clone(),
    };
    let request = with_headers(batch, &sampled);
    gate.provisioning()
        .batch_check_provisioning(request)
        .await
        .unwrap();
    let screens = (0..3).map(move |sequence| v1::ScreenDomainsRequest {
        sequence,
        requests: requests.clone(),
    });
    let request = with_headers(tokio_stream::iter(screens), &sampled);
    let mut answers = gate
        .provisioning()
        .screen_domains(request)
        .await
        .unwrap()
        .into_inner();
    let mut answered = 0;
    while answers.message().await.unwrap().is_some() {
        answered += 1;
    }
    assert_eq!(answered, 3);
    for (method, questions) in [(BATCH, 3), (SCREEN, 9)] {
        let spans = collector
            .received
            .trace(method, |span| span.name == method)
            .await;
        let call = spans.iter().find(|span| span.name == method).unwrap();
        let own = spans
            .iter()
            .filter(|span| span.parent_span_id == call.span_id);
        assert!(own.count() <= 5);
        assert_eq!(
            of(call, "icpgate.questions"),
            Some(questions.to_string()),
            "{method}"
        );
        assert_eq!(
            of(call, "icpgate.errors"),
            Some((questions / 3).to_string()),
            "{method}"
        );
        assert_eq!(of(call, "icpgate.decision_id"), None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_what_was_asked_is_traced() {
    let collector = Collector::grpc().await;
    let gate = gate(settings(&collector.url(), &[("otlp.sample_ratio", "1")])).await;
    for purpose in [
        v1::Purpose::Order,
        v1::Purpose::Activation,
        v1::Purpose::PreFiling,
    ] {
        for domain in [FILED, UNFILED, "https://planted.cn/x", "planted..cn"] {
            let asked = v1::CheckProvisioningRequest {
                purpose: purpose as i32,
                ..question(domain)
            };
            let request = with_headers(asked, &[("x-request-id", ORDER)]);
            gate.provisioning()
                .check_provisioning(request)
                .await
                .unwrap();
        }
    }
    let malformed = v1::CheckProvisioningRequest {
        language: "planted planted".to_owned(),
        ..question(FILED)
    };
    assert!(gate.check(malformed).await.is_err());
    let asked = v1::GetDomainRequest {
        domain: FILED.to_owned(),
    };
    gate.records().get_domain(asked).await.unwrap();
    let channel = gate.channel();
    let mut stray = tonic::client::Grpc::new(channel);
    stray.ready().await.unwrap();
    let path = "/planted.Service/PlantedMethod".parse().unwrap();
    let codec = tonic_prost::ProstCodec::<v1::GetDomainRequest, v1::Record>::default();
    let request = tonic::Request::new(v1::GetDomainRequest::default());
    assert!(stray.unary(request, path, codec).await.is_err());
    let strayed = |span: &Span| span.name == "grpc";
    let spans = collector
        .received
        .trace("the last call is there", strayed)
        .await;
    assert_eq!(
        of(named(&spans, "grpc"), "rpc.method").as_deref(),
        Some("_OTHER")
    );
    let failed = collector.received.spans();
    let failed = failed
        .iter()
        .find(|span| of(span, "icpgate.error").as_deref() == Some("MALFORMED_REQUEST"));
    assert!(
        failed.is_some_and(|span| span.status.is_none()),
        "a caller's mistake is no error of ours"
    );
    let text = collector.received.text();
    assert!(text.contains("decision_id") && text.contains("decision log"));
    for planted in PLANTED {
        assert!(!text.contains(planted), "{planted}");
    }
}

/// Nobody listens, then somebody who never answers: calls go on, the log says it once, and the
/// process ends in time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_or_hangs_is_nobodys_business() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = silent.local_addr().unwrap();
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    // The last one fills the queue.
    for (address, protocol, calls) in [
        (refused, "grpc", 10),
        (refused, "http", 10),
        (hanging, "http", 10),
        (hanging, "grpc", 3_000),
    ] {
        let settings = settings(
            &format!("http://{address}"),
            &[
                ("otlp.protocol", protocol),
                ("otlp.sample_ratio", "1"),
                ("otlp.timeout", "300ms"),
                ("limits.lame_duck", "10ms"),
            ],
        );
        let mut gate = gate(settings).await;
        let mut client = gate.provisioning();
        for _ in 0..calls {
            client.check_provisioning(question(FILED)).await.unwrap();
        }
        until("the log says so", async || {
            gate.log().contains("traces cannot be sent").then_some(())
        })
        .await;
        client.check_provisioning(question(FILED)).await.unwrap();
        drop(client);
        let told = Instant::now();
        gate.process().signal(Signal::Terminate);
        let status = gate.process().wait().await;
        assert_eq!(status.code(), Some(0), "{}", gate.log());
        assert!(told.elapsed() < Duration::from_secs(20));
        let log = gate.log();
        assert_eq!(log.matches("traces cannot be sent").count(), 1, "{log}");
    }
}

/// It comes back, and traces come again; what was kept meanwhile comes too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_comes_back_is_used_again() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    };
    let gate = gate(settings(&format!("http://{address}"), &[])).await;
    ask(&gate, FILED, &[("traceparent", PARENT)]).await;
    until("it is missed", async || {
        gate.log().contains("traces cannot be sent").then_some(())
    })
    .await;
    let collector = Collector::grpc_at(TcpListener::bind(address).await.unwrap());
    let spans = collector
        .received
        .trace("it is sent anew", |span| span.name == CHECK)
        .await;
    assert_eq!(hex(&spans[0].trace_id), TRACE);
    until("the log says so", async || {
        gate.log().contains("takes traces again").then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_are_shown_to_the_collector_and_to_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("headers");
    std::fs::write(&file, "authorization: Bearer hunter2\n").unwrap();
    let file = file.to_str().unwrap();
    for protocol in ["grpc", "http"] {
        let collector = match protocol {
            "grpc" => Collector::grpc().await,
            _ => Collector::http().await,
        };
        let more = [("otlp.headers_file", file), ("otlp.protocol", protocol)];
        let mut gate = gate(settings(&collector.url(), &more)).await;
        ask(&gate, FILED, &[("traceparent", PARENT)]).await;
        collector
            .received
            .trace("the call is there", |span| span.name == CHECK)
            .await;
        assert_eq!(collector.received.shown(), ["Bearer hunter2"], "{protocol}");
        gate.process().kill().await;
        assert!(!gate.log().contains("hunter2"), "{}", gate.log());
    }
    let settings = settings("http://192.0.2.1:4317", &[("otlp.headers_file", file)]);
    let refused = Gate::try_start(settings).await.err().unwrap();
    assert!(refused.log.contains("otlp.headers_file"), "{}", refused.log);
    assert!(!refused.log.contains("hunter2"), "{}", refused.log);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_collector_has_to_show_who_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    for protocol in ["grpc", "http"] {
        let one = || async {
            match protocol {
                "grpc" => Collector::grpc_encrypted().await,
                _ => Collector::http_encrypted().await,
            }
        };
        let (collector, pem) = one().await;
        let (stranger, _) = one().await;
        std::fs::write(&file, pem).unwrap();
        for (collector, taken) in [(&collector, true), (&stranger, false)] {
            let url = format!("https://{}", collector.address);
            let more = [
                ("otlp.ca_file", file.to_str().unwrap()),
                ("otlp.protocol", protocol),
            ];
            let gate = gate(settings(&url, &more)).await;
            ask(&gate, FILED, &[("traceparent", PARENT)]).await;
            if taken {
                let received = &collector.received;
                received
                    .trace("the call is there", |span| span.name == CHECK)
                    .await;
            } else {
                until("the log says so", async || {
                    gate.log().contains("traces cannot be sent").then_some(())
                })
                .await;
                assert!(collector.received.spans().is_empty());
            }
        }
    }
    std::fs::write(&file, "nothing").unwrap();
    let more = [("otlp.ca_file", file.to_str().unwrap())];
    let refused = Gate::try_start(settings("https://127.0.0.1:1", &more)).await;
    let log = refused.err().unwrap().log;
    assert!(log.contains("otlp.ca_file"), "{log}");
}
