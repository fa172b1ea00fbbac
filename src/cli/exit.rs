//! Exit codes. They are part of the contract: scripts decide by them.

/// `check`: provision. Elsewhere: done.
pub const SUCCESS: u8 = 0;
/// `check`: do not provision. `number`, `import`, `doctor`, `policy`: something was refused.
pub const REFUSED: u8 = 1;
/// `check`: a person must judge.
pub const REVIEW: u8 = 2;
/// `check`: the evidence could not be had now.
pub const INDETERMINATE: u8 = 3;
/// The command line or the question is malformed (`EX_USAGE`).
pub const USAGE: u8 = 64;
/// The file does not hold what it should (`EX_DATAERR`).
pub const DATA: u8 = 65;
/// The file is not there (`EX_NOINPUT`).
pub const NO_INPUT: u8 = 66;
/// The server cannot be reached (`EX_UNAVAILABLE`).
pub const UNAVAILABLE: u8 = 69;
/// The server or this program failed (`EX_SOFTWARE`).
pub const SOFTWARE: u8 = 70;
/// A file or the store cannot be read or written (`EX_IOERR`).
pub const IO: u8 = 74;
/// The server does not permit it (`EX_NOPERM`).
pub const NO_PERMISSION: u8 = 77;
/// The configuration has problems (`EX_CONFIG`).
pub const CONFIG: u8 = 78;

/// Why a command did not do what it was asked, and the exit code for it.
#[derive(Debug)]
pub struct Failure {
    /// The exit code.
    pub code: u8,
    /// Why; the chain is shown once, by `main`.
    pub error: anyhow::Error,
}

impl Failure {
    /// A failure with an exit code of its own.
    pub fn new(code: u8, error: impl Into<anyhow::Error>) -> Self {
        Self {
            code,
            error: error.into(),
        }
    }
}

/// Gives an error its exit code.
pub trait OrExit<T> {
    /// Ends the command with `code` on an error.
    ///
    /// # Errors
    ///
    /// The error, with the code.
    fn or_exit(self, code: u8) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: u8) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, error))
    }
}
