//! Replicas that are restarted one after the other, some in order and some by kill -9, while orders
//! come: a caller who asks once more gets his answer.
//!
//! `ICPGATE_FAULT_RESTARTS` sets how many restarts there are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};

use super::fleet::{Fleet, Plan, say};
use super::random::{number, seed};
use super::servers::gate::Signal;
use super::world::World;

/// Restarts of one run.
const RESTARTS: u64 = 12;

/// How long all replicas run between two restarts.
const ALIVE_MS: std::ops::Range<u64> = 500..900;

/// Callers at once.
const CALLERS: u64 = 6;

/// What callers saw.
#[derive(Default)]
struct Seen {
    /// Where the replicas listen now.
    places: Mutex<Vec<SocketAddr>>,
    /// First and second attempts, by what came of them.
    attempts: [Mutex<BTreeMap<String, u64>>; 2],
}

#[tokio::test]
async fn behaviour_15_restarts_of_replicas_lose_no_order_that_is_asked_again_once() {
    let seed = seed(151);
    let restarts = number("ICPGATE_FAULT_RESTARTS").unwrap_or(RESTARTS);
    say(&format!("seed {seed}, {restarts} restarts"));
    let world = World { subjects: 4 };
    let mut fleet = Fleet::start(Plan {
        replicas: 3,
        redis: true,
        settings: vec![
            ("limits.lame_duck", "200ms".to_owned()),
            // Connections age meanwhile.
            ("limits.connection_age", "3s".to_owned()),
        ],
        ..Plan::default()
    })
    .await;
    for records in world.beginning() {
        fleet.replicas[0].gate.put(records).await.unwrap();
    }
    let seen = Seen::default();
    seen.look(&fleet);
    let stop = CancellationToken::new();
    let callers = (0..CALLERS).map(|caller| seen.order(world, seed + 1 + caller, &stop));
    tokio::join!(
        seen.restart(&mut fleet, restarts, seed, &stop),
        futures::future::join_all(callers),
    );
    say(&format!("{:40} {:>10} {:>10}", "code", "first", "second"));
    let [first, second] = seen.attempts.map(|codes| codes.into_inner().unwrap());
    for code in first
        .keys()
        .chain(second.keys().filter(|code| !first.contains_key(*code)))
    {
        let count = |codes: &BTreeMap<String, u64>| codes.get(code).copied().unwrap_or(0);
        say(&format!(
            "{code:40} {:>10} {:>10}",
            count(&first),
            count(&second)
        ));
    }
    assert!(second.keys().all(|code| code == OK), "{second:?}");
    assert!(first[OK] > restarts, "{first:?}");
}

/// What is said of an answer.
const OK: &str = "OK";

impl Seen {
    fn look(&self, fleet: &Fleet) {
        let places = fleet.replicas.iter().map(|replica| replica.gate.address());
        *self.places.lock().unwrap() = places.collect();
    }

    /// Restarts one replica after the other, half of them by kill -9.
    async fn restart(&self, fleet: &mut Fleet, restarts: u64, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        for _ in 0..restarts {
            let alive = Duration::from_millis(dice.random_range(ALIVE_MS));
            tokio::time::sleep(alive).await;
            let victim = dice.random_range(0..fleet.replicas.len());
            let gate = &mut fleet.replicas[victim].gate;
            if dice.random_bool(0.5) {
                gate.process().signal(Signal::Terminate);
                let status = gate.process().wait().await;
                assert_eq!(status.code(), Some(0), "{}", gate.log());
            } else {
                gate.process().kill().await;
            }
            gate.restart().await;
            self.look(fleet);
        }
        stop.cancel();
    }

    /// Places orders, and asks another replica once where there is no answer.
    async fn order(&self, world: World, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut channels = HashMap::new();
        // Where this caller found nobody; like any balancer he goes elsewhere first.
        let mut down = HashSet::new();
        while !stop.is_cancelled() {
            let question = v1::CheckProvisioningRequest {
                purpose: v1::Purpose::Order as i32,
                ..world.question(&mut dice)
            };
            let mut failed: Option<(SocketAddr, Status)> = None;
            for attempt in 0..2 {
                let places = self.places.lock().unwrap().clone();
                let up: Vec<SocketAddr> = places
                    .iter()
                    .filter(|place| !down.contains(*place))
                    .copied()
                    .collect();
                let place = *up.choose(&mut dice).unwrap_or(&places[0]);
                let channel: &Channel = channels.entry(place).or_insert_with(|| {
                    let endpoint = Channel::from_shared(format!("http://{place}")).unwrap();
                    endpoint.connect_lazy()
                });
                let mut client = ProvisioningServiceClient::new(channel.clone());
                let answer = client.check_provisioning(question.clone()).await;
                let told = told(answer.as_ref().err());
                *self.attempts[attempt]
                    .lock()
                    .unwrap()
                    .entry(told)
                    .or_default() += 1;
                match answer {
                    Ok(_) => break,
                    Err(status) => {
                        assert!(
                            attempt == 0,
                            "asked twice, at {place} the second time: {failed:?}, {status:?}"
                        );
                        down.insert(place);
                        failed = Some((place, status));
                    }
                }
            }
        }
    }
}

/// What came of an attempt; fails where it is nothing to ask again for.
fn told(error: Option<&Status>) -> String {
    let Some(status) = error else {
        return OK.to_owned();
    };
    let source = status.source().map(|source| format!("{source:?}"));
    match (status.code(), source) {
        // The library's words for a connection that broke during a call, and for a call that was
        // not taken because the connection was about to end; others say UNAVAILABLE.
        (Code::Unknown, Some(_)) => return "UNKNOWN (connection broken)".to_owned(),
        (Code::Internal, Some(source)) if source.contains("GoAway") => {
            return "INTERNAL (GOAWAY, not taken)".to_owned();
        }
        (_, _) => {}
    }
    let codes = [Code::Unavailable, Code::Cancelled];
    assert!(
        codes.contains(&status.code()),
        "nothing to ask again for: {status:?}"
    );
    format!("{:?}", status.code()).to_uppercase()
}
