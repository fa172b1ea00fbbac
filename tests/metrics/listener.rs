//! The listener for operators: what it answers, how long, and to whom.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::parse::openmetrics;
use super::servers::gate::{Gate, Signal, until};
use super::web::{address, ask, get};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_answered_and_nothing_else() {
    let gate = Gate::start(Vec::new()).await;
    let at = address(&gate);
    let health = get(at, "/healthz").await;
    assert_eq!((health.status, health.body.as_str()), (200, "ok\n"));
    let ready = get(at, "/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.header("content-type"), "application/json");
    assert_eq!(ready.header("cache-control"), "no-store");
    assert_eq!(
        ready.json(),
        json!({"ready": true, "reasons": [], "store": "held"})
    );
    let version = get(at, "/version").await.json();
    assert_eq!(version["version"], env!("CARGO_PKG_VERSION"));
    let policy = version["policy_version"].as_str().unwrap();
    assert!(policy.starts_with("mainland-strict"), "{policy}");
    for path in ["/", "/metrics/", "/readyz/..", "/healthz%00", "//healthz"] {
        assert_eq!(get(at, path).await.status, 404, "{path}");
    }
    for method in ["POST", "PUT", "DELETE", "BREW"] {
        let answer = ask(at, method, "/metrics", "").await.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, "GET, HEAD"));
    }
    let head = ask(at, "HEAD", "/metrics", "").await.unwrap();
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let open = ask(
        at,
        "GET",
        "/metrics",
        "accept: application/openmetrics-text\r\n",
    )
    .await;
    let open = open.unwrap();
    let media = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    assert_eq!(open.header("content-type"), media);
    openmetrics(&open.body);
}

/// Behaviour 21: a thousand probes ask the store for nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behaviour_21_probes_cost_no_look_at_the_store() {
    let settings = vec![
        // Nothing else asks meanwhile.
        ("metrics.data_interval", "1h".to_owned()),
        ("metrics.survey_interval", "off".to_owned()),
        ("cache.poll_interval", "1h".to_owned()),
        ("cache.max_lag", "2h".to_owned()),
    ];
    let gate = Gate::start(settings).await;
    let at = address(&gate);
    let asked = async || {
        let accept = "accept: application/openmetrics-text\r\n";
        let families = openmetrics(&ask(at, "GET", "/metrics", accept).await.unwrap().body);
        let samples = families["icpgate_dependency_duration_seconds"]
            .samples
            .iter();
        let counts = samples.filter(|((name, _), _)| name.ends_with("_count"));
        counts.map(|(_, count)| count).sum::<f64>()
    };
    // What is done at the start has to be over.
    let mut before = asked().await;
    until("the start is over", async || {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = asked().await;
        let same = (now - before).abs() < 0.5;
        before = now;
        same.then_some(())
    })
    .await;
    for _ in 0..250 {
        for path in ["/readyz", "/healthz", "/version", "/metrics"] {
            assert_eq!(get(at, path).await.status, 200);
        }
    }
    let after = asked().await;
    assert!(
        (after - before).abs() < 0.5,
        "{before} requests, then {after}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draining_replica_says_so_until_it_ends() {
    let settings = vec![
        ("limits.lame_duck", "3s".to_owned()),
        ("limits.drain_timeout", "30s".to_owned()),
    ];
    let mut gate = Gate::start(settings).await;
    let at = address(&gate);
    assert_eq!(get(at, "/readyz").await.status, 200);
    let since = async || {
        let metrics = get(at, "/metrics").await.body;
        let line = metrics
            .lines()
            .find_map(|line| line.strip_prefix("icpgate_phase_timestamp_seconds "));
        line.unwrap().parse::<f64>().unwrap()
    };
    let running = since().await;
    assert!((since().await - running).abs() < 1e-6, "it still runs");
    gate.process().signal(Signal::Terminate);
    let told = until("it says that it stops", async || {
        let answer = ask(at, "GET", "/readyz", "").await?;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(
        told.json(),
        json!({"ready": false, "reasons": ["stopping"], "store": "held"})
    );
    assert_eq!(get(at, "/healthz").await.status, 200, "it lives");
    let metrics = get(at, "/metrics").await.body;
    for line in [
        "icpgate_ready 0",
        "icpgate_not_ready{reason=\"stopping\"} 1",
        "icpgate_phase{phase=\"announced\"} 1",
        "icpgate_drain_limit_seconds 30",
    ] {
        assert!(metrics.contains(line), "{line}");
    }
    assert!(since().await > running, "another phase began");
    assert!(gate.process().wait().await.success());
    assert!(
        TcpStream::connect(at).await.is_err(),
        "nobody listens any more"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_peers_do_on_a_connection_is_bounded() {
    let gate = Gate::start(Vec::new()).await;
    let at = address(&gate);
    // Headers beyond the bound.
    let long = format!("x: {}\r\n", "y".repeat(40_000));
    let answer = ask(at, "GET", "/healthz", &long).await;
    assert!(answer.is_none_or(|answer| answer.status == 431));
    let many = "x: y\r\n".repeat(100);
    let answer = ask(at, "GET", "/healthz", &many).await;
    assert!(answer.is_none_or(|answer| answer.status == 431));
    // What is no HTTP.
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    assert!(!String::from_utf8_lossy(&said).contains("200 OK"));
    // Headers that never end.
    let begun = Instant::now();
    let mut stream = TcpStream::connect(at).await.unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n")
        .await
        .unwrap();
    said.clear();
    let _ = stream.read_to_end(&mut said).await;
    assert!(begun.elapsed() < Duration::from_secs(50));
    // More connections than there may be: the others are closed, and when some go there is room.
    let mut held = Vec::new();
    for _ in 0..80 {
        held.push(TcpStream::connect(at).await.unwrap());
    }
    until("connections beyond the bound are closed", async || {
        ask(at, "GET", "/healthz", "").await.is_none().then_some(())
    })
    .await;
    drop(held);
    until("there is room again", async || {
        let answer = ask(at, "GET", "/healthz", "").await?;
        (answer.status == 200).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_for_everybody_has_to_be_asked_for() {
    let settings = |listen: &str| ("http.listen", listen.to_owned());
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let Err(ended) = Gate::try_start(vec![settings(listen)]).await else {
            panic!("it listens on {listen}");
        };
        for part in ["http.listen", "http.insecure", "127.0.0.1"] {
            assert!(ended.log.contains(part), "{}", ended.log);
        }
    }
    let asked = vec![settings("0.0.0.0:0"), ("http.insecure", "true".to_owned())];
    let gate = Gate::start(asked).await;
    let mut at = address(&gate);
    at.set_ip([127, 0, 0, 1].into());
    assert_eq!(get(at, "/healthz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_taken_names_its_key() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let Err(ended) = Gate::try_start(vec![("http.listen", listen.clone())]).await else {
        panic!("it listens on {listen}");
    };
    for part in ["http.listen", &listen, "--http-listen"] {
        assert!(ended.log.contains(part), "{}", ended.log);
    }
}
