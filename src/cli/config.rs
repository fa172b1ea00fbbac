//! `icpgate config`.

use clap::{Args, Subcommand};
use serde::Serialize;

use super::exit::{self, Failure};
use super::output::{self, DIM, Output};
use crate::config::{self, Loaded, Origin};

/// Flags of `icpgate config`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate config print
  icpgate config print --output json
  icpgate config default > icpgate.toml")]
pub struct ConfigArgs {
    /// What to show.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// What to show of the configuration.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print the values that hold and where each came from
    #[command(after_help = "Examples:
  icpgate config print
  ICPGATE_LOG__LEVEL=debug icpgate config print --output json")]
    Print {
        /// Form of the answer
        #[arg(long, value_enum, default_value_t)]
        output: Output,
    },
    /// Print a configuration file with every key and its default
    #[command(after_help = "Examples:
  icpgate config default > icpgate.toml")]
    Default,
    /// Print the reference of all keys, in Markdown
    #[command(hide = true)]
    Docs,
}

#[derive(Serialize)]
struct Line<'a> {
    key: &'static str,
    value: &'a str,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<String>,
}

/// Prints the values that hold.
///
/// # Errors
///
/// The output cannot be written.
pub fn print(loaded: &Loaded, form: Output) -> Result<u8, Failure> {
    match form {
        Output::Json => {
            let lines: Vec<Line<'_>> = loaded
                .effective
                .iter()
                .map(|value| {
                    let (origin, place) = match &value.origin {
                        Origin::Default => ("default", None),
                        Origin::File { .. } => ("file", Some(value.origin.to_string())),
                        Origin::Flag(flag) => ("flag", Some(flag.clone())),
                        Origin::SecretFile { .. } => {
                            ("secret file", Some(value.origin.to_string()))
                        }
                        Origin::Variable(variable) => ("variable", Some(variable.clone())),
                    };
                    Line {
                        key: value.key.name,
                        value: value.shown(),
                        origin,
                        place,
                    }
                })
                .collect();
            output::print_json(&lines)?;
        }
        Output::Table => {
            let mut table = output::table(&["key", "value", "from"]);
            for value in &loaded.effective {
                let shown = if value.value.is_empty() {
                    "-"
                } else {
                    value.shown()
                };
                let shown = output::clean(shown).into_owned();
                table.add_row([value.key.name.to_owned(), shown, value.origin.to_string()]);
            }
            let file = match &loaded.file {
                Some(path) => format!("file read: {}", path.display()),
                None => format!("no file read (no {} here)", config::FILE_NAME),
            };
            output::print(&format!("{}\n\n{DIM}{file}{DIM:#}\n", table.trim_fmt()))?;
        }
    }
    Ok(exit::SUCCESS)
}

/// Prints the commented default file.
///
/// # Errors
///
/// The output cannot be written.
pub fn print_default() -> Result<u8, Failure> {
    output::print(&config::default_file())?;
    Ok(exit::SUCCESS)
}

/// Prints the reference.
///
/// # Errors
///
/// The output cannot be written.
pub fn print_docs() -> Result<u8, Failure> {
    output::print(&config::reference())?;
    Ok(exit::SUCCESS)
}
