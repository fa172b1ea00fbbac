//! `icpgate keys`: shows the keys under which personal data is sealed, adds one, and seals the store
//! under it.
//!
//! **Never here:** a key. What is shown of keys are fingerprints.

use std::fmt::Write as _;
use std::io::IsTerminal as _;
use std::path::Path;

use clap::{Args, Subcommand};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use serde::Serialize;

use super::exit::{self, Failure, OrExit as _};
use super::output::{self, Output};
use crate::bootstrap::{self, Keys};
use crate::config::Config;
use crate::store::{Progress, Reseal, Stage};

/// Flags of `icpgate keys`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate keys list
  icpgate keys add
  icpgate keys rotate

docs/KEYS.md tells what the keys protect, and how they are replaced step by step.")]
pub struct KeysArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What is done with keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Show the fingerprints of the keys, and which are in force
    List(ListArgs),
    /// Add a random key to the key file; nothing is sealed under it before `rotate`
    Add(AddArgs),
    /// Seal everything in the store under the next key of the key file
    Rotate(RotateArgs),
}

/// Flags of `icpgate keys list`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate keys list
  icpgate keys list --output json")]
pub struct ListArgs {
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Flags of `icpgate keys add`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate keys add
  icpgate keys add --without-store

Exit codes: 0 added, 1 the last key is not in force yet, 74 file or store cannot be read or written")]
pub struct AddArgs {
    /// Add a key without asking the store whether the last one is in force: where the key file is
    /// kept, the store may be out of reach
    #[arg(long)]
    pub without_store: bool,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Flags of `icpgate keys rotate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate keys rotate
  icpgate keys rotate --config /etc/icpgate/icpgate.toml

It takes one step: with two keys that are not in force, run it twice. Interrupted, it has changed
nothing. Servers on the store end by themselves and are to be started again.

Exit codes: 0 sealed anew, 1 no key is left to take, 74 file or store cannot be read or written")]
pub struct RotateArgs {
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Listed<'a> {
    file: &'a Path,
    keys: Vec<Key<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Key<'a> {
    /// From 1.
    place: usize,
    /// Of this key over those before it.
    fingerprint: &'a str,
    /// Whether the store is sealed under it.
    in_force: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rotated<'a> {
    before: &'a str,
    now: &'a str,
    versions: u64,
    decisions: u64,
    revision: u64,
}

/// Runs the command.
///
/// # Errors
///
/// The key file or the store cannot be read or written.
pub async fn run(args: &KeysArgs, config: &Config, now: Timestamp) -> Result<u8, Failure> {
    let file = &config.privacy.key_file;
    if !file.exists() {
        let error = anyhow::anyhow!(
            "`{}` (`privacy.key_file`) is not there; it is made when the program is first started",
            file.display()
        );
        return Err(Failure::new(exit::NO_INPUT, error));
    }
    match &args.command {
        KeysCommand::List(args) => list(args, config).await,
        KeysCommand::Add(args) => add(args, config).await,
        KeysCommand::Rotate(args) => rotate(args, config, now).await,
    }
}

async fn list(args: &ListArgs, config: &Config) -> Result<u8, Failure> {
    let file = &config.privacy.key_file;
    let keys = Keys::read(file).or_exit(exit::IO)?;
    let in_force = in_force(config, &keys).await?;
    show(args.output, file, &keys, in_force)?;
    Ok(exit::SUCCESS)
}

async fn add(args: &AddArgs, config: &Config) -> Result<u8, Failure> {
    let file = &config.privacy.key_file;
    let keys = Keys::read(file).or_exit(exit::IO)?;
    let mut known = None;
    if !args.without_store {
        known = in_force(config, &keys).await?;
        if known.is_some_and(|count| count < keys.count()) {
            let error = anyhow::anyhow!(
                "the last key of `{}` is not in force yet; run `icpgate keys rotate`",
                file.display()
            );
            return Err(Failure::new(exit::REFUSED, error));
        }
    }
    let keys = Keys::add(file).or_exit(exit::IO)?;
    show(args.output, file, &keys, known)?;
    Ok(exit::SUCCESS)
}

async fn rotate(args: &RotateArgs, config: &Config, now: Timestamp) -> Result<u8, Failure> {
    let file = &config.privacy.key_file;
    let keys = Keys::read(file).or_exit(exit::IO)?;
    let opened = bootstrap::open_store(config, false, &keys).await;
    let (store, count) = opened.or_exit(exit::IO)?;
    let Some((key, key_id)) = keys.next(count).or_exit(exit::IO)? else {
        store.close().await;
        let error = anyhow::anyhow!(
            "every key of `{}` is in force; add one with `icpgate keys add`, and give it to every \
             replica first",
            file.display()
        );
        return Err(Failure::new(exit::REFUSED, error));
    };
    let bar = spinner();
    let progress = |progress: Progress| {
        let what = match progress.stage {
            Stage::Records => "versions of records",
            Stage::Decisions => "parts of decisions",
        };
        bar.set_message(format!("{} {what}", progress.done));
    };
    let reseal = Reseal { key: &key, key_id };
    let done = store.reseal(reseal, now, &progress).await;
    bar.finish_and_clear();
    store.close().await;
    let done = done.or_exit(exit::IO)?;
    let rotated = Rotated {
        before: count
            .checked_sub(1)
            .and_then(|place| keys.ids().nth(place))
            .unwrap_or_default(),
        now: key_id,
        versions: done.versions,
        decisions: done.decisions,
        revision: done.revision.0,
    };
    match args.output {
        Output::Json => output::print_json(&rotated)?,
        Output::Table => output::print(&format!(
            "sealed under {} what was sealed under {}: {} versions of records, {} parts of \
             decisions; revision {}\n\
             start the servers again that have ended; keep every key of {}\n",
            rotated.now,
            rotated.before,
            rotated.versions,
            rotated.decisions,
            rotated.revision,
            file.display()
        ))?,
    }
    Ok(exit::SUCCESS)
}

/// How many of the keys the store is sealed under; `None` where there is no store yet.
async fn in_force(config: &Config, keys: &Keys) -> Result<Option<usize>, Failure> {
    if config.store.url.is_none() && !config.store.path.exists() {
        return Ok(None);
    }
    let opened = bootstrap::open_store(config, false, keys).await;
    let (store, count) = opened.or_exit(exit::IO)?;
    store.close().await;
    Ok(Some(count))
}

fn show(form: Output, file: &Path, keys: &Keys, in_force: Option<usize>) -> Result<(), Failure> {
    let listed = Listed {
        file,
        keys: (1..)
            .zip(keys.ids())
            .map(|(place, fingerprint)| Key {
                place,
                fingerprint,
                in_force: in_force.is_some_and(|count| place <= count),
            })
            .collect(),
    };
    if form == Output::Json {
        return output::print_json(&listed);
    }
    let mut table = output::table(&["KEY", "FINGERPRINT", "STATE"]);
    for key in &listed.keys {
        let state = match (in_force, key.in_force) {
            (None, _) => "unknown: the store was not asked, or is not there yet",
            (Some(count), true) if count == key.place => "in force, the newest",
            (Some(_), true) => "in force",
            (Some(_), false) => "not yet: `icpgate keys rotate` takes it",
        };
        let place = key.place.to_string();
        table.add_row([place.as_str(), key.fingerprint, state]);
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{}\n{}", file.display(), table.trim_fmt());
    output::print(&text)
}

/// Shows that work goes on, on a terminal.
pub(super) fn spinner() -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{spinner} {elapsed}, {msg}");
    let bar = ProgressBar::with_draw_target(None, target);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
