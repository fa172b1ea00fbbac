//! Puts the levels together: defaults, then the file, then the environment, then flags.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::file;
use super::keys::{Config, KEYS, Key};
use super::problem::{Origin, Problem, ProblemKind, Problems};
use super::secret_file::{self, Held, SECRET_FILES};

/// Name of the file that is read from the working directory where none is named.
pub const FILE_NAME: &str = "icpgate.toml";

/// Keys of which a level may give only one, and of which the one of the higher level holds.
const EXCLUSIVE: [[&str; 2]; 7] = [
    ["store.path", "store.url"],
    ["store.path", "store.url_file"],
    ["store.url", "store.url_file"],
    ["store.read_url", "store.read_url_file"],
    ["redis.urls", "redis.urls_file"],
    ["policy.name", "policy.file"],
    ["auth.jwks_file", "auth.jwks_url"],
];

/// Keys that mean something only where another one is given, or one of several.
const NEEDS: [(&str, &[&str]); 21] = [
    ("store.read_url", &["store.url", "store.url_file"]),
    ("store.read_url_file", &["store.url", "store.url_file"]),
    ("store.connections", &["store.url", "store.url_file"]),
    ("grpc.tls_cert_file", &["grpc.tls_key_file"]),
    ("grpc.tls_key_file", &["grpc.tls_cert_file"]),
    ("grpc.client_ca_file", &["grpc.tls_cert_file"]),
    ("grpc.client_ca_file", &["auth.callers_file"]),
    // Nobody would be recognised, while it looks as if callers were asked who they are.
    (
        "auth.callers_file",
        &["grpc.client_ca_file", "auth.jwks_file", "auth.jwks_url"],
    ),
    ("auth.jwks_file", &["auth.callers_file"]),
    ("auth.jwks_file", &["auth.jwt_issuer"]),
    ("auth.jwks_file", &["auth.jwt_audience"]),
    ("auth.jwks_url", &["auth.callers_file"]),
    ("auth.jwks_url", &["auth.jwt_issuer"]),
    ("auth.jwks_url", &["auth.jwt_audience"]),
    ("auth.jwt_issuer", &["auth.jwks_file", "auth.jwks_url"]),
    ("auth.jwt_audience", &["auth.jwks_file", "auth.jwks_url"]),
    ("auth.jwks_ca_file", &["auth.jwks_url"]),
    ("client.cert_file", &["client.key_file"]),
    ("client.key_file", &["client.cert_file"]),
    ("otlp.ca_file", &["otlp.endpoint"]),
    ("otlp.headers_file", &["otlp.endpoint"]),
];

/// Where configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The file that was named; `None`: [`FILE_NAME`] in `directory`, if it is there.
    pub file: Option<PathBuf>,
    /// The working directory.
    pub directory: PathBuf,
    /// Environment variables.
    pub variables: Vec<(OsString, OsString)>,
    /// Flags.
    pub flags: Vec<Flag>,
}

/// A value given on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flag {
    /// The flag as typed, such as `--log-level`.
    pub name: String,
    /// The key that it sets, such as `log.level`.
    pub key: String,
    /// The value.
    pub value: String,
}

/// A configuration and where each value came from.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// The file that was read; `None`: none.
    pub file: Option<PathBuf>,
    /// Each key's value, in the order of [`KEYS`].
    pub effective: Vec<Effective>,
}

/// The value that holds for a key.
#[derive(Clone, Debug)]
pub struct Effective {
    /// The key.
    pub key: &'static Key,
    /// The value as text; empty: not set.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
}

impl Effective {
    /// The value for people: a secret is hidden.
    #[must_use]
    pub fn shown(&self) -> &str {
        if self.key.secret && !self.value.is_empty() {
            "(hidden)"
        } else {
            &self.value
        }
    }
}

impl Inputs {
    /// Takes the variables and the working directory of this process.
    #[must_use]
    pub fn from_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        Self {
            file,
            // Only the name of the default file hangs on it, and a relative one will do.
            directory: PathBuf::new(),
            variables: std::env::vars_os().collect(),
            flags,
        }
    }
}

/// Loads the configuration.
///
/// # Errors
///
/// Everything that is wrong with it, at once.
pub fn load(inputs: &Inputs) -> Result<Loaded, Problems> {
    let mut levels = Levels::default();
    let file = read_file(inputs, &mut levels);
    read_variables(&inputs.variables, &mut levels);
    levels.next();
    for flag in &inputs.flags {
        levels.give(
            &flag.key,
            Some(&flag.value),
            Origin::Flag(flag.name.clone()),
        );
    }
    levels.settle();
    levels.read_secrets();
    let effective: Vec<Effective> = KEYS
        .iter()
        .map(|key| {
            let (value, origin) = match levels.values.remove(key.name) {
                Some(given) => (given.text, given.origin),
                None => (key.default.to_owned(), Origin::Default),
            };
            let value = (key.canonical)(&value).unwrap_or(value);
            Effective { key, value, origin }
        })
        .collect();
    if !levels.problems.is_empty() {
        return Err(Problems(levels.problems));
    }
    let text = |name: &str| {
        effective
            .iter()
            .find(|value| value.key.name == name)
            .map_or("", |value| &value.value)
    };
    match Config::from_texts(text) {
        Some(config) => Ok(Loaded {
            config,
            file,
            effective,
        }),
        // INVARIANT: every text was accepted by its key above, so that this is not reached.
        None => Err(Problems(effective.iter().filter_map(refused).collect())),
    }
}

/// A value that was given, of the highest level so far.
struct Given {
    text: String,
    origin: Origin,
    level: u8,
}

#[derive(Default)]
struct Levels {
    level: u8,
    values: BTreeMap<&'static str, Given>,
    problems: Vec<Problem>,
}

impl Levels {
    fn next(&mut self) {
        self.level += 1;
    }

    /// Takes a value; a later one of the same level replaces an earlier one. `None`: the value is
    /// not Unicode.
    fn give(&mut self, name: &str, text: Option<&str>, origin: Origin) {
        let Some(key) = KEYS.iter().find(|key| key.name == name) else {
            // The value is left out: it may be a secret under a misspelt name.
            let kind = ProblemKind::UnknownKey {
                nearest: nearest(name),
            };
            self.problems.push(Problem {
                key: Some(name.to_owned()),
                origin,
                value: None,
                kind,
            });
            return;
        };
        let trimmed = text.map(str::trim);
        match trimmed.filter(|text| (key.accepts)(text)) {
            Some(text) => {
                let given = Given {
                    text: text.to_owned(),
                    origin,
                    level: self.level,
                };
                self.values.insert(key.name, given);
            }
            None => self.problems.push(Problem {
                key: Some(key.name.to_owned()),
                origin,
                value: trimmed.filter(|_| !key.secret).map(str::to_owned),
                kind: ProblemKind::Invalid {
                    expected: key.expected,
                },
            }),
        }
    }

    /// Of keys that exclude each other leaves the one of the higher level, and with a key that goes
    /// those that need it, of the same level or a lower one.
    fn settle(&mut self) {
        for [first, second] in EXCLUSIVE {
            let (Some(one), Some(other)) = (self.values.get(first), self.values.get(second)) else {
                continue;
            };
            // An empty value is one that is taken back, and excludes nothing.
            if one.text.is_empty() || other.text.is_empty() {
                continue;
            }
            if one.level == other.level {
                let kind = ProblemKind::Clash { other: first };
                self.problems.push(Problem {
                    key: Some(second.to_owned()),
                    origin: other.origin.clone(),
                    value: None,
                    kind,
                });
            } else {
                let (lower, level) = if one.level < other.level {
                    (first, one.level)
                } else {
                    (second, other.level)
                };
                self.values.remove(lower);
                for (key, needed) in NEEDS.iter().filter(|(_, needed)| needed.contains(&lower)) {
                    let is_met = needed.iter().any(|other| self.says(other));
                    let is_lower = |given: &Given| given.level <= level;
                    if !is_met && self.values.get(key).is_some_and(is_lower) {
                        self.values.remove(key);
                    }
                }
            }
        }
        for (key, others) in NEEDS {
            // An empty value is one that is taken back, and the default says nothing new.
            let says_more = |given: &&Given| {
                let default = KEYS.iter().find(|known| known.name == key);
                default.is_none_or(|known| given.text != known.default)
            };
            let is_there = others.iter().any(|other| self.says(other));
            if let (Some(given), false) = (self.values.get(key).filter(says_more), is_there) {
                self.problems.push(Problem {
                    key: Some(key.to_owned()),
                    origin: given.origin.clone(),
                    value: None,
                    kind: ProblemKind::Needs { others },
                });
            }
        }
    }
}

impl Levels {
    /// Whether the key has a value that was given, and not taken back.
    fn says(&self, key: &str) -> bool {
        let given = self.values.get(key);
        given.is_some_and(|given| !given.text.is_empty())
    }

    /// Takes the values that stand in files of their own; after [`Self::settle`], which leaves a
    /// value or its file.
    fn read_secrets(&mut self) {
        for (key, file_key) in SECRET_FILES {
            let Some(named) = self.values.get(file_key) else {
                continue;
            };
            if named.text.is_empty() {
                continue;
            }
            let path = PathBuf::from(&named.text);
            let origin = named.origin.clone();
            let kind = match secret_file::read(&path) {
                Ok(Held::Text(text)) => {
                    let from = Origin::SecretFile {
                        path,
                        named: Box::new(origin),
                    };
                    self.give(key, Some(&text), from);
                    continue;
                }
                Ok(Held::NoText) => ProblemKind::NoText,
                Ok(Held::Nothing) => ProblemKind::FileEmpty,
                Err(error) => ProblemKind::FileUnreadable {
                    reason: error.to_string(),
                },
            };
            self.problems.push(Problem {
                key: Some(file_key.to_owned()),
                value: Some(named.text.clone()),
                origin,
                kind,
            });
        }
    }
}

fn read_file(inputs: &Inputs, levels: &mut Levels) -> Option<PathBuf> {
    let path = inputs
        .file
        .clone()
        .unwrap_or_else(|| inputs.directory.join(FILE_NAME));
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            if inputs.file.is_some() {
                levels
                    .problems
                    .push(whole_file(&path, ProblemKind::FileMissing));
            }
            return None;
        }
        Err(error) => {
            let kind = ProblemKind::FileUnreadable {
                reason: error.to_string(),
            };
            levels.problems.push(whole_file(&path, kind));
            return None;
        }
    };
    let (entries, errors) = file::read(&text);
    levels.next();
    for (line, reason) in errors {
        let origin = Origin::File {
            path: path.clone(),
            line: Some(line),
        };
        let kind = ProblemKind::Syntax { reason };
        levels.problems.push(Problem {
            key: None,
            origin,
            value: None,
            kind,
        });
    }
    for entry in entries {
        let origin = Origin::File {
            path: path.clone(),
            line: Some(entry.line),
        };
        let key = KEYS.iter().find(|key| key.name == entry.key);
        match (entry.value, key) {
            (file::Value::Text(text), _) => levels.give(&entry.key, Some(&text), origin),
            (file::Value::List(parts), Some(key)) if key.list => {
                let text = if parts.is_empty() {
                    "none".to_owned()
                } else {
                    parts.join(",")
                };
                levels.give(key.name, Some(&text), origin);
            }
            (file::Value::List(_), Some(key)) => wrong_type(key, "a list", origin, levels),
            (file::Value::Other(found), Some(key)) => wrong_type(key, found, origin, levels),
            // The key is unknown, which is what is reported.
            (file::Value::List(_) | file::Value::Other(_), None) => {
                levels.give(&entry.key, None, origin);
            }
        }
    }
    Some(path)
}

fn whole_file(path: &Path, kind: ProblemKind) -> Problem {
    let origin = Origin::File {
        path: path.to_owned(),
        line: None,
    };
    Problem {
        key: None,
        origin,
        value: None,
        kind,
    }
}

fn wrong_type(key: &'static Key, found: &'static str, origin: Origin, levels: &mut Levels) {
    let kind = ProblemKind::WrongType {
        found,
        expected: key.expected,
    };
    levels.problems.push(Problem {
        key: Some(key.name.to_owned()),
        origin,
        value: None,
        kind,
    });
}

/// Variables with two underscores are ours. Of the others with our prefix only those are reported
/// that would be a key if they had two: Kubernetes gives every container variables such as
/// `ICPGATE_SERVICE_HOST` for a service of our name.
fn read_variables(variables: &[(OsString, OsString)], levels: &mut Levels) {
    levels.next();
    let mut ours: Vec<(&str, Option<&str>)> = variables
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?, value.to_str())))
        .filter(|(name, _)| name.starts_with("ICPGATE_"))
        .collect();
    ours.sort_unstable();
    for (variable, value) in ours {
        let name = variable.trim_start_matches("ICPGATE_");
        let origin = Origin::Variable(variable.to_owned());
        if name.contains("__") {
            levels.give(&name.to_ascii_lowercase().replace("__", "."), value, origin);
            continue;
        }
        let meant = KEYS
            .iter()
            .find(|key| key.variable().replace("__", "_") == variable);
        if let Some(key) = meant {
            levels.problems.push(Problem {
                key: Some(key.name.to_owned()),
                origin,
                value: None,
                kind: ProblemKind::SingleUnderscore {
                    expected: key.variable(),
                },
            });
        }
    }
}

/// The known key that a name was probably meant to be.
fn nearest(name: &str) -> Option<&'static str> {
    let bare = name.rsplit_once('.').map_or(name, |(_, bare)| bare);
    KEYS.iter()
        .map(|key| {
            let whole = strsim::damerau_levenshtein(name, key.name);
            // A right key in a wrong section.
            let moved = key
                .name
                .rsplit_once('.')
                .is_some_and(|(_, known)| known == bare);
            (if moved { whole.min(2) } else { whole }, key.name)
        })
        .min()
        .filter(|(distance, known)| *distance <= (known.len() / 3).max(2))
        .map(|(_, known)| known)
}

fn refused(value: &Effective) -> Option<Problem> {
    (!(value.key.accepts)(&value.value)).then(|| Problem {
        key: Some(value.key.name.to_owned()),
        origin: value.origin.clone(),
        value: None,
        kind: ProblemKind::Invalid {
            expected: value.key.expected,
        },
    })
}
