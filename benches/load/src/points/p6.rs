//! P6: an import of a registry, beside raw writes of the rows that it makes, and its memory.

use std::path::Path;

use crate::bench::Bench;
use crate::points::p6_raw::{copy_in, copy_out, insert};
use crate::registry::{Engine, Import, generate, import};
use crate::report::{Goal, Outcome, Unit, rate};

/// Least part of the raw rate.
const PART: f64 = 0.4;
/// Most memory of an import, in bytes.
const MEMORY: f64 = 256.0 * 1024.0 * 1024.0;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let domains = bench.options.import_domains;
    let folder = bench.folder("p6")?;
    let postgres = bench.postgres().await?;
    let file = folder.join("records.ndjson");
    generate(&bench.program, &folder, domains).await?;
    let key = (
        "privacy.key_file",
        folder.join("privacy.key").display().to_string(),
    );
    let store = folder.join("records.sqlite");
    let url = postgres.url("p6");
    let mut outcome = Outcome::default();
    let mut rows = 0;
    for round in 0..bench.options.rounds {
        let settings = [("store.path", store.display().to_string()), key.clone()];
        let done = import(&bench.program, &folder, &file, &settings).await?;
        // The library blocks: not on a thread that others wait for.
        let (from, into) = (store.clone(), folder.join("raw.sqlite"));
        let raw = tokio::task::spawn_blocking(move || {
            let raw = insert(&from, &into)?;
            remove(&from);
            remove(&into);
            anyhow::Ok(raw)
        })
        .await??;
        note(
            &mut outcome,
            Engine::Sqlite,
            done,
            raw.rows,
            raw.elapsed.as_secs_f64(),
        );

        postgres.create("p6", None).await?;
        let settings = [("store.url", url.clone()), key.clone()];
        let done = import(&bench.program, &folder, &file, &settings).await?;
        if round == 0 {
            rows = copy_out(&url, &folder).await?;
        }
        let raw = copy_in(&url, &folder, rows).await?;
        note(
            &mut outcome,
            Engine::Postgres,
            done,
            raw.rows,
            raw.elapsed.as_secs_f64(),
        );
    }
    postgres.remove("p6").await?;
    for (engine, how) in [
        (Engine::Sqlite, "prepared inserts"),
        (Engine::Postgres, "COPY"),
    ] {
        let name = engine.name();
        let own = outcome.median(&format!("{name}, import, rows a second"));
        let raw = outcome.median(&format!("{name}, raw, rows a second"));
        outcome.row(
            format!("import of {domains} domains, {name}, rows a second"),
            format!("{how} {}", rate(raw)),
            rate(own),
            (own / raw, Unit::Ratio),
            Goal::AtLeast(PART),
        );
    }
    if let Some(big) = bench.big().await? {
        for &engine in &big.engines {
            let import = match engine {
                Engine::Sqlite => big.facts.sqlite,
                Engine::Postgres => big.facts.postgres,
            };
            memory(&mut outcome, engine, import.peak);
            outcome.notes.push(format!(
                "{}, {} domains, {} records, once: {:.0} s, {}",
                engine.name(),
                big.facts.domains,
                big.facts.records,
                import.seconds,
                rate(big.facts.records as f64 / import.seconds)
            ));
        }
    }
    for engine in Engine::ALL {
        let series = format!("{}, memory, bytes", engine.name());
        let peaks = outcome.rounds.get(&series).cloned().unwrap_or_default();
        let peak = peaks.into_iter().fold(0.0, f64::max);
        outcome.row(
            format!("memory of the import, {}, most of all sizes", engine.name()),
            "",
            "",
            (peak, Unit::Mebibytes),
            Goal::AtMost(MEMORY),
        );
    }
    outcome.notes.push(
        "rows of all tables that an import fills; the time of an import holds the start of the \
         program, reading and checking the file"
            .to_owned(),
    );
    Ok(outcome)
}

fn note(outcome: &mut Outcome, engine: Engine, import: Import, rows: u64, raw: f64) {
    let name = engine.name();
    let rows = rows as f64;
    outcome.note(
        format!("{name}, import, rows a second"),
        rows / import.seconds,
    );
    outcome.note(format!("{name}, raw, rows a second"), rows / raw);
    memory(outcome, engine, import.peak);
}

/// Removes a store of SQLite.
fn remove(file: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut file = file.as_os_str().to_owned();
        file.push(suffix);
        let _ = std::fs::remove_file(file);
    }
}

fn memory(outcome: &mut Outcome, engine: Engine, peak: u64) {
    outcome.note(format!("{}, memory, bytes", engine.name()), peak as f64);
}
