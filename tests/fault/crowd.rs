//! More orders than can be worked on, with batches and screenings on top: orders keep their places, and
//! what is too much is told to come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tonic::Code;
use tonic::transport::Channel;
use tonic_types::StatusExt as _;

use super::fleet::{Fleet, Plan, say};
use super::servers::gate::Gate;
use super::servers::proxy::Mode;
use super::world::{World, ask, name};

/// Orders that are worked on at once.
const PLACES: u32 = 8;

/// How late the database answers about a cold name, so that places are what is short, and not
/// processors.
const LATE: Duration = Duration::from_millis(200);

const LASTS: Duration = Duration::from_secs(5);

/// Orders come three times as fast as they can be worked on. Which share of their capacity they keep is
/// held against the aim where time is virtual (`grpc::load`); here it is told.
#[tokio::test]
async fn behaviour_17_orders_keep_their_capacity_and_the_rest_is_told_to_come_back() {
    let settings = [
        ("limits.max_concurrent_calls", "8"),
        ("limits.max_queued_calls", "8"),
        ("limits.queue_timeout", "400ms"),
        ("limits.max_concurrent_batches", "2"),
        ("limits.max_concurrent_streams", "2"),
        ("store.connections", "20"),
    ];
    let fleet = Fleet::start(Plan {
        replicas: 1,
        settings: settings
            .map(|(key, value)| (key, value.to_owned()))
            .to_vec(),
        ..Plan::default()
    })
    .await;
    let replica = &fleet.replicas[0];
    let gate = &replica.gate;
    for records in (World { subjects: 1 }).beginning() {
        gate.put(records).await.unwrap();
    }
    replica.store.set(Mode::Delay(LATE));
    // Connections to the database are made before anything is measured: each takes as long as several
    // answers.
    in_a_crowd(gate, LATE / PLACES / 3).await;

    // As many callers as places, each with one question after the other: that is the capacity.
    let alone = orders(gate, PLACES, LASTS).await;
    assert_eq!(alone.refused, 0, "{alone:?}");
    let pace = Duration::from_secs_f64(1.0 / (alone.per_second() * 3.0));
    let (crowd, bulk_done) = in_a_crowd(gate, pace).await;
    let share = crowd.per_second() / alone.per_second();
    say(&format!(
        "orders a second: {:.1} alone, {:.1} in a crowd with batches ({:.0} %); slowest of 100: {:?}; \
         told to come back: {}; batches meanwhile: {bulk_done}",
        alone.per_second(),
        crowd.per_second(),
        share * 100.0,
        crowd.p99(),
        crowd.refused,
    ));
    // What else the machine does comes and goes; starved orders would be an order of magnitude.
    assert!(share > 0.25, "{share}");
    assert!(crowd.refused > 0);
    assert!(bulk_done > 0, "batches have their share");
    // The queue's patience, and room.
    assert!(crowd.p99() < Duration::from_secs(10), "{:?}", crowd.p99());
    // And then all is as before.
    let after = orders(gate, PLACES, Duration::from_secs(1)).await;
    assert_eq!(after.refused, 0, "{after:?}");
}

/// Orders at a pace, beside batches and screenings; with how many of those were answered.
async fn in_a_crowd(gate: &Gate, pace: Duration) -> (Orders, usize) {
    let stop = Arc::new(AtomicBool::new(false));
    let others = bulk(gate, &stop);
    let orders = flood(gate, pace, LASTS).await;
    stop.store(true, Ordering::Relaxed);
    let done = others.join_all().await;
    (orders, done.into_iter().sum())
}

/// What came of a crowd of orders.
#[derive(Debug)]
struct Orders {
    took: Vec<Duration>,
    refused: usize,
    elapsed: Duration,
}

impl Orders {
    fn of(all: impl IntoIterator<Item = Option<Duration>>, begin: Instant) -> Self {
        let mut orders = Self {
            took: Vec::new(),
            refused: 0,
            elapsed: begin.elapsed(),
        };
        for one in all {
            match one {
                Some(took) => orders.took.push(took),
                None => orders.refused += 1,
            }
        }
        orders
    }

    fn per_second(&self) -> f64 {
        f64::from(u32::try_from(self.took.len()).unwrap()) / self.elapsed.as_secs_f64()
    }

    fn p99(&self) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        took[took.len() * 99 / 100]
    }
}

/// Questions of a batch.
const BULK: usize = 10;

/// Numbers of names that were not asked for before.
static FRESH: AtomicUsize = AtomicUsize::new(0);

/// Callers who ask for one cold name after the other.
async fn orders(gate: &Gate, callers: u32, lasting: Duration) -> Orders {
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    for _ in 0..callers {
        let client = gate.provisioning();
        tasks.spawn(async move {
            let mut all = Vec::new();
            while begin.elapsed() < lasting {
                all.push(order(client.clone()).await);
            }
            all
        });
    }
    let all = tasks.join_all().await.into_iter().flatten();
    Orders::of(all, begin)
}

/// Orders for cold names at a pace that does not wait for answers.
async fn flood(gate: &Gate, pace: Duration, lasting: Duration) -> Orders {
    let client = gate.provisioning();
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    let mut due = begin;
    while due < begin + lasting {
        tokio::time::sleep_until(due).await;
        tasks.spawn(order(client.clone()));
        due += pace;
    }
    Orders::of(tasks.join_all().await, begin)
}

/// One order for a cold name: how long it took; `None` where it was told to come back.
async fn order(mut client: ProvisioningServiceClient<Channel>) -> Option<Duration> {
    let fresh = FRESH.fetch_add(1, Ordering::Relaxed);
    let asked = Instant::now();
    let question = fresh_name(fresh);
    match client.check_provisioning(question).await {
        Ok(_) => Some(asked.elapsed()),
        Err(status) => {
            assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
            let details = status.get_error_details();
            assert!(details.retry_info().is_some(), "{status:?}");
            None
        }
    }
}

/// Batches and screenings that go on until they are told to stop; each tells how many were answered.
fn bulk(gate: &Gate, stop: &Arc<AtomicBool>) -> JoinSet<usize> {
    let mut tasks = JoinSet::new();
    for caller in 0..4 {
        let mut client = gate.provisioning();
        let stop = Arc::clone(stop);
        tasks.spawn(async move {
            let mut done = 0;
            while !stop.load(Ordering::Relaxed) {
                let fresh = FRESH.fetch_add(BULK, Ordering::Relaxed);
                let requests: Vec<_> = (0..BULK).map(|at| fresh_name(fresh + at)).collect();
                let answered = if caller % 2 == 0 {
                    let request = v1::BatchCheckProvisioningRequest { requests };
                    client.batch_check_provisioning(request).await.map(drop)
                } else {
                    let batch = v1::ScreenDomainsRequest {
                        sequence: 1,
                        requests,
                    };
                    let stream = client.screen_domains(futures::stream::iter([batch])).await;
                    match stream {
                        Ok(stream) => stream.into_inner().message().await.map(drop),
                        Err(status) => Err(status),
                    }
                };
                match answered {
                    Ok(()) => done += 1,
                    Err(status) => {
                        assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
            done
        });
    }
    tasks
}

fn fresh_name(number: usize) -> v1::CheckProvisioningRequest {
    ask(&format!("fresh{number}.{}", name(0)), v1::Purpose::Order)
}
