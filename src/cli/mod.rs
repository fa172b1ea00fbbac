//! The command line: parsing, and one module for each command.
//!
//! Commands write answers to standard output and end with a code of [`exit`]; what went wrong goes
//! to standard error, once, in `main`. **Never here:** a rule, a query or a concrete type of
//! another room; commands take what they need as parameters.
//! Start at [`parse`], then [`dispatch()`].

pub mod backup;
pub mod canary;
pub mod check;
pub mod completions;
pub mod config;
pub mod decisions;
pub mod doctor;
pub mod erase;
pub mod exit;
pub mod generate;
pub mod health;
pub mod import;
pub mod keys;
pub mod number;
pub mod output;
pub mod policy;
pub mod remote;
pub mod serve;

mod check_view;
mod dispatch;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use dispatch::dispatch;

use crate::config::{Flag, Inputs, Loaded, load};
use exit::{Failure, OrExit as _};

/// Answers whether a domain may be provisioned in mainland China.
#[derive(Debug, Parser)]
#[command(
    name = "icpgate",
    version,
    propagate_version = true,
    max_term_width = 100
)]
#[command(after_help = "Examples:
  icpgate serve --sample
  icpgate check www.example.cn --product cdn --area mainland
  icpgate number 京ICP备10046444号-1")]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Configuration file [default: icpgate.toml, where there is one]
    #[arg(long, global = true, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Which log lines are written: error, warn, info, debug, trace, off
    #[arg(long, global = true, value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// Set a key of the configuration; may be repeated
    #[arg(long = "set", global = true, value_name = "KEY=VALUE", value_parser = values::assignment)]
    pub set: Vec<(String, String)>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer questions over gRPC
    Serve(serve::ServeArgs),
    /// Ask a running server whether a domain may be provisioned
    Check(Box<check::CheckArgs>),
    /// Ask a running server for names whose answers are known
    Canary(canary::CanaryArgs),
    /// Load records from a file of one JSON record a line
    Import(import::ImportArgs),
    /// Tell what is held about a person, and erase it
    Erase(Box<erase::EraseArgs>),
    /// Remove recorded decisions that need no longer be kept
    Decisions(decisions::DecisionsArgs),
    /// Write the records of an invented registry, for load tests
    Generate(generate::GenerateArgs),
    /// Copy the store into a file, beside a running server
    Backup(backup::BackupArgs),
    /// Bring the store to this version's form
    Migrate(serve::MigrateArgs),
    /// Show, add and replace the keys under which personal data is sealed
    Keys(keys::KeysArgs),
    /// Check policy documents
    Policy(policy::PolicyArgs),
    /// Read filing, licence and public-security numbers and explain them
    Number(number::NumberArgs),
    /// Show the configuration
    Config(config::ConfigArgs),
    /// Look for what keeps the program from working
    Doctor(doctor::DoctorArgs),
    /// Ask a running server whether it is ready
    Health(health::HealthArgs),
    /// Print completions for a shell
    Completions(completions::CompletionsArgs),
}

/// Reads a command line.
///
/// # Errors
///
/// What clap says: help and version too. [`usage_code`] tells the exit code.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(args)
}

/// The exit code for a command line that was not taken: 0 where help or the version was asked for.
#[must_use]
pub fn usage_code(error: &clap::Error) -> u8 {
    if error.use_stderr() {
        exit::USAGE
    } else {
        exit::SUCCESS
    }
}

impl Cli {
    /// Loads the configuration as this command line asks for it.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, with [`exit::CONFIG`].
    pub fn load_config(&self) -> Result<Loaded, Failure> {
        load(&self.inputs()).or_exit(exit::CONFIG)
    }

    /// Where this command line takes the configuration from.
    #[must_use]
    pub fn inputs(&self) -> Inputs {
        let flag = |name: &str, key: &str, value: &str| Flag {
            name: name.to_owned(),
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let mut flags: Vec<Flag> = self
            .global
            .set
            .iter()
            .map(|(key, value)| flag(&format!("--set {key}"), key, value))
            .collect();
        if let Some(level) = &self.global.log_level {
            flags.push(flag("--log-level", "log.level", level));
        }
        if let Command::Serve(serve) = &self.command {
            let own = [
                ("--grpc-listen", "grpc.listen", &serve.grpc_listen),
                ("--http-listen", "http.listen", &serve.http_listen),
                ("--store-path", "store.path", &serve.store_path),
            ];
            for (name, key, value) in own {
                flags.extend(value.as_ref().map(|value| flag(name, key, value)));
            }
            if serve.insecure {
                flags.push(flag("--insecure", "grpc.insecure", "true"));
            }
        }
        Inputs::from_process(self.global.config.clone(), flags)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_visible_command_shows_examples() {
        for command in Cli::command().get_subcommands() {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                help.contains("Examples:\n  icpgate "),
                "{}",
                command.get_name()
            );
        }
    }
}
