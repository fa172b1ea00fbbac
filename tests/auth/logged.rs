//! What the log says of calls, and what it never says.

use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use serde_json::json;
use tonic::Code;

use crate::pki::{Signer, jwks};
use crate::program::Program;
use crate::server::{AUDIENCE, CHECK, ISSUER, Place, call, question, until, with_token};

const CALLERS: &str =
    "[[caller]]\nname = \"the-shop\"\nroles = [\"checker\"]\nsubjects = [\"s-1\"]\n";

fn program(place: &Place, signer: &Signer, requests: &str) -> Program {
    place.write("callers.toml", CALLERS);
    place.write("jwks.json", &jwks(&[signer]));
    let settings = [
        "auth.callers_file=callers.toml",
        "auth.jwks_file=jwks.json",
        &format!("auth.jwt_issuer={ISSUER}"),
        &format!("auth.jwt_audience={AUDIENCE}"),
        &format!("log.requests={requests}"),
        // Only when it is told to.
        "auth.reload_interval=1h",
        "auth.jwks_cooldown=1h",
    ];
    let mut args = vec!["serve", "--sample"];
    args.extend([
        "--grpc-listen",
        "127.0.0.1:0",
        "--http-listen",
        "127.0.0.1:0",
    ]);
    for setting in settings {
        args.extend(["--set", setting]);
    }
    Program::start(place.folder.path(), &args)
}

/// A token that is good until the end of the century.
fn token(signer: &Signer, subject: &str) -> String {
    signer.token(&json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": 4_102_444_800_i64}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_tells_of_each_call_without_what_was_asked_or_shown() {
    let place = Place::new();
    let signer = Signer::ec("k");
    let program = program(&place, &signer, "all");
    let channel = program.channel().await;
    let good = token(&signer, "s-1");
    let bad = token(&Signer::ec("k"), "s-1");
    let unknown = token(&signer, "s-2");
    let mut request = with_token(question("www.sample-shop.cn"), &good);
    let id = "order-42".parse().unwrap();
    request.metadata_mut().insert("x-request-id", id);
    let mut client = ProvisioningServiceClient::new(channel.clone());
    client.check_provisioning(request).await.unwrap();
    assert_eq!(
        call(&channel, CHECK, Some(&bad)).await,
        Code::Unauthenticated
    );
    assert_eq!(
        call(&channel, CHECK, Some(&unknown)).await,
        Code::Unauthenticated
    );
    let put = "/icpgate.v1.RecordService/PutRecords";
    assert_eq!(
        call(&channel, put, Some(&good)).await,
        Code::PermissionDenied
    );
    assert_eq!(
        call(&channel, "/made.up/Path", None).await,
        Code::Unauthenticated
    );
    let said = program.stop();
    let line = |parts: &[&str]| {
        let found = said
            .lines()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "no line with {parts:?} in\n{said}");
    };
    let check = CHECK.trim_start_matches('/');
    line(&[
        "answered",
        check,
        "order-42",
        "the-shop",
        "code=\"OK\"",
        "elapsed_us=",
    ]);
    line(&["answered", check, "code=\"UNAUTHENTICATED\""]);
    let put = put.trim_start_matches('/');
    line(&["answered", put, "the-shop", "code=\"PERMISSION_DENIED\""]);
    line(&["answered", "_OTHER", "code=\"UNAUTHENTICATED\""]);
    line(&[
        "a credential was refused",
        "its signature is wrong",
        CHECK,
        "127.0.0.1:",
    ]);
    line(&[
        "a credential was refused",
        "the subject of the token is no caller",
    ]);
    line(&["a caller lacks a role", "the-shop", put]);
    for secret in [
        &good,
        &bad,
        &unknown,
        "sample-shop",
        "made.up",
        "Bearer",
        "bearer",
    ] {
        assert!(!said.contains(secret), "{secret} in\n{said}");
    }
    for token in [&good, &bad, &unknown] {
        for part in token.split('.') {
            assert!(!said.contains(part), "a part of a token in\n{said}");
        }
    }
}

/// Where it is not asked for there is no line for each call.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signal_has_callers_and_keys_looked_at() {
    let place = Place::new();
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let program = program(&place, &old, "failed");
    let channel = program.channel().await;
    let token = token(&new, "s-2");
    assert_eq!(
        call(&channel, CHECK, Some(&token)).await,
        Code::Unauthenticated
    );
    place.write("callers.toml", &CALLERS.replace("s-1", "s-2"));
    place.write("jwks.json", &jwks(&[&new]));
    assert_eq!(
        call(&channel, CHECK, Some(&token)).await,
        Code::Unauthenticated
    );
    program.signal("-HUP");
    until("the new files", async || {
        call(&channel, CHECK, Some(&token)).await == Code::InvalidArgument
    })
    .await;
    let said = program.stop();
    assert!(said.contains("told to by SIGHUP"), "{said}");
    assert!(!said.contains("answered"), "{said}");
}
