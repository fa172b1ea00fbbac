//! Faults at random under load, and every answer held against the log that was committed.
//!
//! `ICPGATE_FAULT_SECONDS` makes the long run longer or shorter, `ICPGATE_FAULT_SEED` repeats one.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt as _;
use icpgate::clock::{Clock as _, SystemClock};
use icpgate::proto::v1;
use icpgate::proto::v1::check_provisioning_request::Consistency;
use icpgate::proto::v1::check_provisioning_result::Result as ItemResult;
use icpgate_policy::facts::Revision;
use jiff::Timestamp;
use prost::Message as _;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status};

use super::fleet::{Fleet, Plan, say};
use super::oracle::{Asked, Bounds, Oracle, Put, Right, told};
use super::redis::Redis;
use super::servers::gate::{Gate, Signal, until};
use super::servers::postgres::{Server, Setup};
use super::servers::proxy::schedule;
use super::world::{World, ask, name};

/// Between two questions to one replica.
const ASK_EVERY: Duration = Duration::from_millis(30);

/// Questions of a batch; every so many questions one is a batch.
const BATCH: usize = 20;

/// Between two writes through one replica.
const WRITE_EVERY_MS: std::ops::Range<u64> = 200..1_200;

/// Stale answers are given for as long as most faults last, and not for as long as the longest.
const MAX_STALE: Duration = Duration::from_secs(4);

const MAX_STALE_RECHECK: Duration = Duration::from_secs(30);

/// Default of `cache.max_lag`.
const MAX_LAG: Duration = Duration::from_secs(2);

struct Run {
    seed: u64,
    length: Duration,
    replicas: usize,
    redis: bool,
}

/// What was asked and written, by everybody.
#[derive(Default)]
struct Noted {
    asked: Mutex<Vec<Asked>>,
    puts: Mutex<Vec<Put>>,
    /// Newest token that a writer was given.
    token: Mutex<Option<String>>,
}

#[tokio::test]
async fn behaviour_05_random_faults_and_data_never_give_an_allowance_without_evidence() {
    let run = Run {
        seed: seed(5),
        length: Duration::from_secs(15),
        replicas: 1,
        redis: true,
    };
    run.through().await;
}

/// The change log alone tells the replicas what to forget.
#[tokio::test]
async fn behaviour_05_the_same_without_redis() {
    let run = Run {
        seed: seed(55),
        length: Duration::from_secs(15),
        replicas: 2,
        redis: false,
    };
    run.through().await;
}

#[tokio::test]
async fn three_replicas_under_load_with_random_faults_for_two_minutes() {
    let run = Run {
        seed: seed(2026),
        length: Duration::from_secs(number("ICPGATE_FAULT_SECONDS").unwrap_or(120)),
        replicas: 3,
        redis: true,
    };
    run.through().await;
}

impl Run {
    async fn through(self) {
        say(&format!(
            "seed {} for {} s",
            self.seed,
            self.length.as_secs()
        ));
        let world = World { subjects: 8 };
        // With a server of somebody else, nothing is done to it.
        let database = Server::start(Setup::default()).await.map(Arc::new);
        let url = match &database {
            Some(server) => Some(server.database().await),
            None => None,
        };
        let mut fleet = Fleet::start(Plan {
            replicas: self.replicas,
            redis: self.redis,
            url,
            stale: Some((MAX_STALE, MAX_STALE_RECHECK)),
            settings: Vec::new(),
        })
        .await;
        let noted = Noted::default();
        for records in world.beginning() {
            noted.put(&fleet.replicas[0].gate, 0, records).await;
        }
        for put in &*noted.puts.lock().unwrap() {
            assert!(put.answer.is_ok(), "{put:?}");
        }
        let stop = CancellationToken::new();
        let mut redis = fleet.redis.take();
        {
            let end = async {
                tokio::time::sleep(self.length).await;
                stop.cancel();
            };
            let load = futures::future::join_all(fleet.replicas.iter().enumerate().map(
                |(at, replica)| {
                    let seed = self.seed.wrapping_mul(1_000) + at as u64;
                    let (noted, stop) = (&noted, &stop);
                    let (store, cache) = (
                        schedule(seed + 100, self.length),
                        schedule(seed + 200, self.length),
                    );
                    async move {
                        let before_cache = async {
                            if let Some(proxy) = &replica.cache {
                                proxy.run(&cache).await;
                            }
                        };
                        tokio::join!(
                            replica.store.run(&store),
                            before_cache,
                            noted.questions(&replica.gate, at, world, seed + 300, stop),
                            noted.writes(&replica.gate, at, world, seed + 400, stop),
                        );
                    }
                },
            ));
            tokio::join!(
                end,
                load,
                async {
                    if let Some(redis) = &mut redis {
                        trouble_redis(redis, self.seed + 500, &stop).await;
                    }
                },
                async {
                    if let Some(database) = &database {
                        trouble_database(database, self.seed + 600, &stop).await;
                    }
                },
            );
        }
        agree(&fleet, world).await;
        self.judge(&fleet, world, noted).await;
    }

    /// Holds everything that was answered against the log.
    async fn judge(&self, fleet: &Fleet, world: World, noted: Noted) {
        let asked = noted.asked.into_inner().unwrap();
        let puts = noted.puts.into_inner().unwrap();
        let (store, intake) = fleet.truth().await;
        let bounds = Bounds {
            lag: MAX_LAG,
            stale: MAX_STALE,
            recheck: MAX_STALE_RECHECK,
        };
        let oracle = Oracle::read(&*store, intake, &puts, bounds).await;
        let head = oracle.head();
        assert_eq!(store.head().await.unwrap(), head, "all of the log is known");
        assert_eq!(oracle.revisions().count() as u64, head.0);
        let mut wrong = oracle.judge_puts(&puts);
        let mut rights: BTreeMap<Right, usize> = BTreeMap::new();
        for asked in &asked {
            match oracle.judge(asked, &puts) {
                Ok(right) => *rights.entry(right).or_default() += 1,
                Err(what) => wrong.push(what),
            }
        }
        say(&format!(
            "{rights:?} of {} answers, {} writes, {head:?}",
            asked.len(),
            puts.len()
        ));
        agree_with(fleet, world, &oracle, head).await;
        store.close().await;
        for what in wrong.iter().take(5) {
            say(&format!("WRONG {what}"));
        }
        for replica in fleet.replicas.iter().filter(|_| !wrong.is_empty()) {
            say(&format!("LOG {}", replica.gate.log()));
        }
        assert!(
            wrong.is_empty(),
            "{} are wrong (seed {})",
            wrong.len(),
            self.seed
        );
        // The faults were felt, and did not make the service useless.
        let count = |right| rights.get(&right).copied().unwrap_or(0);
        assert!(count(Right::Stale) > 0, "{rights:?}");
        assert!(
            count(Right::Indeterminate) + count(Right::Unavailable) > 0,
            "{rights:?}"
        );
        assert!(count(Right::Current) > asked.len() / 10, "{rights:?}");
        assert!(head.0 > world.subjects as u64, "something was written");
    }
}

impl Noted {
    /// Asks at a pace that does not wait for answers.
    async fn questions(
        &self,
        gate: &Gate,
        replica: usize,
        world: World,
        seed: u64,
        stop: &CancellationToken,
    ) {
        let mut dice = StdRng::seed_from_u64(seed);
        let client = gate.provisioning();
        let mut calls = JoinSet::new();
        let mut next = Instant::now();
        let mut turn = 0;
        while !stop.is_cancelled() {
            tokio::time::sleep_until(next).await;
            next += ASK_EVERY;
            turn += 1;
            let many = if turn % BATCH == 0 { BATCH } else { 1 };
            let questions: Vec<_> = (0..many)
                .map(|_| v1::CheckProvisioningRequest {
                    consistency: self.consistency(&mut dice),
                    ..world.question(&mut dice)
                })
                .collect();
            calls.spawn(all(client.clone(), replica, questions));
            while let Some(done) = calls.try_join_next() {
                self.asked.lock().unwrap().extend(done.unwrap());
            }
        }
        while let Some(done) = calls.join_next().await {
            self.asked.lock().unwrap().extend(done.unwrap());
        }
    }

    fn consistency(&self, dice: &mut StdRng) -> Option<Consistency> {
        match dice.random_range(0..20) {
            0 => Some(Consistency::FullyConsistent(true)),
            1 | 2 => {
                let token = self.token.lock().unwrap().clone()?;
                Some(Consistency::AtLeastAsFresh(token))
            }
            _ => None,
        }
    }

    async fn writes(
        &self,
        gate: &Gate,
        replica: usize,
        world: World,
        seed: u64,
        stop: &CancellationToken,
    ) {
        let mut dice = StdRng::seed_from_u64(seed);
        while !stop.is_cancelled() {
            let pause = dice.random_range(WRITE_EVERY_MS);
            tokio::time::sleep(Duration::from_millis(pause)).await;
            self.put(gate, replica, world.change(&mut dice)).await;
        }
    }

    async fn put(&self, gate: &Gate, replica: usize, records: Vec<v1::Record>) {
        let answer = gate.put(records.clone()).await;
        if let Ok(token) = &answer {
            *self.token.lock().unwrap() = Some(token.clone());
        }
        self.puts.lock().unwrap().push(Put {
            replica,
            records,
            to: now(),
            answer,
        });
    }
}

type Client = v1::provisioning_service_client::ProvisioningServiceClient<tonic::transport::Channel>;

/// Asks one question by itself, several as a batch.
async fn all(
    mut client: Client,
    replica: usize,
    questions: Vec<v1::CheckProvisioningRequest>,
) -> Vec<Asked> {
    let from = now();
    let answers: Vec<Result<v1::Decision, Status>> = if let [question] = &*questions {
        let answer = client.check_provisioning(question.clone()).await;
        vec![answer.map(|answer| answer.into_inner().decision.unwrap())]
    } else {
        let requests = questions.clone();
        let request = v1::BatchCheckProvisioningRequest { requests };
        match client.batch_check_provisioning(request).await {
            Ok(answer) => answer.into_inner().results.into_iter().map(item).collect(),
            Err(status) => vec![Err(status); questions.len()],
        }
    };
    let to = now();
    assert_eq!(answers.len(), questions.len());
    questions
        .into_iter()
        .zip(answers)
        .map(|(question, answer)| Asked {
            replica,
            question,
            from,
            to,
            answer,
        })
        .collect()
}

fn item(result: v1::CheckProvisioningResult) -> Result<v1::Decision, Status> {
    match result.result.expect("an answer or an error") {
        ItemResult::Decision(decision) => Ok(decision),
        ItemResult::Error(error) => Err(Status::with_details(
            Code::from_i32(error.code),
            error.message.clone(),
            error.encode_to_vec().into(),
        )),
    }
}

/// Faults of the Redis server itself, each mended after a while.
async fn trouble_redis(redis: &mut Redis, seed: u64, stop: &CancellationToken) {
    let mut dice = StdRng::seed_from_u64(seed);
    loop {
        let calm = Duration::from_millis(dice.random_range(2_000..6_000));
        let trouble = Duration::from_millis(dice.random_range(300..4_000));
        let which = dice.random_range(0..5);
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(calm) => {}
        }
        match which {
            0 => redis.process().signal(Signal::Stop),
            1 => redis.process().kill().await,
            2 => drop(redis.run(&["FLUSHALL"])),
            3 => drop(redis.run(&["REPLICAOF", "127.0.0.1", "1"])),
            _ => drop(redis.run(&["CONFIG", "SET", "maxmemory", "1"])),
        }
        tokio::time::sleep(trouble).await;
        match which {
            0 => redis.process().signal(Signal::Continue),
            1 => {
                redis.restart(&[]);
                redis.answers().await;
            }
            2 => {}
            3 => drop(redis.run(&["REPLICAOF", "NO", "ONE"])),
            _ => drop(redis.run(&["CONFIG", "SET", "maxmemory", "0"])),
        }
    }
}

/// Something that is done to a server.
type Done = fn(&Server);

/// Faults of the database server itself.
async fn trouble_database(database: &Arc<Server>, seed: u64, stop: &CancellationToken) {
    let mut dice = StdRng::seed_from_u64(seed);
    loop {
        let calm = Duration::from_millis(dice.random_range(5_000..20_000));
        let trouble = Duration::from_millis(dice.random_range(500..6_000));
        let (begin, end): (Done, Done) = if dice.random_bool(0.5) {
            (Server::kill, Server::restart)
        } else {
            (Server::freeze, Server::thaw)
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(calm) => {}
        }
        aside(database, begin).await;
        tokio::time::sleep(trouble).await;
        aside(database, end).await;
    }
}

/// Does what blocks where it blocks nobody.
async fn aside(database: &Arc<Server>, what: Done) {
    let database = Arc::clone(database);
    let done = tokio::task::spawn_blocking(move || what(&database)).await;
    done.unwrap();
}

/// Waits until all replicas give the same answers under the same identifiers to the same
/// questions, none of them stale.
async fn agree(fleet: &Fleet, world: World) {
    for site in 0..world.names().len() {
        let last = Mutex::new(Vec::new());
        let agreeing = until("all replicas agree", async || {
            let mut told = Vec::new();
            let mut ids = Vec::new();
            for replica in &fleet.replicas {
                let question = ask(&name(site), v1::Purpose::Order);
                let answer = replica.gate.check(question).await;
                if let Ok(decision) = &answer
                    && !decision.stale
                    && decision.verdict() != v1::Verdict::Indeterminate
                {
                    ids.push((
                        decision.decision_id.clone(),
                        decision.policy_version.clone(),
                    ));
                }
                told.push(answer);
            }
            *last.lock().unwrap() = told;
            let all = ids.len() == fleet.replicas.len();
            ids.dedup();
            (all && ids.len() == 1).then_some(())
        });
        if AssertUnwindSafe(agreeing).catch_unwind().await.is_err() {
            for (replica, last) in fleet.replicas.iter().zip(&*last.lock().unwrap()) {
                say(&format!("{last:?}\nLOG {}", replica.gate.log()));
            }
            panic!("the replicas do not agree about site {site}");
        }
    }
}

/// What they agree on is what the log says.
async fn agree_with(fleet: &Fleet, world: World, oracle: &Oracle, head: Revision) {
    for site in 0..world.names().len() {
        for replica in &fleet.replicas {
            let question = ask(&name(site), v1::Purpose::Order);
            let decision = replica.gate.check(question.clone()).await.unwrap();
            let expected = oracle.answer(&question, head, now());
            assert_eq!(told(&decision), expected, "{decision:#?}");
        }
    }
}

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) fn seed(usual: u64) -> u64 {
    number("ICPGATE_FAULT_SEED").unwrap_or(usual)
}

#[expect(clippy::disallowed_methods, reason = "whoever runs the tests decides")]
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}: `{text}` is no number")),
    )
}
