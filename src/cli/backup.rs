//! `icpgate backup`: a copy of the store, beside a running server.

use std::path::PathBuf;

use clap::Args;

use super::exit::{self, Failure, OrExit as _};
use super::output;
use crate::bootstrap;
use crate::config::Config;

/// Flags of `icpgate backup`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate backup /backup/icpgate-2026-11-22.sqlite
  icpgate backup /backup/icpgate.sqlite --set store.path=/var/lib/icpgate/icpgate.sqlite

The copy is a store: name it with store.path and the key with privacy.key_file to use it.
A PostgreSQL database is copied with pg_dump (docs/BACKUP.md).")]
pub struct BackupArgs {
    /// File to write; it must not be there
    #[arg(value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
}

/// Copies the store.
///
/// # Errors
///
/// The copy cannot be made.
pub async fn run(args: &BackupArgs, config: &Config) -> Result<u8, Failure> {
    let size = bootstrap::backup(config, &args.file)
        .await
        .or_exit(exit::IO)?;
    let file = args.file.display();
    output::print(&format!(
        "{file}: {size} bytes; the privacy key is not in it\n"
    ))?;
    Ok(exit::SUCCESS)
}
