//! What is kept and what is refused, on one healthy server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use icpgate::cache::{SetKey, SharedCache, SharedIdentity};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Revision;
use icpgate_policy::records::Handle;
use proptest::prelude::*;
use tokio_util::task::TaskTracker;

use super::harness::{cache, get, kept, open, options, put, until_used};
use super::samples::{PERSON, PERSON_NUMBER, facts, full, key};
use super::servers::redis::{Redis, shared};

#[tokio::test]
async fn facts_of_every_kind_come_back_as_they_were() {
    let cache = cache(&shared());
    let kinds: BTreeSet<RecordKind> = full()
        .records
        .iter()
        .map(|fact| fact.value.kind())
        .collect();
    assert_eq!(kinds.len(), RecordKind::ALL.len(), "{kinds:?}");
    put(&cache, key("example.cn"), full()).await;
    assert_eq!(get(&cache, key("example.cn")).await, Some(full()));
    assert_eq!(get(&cache, key("example.com")).await, None);
    let state = cache.state();
    assert_eq!((state.hits, state.misses), (1, 1));
    assert_eq!(
        (state.errors, state.timeouts, state.refused_puts),
        (0, 0, 0)
    );
    assert!(state.in_use);
}

#[tokio::test]
async fn no_facts_are_facts_too() {
    let cache = cache(&shared());
    let mut none = facts(3);
    none.records.clear();
    put(&cache, key("unknown.cn"), none.clone()).await;
    assert_eq!(get(&cache, key("unknown.cn")).await, Some(none));
    assert_eq!(cache.get(&[]).await, []);
}

#[tokio::test]
async fn answers_stand_in_the_order_of_the_question() {
    let cache = cache(&shared());
    for revision in [1, 3] {
        put(&cache, key(&format!("{revision}.cn")), facts(revision)).await;
    }
    let names = ["3.cn", "2.cn", "1.cn", "3.cn"];
    let keys: Vec<SetKey> = names.iter().map(|name| key(name)).collect();
    let found = cache.get(&keys).await;
    let revisions: Vec<Option<u64>> = found
        .iter()
        .map(|found| found.as_ref().map(|facts| facts.revision.0))
        .collect();
    assert_eq!(revisions, [Some(3), None, Some(1), Some(3)]);
}

#[tokio::test]
async fn an_older_put_is_refused_and_a_newer_one_is_taken() {
    let cache = cache(&shared());
    let key = key("example.cn");
    // The octets of these compare otherwise than their numbers, where one is not careful.
    for (put_revision, kept_revision) in [
        (0x7f, 0x7f),
        (0x80, 0x80),
        (0x7f, 0x80),
        (0xff, 0xff),
        (0x100, 0x100),
        (0xff, 0x100),
    ] {
        put(&cache, key, facts(put_revision)).await;
        assert_eq!(kept(&cache, key).await, Some(kept_revision));
    }
    assert_eq!(cache.state().refused_puts, 2);
}

#[tokio::test]
async fn facts_of_the_same_revision_are_taken_anew() {
    let cache = cache(&shared());
    let key = key("example.cn");
    let mut later = facts(5);
    put(&cache, key, later.clone()).await;
    later.as_of = super::samples::at(500);
    put(&cache, key, later.clone()).await;
    assert_eq!(get(&cache, key).await, Some(later));
}

#[tokio::test(flavor = "multi_thread")]
async fn behaviour_08_of_puts_at_the_same_time_the_newest_stays() {
    let url = shared();
    let base = options(&url);
    let writers: Vec<SharedCache> = (0..4).map(|_| open(base.clone())).collect();
    for writer in &writers {
        until_used(writer).await;
    }
    let tasks = TaskTracker::new();
    for round in 0..20_u64 {
        let key = key(&format!("{round}.cn"));
        let puts = (0..16_u64).map(|number| {
            let writer = writers[usize::try_from(number % 4).unwrap()].clone();
            // Each order of arrival has another revision last.
            let revision = 1 + (number * 7 + round) % 16;
            tasks.spawn(async move { put(&writer, key, facts(revision)).await })
        });
        for put in puts.collect::<Vec<_>>() {
            put.await.unwrap();
        }
        assert_eq!(kept(&writers[0], key).await, Some(16));
    }
}

#[tokio::test]
async fn behaviour_08_after_an_invalidation_older_facts_are_refused() {
    let cache = cache(&shared());
    let key = key("example.cn");
    put(&cache, key, facts(10)).await;
    cache.invalidate(&[key], Revision(11)).await;
    assert_eq!(get(&cache, key).await, None, "forgotten");
    // A load that began before the invalidation.
    put(&cache, key, facts(10)).await;
    assert_eq!(get(&cache, key).await, None, "refused");
    assert_eq!(cache.state().refused_puts, 1);
    put(&cache, key, facts(11)).await;
    assert_eq!(kept(&cache, key).await, Some(11), "holds the change");
    assert_eq!(cache.state().unreadable, 0, "a marker is nothing strange");
}

#[tokio::test]
async fn behaviour_08_an_invalidation_of_what_was_never_kept_holds_too() {
    let cache = cache(&shared());
    let key = key("example.cn");
    cache.invalidate(&[key], Revision(11)).await;
    put(&cache, key, facts(10)).await;
    assert_eq!(get(&cache, key).await, None);
}

#[tokio::test]
async fn an_older_invalidation_leaves_newer_facts() {
    let cache = cache(&shared());
    let key = key("example.cn");
    put(&cache, key, facts(20)).await;
    for revision in [19, 20] {
        cache.invalidate(&[key], Revision(revision)).await;
        assert_eq!(kept(&cache, key).await, Some(20));
    }
    // Nor does it take a newer marker back.
    cache.invalidate(&[key], Revision(30)).await;
    cache.invalidate(&[key], Revision(25)).await;
    put(&cache, key, facts(27)).await;
    assert_eq!(get(&cache, key).await, None);
}

#[tokio::test]
async fn installations_on_one_server_never_meet() {
    let url = shared();
    let ours = cache(&url);
    let mut others = Vec::new();
    for identity in [
        SharedIdentity::derive(b"another key for tests, also known", "store"),
        SharedIdentity::derive(b"a key for tests, known to all", "another store"),
    ] {
        let mut options = options(&url);
        options.identity = identity;
        others.push(open(options));
    }
    let key = key("example.cn");
    put(&ours, key, facts(5)).await;
    for other in &others {
        other.invalidate(&[key], Revision(1)).await;
        assert_eq!(get(other, key).await, None);
        other.invalidate(&[key], Revision(99)).await;
    }
    assert_eq!(kept(&ours, key).await, Some(5));
    assert!(!format!("{ours:?}{:?}", options(&url)).contains("key for tests"));
}

#[tokio::test]
async fn a_replica_reads_what_another_put() {
    let base = options(&shared());
    let (one, two) = (open(base.clone()), open(base));
    put(&one, key("example.cn"), facts(5)).await;
    assert_eq!(kept(&two, key("example.cn")).await, Some(5));
}

#[tokio::test]
async fn facts_are_forgotten_in_time() {
    let mut options = options(&shared());
    options.keep_for = Duration::from_millis(50);
    let cache = open(options);
    put(&cache, key("example.cn"), facts(5)).await;
    super::harness::until(&cache, key("example.cn"), "the facts to go", |_, found| {
        found.is_none()
    })
    .await;
    assert_eq!(cache.state().errors, 0);
}

#[tokio::test]
async fn a_thousand_keys_are_one_round_trip() {
    let server = Redis::start();
    let cache = cache(&server.url());
    let keys: Vec<SetKey> = (0..1000).map(|name| key(&format!("{name}.cn"))).collect();
    let entries: Vec<_> = keys
        .iter()
        .zip(1..)
        .map(|(key, revision)| (*key, Arc::new(facts(revision))))
        .collect();
    cache.put(&entries).await;
    server.tell("CONFIG RESETSTAT");
    let found = cache.get(&keys).await;
    assert_eq!(found.iter().flatten().count(), 1000);
    let calls = server.info("commandstats", "cmdstat_mget").unwrap();
    assert!(calls.starts_with("calls=1,"), "{calls}");
    assert_eq!(server.info("commandstats", "cmdstat_get"), None);
    assert_eq!(cache.state().hits, 1000);
}

#[tokio::test]
async fn a_server_that_forgot_its_scripts_is_told_them_again() {
    let server = Redis::start();
    let cache = cache(&server.url());
    put(&cache, key("a.cn"), facts(5)).await;
    server.tell("SCRIPT FLUSH");
    let many: Vec<_> = (0..300)
        .map(|name| (key(&format!("{name}.cn")), Arc::new(facts(5))))
        .collect();
    cache.put(&many).await;
    let keys: Vec<SetKey> = many.iter().map(|(key, _)| *key).collect();
    assert_eq!(cache.get(&keys).await.iter().flatten().count(), 300);
    assert_eq!(cache.state().errors, 0, "no failure: it is made up for");
    server.tell("SCRIPT FLUSH");
    cache.invalidate(&[key("a.cn")], Revision(6)).await;
    assert_eq!(get(&cache, key("a.cn")).await, None);
}

#[tokio::test]
async fn behaviour_22_what_is_damaged_or_from_another_version_is_a_miss() {
    let server = Redis::start();
    let cache = cache(&server.url());
    let key = key("example.cn");
    put(&cache, key, full()).await;
    let name = fact_keys(&server).remove(0);
    let whole: Vec<u8> = server.ask(redis::cmd("GET").arg(&name)).unwrap();
    let mut broken: Vec<Vec<u8>> = (0..whole.len())
        .step_by(7)
        .map(|end| whole[..end].to_vec())
        .collect();
    for place in (0..whole.len()).step_by(5) {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x10;
        broken.push(damaged);
    }
    for form in [0, 2, 255] {
        let mut other = whole.clone();
        other[0] = form;
        broken.push(other);
    }
    for value in &broken {
        let () = server
            .ask(redis::cmd("SET").arg(&name).arg(&value[..]))
            .unwrap();
        assert_eq!(get(&cache, key).await, None, "{value:?}");
    }
    let state = cache.state();
    // The marker, which is what is left of a value cut behind its revision, is nothing strange.
    assert_eq!(
        state.unreadable,
        broken.iter().filter(|value| !value.is_empty()).count() as u64 + 1
    );
    assert!(state.in_use, "nothing is wrong with the server");
    let () = server.ask(redis::cmd("DEL").arg(&name)).unwrap();
    let () = server
        .ask(redis::cmd("RPUSH").arg(&name).arg("a list"))
        .unwrap();
    assert_eq!(get(&cache, key).await, None);
    put(&cache, key, facts(1)).await;
    assert_eq!(get(&cache, key).await, None);
}

#[tokio::test]
async fn a_value_that_was_moved_to_another_key_is_a_miss() {
    let server = Redis::start();
    let cache = cache(&server.url());
    put(&cache, key("good.cn"), facts(5)).await;
    let good = fact_keys(&server).remove(0);
    put(&cache, key("bad.cn"), facts(5)).await;
    let bad = fact_keys(&server)
        .into_iter()
        .find(|name| *name != good)
        .unwrap();
    let () = server
        .ask(redis::cmd("COPY").arg(good).arg(bad).arg("REPLACE"))
        .unwrap();
    assert_eq!(get(&cache, key("bad.cn")).await, None);
    assert_eq!(cache.state().unreadable, 1);
}

#[tokio::test]
async fn behaviour_24_nothing_personal_is_in_redis() {
    let server = Redis::start();
    let cache = cache(&server.url());
    put(&cache, key("example.cn"), full()).await;
    for name in fact_keys(&server) {
        let value: Vec<u8> = server.ask(redis::cmd("GET").arg(&name)).unwrap();
        for secret in [PERSON, PERSON_NUMBER, "example.cn"] {
            assert!(!name.contains(secret));
        }
        for secret in [PERSON, PERSON_NUMBER] {
            let found = value
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "{secret}");
        }
    }
}

#[test]
fn behaviour_10_sets_of_handles_have_keys_of_their_own() {
    let name = |text: &str| Handle::name(text);
    let sets: Vec<Vec<Handle>> = vec![
        vec![],
        vec![name("")],
        vec![name(""), name("")],
        vec![name("ab")],
        vec![name("a"), name("b")],
        vec![name("b"), name("a")],
        vec![name("a"), name("nb")],
        vec![name("an"), name("b")],
        vec![name("a.cn")],
        vec![name("a.cn.")],
        vec![name("A.cn")],
        vec![name("xn--fiqs8s.cn")],
        vec![name("中国.cn")],
        vec![Handle::licence("a.cn")],
    ];
    let keys: BTreeSet<SetKey> = sets.iter().map(|set| SetKey::of(set)).collect();
    assert_eq!(keys.len(), sets.len());
}

proptest! {
    #[test]
    fn behaviour_10_cut_otherwise_it_is_another_key(
        text in "[a-c.n]{0,12}",
        cuts in proptest::collection::vec(0_usize..12, 0..4),
        others in proptest::collection::vec(0_usize..12, 0..4),
    ) {
        let cut = |places: &[usize]| {
            let mut places: Vec<usize> = places.iter().map(|place| (*place).min(text.len())).collect();
            places.sort_unstable();
            let mut from = 0;
            let mut parts = Vec::new();
            for place in places.into_iter().chain([text.len()]) {
                parts.push(Handle::name(text.get(from..place).unwrap()));
                from = place;
            }
            parts
        };
        let (one, two) = (cut(&cuts), cut(&others));
        prop_assert_eq!(SetKey::of(&one) == SetKey::of(&two), one == two);
    }
}

/// Keys in a server that hold facts.
fn fact_keys(server: &Redis) -> Vec<String> {
    let keys: Vec<String> = server.ask(redis::cmd("KEYS").arg("icpgate:1:*")).unwrap();
    let facts = keys.into_iter().filter(|name| !name.ends_with(":probe"));
    let facts: Vec<String> = facts.collect();
    assert!(!facts.is_empty());
    facts
}
