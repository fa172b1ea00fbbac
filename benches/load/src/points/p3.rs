//! P3: one call whose facts are in the shared cache, beside a local hit and one GET of Redis.

use anyhow::{Context as _, ensure};

use super::no_local_cache;
use crate::bench::{Bench, learn};
use crate::load::{Target, one_by_one, repeat};
use crate::registry::Engine;
use crate::report::{Goal, Outcome, Unit, median, micros};
use crate::servers::{Redis, RedisConnection};
use crate::wire::ServedFrom;

/// Names that are asked about.
const NAMES: usize = 2_000;
/// Values of the shared cache that are looked at for their size.
const LOOKED_AT: usize = 200;
/// The value that the GET fetches.
const KEY: &[u8] = b"bench";

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let slice = bench.options.slice();
    let registry = bench.small().await?;
    let redis = Redis::start(&bench.folder("p3")?).await?;
    let local = bench.server(registry, Engine::Sqlite, &[]).await?;
    let settings = [no_local_cache(), ("redis.urls", redis.url())];
    let shared = bench.server(registry, Engine::Sqlite, &settings).await?;
    let asked = learn(&local, registry, NAMES).await?;
    let local = Target::check(local.address, asked, ServedFrom::LocalCache);
    let asked = learn(&shared, registry, NAMES).await?;
    let shared = Target::check(shared.address, asked, ServedFrom::SharedCache);
    let length = value_length(&redis).await?;
    let mut outcome = Outcome::default();
    // The first answers after the filling are not those of a filled cache everywhere.
    one_by_one(&shared, slice).await?;
    for _ in 0..bench.options.rounds {
        let hit = one_by_one(&local, slice).await?;
        let connection = RedisConnection::open(redis.address).await?;
        let get = repeat(connection, slice, move |connection, _| {
            Box::pin(async move {
                let value = connection.call(&[b"GET", KEY]).await?;
                let found = value.map(<[u8]>::len);
                ensure!(found == Some(length), "the value of Redis is gone");
                Ok(())
            })
        })
        .await?;
        let subject = one_by_one(&shared, slice).await?;
        outcome.p50("local hit", &hit);
        outcome.p50("Redis GET", &get);
        outcome.p50("shared hit", &subject);
        outcome.note("shared hit, p99 ns", subject.quantile(0.99));
        outcome.level("the cache that is measured", &[&hit, &subject]);
    }
    let [hit, get, own] =
        ["local hit", "Redis GET", "shared hit"].map(|name| outcome.median_p50(name));
    outcome.row(
        "shared hit, 1 × 1, p50",
        format!("local hit {} + Redis GET {}", micros(hit), micros(get)),
        micros(own),
        (own / (hit + get), Unit::Ratio),
        Goal::AtMost(1.3),
    );
    outcome.notes.push(format!(
        "the GET fetches {length} bytes, the median of what the shared cache holds, over TCP on \
         loopback as the server does"
    ));
    Ok(outcome)
}

/// Puts a value of the usual length into Redis; answers the length.
async fn value_length(redis: &Redis) -> anyhow::Result<usize> {
    let mut connection = RedisConnection::open(redis.address).await?;
    let mut lengths = Vec::new();
    for _ in 0..LOOKED_AT {
        let key = connection.call(&[b"RANDOMKEY"]).await?;
        let key = key.context("the shared cache is empty")?;
        let key = key.to_vec();
        // Of any type of value; a key may have ended meanwhile.
        if let Some(value) = connection.call(&[b"DUMP", &key]).await? {
            lengths.push(value.len() as f64);
        }
    }
    ensure!(!lengths.is_empty(), "the shared cache is empty");
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the median of lengths"
    )]
    let length = median(lengths) as usize;
    connection.call(&[b"SET", KEY, &vec![b'x'; length]]).await?;
    Ok(length)
}
