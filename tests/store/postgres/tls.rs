//! Encrypted connections, and what verification refuses.

use icpgate::store::{PostgresStore, Store as _, StoreError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

use super::{options, problem};
use crate::samples::{at, new, registration};
use crate::servers::postgres::{Server, Setup};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    /// Certificate and key of a server.
    fn identity(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// Parameters that trust this authority.
    fn trusted(&self, mode: &str) -> String {
        let file = self.folder.path().join("ca.pem");
        format!("sslmode={mode}&sslrootcert={}", file.display())
    }
}

async fn server(identity: (String, String)) -> Option<Server> {
    Server::start(Setup {
        identity: Some(identity),
        ..Setup::default()
    })
    .await
}

fn url(server: &Server, parameters: &str) -> String {
    format!(
        "postgres://icpgate:hunter2@localhost:{}/postgres?{parameters}",
        server.port()
    )
}

async fn refusal(server: &Server, parameters: &str) -> String {
    let refused = PostgresStore::open(&url(server, parameters), options()).await;
    let error: StoreError = refused.expect_err("is refused");
    assert!(!format!("{error} {error:?}").contains("hunter2"));
    problem(error)
}

#[tokio::test]
async fn a_verified_server_is_used_and_every_connection_is_encrypted() {
    let authority = Authority::new();
    let Some(server) = server(authority.identity("localhost")).await else {
        return;
    };
    let url = url(&server, &authority.trusted("verify-full"));
    let store = PostgresStore::open(&url, options()).await.unwrap();
    store.changed().await.unwrap();
    store
        .put(vec![new(registration("a.cn", "r"))], at(0))
        .await
        .unwrap();
    store.ping().await.unwrap();
    let (all, encrypted): (i64, i64) = sqlx::query_as(
        "SELECT count(*), count(*) FILTER (WHERE ssl) FROM pg_stat_ssl
         JOIN pg_stat_activity USING (pid) WHERE application_name = 'icpgate'",
    )
    .fetch_one(&mut PgConnection::connect(&server.url()).await.unwrap())
    .await
    .unwrap();
    assert!(all >= 4, "questions, writes, health and signs: {all}");
    assert_eq!(encrypted, all);
}

#[tokio::test]
async fn a_server_of_another_authority_is_refused() {
    let authority = Authority::new();
    let Some(server) = server(authority.identity("localhost")).await else {
        return;
    };
    for mode in ["verify-full", "verify-ca"] {
        let other = Authority::new();
        let told = refusal(&server, &other.trusted(mode)).await;
        assert!(told.contains("sslrootcert"), "{mode}: {told}");
    }
    // Those of the system do not know it either.
    let told = refusal(&server, "sslmode=verify-full").await;
    assert!(told.contains("sslrootcert"), "{told}");
}

#[tokio::test]
async fn a_server_of_another_name_is_refused_where_names_are_verified() {
    let authority = Authority::new();
    let Some(server) = server(authority.identity("db.example")).await else {
        return;
    };
    let told = refusal(&server, &authority.trusted("verify-full")).await;
    assert!(told.contains("sslmode"), "{told}");
    let url = url(&server, &authority.trusted("verify-ca"));
    PostgresStore::open(&url, options()).await.unwrap();
}

#[tokio::test]
async fn a_file_of_authorities_that_is_not_there_is_refused() {
    let authority = Authority::new();
    let Some(server) = server(authority.identity("localhost")).await else {
        return;
    };
    let missing = "sslmode=verify-full&sslrootcert=/nowhere/ca.pem";
    let told = refusal(&server, missing).await;
    assert!(told.contains("`sslrootcert` cannot be read"), "{told}");
}
