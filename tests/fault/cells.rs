//! The table of `docs/DEGRADATION.md`, cell by cell, each test named after its row.

use std::path::Path;
use std::time::Duration;

use futures::StreamExt as _;
use icpgate::proto::v1;
use icpgate::proto::v1::check_provisioning_result::Result as ItemResult;
use sqlx::Executor as _;
use tonic::Code;

use super::database;
use super::fleet::{Fleet, Plan, Replica, say};
use super::oracle::{comes_back, instant};
use super::random::now;
use super::servers::gate::{Gate, Signal, until};
use super::servers::proxy::Mode;
use super::trouble::{TROUBLES, Trouble};
use super::world::{World, ask, blocked, name};

/// Fleets that run side by side.
const AT_ONCE: usize = 4;

const PURPOSES: [v1::Purpose; 4] = [
    v1::Purpose::Order,
    v1::Purpose::Activation,
    v1::Purpose::Recheck,
    v1::Purpose::PreFiling,
];

/// Longest that stale facts are used, by default.
const MAX_STALE: Duration = Duration::from_mins(15);

const MAX_STALE_RECHECK: Duration = Duration::from_hours(72);

/// Redis up, database up.
#[tokio::test]
async fn row_1_all_is_well() {
    let fleet = filled(1, None).await;
    normal(&fleet.replicas[0], 0).await;
    normal(&fleet.replicas[0], 0).await;
}

/// Redis in any kind of trouble, database up.
#[tokio::test]
async fn row_2_behaviour_02_redis_in_trouble_changes_no_answer_and_fails_no_call() {
    let all = TROUBLES.iter().map(|trouble| redis_in(*trouble));
    futures::stream::iter(all)
        .for_each_concurrent(AT_ONCE, |one| one)
        .await;
}

async fn redis_in(trouble: Trouble) {
    say(&format!("{trouble:?}"));
    let mut fleet = filled(1, None).await;
    normal(&fleet.replicas[0], 0).await;
    let (redis, replica) = fleet.redis_and_first();
    trouble.begin(redis, replica.cache.as_ref().unwrap()).await;
    // What this process holds, what only Redis held, and what nobody held.
    normal(replica, 0).await;
    normal(replica, 1).await;
    replica.gate.put(vec![blocked(2, true)]).await.unwrap();
    let decision = replica.gate.check(ask(&name(2), v1::Purpose::Order)).await;
    assert_eq!(decision.unwrap().verdict(), v1::Verdict::Deny);
    trouble.end(redis, replica.cache.as_ref().unwrap()).await;
    normal(replica, 0).await;
    assert_no_server_error(&replica.gate);
}

/// Database down or hanging, Redis up or down, facts held that are young.
#[tokio::test]
async fn row_3_young_facts_stand_in_for_the_database() {
    for (database, redis) in [
        (Mode::Refuse, Mode::Pass),
        (Mode::Refuse, Mode::Refuse),
        (Mode::Hang, Mode::Pass),
        (Mode::Hang, Mode::Hang),
    ] {
        say(&format!("database {database:?}, Redis {redis:?}"));
        let fleet = filled(1, None).await;
        let replica = &fleet.replicas[0];
        normal(replica, 0).await;
        replica.cache.as_ref().unwrap().set(redis);
        replica.store.set(database);
        for purpose in PURPOSES {
            let answer = asked(replica, &name(0), purpose).await;
            // The end of the line is found out by asking, or by the next look at the log.
            let answer = if purpose == v1::Purpose::Activation || answer.stale {
                answer
            } else {
                until("the database is found to be away", async || {
                    let answer = asked(replica, &name(0), purpose).await;
                    answer.stale.then_some(answer)
                })
                .await
            };
            stale_or_indeterminate(&answer, purpose, v1::ServedFrom::LocalCache);
        }
        replica.store.set(Mode::Pass);
        replica.cache.as_ref().unwrap().set(Mode::Pass);
        normal(replica, 0).await;
    }
}

/// The same, where only Redis holds the facts.
#[tokio::test]
async fn row_3_young_facts_of_another_replica_stand_in_for_the_database() {
    let fleet = filled(2, None).await;
    let [one, other] = &*fleet.replicas else {
        panic!("two replicas")
    };
    let mut below = 0..;
    until(
        "the other replica uses what the first has shared",
        async || {
            let domain = format!("b{}.{}", below.next()?, name(0));
            asked(one, &domain, v1::Purpose::Order).await;
            let answer = asked(other, &domain, v1::Purpose::Order).await;
            (answer.served_from() == v1::ServedFrom::SharedCache).then_some(())
        },
    )
    .await;
    let redis = fleet.redis.as_ref().unwrap();
    let before = redis.keys();
    let domain = format!("shared.{}", name(0));
    asked(one, &domain, v1::Purpose::Order).await;
    until("it is shared", async || {
        (redis.keys() > before).then_some(())
    })
    .await;
    other.store.set(Mode::Refuse);
    let first = asked(other, &domain, v1::Purpose::Order).await;
    assert_eq!(first.served_from(), v1::ServedFrom::SharedCache);
    for purpose in PURPOSES {
        let answer = until("the database is found to be away", async || {
            let answer = asked(other, &domain, purpose).await;
            (answer.stale || answer.verdict() == v1::Verdict::Indeterminate).then_some(answer)
        })
        .await;
        // Taken from Redis once, and held from then on.
        stale_or_indeterminate(&answer, purpose, v1::ServedFrom::LocalCache);
    }
}

/// Database and Redis down, no facts.
#[tokio::test]
async fn row_4_without_facts_nothing_is_allowed_or_denied() {
    for database in [Mode::Refuse, Mode::Hang] {
        let fleet = filled(1, None).await;
        let replica = &fleet.replicas[0];
        replica.cache.as_ref().unwrap().set(Mode::Refuse);
        replica.store.set(database);
        let all = PURPOSES.map(|purpose| async move {
            let answer = asked(replica, &name(0), purpose).await;
            indeterminate(&answer, v1::Reason::FactsUnavailable);
        });
        futures::future::join_all(all).await;
        replica.store.set(Mode::Pass);
        normal(replica, 0).await;
    }
}

/// Database and Redis down, facts that are too old: first to place orders, then for anything.
#[tokio::test]
async fn row_4_old_facts_allow_and_deny_nothing() {
    let seconds = Duration::from_secs;
    let fleet = filled(1, Some((seconds(2), seconds(15)))).await;
    let replica = &fleet.replicas[0];
    normal(replica, 0).await;
    replica.cache.as_ref().unwrap().set(Mode::Refuse);
    replica.store.set(Mode::Refuse);
    let too_old = async |purpose| {
        until("the facts are too old", async || {
            let answer = asked(replica, &name(0), purpose).await;
            (answer.verdict() == v1::Verdict::Indeterminate).then_some(answer)
        })
        .await
    };
    indeterminate(&too_old(v1::Purpose::Order).await, v1::Reason::FactsStale);
    // Together: each may wait for the database.
    let site = name(0);
    let (pre_filing, activation, recheck) = tokio::join!(
        asked(replica, &site, v1::Purpose::PreFiling),
        asked(replica, &site, v1::Purpose::Activation),
        asked(replica, &site, v1::Purpose::Recheck),
    );
    indeterminate(&pre_filing, v1::Reason::FactsStale);
    indeterminate(&activation, v1::Reason::FactsStale);
    assert_eq!(recheck.verdict(), v1::Verdict::Allow);
    assert!(recheck.stale);
    indeterminate(&too_old(v1::Purpose::Recheck).await, v1::Reason::FactsStale);
}

/// The policy cannot be used: the program does not start, and says why.
#[tokio::test]
async fn row_5_without_a_policy_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    for (text, told) in [
        ("this is no policy", "policy"),
        ("[staleness]\nmax_stale = \"15m\"\n", "policy"),
    ] {
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, text).unwrap();
        let settings = vec![("policy.file", file.display().to_string())];
        let Err(ended) = Gate::try_start(settings).await else {
            panic!("it serves under `{text}`");
        };
        assert!(!ended.status.success());
        assert!(ended.log.contains(told), "{}", ended.log);
    }
}

/// A policy that becomes unusable under a running program: the last good one stays, the log tells once
/// what is wrong with all of it, and the replica stays ready. A good one is taken, without a restart.
#[tokio::test]
async fn row_5_the_last_good_policy_stays() {
    let seconds = Duration::from_secs;
    let mut fleet = filled(1, Some((seconds(60), seconds(60)))).await;
    let hurried = vec![("auth.reload_interval", "50ms".to_owned())];
    let replica = fleet.replica(hurried).await;
    fleet.replicas.push(replica);
    let file = fleet.policy_file();
    let [patient, replica] = &mut *fleet.replicas else {
        panic!("two replicas")
    };
    let good = std::fs::read_to_string(&file).unwrap();
    let before = asked(replica, &name(0), v1::Purpose::Order).await;
    let broken = good.replace("[staleness]", "[stalenes]\nx = 1\n[staleness]");
    for (wrong, told) in [
        ("broken".to_owned(), vec!["not TOML"]),
        (
            broken.replace("max_stale_recheck = \"60s\"", "max_stale_recheck = 1"),
            vec!["stalenes.x:", "staleness.max_stale_recheck:"],
        ),
    ] {
        replace(&file, &wrong);
        let line = until("the log tells what is wrong", async || {
            let log = replica.gate.log();
            let line = log.lines().rfind(|line| line.contains("stays in force"))?;
            let all = told.iter().all(|told| line.contains(told));
            all.then(|| line.to_owned())
        })
        .await;
        assert!(line.contains("ERROR"), "{line}");
        let after = asked(replica, &name(0), v1::Purpose::Order).await;
        assert_eq!(after.policy_version, before.policy_version);
        assert_eq!(after.verdict, before.verdict);
        assert!(replica.gate.is_ready().await);
    }
    let told = replica.gate.log().matches("stays in force").count();
    assert_eq!(told, 2, "once for each change");
    // A good one.
    replace(&file, &good.replace("\nversion = \"", "\nversion = \"new-"));
    let after = until("the new policy is in force", async || {
        let answer = asked(replica, &name(0), v1::Purpose::Order).await;
        (answer.policy_version != before.policy_version).then_some(answer)
    })
    .await;
    let line = format!("{} -> {}", before.policy_version, after.policy_version);
    assert!(replica.gate.log().contains(&line), "{}", replica.gate.log());
    // The other looks when it is told to.
    let answer = asked(patient, &name(0), v1::Purpose::Order).await;
    assert_eq!(answer.policy_version, before.policy_version);
    patient.gate.process().signal(Signal::HangUp);
    until("the other has it in force too", async || {
        let answer = asked(patient, &name(0), v1::Purpose::Order).await;
        (answer.policy_version == after.policy_version).then_some(())
    })
    .await;
}

/// As operators are told to: a new file in the place of the old one.
fn replace(file: &Path, document: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, document).unwrap();
    std::fs::rename(new, file).unwrap();
}

/// The log of decisions takes nothing while records can be read: orders are answered until its
/// queue is full, activations are not; nothing that was answered is lost.
#[tokio::test]
async fn row_6_a_blocked_log_of_decisions_stops_activations_and_then_orders() {
    let fleet = filled(1, None).await;
    let replica = &fleet.replicas[0];
    let before = asked(replica, &name(0), v1::Purpose::Order).await;
    let mut other = database::connect(&fleet.url).await;
    other
        .execute("BEGIN; LOCK TABLE decision IN ACCESS EXCLUSIVE MODE")
        .await
        .unwrap();
    let mut answered = vec![before.decision_id];
    for purpose in [v1::Purpose::Order, v1::Purpose::Recheck] {
        let answer = asked(replica, &name(1), purpose).await;
        assert_eq!(answer.verdict(), v1::Verdict::Allow);
        answered.push(answer.decision_id);
    }
    let activation = replica.gate.check(ask(&name(1), v1::Purpose::Activation));
    let (activation, mut flood) = tokio::join!(activation, flood(&replica.gate));
    let status = activation.expect_err("an activation is not answered before it is durable");
    assert!(comes_back(&status), "{status:?}");
    answered.append(&mut flood);
    let order = replica.gate.check(ask(&name(2), v1::Purpose::Order)).await;
    let status = order.expect_err("the queue is bounded");
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    // The lock goes, and with it the trouble.
    other.execute("ROLLBACK").await.unwrap();
    until("an activation is answered", async || {
        let activation = ask(&name(1), v1::Purpose::Activation);
        replica.gate.check(activation).await.ok()
    })
    .await;
    answered.sort_unstable();
    answered.dedup();
    until("every answer is in the log", async || {
        let recorded: i64 =
            sqlx::query_scalar("SELECT count(*) FROM decision WHERE decision_id = ANY($1)")
                .bind(&answered)
                .fetch_one(&mut other)
                .await
                .unwrap();
        (usize::try_from(recorded) == Ok(answered.len())).then_some(())
    })
    .await;
}

/// Asks until the queue of the log is full; returns what was answered.
async fn flood(gate: &Gate) -> Vec<String> {
    let mut client = gate.provisioning();
    let mut answered = Vec::new();
    for group in 0..40 {
        // Names that need no rule but their form, so that this goes fast.
        let requests = (0..1000)
            .map(|at| v1::CheckProvisioningRequest {
                product: v1::Product::DnsOnly as i32,
                ..ask(&format!("q{group}-{at}.cn"), v1::Purpose::Order)
            })
            .collect();
        let request = v1::BatchCheckProvisioningRequest { requests };
        let answer = client.batch_check_provisioning(request).await.unwrap();
        for result in answer.into_inner().results {
            match result.result.expect("an answer or an error") {
                ItemResult::Decision(decision) => answered.push(decision.decision_id),
                ItemResult::Error(error) => {
                    assert_eq!(error.code, Code::ResourceExhausted as i32, "{error:?}");
                    assert!(answered.len() > 10_000, "{}", answered.len());
                    return answered;
                }
            }
        }
    }
    panic!("{} answers, and the queue is not full", answered.len());
}

/// Replicas over one Redis, with a registry under which every name is allowed; sites 1 and 2 are
/// shared in Redis by a replica that has gone.
async fn filled(replicas: usize, stale: Option<(Duration, Duration)>) -> Fleet {
    let fleet = Fleet::start(Plan {
        replicas,
        redis: true,
        stale,
        settings: vec![
            // Whether Redis answers in time is not the question here.
            ("redis.timeout", "500ms".to_owned()),
            // Files are looked at when the process is told to.
            ("auth.reload_interval", "1h".to_owned()),
        ],
        ..Plan::default()
    })
    .await;
    let world = World { subjects: 1 };
    let [records] = &*world.beginning() else {
        panic!("one subject")
    };
    fleet.replicas[0].gate.put(records.clone()).await.unwrap();
    let gone = fleet.replica(Vec::new()).await;
    for site in [1, 2] {
        share(&gone, &fleet, &name(site)).await;
    }
    fleet
}

/// Asks until the facts are in Redis; before Redis is in use, nothing is put there.
async fn share(replica: &Replica, fleet: &Fleet, domain: &str) {
    let redis = fleet.redis.as_ref().unwrap();
    let before = redis.keys();
    let mut below = 0..;
    until("facts are in Redis", async || {
        // Another set of facts each time: what is held is not put again.
        let name = format!("n{}.{domain}", below.next()?);
        asked(replica, &name, v1::Purpose::Order).await;
        (redis.keys() > before).then_some(())
    })
    .await;
    asked(replica, domain, v1::Purpose::Order).await;
}

async fn asked(replica: &Replica, domain: &str, purpose: v1::Purpose) -> v1::Decision {
    replica.gate.check(ask(domain, purpose)).await.unwrap()
}

/// Every purpose is answered from what holds; perhaps not at once, where the machine does much
/// else.
async fn normal(replica: &Replica, site: usize) {
    until("every purpose is answered from what holds", async || {
        for purpose in PURPOSES {
            let answer = asked(replica, &name(site), purpose).await;
            if !is_normal(&answer, purpose) {
                return None;
            }
        }
        Some(())
    })
    .await;
}

fn is_normal(answer: &v1::Decision, purpose: v1::Purpose) -> bool {
    let expected = match purpose {
        // It is filed already, and nobody was named who files it.
        v1::Purpose::PreFiling => v1::Verdict::Deny,
        v1::Purpose::Activation
        | v1::Purpose::Order
        | v1::Purpose::Recheck
        | v1::Purpose::Unspecified => v1::Verdict::Allow,
    };
    !answer.stale && answer.verdict() == expected
}

fn stale_or_indeterminate(answer: &v1::Decision, purpose: v1::Purpose, from: v1::ServedFrom) {
    let context = format!("{purpose:?} {answer:?}");
    if purpose == v1::Purpose::Activation {
        indeterminate(answer, v1::Reason::FactsStale);
        return;
    }
    assert!(answer.stale, "{context}");
    assert_ne!(answer.verdict(), v1::Verdict::Indeterminate, "{context}");
    assert_eq!(answer.served_from(), from, "{context}");
    let longest = if purpose == v1::Purpose::Recheck {
        MAX_STALE_RECHECK
    } else {
        MAX_STALE
    };
    assert!(
        instant(answer.valid_until).unwrap() <= now() + longest,
        "{context}"
    );
}

fn indeterminate(answer: &v1::Decision, reason: v1::Reason) {
    assert_eq!(answer.verdict(), v1::Verdict::Indeterminate, "{answer:?}");
    assert_eq!(answer.reasons().collect::<Vec<_>>(), [reason], "{answer:?}");
    let retry = instant(answer.retry_after).expect("it says when to come back");
    assert!(retry >= now(), "{answer:?}");
    assert!(!answer.stale, "{answer:?}");
}

fn assert_no_server_error(gate: &Gate) {
    let log = gate.log();
    assert!(!log.contains("panicked"), "{log}");
    assert!(!log.contains("a call failed"), "{log}");
}
