//! Behaviours of whole processes while Redis, the database or the ways to them fail.

use std::time::Duration;

use icpgate::proto::v1;
use jiff::Timestamp;
use sqlx::Executor as _;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::{Code, Request};

use super::database;
use super::fleet::{Fleet, Plan, Replica, say};
use super::oracle::comes_back;
use super::random::now;
use super::servers::gate::{Gate, Signal, until, until_within};
use super::servers::postgres::{Server, Setup};
use super::servers::proxy::Mode;
use super::world::{World, ask, blocked, name};

/// Room for a machine that does much else, on top of what a time-out allows.
const ROOM: Duration = Duration::from_secs(10);

/// Default of `cache.load_timeout`.
const LOAD: Duration = Duration::from_secs(2);

/// Rounds of the open loop in which answers have to become as fast as ever.
const MOST_ROUNDS: usize = 30;

/// Between two questions of an open loop of 300 a second.
const PACE: Duration = Duration::from_micros(3_333);

/// Redis stands still under an open loop of questions that all go to it first.
#[tokio::test]
async fn behaviour_01_a_frozen_redis_slows_no_answer_for_long_and_changes_none() {
    // Far apart from what an answer takes by itself on a busy machine.
    let timeout = Duration::from_secs(2);
    let mut fleet = fleet(
        1,
        true,
        &[("redis.timeout", "2s"), ("cache.local_bytes", "off")],
    )
    .await;
    let world = World { subjects: 2 };
    fill(&fleet.replicas[0].gate, world).await;
    let (redis, replica) = fleet.redis_and_first();
    in_use(replica, redis).await;
    let mut slow = Vec::new();
    for round in 0..MOST_ROUNDS {
        if round == 1 {
            redis.process().signal(Signal::Stop);
        }
        let took = open_loop(&replica.gate, world, 300).await;
        let longest = took.iter().max().copied().unwrap();
        assert!(longest < timeout + ROOM, "round {round}: {longest:?}");
        slow.push(took.iter().filter(|took| **took > timeout / 2).count());
        // The breaker is open by now. On a busy machine some answers take as long by themselves.
        if round >= 3 && slow.last() == Some(&0) {
            break;
        }
    }
    say(&format!(
        "answers that waited for Redis, by second: {slow:?}"
    ));
    assert_eq!(slow.last(), Some(&0), "{slow:?}");
    redis.process().signal(Signal::Continue);
}

#[tokio::test]
async fn behaviour_03_redis_may_be_absent_at_the_start_and_is_taken_up_later() {
    let mut fleet = fleet(
        0,
        true,
        &[("cache.local_bytes", "off"), ("redis.timeout", "1s")],
    )
    .await;
    let port = fleet.redis.as_ref().unwrap().address();
    fleet.redis.as_mut().unwrap().process().kill().await;
    let replica = fleet.replica(Vec::new()).await;
    fill(&replica.gate, World { subjects: 1 }).await;
    let answer = asked(&replica, 0).await;
    assert_eq!(answer.verdict(), v1::Verdict::Allow);
    assert_eq!(answer.served_from(), v1::ServedFrom::Store);
    let redis = fleet.redis.as_mut().unwrap();
    redis.restart(&[]);
    redis.answers().await;
    assert_eq!(redis.address(), port);
    until("Redis is taken up", async || {
        let answer = asked(&replica, 0).await;
        assert_eq!(answer.verdict(), v1::Verdict::Allow);
        (answer.served_from() == v1::ServedFrom::SharedCache).then_some(())
    })
    .await;
}

/// Nobody has to ask for what is held in memory, and still it is known whether Redis can be used.
#[tokio::test]
async fn redis_that_no_question_needs_is_looked_after() {
    let mut fleet = fleet(1, true, &[]).await;
    let (redis, replica) = fleet.redis_and_first();
    let told = async |what: &str, times: usize| {
        until(what, async || {
            (replica.gate.log().matches(what).count() == times).then_some(())
        })
        .await;
    };
    told("using Redis at", 1).await;
    redis.process().kill().await;
    told("doing without Redis at", 1).await;
    redis.restart(&[]);
    told("using Redis at", 2).await;
    // As one that answers to nobody.
    redis.process().signal(Signal::Stop);
    told("doing without Redis at", 2).await;
    redis.process().signal(Signal::Continue);
    told("using Redis at", 3).await;
}

/// A database that hangs: however many wait, they are released in time, and when it is back
/// everything is as before.
#[tokio::test]
async fn behaviour_04_callers_of_a_database_that_hangs_are_released() {
    let fleet = fleet(1, false, &[]).await;
    let replica = &fleet.replicas[0];
    fill(&replica.gate, World { subjects: 1 }).await;
    replica.store.set(Mode::Hang);
    let begin = Instant::now();
    let mut client = replica.gate.provisioning();
    client.check_provisioning(order(0)).await.unwrap();
    let mut calls = JoinSet::new();
    for caller in 0..200 {
        let mut client = client.clone();
        // One cold name for all, and cold names of their own.
        let question = ask(
            &format!("c{}.fault-0.cn", caller % 2 * caller),
            v1::Purpose::Order,
        );
        calls.spawn(async move { client.check_provisioning(question).await });
    }
    while let Some(answer) = calls.join_next().await {
        let decision = answer.unwrap().unwrap().into_inner().decision.unwrap();
        assert_eq!(decision.verdict(), v1::Verdict::Indeterminate);
        assert!(decision.retry_after.is_some());
    }
    // Two time-outs, one after the other.
    assert!(begin.elapsed() < LOAD * 2 + ROOM, "{:?}", begin.elapsed());
    replica.store.set(Mode::Pass);
    well(replica).await;
}

/// Connections that nobody closed and on which nothing comes any more.
#[tokio::test]
async fn behaviour_04_a_half_open_database_is_left_for_new_connections() {
    let fleet = fleet(1, false, &[]).await;
    let replica = &fleet.replicas[0];
    fill(&replica.gate, World { subjects: 1 }).await;
    well(replica).await;
    for _ in 0..2 {
        replica.store.half_open();
        well(replica).await;
        // And so are writes: one gives up after 25 s, and may have stood behind one of decisions that
        // did, while a server that heard nothing of it still holds its lock.
        until_within(
            Duration::from_mins(2),
            "a write is taken",
            async || match replica.gate.put(vec![blocked(2, true)]).await {
                Ok(_) => Some(()),
                Err(status) => {
                    assert!(comes_back(&status), "{status:?}");
                    None
                }
            },
        )
        .await;
    }
}

/// All connections of a replica are in the middle of something when they go silent.
#[tokio::test]
async fn behaviour_04_a_pool_of_half_open_connections_is_left_for_new_ones() {
    let fleet = fleet(1, false, &[("store.connections", "4")]).await;
    let replica = &fleet.replicas[0];
    fill(&replica.gate, World { subjects: 1 }).await;
    well(replica).await;
    // First all connections are made; then each stops in the middle of an answer.
    for mode in [Mode::Delay(Duration::from_millis(50)), Mode::Truncate(60)] {
        replica.store.set(mode);
        let crowd = (0..40).map(|at| async move {
            let domain = format!("c{at}-{}.{}", replica.store.accepted(), name(0));
            let question = ask(&domain, v1::Purpose::Order);
            replica.gate.check(question).await.unwrap()
        });
        futures::future::join_all(crowd).await;
    }
    replica.store.set(Mode::Pass);
    well(replica).await;
    until("an activation is recorded", async || {
        let activation = ask(&name(1), v1::Purpose::Activation);
        match replica.gate.check(activation).await {
            Ok(decision) => (decision.verdict() == v1::Verdict::Allow).then_some(()),
            Err(status) => {
                assert!(comes_back(&status), "{status:?}");
                None
            }
        }
    })
    .await;
}

#[tokio::test]
async fn behaviour_04_a_slow_database_is_waited_for() {
    let fleet = fleet(1, false, &[]).await;
    let replica = &fleet.replicas[0];
    fill(&replica.gate, World { subjects: 1 }).await;
    replica.store.set(Mode::Delay(Duration::from_millis(100)));
    for site in 0..3 {
        until("the answer is waited for", async || {
            let answer = asked(replica, site).await;
            (answer.verdict() == v1::Verdict::Allow && !answer.stale).then_some(())
        })
        .await;
    }
}

/// Something that is done to a server, and how it ends.
type Step = (fn(&Server), fn(&Server));

/// The whole server frozen and killed, instead of the way to it.
#[tokio::test]
async fn behaviour_04_a_database_server_that_is_frozen_or_killed() {
    let Some(server) = Server::start(Setup::default()).await else {
        return;
    };
    let plan = Plan {
        replicas: 1,
        url: Some(server.database().await),
        ..Plan::default()
    };
    let fleet = Fleet::start(plan).await;
    assert_eq!(database::place(&fleet.url).await.port(), server.port());
    let replica = &fleet.replicas[0];
    fill(&replica.gate, World { subjects: 1 }).await;
    let steps: [Step; 2] = [
        (Server::freeze, Server::thaw),
        (Server::kill, Server::restart),
    ];
    for (begin, end) in steps {
        well(replica).await;
        begin(&server);
        until("held facts stand in", async || {
            let answer = asked(replica, 0).await;
            assert_eq!(answer.verdict(), v1::Verdict::Allow);
            answer.stale.then_some(())
        })
        .await;
        let cold = ask("cold.cn", v1::Purpose::Order);
        let cold = replica.gate.check(cold).await.unwrap();
        assert_eq!(cold.verdict(), v1::Verdict::Indeterminate);
        end(&server);
        well(replica).await;
    }
}

/// An event clears a cached denial on every replica, long before anybody looks by himself.
#[tokio::test]
async fn behaviour_06_an_event_clears_a_cached_denial_on_every_replica() {
    for redis in [true, false] {
        let rare = [("cache.poll_interval", "50s"), ("cache.max_lag", "100s")];
        let fleet = fleet(3, redis, &rare).await;
        for replica in &fleet.replicas {
            until("the denial is cached", async || {
                let answer = asked(replica, 0).await;
                assert_eq!(answer.verdict(), v1::Verdict::Deny);
                (answer.served_from() == v1::ServedFrom::LocalCache).then_some(())
            })
            .await;
        }
        fill(&fleet.replicas[0].gate, World { subjects: 1 }).await;
        let begin = Instant::now();
        for replica in &fleet.replicas {
            until("the denial is gone", async || {
                let answer = asked(replica, 0).await;
                (answer.verdict() == v1::Verdict::Allow).then_some(())
            })
            .await;
        }
        say(&format!(
            "cleared after {:?} (Redis: {redis})",
            begin.elapsed()
        ));
        assert!(begin.elapsed() < Duration::from_secs(1) + ROOM);
    }
}

/// A caller who goes away is no error of the server's.
#[tokio::test]
async fn behaviour_09_a_cancelled_call_is_no_error() {
    let fleet = fleet(1, false, &[]).await;
    let replica = &fleet.replicas[0];
    fill(&replica.gate, World { subjects: 1 }).await;
    let mut client = replica.gate.provisioning();
    client.check_provisioning(order(1)).await.unwrap();
    replica.store.set(Mode::Delay(Duration::from_millis(300)));
    // He gives up without a word, or says in the call how long he waits.
    let gone = tokio::time::timeout(
        Duration::from_millis(50),
        client.check_provisioning(order(0)),
    );
    assert!(gone.await.is_err());
    let mut request = Request::new(order(2));
    request.set_timeout(Duration::from_millis(50));
    let status = client.check_provisioning(request).await.unwrap_err();
    let codes = [Code::Cancelled, Code::DeadlineExceeded];
    assert!(codes.contains(&status.code()), "{status:?}");
    for site in [0, 2] {
        until("the load goes on and fills the cache", async || {
            let answer = asked(replica, site).await;
            assert_eq!(answer.verdict(), v1::Verdict::Allow);
            (answer.served_from() == v1::ServedFrom::LocalCache).then_some(())
        })
        .await;
    }
    let log = replica.gate.log();
    assert!(!log.contains("ERROR") && !log.contains("panicked"), "{log}");
}

/// The lines on which signs of writes come are cut again and again while something changes: what
/// is answered is never older than the bound.
#[tokio::test]
async fn behaviour_12_without_signs_staleness_stays_under_the_bound() {
    let max_lag = Duration::from_secs(2);
    let fleet = fleet(2, true, &[]).await;
    let [one, other] = &*fleet.replicas else {
        panic!("two replicas")
    };
    fill(&one.gate, World { subjects: 1 }).await;
    well(other).await;
    let mut connection = database::connect(&fleet.url).await;
    let mut active = false;
    for round in 0..6 {
        // Redis is away for the other replica, and so is what the database says by itself.
        other.cache.as_ref().unwrap().set(Mode::Refuse);
        connection
            .execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND query ILIKE 'LISTEN%'",
            )
            .await
            .unwrap();
        active = !active;
        one.gate.put(vec![blocked(0, active)]).await.unwrap();
        let written = now();
        let expected = if active {
            v1::Verdict::Deny
        } else {
            v1::Verdict::Allow
        };
        let seen = until("the write is seen", async || {
            let from = now();
            let answer = asked(other, 0).await;
            if answer.verdict() == expected {
                return Some(now());
            }
            assert!(
                answer.stale || within(written, from, max_lag),
                "round {round}: {answer:?}"
            );
            None
        })
        .await;
        say(&format!("seen after {}", seen.duration_since(written)));
        if round % 2 == 1 {
            other.cache.as_ref().unwrap().set(Mode::Pass);
        }
    }
}

/// The way to the database is gone while something changes there, and then it is back.
#[tokio::test]
async fn behaviour_12_a_replica_that_was_cut_off_catches_up() {
    let fleet = fleet(2, true, &[]).await;
    let [one, other] = &*fleet.replicas else {
        panic!("two replicas")
    };
    let world = World { subjects: 2 };
    fill(&one.gate, world).await;
    for site in 0..world.names().len() {
        let answer = asked(other, site).await;
        assert_eq!(answer.verdict(), v1::Verdict::Allow);
    }
    other.cache.as_ref().unwrap().set(Mode::Refuse);
    other.store.set(Mode::Refuse);
    until("the gap is noticed", async || {
        asked(other, 0).await.stale.then_some(())
    })
    .await;
    for site in 0..world.names().len() {
        one.gate.put(vec![blocked(site, true)]).await.unwrap();
    }
    let answer = asked(other, 0).await;
    assert!(
        answer.stale && answer.verdict() == v1::Verdict::Allow,
        "{answer:?}"
    );
    other.store.set(Mode::Pass);
    until("it has caught up", async || {
        let mut all = true;
        for site in 0..world.names().len() {
            let answer = asked(other, site).await;
            // What is said to be current is.
            assert!(
                answer.stale || answer.verdict() == v1::Verdict::Deny,
                "{answer:?}"
            );
            all &= !answer.stale;
        }
        all.then_some(())
    })
    .await;
}

/// Writes to the same records through three replicas at once: all end with the same records, the
/// same policy and the same answers under the same identifiers.
#[tokio::test]
async fn behaviour_13_three_replicas_converge() {
    let fleet = fleet(3, true, &[]).await;
    fill(&fleet.replicas[0].gate, World { subjects: 1 }).await;
    let writes = fleet
        .replicas
        .iter()
        .enumerate()
        .map(|(at, replica)| async move {
            for turn in 0..20 {
                let records = vec![
                    blocked(0, (turn + at) % 2 == 0),
                    blocked(1, turn % 3 == at % 3),
                ];
                replica.gate.put(records).await.unwrap();
            }
        });
    futures::future::join_all(writes).await;
    for site in 0..3 {
        until("all replicas agree", async || {
            let mut told = Vec::new();
            for replica in &fleet.replicas {
                let answer = asked(replica, site).await;
                if answer.stale {
                    return None;
                }
                told.push((answer.decision_id, answer.policy_version, answer.verdict));
            }
            told.dedup();
            (told.len() == 1).then_some(())
        })
        .await;
    }
    let mut known = Vec::new();
    for replica in &fleet.replicas {
        let request = v1::GetDomainRequest { domain: name(0) };
        let answer = replica.gate.records().get_domain(request).await.unwrap();
        known.push(format!("{:?}", answer.into_inner()));
    }
    known.dedup();
    assert_eq!(known.len(), 1);
}

async fn fleet(replicas: usize, redis: bool, settings: &[(&'static str, &str)]) -> Fleet {
    let settings = settings
        .iter()
        .map(|(key, value)| (*key, (*value).to_owned()))
        .collect();
    Fleet::start(Plan {
        replicas,
        redis,
        settings,
        ..Plan::default()
    })
    .await
}

async fn fill(gate: &Gate, world: World) {
    for records in world.beginning() {
        gate.put(records).await.unwrap();
    }
}

fn order(site: usize) -> v1::CheckProvisioningRequest {
    ask(&name(site), v1::Purpose::Order)
}

async fn asked(replica: &Replica, site: usize) -> v1::Decision {
    replica.gate.check(order(site)).await.unwrap()
}

/// Waits until a name is allowed on facts that are current.
async fn well(replica: &Replica) {
    until("the replica is well", async || {
        let answer = asked(replica, 0).await;
        (answer.verdict() == v1::Verdict::Allow && !answer.stale).then_some(())
    })
    .await;
}

/// Waits until answers come from Redis.
async fn in_use(replica: &Replica, redis: &super::redis::Redis) {
    until("Redis is in use", async || {
        let answer = asked(replica, 0).await;
        (answer.served_from() == v1::ServedFrom::SharedCache).then_some(())
    })
    .await;
    assert!(redis.keys() > 0);
}

/// Asks so many questions at a pace that does not wait for answers; returns how long each took.
async fn open_loop(gate: &Gate, world: World, questions: u32) -> Vec<Duration> {
    let client = gate.provisioning();
    let mut calls = JoinSet::new();
    let begin = Instant::now();
    let names = world.names();
    for at in 0..questions {
        let due = begin + PACE * at;
        tokio::time::sleep_until(due).await;
        let mut client = client.clone();
        let question = ask(&names[at as usize % names.len()], v1::Purpose::Order);
        calls.spawn(async move {
            let begin = Instant::now();
            let answer = client
                .check_provisioning(question)
                .await
                .unwrap()
                .into_inner();
            let decision = answer.decision.unwrap();
            assert_eq!(decision.verdict(), v1::Verdict::Allow, "{decision:?}");
            begin.elapsed()
        });
    }
    calls.join_all().await
}

fn within(written: Timestamp, asked: Timestamp, bound: Duration) -> bool {
    asked <= written + bound
}
