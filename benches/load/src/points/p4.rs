//! P4: a check that no cache answers, beside a local hit and one SELECT by primary key, at two
//! sizes of the store.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{Connection as _, Row as _};

use super::no_local_cache;
use crate::bench::{Bench, learn};
use crate::load::{Run, Target, one_by_one, repeat};
use crate::registry::{Engine, Registry};
use crate::report::{Goal, Outcome, Unit, micros};
use crate::servers::Server;
use crate::wire::ServedFrom;

/// Names that are asked about, spread over the whole store. Fewer than the decisions that a server
/// remembers as written, so that the log is not written while answers are timed.
const NAMES: usize = 20_000;
/// How much slower the larger store may be.
const GROWTH: f64 = 1.2;
/// Odd and large: the rows that are selected follow no order.
const STRIDE: usize = 1_000_003;

const NEWEST: &str = "SELECT max(id) FROM record_version";
const BY_KEY_SQLITE: &str = "SELECT payload FROM record_version WHERE id = ?1";
const BY_KEY_POSTGRES: &str = "SELECT payload FROM record_version WHERE id = $1";

struct Cold<'r> {
    name: String,
    registry: &'r Registry,
    engine: Engine,
    target: Target,
    _server: Server,
}

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let slice = bench.options.slice();
    let small = bench.small().await?;
    let big = bench.big().await?;
    let local = bench.server(small, Engine::Sqlite, &[]).await?;
    let asked = learn(&local, small, NAMES.min(2_000)).await?;
    let local_hit = Target::check(local.address, asked, ServedFrom::LocalCache);
    let mut colds = Vec::new();
    for registry in [Some(small), big].into_iter().flatten() {
        for &engine in &registry.engines {
            let server = bench.server(registry, engine, &[no_local_cache()]).await?;
            let asked = learn(&server, registry, NAMES).await?;
            colds.push(Cold {
                name: format!("{}, {} domains", engine.name(), registry.facts.domains),
                registry,
                engine,
                target: Target::check(server.address, asked, ServedFrom::Store),
                _server: server,
            });
        }
    }
    let mut outcome = Outcome::default();
    for _ in 0..bench.options.rounds {
        let hit = one_by_one(&local_hit, slice).await?;
        outcome.p50("local hit", &hit);
        outcome.level("the local cache", &[&hit]);
        for cold in &colds {
            let select = select(cold.registry, cold.engine, slice).await?;
            outcome.p50(&format!("SELECT, {}", cold.name), &select);
            let check = one_by_one(&cold.target, slice).await?;
            outcome.p50(&format!("cold, {}", cold.name), &check);
            outcome.note(format!("cold, {}, p99 ns", cold.name), check.quantile(0.99));
            outcome.level("the store", &[&check]);
        }
    }
    let hit = outcome.median_p50("local hit");
    for cold in &colds {
        let select = outcome.median_p50(&format!("SELECT, {}", cold.name));
        let own = outcome.median_p50(&format!("cold, {}", cold.name));
        outcome.row(
            format!("cold check, 1 × 1, p50, {}", cold.name),
            format!("local hit {} + SELECT {}", micros(hit), micros(select)),
            micros(own),
            (own / (hit + select), Unit::Ratio),
            Goal::AtMost(1.5),
        );
    }
    for engine in Engine::ALL {
        let mut sizes = colds.iter().filter(|cold| cold.engine == engine);
        if let (Some(small), Some(big)) = (sizes.next(), sizes.next()) {
            let [small, big] =
                [small, big].map(|cold| outcome.median_p50(&format!("cold, {}", cold.name)));
            outcome.row(
                format!("cold check, {}, large beside small", engine.name()),
                micros(small),
                micros(big),
                (big / small, Unit::Ratio),
                Goal::AtMost(GROWTH),
            );
        }
    }
    outcome.notes.push(format!(
        "{} names spread over each store, asked for once before; what the databases and the system \
         keep in memory is not emptied, for either side",
        colds
            .iter()
            .map(|cold| cold.registry.names.len().min(NAMES))
            .max()
            .unwrap_or(0)
    ));
    if big.is_none() {
        outcome
            .notes
            .push("one size only: `--domains 6000000` measures a second".to_owned());
    }
    Ok(outcome)
}

/// Selects one row after the other by primary key, over the driver that the product uses.
async fn select(registry: &Registry, engine: Engine, slice: Duration) -> anyhow::Result<Run> {
    match engine {
        Engine::Sqlite => {
            let connection = sqlite(&registry.sqlite()).await?;
            select_sqlite(connection, slice).await
        }
        Engine::Postgres => {
            let connection = PgConnection::connect(&registry.url).await?;
            select_postgres(connection, slice).await
        }
    }
}

async fn sqlite(file: &Path) -> anyhow::Result<SqliteConnection> {
    let options = SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .pragma("cache_size", "-65536");
    Ok(SqliteConnection::connect_with(&options).await?)
}

async fn select_sqlite(mut connection: SqliteConnection, slice: Duration) -> anyhow::Result<Run> {
    let newest: i64 = sqlx::query_scalar(NEWEST)
        .fetch_one(&mut connection)
        .await?;
    repeat(connection, slice, move |connection, place| {
        Box::pin(async move {
            let row = sqlx::query(BY_KEY_SQLITE)
                .bind(id(place, newest))
                .fetch_one(connection)
                .await?;
            std::hint::black_box(row.try_get::<&[u8], _>(0)?.len());
            Ok(())
        })
    })
    .await
}

async fn select_postgres(mut connection: PgConnection, slice: Duration) -> anyhow::Result<Run> {
    let newest: i64 = sqlx::query_scalar(NEWEST)
        .fetch_one(&mut connection)
        .await?;
    repeat(connection, slice, move |connection, place| {
        Box::pin(async move {
            let row = sqlx::query(BY_KEY_POSTGRES)
                .bind(id(place, newest))
                .fetch_one(connection)
                .await?;
            std::hint::black_box(row.try_get::<&[u8], _>(0)?.len());
            Ok(())
        })
    })
    .await
}

/// A row of which there are as many as `newest`.
fn id(place: usize, newest: i64) -> i64 {
    let place = i64::try_from(place.wrapping_mul(STRIDE) & 0xffff_ffff).unwrap_or(0);
    place % newest + 1
}
