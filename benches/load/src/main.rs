//! `icpgate-load`: measures the product beside bare servers and databases, and prints one table.
//!
//! **Invariant:** everything of one comparison runs in turns in one run, round after round; a
//! figure is the median of its rounds.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program that prints a table, and on standard error how far it is"
)]

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use icpgate_load::bench::Bench;
use icpgate_load::options::Options;
use icpgate_load::report::{self, Outcome};
use icpgate_load::{points, servers};

fn main() -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, address] = arguments.as_slice()
        && flag == servers::SERVE_HEALTH
    {
        runtime.block_on(servers::serve_health(address.parse()?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let options = Options::parse();
    runtime.block_on(async {
        // Servers and folders are put away on the way out, whatever the reason.
        tokio::select! {
            done = measure(options) => done,
            _ = tokio::signal::ctrl_c() => Ok(ExitCode::from(130)),
        }
    })
}

async fn measure(options: Options) -> anyhow::Result<ExitCode> {
    let bench = Bench::new(options)?;
    let mut outcomes = BTreeMap::new();
    for point in bench.options.points() {
        eprintln!("{point} …");
        let outcome = points::measure(point, &bench).await;
        let outcome = outcome.unwrap_or_else(|error| Outcome {
            failure: Some(format!("{error:#}")),
            ..Outcome::default()
        });
        outcomes.insert(point.to_string(), outcome.close(&point.to_string()));
        if let Some(file) = &bench.options.json {
            let results = report::json(&outcomes, &bench.options.json())?;
            let text = serde_json::to_string_pretty(&results)? + "\n";
            std::fs::write(file, text).with_context(|| format!("write {}", file.display()))?;
        }
    }
    println!("{}", report::table(&outcomes));
    let failed = outcomes.values().any(|outcome| outcome.failure.is_some());
    bench.end().await?;
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
