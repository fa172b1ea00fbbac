//! P1: unary `CheckProvisioning` of the product beside `grpc.health.v1.Health/Check` of a bare
//! tonic server, with the load generator on the same cores, in turns.
//!
//! Answers are not decoded while timed, on either side, so that the load generator costs both the
//! same; the gRPC status of every one is checked.

#![expect(clippy::print_stdout, reason = "a program that prints a table")]

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::{Buf as _, BufMut as _, Bytes};
use http::uri::PathAndQuery;
use icpgate_bench::measure::median;
use icpgate_bench::table;
use prost::Message as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::{Channel, Endpoint, Server};

/// Connections at saturation.
const CONNECTIONS: usize = 8;
/// Streams of each connection at saturation.
const STREAMS: usize = 16;
/// Throughput as a part of the bare server's at least.
const THROUGHPUT: f64 = 0.85;
/// Median time as a multiple of the bare server's at most.
const P50: f64 = 1.15;
/// 99th percentile as a multiple of the bare server's at most.
const P99: f64 = 1.25;
/// Time in which a server must be there.
const START: Duration = Duration::from_secs(20);

const CHECK: &str = "/icpgate.v1.ProvisioningService/CheckProvisioning";
const HEALTH: &str = "/grpc.health.v1.Health/Check";
const SERVE_HEALTH: &str = "--serve-health";

struct Options {
    server: PathBuf,
    rounds: usize,
    slice: Duration,
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match arguments.as_slice() {
        [flag, address] if flag == SERVE_HEALTH => runtime.block_on(serve_health(address.parse()?)),
        _ => runtime.block_on(run(&options(arguments)?)),
    }
}

/// The bare server: what tonic itself costs.
async fn serve_health(address: SocketAddr) -> anyhow::Result<()> {
    let (_reporter, service) = tonic_health::server::health_reporter();
    Server::builder()
        .add_service(service)
        .serve(address)
        .await?;
    Ok(())
}

async fn run(options: &Options) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let bare_at = free_address().await?;
    let own_at = free_address().await?;
    let _bare = start(
        &std::env::current_exe()?,
        &[SERVE_HEALTH, &bare_at.to_string()],
        folder.path(),
    )?;
    let store = folder.path().join("records.sqlite");
    let _own = start(
        &options.server,
        &[
            "serve",
            "--sample",
            "--log-level",
            "warn",
            "--grpc-listen",
            &own_at.to_string(),
            "--store-path",
            &store.to_string_lossy(),
        ],
        folder.path(),
    )?;
    let bare = Arc::new(Target::new(bare_at, HEALTH, Bytes::new()));
    let own = Arc::new(Target::new(own_at, CHECK, question()));
    bare.ready().await.context("the bare server")?;
    let answer = own.ready().await.context("the product's server")?;
    let verdict = Answer::decode(answer)?.decision.unwrap_or_default().verdict;
    ensure!(
        verdict == ALLOW,
        "the sample shop is not allowed: verdict {verdict}"
    );
    let mut rounds = [Rounds::default(), Rounds::default()];
    for target in [&bare, &own] {
        saturate(target, options.slice).await?;
    }
    for _ in 0..options.rounds {
        for (target, rounds) in [&bare, &own].into_iter().zip(&mut rounds) {
            rounds
                .throughput
                .push(saturate(target, options.slice).await?);
            let (p50, p99) = one_by_one(target, options.slice).await?;
            rounds.p50.push(p50);
            rounds.p99.push(p99);
        }
    }
    let [bare, own] = rounds.map(Rounds::medians);
    report(&bare, &own, options)
}

#[derive(Default)]
struct Rounds {
    throughput: Vec<f64>,
    p50: Vec<f64>,
    p99: Vec<f64>,
}

struct Medians {
    throughput: f64,
    p50: f64,
    p99: f64,
}

impl Rounds {
    fn medians(self) -> Medians {
        Medians {
            throughput: median(self.throughput),
            p50: median(self.p50),
            p99: median(self.p99),
        }
    }
}

fn report(bare: &Medians, own: &Medians, options: &Options) -> anyhow::Result<()> {
    let throughput = own.throughput / bare.throughput;
    let (p50, p99) = (own.p50 / bare.p50, own.p99 / bare.p99);
    let micros = |nanoseconds: f64| format!("{:.0} µs", nanoseconds / 1_000.0);
    let rows = [
        [
            "",
            "bare tonic health",
            "CheckProvisioning",
            "ratio",
            "target",
            "",
        ]
        .map(str::to_owned),
        [
            format!("calls a second, {CONNECTIONS} × {STREAMS}"),
            format!("{:.0}", bare.throughput),
            format!("{:.0}", own.throughput),
            format!("{throughput:.2}"),
            format!("≥ {THROUGHPUT}"),
            table::met(throughput >= THROUGHPUT).to_owned(),
        ],
        [
            "p50, 1 × 1".to_owned(),
            micros(bare.p50),
            micros(own.p50),
            format!("{p50:.2}"),
            format!("≤ {P50}"),
            table::met(p50 <= P50).to_owned(),
        ],
        [
            "p99, 1 × 1".to_owned(),
            micros(bare.p99),
            micros(own.p99),
            format!("{p99:.2}"),
            format!("≤ {P99}"),
            table::met(p99 <= P99).to_owned(),
        ],
    ]
    .map(|row| row.to_vec());
    println!(
        "P1 without authentication, {} rounds, medians",
        options.rounds
    );
    println!("{}", table::markdown(&rows));
    let of = |one: &Medians| json!({"calls_per_second": one.throughput, "p50_ns": one.p50, "p99_ns": one.p99});
    let results: Value = json!({
        "benchmark": "P1",
        "authentication": false,
        "rounds": options.rounds,
        "health": of(bare),
        "check_provisioning": of(own),
        "ratios": {"throughput": throughput, "p50": p50, "p99": p99},
        "met": {
            "throughput": throughput >= THROUGHPUT,
            "p50": p50 <= P50,
            "p99": p99 <= P99,
        },
    });
    table::write_json(options.json.as_deref(), &results)
}

/// A method of a server, with the request that it is called with.
struct Target {
    address: SocketAddr,
    path: PathAndQuery,
    request: Bytes,
}

impl Target {
    fn new(address: SocketAddr, path: &'static str, request: Bytes) -> Self {
        Self {
            address,
            path: PathAndQuery::from_static(path),
            request,
        }
    }

    async fn connect(&self) -> anyhow::Result<Grpc<Channel>> {
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address))?;
        Ok(Grpc::new(endpoint.tcp_nodelay(true).connect().await?))
    }

    /// One call; an answer of another status than OK is an error.
    async fn call(&self, client: &mut Grpc<Channel>) -> anyhow::Result<Bytes> {
        client.ready().await?;
        let request = tonic::Request::new(self.request.clone());
        let answer = client.unary(request, self.path.clone(), Raw).await?;
        Ok(answer.into_inner())
    }

    /// Waits for the server; answers its first answer.
    async fn ready(&self) -> anyhow::Result<Bytes> {
        let start = Instant::now();
        loop {
            match self.connect().await {
                Ok(mut client) => return self.call(&mut client).await,
                Err(error) if start.elapsed() > START => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// Calls a second with all connections busy.
async fn saturate(target: &Arc<Target>, slice: Duration) -> anyhow::Result<f64> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let client = target.connect().await?;
        clients.extend(std::iter::repeat_n(client, STREAMS));
    }
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for mut client in clients {
        let target = Arc::clone(target);
        tasks.spawn(async move {
            let mut calls = 0_u32;
            while start.elapsed() < slice {
                target.call(&mut client).await?;
                calls += 1;
            }
            anyhow::Ok(calls)
        });
    }
    let mut calls = 0_u32;
    while let Some(done) = tasks.join_next().await {
        calls += done??;
    }
    Ok(f64::from(calls) / start.elapsed().as_secs_f64())
}

/// Median and 99th percentile of one call after the other, in nanoseconds.
async fn one_by_one(target: &Arc<Target>, slice: Duration) -> anyhow::Result<(f64, f64)> {
    let mut client = target.connect().await?;
    // On a task of its own, as a server's client runs, and not on the thread that waits for all.
    let target = Arc::clone(target);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for _ in 0..200 {
            target.call(&mut client).await?;
        }
        let mut times = Vec::new();
        let start = Instant::now();
        while start.elapsed() < slice {
            let called = Instant::now();
            target.call(&mut client).await?;
            times.push(called.elapsed().as_secs_f64() * 1e9);
        }
        times.sort_by(f64::total_cmp);
        let at = |part: usize| times.get(times.len() * part / 100).copied();
        at(50).zip(at(99)).context("no call was answered in time")
    });
    tasks.join_next().await.context("the task is gone")??
}

/// Starts a server that ends with this process.
fn start(program: &Path, arguments: &[&str], folder: &Path) -> anyhow::Result<Child> {
    Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("start {}", program.display()))
}

async fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    Ok(listener.local_addr()?)
}

/// The part of the question that is asked, as the proto of the interface has it.
#[derive(prost::Message)]
struct Question {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int32, tag = "2")]
    product: i32,
    #[prost(int32, tag = "3")]
    service_area: i32,
    #[prost(int32, tag = "4")]
    purpose: i32,
    #[prost(message, optional, tag = "5")]
    site: Option<Site>,
}

#[derive(prost::Message)]
struct Site {
    #[prost(bool, tag = "1")]
    payment_enabled: bool,
}

/// The part of the answer that is looked at.
#[derive(prost::Message)]
struct Answer {
    #[prost(message, optional, tag = "1")]
    decision: Option<Decision>,
}

#[derive(prost::Message)]
struct Decision {
    #[prost(int32, tag = "2")]
    verdict: i32,
}

const ALLOW: i32 = 1;

/// A CDN order of the sample's shop, which takes payments.
fn question() -> Bytes {
    let question = Question {
        domain: "www.sample-shop.cn".to_owned(),
        product: 1,
        service_area: 1,
        purpose: 1,
        site: Some(Site {
            payment_enabled: true,
        }),
    };
    question.encode_to_vec().into()
}

/// Passes messages on as they are.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

fn options(arguments: Vec<String>) -> anyhow::Result<Options> {
    let mut server = None;
    let mut options = Options {
        server: PathBuf::new(),
        rounds: 5,
        slice: Duration::from_secs(2),
        json: None,
    };
    let mut arguments = arguments.into_iter();
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--server" => server = Some(PathBuf::from(value()?)),
            "--rounds" => options.rounds = value()?.parse()?,
            "--slice-ms" => options.slice = Duration::from_millis(value()?.parse()?),
            "--json" => options.json = Some(value()?.into()),
            _ => bail!(
                "unknown argument {argument}; known: --server FILE --rounds N --slice-ms N --json FILE"
            ),
        }
    }
    options.server = server
        .context("--server FILE: the built icpgate")?
        .canonicalize()?;
    ensure!(options.rounds >= 5, "at least five rounds");
    Ok(options)
}
