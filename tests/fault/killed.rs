//! kill -9 of replicas in the middle of what they do: what was acknowledged is there, and nothing
//! is there by half.
//!
//! `ICPGATE_FAULT_KILLS` sets how many kills there are.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate::proto::v1::record_service_client::RecordServiceClient;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::database;
use super::fleet::{Fleet, Plan, say};
use super::oracle::{Bounds, Oracle, Put};
use super::random::{now, number, seed};
use super::servers::gate::{Signal, until};
use super::world::{World, ask, name, services};

/// Kills of one run.
const KILLS: u64 = 100;

/// How long a replica runs before it is killed.
const ALIVE_MS: std::ops::Range<u64> = 1..120;

/// Lines of an import.
const IMPORT: u64 = 400;

/// What callers saw.
#[derive(Default)]
struct Noted {
    /// Where the replicas listen now.
    places: Mutex<Vec<SocketAddr>>,
    codes: Mutex<BTreeMap<String, u64>>,
    puts: Mutex<Vec<Put>>,
    /// Activations that were answered.
    activations: Mutex<Vec<String>>,
    /// Names of imports that were acknowledged.
    imports: Mutex<Vec<String>>,
}

#[tokio::test]
async fn behaviour_15_what_is_acknowledged_survives_kills_and_nothing_is_applied_by_half() {
    let seed = seed(15);
    let kills = number("ICPGATE_FAULT_KILLS").unwrap_or(KILLS);
    say(&format!("seed {seed}, {kills} kills"));
    let world = World { subjects: 4 };
    let mut fleet = Fleet::start(Plan {
        replicas: 3,
        redis: true,
        ..Plan::default()
    })
    .await;
    let noted = Noted::default();
    noted.see(&fleet);
    for records in world.beginning() {
        let answer = fleet.replicas[0].gate.put(records.clone()).await;
        assert!(answer.is_ok(), "{answer:?}");
        noted.note(records, answer);
    }
    let stop = CancellationToken::new();
    tokio::join!(
        noted.kill(&mut fleet, kills, seed, &stop),
        noted.ask(world, seed + 1, &stop),
        noted.activate(world, seed + 2, &stop),
        noted.write(world, seed + 3, &stop),
        noted.import(seed + 4, &stop),
    );
    let codes = noted.codes.into_inner().unwrap();
    say(&format!("{:40} calls", "code"));
    for (code, calls) in &codes {
        say(&format!("{code:40} {calls}"));
    }
    let puts = noted.puts.into_inner().unwrap();
    let activations = noted.activations.into_inner().unwrap();
    let imports = noted.imports.into_inner().unwrap();
    say(&format!(
        "acknowledged: {} writes, {} activations, {} imports",
        puts.len(),
        activations.len(),
        imports.len()
    ));
    assert!(!activations.is_empty() && !imports.is_empty());

    let (store, intake) = fleet.truth().await;
    let bounds = Bounds {
        lag: Duration::ZERO,
        stale: Duration::ZERO,
        recheck: Duration::ZERO,
    };
    // Imports write revisions of their own.
    let oracle = Oracle::read(&*store, intake, &puts, bounds).await;
    let wrong = oracle.judge_puts(&puts);
    assert!(wrong.is_empty(), "{wrong:#?}");
    // A write moves names between two services; by half, some name would be nobody's.
    for revision in oracle.revisions() {
        for site in 0..world.names().len() {
            let question = ask(&name(site), v1::Purpose::Order);
            let answer = oracle.answer(&question, revision, now());
            assert!(
                !answer.is_unfiled() || !oracle.is_begun(revision),
                "{revision:?} {answer:?}"
            );
        }
    }
    let mut connection = database::connect(&fleet.url).await;
    for id in activations {
        let recorded: i64 =
            sqlx::query_scalar("SELECT count(*) FROM decision WHERE decision_id = $1")
                .bind(&id)
                .fetch_one(&mut connection)
                .await
                .unwrap();
        assert_eq!(
            recorded, 1,
            "the activation {id} was answered and is not recorded"
        );
    }
    for import in imports {
        // The last line tells of those before it, and some in between.
        for line in (0..IMPORT).step_by(100).chain([IMPORT - 1]) {
            let domain = imported(&import, line);
            until("the import is seen", async || {
                let question = ask(&domain, v1::Purpose::Order);
                let answer = fleet.replicas[0].gate.check(question).await.unwrap();
                answer
                    .reasons()
                    .any(|reason| reason == v1::Reason::DomainBlacklisted)
                    .then_some(())
            })
            .await;
        }
    }
    store.close().await;
}

impl Noted {
    fn see(&self, fleet: &Fleet) {
        let places = fleet.replicas.iter().map(|replica| replica.gate.address());
        *self.places.lock().unwrap() = places.collect();
    }

    /// Kills one replica after the other, and starts each again.
    async fn kill(&self, fleet: &mut Fleet, kills: u64, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        for _ in 0..kills {
            let alive = Duration::from_millis(dice.random_range(ALIVE_MS));
            tokio::time::sleep(alive).await;
            let victim = dice.random_range(0..fleet.replicas.len());
            let gate = &mut fleet.replicas[victim].gate;
            gate.process().signal(Signal::Kill);
            gate.process().wait().await;
            gate.restart().await;
            self.see(fleet);
        }
        // What is under way may end.
        tokio::time::sleep(Duration::from_millis(500)).await;
        stop.cancel();
    }

    /// Asks, and asks another replica where one has gone, until there is an answer.
    async fn ask(&self, world: World, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        while !stop.is_cancelled() {
            let question = v1::CheckProvisioningRequest {
                purpose: v1::Purpose::Order as i32,
                ..world.question(&mut dice)
            };
            until("some replica answers", async || {
                let answer = self.check(&question, &mut dice).await;
                answer.ok().map(|_| ())
            })
            .await;
        }
    }

    async fn activate(&self, world: World, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        while !stop.is_cancelled() {
            let question = v1::CheckProvisioningRequest {
                purpose: v1::Purpose::Activation as i32,
                // Each is to be recorded anew.
                customer: Some(v1::Customer {
                    account_id: format!("a{}", dice.random::<u64>()),
                    ..Default::default()
                }),
                ..world.question(&mut dice)
            };
            if let Ok(decision) = self.check(&question, &mut dice).await
                && decision.verdict() != v1::Verdict::Indeterminate
            {
                self.activations.lock().unwrap().push(decision.decision_id);
            }
        }
    }

    async fn write(&self, world: World, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        while !stop.is_cancelled() {
            let subject = dice.random_range(0..world.subjects);
            let records = services(subject, dice.random_range(1..7), "ACTIVE");
            let request = v1::PutRecordsRequest {
                records: records.clone(),
            };
            let answer = match self.channel(&mut dice).await {
                Ok(channel) => RecordServiceClient::new(channel).put_records(request).await,
                Err(status) => Err(status),
            };
            let answer = answer.map(|answer| answer.into_inner().revision);
            self.count(&answer);
            self.note(records, answer);
        }
    }

    async fn import(&self, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        for number in 0.. {
            if stop.is_cancelled() {
                return;
            }
            let import = format!("i{number}");
            let lines: Vec<_> = (0..IMPORT)
                .map(|line| v1::ImportRecordsRequest {
                    record: Some(super::world::blocked_name(&imported(&import, line))),
                    line: line + 1,
                })
                .collect();
            let answer = match self.channel(&mut dice).await {
                Ok(channel) => {
                    let mut client = RecordServiceClient::new(channel);
                    client.import_records(futures::stream::iter(lines)).await
                }
                Err(status) => Err(status),
            };
            self.count(&answer);
            if let Ok(report) = answer {
                let report = report.into_inner();
                assert_eq!(report.accepted + report.unchanged, IMPORT, "{report:?}");
                self.imports.lock().unwrap().push(import);
            }
        }
    }

    async fn check(
        &self,
        question: &v1::CheckProvisioningRequest,
        dice: &mut StdRng,
    ) -> Result<v1::Decision, Status> {
        let answer = match self.channel(dice).await {
            Ok(channel) => {
                let mut client = ProvisioningServiceClient::new(channel);
                client.check_provisioning(question.clone()).await
            }
            Err(status) => Err(status),
        };
        self.count(&answer);
        Ok(answer?.into_inner().decision.unwrap())
    }

    /// A connection to one of the replicas.
    async fn channel(&self, dice: &mut StdRng) -> Result<Channel, Status> {
        let place = *self.places.lock().unwrap().choose(dice).unwrap();
        let endpoint = Channel::from_shared(format!("http://{place}")).unwrap();
        let connected = endpoint.connect().await;
        connected.map_err(|error| Status::unavailable(error.to_string()))
    }

    fn count<T>(&self, answer: &Result<T, Status>) {
        let code = answer.as_ref().err().map_or(Code::Ok, Status::code);
        let known = [Code::Ok, Code::Unavailable];
        // The library's word for a connection that broke during a call.
        let broken = answer.as_ref().err().is_some_and(|status| {
            use std::error::Error as _;
            status.source().is_some() && [Code::Unknown, Code::Cancelled].contains(&code)
        });
        let error = answer.as_ref().err();
        assert!(known.contains(&code) || broken, "{error:?}");
        let told = if broken {
            "connection broken"
        } else {
            code.description()
        };
        *self
            .codes
            .lock()
            .unwrap()
            .entry(told.to_owned())
            .or_default() += 1;
    }

    fn note(&self, records: Vec<v1::Record>, answer: Result<String, Status>) {
        // Whether a write that was not answered took place is not known, and need not be.
        if answer.is_ok() {
            self.puts.lock().unwrap().push(Put {
                replica: 0,
                records,
                to: now(),
                answer,
            });
        }
    }
}

fn imported(import: &str, line: u64) -> String {
    format!("{import}-{line}.cn")
}
