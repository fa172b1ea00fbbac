//! A copy of the configured store.

use std::path::Path;

use anyhow::Context as _;

use crate::config::Config;
use crate::store::backup_sqlite;

/// Copies the store into a new file; returns the size of the copy in bytes. Needs no privacy key: a
/// copy holds what the store holds, sealed.
///
/// # Errors
///
/// The store is no file, or the copy cannot be made.
pub async fn backup(config: &Config, to: &Path) -> anyhow::Result<u64> {
    anyhow::ensure!(
        config.store.url.is_none(),
        "the store is a PostgreSQL database; copy it with `pg_dump`, as docs/BACKUP.md tells"
    );
    let path = &config.store.path;
    backup_sqlite(path, to)
        .await
        .with_context(|| format!("copy the store `{}`", path.display()))
}
