//! The rooms of the design and the arrows between them, read from the sources.
//!
//! A message says which file breaks which rule and why the rule is there.

#![expect(
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "all of it is test; what is cut is cut where ASCII was found"
)]

use std::path::{Path, PathBuf};

/// Longest source file, in lines that are neither blank nor comment, tests not counted.
const LONGEST_FILE: usize = 500;

/// Files that may be longer, each with the reason.
const LONG_FILES: [(&str, &str); 1] = [(
    "crates/policy/src/policy/read.rs",
    "reads the tables of one document in the order of the document",
)];

/// What the core may depend on: no file, socket, process, clock or generator among them.
const CORE_DEPENDENCIES: [&str; 17] = [
    "arrayvec",
    "blake3",
    "encoding_rs",
    "hanconv",
    "hmac",
    "html-escape",
    "idna",
    "jiff",
    "psl",
    "serde",
    "sha2",
    "strsim",
    "thiserror",
    "toml",
    "unicode-normalization",
    "unicode-width",
    "zeroize",
];

/// Names that must not be spoken in a room.
struct Ban {
    /// Folder or file.
    room: &'static str,
    /// Parts of it that may.
    but: &'static [&'static str],
    names: &'static [&'static str],
    why: &'static str,
}

const BANS: &[Ban] = &[
    Ban {
        room: "crates/policy/src",
        but: &[],
        names: &[
            "std::fs",
            "std::env",
            "std::process",
            "std::thread",
            "std::os",
            "std::time",
            "io::Read",
            "io::Write",
            "stdin",
            "stdout",
            "stderr",
            "TcpStream",
            "TcpListener",
            "UdpSocket",
            "ToSocketAddrs",
            "Timestamp::now",
            "Zoned::now",
            "tokio",
            "tracing",
            "rand",
        ],
        why: "a decision depends on its parameters alone, or it cannot be replayed",
    },
    Ban {
        room: "src/gate",
        but: &[],
        names: &[
            "tonic",
            "tonic_types",
            "axum",
            "hyper",
            "sqlx",
            "redis",
            "crate::auth",
            "crate::grpc",
            "crate::http",
            "crate::cli",
            "crate::bootstrap",
        ],
        why: "use cases outlive transports and engines",
    },
    Ban {
        room: "src/grpc",
        but: &[],
        names: &[
            "sqlx",
            "redis",
            "store::sqlite",
            "store::postgres",
            "SqliteStore",
            "PostgresStore",
            "crate::cache",
            "crate::http",
            "crate::cli",
            "crate::bootstrap",
        ],
        why: "the edge converts and calls the gate; it reaches past it to no engine and no cache",
    },
    Ban {
        room: "src/auth",
        but: &[],
        names: &[
            "tonic",
            "tonic_types",
            "axum",
            "sqlx",
            "redis",
            "crate::proto",
            "crate::intake",
            "crate::gate",
            "crate::grpc",
            "crate::store",
            "crate::cache",
            "crate::config",
        ],
        why: "who calls and what they may hangs on no transport and on no record; what a refusal \
              looks like is the transport's business",
    },
    Ban {
        room: "src/http",
        but: &[],
        names: &[
            "sqlx",
            "redis",
            "SqliteStore",
            "PostgresStore",
            "crate::cache",
            "crate::grpc",
            "crate::store",
            "crate::cli",
            "crate::bootstrap",
        ],
        why: "adapters do not know each other; the gate composes them",
    },
    Ban {
        room: "src/store",
        but: &[],
        names: &[
            "tonic",
            "prost",
            "axum",
            "redis",
            "crate::proto",
            "crate::intake",
            "crate::auth",
            "crate::gate",
            "crate::grpc",
            "crate::cache",
            "crate::config",
        ],
        why: "the store keeps records of the core; what travels on a wire is not its business",
    },
    Ban {
        room: "src/cache",
        but: &[],
        names: &[
            "tonic",
            "prost",
            "axum",
            "sqlx",
            "crate::proto",
            "crate::intake",
            "crate::gate",
            "crate::grpc",
            "crate::store",
            "crate::config",
        ],
        why: "a cache keeps facts of the core; where they come from, and what they are used for, is \
              the gate's business",
    },
    Ban {
        room: "src/telemetry",
        but: &[],
        names: &[
            "axum",
            "sqlx",
            "redis",
            "crate::cache",
            "crate::cli",
            "crate::gate",
            "crate::grpc",
            "crate::http",
            "crate::intake",
            "crate::proto",
            "crate::store",
            "crate::bootstrap",
        ],
        why: "what is told about calls has fields of its own: what knows nothing of a question \
              cannot tell it",
    },
    Ban {
        room: "src/telemetry",
        // The table of methods is the closed set of a label.
        but: &["src/telemetry/metrics/label.rs"],
        names: &["crate::auth"],
        why: "a caller is told of by its name, which is handed in",
    },
    Ban {
        room: "src/workers",
        but: &[],
        names: &[
            "tonic",
            "axum",
            "sqlx",
            "redis",
            "crate::grpc",
            "crate::store",
            "crate::cache",
        ],
        why: "a worker says when; the gate knows what and how",
    },
    Ban {
        room: "src/intake",
        but: &[],
        names: &[
            "tonic",
            "axum",
            "sqlx",
            "redis",
            "crate::gate",
            "crate::grpc",
            "crate::cli",
        ],
        why: "files and streams enter alike; neither statuses nor SQL are known there",
    },
    Ban {
        room: "src",
        but: &["src/store", "src/bootstrap.rs"],
        names: &["SqliteStore", "PostgresStore"],
        why: "only bootstrap knows concrete types, so that an engine can be exchanged",
    },
    Ban {
        room: "src",
        but: &["src/lifecycle.rs", "src/lifecycle"],
        names: &[
            "tokio::spawn",
            "task::spawn",
            "task::spawn_local",
            "Handle::spawn",
            "JoinSet",
        ],
        why: "a task that nobody tracks is not awaited at the end",
    },
    Ban {
        room: "src",
        but: &["src/clock.rs"],
        names: &["Timestamp::now", "SystemTime::now", "Zoned::now"],
        why: "the time is a parameter, taken from Clock",
    },
    Ban {
        room: "src",
        but: &["src/config", "src/main.rs"],
        names: &["std::env", "env::var", "env::vars"],
        why: "configuration is read in one place, or `config print` does not tell the truth",
    },
];

/// Where Chinese may stand, each with the reason. Everything else that callers read is worded in
/// `explain`.
const CHINESE: [(&str, &str); 7] = [
    ("crates/policy/src/explain", "the wording"),
    ("crates/policy/src/numbers", "the alphabet of numbers"),
    ("crates/policy/src/script.rs", "variants of characters"),
    (
        "crates/policy/src/identity/name.rs",
        "characters that are one in names",
    ),
    (
        "crates/policy/src/identity/mask.rs",
        "family names of two characters",
    ),
    ("src/generate", "names of invented companies and persons"),
    ("src/cli", "examples of what people type, in the help"),
];

#[test]
fn rooms_speak_only_of_what_they_may_know() {
    let mut broken = Vec::new();
    for (path, text) in sources(&["src", "crates"]) {
        let code = code(&text);
        for ban in BANS {
            let inside = |room: &&str| within(&path, room);
            if !inside(&ban.room) || ban.but.iter().any(inside) {
                continue;
            }
            for name in ban.names {
                for line in spoken(&code, name) {
                    broken.push(format!("{path}:{line} names `{name}`: {}", ban.why));
                }
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// A room that is renamed would take its rules with it unnoticed.
#[test]
fn rooms_with_rules_are_there() {
    for ban in BANS {
        assert!(
            root().join(ban.room).exists(),
            "{} has rules and is not there",
            ban.room
        );
    }
    for (path, _) in CHINESE.iter().chain(&LONG_FILES) {
        assert!(
            root().join(path).exists(),
            "{path} has an exception and is not there"
        );
    }
}

#[test]
fn the_core_depends_on_nothing_that_does_input_or_output() {
    let manifest = read(&root().join("crates/policy/Cargo.toml"));
    let manifest: toml::Table = manifest.parse().unwrap();
    for section in ["build-dependencies", "target"] {
        assert!(
            !manifest.contains_key(section),
            "the core needs no `{section}`"
        );
    }
    for name in manifest["dependencies"].as_table().unwrap().keys() {
        assert!(
            CORE_DEPENDENCIES.contains(&name.as_str()),
            "crates/policy/Cargo.toml depends on `{name}`: the core does no input or output; add \
             it to the list here only if it does none either"
        );
    }
    // Clocks and files hide behind features.
    let workspace: toml::Table = read(&root().join("Cargo.toml")).parse().unwrap();
    let jiff = &workspace["workspace"]["dependencies"]["jiff"];
    assert_eq!(
        jiff["default-features"].as_bool(),
        Some(false),
        "jiff reads no time-zone files"
    );
}

#[test]
fn arrows_between_crates_point_down() {
    let manifest: toml::Table = read(&root().join("crates/policy/Cargo.toml"))
        .parse()
        .unwrap();
    for section in ["dependencies", "dev-dependencies"] {
        let names = manifest.get(section).and_then(toml::Value::as_table);
        let up = names.is_some_and(|names| names.contains_key("icpgate"));
        assert!(!up, "crates/policy must not depend on the service");
    }
}

#[test]
fn files_stay_short() {
    let mut broken = Vec::new();
    for (path, text) in sources(&["src", "crates"]) {
        if path.contains("/tests/") {
            continue;
        }
        let code = code(without_tests(&text));
        let lines = code.lines().filter(|line| !line.trim().is_empty()).count();
        let exception = LONG_FILES.iter().any(|(long, _)| *long == path);
        if lines > LONGEST_FILE && !exception {
            broken.push(format!(
                "{path} has {lines} lines of code, more than {LONGEST_FILE}: split it by \
                 responsibility, or it will be read by nobody"
            ));
        }
        if lines <= LONGEST_FILE && exception {
            broken.push(format!(
                "{path} is short enough now: take its exception out"
            ));
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn wording_for_callers_stands_in_explain() {
    let mut broken = Vec::new();
    for (path, text) in sources(&["src", "crates/policy/src"]) {
        if CHINESE.iter().any(|(room, _)| within(&path, room)) {
            continue;
        }
        let text = without_tests(&text);
        for (number, literal) in literals(text) {
            if literal.chars().any(is_chinese) {
                broken.push(format!(
                    "{path}:{number} words something in Chinese: {literal:?}; wording stands in \
                     crates/policy/src/explain, where both languages are kept side by side"
                ));
            }
        }
    }
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

#[test]
fn the_rules_see_what_breaks_them() {
    let text = "use tonic::Code; // sqlx\nlet a = \"redis\"; /* axum */\nlet b = 'x'; fn f<'a>() {}\n\
                let c = r#\"a \" hyper\"#; let tonic_like = crate::store::sqlite::X;\n\
                #[cfg(test)]\nmod tests { use axum; }\n";
    let code = code(text);
    assert_eq!(spoken(&code, "tonic"), [1]);
    assert_eq!(spoken(&code, "store::sqlite"), [4]);
    for hidden in ["sqlx", "redis", "hyper"] {
        assert!(spoken(&code, hidden).is_empty(), "{hidden}");
    }
    assert_eq!(spoken(&code, "axum"), [6]);
    assert!(!without_tests(text).contains("axum;"));
    let found: Vec<_> = literals(text)
        .into_iter()
        .map(|(line, text)| (line, text.to_owned()))
        .collect();
    assert!(found.contains(&(2, "redis".to_owned())), "{found:?}");
    assert!(is_chinese('备') && !is_chinese('é'));
    assert!(within("src/gate/log.rs", "src/gate") && !within("src/gateway.rs", "src/gate"));
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("read {}: {error}", path.display()))
}

/// Every Rust file below some folders, by its path from the root.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut found);
    }
    assert!(found.len() > 20, "the sources are not where they were");
    found.sort();
    found
}

fn walk(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let shown = path.strip_prefix(root()).unwrap().display().to_string();
            found.push((shown.replace('\\', "/"), read(&path)));
        }
    }
}

fn within(path: &str, room: &str) -> bool {
    path.strip_prefix(room)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The text up to its unit tests, which stand last.
fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]\nmod ")
        .map_or(text, |end| &text[..end])
}

/// Lines, from 1, on which a path is spoken.
fn spoken(code: &str, name: &str) -> Vec<usize> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let lines = code.lines().enumerate().filter(|(_, line)| {
        line.match_indices(name).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let after = line[at + name.len()..].chars().next();
            !before.is_some_and(word) && !after.is_some_and(word)
        })
    });
    lines.map(|(at, _)| at + 1).collect()
}

/// An ideograph; marks and full-width forms word nothing.
const fn is_chinese(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}')
}

/// A part of a source.
enum Part<'t> {
    Code(&'t str),
    Comment(&'t str),
    Literal(&'t str),
}

/// The text with comments and the insides of literals left out; lines keep their numbers.
fn code(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    for part in parts(text) {
        match part {
            Part::Code(text) => code.push_str(text),
            Part::Comment(text) | Part::Literal(text) => {
                code.extend(text.chars().filter(|c| *c == '\n'));
            }
        }
    }
    code
}

/// Literals with the lines on which they begin.
fn literals(text: &str) -> Vec<(usize, &str)> {
    let mut line = 1;
    let mut found = Vec::new();
    for part in parts(text) {
        let text = match part {
            Part::Literal(text) => {
                found.push((line, text));
                text
            }
            Part::Code(text) | Part::Comment(text) => text,
        };
        line += text.matches('\n').count();
    }
    found
}

/// Splits a source. Enough of the language for sources that compile: nested comments, raw and
/// plain strings, characters and lifetimes.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = text;
    let mut from = 0;
    while let Some(at) = rest[from..].find(['/', '"', '\'']).map(|at| at + from) {
        let tail = &rest[at..];
        let (open, inside, close, literal) = if tail.starts_with("//") {
            (0, tail.find('\n').unwrap_or(tail.len()), 0, false)
        } else if tail.starts_with("/*") {
            (0, end_of_comment(tail), 0, false)
        } else if let Some(after) = tail.strip_prefix('"') {
            let hashes = rest[..at].chars().rev().take_while(|c| *c == '#').count();
            let raw = rest[..at - hashes].ends_with('r');
            let end = if raw {
                after.find(&format!("\"{}", "#".repeat(hashes)))
            } else {
                end_of_string(after)
            };
            (1, end.unwrap_or(after.len()), 1, true)
        } else if tail.starts_with('\'')
            && let Some(end) = end_of_character(tail)
        {
            (1, end - 1, 1, true)
        } else {
            // A division, or a lifetime.
            from = at + 1;
            continue;
        };
        let (begin, end) = (at + open, at + open + inside);
        parts.push(Part::Code(&rest[..begin]));
        parts.push(if literal {
            Part::Literal(&rest[begin..end])
        } else {
            Part::Comment(&rest[begin..end])
        });
        let next = (end + close).min(rest.len());
        parts.push(Part::Code(&rest[end..next]));
        rest = &rest[next..];
        from = 0;
    }
    parts.push(Part::Code(rest));
    parts.retain(|part| !matches!(part, Part::Code("")));
    parts
}

fn end_of_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(found) = text[at..].find(['/', '*']) {
        at += found;
        let step = if text[at..].starts_with("/*") {
            depth += 1;
            2
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            2
        } else {
            1
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn end_of_string(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.char_indices().find_map(|(at, c)| {
        let ends = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        ends.then_some(at)
    })
}

/// Place of the quote that closes a character; `None` for a lifetime.
fn end_of_character(text: &str) -> Option<usize> {
    let mut inside = text[1..].char_indices();
    let (_, first) = inside.next()?;
    if first == '\\' {
        // The second character belongs to the escape, be it a quote.
        inside.next()?;
        return inside.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1);
    }
    let (at, second) = inside.next()?;
    (second == '\'').then_some(at + 1)
}
