//! Configuration: order of the levels, reports, the key, and the generated documents.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use icpgate::config::{
    Flag, Inputs, KEYS, KeyRing, MaxAge, Origin, PrivacyKey, PrivacyKeyError, Problem, ProblemKind,
    add_key, default_file, key_ring, load, privacy_key_permissions, reference,
};

fn inputs(folder: &Path, file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Inputs {
    if !file.is_empty() {
        std::fs::write(folder.join("icpgate.toml"), file).unwrap();
    }
    Inputs {
        file: None,
        directory: folder.to_owned(),
        variables: variables
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)))
            .collect(),
        flags: flags
            .iter()
            .map(|(key, value)| Flag {
                name: format!("--set {key}"),
                key: (*key).to_owned(),
                value: (*value).to_owned(),
            })
            .collect(),
    }
}

fn problems(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<Problem> {
    let folder = tempfile::tempdir().unwrap();
    load(&inputs(folder.path(), file, variables, flags))
        .unwrap_err()
        .0
}

fn icpgate(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_icpgate"));
    command.current_dir(folder).args(args).env_clear();
    command
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn nothing_needs_to_be_configured() {
    let folder = tempfile::tempdir().unwrap();
    let loaded = load(&inputs(folder.path(), "", &[], &[])).unwrap();
    let config = loaded.config;
    assert_eq!(config.grpc.listen.to_string(), "127.0.0.1:50051");
    assert_eq!(config.http.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(
        config.store.path,
        PathBuf::from("./icpgate-data/icpgate.sqlite")
    );
    assert_eq!(
        config.privacy.key_file,
        PathBuf::from("./icpgate-data/privacy.key")
    );
    assert_eq!(config.policy.name.as_str(), "mainland-strict");
    assert_eq!(config.provider.id.as_str(), "self");
    assert_eq!(config.records.complete_for.0.len(), 10);
    assert_eq!(config.records.max_sync_age, MaxAge::Unlimited);
    assert_eq!(loaded.file, None);
    assert!(
        loaded
            .effective
            .iter()
            .all(|value| value.origin == Origin::Default)
    );
}

#[test]
fn later_levels_win() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[log]\nlevel = \"warn\"\nformat = \"json\"\n[provider]\nid = \"file\"\n";
    let variables = [
        ("ICPGATE_PROVIDER__ID", "variable"),
        ("ICPGATE_LOG__LEVEL", "error"),
    ];
    let loaded = load(&inputs(
        folder.path(),
        file,
        &variables,
        &[("log.level", "debug")],
    ))
    .unwrap();
    assert_eq!(loaded.config.log.level.as_str(), "debug");
    assert_eq!(loaded.config.provider.id.as_str(), "variable");
    let origins: Vec<String> = loaded
        .effective
        .iter()
        .filter(|value| value.origin != Origin::Default)
        .map(|value| format!("{} {}", value.key.name, value.origin))
        .collect();
    let file = folder.path().join("icpgate.toml");
    let expected = [
        "provider.id variable ICPGATE_PROVIDER__ID".to_owned(),
        format!("log.format {}:3", file.display()),
        "log.level flag --set log.level".to_owned(),
    ];
    assert_eq!(origins, expected);
}

#[test]
fn kinds_and_spans_read_from_every_source() {
    let folder = tempfile::tempdir().unwrap();
    let file = "[records]\ncomplete_for = [\"subject\", \"service\"]\nmax_sync_age = \"24h\"\n";
    let loaded = load(&inputs(folder.path(), file, &[], &[])).unwrap();
    assert_eq!(loaded.config.records.complete_for.0.len(), 2);
    let day = Duration::from_hours(24);
    assert_eq!(loaded.config.records.max_sync_age, MaxAge::Within(day));
    let variables = [
        (
            "ICPGATE_RECORDS__COMPLETE_FOR",
            "subject, public_security_filing",
        ),
        ("ICPGATE_RECORDS__MAX_SYNC_AGE", "7d"),
    ];
    let loaded = load(&inputs(folder.path(), file, &variables, &[])).unwrap();
    let kinds: Vec<&str> = loaded
        .config
        .records
        .complete_for
        .0
        .iter()
        .map(|kind| kind.as_str())
        .collect();
    assert_eq!(kinds, ["subject", "public_security_filing"]);
    assert_eq!(loaded.config.records.max_sync_age, MaxAge::Within(day * 7));
    let none = load(&inputs(
        folder.path(),
        "[records]\ncomplete_for = []\n",
        &[],
        &[],
    ))
    .unwrap();
    assert!(none.config.records.complete_for.0.is_empty());
}

#[test]
fn every_problem_is_reported_at_once_with_its_place() {
    let file = "[grpc]\nlisten = \"localhost\"\n[stoer]\npath = \"x\"\n[log]\nlevel = 2026-01-01\n";
    let variables = [
        ("ICPGATE_RECORDS__MAX_SYNC_AGE", "15"),
        ("ICPGATE_PROVIDER__IDD", "s3cret"),
        ("ICPGATE_STORE_PATH", "/x"),
        // Kubernetes sets these for a service named icpgate.
        ("ICPGATE_SERVICE_HOST", "10.0.0.1"),
        ("ICPGATE_PORT_50051_TCP", "tcp://10.0.0.1:50051"),
        ("PATH", "/bin"),
    ];
    let found = problems(
        file,
        &variables,
        &[("records.complete_for", "subjects"), ("x", "1")],
    );
    let told: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(told.len(), 8, "{told:#?}");
    let contains = |parts: &[&str]| {
        let found = told
            .iter()
            .any(|line| parts.iter().all(|part| line.contains(part)));
        assert!(found, "{parts:?} not in {told:#?}");
    };
    contains(&[
        "grpc.listen (",
        "icpgate.toml:2) = `localhost`",
        "127.0.0.1:50051",
    ]);
    contains(&[
        "stoer.path (",
        "icpgate.toml:4)",
        "did you mean `store.path`?",
    ]);
    contains(&["log.level (", "icpgate.toml:6)", "a date or time"]);
    contains(&[
        "records.max_sync_age (variable ICPGATE_RECORDS__MAX_SYNC_AGE) = `15`",
        "`24h`",
    ]);
    contains(&[
        "provider.idd (variable ICPGATE_PROVIDER__IDD)",
        "did you mean `provider.id`?",
    ]);
    contains(&[
        "store.path (variable ICPGATE_STORE_PATH)",
        "write `ICPGATE_STORE__PATH`",
    ]);
    contains(&[
        "records.complete_for (flag --set records.complete_for) = `subjects`",
        "`subject`",
    ]);
    contains(&["x (flag --set x)", "unknown key"]);
    assert!(
        !told.concat().contains("s3cret"),
        "the value of an unknown key may be a secret"
    );
}

#[test]
fn keys_that_exclude_each_other_clash_at_one_level_only() {
    let both = "[policy]\nname = \"mainland-strict\"\nfile = \"p.toml\"\n";
    let found = problems(both, &[], &[]);
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0].kind,
        ProblemKind::Clash {
            other: "policy.name"
        }
    );
    assert_eq!(found[0].key.as_deref(), Some("policy.file"));

    let folder = tempfile::tempdir().unwrap();
    let file = "[policy]\nfile = \"p.toml\"\n";
    let named = [("ICPGATE_POLICY__NAME", "mainland-business-model")];
    let loaded = load(&inputs(folder.path(), file, &named, &[])).unwrap();
    assert_eq!(
        loaded.config.policy.name.as_str(),
        "mainland-business-model"
    );
    assert_eq!(loaded.config.policy.file, None);
}

#[test]
fn a_server_url_is_taken_and_its_password_hidden() {
    let url = "postgres://icp:hunter2@db/icp";
    for url in [url, "postgresql://icp:hunter2@db/icp"] {
        let folder = tempfile::tempdir().unwrap();
        let given = [("ICPGATE_STORE__URL", url)];
        let loaded = load(&inputs(folder.path(), "", &given, &[])).unwrap();
        let taken = loaded.config.store.url.as_ref().unwrap();
        assert_eq!(taken.as_str(), url);
        assert!(!format!("{:?}", loaded.config).contains("hunter2"));
    }
    let both = [("ICPGATE_STORE__URL", url), ("ICPGATE_STORE__PATH", "x")];
    let found = problems("", &both, &[]);
    assert_eq!(
        found[0].kind,
        ProblemKind::Clash {
            other: "store.path"
        }
    );
    assert!(!found[0].to_string().contains("hunter2"));
    let malformed = problems("", &[("ICPGATE_STORE__URL", "mysql://icp:hunter2@db")], &[]);
    assert!(!malformed[0].to_string().contains("hunter2"));
    // A file given at a higher level takes the place of the server.
    let folder = tempfile::tempdir().unwrap();
    let file = format!("[store]\nurl = \"{url}\"\n");
    load(&inputs(
        folder.path(),
        &file,
        &[],
        &[("store.path", "x.sqlite")],
    ))
    .unwrap();
}

#[test]
fn what_belongs_to_a_server_url_is_an_error_without_one() {
    let url = "postgres://icp:hunter2@db/icp";
    for (key, value) in [
        ("ICPGATE_STORE__READ_URL", url),
        ("ICPGATE_STORE__CONNECTIONS", "8"),
    ] {
        let found = problems("", &[(key, value)], &[]);
        assert_eq!(found.len(), 1, "{key}");
        assert_eq!(
            found[0].kind,
            ProblemKind::Needs {
                others: &["store.url", "store.url_file"]
            }
        );
        let told = found[0].to_string();
        assert!(
            told.contains("without `store.url` or `store.url_file`"),
            "{told}"
        );
        assert!(told.contains("give it, or remove this one"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");

        let folder = tempfile::tempdir().unwrap();
        let together = [("ICPGATE_STORE__URL", url), (key, value)];
        load(&inputs(folder.path(), "", &together, &[])).unwrap();
    }
    // What goes with a server goes where a file of a higher level takes its place.
    let folder = tempfile::tempdir().unwrap();
    let file = format!("[store]\nurl = \"{url}\"\nread_url = \"{url}\"\nconnections = 8\n");
    let path = [("store.path", "x.sqlite")];
    let loaded = load(&inputs(folder.path(), &file, &[], &path)).unwrap();
    assert_eq!(loaded.config.store.read_url, None);
    assert_eq!(loaded.config.store.connections, 16);
    // An empty value takes one back.
    let empty = [("ICPGATE_STORE__READ_URL", "")];
    load(&inputs(folder.path(), "", &empty, &[])).unwrap();
}

#[test]
fn values_with_passwords_are_taken_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let url = "postgres://icp:hunter2@db/icp";
    let store = write("store-url", format!("{url}\n").as_bytes());
    let read = write("read-url", url.as_bytes());
    let redis = write(
        "redis",
        b"redis://:hunter3@a:6379,redis://:hunter3@b:6379\n",
    );
    let given = [
        ("ICPGATE_STORE__URL_FILE", store.as_str()),
        ("ICPGATE_STORE__READ_URL_FILE", &read),
        ("ICPGATE_REDIS__URLS_FILE", &redis),
    ];
    let loaded = load(&inputs(folder.path(), "", &given, &[])).unwrap();
    let config = &loaded.config;
    assert_eq!(config.store.url.as_ref().unwrap().as_str(), url);
    assert_eq!(config.store.read_url.as_ref().unwrap().as_str(), url);
    assert_eq!(config.redis.urls.as_slice().len(), 2);
    assert!(!format!("{config:?}").contains("hunter"));
    let taken = loaded
        .effective
        .iter()
        .find(|value| value.key.name == "store.url")
        .unwrap();
    assert_eq!(taken.shown(), "(hidden)");
    let origin = format!("{store}, by variable ICPGATE_STORE__URL_FILE");
    assert_eq!(taken.origin.to_string(), origin);

    let output = icpgate(folder.path(), &["config", "print", "--output", "json"])
        .envs(given)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let told = stdout(&output);
    assert!(!told.contains("hunter"), "{told}");
    assert!(told.contains("secret file"), "{told}");
}

#[test]
fn a_file_with_no_value_in_it_is_a_problem_and_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let missing = folder.path().join("none");
    for (path, kind) in [
        (write("empty", b" \n"), "empty"),
        (write("octets", b"postgres://hunter2\xff"), "no text"),
        (write("long", "a".repeat(65_537).as_bytes()), "64 KiB"),
        (write("other", b"mysql://icp:hunter2@db"), "postgres://"),
        (missing.to_str().unwrap().to_owned(), "cannot be read"),
    ] {
        let found = problems("", &[("ICPGATE_STORE__URL_FILE", &path)], &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        let told = found[0].to_string();
        assert!(told.contains(kind) && told.contains(&path), "{told}");
        assert!(told.contains("ICPGATE_STORE__URL_FILE"), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[test]
fn a_value_and_its_file_exclude_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, "postgres://file@db/icp").unwrap();
    let path = path.to_str().unwrap();
    let url = ("ICPGATE_STORE__URL", "postgres://variable@db/icp");
    let found = problems("", &[url, ("ICPGATE_STORE__URL_FILE", path)], &[]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].kind, ProblemKind::Clash { other: "store.url" });
    let both = [
        ("ICPGATE_STORE__PATH", "x"),
        ("ICPGATE_STORE__URL_FILE", path),
    ];
    let found = problems("", &both, &[]);
    assert_eq!(
        found[0].kind,
        ProblemKind::Clash {
            other: "store.path"
        }
    );

    // The higher level wins, and what belongs to a server stays with either.
    let of = |file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]| {
        let loaded = load(&inputs(folder.path(), file, variables, flags)).unwrap();
        let url = loaded.config.store.url;
        (
            url.map(|url| url.as_str().to_owned()),
            loaded.config.store.connections,
        )
    };
    let file = format!("[store]\nurl_file = \"{path}\"\nconnections = 8\n");
    let in_file = Some("postgres://file@db/icp".to_owned());
    let in_variable = Some("postgres://variable@db/icp".to_owned());
    assert_eq!(of(&file, &[], &[]), (in_file.clone(), 8));
    assert_eq!(of(&file, &[url], &[]), (in_variable, 8));
    assert_eq!(of(&file, &[], &[("store.path", "x")]), (None, 16));
    // Taking a value back that is not there leaves the file.
    assert_eq!(of(&file, &[("ICPGATE_STORE__URL", "")], &[]), (in_file, 8));
}

#[test]
fn a_named_file_must_be_there_and_be_toml() {
    let folder = tempfile::tempdir().unwrap();
    let mut missing = inputs(folder.path(), "", &[], &[]);
    missing.file = Some(folder.path().join("none.toml"));
    let found = load(&missing).unwrap_err().0;
    assert_eq!(found[0].kind, ProblemKind::FileMissing);
    assert!(found[0].to_string().contains("none.toml"));

    let found = problems("[grpc]\nlisten = \n", &[], &[]);
    assert!(
        matches!(found[0].kind, ProblemKind::Syntax { .. }),
        "{found:?}"
    );
    assert!(
        found[0].to_string().contains("icpgate.toml:2"),
        "{}",
        found[0]
    );

    missing.file = Some(folder.path().to_owned());
    let found = load(&missing).unwrap_err().0;
    assert!(
        matches!(found[0].kind, ProblemKind::FileUnreadable { .. }),
        "{found:?}"
    );
}

#[test]
fn a_variable_that_is_not_unicode_is_a_problem() {
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStringExt as _;
        let folder = tempfile::tempdir().unwrap();
        let mut inputs = inputs(folder.path(), "", &[], &[]);
        let value = OsString::from_vec(vec![0xff, 0xfe]);
        inputs
            .variables
            .push(("ICPGATE_PROVIDER__ID".into(), value));
        let found = load(&inputs).unwrap_err().0;
        assert_eq!(found[0].key.as_deref(), Some("provider.id"));
    }
}

#[test]
fn the_binary_reports_problems_with_exit_78_and_prints_values_with_their_origin() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("icpgate.toml"),
        "[http]\nlisten = \"127.0.0.1:1\"\n",
    )
    .unwrap();
    let output = icpgate(folder.path(), &["config", "print"])
        .env("ICPGATE_PROVIDER__ID", "cdn-7")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let text = stdout(&output);
    assert!(!text.contains('\u{1b}'), "no colour in a pipe");
    let line = |key: &str| {
        text.lines()
            .find(|line| line.trim_start().starts_with(key))
            .unwrap()
    };
    assert!(line("http.listen").contains("127.0.0.1:1"));
    assert!(line("http.listen").contains("icpgate.toml:2"));
    assert!(line("provider.id").contains("variable ICPGATE_PROVIDER__ID"));
    assert!(line("grpc.listen").contains("default"));

    let args = ["config", "print", "--output", "json", "--log-level", "warn"];
    let output = icpgate(folder.path(), &args).output().unwrap();
    let lines: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let lines = lines.as_array().unwrap();
    assert_eq!(lines.len(), KEYS.len());
    let level = lines
        .iter()
        .find(|line| line["key"] == "log.level")
        .unwrap();
    assert_eq!(level["value"], "warn");
    assert_eq!(level["origin"], "flag");
    assert_eq!(level["place"], "--log-level");

    let args = [
        "config",
        "print",
        "--log-level",
        "loud",
        "--set",
        "grpc.port=1",
    ];
    let output = icpgate(folder.path(), &args).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    let told = stderr(&output);
    assert!(
        told.starts_with("error: the configuration has 2 problems\n"),
        "{told}"
    );
    assert!(
        told.contains("--log-level") && told.contains("grpc.port"),
        "{told}"
    );
    assert!(stdout(&output).is_empty());
}

#[test]
fn the_default_file_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plain = load(&inputs(folder.path(), "", &[], &[])).unwrap().config;
    let written = load(&inputs(folder.path(), &default_file(), &[], &[])).unwrap();
    assert_eq!(written.config, plain);
    assert!(written.file.is_some());
    // With the marks taken away every line is a value that is taken; the two that are not set
    // stand empty.
    let live: String = default_file()
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => format!("{rest}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    let live = load(&inputs(folder.path(), &live, &[], &[])).unwrap();
    assert_eq!(live.config, plain);
    let from_file = live
        .effective
        .iter()
        .filter(|value| value.origin != Origin::Default)
        .count();
    assert_eq!(from_file, KEYS.len());
}

/// `UPDATE_DOCS=1` writes the documents anew.
#[test]
fn generated_documents_are_up_to_date() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch of this test, not configuration"
    )]
    let update = std::env::var_os("UPDATE_DOCS").is_some();
    let documents = [
        (icpgate::config::DEFAULT_FILE_PATH, default_file()),
        (icpgate::config::REFERENCE_PATH, reference()),
    ];
    for (path, expected) in documents {
        let path = root.join(path);
        if update {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &expected).unwrap();
        }
        let found = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            found == expected,
            "{} is out of date; run `UPDATE_DOCS=1 cargo test --test cli_config`",
            path.display()
        );
    }
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn one_key(path: &Path) -> PrivacyKey {
    let ring = key_ring(path).unwrap();
    assert_eq!(ring.keys().len(), 1);
    ring.keys().first().unwrap().clone()
}

#[test]
fn a_key_is_made_once_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data/deep/privacy.key");
    let key = one_key(&path);
    assert_eq!(key.as_bytes().len(), 32);
    assert_ne!(key.as_bytes(), [0; 32]);
    assert_eq!(one_key(&path).as_bytes(), key.as_bytes());
    assert_eq!(format!("{key:?}"), "PrivacyKey(hidden)");
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim().len(), 64);
    let other = folder.path().join("other/privacy.key");
    assert_ne!(one_key(&other).as_bytes(), key.as_bytes());
    #[cfg(unix)]
    {
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
    }
}

#[test]
fn whoever_starts_at_once_ends_with_one_key() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/privacy.key");
        let start = std::sync::Barrier::new(8);
        let keys: Vec<Vec<u8>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        one_key(&path).as_bytes().to_vec()
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        });
        assert!(keys.iter().all(|key| *key == keys[0]));
        // No draft stays behind: it would be one more copy of the key.
        let left: Vec<_> = std::fs::read_dir(path.parent().unwrap())
            .unwrap()
            .map(|file| file.unwrap())
            .collect();
        assert_eq!(left.len(), 1, "{left:?}");
    }
}

#[cfg(unix)]
#[test]
fn a_key_that_others_can_write_is_refused_with_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("privacy.key");
    key_ring(&path).unwrap();
    for open in [0o620, 0o602, 0o660] {
        set_mode(&path, open);
        let error = key_ring(&path).unwrap_err();
        assert!(
            matches!(error, PrivacyKeyError::OpenToOthers { .. }),
            "{error}"
        );
        assert!(error.to_string().contains("chmod 600"), "{error}");
        assert!(privacy_key_permissions(&path).is_err());
    }
    // Readable by all: taken, and found by those who look.
    set_mode(&path, 0o444);
    key_ring(&path).unwrap();
    assert!(privacy_key_permissions(&path).is_err());
    // As secrets are mounted for a program that is not root: root's, and readable to a group.
    set_mode(&path, 0o440);
    key_ring(&path).unwrap();
    let is_roots = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&path).unwrap()) == 0;
    assert_eq!(privacy_key_permissions(&path).is_ok(), is_roots);
    set_mode(&path, 0o400);
    key_ring(&path).unwrap();
    privacy_key_permissions(&path).unwrap();
}

#[cfg(unix)]
#[test]
fn keys_are_read_raw_and_in_hexadecimal_digits() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("privacy.key");
    let read = |bytes: &[u8]| {
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, bytes).unwrap();
        set_mode(&path, 0o600);
        key_ring(&path)
    };
    let digits = "0123456789abcdefABCDEF0123456789".repeat(2);
    let key = read(format!("{digits}\n").as_bytes()).unwrap().keys()[0].clone();
    assert_eq!(key.as_bytes().len(), 32);
    assert_eq!(key.as_bytes()[..3], [0x01, 0x23, 0x45]);
    let raw: Vec<u8> = (0..40).map(|byte| byte ^ 0x9c).collect();
    assert_eq!(read(&raw).unwrap().keys()[0].as_bytes(), raw);
    for short in [&b""[..], b"\n", b"abcd", &[7; 31], &[b'a'; 62]] {
        let error = read(short).unwrap_err();
        assert!(matches!(error, PrivacyKeyError::TooShort { .. }), "{error}");
    }
    assert!(matches!(
        read(&[7; 5000]).unwrap_err(),
        PrivacyKeyError::TooLong { .. }
    ));
}

#[cfg(unix)]
#[test]
fn a_ring_is_read_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("privacy.key");
    let read = |text: &str| {
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        key_ring(&path)
    };
    let (one, two) = ("1a".repeat(32), "2b".repeat(40));
    for text in [
        format!("{one}\n{two}"),
        format!("\n {one}\r\n\n{two} \r\n\n"),
    ] {
        let ring = read(&text).unwrap();
        let keys: Vec<&[u8]> = ring.keys().iter().map(PrivacyKey::as_bytes).collect();
        assert_eq!(keys, [&[0x1a; 32][..], &[0x2b; 40]]);
    }
    let (short, odd) = ("2b".repeat(31), format!("{}2", "2b".repeat(32)));
    for bad in [short.as_str(), "a word", &odd] {
        let error = read(&format!("{one}\n\n{bad}\n")).unwrap_err();
        assert!(
            matches!(error, PrivacyKeyError::NoKey { line: 2, .. }),
            "{error}"
        );
        assert!(!error.to_string().contains(bad), "{error}");
    }
    // Lines of which none is a key are one raw key, as ever.
    let raw = "a raw key over\ntwo lines, of forty octets.";
    assert_eq!(read(raw).unwrap().keys()[0].as_bytes(), raw.as_bytes());
}

#[cfg(unix)]
#[test]
fn a_key_is_added_behind_the_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("privacy.key");
    assert!(matches!(
        add_key(&path).unwrap_err(),
        PrivacyKeyError::Io { .. }
    ));
    let raw: Vec<u8> = (0..40).map(|byte| byte ^ 0x9c).collect();
    std::fs::write(&path, &raw).unwrap();
    set_mode(&path, 0o640);
    let link = folder.path().join("link.key");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    let ring = add_key(&link).unwrap();
    assert_eq!(ring.keys().len(), 2);
    assert_eq!(ring.keys()[0].as_bytes(), raw, "stays, in another form");
    assert_eq!(mode(&path), 0o640, "keeps its rights");
    assert!(link.is_symlink());
    let longer = add_key(&path).unwrap();
    let keys = |ring: &KeyRing| -> Vec<Vec<u8>> {
        ring.keys()
            .iter()
            .map(|key| key.as_bytes().to_vec())
            .collect()
    };
    assert_eq!(keys(&longer)[..2], keys(&ring)[..]);
    assert_ne!(keys(&longer)[2], keys(&longer)[1]);
    assert_eq!(keys(&key_ring(&path).unwrap()), keys(&longer));
    while key_ring(&path).unwrap().keys().len() < 60 {
        add_key(&path).unwrap();
    }
    let before = std::fs::read(&path).unwrap();
    let full = loop {
        if let Err(error) = add_key(&path) {
            break error;
        }
    };
    assert!(matches!(full, PrivacyKeyError::TooLong { .. }), "{full}");
    assert!(std::fs::read(&path).unwrap().len() >= before.len());
    key_ring(&path).unwrap();
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        2,
        "no draft"
    );
}
