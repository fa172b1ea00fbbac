//! Sentinel, Cluster and TLS.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use icpgate::cache::{SetKey, SharedCache, SharedMode, SharedOptions};
use icpgate_policy::facts::Revision;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use redis::{Client, TlsCertificates};
use tempfile::TempDir;

use super::harness::{LOOK, Log, PATIENCE, get, kept, open, options, put, until_kept, until_used};
use super::samples::{facts, key};
use super::servers::redis::{Cluster, Redis, Signal, Watched, free_port};

#[tokio::test]
async fn behaviour_02_sentinels_tell_the_new_master() {
    let watched = tokio::task::spawn_blocking(|| Watched::start("", ""))
        .await
        .unwrap();
    let cache = open(by_sentinel(watched.urls()));
    let key = key("example.cn");
    until_kept(&cache, key, facts(5)).await;
    assert_eq!(role(&watched.replica), "slave");

    watched.master.signal(Signal::Kill);
    assert_eq!(get(&cache, key).await, None);
    until_kept(&cache, key, facts(6)).await;
    assert_eq!(role(&watched.replica), "master");
    // One that is announced nowhere any more is not asked; the Sentinels hear of it one by one.
    let start = Instant::now();
    while let Err(error) = cache.check().await {
        assert!(start.elapsed() < PATIENCE, "{error}");
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test]
async fn behaviour_02_a_master_that_is_deposed_is_left() {
    let watched = tokio::task::spawn_blocking(|| Watched::start("", ""))
        .await
        .unwrap();
    let cache = open(by_sentinel(watched.urls()));
    let key = key("example.cn");
    until_kept(&cache, key, facts(5)).await;
    // Both live on with their roles exchanged, and every command is answered all the while.
    watched.sentinels[0].tell("SENTINEL FAILOVER mymaster");
    let mut revision = 6;
    while role(&watched.replica) != "master" || role(&watched.master) != "slave" {
        put(&cache, key, facts(revision)).await;
        revision += 1;
    }
    until_kept(&cache, key, facts(revision)).await;
    let found = watched.replica.info("keyspace", "db0");
    assert!(found.is_some(), "what is put arrives at the new master");
}

#[tokio::test]
async fn sentinels_without_a_password_lead_to_servers_with_one() {
    let secret = "requirepass hunter2\nmasterauth hunter2";
    let watched = tokio::task::spawn_blocking(move || Watched::start(secret, ":hunter2@"));
    let watched = watched.await.unwrap();
    let urls = |secret: &str| {
        let ports = watched.sentinels.iter().map(Redis::port);
        ports
            .map(|port| format!("redis://{secret}127.0.0.1:{port}"))
            .collect()
    };
    let cache = open(by_sentinel(urls(":hunter2@")));
    until_kept(&cache, key("example.cn"), facts(5)).await;
    assert_eq!(cache.changed().await, Ok(None));
    let stranger = open(by_sentinel(urls("")));
    assert_eq!(get(&stranger, key("example.cn")).await, None);
    assert!(stranger.check().await.is_err());
}

#[tokio::test]
async fn a_cluster_takes_keys_of_all_slots() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let cache = open(by_cluster(&cluster));
    until_used(&cache).await;
    let keys: Vec<SetKey> = (0..1000).map(|name| key(&format!("{name}.cn"))).collect();
    put_all(&cache, &keys, 5).await;
    let sizes = cluster
        .nodes
        .iter()
        .map(|node| node.ask::<u64>(&redis::cmd("DBSIZE")).unwrap());
    for size in sizes {
        assert!(
            size > 100,
            "{size} keys of a thousand on one of three nodes"
        );
    }
    for node in &cluster.nodes {
        node.tell("CONFIG RESETSTAT");
    }
    let found = cache.get(&keys).await;
    for (key, found) in keys.iter().zip(&found) {
        assert_eq!(
            found.as_ref().map(|facts| facts.revision.0),
            Some(5),
            "{key:?}"
        );
    }
    let calls: u64 = cluster
        .nodes
        .iter()
        .map(|node| {
            let calls = node.info("commandstats", "cmdstat_mget").unwrap();
            let calls = calls
                .strip_prefix("calls=")
                .unwrap()
                .split(',')
                .next()
                .unwrap();
            calls.parse::<u64>().unwrap()
        })
        .sum();
    assert!(calls <= 256, "{calls} requests for a thousand keys");
    // The scripts hold on every node.
    put_all(&cache, &keys, 4).await;
    assert_eq!(cache.state().refused_puts, 1000);
    cache.invalidate(&keys, Revision(6)).await;
    assert_eq!(cache.get(&keys).await.iter().flatten().count(), 0);
    put_all(&cache, &keys, 5).await;
    assert_eq!(cache.get(&keys).await.iter().flatten().count(), 0);
    put_all(&cache, &keys, 6).await;
    assert_eq!(cache.get(&keys).await.iter().flatten().count(), 1000);
    assert_eq!(cache.state().errors, 0, "{:?}", cache.state());
}

#[tokio::test]
async fn announcements_reach_everybody_in_a_cluster() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let base = by_cluster(&cluster);
    let teller = open(base.clone());
    until_used(&teller).await;
    // Each listens at another node.
    for node in &cluster.nodes {
        let listener = open(SharedOptions {
            urls: vec![node.url()],
            ..base.clone()
        });
        assert_eq!(listener.changed().await, Ok(None));
        // What is said while nodes have no line to each other yet is lost, and said again.
        let again = Duration::from_secs(1);
        let heard = async {
            loop {
                teller.announce(Revision(7)).await;
                if let Ok(told) = tokio::time::timeout(again, listener.changed()).await {
                    return told;
                }
            }
        };
        let told = tokio::time::timeout(PATIENCE, heard).await;
        assert_eq!(told.unwrap(), Ok(Some(Revision(7))));
    }
}

#[tokio::test]
async fn behaviour_02_a_cluster_that_lost_a_node_serves_the_rest() {
    serves_the_rest(Signal::Kill).await;
}

#[tokio::test]
async fn behaviour_01_a_frozen_node_of_a_cluster_slows_few_answers() {
    let (cluster, cache, keys) = serves_the_rest(Signal::Stop).await;
    cluster.nodes[2].signal(Signal::Continue);
    let start = Instant::now();
    while found(&cache, &keys).await < keys.len() {
        assert!(start.elapsed() < PATIENCE, "{:?}", cache.state());
        tokio::time::sleep(LOOK).await;
    }
}

/// A cluster of which a node is gone, one way or the other.
async fn serves_the_rest(signal: Signal) -> (Cluster, SharedCache, Vec<SetKey>) {
    let log = Log::start();
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let mut options = by_cluster(&cluster);
    options.timeout = Duration::from_secs(1);
    let cache = open(options);
    let keys: Vec<SetKey> = (0..300).map(|name| key(&format!("{name}.cn"))).collect();
    let start = Instant::now();
    while found(&cache, &keys).await < keys.len() {
        put_all(&cache, &keys, 5).await;
        assert!(start.elapsed() < PATIENCE, "{:?}", cache.state());
    }

    cluster.nodes[2].signal(signal);
    let start = Instant::now();
    for key in &keys {
        get(&cache, *key).await;
    }
    // A third of them, each waiting for the time-out, would take ten times as long.
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    // Who asks for many gets what there is.
    let start = Instant::now();
    loop {
        let served = found(&cache, &keys).await;
        if (100..300).contains(&served) {
            break;
        }
        assert!(start.elapsed() < PATIENCE, "{served} {:?}", cache.state());
    }
    let lines = log.lines();
    assert!(lines.len() < 10, "{lines:#?}");
    (cluster, cache, keys)
}

async fn found(cache: &SharedCache, keys: &[SetKey]) -> usize {
    cache.get(keys).await.iter().flatten().count()
}

#[tokio::test]
async fn behaviour_02_a_cluster_that_is_gone_is_a_miss() {
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.unwrap();
    let cache = open(by_cluster(&cluster));
    let key = key("example.cn");
    until_kept(&cache, key, facts(5)).await;
    for node in &cluster.nodes {
        node.signal(Signal::Stop);
    }
    let mut short = by_cluster(&cluster);
    short.timeout = super::harness::SHORT;
    let other = open(short);
    assert_eq!(get(&other, key).await, None);
    for node in &cluster.nodes {
        node.signal(Signal::Continue);
    }
    until_kept(&other, key, facts(5)).await;
    assert!(kept(&cache, key).await.is_none() || cache.state().in_use);
}

#[tokio::test]
async fn tls_is_used_and_the_server_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority("right");
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    let server = tls_server(&folder, &authority, "127.0.0.1");
    let url = format!("rediss://127.0.0.1:{}", server.port());

    let with = |file: Option<&str>| SharedOptions {
        ca_file: file.map(|file| folder.path().join(file)),
        ..options(&url)
    };
    let cache = open(with(Some("ca.pem")));
    until_kept(&cache, key("example.cn"), facts(5)).await;
    // The line for announcements is as good.
    assert_eq!(cache.changed().await, Ok(None));

    let wrong = self::authority("wrong");
    std::fs::write(folder.path().join("wrong.pem"), wrong.pem()).unwrap();
    let strangers = open(with(Some("wrong.pem")));
    // The authorities of the system do not know the test's either.
    let system = open(with(None));
    for stranger in [&strangers, &system] {
        put(stranger, key("example.cn"), facts(5)).await;
        assert_eq!(get(stranger, key("example.cn")).await, None);
        let problem = stranger.check().await.unwrap_err().to_string();
        assert!(problem.to_lowercase().contains("certificate"), "{problem}");
        assert!(stranger.changed().await.is_err());
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let authority = authority("right");
    std::fs::write(folder.path().join("ca.pem"), authority.pem()).unwrap();
    let server = tls_server(&folder, &authority, "localhost");
    let mut options = options(&format!("rediss://127.0.0.1:{}", server.port()));
    options.ca_file = Some(folder.path().join("ca.pem"));
    let cache = open(options);
    let problem = cache.check().await.unwrap_err().to_string();
    assert!(problem.contains("not valid for"), "{problem}");
    assert_eq!(get(&cache, key("example.cn")).await, None);
}

#[tokio::test]
async fn tls_is_never_left_out() {
    let plain = Redis::start();
    let cache = open(options(&format!("rediss://127.0.0.1:{}", plain.port())));
    assert_eq!(get(&cache, key("example.cn")).await, None);
    assert!(cache.check().await.is_err());
}

fn by_sentinel(urls: Vec<String>) -> SharedOptions {
    SharedOptions {
        urls,
        mode: SharedMode::Sentinel {
            service: "mymaster".to_owned(),
        },
        ..options("")
    }
}

fn by_cluster(cluster: &Cluster) -> SharedOptions {
    SharedOptions {
        urls: cluster.urls(),
        mode: SharedMode::Cluster,
        ..options("")
    }
}

async fn put_all(cache: &SharedCache, keys: &[SetKey], revision: u64) {
    let entries: Vec<_> = keys
        .iter()
        .map(|key| (*key, Arc::new(facts(revision))))
        .collect();
    cache.put(&entries).await;
}

fn role(server: &Redis) -> String {
    server.info("replication", "role").unwrap_or_default()
}

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server that speaks TLS only, with a certificate for a name or an address.
fn tls_server(
    folder: &TempDir,
    authority: &CertifiedIssuer<'static, KeyPair>,
    name: &str,
) -> Redis {
    let pair = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    let certificate = params.signed_by(&pair, authority).unwrap();
    let write = |file: &str, text: String| {
        let path = folder.path().join(file);
        std::fs::write(&path, text).unwrap();
        path
    };
    let certificate = write("server.pem", certificate.pem());
    let pair = write("server.key", pair.serialize_pem());
    let shown = Path::display;
    let port = free_port();
    let lines = format!(
        "port 0\ntls-port {port}\ntls-cert-file {}\ntls-key-file {}\ntls-auth-clients no",
        shown(&certificate),
        shown(&pair),
    );
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(authority.pem().into_bytes()),
    };
    let admin = format!("rediss://{name}:{port}");
    let admin = Client::build_with_tls(admin, certificates).unwrap();
    Redis::start_at(port, &lines, &[], admin)
}
