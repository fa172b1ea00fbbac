//! Runs the command that was given.

use std::sync::Arc;

use jiff::Timestamp;

use super::config::ConfigCommand;
use super::decisions::{DecisionsArgs, DecisionsCommand};
use super::exit::{self, Failure, OrExit as _};
use super::policy::PolicyCommand;
use super::{
    Cli, Command, backup, canary, check, completions, config, decisions, doctor, erase, generate,
    health, import, keys, number, output, policy, remote,
};
use crate::bootstrap::{self, Parts};
use crate::clock::Clock;
use crate::config::{Config, load};
use crate::intake::ndjson::Limits;
use crate::intake::token;
use crate::telemetry;

/// Runs a command and returns its exit code.
///
/// # Errors
///
/// Why it could not do what it was asked, with the exit code for that.
pub async fn dispatch(cli: &Cli, clock: Arc<dyn Clock>) -> Result<u8, Failure> {
    match &cli.command {
        Command::Backup(args) => backup::run(args, &cli.load_config()?.config).await,
        Command::Canary(args) => {
            let (url, access) = server(cli, args.server.as_deref())?;
            canary::run(args, &url, &access).await
        }
        Command::Check(args) => {
            let (url, access) = server(cli, args.server.as_deref())?;
            check::run(args, &url, &access).await
        }
        Command::Completions(args) => completions::run(args),
        Command::Config(args) => match &args.command {
            ConfigCommand::Print { output } => config::print(&cli.load_config()?, *output),
            ConfigCommand::Default => config::print_default(),
            ConfigCommand::Docs => config::print_docs(),
        },
        Command::Decisions(args) => prune(cli, args, clock.now()).await,
        Command::Doctor(args) => {
            let checks = doctor::checks(&load(&cli.inputs()), clock.now()).await;
            doctor::report(&checks, args.output)
        }
        Command::Erase(args) => {
            let config = with_log(cli)?;
            let suffixes = bootstrap::policy(&config).or_exit(exit::CONFIG)?.suffixes;
            let keys = bootstrap::Keys::read(&config.privacy.key_file).or_exit(exit::IO)?;
            let opened = bootstrap::open_store(&config, true, &keys).await;
            let (store, in_force) = opened.or_exit(exit::IO)?;
            let sealer = keys.sealer(in_force).or_exit(exit::IO)?;
            let code = erase::run(args, &sealer, &suffixes, &*store, clock.now()).await;
            store.close().await;
            code
        }
        Command::Generate(args) => {
            // A named provider needs no configuration.
            let provider_id = match &args.provider_id {
                Some(provider) => provider.clone(),
                None => cli.load_config()?.config.provider.id,
            };
            generate::run(args, &provider_id, clock.now())
        }
        Command::Health(args) => {
            let config = cli.load_config()?.config;
            let url = match &args.server {
                Some(url) => url.clone(),
                None => remote::url_of(&config.grpc),
            };
            health::run(args, &url, &remote::Access::read(&config.client)?).await
        }
        Command::Import(args) => {
            let config = with_log(cli)?;
            let limits = import_limits(&config);
            match &args.server {
                Some(url) => {
                    let access = remote::Access::read(&config.client)?;
                    import::over_grpc(args, limits, url, &access).await
                }
                None => {
                    let parts = open(&config, true).await?;
                    let store = &*parts.store;
                    let done =
                        import::into_store(args, limits, &parts.intake, store, &*clock, token);
                    let code = done.await;
                    parts.store.close().await;
                    code
                }
            }
        }
        Command::Keys(args) => keys::run(args, &with_log(cli)?, clock.now()).await,
        Command::Number(args) => number::run(args, clock.now()),
        Command::Migrate(_) => {
            let config = with_log(cli)?;
            let parts = open(&config, true).await?;
            let head = parts.store.head().await.or_exit(exit::IO)?;
            parts.store.close().await;
            let place = match &config.store.url {
                // Its address may hold a password.
                Some(_) => "the database of store.url".to_owned(),
                None => config.store.path.display().to_string(),
            };
            output::print(&format!(
                "{place} has the form of this version; revision {}\n",
                head.0
            ))?;
            Ok(exit::SUCCESS)
        }
        Command::Policy(args) => {
            let config = cli.load_config()?.config;
            match &args.command {
                PolicyCommand::Lint(args) => policy::lint(args, config.provider.id.as_str()),
                PolicyCommand::Test(args) => policy::test(args, &config),
            }
        }
        Command::Serve(args) => {
            let config = with_log(cli)?;
            bootstrap::serve(&config, args.sample, !args.no_migrate, clock)
                .await
                .or_exit(exit::SOFTWARE)?;
            Ok(exit::SUCCESS)
        }
    }
}

async fn prune(cli: &Cli, args: &DecisionsArgs, now: Timestamp) -> Result<u8, Failure> {
    let DecisionsCommand::Prune(args) = &args.command;
    let prune = decisions::which(args, now)?;
    let config = with_log(cli)?;
    let keys = bootstrap::Keys::read(&config.privacy.key_file).or_exit(exit::IO)?;
    // What a timer starts makes no store and migrates none.
    let opened = bootstrap::open_store(&config, false, &keys).await;
    let (store, _) = opened.or_exit(exit::IO)?;
    let code = decisions::prune(args, prune, &*store).await;
    store.close().await;
    code
}

/// The server to ask, and what to show to it.
fn server(cli: &Cli, given: Option<&str>) -> Result<(String, remote::Access), Failure> {
    let config = cli.load_config()?.config;
    let url = given.map_or_else(|| remote::url_of(&config.grpc), str::to_owned);
    Ok((url, remote::Access::read(&config.client)?))
}

async fn open(config: &Config, migrate: bool) -> Result<Parts, Failure> {
    bootstrap::open(config, migrate).await.or_exit(exit::IO)
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
