//! Runs the command that was given.

use super::config::ConfigCommand;
use super::exit::{self, Failure, OrExit as _};
use super::{Cli, Command, check, completions, config, doctor, import, number, remote};
use crate::clock::Clock;
use crate::config::{Config, load};
use crate::intake::ndjson::Limits;
use crate::telemetry;

/// Runs a command and returns its exit code.
///
/// # Errors
///
/// Why it could not do what it was asked, with the exit code for that.
pub async fn dispatch(cli: &Cli, clock: &dyn Clock) -> Result<u8, Failure> {
    match &cli.command {
        Command::Check(args) => {
            // Asking a named server needs no configuration, and a broken one is no obstacle.
            let url = match &args.server {
                Some(url) => url.clone(),
                None => remote::url_of(cli.load_config()?.config.grpc.listen),
            };
            check::run(args, &url).await
        }
        Command::Completions(args) => completions::run(args),
        Command::Config(args) => match &args.command {
            ConfigCommand::Print { output } => config::print(&cli.load_config()?, *output),
            ConfigCommand::Default => config::print_default(),
            ConfigCommand::Docs => config::print_docs(),
        },
        Command::Doctor(args) => {
            let checks = doctor::checks(&load(&cli.inputs()), clock.now()).await;
            doctor::report(&checks, args.output)
        }
        Command::Import(args) => {
            let config = with_log(cli)?;
            let limits = import_limits(&config);
            match &args.server {
                Some(url) => import::over_grpc(args, limits, url).await,
                None => Err(no_store()),
            }
        }
        Command::Number(args) => number::run(args, clock.now()),
        Command::Migrate(_) | Command::Policy(_) | Command::Serve(_) => {
            with_log(cli)?;
            Err(no_store())
        }
    }
}

/// Loads the configuration and starts writing log lines, for commands that work in this process.
fn with_log(cli: &Cli) -> Result<Config, Failure> {
    let config = cli.load_config()?.config;
    telemetry::init(&config.log).or_exit(exit::SOFTWARE)?;
    Ok(config)
}

fn import_limits(config: &Config) -> Limits {
    Limits {
        line: usize::try_from(config.import.max_line_bytes.0).unwrap_or(usize::MAX),
        decompressed: config.import.max_decompressed_bytes.0,
    }
}

fn no_store() -> Failure {
    Failure::new(
        exit::SOFTWARE,
        anyhow::anyhow!("this build has no store and decides nothing"),
    )
}
