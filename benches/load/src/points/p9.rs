//! P9: from the start until SERVING, and memory at rest, on the largest registry.

use std::time::Duration;

use crate::bench::Bench;
use crate::report::{Goal, Outcome, Unit};

/// Longest start.
const START: Duration = Duration::from_millis(300);
/// Most memory at rest, in bytes.
const IDLE: f64 = 40.0 * 1024.0 * 1024.0;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let registry = bench.largest().await?;
    let mut outcome = Outcome::default();
    // The first start finds neither the program nor the store in memory.
    for &engine in &registry.engines {
        let server = bench.server(registry, engine, &[]).await?;
        outcome.note(
            format!("{}, first start ns", engine.name()),
            nanoseconds(&server),
        );
        server.end().await?;
    }
    for _ in 0..bench.options.rounds {
        for &engine in &registry.engines {
            let mut server = bench.server(registry, engine, &[]).await?;
            outcome.note(format!("{}, start ns", engine.name()), nanoseconds(&server));
            let memory = server.settled().await?;
            outcome.note(
                format!("{}, idle bytes", engine.name()),
                memory.resident as f64,
            );
            server.end().await?;
        }
    }
    let domains = registry.facts.domains;
    for &engine in &registry.engines {
        let name = engine.name();
        outcome.row(
            format!("start to SERVING, {name}, {domains} domains"),
            "",
            "",
            (
                outcome.median(&format!("{name}, start ns")),
                Unit::Milliseconds,
            ),
            Goal::AtMost(START.as_secs_f64() * 1e9),
        );
        outcome.row(
            format!("memory at rest, {name}, {domains} domains"),
            "",
            "",
            (
                outcome.median(&format!("{name}, idle bytes")),
                Unit::Mebibytes,
            ),
            Goal::AtMost(IDLE),
        );
    }
    Ok(outcome)
}

fn nanoseconds(server: &crate::servers::Server) -> f64 {
    server.started_in.as_secs_f64() * 1e9
}
