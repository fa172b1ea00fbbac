//! Replicas that are restarted one after the other, some in order and some by kill -9, while orders
//! come: a caller who asks once more gets his answer.
//!
//! `ICPGATE_FAULT_RESTARTS` sets how many restarts there are.

use std::collections::{BTreeMap, HashMap};
use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::time::Instant;
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

/// How long a replica is left alone where nobody was found, if there are others.
const AVOIDED: Duration = Duration::from_secs(1);

/// What callers saw.
#[derive(Default)]
struct Seen {
    /// Where the replicas listen now.
    places: Mutex<Vec<SocketAddr>>,
    /// First and second attempts, by what came of them.
    attempts: [Mutex<BTreeMap<String, u64>>; 2],
    /// Replicas that were ended in order, and those that were killed.
    ended: [AtomicU64; 2],
    /// Orders that were not answered when they were asked again either.
    lost: Mutex<Vec<String>>,
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
    let [first, second] = seen
        .attempts
        .each_ref()
        .map(|codes| codes.lock().unwrap().clone());
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
    let answered = |codes: &BTreeMap<String, u64>| -> u64 {
        let answers = codes.iter().filter(|(code, _)| code.starts_with(OK));
        answers.map(|(_, count)| count).sum()
    };
    let all: u64 = first.values().sum();
    say(&format!(
        "{all} orders, {} answered at first, {} when asked again; {} by SIGTERM, {} by kill -9",
        answered(&first),
        answered(&second),
        seen.ended[0].load(Ordering::Relaxed),
        seen.ended[1].load(Ordering::Relaxed),
    ));
    let lost = seen.lost.into_inner().unwrap();
    assert!(lost.is_empty(), "{lost:#?}");
    assert_eq!(answered(&first) + answered(&second), all);
    assert!(answered(&first) > restarts, "{first:?}");
}

/// How what is said of an answer begins.
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
                self.ended[0].fetch_add(1, Ordering::Relaxed);
                gate.process().signal(Signal::Terminate);
                let status = gate.process().wait().await;
                assert_eq!(status.code(), Some(0), "{}", gate.log());
            } else {
                self.ended[1].fetch_add(1, Ordering::Relaxed);
                gate.process().kill().await;
            }
            gate.restart().await;
            self.look(fleet);
        }
        stop.cancel();
    }

    /// Places orders, one after the other.
    async fn order(&self, world: World, seed: u64, stop: &CancellationToken) {
        let mut dice = StdRng::seed_from_u64(seed);
        let mut caller = Caller {
            seen: self,
            channels: HashMap::new(),
            avoided: HashMap::new(),
            turn: dice.random_range(0..1000),
        };
        while !stop.is_cancelled() {
            let question = v1::CheckProvisioningRequest {
                purpose: v1::Purpose::Order as i32,
                ..world.question(&mut dice)
            };
            caller.order(question).await;
        }
    }

    fn note(&self, attempt: usize, told: String) {
        let mut codes = self.attempts[attempt].lock().unwrap();
        *codes.entry(told).or_default() += 1;
    }
}

/// A caller as docs/RESTARTS.md wants it: it knows every replica, has a connection to each, asks
/// them in turn, and where there is no answer asks another one, once.
struct Caller<'s> {
    seen: &'s Seen,
    channels: HashMap<SocketAddr, Channel>,
    /// Where it found nobody, and when.
    avoided: HashMap<SocketAddr, Instant>,
    turn: usize,
}

impl Caller<'_> {
    async fn order(&mut self, question: v1::CheckProvisioningRequest) {
        let first = self.next(None);
        let Err(failed) = self.ask(0, first, question.clone()).await else {
            return;
        };
        let second = self.next(Some(first));
        if let Err(status) = self.ask(1, second, question).await {
            let lost = format!("at {first}, {failed:?}; at {second}, {status:?}");
            self.seen.lost.lock().unwrap().push(lost);
        }
    }

    async fn ask(
        &mut self,
        attempt: usize,
        place: SocketAddr,
        question: v1::CheckProvisioningRequest,
    ) -> Result<(), Status> {
        let channel = self.channels.entry(place).or_insert_with(|| {
            let endpoint = Channel::from_shared(format!("http://{place}")).unwrap();
            endpoint.connect_lazy()
        });
        let mut client = ProvisioningServiceClient::new(channel.clone());
        match client.check_provisioning(question).await {
            Ok(answer) => {
                let decision = answer.into_inner().decision.unwrap();
                let verdict = decision.verdict().as_str_name();
                self.seen.note(attempt, format!("{OK}, {verdict}"));
                Ok(())
            }
            Err(status) => {
                self.seen.note(attempt, told(&status));
                self.avoided.insert(place, Instant::now());
                Err(status)
            }
        }
    }

    /// The replica whose turn it is, without those where nobody was found lately; never `but`.
    fn next(&mut self, but: Option<SocketAddr>) -> SocketAddr {
        let places = self.seen.places.lock().unwrap().clone();
        self.channels.retain(|place, _| places.contains(place));
        self.avoided.retain(|_, since| since.elapsed() < AVOIDED);
        let mut places: Vec<_> = places.into_iter().filter(|at| Some(*at) != but).collect();
        if places.iter().any(|place| !self.avoided.contains_key(place)) {
            places.retain(|place| !self.avoided.contains_key(place));
        }
        self.turn += 1;
        places[self.turn % places.len()]
    }
}

/// What came of an attempt; fails where it is nothing to ask again for.
fn told(status: &Status) -> String {
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
