//! P7: what one name's facts take in the local cache, beside their encoding.
//!
//! Two servers screen the same names, one with the cache and one without: the difference of their
//! memory is the cache, with all overhead of the allocator. Both use PostgreSQL, so that no memory
//! of an engine is in them.

use anyhow::ensure;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;

use super::{local_cache, no_local_cache};
use crate::bench::Bench;
use crate::registry::{Registry, quiet};
use crate::report::{Goal, Outcome, Unit};
use crate::screen::Batches;

/// The facts of decisions are kept encoded, each once.
const ENCODED: &str = "SELECT avg(length(bytes))::float8 FROM content
                       WHERE digest IN (SELECT facts FROM decision)";
const DECISIONS: &str = "SELECT count(*) FROM decision";

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let registry = bench.small().await?;
    let batches = Batches::new(&registry.names);
    let mut outcome = Outcome::default();
    for _ in 0..bench.options.rounds {
        for cached in [true, false] {
            let (memory, encoded) = memory(bench, registry, &batches, cached).await?;
            let name = if cached { "with" } else { "without" };
            outcome.note(format!("memory {name} cache, bytes"), memory);
            outcome.note("encoded facts, bytes", encoded);
        }
    }
    let grown =
        outcome.median("memory with cache, bytes") - outcome.median("memory without cache, bytes");
    let each = grown / registry.names.len() as f64;
    let encoded = outcome.median("encoded facts, bytes");
    outcome.row(
        "local cache, one domain's facts",
        format!("encoded {encoded:.0} bytes"),
        format!("{each:.0} bytes"),
        (each / encoded, Unit::Ratio),
        Goal::AtMost(2.0),
    );
    outcome.notes.push(format!(
        "growth of resident memory by {} cached names, beside a server without the cache that \
         answered the same; encoded as the decision log keeps facts",
        registry.names.len()
    ));
    Ok(outcome)
}

/// Memory of a server, in bytes, after it answered for all names; mean size of encoded facts.
async fn memory(
    bench: &Bench,
    registry: &Registry,
    batches: &Batches,
    cached: bool,
) -> anyhow::Result<(f64, f64)> {
    let postgres = bench.postgres().await?;
    postgres.create("p7", Some(&registry.database())).await?;
    let url = postgres.url("p7");
    let mut settings = registry.on("store.url", url.clone());
    settings.push(("cache.absent_ttl", "24h".to_owned()));
    settings.push(if cached {
        local_cache(registry.names.len())
    } else {
        no_local_cache()
    });
    let mut server = bench.product(&settings, &[]).await?;
    let first = batches.screen(server.address, None).await?;
    let second = batches
        .screen(server.address, Some(&first.verdicts))
        .await?;
    let from_cache = registry.names.len() as u64 - second.elsewhere;
    ensure!(
        !cached || from_cache * 100 >= registry.names.len() as u64 * 99,
        "{from_cache} of {} names are in the local cache",
        registry.names.len()
    );
    // What is written in the background takes memory too.
    let decisions = async || {
        let mut connection = PgConnection::connect(&url).await?;
        Ok(sqlx::query_scalar(DECISIONS)
            .fetch_one(&mut connection)
            .await?)
    };
    quiet(decisions).await?;
    let memory = server.settled().await?.resident;
    let mut connection = PgConnection::connect(&url).await?;
    let encoded: Option<f64> = sqlx::query_scalar(ENCODED)
        .fetch_one(&mut connection)
        .await?;
    connection.close().await?;
    server.end().await?;
    postgres.remove("p7").await?;
    Ok((memory as f64, encoded.unwrap_or(f64::NAN)))
}
