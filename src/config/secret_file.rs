//! Values that stand in files of their own, because they hold passwords.
//!
//! **Invariant:** such a file is there, holds something, and what it holds is never shown. An empty
//! one is a problem and not a value that is not set: the program would go on with another store.
//! **Absent on purpose:** looking at the file again while the program runs.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// Keys whose value may stand in a file, each with the key that names the file.
pub(super) const SECRET_FILES: [(&str, &str); 3] = [
    ("store.url", "store.url_file"),
    ("store.read_url", "store.read_url_file"),
    ("redis.urls", "redis.urls_file"),
];

/// Longest such file, in bytes: addresses of many servers have a few kilobytes.
const LONGEST: u64 = 65_536;

/// What such a file holds.
pub(super) enum Held {
    /// Nothing but white space.
    Nothing,
    /// Something that is not text, or longer than any value.
    NoText,
    /// A value, without white space around it: editors and `echo` end files with a line break.
    Text(String),
}

/// Reads the file.
pub(super) fn read(path: &Path) -> io::Result<Held> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(LONGEST + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Ok(Held::NoText);
    }
    Ok(match String::from_utf8(bytes) {
        Err(_) => Held::NoText,
        Ok(text) if text.trim().is_empty() => Held::Nothing,
        Ok(text) => Held::Text(text.trim().to_owned()),
    })
}
