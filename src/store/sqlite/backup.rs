//! A copy of a store beside those who use it.
//!
//! **Invariant:** the copy is one committed state, whole, readable by its owner only, and on the disk
//! when this returns; or it is not there.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};

use super::errors::{open_error, store_error, unusable};
use super::open::refuse_foreign;
use crate::store::StoreError;

/// Writes a new file from one snapshot; needs no more than a reader does.
const BACKUP: &str = "VACUUM INTO ?1";

/// Copies the store in the file `from` into the new file `to`; returns the size of the copy in bytes.
/// Servers and imports go on meanwhile.
///
/// # Errors
///
/// [`StoreError::Unusable`] where `from` is no store, or `to` is there already or cannot be written;
/// what SQLite says otherwise.
pub async fn backup(from: &Path, to: &Path) -> Result<u64, StoreError> {
    if !from.exists() {
        return Err(unusable(
            from,
            "there is no such file; name the store with store.path",
        ));
    }
    let options = SqliteConnectOptions::new().filename(from);
    refuse_foreign(from, &options).await?;
    let (absolute, file) = make(to)?;
    let copied = async {
        let mut connection = SqliteConnection::connect_with(&options)
            .await
            .map_err(|source| open_error(from, "open the store", source))?;
        sqlx::query(BACKUP)
            .bind(&absolute)
            .execute(&mut connection)
            .await
            .map_err(|source| store_error(from, "copy the store", source))?;
        connection
            .close()
            .await
            .map_err(|source| store_error(from, "copy the store", source))?;
        keep(to, &file)
    }
    .await;
    if copied.is_err() {
        // Half a copy must not be taken for one.
        let _ = std::fs::remove_file(to);
    }
    copied
}

/// Makes the file, empty, which SQLite takes as one that is not there. Returns its absolute path,
/// since names such as `file:…` have a meaning of their own for SQLite.
fn make(to: &Path) -> Result<(String, File), StoreError> {
    let absolute = std::path::absolute(to)
        .ok()
        .and_then(|path| path.to_str().map(str::to_owned))
        .ok_or_else(|| unusable(to, "its path is not Unicode; give it another name"))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(to).map_err(|error| {
        if error.kind() == ErrorKind::AlreadyExists {
            unusable(to, "it is there already; name a new file")
        } else {
            unusable(
                to,
                format!("it cannot be made: {error}; name a file in a folder that this user may write in"),
            )
        }
    })?;
    Ok((absolute, file))
}

/// Makes the copy outlive a power cut.
fn keep(to: &Path, file: &File) -> Result<u64, StoreError> {
    file.sync_all()
        .and_then(|()| file.metadata())
        .map(|metadata| metadata.len())
        .map_err(|error| unusable(to, format!("it cannot be written to the disk: {error}")))
}
