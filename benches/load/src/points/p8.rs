//! P8: from the acknowledgement of a write by one of three replicas until all three answer anew,
//! under load, with Redis and without.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use tokio::task::JoinSet;

use crate::bench::{Bench, allowed, learn};
use crate::client::{CHECK, Connection, Method, PUT};
use crate::load::{Asked, Target, open, repeat, saturate};
use crate::report::{Goal, Outcome, Unit, micros};
use crate::servers::{Redis, RedisConnection, Server};
use crate::wire::{self, ServedFrom, Verdict, v1};

/// Replicas.
const REPLICAS: usize = 3;
/// What all replicas together are asked meanwhile, as a part of what one alone answers at
/// saturation.
const LOAD: f64 = 0.2;
/// Names that the load asks about.
const LOADED: usize = 1_000;
/// How often a replica is asked whether it answers anew.
const LOOK: Duration = Duration::from_millis(1);
/// Longest time until a replica answers anew.
const PATIENCE: Duration = Duration::from_secs(30);
/// Slices of a round: a write takes its time, and a 99th percentile needs many.
const SLICES: u32 = 4;
/// Writes below which a 99th percentile says nothing.
const ENOUGH: usize = 100;
/// At most, with Redis.
const WITH_REDIS: Duration = Duration::from_millis(20);
/// At most, without: how often replicas look by default.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Three replicas over one database.
struct Replicas {
    name: &'static str,
    servers: Vec<Server>,
    /// Names that are allowed and not written to yet.
    fresh: Vec<Asked>,
    /// Names that the load asks about.
    loaded: Arc<[Asked]>,
}

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let redis = Redis::start(&bench.folder("p8")?).await?;
    let mut outcome = Outcome::default();
    let mut both = Vec::new();
    for (name, shared) in [("with Redis", Some(&redis)), ("without Redis", None)] {
        both.push(replicas(bench, name, shared).await?);
    }
    let slice = bench.options.slice();
    let mut load = f64::INFINITY;
    for replicas in &both {
        let first = replicas.servers.first().context("no replica")?;
        let level = ServedFrom::LocalCache;
        let target = Target::check(first.address, Arc::clone(&replicas.loaded), level);
        load = load.min(saturate(&target, slice).await?.rate());
    }
    let load = load * LOAD / REPLICAS as f64;
    for _ in 0..bench.options.rounds {
        let connection = RedisConnection::open(redis.address).await?;
        let trip = repeat(connection, slice / 4, |connection, _| {
            Box::pin(async move {
                connection
                    .call(&[b"PING"])
                    .await?
                    .context("no answer of Redis")?;
                Ok(())
            })
        })
        .await?;
        outcome.p50("Redis round trip", &trip);
        for replicas in &mut both {
            round(replicas, load, slice * SLICES, &mut outcome).await?;
        }
    }
    let trip = micros(outcome.median_p50("Redis round trip"));
    for (name, most) in [("with Redis", WITH_REDIS), ("without Redis", POLL_INTERVAL)] {
        let times = outcome.rounds.get(&format!("{name}, ns"));
        let times = times.cloned().unwrap_or_default();
        ensure!(!times.is_empty(), "no write was seen {name}");
        let (p50, p99) = (quantile(&times, 0.5), quantile(&times, 0.99));
        outcome.row(
            format!("write until 3 replicas answer anew, p99, {name}"),
            format!("Redis round trip {trip}"),
            format!("p50 {:.1} ms", p50 / 1e6),
            (p99, Unit::Milliseconds),
            Goal::AtMost(most.as_secs_f64() * 1e9),
        );
        if times.len() < ENOUGH {
            outcome.void(format!("{name}: too few writes for a 99th percentile"));
        }
        let p99 = outcome.median(&format!("{name}, load, p99 ns"));
        outcome.notes.push(format!(
            "{name}: {} writes, of all rounds together, with {load:.0} calls a second on each \
             replica by a schedule (p99 {:.1} ms), a fifth of what one answers at saturation \
             together; looked at every millisecond",
            times.len(),
            p99 / 1e6
        ));
    }
    for replicas in both {
        drop(replicas.servers);
        bench
            .postgres()
            .await?
            .remove(database(replicas.name))
            .await?;
    }
    Ok(outcome)
}

fn database(name: &str) -> &'static str {
    if name == "with Redis" {
        "p8_redis"
    } else {
        "p8_plain"
    }
}

async fn replicas(
    bench: &Bench,
    name: &'static str,
    redis: Option<&Redis>,
) -> anyhow::Result<Replicas> {
    let registry = bench.small().await?;
    let postgres = bench.postgres().await?;
    let copy = database(name);
    postgres.create(copy, Some(&registry.database())).await?;
    let mut settings = registry.on("store.url", postgres.url(copy));
    settings.extend(redis.map(|redis| ("redis.urls", redis.url())));
    let mut servers = Vec::new();
    for _ in 0..REPLICAS {
        servers.push(bench.product(&settings, &[]).await?);
    }
    let first = servers.first().context("no replica")?;
    let asked = learn(first, registry, registry.names.len().min(20_000)).await?;
    let loaded: Vec<Asked> = asked
        .iter()
        .take(LOADED.min(asked.len() / 4))
        .cloned()
        .collect();
    for other in servers.iter().skip(1) {
        learn(other, registry, loaded.len()).await?;
    }
    // A block reaches what is below the name: nothing of that may be under load.
    let above: HashSet<&str> = loaded
        .iter()
        .flat_map(|asked| upwards(&asked.domain))
        .collect();
    let fresh = allowed(&asked)
        .filter(|asked| !above.contains(&*asked.domain))
        .cloned()
        .collect();
    Ok(Replicas {
        name,
        servers,
        fresh,
        loaded: loaded.into(),
    })
}

/// A name and those above it.
fn upwards(domain: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(domain), |domain| {
        domain.split_once('.').map(|(_, above)| above)
    })
}

async fn round(
    replicas: &mut Replicas,
    load: f64,
    slice: Duration,
    outcome: &mut Outcome,
) -> anyhow::Result<()> {
    let mut loads = JoinSet::new();
    for server in &replicas.servers {
        let level = ServedFrom::LocalCache;
        let target = Target::check(server.address, Arc::clone(&replicas.loaded), level);
        loads.spawn(async move { open(&target, load, slice).await });
    }
    let addresses = replicas
        .servers
        .iter()
        .map(|server| server.address)
        .collect();
    let fresh = std::mem::take(&mut replicas.fresh);
    let mut writes = JoinSet::new();
    writes.spawn(async move { write(addresses, fresh, slice).await });
    let (times, fresh) = writes.join_next().await.context("the task is gone")???;
    replicas.fresh = fresh;
    for time in times {
        outcome.note(format!("{}, ns", replicas.name), time);
    }
    while let Some(load) = loads.join_next().await {
        let load = load??;
        let name = replicas.name;
        outcome.note(format!("{name}, load, p99 ns"), load.quantile(0.99));
        outcome.note(
            format!("{name}, load, part not from the local cache"),
            load.elsewhere(),
        );
    }
    Ok(())
}

/// Blocks one name after the other for a while; answers how long each took to be seen, in
/// nanoseconds, and the names that are left.
async fn write(
    addresses: Vec<SocketAddr>,
    mut fresh: Vec<Asked>,
    slice: Duration,
) -> anyhow::Result<(Vec<f64>, Vec<Asked>)> {
    let mut ways: Vec<(Connection, Method, Method)> = Vec::new();
    for address in addresses {
        let connection = Connection::open(address).await?;
        let (check, put) = (connection.method(CHECK)?, connection.method(PUT)?);
        ways.push((connection, check, put));
    }
    let start = Instant::now();
    let mut times = Vec::new();
    while start.elapsed() < slice {
        let asked = fresh
            .pop()
            .context("every name is blocked: use more domains")?;
        // All of them have it cached.
        for (connection, check, _) in &ways {
            for _ in 0..2 {
                until(
                    asked.verdict,
                    connection,
                    check,
                    &asked.framed,
                    Instant::now(),
                )
                .await?;
            }
        }
        let (connection, _, put) = ways.get(times.len() % ways.len()).context("no replica")?;
        connection.unary(put, block(&asked.domain)).await?;
        let acknowledged = Instant::now();
        let mut looks = JoinSet::new();
        for (connection, check, _) in &ways {
            let (connection, check) = (connection.clone(), check.clone());
            let framed = asked.framed.clone();
            let deny = i32::from(Verdict::Deny);
            looks.spawn(
                async move { until(deny, &connection, &check, &framed, acknowledged).await },
            );
        }
        let mut last = Duration::ZERO;
        while let Some(seen) = looks.join_next().await {
            last = last.max(seen?.with_context(|| format!("{} was blocked", asked.domain))?);
        }
        times.push(last.as_secs_f64() * 1e9);
    }
    Ok((times, fresh))
}

/// Asks until the verdict is the one that is waited for; answers how long that took.
async fn until(
    wanted: i32,
    connection: &Connection,
    check: &Method,
    framed: &Bytes,
    since: Instant,
) -> anyhow::Result<Duration> {
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        if verdict(connection, check, framed).await? == wanted {
            return Ok(since.elapsed());
        }
        if since.elapsed() > PATIENCE {
            bail!("a replica does not come to verdict {wanted}");
        }
        ticks.tick().await;
    }
}

async fn verdict(connection: &Connection, check: &Method, framed: &Bytes) -> anyhow::Result<i32> {
    let answer = connection.unary(check, framed.clone()).await?;
    Ok(wire::response(&answer)?.verdict)
}

fn block(domain: &str) -> Bytes {
    let block = v1::Block {
        list: v1::BlockList::Provider.into(),
        target: Some(v1::block::Target::Domain(domain.to_owned())),
        reason: "bench".to_owned(),
        ..Default::default()
    };
    wire::framed(&v1::PutRecordsRequest {
        records: vec![v1::Record {
            record: Some(v1::record::Record::Block(block)),
            source: "bench".to_owned(),
            ..Default::default()
        }],
    })
}

fn quantile(times: &[f64], part: f64) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let place = ((times.len() as f64 * part).ceil() as usize).max(1) - 1;
    times.get(place).copied().unwrap_or(f64::NAN)
}
