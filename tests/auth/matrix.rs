//! Behaviour 20: every method, with every kind of credential and every role. The methods come from
//! the descriptors, so that a new one fails here until somebody has said who may call it.

use std::collections::{BTreeMap, BTreeSet};

use icpgate::auth::{METHODS, methods};
use icpgate::proto;
use prost::Message as _;
use prost_types::FileDescriptorSet;
use serde_json::json;
use tonic::Code;

use crate::pki::{Authority, Signer};
use crate::server::{Place, call, file};

const ROLES: [&str; 4] = ["auditor", "checker", "importer", "operator"];

/// Who may call what, written down once more: a slip of the table must not pass as its own proof.
const EXPECTED: [(&str, &[&str]); 12] = [
    (
        "/icpgate.v1.ProvisioningService/CheckProvisioning",
        &["checker", "operator"],
    ),
    (
        "/icpgate.v1.ProvisioningService/BatchCheckProvisioning",
        &["checker", "operator"],
    ),
    (
        "/icpgate.v1.ProvisioningService/ScreenDomains",
        &["checker", "operator"],
    ),
    (
        "/icpgate.v1.ProvisioningService/GetDecision",
        &["auditor", "checker", "operator"],
    ),
    (
        "/icpgate.v1.RecordService/PutRecords",
        &["importer", "operator"],
    ),
    (
        "/icpgate.v1.RecordService/ImportRecords",
        &["importer", "operator"],
    ),
    (
        "/icpgate.v1.RecordService/GetDomain",
        &["auditor", "importer", "operator"],
    ),
    (
        "/icpgate.v1.RecordService/ListChanges",
        &["auditor", "operator"],
    ),
    ("/grpc.health.v1.Health/Check", &["everyone"]),
    ("/grpc.health.v1.Health/Watch", &["everyone"]),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        &ROLES,
    ),
    (
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        &ROLES,
    ),
];

#[test]
fn every_method_of_the_descriptors_is_listed() {
    let served: BTreeSet<String> = [
        proto::DESCRIPTORS,
        tonic_health::pb::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
        tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
    ]
    .into_iter()
    .flat_map(paths)
    .collect();
    assert!(served.len() >= EXPECTED.len(), "{served:?}");
    let expected: BTreeSet<String> = EXPECTED
        .iter()
        .map(|(path, _)| (*path).to_owned())
        .collect();
    assert_eq!(served, expected, "say here who may call a new method");
    let listed: BTreeSet<String> = METHODS
        .iter()
        .map(|method| method.path.to_owned())
        .collect();
    assert_eq!(served, listed, "list a new method in src/auth/methods.rs");
}

/// Tokens over plain connections: the same for every credential, and quick.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_lets_in_who_may_and_nobody_else() {
    let signer = Signer::ec("k1");
    let stranger = Signer::ec("k1");
    let unknown = Signer::ec("k2");
    let mut place = Place::new();
    place.tokens(&[&signer]);
    place.set("grpc.reflection", "on");
    let mut callers =
        String::from("[[caller]]\nname = \"nobody\"\nroles = []\nsubjects = [\"nobody\"]\n");
    for role in ROLES {
        callers += &format!(
            "[[caller]]\nname = \"{role}\"\nroles = [\"{role}\"]\nsubjects = [\"{role}\"]\n"
        );
    }
    place.callers(&callers);
    let server = place.start().await;
    let channel = server.channel(None).await;
    let good = server.claims("operator");
    let with = |key: &str, value: serde_json::Value| {
        let mut claims = good.clone();
        claims[key] = value;
        claims
    };
    let without = |key: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(key);
        claims
    };
    let now = server.now();
    let refused: BTreeMap<&str, Option<String>> = BTreeMap::from([
        ("none", None),
        ("another signature", Some(stranger.token(&good))),
        ("unknown key", Some(unknown.token(&good))),
        ("expired", Some(signer.token(&with("exp", json!(now - 60))))),
        ("no end", Some(signer.token(&without("exp")))),
        ("not yet", Some(signer.token(&with("nbf", json!(now + 60))))),
        (
            "another issuer",
            Some(signer.token(&with("iss", json!("https://other.example")))),
        ),
        ("no issuer", Some(signer.token(&without("iss")))),
        (
            "another audience",
            Some(signer.token(&with("aud", json!("other")))),
        ),
        ("no audience", Some(signer.token(&without("aud")))),
        (
            "an unknown subject",
            Some(signer.token(&with("sub", json!("stranger")))),
        ),
        ("no subject", Some(signer.token(&without("sub")))),
        ("no token", Some("not-a-token".to_owned())),
    ]);
    for (path, allowed) in EXPECTED {
        let open = allowed == ["everyone"];
        for (what, token) in &refused {
            let code = call(&channel, path, token.as_deref()).await;
            assert_eq!(
                code == Code::Unauthenticated,
                !open,
                "{path} with {what}: {code:?}"
            );
        }
        for role in ROLES.into_iter().chain(["nobody"]) {
            let token = signer.token(&server.claims(role));
            let code = call(&channel, path, Some(&token)).await;
            let may = open || allowed.contains(&role);
            assert_ne!(code, Code::Unauthenticated, "{path} as {role}");
            assert_eq!(
                code != Code::PermissionDenied,
                may,
                "{path} as {role}: {code:?}"
            );
        }
    }
    server.stop().await;
}

/// The same with certificates: who is named by one, and who is not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_method_asks_for_the_role_of_a_certificate() {
    let authority = Authority::new();
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(&authority);
    place.set("grpc.reflection", "on");
    let mut callers = String::new();
    for role in ROLES {
        callers += &format!(
            "[[caller]]\nname = \"{role}\"\nroles = [\"{role}\"]\ncertificates = [\"dns:{role}.example\"]\n"
        );
    }
    place.callers(&callers);
    let server = place.start().await.trusted(&authority);
    for role in ROLES.into_iter().chain(["stranger"]) {
        let pair = authority.caller(&[&format!("dns:{role}.example")]);
        let channel = server.channel(Some(pair.identity())).await;
        for (path, allowed) in EXPECTED {
            let code = call(&channel, path, None).await;
            let open = allowed == ["everyone"];
            assert_eq!(
                code == Code::Unauthenticated,
                role == "stranger" && !open,
                "{path} as {role}: {code:?}"
            );
            if role != "stranger" {
                let may = open || allowed.contains(&role);
                assert_eq!(
                    code != Code::PermissionDenied,
                    may,
                    "{path} as {role}: {code:?}"
                );
            }
        }
    }
    server.stop().await;
}

#[tokio::test]
async fn a_method_that_is_not_listed_is_there_for_nobody() {
    let signer = Signer::ec("k1");
    let mut place = Place::new();
    place.tokens(&[&signer]);
    place.callers("[[caller]]\nname = \"o\"\nroles = [\"operator\"]\nsubjects = [\"o\"]\n");
    let server = place.start().await;
    let channel = server.channel(None).await;
    let token = signer.token(&server.claims("o"));
    for path in [
        "/icpgate.v1.ProvisioningService/DropEverything",
        "/icpgate.v2.ProvisioningService/CheckProvisioning",
        "/icpgate.v1.ProvisioningService/checkprovisioning",
        "/icpgate.v1.ProvisioningService/CheckProvisioning/",
        "/grpc.health.v1.Health/Check/../../../icpgate.v1.RecordService/PutRecords",
        "/",
    ] {
        assert_eq!(
            call(&channel, path, None).await,
            Code::Unauthenticated,
            "{path}"
        );
        assert_eq!(
            call(&channel, path, Some(&token)).await,
            Code::Unimplemented,
            "{path}"
        );
    }
    // Reflection is off where callers have to show who they are, unless it was asked for.
    let path = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
    assert_eq!(
        call(&channel, path, Some(&token)).await,
        Code::Unimplemented
    );
    server.stop().await;
}

#[test]
fn the_page_tells_what_the_table_tells() {
    let path = file(methods::REFERENCE_PATH);
    let page = methods::reference();
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of this test, not configuration"
    )]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    if update {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page,
        "{} is not what the table says; run `UPDATE_DOCS=1 cargo test --test auth`",
        methods::REFERENCE_PATH
    );
}

fn paths(descriptors: &[u8]) -> Vec<String> {
    let set = FileDescriptorSet::decode(descriptors).unwrap();
    let mut paths = Vec::new();
    for file in &set.file {
        for service in &file.service {
            for method in &service.method {
                paths.push(format!(
                    "/{}.{}/{}",
                    file.package(),
                    service.name(),
                    method.name()
                ));
            }
        }
    }
    paths
}
