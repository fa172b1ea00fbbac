//! Announcements from one replica to the others.

use std::time::Duration;

use icpgate::cache::{SharedCache, SharedError};
use icpgate_policy::facts::Revision;
use tokio::time::timeout;

use super::harness::{cache, open, options, until_used};
use super::servers::redis::{Redis, Signal, free_port, shared};

const PATIENCE: Duration = Duration::from_mins(1);

async fn changed(cache: &SharedCache) -> Result<Option<Revision>, SharedError> {
    timeout(PATIENCE, cache.changed()).await.expect("a change")
}

/// Waits for an announcement of at least a revision; what is older may still be on its way.
async fn until_told(cache: &SharedCache, revision: u64) {
    while changed(cache).await.unwrap() < Some(Revision(revision)) {}
}

#[tokio::test]
async fn an_announcement_reaches_every_replica() {
    let base = options(&shared());
    let [one, two, three] = [0, 1, 2].map(|_| open(base.clone()));
    for listener in [&two, &three] {
        assert_eq!(changed(listener).await, Ok(None), "listening has begun");
    }
    one.announce(Revision(7)).await;
    for listener in [&two, &three] {
        assert_eq!(changed(listener).await, Ok(Some(Revision(7))));
    }
    let silent = timeout(Duration::from_millis(50), two.changed()).await;
    assert!(silent.is_err(), "told once: {silent:?}");
    // Who stopped waiting misses nothing.
    one.announce(Revision(8)).await;
    until_told(&two, 8).await;
}

#[tokio::test]
async fn many_announcements_are_told_as_one() {
    let base = options(&shared());
    let (one, two) = (open(base.clone()), open(base));
    assert_eq!(changed(&two).await, Ok(None));
    for revision in 1..=1000 {
        one.announce(Revision(revision)).await;
    }
    let mut told = 0;
    loop {
        told += 1;
        if changed(&two).await == Ok(Some(Revision(1000))) {
            break;
        }
    }
    assert!(told < 1000, "{told}");
}

#[tokio::test]
async fn installations_do_not_hear_each_other() {
    let (one, two) = (cache(&shared()), cache(&shared()));
    assert_eq!(changed(&two).await, Ok(None));
    one.announce(Revision(7)).await;
    let heard = timeout(Duration::from_millis(50), two.changed()).await;
    assert!(heard.is_err(), "{heard:?}");
}

#[tokio::test]
async fn what_is_not_understood_is_a_change_all_the_same() {
    let server = Redis::start();
    let cache = cache(&server.url());
    assert_eq!(changed(&cache).await, Ok(None));
    let channels: Vec<String> = server.ask(redis::cmd("PUBSUB").arg("CHANNELS")).unwrap();
    for text in ["", "what?", "-1", "99999999999999999999999"] {
        let heard: u64 = server
            .ask(redis::cmd("PUBLISH").arg(&channels[0]).arg(text))
            .unwrap();
        assert_eq!(heard, 1);
        assert_eq!(changed(&cache).await, Ok(None), "{text}");
    }
}

#[tokio::test]
async fn behaviour_12_a_line_that_is_lost_is_told_and_comes_back() {
    let server = Redis::start();
    let base = options(&server.url());
    let (one, two) = (open(base.clone()), open(base));
    assert_eq!(changed(&two).await, Ok(None));
    server.tell("CLIENT KILL TYPE pubsub");
    let lost = changed(&two).await.unwrap_err();
    assert!(matches!(lost, SharedError::Deaf { .. }), "{lost}");
    assert_eq!(
        changed(&two).await,
        Ok(None),
        "so whoever waits looks for itself"
    );
    one.announce(Revision(9)).await;
    until_told(&two, 9).await;
}

#[tokio::test]
async fn behaviour_12_a_server_that_dies_is_told_and_comes_back() {
    let server = Redis::start();
    let base = options(&server.url());
    let (one, two) = (open(base.clone()), open(base));
    until_used(&one).await;
    assert_eq!(changed(&two).await, Ok(None));
    server.signal(Signal::Kill);
    for _ in 0..3 {
        assert!(changed(&two).await.is_err());
    }
    server.run();
    while changed(&two).await.is_err() {}
    until_used(&one).await;
    one.announce(Revision(9)).await;
    until_told(&two, 9).await;
}

#[tokio::test]
async fn behaviour_12_a_frozen_server_is_told() {
    let server = Redis::start();
    let cache = cache(&server.url());
    assert_eq!(changed(&cache).await, Ok(None));
    server.signal(Signal::Stop);
    // Dropped again and again, as by somebody who also looks by himself.
    let told = async {
        loop {
            if let Ok(told) = timeout(Duration::from_millis(100), cache.changed()).await {
                return told;
            }
        }
    };
    assert!(timeout(PATIENCE, told).await.expect("a sign").is_err());
    server.signal(Signal::Continue);
    while changed(&cache).await.is_err() {}
}

#[tokio::test]
async fn nobody_there_is_told_without_a_storm() {
    let cache = cache(&format!("redis://icp:hunter2@127.0.0.1:{}", free_port()));
    let start = std::time::Instant::now();
    for _ in 0..6 {
        let deaf = changed(&cache).await.unwrap_err().to_string();
        assert!(!deaf.contains("hunter2"), "{deaf}");
    }
    assert!(start.elapsed() > Duration::from_millis(500), "pauses grow");
}
