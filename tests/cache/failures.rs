//! A server that is gone, slow, full, locked or empty: never an error, never a long wait.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use icpgate::cache::{SharedCache, SharedError};
use icpgate_policy::facts::Revision;
use tokio_util::task::TaskTracker;

use super::harness::{
    Log, SHORT, cache, get, kept, open, options, put, until, until_kept, until_unused, until_used,
};
use super::samples::{facts, key};
use super::servers::redis::{Redis, Signal, free_port, wait};

/// Far more than an answer takes and far less than many time-outs.
const SOON: Duration = Duration::from_secs(10);

/// A time-out that a healthy server meets on a busy machine.
const BEARABLE: Duration = Duration::from_millis(500);

#[tokio::test]
async fn behaviour_02_a_server_that_refuses_is_a_miss_and_one_line() {
    let log = Log::start();
    let cache = cache(&format!("redis://icp:hunter2@127.0.0.1:{}", free_port()));
    let start = Instant::now();
    for name in 0..1000 {
        let key = key(&format!("{name}.cn"));
        put(&cache, key, facts(1)).await;
        assert_eq!(get(&cache, key).await, None);
        cache.invalidate(&[key], Revision(1)).await;
        cache.announce(Revision(1)).await;
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let state = cache.state();
    assert!(!state.in_use);
    assert_eq!(state.misses, 1000);
    let lines = log.lines();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(
        lines[0].contains("doing without Redis at 127.0.0.1"),
        "{lines:?}"
    );
    assert!(!lines[0].contains("hunter2") && !format!("{cache:?}").contains("hunter2"));
    let refused = cache.check().await.unwrap_err();
    assert!(
        matches!(&refused, SharedError::Unusable { .. }),
        "{refused}"
    );
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
}

#[tokio::test]
async fn behaviour_02_a_black_hole_is_a_miss() {
    // Connections are made by the system, and nobody takes them.
    let hole = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("redis://{}", hole.local_addr().unwrap());
    let mut options = options(&url);
    options.timeout = SHORT;
    let cache = open(options);
    let start = Instant::now();
    for _ in 0..300 {
        assert_eq!(get(&cache, key("example.cn")).await, None);
    }
    // Each waiting the whole time-out would be twice as long, each connecting far longer.
    assert!(start.elapsed() < SHORT * 150, "{:?}", start.elapsed());
    assert!(!cache.state().in_use);
}

#[tokio::test]
async fn behaviour_01_a_frozen_server_slows_few_answers_and_then_none() {
    let log = Log::start();
    let server = Redis::start();
    let mut options = options(&server.url());
    options.timeout = BEARABLE;
    let cache = open(options);
    let key = key("example.cn");
    until_kept(&cache, key, facts(5)).await;
    let before = cache.state();

    server.signal(Signal::Stop);
    let mut slow = 0;
    while cache.state().in_use {
        let start = Instant::now();
        assert_eq!(get(&cache, key).await, None);
        assert!(start.elapsed() < BEARABLE + SOON);
        slow += 1;
    }
    assert!(slow <= 5, "{slow} answers waited for the time-out");
    let start = Instant::now();
    for _ in 0..1000 {
        assert_eq!(get(&cache, key).await, None);
        put(&cache, key, facts(5)).await;
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let state = cache.state();
    assert_eq!(state.opened, before.opened + 1);
    assert_eq!(state.timeouts, before.timeouts + slow);

    server.signal(Signal::Continue);
    until(&cache, key, "Redis to be of use again", |_, found| {
        found.is_some()
    })
    .await;
    let lines = log.lines();
    assert_eq!(lines.len(), 3, "one for each flip: {lines:?}");
    assert!(lines[1].contains("did not answer in time"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn behaviour_01_a_crowd_before_a_frozen_server_is_bounded() {
    let server = Redis::start();
    let mut options = options(&server.url());
    options.timeout = BEARABLE;
    let cache = open(options);
    until_used(&cache).await;
    server.signal(Signal::Stop);
    let start = Instant::now();
    let tasks = TaskTracker::new();
    let crowd: Vec<_> = (0..5000)
        .map(|name| {
            let cache = cache.clone();
            tasks.spawn(async move { get(&cache, key(&format!("{name}.cn"))).await })
        })
        .collect();
    for caller in crowd {
        assert_eq!(caller.await.unwrap(), None);
    }
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    let state = cache.state();
    assert!(state.shed > 0, "{state:?}");
    assert!(state.timeouts <= 1024 + 5, "{state:?}");
    assert!(!state.in_use);
}

#[tokio::test]
async fn behaviour_02_a_server_that_restarts_is_empty_and_of_use_again() {
    let server = Redis::start();
    let cache = cache(&server.url());
    let key = key("example.cn");
    put(&cache, key, facts(5)).await;
    server.signal(Signal::Kill);
    assert_eq!(get(&cache, key).await, None);
    until_unused(&cache).await;
    server.run();
    until_used(&cache).await;
    assert_eq!(get(&cache, key).await, None, "empty");
    // Its scripts are gone as well.
    until_kept(&cache, key, facts(4)).await;
}

#[tokio::test]
async fn behaviour_03_absent_at_the_start_and_there_later() {
    let server = Redis::absent();
    let cache = cache(&server.url());
    let key = key("example.cn");
    put(&cache, key, facts(5)).await;
    assert_eq!(get(&cache, key).await, None);
    assert!(!cache.state().in_use);
    server.run();
    until_kept(&cache, key, facts(5)).await;
    assert!(cache.check().await.is_ok());
}

#[tokio::test]
async fn behaviour_02_a_read_only_replica_is_not_used() {
    let server = Redis::start();
    let log = Log::start();
    let cache = cache(&server.url());
    let key = key("example.cn");
    put(&cache, key, facts(5)).await;
    server.tell(&format!("REPLICAOF 127.0.0.1 {}", free_port()));
    put(&cache, key, facts(6)).await;
    assert_eq!(get(&cache, key).await, None);
    until_unused(&cache).await;
    server.tell("REPLICAOF NO ONE");
    until_kept(&cache, key, facts(7)).await;
    let lines = log.lines();
    assert!(lines[1].contains("doing without"), "{lines:?}");
    assert!(lines[1].to_lowercase().contains("read only"), "{lines:?}");
}

#[tokio::test]
async fn behaviour_02_a_full_server_is_not_used() {
    let server = Redis::start();
    let log = Log::start();
    let cache = cache(&server.url());
    let key = key("example.cn");
    put(&cache, key, facts(5)).await;
    server.tell("CONFIG SET maxmemory 1");
    put(&cache, key, facts(6)).await;
    assert_eq!(get(&cache, key).await, None);
    until_unused(&cache).await;
    server.tell("CONFIG SET maxmemory 0");
    until_kept(&cache, key, facts(7)).await;
    let lines = log.lines();
    assert!(lines[1].contains("OOM"), "{lines:?}");
    assert_eq!(lines.len(), 3, "one for each flip: {lines:?}");
}

#[tokio::test]
async fn behaviour_02_a_loading_server_is_not_used() {
    let server = Redis::with(
        "key-load-delay 0\nloading-process-events-interval-bytes 1024\nenable-debug-command local",
    );
    let cache = cache(&server.url());
    until_used(&cache).await;
    server.tell("DEBUG POPULATE 2000 filler 500");
    // Fifty milliseconds a key.
    server.tell("CONFIG SET key-load-delay 50000");
    let server = Arc::new(server);
    let loading = Arc::clone(&server);
    let loaded = std::thread::spawn(move || {
        let _ = loading.ask::<redis::Value>(redis::cmd("DEBUG").arg("RELOAD"));
    });
    wait("the server to load", || {
        let answer = server.ask::<redis::Value>(&redis::cmd("DBSIZE"));
        answer.is_err_and(|error| error.code() == Some("LOADING"))
    });
    assert_eq!(get(&cache, key("example.cn")).await, None);
    assert!(!cache.state().in_use, "the server says so itself");
    let problem = cache.check().await.unwrap_err().to_string();
    assert!(
        problem.contains("LOADING") || problem.contains("loading"),
        "{problem}"
    );
    server.tell("CONFIG SET key-load-delay 0");
    until_used(&cache).await;
    loaded.join().unwrap();
}

#[tokio::test]
async fn behaviour_02_a_password_that_is_changed_is_a_miss() {
    let server = Redis::start();
    // What the reference of the configuration asks for.
    server.tell(
        "ACL SETUSER icp on >first ~icpgate:* &icpgate:* +@read +@write +@scripting +@pubsub \
         +@connection +role +cluster",
    );
    let log = Log::start();
    let url = format!("redis://icp:first@127.0.0.1:{}", server.port());
    let cache = cache(&url);
    let key = key("example.cn");
    put(&cache, key, facts(5)).await;
    assert_eq!(kept(&cache, key).await, Some(5));
    assert_eq!(cache.changed().await, Ok(None));
    cache.invalidate(&[key], Revision(4)).await;
    cache.announce(Revision(5)).await;
    assert_eq!(cache.changed().await, Ok(Some(Revision(5))));
    assert_eq!(cache.state().errors, 0);
    server.tell("ACL SETUSER icp resetpass >second");
    server.tell("CLIENT KILL USER icp");
    assert_eq!(get(&cache, key).await, None);
    until_unused(&cache).await;
    let problem = cache.check().await.unwrap_err().to_string();
    assert!(!problem.contains("first"), "{problem}");
    server.tell("ACL SETUSER icp resetpass >first");
    until(&cache, key, "the password to be right", |_, found| {
        found.is_some()
    })
    .await;
    let lines = log.lines();
    assert_eq!(lines.len(), 3, "one for each flip: {lines:?}");
    assert!(
        lines.iter().all(|line| !line.contains("first")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_user_who_may_not_write_makes_no_use_of_the_server() {
    let server = Redis::start();
    server.tell("ACL SETUSER icp on >pass ~icpgate:* &icpgate:* +@read +@connection");
    let url = format!("redis://icp:pass@127.0.0.1:{}", server.port());
    let cache = cache(&url);
    assert_eq!(get(&cache, key("example.cn")).await, None);
    let problem = cache.check().await.unwrap_err().to_string();
    assert!(problem.contains("no permissions"), "{problem}");
    assert!(!cache.state().in_use);
}

#[tokio::test]
async fn behaviour_09_a_caller_who_goes_away_harms_nobody() {
    let server = Redis::start();
    let cache = cache(&server.url());
    let key = key("example.cn");
    put(&cache, key, facts(5)).await;
    for patience in 0..200 {
        let asked = get(&cache, key);
        let _ = tokio::time::timeout(Duration::from_micros(patience * 5), asked).await;
        let other = super::samples::key("other.cn");
        assert_eq!(
            get(&cache, other).await,
            None,
            "no answer of another question"
        );
    }
    assert_eq!(kept(&cache, key).await, Some(5));
    assert!(cache.state().in_use);
}

#[tokio::test]
async fn nothing_is_connected_to_before_it_is_needed() {
    let hole = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    hole.set_nonblocking(true).unwrap();
    let cache: SharedCache = cache(&format!("redis://{}", hole.local_addr().unwrap()));
    assert!(hole.accept().is_err(), "nobody has come");
    assert!(!cache.state().in_use);
}
