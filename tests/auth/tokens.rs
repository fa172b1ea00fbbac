//! What a token must be.

use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use serde_json::{Value, json};
use tonic::Code;

use crate::pki::{Authority, Signer, base64, jwks, unsigned};
use crate::server::{
    CHECK, Place, Server, call, call_with, question, reason, try_call, until, with_token,
};

const PUT: &str = "/icpgate.v1.RecordService/PutRecords";

const CALLERS: &str = "
[[caller]]
name = \"shop\"
roles = [\"checker\"]
subjects = [\"shop\"]
";

async fn server(signers: &[&Signer], algorithms: &str) -> Server {
    let mut place = Place::new();
    place.tokens(signers);
    place.set("auth.jwt_algorithms", algorithms);
    place.callers(CALLERS);
    place.start().await
}

#[tokio::test]
async fn tokens_of_every_kind_of_key_are_taken() {
    let (ec, ed, rsa) = (Signer::ec("e"), Signer::ed("d"), Signer::rsa("r"));
    let server = server(&[&ec, &ed, &rsa], "ES256,EdDSA,RS256,PS256").await;
    let channel = server.channel(None).await;
    let claims = server.claims("shop");
    let pss = json!({"alg": "PS256", "kid": "r"});
    let mut list = claims.clone();
    list["aud"] = json!(["other", "icpgate"]);
    for token in [
        ec.token(&claims),
        ed.token(&claims),
        rsa.token(&claims),
        rsa.token_with(&pss, &claims),
        ec.token(&list),
        // Without an identifier all keys of the algorithm are tried.
        ec.token_with(&json!({"alg": "ES256"}), &claims),
    ] {
        let mut client = ProvisioningServiceClient::new(channel.clone());
        for _ in 0..3 {
            let request = with_token(question("sample-shop.cn"), &token);
            let answer = client.check_provisioning(request).await.unwrap();
            assert!(answer.into_inner().decision.is_some());
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_chooses_no_algorithm_that_is_not_configured() {
    let rsa = Signer::rsa("r");
    let ec = Signer::ec("e");
    let server = server(&[&rsa, &ec], "RS256,ES256").await;
    let channel = server.channel(None).await;
    let claims = server.claims("shop");
    let mut refused = vec![
        // The same key, in a way that was not asked for.
        rsa.token_with(&json!({"alg": "PS256", "kid": "r"}), &claims),
        // A key under the name of another one's algorithm.
        ec.token_with(&json!({"alg": "RS256", "kid": "e"}), &claims),
        ec.token_with(&json!({"alg": "ES256", "kid": "r"}), &claims),
        // What is critical and not understood.
        ec.token_with(
            &json!({"alg": "ES256", "kid": "e", "crit": ["b64"], "b64": false}),
            &claims,
        ),
    ];
    for algorithm in ["none", "None", "NONE", ""] {
        let message = unsigned(&json!({"alg": algorithm, "kid": "r"}), &claims);
        refused.push(format!("{message}."));
        refused.push(message);
    }
    // The public key as a shared secret, in every form in which it is public.
    let public = rsa.jwk();
    let modulus = public["n"].as_str().unwrap().to_owned();
    for secret in [
        modulus.as_bytes(),
        public.to_string().as_bytes(),
        jwks(&[&rsa]).as_bytes(),
    ] {
        let message = unsigned(&json!({"alg": "HS256", "kid": "r"}), &claims);
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
        let tag = ring::hmac::sign(&key, message.as_bytes());
        refused.push(format!("{message}.{}", base64(tag.as_ref())));
    }
    // Keys that the token brings along.
    let own = Signer::ec("own");
    refused.push(own.token_with(
        &json!({"alg": "ES256", "kid": "own", "jwk": own.jwk(), "jku": "http://127.0.0.1:1/"}),
        &claims,
    ));
    for token in refused {
        let status = try_call(&channel, CHECK, Some(&token)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{token}");
        assert_eq!(reason(&status), "CREDENTIAL_REFUSED");
    }
    assert_eq!(
        call(&channel, CHECK, Some(&rsa.token(&claims))).await,
        Code::InvalidArgument
    );
    server.stop().await;
}

#[tokio::test]
async fn a_changed_token_is_refused_although_the_right_one_is_known() {
    let signer = Signer::ec("k");
    let server = server(&[&signer], "ES256").await;
    let channel = server.channel(None).await;
    let token = signer.token(&server.claims("shop"));
    assert_eq!(
        call(&channel, CHECK, Some(&token)).await,
        Code::InvalidArgument
    );
    let parts: Vec<&str> = token.split('.').collect();
    let mut claims = server.claims("shop");
    claims["exp"] = json!(server.now() + 1_000_000);
    let other = unsigned(&json!({"alg": "ES256", "kid": "k"}), &claims);
    for changed in [
        format!("{other}.{}", parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{token}.{}", parts[2]),
        format!("{}.{}.{}", parts[0], parts[1], base64(&[0; 64])),
        token.chars().take(token.len() - 4).collect(),
        format!("{token}A"),
    ] {
        assert_eq!(
            call(&channel, CHECK, Some(&changed)).await,
            Code::Unauthenticated,
            "{changed}"
        );
    }
    server.stop().await;
}

#[tokio::test]
async fn a_token_ends_although_it_was_taken_before() {
    let signer = Signer::ec("k");
    let server = server(&[&signer], "ES256").await;
    let channel = server.channel(None).await;
    let mut claims = server.claims("shop");
    claims["nbf"] = json!(server.now() + 20);
    let token = signer.token(&claims);
    // Within the leeway of 30 s on both sides.
    assert_eq!(
        call(&channel, CHECK, Some(&token)).await,
        Code::InvalidArgument
    );
    let advance = |seconds| {
        let by = jiff::SignedDuration::from_secs(seconds);
        server.clock.advance(by);
    };
    advance(300 + 29);
    assert_eq!(
        call(&channel, CHECK, Some(&token)).await,
        Code::InvalidArgument
    );
    advance(1);
    assert_eq!(
        call(&channel, CHECK, Some(&token)).await,
        Code::Unauthenticated
    );
    server.stop().await;
}

#[tokio::test]
async fn claims_of_other_forms_let_nobody_in() {
    let signer = Signer::ec("k");
    let server = server(&[&signer], "ES256").await;
    let channel = server.channel(None).await;
    let good = server.claims("shop");
    let cases: [(&str, Value); 12] = [
        ("exp", json!("2099-01-01")),
        ("exp", json!(null)),
        ("exp", json!(-1)),
        ("exp", json!([good["exp"]])),
        ("sub", json!("")),
        ("sub", json!(["shop"])),
        ("sub", json!("Shop")),
        ("sub", json!("shop ")),
        ("aud", json!([])),
        ("aud", json!("icpgate2")),
        ("iss", json!("https://id.example/")),
        ("nbf", json!("soon")),
    ];
    for (key, value) in cases {
        let mut claims = good.clone();
        claims[key] = value;
        let code = call(&channel, CHECK, Some(&signer.token(&claims))).await;
        assert_eq!(code, Code::Unauthenticated, "{claims}");
    }
    // A far end is an end like others.
    let mut claims = good.clone();
    claims["exp"] = json!(1e18);
    assert_eq!(
        call(&channel, CHECK, Some(&signer.token(&claims))).await,
        Code::InvalidArgument
    );
    server.stop().await;
}

#[tokio::test]
async fn headers_that_are_no_one_bearer_token_let_nobody_in() {
    let signer = Signer::ec("k");
    let server = server(&[&signer], "ES256").await;
    let channel = server.channel(None).await;
    let token = signer.token(&server.claims("shop"));
    for header in [
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("Bearer  {token}"),
    ] {
        let status = call_with(&channel, CHECK, Some(&header)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{header}");
    }
    let long = "a".repeat(9_000);
    for header in [
        token.clone(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Basic c2hvcDpzaG9w".to_owned(),
        format!("Bearer {token} {token}"),
        format!("Bearer {token},{token}"),
        format!("Bearer {long}"),
    ] {
        let status = call_with(&channel, CHECK, Some(&header)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{header}");
    }
    // Two headers, each of them right.
    let mut request = with_token(question("sample-shop.cn"), &token);
    let value = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().append("authorization", value);
    let mut client = ProvisioningServiceClient::new(channel);
    let status = client.check_provisioning(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    server.stop().await;
}

#[tokio::test]
async fn strangers_learn_nothing() {
    let signer = Signer::ec("k");
    let server = server(&[&signer], "ES256").await;
    let channel = server.channel(None).await;
    let mut expired = server.claims("shop");
    expired["exp"] = json!(1);
    let told = [
        Signer::ec("k").token(&server.claims("shop")),
        Signer::ec("other").token(&server.claims("shop")),
        signer.token(&expired),
        signer.token(&server.claims("stranger")),
        "x".to_owned(),
    ];
    let mut seen = std::collections::BTreeSet::new();
    for token in told {
        let status = try_call(&channel, CHECK, Some(&token)).await.unwrap_err();
        seen.insert((status.message().to_owned(), status.details().to_vec()));
        assert!(!status.message().contains("shop"));
    }
    assert_eq!(seen.len(), 1, "whatever is wrong, the answer is the same");
    let status = try_call(&channel, CHECK, None).await.unwrap_err();
    assert_eq!(reason(&status), "CREDENTIAL_MISSING");
    server.stop().await;
}

/// With both, both must be right, and the token names the caller.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_and_a_token_must_both_be_right() {
    let authority = Authority::new();
    let signer = Signer::ec("k");
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(&authority);
    place.tokens(&[&signer]);
    place.callers(
        "
[[caller]]
name = \"mesh\"
roles = []
certificates = [\"spiffe://example.org/mesh\"]
[[caller]]
name = \"operator\"
roles = [\"operator\"]
certificates = [\"dns:operator.example\"]
[[caller]]
name = \"shop\"
roles = [\"checker\"]
subjects = [\"shop\"]
",
    );
    let server = place.start().await.trusted(&authority);
    let token = signer.token(&server.claims("shop"));
    let identity = |name: &str| authority.caller(&[name]).identity();
    let mesh = server
        .channel(Some(identity("spiffe://example.org/mesh")))
        .await;
    let operator = server.channel(Some(identity("dns:operator.example"))).await;
    let stranger = server.channel(Some(identity("dns:stranger.example"))).await;
    let bare = server.channel(None).await;
    let cases = [
        (&bare, CHECK, None, Code::Unauthenticated),
        (&bare, CHECK, Some(&*token), Code::InvalidArgument),
        (&bare, CHECK, Some("wrong"), Code::Unauthenticated),
        (&mesh, CHECK, None, Code::PermissionDenied),
        (&mesh, CHECK, Some(&*token), Code::InvalidArgument),
        (&mesh, CHECK, Some("wrong"), Code::Unauthenticated),
        (&operator, PUT, None, Code::InvalidArgument),
        // Whoever calls on behalf of the shop may what the shop may.
        (&operator, PUT, Some(&*token), Code::PermissionDenied),
        (&operator, CHECK, Some("wrong"), Code::Unauthenticated),
        (&stranger, CHECK, None, Code::Unauthenticated),
        (&stranger, CHECK, Some(&*token), Code::Unauthenticated),
    ];
    for (at, (channel, path, token, code)) in cases.into_iter().enumerate() {
        assert_eq!(call(channel, path, token).await, code, "case {at}");
    }
    server.stop().await;
}

/// A caller whose entry is taken away is refused on the connection and with the token that it has.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_are_read_anew() {
    let authority = Authority::new();
    let signer = Signer::ec("k");
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(&authority);
    place.tokens(&[&signer]);
    let both = "[[caller]]\nname = \"shop\"\nroles = [\"checker\"]\n\
                certificates = [\"dns:shop.example\"]\nsubjects = [\"shop\"]\n";
    place.callers(both);
    let server = place.start().await.trusted(&authority);
    let identity = authority.caller(&["dns:shop.example"]).identity();
    let certified = server.channel(Some(identity)).await;
    let bare = server.channel(None).await;
    let token = signer.token(&server.claims("shop"));
    let codes = async || {
        [
            call(&certified, CHECK, None).await,
            call(&bare, CHECK, Some(&token)).await,
        ]
    };
    assert_eq!(codes().await, [Code::InvalidArgument; 2]);
    let write = |text: &str| server.place.write("callers.toml", text);
    write(&both.replace("checker", "auditor"));
    until("the new role", async || {
        codes().await == [Code::PermissionDenied; 2]
    })
    .await;
    // What is wrong changes nothing.
    write("[[caller]]\nname = \"a b\"");
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert_eq!(codes().await, [Code::PermissionDenied; 2]);
    write(&both.replace("shop", "other"));
    until("nobody", async || {
        codes().await == [Code::Unauthenticated; 2]
    })
    .await;
    write(both);
    until("the caller", async || {
        codes().await == [Code::InvalidArgument; 2]
    })
    .await;
    server.stop().await;
}
