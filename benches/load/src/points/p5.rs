//! P5: screening of names whose facts are in the local cache, beside single calls at saturation.

use anyhow::Context as _;

use super::local_cache;
use crate::bench::{Bench, allowed, learn};
use crate::load::{Target, saturate};
use crate::report::{Goal, Outcome, Unit, rate};
use crate::screen::{Batches, WAYS};
use crate::wire::ServedFrom;

/// Passes after which the cache is taken to hold what it will ever hold.
const WARM_UPS: u32 = 5;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let registry = bench.largest().await?;
    let settings = [
        local_cache(registry.names.len()),
        // Names stay cached for as long as this takes.
        ("cache.ttl", "24h".to_owned()),
        ("cache.absent_ttl", "24h".to_owned()),
    ];
    // Which one makes no difference: what is timed reads no store.
    let engine = *registry.engines.first().context("no engine")?;
    let server = bench.server(registry, engine, &settings).await?;
    let asked = learn(&server, registry, 100).await?;
    let one = allowed(&asked)
        .next()
        .context("no name is allowed")?
        .clone();
    let single = Target::check(server.address, [one], ServedFrom::LocalCache);
    let batches = Batches::new(&registry.names);
    let mut outcome = Outcome::default();
    let mut warm = batches.screen(server.address, None).await?;
    let first = warm.rate();
    for _ in 1..WARM_UPS {
        if warm.elsewhere == 0 {
            break;
        }
        warm = batches.screen(server.address, Some(&warm.verdicts)).await?;
    }
    server.rested().await?;
    for _ in 0..bench.options.rounds {
        let busy = saturate(&single, bench.options.slice()).await?;
        outcome.note("single calls a second", busy.rate());
        outcome.level("the local cache", &[&busy]);
        let pass = batches.screen(server.address, Some(&warm.verdicts)).await?;
        outcome.note("decisions a second", pass.rate());
        let elsewhere = pass.elsewhere as f64 / registry.names.len() as f64;
        outcome.elsewhere("the local cache", elsewhere);
    }
    let single = outcome.median("single calls a second");
    let screened = outcome.median("decisions a second");
    outcome.row(
        format!("ScreenDomains, {} cached names", registry.names.len()),
        format!("single calls {}", rate(single)),
        rate(screened),
        (screened / single, Unit::Ratio),
        Goal::AtLeast(6.0),
    );
    outcome.notes.push(format!(
        "{WAYS} streams, batches of 1000, each verdict compared; the first pass, which reads the \
         store and records each decision, came to {}",
        rate(first)
    ));
    if registry.names.len() < 900_000 {
        outcome
            .notes
            .push("`--domains 6000000` screens one million names".to_owned());
    }
    Ok(outcome)
}
