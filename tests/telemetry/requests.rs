//! Lines about calls.

use icpgate::proto::v1;
use serde_json::Value;
use tonic::Code;

use crate::servers::gate::{Gate, Settings, Signal, until};
use crate::world::{
    BATCH, CHECK, FILED, ORDER, PLANTED, SCREEN, UNFILED, gate, question, with_headers,
};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

fn settings(requests: &str, level: &str) -> Settings {
    vec![
        ("log.format", "json".to_owned()),
        ("log.level", level.to_owned()),
        ("log.requests", requests.to_owned()),
    ]
}

/// Lines about calls so far; every line of the log is read.
fn lines(gate: &Gate) -> Vec<Value> {
    let log = gate.log();
    let lines = log.lines().map(|line| {
        let read = serde_json::from_str::<Value>(line);
        read.unwrap_or_else(|error| panic!("{error}: {line}"))
    });
    lines
        .filter(|line| line["target"] == "icpgate::requests")
        .collect()
}

fn about(lines: &[Value], method: &str) -> Vec<Value> {
    let own = lines.iter().filter(|line| line["method"] == method);
    own.cloned().collect()
}

/// Waits for the line that a call is marked with.
async fn line_of(gate: &Gate, id: &str) -> Value {
    until(id, async || {
        let lines = lines(gate);
        lines.into_iter().find(|line| line["request_id"] == id)
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_calls_have_one_line_with_everything() {
    let gate = gate(settings("all", "info")).await;
    let mut client = gate.provisioning();
    let headers = [("x-request-id", "first"), ("traceparent", PARENT)];
    let answer = client
        .check_provisioning(with_headers(question(UNFILED), &headers))
        .await
        .unwrap();
    let decision = answer.into_inner().decision.unwrap();
    let line = line_of(&gate, "first").await;
    for (key, value) in [
        ("level", "INFO"),
        ("message", "answered"),
        ("method", CHECK),
        ("code", "OK"),
        ("verdict", "DENY"),
        ("served_from", "store"),
        ("decision_id", &decision.decision_id),
        ("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736"),
    ] {
        assert_eq!(line[key], value, "{key} of {line}");
    }
    assert!(
        line["reasons"]
            .as_str()
            .unwrap()
            .contains("FILING_NOT_FOUND")
    );
    assert!(!line["caller"].as_str().unwrap().is_empty());
    assert_eq!(line["stale"], false);
    assert!(line["elapsed_us"].as_u64().unwrap() >= line["store_us"].as_u64().unwrap());
    assert_eq!(
        (&line["error"], &line["questions"]),
        (&Value::Null, &Value::Null)
    );
    // The same from memory: the store takes no part.
    client
        .check_provisioning(with_headers(
            question(UNFILED),
            &[("x-request-id", "second")],
        ))
        .await
        .unwrap();
    let line = line_of(&gate, "second").await;
    assert_eq!(
        (&line["served_from"], &line["store_us"]),
        (&"local".into(), &Value::Null)
    );
    assert_eq!(line["trace_id"], Value::Null);
    // What the caller did wrong.
    let malformed = v1::CheckProvisioningRequest {
        language: "planted planted".to_owned(),
        ..question(FILED)
    };
    let request = with_headers(malformed, &[("x-request-id", "third")]);
    assert!(client.check_provisioning(request).await.is_err());
    let line = line_of(&gate, "third").await;
    assert_eq!(line["code"], "INVALID_ARGUMENT");
    assert_eq!(
        (&line["error"], &line["verdict"]),
        (&"MALFORMED_REQUEST".into(), &Value::Null)
    );
    several(&gate).await;
    let lines = lines(&gate);
    for (method, count) in [(CHECK, 3), (BATCH, 1), (SCREEN, 1)] {
        assert_eq!(about(&lines, method).len(), count, "{method}");
    }
    assert_eq!(
        about(&lines, "icpgate.v1.RecordService/PutRecords").len(),
        1
    );
    // Probes only where the level is low enough.
    assert!(about(&lines, "grpc.health.v1.Health/Check").is_empty());
    let log = gate.log().to_lowercase();
    // The log says where it listens.
    for planted in PLANTED.iter().filter(|planted| **planted != "127.0.0.1") {
        assert!(!log.contains(planted), "{planted} in {log}");
    }
}

/// A batch and a stream have one line each, which counts.
async fn several(gate: &Gate) {
    let mut client = gate.provisioning();
    let requests = vec![question(FILED), question(UNFILED), question("")];
    let batch = v1::BatchCheckProvisioningRequest {
        requests: requests.clone(),
    };
    client
        .batch_check_provisioning(with_headers(batch, &[("x-request-id", "batch")]))
        .await
        .unwrap();
    let line = line_of(gate, "batch").await;
    assert_eq!(
        (&line["questions"], &line["errors"]),
        (&3.into(), &1.into())
    );
    assert_eq!(
        (&line["verdict"], &line["decision_id"]),
        (&Value::Null, &Value::Null)
    );
    // A stream has one line, at its end.
    let screens = (0..4).map(move |sequence| v1::ScreenDomainsRequest {
        sequence,
        requests: requests.clone(),
    });
    let request = with_headers(tokio_stream::iter(screens), &[("x-request-id", "screen")]);
    let mut answers = client.screen_domains(request).await.unwrap().into_inner();
    while answers.message().await.unwrap().is_some() {}
    let line = line_of(gate, "screen").await;
    assert_eq!(
        (&line["code"], &line["questions"]),
        (&"OK".into(), &12.into())
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn probes_are_told_of_at_the_level_of_debug() {
    let gate = Gate::start(settings("all", "info,icpgate::requests=debug")).await;
    until("the probe of the start is told", async || {
        let lines = lines(&gate);
        (!about(&lines, "grpc.health.v1.Health/Check").is_empty()).then_some(())
    })
    .await;
}

/// Calls that fail on this side, or cannot be decided, have a line; others have none, whatever the
/// level.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_fail_have_lines() {
    for (requests, told) in [("failed", true), ("off", false)] {
        let mut settings = settings(requests, "info");
        // Of nothing is known that it is not there.
        settings.push(("records.complete_for", "none".to_owned()));
        let mut gate = gate(settings).await;
        let mut client = gate.provisioning();
        let ask = |domain: &str, id| with_headers(question(domain), &[("x-request-id", id)]);
        let answer = client
            .check_provisioning(ask(UNFILED, "unknown"))
            .await
            .unwrap();
        let verdict = answer.into_inner().decision.unwrap().verdict();
        assert_eq!(verdict, v1::Verdict::Indeterminate);
        let mut late = ask("late.example.cn", "late");
        late.set_timeout(std::time::Duration::from_nanos(1));
        let code = client.check_provisioning(late).await.unwrap_err().code();
        assert!(
            [Code::DeadlineExceeded, Code::Cancelled].contains(&code),
            "{code:?}"
        );
        let malformed = v1::CheckProvisioningRequest {
            language: "planted planted".to_owned(),
            ..question(FILED)
        };
        assert!(client.check_provisioning(malformed).await.is_err());
        let asked = v1::GetDecisionRequest {
            decision_id: ORDER.to_owned(),
        };
        assert!(client.get_decision(asked).await.is_err());
        drop(client);
        gate.process().signal(Signal::Terminate);
        assert_eq!(gate.process().wait().await.code(), Some(0));
        let lines = lines(&gate);
        let ids: Vec<&Value> = lines.iter().map(|line| &line["request_id"]).collect();
        if told {
            let unknown = lines
                .iter()
                .find(|line| line["request_id"] == "unknown")
                .unwrap();
            assert_eq!(unknown["verdict"], "INDETERMINATE");
            assert!(
                ids.iter().all(|id| **id == "unknown" || **id == "late"),
                "{lines:?}"
            );
        } else {
            assert!(ids.is_empty(), "{lines:?}");
        }
    }
}

/// A call that breaks is told once with everything that led to it, and its line has the same
/// identifier.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_is_told_once_with_its_causes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.sqlite");
    let mut settings = settings("failed", "info");
    settings.push(("store.path", path.display().to_string()));
    let gate = gate(settings).await;
    let mut client = gate.provisioning();
    let answer = client.check_provisioning(question(FILED)).await.unwrap();
    let decision_id = answer.into_inner().decision.unwrap().decision_id;
    // Wait until it is written, then break what was written.
    let asked = || v1::GetDecisionRequest {
        decision_id: decision_id.clone(),
    };
    until("it is recorded", async || {
        client.get_decision(asked()).await.ok()
    })
    .await;
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
    let mut store = sqlx::ConnectOptions::connect(&options).await.unwrap();
    sqlx::query("UPDATE decision SET answer = x'ff'")
        .execute(&mut store)
        .await
        .unwrap();
    let request = with_headers(asked(), &[("x-request-id", "broken")]);
    let status = client.get_decision(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Internal);
    let line = line_of(&gate, "broken").await;
    assert_eq!(
        (&line["code"], &line["error"]),
        (&"INTERNAL".into(), &"INTERNAL".into())
    );
    let log = gate.log();
    let errors = log
        .lines()
        .filter(|line| line.contains(r#""level":"ERROR""#));
    let errors: Vec<Value> = errors
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0]["message"], "a call failed");
    assert_eq!(errors[0]["request_id"], "broken");
    assert_eq!(
        errors[0]["method"],
        "icpgate.v1.ProvisioningService/GetDecision"
    );
    assert!(
        errors[0]["error"]
            .as_str()
            .unwrap()
            .contains("read decision"),
        "{errors:?}"
    );
}
