//! What can be wrong with a configuration, where it stands, and how to mend it.

use std::fmt;
use std::path::PathBuf;

/// Everything that is wrong with a configuration; never empty.
#[derive(Debug, thiserror::Error)]
pub struct Problems(pub Vec<Problem>);

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key; `None` where the problem is with a file as a whole.
    pub key: Option<String>,
    /// Where it stands.
    pub origin: Origin,
    /// The value; `None` where there is none or it may hold a secret.
    pub value: Option<String>,
    /// What is wrong.
    pub kind: ProblemKind,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The built-in default.
    Default,
    /// A configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// Line, from 1; `None` where the problem is with the whole file.
        line: Option<usize>,
    },
    /// A flag, such as `--log-level`.
    Flag(String),
    /// A file that holds this value alone.
    SecretFile {
        /// The file.
        path: PathBuf,
        /// Where the file was named.
        named: Box<Origin>,
    },
    /// An environment variable.
    Variable(String),
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProblemKind {
    /// Two keys that exclude each other are both given at the same level.
    Clash {
        /// The other key.
        other: &'static str,
    },
    /// The file that is to hold the value is empty.
    FileEmpty,
    /// The file was named and is not there.
    FileMissing,
    /// The file cannot be read.
    FileUnreadable {
        /// What the system says.
        reason: String,
    },
    /// The value does not look as it should.
    Invalid {
        /// What it should look like.
        expected: &'static str,
    },
    /// The key says more about another one, and none of those that it could be is given.
    Needs {
        /// The other keys.
        others: &'static [&'static str],
    },
    /// The file that is to hold the value holds something else.
    NoText,
    /// The variable separates section and key with one underscore.
    SingleUnderscore {
        /// The variable as it should be written.
        expected: String,
    },
    /// The file is not TOML.
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// There is no such key.
    UnknownKey {
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// The value is a table, a date or the like.
    WrongType {
        /// What it is.
        found: &'static str,
        /// What it should look like.
        expected: &'static str,
    },
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => f.write_str("the configuration has a problem")?,
            count => write!(f, "the configuration has {count} problems")?,
        }
        for problem in &self.0 {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

/// Key, source, value, what is wrong, remedy.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.key {
            write!(f, "{key} ")?;
        }
        write!(f, "({})", self.origin)?;
        if let Some(value) = &self.value {
            write!(f, " = `{}`", value.escape_debug())?;
        }
        write!(f, ": {}", self.kind)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File {
                path,
                line: Some(line),
            } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::SecretFile { path, named } => write!(f, "{}, by {named}", path.display()),
            Self::Variable(variable) => write!(f, "variable {variable}"),
        }
    }
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clash { other } => {
                write!(
                    f,
                    "excludes `{other}`, which is given too; remove one of them"
                )
            }
            Self::FileEmpty => {
                f.write_str("the file is empty; write the value into it, or take this key away")
            }
            Self::FileMissing => f.write_str(
                "there is no such file; name another one, or write the defaults there with \
                 `icpgate config default`",
            ),
            Self::FileUnreadable { reason } => {
                write!(
                    f,
                    "the file cannot be read: {reason}; make it readable to this user"
                )
            }
            Self::Invalid { expected } => write!(f, "not a value of this key; give {expected}"),
            Self::Needs { others } => write!(
                f,
                "means nothing without `{}`, which is not given; give it, or remove this one",
                others.join("` or `")
            ),
            Self::NoText => {
                f.write_str("the file holds no text, or more than 64 KiB; name the right file")
            }
            Self::SingleUnderscore { expected } => {
                write!(
                    f,
                    "section and key are separated by two underscores; write `{expected}`"
                )
            }
            Self::Syntax { reason } => write!(f, "not TOML: {reason}"),
            Self::UnknownKey {
                nearest: Some(nearest),
            } => {
                write!(f, "unknown key; did you mean `{nearest}`?")
            }
            Self::UnknownKey { nearest: None } => {
                f.write_str("unknown key; `icpgate config print` lists the keys there are")
            }
            Self::WrongType { found, expected } => {
                write!(f, "is {found}; give {expected}")
            }
        }
    }
}
