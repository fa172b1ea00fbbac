//! What metrics tell of certificates, callers and keys: what is refused, and how old the keys are.

use std::time::Duration;

use tokio::net::TcpListener;

use crate::keys::{Issuer, ok};
use crate::pki::{Authority, Signer, jwks};
use crate::program::Program;
use crate::server::{AUDIENCE, ISSUER, Place, until};

const CALLERS: &str = "[[caller]]\nname = \"shop\"\nroles = [\"checker\"]\nsubjects = [\"shop\"]\n";

const KEYS_AT: &str = "icpgate_auth_keys_timestamp_seconds";

/// Looks at the files are so far apart.
const LOOK: Duration = Duration::from_millis(20);

fn refused(file: &str) -> String {
    format!("icpgate_auth_refused{{file=\"{file}\"}}")
}

fn failures(kind: &str) -> String {
    format!("icpgate_dependency_failures_total{{dependency=\"issuer\",kind=\"{kind}\"}}")
}

const FETCHES: &str =
    "icpgate_dependency_duration_seconds_count{dependency=\"issuer\",operation=\"fetch\"}";

fn start(place: &Place, settings: &[String]) -> Program {
    let mut args = vec!["serve", "--grpc-listen", "127.0.0.1:0"];
    args.extend(["--set", "auth.reload_interval=20ms"]);
    for setting in settings {
        args.extend(["--set", setting]);
    }
    Program::start(place.folder.path(), &args)
}

fn with_tokens(place: &Place, keys: &str) -> Vec<String> {
    let callers = place.write("callers.toml", CALLERS);
    vec![
        format!("auth.callers_file={callers}"),
        format!("auth.jwt_issuer={ISSUER}"),
        format!("auth.jwt_audience={AUDIENCE}"),
        keys.to_owned(),
    ]
}

/// Waits until all three are as expected, and sees that it stays so.
async fn refused_are(program: &Program, files: &[&str]) {
    let as_expected = async || {
        for file in ["certificates", "callers", "keys"] {
            let expected = if files.contains(&file) { 1.0 } else { 0.0 };
            if program.metric(&refused(file)).await != Some(expected) {
                return false;
            }
        }
        true
    };
    until(&format!("{files:?} are refused"), as_expected).await;
    for _ in 0..10 {
        tokio::time::sleep(LOOK).await;
        assert!(as_expected().await, "{files:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_is_told_for_as_long_as_it_is() {
    let place = Place::new();
    let (authority, signer) = (Authority::new(), Signer::ec("k"));
    let (pair, set) = (authority.server(), jwks(&[&signer]));
    let keys = place.write("jwks.json", &set);
    let mut settings = with_tokens(&place, &format!("auth.jwks_file={keys}"));
    let cert = place.write("server.pem", &pair.cert);
    let key = place.write("server.key", &pair.key);
    settings.push(format!("grpc.tls_cert_file={cert}"));
    settings.push(format!("grpc.tls_key_file={key}"));
    let program = start(&place, &settings);
    refused_are(&program, &[]).await;

    // What is wrong is told once in the log, and holds for as long as it stands there.
    place.write("callers.toml", "[[caller]]\nname = 7\n");
    refused_are(&program, &["callers"]).await;
    // What cannot be read is no better, nor what is wrong and can be read again.
    let away = |name: &str| std::fs::remove_file(place.path(name)).unwrap();
    away("callers.toml");
    refused_are(&program, &["callers"]).await;
    place.write("callers.toml", "[[caller]]\nname = 7\n");
    refused_are(&program, &["callers"]).await;
    // The contents that never ceased to be in force.
    place.write("callers.toml", CALLERS);
    refused_are(&program, &[]).await;
    away("callers.toml");
    refused_are(&program, &["callers"]).await;
    place.write("callers.toml", CALLERS);
    refused_are(&program, &[]).await;

    place.write("server.pem", "no certificate");
    refused_are(&program, &["certificates"]).await;
    away("server.key");
    refused_are(&program, &["certificates"]).await;
    let other = Authority::new().server();
    place.write("server.key", &other.key);
    place.write("server.pem", &other.cert);
    refused_are(&program, &[]).await;

    place.write("jwks.json", "{\"keys\": []}");
    refused_are(&program, &["keys"]).await;
    let before = program.metric(KEYS_AT).await.unwrap();
    tokio::time::sleep(LOOK * 5).await;
    let now = program.metric(KEYS_AT).await.unwrap();
    assert!((now - before).abs() < 1e-6, "no keys were had");
    place.write("jwks.json", &set);
    refused_are(&program, &[]).await;
    let had = program.metric(KEYS_AT).await.unwrap();
    assert!(had > before);
    until("a look that finds the same keys", async || {
        program.metric(KEYS_AT).await.unwrap() > had
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_configured_is_not_told_of() {
    let place = Place::new();
    let program = start(&place, &[]);
    for series in ["certificates", "callers", "keys"].map(refused) {
        assert_eq!(program.metric(&series).await, None, "{series}");
    }
    assert_eq!(program.metric(KEYS_AT).await, None);
    drop(program);
    let pair = Authority::new().server();
    let cert = place.write("server.pem", &pair.cert);
    let key = place.write("server.key", &pair.key);
    let settings = [
        format!("grpc.tls_cert_file={cert}"),
        format!("grpc.tls_key_file={key}"),
    ];
    let program = start(&place, &settings);
    assert_eq!(program.metric(&refused("certificates")).await, Some(0.0));
    for series in ["callers", "keys"].map(refused) {
        assert_eq!(program.metric(&series).await, None, "{series}");
    }
    assert_eq!(program.metric(KEYS_AT).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fetches_of_keys_are_timed_and_their_failures_counted() {
    let place = Place::new();
    let set = jwks(&[&Signer::ec("k")]);
    let issuer = Issuer::new(&set, None).await;
    let url = format!("auth.jwks_url=http://127.0.0.1:{}/jwks", issuer.port);
    let mut settings = with_tokens(&place, &url);
    settings.push("auth.jwks_refresh=20ms".to_owned());
    let program = start(&place, &settings);
    until("fetches", async || {
        program
            .metric(FETCHES)
            .await
            .is_some_and(|count| count >= 3.0)
    })
    .await;
    for kind in ["timeout", "unavailable", "failed"].map(failures) {
        assert_eq!(program.metric(&kind).await, Some(0.0), "{kind}");
    }
    assert_eq!(program.metric(&refused("keys")).await, Some(0.0));
    let status = |line: &str| format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\n\r\n");
    for (answer, kind) in [
        (status("503 Service Unavailable"), "unavailable"),
        (String::new(), "unavailable"),
        (status("404 Not Found"), "failed"),
        (ok("{\"keys\":[]}"), "failed"),
        (ok("<html>"), "failed"),
    ] {
        issuer.answer(answer.clone());
        let kind = failures(kind);
        let before = program.metric(&kind).await.unwrap();
        until(&format!("a failure after {answer}"), async || {
            program.metric(&kind).await.unwrap() > before + 1.5
        })
        .await;
        assert_eq!(program.metric(&refused("keys")).await, Some(1.0));
    }
    let before = program.metric(KEYS_AT).await.unwrap();
    issuer.answer(ok(&set));
    until("keys again", async || {
        program.metric(&refused("keys")).await == Some(0.0)
            && program.metric(KEYS_AT).await.unwrap() > before
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_that_never_came_have_no_age() {
    let place = Place::new();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let mut settings = with_tokens(&place, &format!("auth.jwks_url=http://{address}/jwks"));
    settings.push("auth.jwks_timeout=50ms".to_owned());
    let program = start(&place, &settings);
    until("a fetch that was given up", async || {
        program
            .metric(&failures("timeout"))
            .await
            .is_some_and(|count| count >= 1.0)
    })
    .await;
    assert_eq!(program.metric(&refused("keys")).await, Some(1.0));
    assert_eq!(program.metric(KEYS_AT).await, None);
}
