//! More than can be worked on: orders keep their places, what is too much is told to come back, and
//! memory stays within bounds.
//!
//! `ICPGATE_FLOOD_SECONDS` makes the flood of behaviour 18 longer.

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

use super::faulty::{Fault, Faulty};
use super::harness::{Server, Start, ask};
use super::program::Program;

/// Orders that are worked on at once.
const PLACES: u32 = 8;

/// What a cold name takes, so that places are what is short, and not processors.
const TAKES: Duration = Duration::from_millis(200);

/// Rounds in which the share has to be reached once: what else the machine does comes and goes.
const ROUNDS: usize = 5;

/// Orders come three times as fast as they can be worked on, with batches and screenings on top.
#[tokio::test]
async fn behaviour_17_orders_keep_their_capacity_and_the_rest_is_told_to_come_back() {
    let server = Server::start(Start {
        over: |inner| Faulty::over(inner, Fault::Slow(TAKES)),
        settings: vec![
            ("limits.max_concurrent_calls", "8"),
            ("limits.max_queued_calls", "8"),
            ("limits.queue_timeout", "400ms"),
            ("limits.max_concurrent_batches", "2"),
            ("limits.max_concurrent_streams", "2"),
        ],
        ..Start::default()
    })
    .await;
    let mut shares = Vec::new();
    for _ in 0..ROUNDS {
        let share = round(&server).await;
        shares.push(share);
        if share >= 0.95 {
            break;
        }
    }
    assert!(shares.iter().any(|share| *share >= 0.95), "{shares:?}");
}

/// Tells what share of their capacity orders keep in a crowd.
async fn round(server: &Server) -> f64 {
    let lasting = Duration::from_secs(3);
    // As many callers as places, each with one question after the other: that is the capacity.
    let alone = orders(server, PLACES, lasting).await;
    assert_eq!(alone.refused, 0, "{alone:?}");
    let stop = Arc::new(AtomicBool::new(false));
    let mut others = bulk(server, &stop).await;
    let crowd = flood(server, TAKES / PLACES / 3, lasting).await;
    stop.store(true, Ordering::Relaxed);
    let mut bulk_done = 0;
    while let Some(done) = others.join_next().await {
        bulk_done += done.unwrap();
    }
    let share = crowd.per_second() / alone.per_second();
    say(&format!(
        "orders a second: {:.0} alone, {:.0} in a crowd with batches ({:.0} %); slowest of 100: {:?}; \
         told to come back: {}; batches meanwhile: {bulk_done}",
        alone.per_second(),
        crowd.per_second(),
        share * 100.0,
        crowd.p99(),
        crowd.refused,
    ));
    // Starved orders would be an order of magnitude.
    assert!(share > 0.5, "{share}");
    assert!(crowd.refused > 0);
    assert!(bulk_done > 0, "batches have their share");
    // The queue's patience, and room.
    assert!(crowd.p99() < Duration::from_secs(3), "{:?}", crowd.p99());
    // And then all is as before.
    let after = orders(server, PLACES, Duration::from_secs(1)).await;
    assert_eq!(after.refused, 0, "{after:?}");
    share
}

/// What a server may have: 16 384 answers of up to 8 KiB that wait to be recorded where the store is
/// slow, 72 MiB of marks of recorded ones, 32 MiB of answers, the cache, the program and one batch.
#[cfg(target_os = "linux")]
const MOST_KIB: u64 = 320 * 1024;

/// Names that nobody has asked for before, for as long as one likes: memory stays within bounds.
#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests decides")]
#[tokio::test]
async fn behaviour_18_a_flood_of_unique_names_stays_within_memory() {
    let seconds = std::env::var("ICPGATE_FLOOD_SECONDS").map_or(6, |text| text.parse().unwrap());
    let mut program = Program::start(&["--sample", "--set", "cache.local_bytes=4MiB"]).await;
    let mut client = program
        .provisioning()
        .await
        .max_decoding_message_size(usize::MAX);
    let mut grown = Vec::new();
    let begin = Instant::now();
    let mut names = 0;
    while begin.elapsed() < Duration::from_secs(seconds) {
        let requests = (0..500)
            .map(|at| ask(&format!("unique{}.cn", names + at)))
            .collect();
        let request = v1::BatchCheckProvisioningRequest { requests };
        let answer = client.batch_check_provisioning(request).await.unwrap();
        assert_eq!(answer.into_inner().results.len(), 500);
        names += 500;
        grown.push(program.resident());
    }
    let (early, last) = (grown[grown.len() / 3], *grown.last().unwrap());
    say(&format!(
        "{names} names; {} MiB after a third, {} MiB at the end",
        early / 1024,
        last / 1024
    ));
    assert!(last < MOST_KIB, "from {early} KiB to {last} KiB");
    drop(client);
    program.stop().await;
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
async fn orders(server: &Server, callers: u32, lasting: Duration) -> Orders {
    let mut tasks = JoinSet::new();
    let begin = Instant::now();
    for _ in 0..callers {
        let client = server.provisioning().await;
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
async fn flood(server: &Server, pace: Duration, lasting: Duration) -> Orders {
    let client = server.provisioning().await;
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
    let question = ask(&format!("fresh{fresh}.sample-shop.cn"));
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
async fn bulk(server: &Server, stop: &Arc<AtomicBool>) -> JoinSet<usize> {
    let mut tasks = JoinSet::new();
    for caller in 0..4 {
        let mut client = server.provisioning().await;
        let stop = Arc::clone(stop);
        tasks.spawn(async move {
            let mut done = 0;
            while !stop.load(Ordering::Relaxed) {
                let fresh = FRESH.fetch_add(BULK, Ordering::Relaxed);
                let requests: Vec<_> = (0..BULK)
                    .map(|at| ask(&format!("fresh{}.sample-shop.cn", fresh + at)))
                    .collect();
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

#[expect(
    clippy::print_stdout,
    reason = "shown where the test fails, and on demand"
)]
fn say(what: &str) {
    println!("{what}");
}
