//! What is configured, and what is said of it where it cannot be right.

use icpgate::cache::{SharedCache, SharedError, SharedMode, SharedOptions};
use tokio_util::task::TaskTracker;

use super::harness::options;

const SECRET: &str = "hunter2";

fn refused(options: SharedOptions) -> String {
    let error = SharedCache::new(options, TaskTracker::new()).expect_err("it cannot be right");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(SECRET), "{shown}");
    match &error {
        SharedError::Address { .. } => assert!(shown.contains("redis.urls"), "{shown}"),
        SharedError::Authorities { .. } => assert!(shown.contains("redis.ca_file"), "{shown}"),
        SharedError::Deaf { .. } | SharedError::Unusable { .. } => panic!("{shown}"),
    }
    error.to_string()
}

fn several(urls: &[&str], mode: SharedMode) -> SharedOptions {
    SharedOptions {
        urls: urls.iter().map(|&url| url.to_owned()).collect(),
        mode,
        ..options("")
    }
}

#[test]
fn addresses_that_mean_nothing_are_refused_without_their_passwords() {
    for url in [
        "",
        "hunter2",
        "redis://:hunter2@",
        "redis://icp:hunter2@host:port",
        "redis://icp:hunter2@host/database",
        "postgres://icp:hunter2@host",
        "redis://icp:hunter2@host:1/?protocol=9",
        "rediss://icp:hunter2@host/#insecure",
        "rediss://icp:hunter2@host/#whatever",
        "redis://icp:hunter2@0.0.0.0",
    ] {
        let problem = refused(options(url));
        assert!(problem.contains("address 1"), "{url}: {problem}");
    }
    let second = ["redis://a", "redis://icp:hunter2@host:port"];
    let problem = refused(several(&second, SharedMode::Cluster));
    assert!(problem.contains("address 2"), "{problem}");
}

#[test]
fn addresses_that_do_not_fit_together_are_refused() {
    let service = || SharedMode::Sentinel {
        service: "mymaster".to_owned(),
    };
    refused(several(&[], SharedMode::Standalone));
    let problem = refused(several(&["redis://a", "redis://b"], SharedMode::Standalone));
    assert!(problem.contains("sentinel"), "{problem}");
    for mode in [service(), SharedMode::Cluster] {
        let mixed = ["redis://a", "rediss://b"];
        let problem = refused(several(&mixed, mode.clone()));
        assert!(problem.contains("rediss://"), "{problem}");
        refused(several(&["redis://:hunter2@a", "redis://:other@b"], mode));
    }
}

#[test]
fn authorities_are_read_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        Some(path)
    };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for ca_file in [
        Some(folder.path().join("missing.pem")),
        file("empty.pem", ""),
        file("text.pem", "no certificate"),
        file("broken.pem", broken),
    ] {
        let shown = format!("{ca_file:?}");
        let problem = refused(SharedOptions {
            ca_file,
            ..options("rediss://localhost")
        });
        assert!(problem.contains(".pem"), "{shown}: {problem}");
    }
    refused(SharedOptions {
        ca_file: file("unused.pem", broken),
        ..options("redis://localhost")
    });
}

#[test]
fn options_show_no_password() {
    let shown = format!("{:?}", options("redis://icp:hunter2@host"));
    assert!(!shown.contains(SECRET), "{shown}");
}
