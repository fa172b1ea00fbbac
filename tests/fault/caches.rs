//! Behaviours of the caches that need a clock that is moved or a store that is watched.

use std::sync::Arc;
use std::time::Duration;

use icpgate::clock::FixedClock;
use icpgate::gate::{DecisionId, Served, ServedFrom};
use icpgate::proto::v1;
use icpgate_policy::codes::{Reason, Verdict};
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tempfile::TempDir;

use super::inside::Inside;
use super::redis::Redis;
use super::servers::gate::until;
use super::servers::postgres;
use super::world::{World, ask, blocked, name, registered_until};

/// Monday noon in Beijing, no holiday near.
const NOW: &str = "2026-03-16T04:00:00Z";

/// Default of `cache.absent_ttl`.
const ABSENT_TTL: SignedDuration = SignedDuration::from_secs(30);

/// Gates over one database, with one clock and one key, each with settings of its own.
struct Gates {
    url: String,
    folder: TempDir,
    clock: Arc<FixedClock>,
    redis: Redis,
}

impl Gates {
    async fn new() -> Self {
        Self {
            url: postgres::database().await,
            folder: tempfile::tempdir().unwrap(),
            clock: Arc::new(FixedClock::new(now())),
            redis: Redis::start().await,
        }
    }

    /// With a local cache and nothing else.
    async fn local(&self) -> Inside {
        self.with(&[]).await
    }

    /// With a shared cache and nothing else.
    async fn shared(&self) -> Inside {
        let settings = [
            ("cache.local_bytes", "off"),
            ("redis.urls", &*format!("redis://{}", self.redis.address())),
            // Whether Redis answers is not the question here.
            ("redis.timeout", "5s"),
        ];
        let gate = self.with(&settings).await;
        let mut below = 0..;
        until("Redis is in use", async || {
            let before = self.redis.keys();
            let domain = format!("b{}.in-use.cn", below.next()?);
            gate.check(order(&domain)).await;
            (self.redis.keys() > before).then_some(())
        })
        .await;
        gate
    }

    /// Without any cache.
    async fn bare(&self) -> Inside {
        self.with(&[("cache.local_bytes", "off")]).await
    }

    async fn with(&self, settings: &[(&str, &str)]) -> Inside {
        Inside::start(&self.url, self.folder.path(), self.clock.clone(), settings).await
    }

    /// Everything that is in Redis.
    fn keys(&self) -> Vec<String> {
        let said = self.redis.run(&["KEYS", "*"]);
        said.lines().map(str::to_owned).collect()
    }
}

/// A cached denial without an event: it clears when its time is over.
#[tokio::test]
async fn behaviour_06_a_cached_denial_clears_without_an_event() {
    let gates = Gates::new().await;
    let gate = gates.local().await;
    let asked = || gate.check(order(&name(0)));
    assert_eq!(asked().await.decision.reasons(), [Reason::FilingNotFound]);
    gate.store.be_silent(true);
    for records in (World { subjects: 1 }).beginning() {
        gate.written(records).await;
    }
    gates
        .clock
        .set(now() + ABSENT_TTL - SignedDuration::from_secs(1));
    gate.gate.follow().await.unwrap();
    let before = asked().await;
    assert_eq!(before.decision.verdict, Verdict::Deny, "it was cached");
    assert_eq!(before.served_from, ServedFrom::LocalCache);
    gates.clock.set(now() + ABSENT_TTL);
    gate.gate.follow().await.unwrap();
    let after = asked().await;
    assert_eq!(after.decision.verdict, Verdict::Allow);
    assert_eq!(after.served_from, ServedFrom::Store);
}

#[tokio::test]
async fn behaviour_07_the_clock_crosses_the_end_of_an_answer_in_every_cache() {
    let gates = Gates::new().await;
    let (local, shared, bare) = (
        gates.local().await,
        gates.shared().await,
        gates.bare().await,
    );
    for records in (World { subjects: 1 }).beginning() {
        bare.written(records).await;
    }
    let end = now() + SignedDuration::from_mins(30);
    bare.written(vec![registered_until(0, end)]).await;
    let all = [
        (&local, ServedFrom::LocalCache),
        (&shared, ServedFrom::SharedCache),
        (&bare, ServedFrom::Store),
    ];
    for (gate, from) in all {
        gate.gate.follow().await.unwrap();
        until("the facts are where they are to come from", async || {
            let answer = gate.check(order(&name(0))).await;
            assert_eq!(answer.decision.verdict, Verdict::Allow);
            assert_eq!(answer.decision.valid_until, end);
            (answer.served_from == from).then_some(())
        })
        .await;
    }
    let moment = SignedDuration::from_micros(1);
    for (at, verdict) in [(end - moment, Verdict::Allow), (end, Verdict::Deny)] {
        gates.clock.set(at);
        for (gate, from) in all {
            gate.gate.follow().await.unwrap();
            let answer = gate.check(order(&name(0))).await;
            assert_eq!(answer.decision.verdict, verdict, "{from:?} at {at}");
            assert_eq!(answer.served_from, from, "at {at}");
            assert!(!answer.stale);
            assert!(answer.decision.valid_until > at);
        }
    }
}

#[tokio::test]
async fn equal_questions_share_an_answer_until_something_changes() {
    let gates = Gates::new().await;
    let gate = gates.local().await;
    for records in (World { subjects: 1 }).beginning() {
        gate.written(records).await;
    }
    gate.gate.follow().await.unwrap();
    let shared = async |one: &Served, question| {
        let other = gate.check(question).await;
        assert_eq!(other.served_from, ServedFrom::LocalCache);
        Arc::ptr_eq(&one.answer, &other.answer)
    };
    let warm = async || {
        gate.check(order(&name(0))).await;
        gate.check(order(&name(0))).await
    };
    let first = warm().await;
    assert!(shared(&first, order(&name(0))).await);
    let typed = order(&name(0).to_uppercase());
    assert!(
        shared(&first, typed).await,
        "the same name, typed otherwise"
    );
    let mut other = order(&name(0));
    other.language = "zh".to_owned();
    assert!(!shared(&first, other).await, "another question");

    gate.written(vec![registered_until(
        0,
        now() + SignedDuration::from_hours(48),
    )])
    .await;
    gate.gate.follow().await.unwrap();
    let second = warm().await;
    assert!(!Arc::ptr_eq(&first.answer, &second.answer), "other facts");
    assert!(shared(&second, order(&name(0))).await);

    gates.clock.set(second.decision.same_until);
    gate.gate.follow().await.unwrap();
    let third = warm().await;
    assert_ne!(second.decision_id, third.decision_id, "another window");
    assert!(shared(&third, order(&name(0))).await);
    // The clock of a machine may be set back.
    gates.clock.set(now());
    gate.gate.follow().await.unwrap();
    let fourth = warm().await;
    assert_ne!(fourth.decision_id, third.decision_id);
    assert_eq!(fourth.decision_id, second.decision_id);
}

#[tokio::test]
async fn behaviour_08_a_load_that_began_before_a_write_is_not_kept_after_it() {
    let gates = Gates::new().await;
    let (local, shared) = (gates.local().await, gates.shared().await);
    let other = gates.shared().await;
    for records in (World { subjects: 1 }).beginning() {
        other.written(records).await;
    }
    for gate in [&local, &shared] {
        gate.gate.follow().await.unwrap();
        gate.store.hold(true);
        let asking = gate.check(order(&name(0)));
        let writing = async {
            until("the load has begun", async || {
                (gate.store.running() > 0).then_some(())
            })
            .await;
            // The old state is read by now or never: what is read later is the new state.
            tokio::time::sleep(Duration::from_millis(100)).await;
            other.written(vec![blocked(0, true)]).await;
            gate.gate.follow().await.unwrap();
            gate.store.hold(false);
        };
        // The question came before the write: either answer is right.
        tokio::join!(asking, writing);
        for _ in 0..2 {
            let answer = gate.check(order(&name(0))).await;
            assert_eq!(answer.decision.reasons(), [Reason::DomainBlacklisted]);
        }
        other.gate.follow().await.unwrap();
        let answer = other.check(order(&name(0))).await;
        assert_eq!(answer.decision.reasons(), [Reason::DomainBlacklisted]);
        other.written(vec![blocked(0, false)]).await;
        other.gate.follow().await.unwrap();
    }
}

#[tokio::test]
async fn behaviour_08_an_old_value_in_redis_poisons_nobody() {
    let gates = Gates::new().await;
    let (one, other) = (gates.shared().await, gates.shared().await);
    for records in (World { subjects: 1 }).beginning() {
        one.written(records).await;
    }
    one.gate.follow().await.unwrap();
    let before = gates.keys();
    assert_eq!(
        one.check(order(&name(0))).await.decision.verdict,
        Verdict::Allow
    );
    let key = until("the facts are in Redis", async || {
        gates.keys().into_iter().find(|key| !before.contains(key))
    })
    .await;
    let run = |command: &[&str]| gates.redis.run(command);
    assert_eq!(run(&["COPY", &key, "kept"]).trim(), "1");
    one.written(vec![blocked(0, true)]).await;
    for gate in [&one, &other] {
        gate.gate.follow().await.unwrap();
        let answer = gate.check(order(&name(0))).await;
        assert_eq!(answer.decision.reasons(), [Reason::DomainBlacklisted]);
    }
    // A put that was on its way for very long, of somebody who forgot to compare.
    assert_eq!(run(&["COPY", "kept", &key, "REPLACE"]).trim(), "1");
    let fresh = gates.shared().await;
    let with_local = gates
        .with(&[("redis.urls", &*format!("redis://{}", gates.redis.address()))])
        .await;
    for gate in [&one, &other, &fresh, &with_local] {
        for _ in 0..2 {
            let answer = gate.check(order(&name(0))).await;
            assert_eq!(answer.decision.reasons(), [Reason::DomainBlacklisted]);
        }
    }
}

#[tokio::test]
async fn behaviour_09_a_caller_who_goes_away_takes_nothing_with_him() {
    let gates = Gates::new().await;
    let gate = gates.local().await;
    for records in (World { subjects: 1 }).beginning() {
        gate.written(records).await;
    }
    gate.gate.follow().await.unwrap();
    gate.store.hold(true);
    let asking = gate.check(order(&name(0)));
    let gone = tokio::time::timeout(Duration::from_millis(50), asking).await;
    assert!(gone.is_err(), "he goes before the store answers");
    gate.store.hold(false);
    until("the load is over", async || {
        (gate.store.running() == 0).then_some(())
    })
    .await;
    until("the load has filled the cache", async || {
        let answer = gate.check(order(&name(0))).await;
        assert_eq!(answer.decision.verdict, Verdict::Allow);
        (answer.served_from == ServedFrom::LocalCache).then_some(())
    })
    .await;
    assert_eq!(gate.store.finds(), 1, "nobody had to read it again");
}

/// With caches every question has the answer and the identifier that it has without.
#[tokio::test]
async fn behaviour_10_keys_and_identifiers_cover_every_input() {
    let gates = Gates::new().await;
    let (local, shared, bare) = (
        gates.local().await,
        gates.shared().await,
        gates.bare().await,
    );
    let world = World { subjects: 3 };
    for records in world.beginning() {
        bare.written(records).await;
    }
    let mut dice = StdRng::seed_from_u64(10);
    for _ in 0..20 {
        bare.written(world.change(&mut dice)).await;
    }
    let mut questions = variations();
    for _ in 0..60 {
        questions.push(world.question(&mut dice));
    }
    questions.extend((0..120).map(|_| order(&hostile(&mut dice))));
    for gate in [&local, &shared, &bare] {
        gate.gate.follow().await.unwrap();
    }
    let mut seen: Vec<(DecisionId, Vec<u8>)> = Vec::new();
    for round in 0..2 {
        for question in &questions {
            let expected = bare.check(question.clone()).await;
            for gate in [&local, &shared] {
                let answer = gate.check(question.clone()).await;
                assert_eq!(
                    answer.decision, expected.decision,
                    "round {round}: {question:?}"
                );
                assert_eq!(answer.decision_id, expected.decision_id, "{question:?}");
            }
            let profile = format!("{:?}", expected.request.profile).into_bytes();
            let same_id = seen.iter().find(|(id, _)| *id == expected.decision_id);
            match same_id {
                Some((_, other)) => assert_eq!(*other, profile, "two questions, one identifier"),
                None => seen.push((expected.decision_id, profile)),
            }
        }
    }
    // Each variation of the first question is another question.
    let first: Vec<_> = variations();
    let mut ids = Vec::new();
    for question in first {
        ids.push(bare.check(question).await.decision_id);
    }
    let number = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), number);
    // And what stands outside the question changes nothing.
    let plain = bare.check(order(&name(0))).await.decision_id;
    for question in [
        order("FAULT-0.cn."),
        order(" fault-0。cn"),
        v1::CheckProvisioningRequest {
            order_id: "o".to_owned(),
            view: v1::View::Full as i32,
            ..order(&name(0))
        },
    ] {
        assert_eq!(local.check(question).await.decision_id, plain);
    }
}

#[tokio::test]
async fn behaviour_11_a_thousand_callers_read_once_and_impatient_ones_fill_the_cache() {
    let gates = Gates::new().await;
    let gate = gates.local().await;
    for records in (World { subjects: 1 }).beginning() {
        gate.written(records).await;
    }
    gate.gate.follow().await.unwrap();
    gate.store.be_late(Duration::from_millis(200));
    let callers = (0..1000).map(|_| gate.check(order(&name(0))));
    for answer in futures::future::join_all(callers).await {
        assert_eq!(answer.decision.verdict, Verdict::Allow);
    }
    assert_eq!(gate.store.finds(), 1);

    let impatient = (0..50).map(|_| {
        let asking = gate.check(order(&name(1)));
        tokio::time::timeout(Duration::from_millis(50), asking)
    });
    let answers = futures::future::join_all(impatient).await;
    assert!(answers.iter().all(Result::is_err), "nobody waits that long");
    until("the load is over", async || {
        (gate.store.running() == 0).then_some(())
    })
    .await;
    until("the cache is filled", async || {
        let answer = gate.check(order(&name(1))).await;
        (answer.served_from == ServedFrom::LocalCache).then_some(())
    })
    .await;
    assert_eq!(gate.store.finds(), 2, "one read for all of them");
}

/// The second row of the table: without Redis a crowd of questions does not become a crowd of
/// queries.
#[tokio::test]
async fn row_2_loads_are_limited() {
    let gates = Gates::new().await;
    let gate = gates.with(&[("cache.max_loads", "3")]).await;
    gate.store.be_late(Duration::from_millis(20));
    let callers = (0..60).map(|at| {
        let gate = &gate;
        async move { gate.check(order(&format!("crowd-{at}.cn"))).await }
    });
    for answer in futures::future::join_all(callers).await {
        assert_eq!(answer.decision.reasons(), [Reason::FilingNotFound]);
    }
    assert_eq!(gate.store.most(), 3);
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn order(domain: &str) -> v1::CheckProvisioningRequest {
    ask(domain, v1::Purpose::Order)
}

/// A question, and the same with one field changed, for every field that may change an answer.
fn variations() -> Vec<v1::CheckProvisioningRequest> {
    type Ask = v1::CheckProvisioningRequest;
    type Change = fn(&mut Ask);
    let changes: [Change; 22] = [
        |_| {},
        |ask| ask.domain = "www.fault-0.cn".to_owned(),
        |ask| ask.domain = "*.fault-0.cn".to_owned(),
        |ask| ask.domain = name(1),
        |ask| ask.product = v1::Product::Hosting as i32,
        |ask| ask.product = v1::Product::ReverseProxy as i32,
        |ask| ask.service_area = v1::ServiceArea::Global as i32,
        |ask| ask.service_area = v1::ServiceArea::OutsideMainland as i32,
        |ask| ask.purpose = v1::Purpose::Recheck as i32,
        |ask| ask.purpose = v1::Purpose::PreFiling as i32,
        |ask| ask.site.get_or_insert_default().payment_enabled = true,
        |ask| {
            let model = v1::BusinessModel::Marketplace as i32;
            ask.site.get_or_insert_default().business_model = model;
        },
        |ask| {
            let forum = v1::Sector::Forum as i32;
            ask.site.get_or_insert_default().sectors = vec![forum];
        },
        |ask| {
            let live = icpgate::intake::instant(now());
            ask.site.get_or_insert_default().live_since = Some(live);
        },
        |ask| ask.claimed_filing_number = "京ICP备2024012345号".to_owned(),
        |ask| ask.origin_host = "origin.example".to_owned(),
        |ask| {
            ask.origin_host = "origin.example".to_owned();
            ask.origin_in_mainland = Some(false);
        },
        |ask| ask.host_header = "origin.example".to_owned(),
        |ask| ask.customer.get_or_insert_default().account_id = "a".to_owned(),
        |ask| {
            let verified = v1::RealName::Verified as i32;
            ask.customer.get_or_insert_default().real_name = verified;
        },
        |ask| {
            let proven = v1::DomainControl::Proven as i32;
            ask.customer.get_or_insert_default().domain_control = proven;
        },
        |ask| ask.language = "zh".to_owned(),
    ];
    changes
        .iter()
        .map(|change| {
            let mut question = order(&name(0));
            change(&mut question);
            question
        })
        .collect()
}

/// A name that tries to be taken for another one.
fn hostile(dice: &mut StdRng) -> String {
    const PARTS: [&str; 24] = [
        "fault-0",
        "fault-1",
        "FAULT-0",
        ".",
        ".",
        "。",
        "cn",
        "CN",
        ":",
        "/",
        "|",
        "\u{0}",
        " ",
        "*",
        "*.",
        "例子",
        "xn--fsqu00a",
        "中国",
        "xn--fiqs8s",
        "ß",
        "ı",
        "\u{200d}",
        "%2e",
        ",",
    ];
    let mut text: String = (0..dice.random_range(1..6))
        .map(|_| PARTS[dice.random_range(0..PARTS.len())])
        .collect();
    if text.trim().is_empty() {
        text.push('x');
    }
    if dice.random_bool(0.5) {
        text.push_str(".cn");
    }
    text
}
