//! `icpgate completions`.

use clap::{Args, CommandFactory as _};

use super::exit::{self, Failure};
use super::output;

/// Flags of `icpgate completions`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate completions bash > /etc/bash_completion.d/icpgate
  icpgate completions zsh > \"${fpath[1]}/_icpgate\"
  icpgate completions fish > ~/.config/fish/completions/icpgate.fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Prints the completions.
///
/// # Errors
///
/// The output cannot be written.
pub fn run(args: &CompletionsArgs) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(
        args.shell,
        &mut super::Cli::command(),
        "icpgate",
        &mut script,
    );
    output::print(&String::from_utf8_lossy(&script))?;
    Ok(exit::SUCCESS)
}
