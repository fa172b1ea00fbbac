//! The keys under which personal data is sealed: read, made once, and added to.
//!
//! The file is a ring: one key, raw or in hexadecimal digits, or several in hexadecimal digits, one
//! a line, the oldest first. Each seals over those before it.
//! **Invariant:** however many processes start at once, they end with one key, and the file never
//! exists with less than whole keys in it or with rights for others than it had. Keys are added
//! behind the others, and none is ever taken away.

use std::fmt;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use rand::TryRng as _;
use zeroize::Zeroizing;

/// Shortest key, in bytes: the output of the digest that it keys.
const SHORTEST: usize = 32;

/// Longest file that is read as keys, in bytes.
const LONGEST_FILE: usize = 4096;

/// A key; shows nothing of itself.
#[derive(Clone)]
pub struct PrivacyKey(Zeroizing<Vec<u8>>);

impl PrivacyKey {
    /// The key's bytes, 32 or more.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// The keys of the file, the oldest first; there is at least one.
#[derive(Clone, Debug)]
pub struct KeyRing(Vec<PrivacyKey>);

impl KeyRing {
    /// The keys, the oldest first.
    #[must_use]
    pub fn keys(&self) -> &[PrivacyKey] {
        &self.0
    }
}

impl fmt::Debug for PrivacyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivacyKey(hidden)")
    }
}

/// There is no usable key.
#[derive(Debug, thiserror::Error)]
pub enum PrivacyKeyError {
    /// The file cannot be read or made.
    #[error("{action} `{}` (`privacy.key_file`)", path.display())]
    Io {
        /// What was being done, in the present tense.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system gives no random bytes.
    #[error("draw random bytes for a key: {reason}")]
    NoRandomness {
        /// What the system says.
        reason: String,
    },
    /// Others than the owner have rights to the file.
    #[error(
        "the key `{}` (`privacy.key_file`) is open to others than its owner (mode {mode:03o}); \
         run `chmod 600 {}`",
        path.display(),
        path.display()
    )]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its rights.
        mode: u32,
    },
    /// The file holds too little.
    #[error(
        "the key `{}` (`privacy.key_file`) has {found} bytes, and {SHORTEST} or more are needed; \
         restore the key that the store was made with, or, for a new store, remove the file and a \
         key will be made",
        path.display()
    )]
    TooShort {
        /// The file.
        path: PathBuf,
        /// Length of the key, in bytes.
        found: usize,
    },
    /// One line among keys is none.
    #[error(
        "line {line} of `{}` (`privacy.key_file`) is no key; each line holds one key of {} or more \
         hexadecimal digits; restore the file from its copy",
        path.display(),
        2 * SHORTEST
    )]
    NoKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1; empty ones are not counted.
        line: usize,
    },
    /// The file holds more than any key.
    #[error(
        "the key `{}` (`privacy.key_file`) has, or would have, more than {LONGEST_FILE} bytes; name \
         the right file, or begin a new store with one key",
        path.display()
    )]
    TooLong {
        /// The file.
        path: PathBuf,
    },
}

/// Reads the keys, and makes one first where the file is missing.
///
/// # Errors
///
/// The file cannot be read or made, can be written by others than its owner, or holds no key. One
/// that others can read is taken with a warning.
pub fn key_ring(path: &Path) -> Result<KeyRing, PrivacyKeyError> {
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path)?;
            // Another process may have been faster: what stands there is the key.
            read(
                path,
                File::open(path).map_err(io_error("open the key", path))?,
            )
        }
        Err(error) => Err(io_error("open the key", path)(error)),
    }
}

/// Adds a random key behind those of the file, which keeps its owner and its rights. The file is
/// replaced whole, or stays as it is.
///
/// # Errors
///
/// As [`key_ring`]; a file that is missing is one. Nothing is added where the ring would become too
/// long to be read.
pub fn add_key(path: &Path) -> Result<KeyRing, PrivacyKeyError> {
    // Else a link would be replaced, and what it leads to would stay.
    let path = &std::fs::canonicalize(path).map_err(io_error("look for the key", path))?;
    let file = File::open(path).map_err(io_error("open the key", path))?;
    let metadata = file.metadata().map_err(io_error("look at the key", path))?;
    let KeyRing(keys) = read(path, file)?;
    let random = random()?;
    let (key, suffix) = random.split_at(SHORTEST);
    let mut text = Zeroizing::new(String::with_capacity(LONGEST_FILE + 1));
    for key in keys.iter().map(PrivacyKey::as_bytes).chain([key]) {
        text.push_str(&to_hex(key));
        text.push('\n');
    }
    if text.len() > LONGEST_FILE {
        return Err(PrivacyKeyError::TooLong {
            path: path.to_owned(),
        });
    }
    let draft = draft_of(path, suffix);
    let replaced = write_draft(&draft, &text)
        .and_then(|()| keep_rights(&draft, &metadata))
        .and_then(|()| std::fs::rename(&draft, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    replaced.map_err(io_error("write the key", path))?;
    sync_folder(folder_of(path));
    read(
        path,
        File::open(path).map_err(io_error("open the key", path))?,
    )
}

/// Whether the rights to a key that is there are right.
///
/// # Errors
///
/// The file cannot be looked at, or is open to others. A missing file is an [`io::ErrorKind`] of
/// `NotFound`.
pub fn privacy_key_permissions(path: &Path) -> Result<(), PrivacyKeyError> {
    let metadata = std::fs::metadata(path).map_err(io_error("look at the key", path))?;
    closed_to_others(path, &metadata)
}

fn read(path: &Path, file: File) -> Result<KeyRing, PrivacyKeyError> {
    let metadata = file.metadata().map_err(io_error("look at the key", path))?;
    match closed_to_others(path, &metadata) {
        // Secrets are often mounted readable to a group; that is told, and taken.
        Err(error @ PrivacyKeyError::OpenToOthers { mode, .. }) if mode & 0o022 == 0 => {
            tracing::warn!("{error}");
        }
        judged => judged?,
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(LONGEST_FILE as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(io_error("read the key", path))?;
    if bytes.len() > LONGEST_FILE {
        return Err(PrivacyKeyError::TooLong {
            path: path.to_owned(),
        });
    }
    parse(path, bytes).map(KeyRing)
}

fn parse(path: &Path, bytes: Zeroizing<Vec<u8>>) -> Result<Vec<PrivacyKey>, PrivacyKeyError> {
    let lines = bytes.split(|octet| *octet == b'\n');
    let lines: Vec<&[u8]> = lines.filter(|line| !line.trim_ascii().is_empty()).collect();
    let key = |line| from_hex(line).filter(|key| key.len() >= SHORTEST);
    if lines.len() > 1 && lines.iter().any(|line| key(line).is_some()) {
        let keys = (1..).zip(lines).map(|(number, line)| {
            key(line).map(PrivacyKey).ok_or(PrivacyKeyError::NoKey {
                path: path.to_owned(),
                line: number,
            })
        });
        return keys.collect();
    }
    let key = from_hex(&bytes).unwrap_or(bytes);
    if key.len() < SHORTEST {
        return Err(PrivacyKeyError::TooShort {
            path: path.to_owned(),
            found: key.len(),
        });
    }
    Ok(vec![PrivacyKey(key)])
}

/// The bytes that hexadecimal digits stand for; `None` if the text is anything else. White space
/// around the digits is skipped, since editors end files with a line break.
fn from_hex(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let digits = text.trim_ascii();
    if digits.is_empty() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let mut bytes = Zeroizing::new(Vec::with_capacity(digits.len() / 2));
    for pair in digits.chunks_exact(2) {
        let [high, low] = pair else { return None };
        let high = char::from(*high).to_digit(16)?;
        let low = char::from(*low).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(bytes)
}

/// Makes a key where there is none: written whole under another name, then linked to its own,
/// which fails if the name is taken.
fn make(path: &Path) -> Result<(), PrivacyKeyError> {
    let folder = folder_of(path);
    make_folder(folder).map_err(io_error("make the folder", folder))?;
    let random = random()?;
    let (key, suffix) = random.split_at(SHORTEST);
    let draft = draft_of(path, suffix);
    let mut line = to_hex(key);
    line.push('\n');
    let written = write_draft(&draft, &line);
    let linked = written.and_then(|()| match std::fs::hard_link(&draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    });
    // The draft goes in any case; a leftover would be one more copy of a secret.
    let removed = std::fs::remove_file(&draft);
    linked
        .and(removed)
        .map_err(io_error("make the key", path))?;
    sync_folder(folder);
    Ok(())
}

/// Random bytes for a key, and behind them for the name of a draft.
fn random() -> Result<Zeroizing<[u8; SHORTEST + 8]>, PrivacyKeyError> {
    let mut random = Zeroizing::new([0_u8; SHORTEST + 8]);
    rand::rngs::SysRng
        .try_fill_bytes(random.as_mut_slice())
        .map_err(|error| PrivacyKeyError::NoRandomness {
            reason: error.to_string(),
        })?;
    Ok(random)
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Beside the file, so that it can take its place in one step.
fn draft_of(path: &Path, suffix: &[u8]) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!(".{name}.{}", to_hex(suffix).as_str()))
}

fn write_draft(draft: &Path, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives a draft the owner and the rights of the file whose place it takes: the server may run as
/// another user than whoever adds a key.
#[cfg(unix)]
fn keep_rights(draft: &Path, before: &std::fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, chown};
    let now = std::fs::metadata(draft)?;
    if (now.uid(), now.gid()) != (before.uid(), before.gid()) {
        chown(draft, Some(before.uid()), Some(before.gid()))?;
    }
    std::fs::set_permissions(draft, before.permissions())
}

/// Systems without such rights: whoever may read the folder is the system's affair.
#[cfg(not(unix))]
fn keep_rights(_: &Path, _: &std::fs::Metadata) -> io::Result<()> {
    Ok(())
}

fn to_hex(bytes: &[u8]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(bytes.len() * 2 + 1));
    for byte in bytes {
        for half in [byte >> 4, byte & 15] {
            text.extend(char::from_digit(u32::from(half), 16));
        }
    }
    text
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Makes the new name outlive a power cut. Some file systems cannot, and the key is good anyway.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// A file of the superuser that one group may read is closed too: so Kubernetes mounts secrets for
/// a program of another user (`fsGroup`), so systemd hands over credentials, and a program that is
/// not the owner could read it in no other way.
#[cfg(unix)]
fn closed_to_others(path: &Path, metadata: &std::fs::Metadata) -> Result<(), PrivacyKeyError> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let mode = metadata.permissions().mode() & 0o777;
    let open = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if mode & open != 0 {
        return Err(PrivacyKeyError::OpenToOthers {
            path: path.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// Systems without such rights: whoever may read the folder is the system's affair.
#[cfg(not(unix))]
fn closed_to_others(_: &Path, _: &std::fs::Metadata) -> Result<(), PrivacyKeyError> {
    Ok(())
}

fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PrivacyKeyError {
    let path = path.to_owned();
    move |source| PrivacyKeyError::Io {
        action,
        path,
        source,
    }
}
