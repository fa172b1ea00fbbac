//! The program as people run it: exit codes, outputs, help and completions.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icpgate"))
        .current_dir(folder)
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn icpgate(args: &[&str]) -> Output {
    run(tempfile::tempdir().unwrap().path(), args)
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A port on which nobody listens, for as long as no other program takes it.
fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[test]
fn usage_errors_end_with_64_and_help_with_0() {
    let wrong: [&[&str]; 11] = [
        &[],
        &["sevre"],
        &["check"],
        &["check", "a.cn"],
        &["check", "a.cn", "--product", "cnd", "--area", "mainland"],
        &[
            "check",
            "a.cn",
            "--product",
            "cdn",
            "--area",
            "mainland",
            "--live-since",
            "soon",
        ],
        &[
            "check",
            "a.cn",
            "--product",
            "cdn",
            "--area",
            "mainland",
            "--origin-in-mainland",
        ],
        &[
            "check",
            "a.cn",
            "--product",
            "cdn",
            "--area",
            "mainland",
            "--server",
            "ftp://x",
        ],
        &["number"],
        &["number", "--language", "中文", "x"],
        &["config", "print", "--set", "no-value"],
    ];
    for args in wrong {
        let output = icpgate(args);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{args:?}: {}",
            stderr(&output)
        );
        assert!(stdout(&output).is_empty(), "{args:?}");
        assert!(!stderr(&output).is_empty(), "{args:?}");
    }
    for args in [
        &["--help"][..],
        &["--version"],
        &["check", "--help"],
        &["help", "number"],
    ] {
        let output = icpgate(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}");
        assert!(stdout(&output).contains("icpgate"), "{args:?}");
    }
}

#[test]
fn a_wrong_name_is_told_with_the_right_ones() {
    let output = icpgate(&["check", "a.cn", "--product", "cnd", "--area", "mainland"]);
    let told = stderr(&output);
    assert!(
        told.contains("cnd") && told.contains("mini-program-backend"),
        "{told}"
    );
}

#[test]
fn a_closed_port_ends_with_69_and_the_remedy() {
    let server = format!("http://127.0.0.1:{}", closed_port());
    // Names are taken in any case, with dashes or underscores.
    for (product, area) in [
        ("cdn", "mainland"),
        ("MINI_PROGRAM_BACKEND", "Outside-Mainland"),
    ] {
        let args = [
            "check",
            "a.cn",
            "--product",
            product,
            "--area",
            area,
            "--server",
            &server,
        ];
        let output = icpgate(&args);
        assert_eq!(output.status.code(), Some(69), "{}", stderr(&output));
        let told = stderr(&output);
        assert!(
            told.starts_with(&format!("error: no server answers at {server}")),
            "{told}"
        );
        assert!(told.contains("icpgate serve"), "{told}");
        assert!(stdout(&output).is_empty());
    }
    let listen = format!("grpc.listen=0.0.0.0:{}", closed_port());
    let args = [
        "check",
        "a.cn",
        "--product",
        "cdn",
        "--area",
        "global",
        "--set",
        &listen,
    ];
    let output = icpgate(&args);
    assert_eq!(output.status.code(), Some(69));
    assert!(
        stderr(&output).contains("http://127.0.0.1:"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn an_import_tells_what_it_could_not_read_or_reach() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("empty.ndjson"), "").unwrap();
    let line = r#"{"subject":{"subjectNumber":"京ICP备10046444号"}}"#;
    std::fs::write(folder.path().join("records.ndjson"), format!("{line}\n")).unwrap();
    std::fs::write(folder.path().join("image.png"), b"\x89PNG\r\n\x1a\n0000").unwrap();
    let server = format!("http://127.0.0.1:{}", closed_port());
    let cases = [
        ("none.ndjson", 66),
        (".", 66),
        ("image.png", 65),
        ("records.ndjson", 69),
    ];
    for (file, code) in cases {
        let output = run(folder.path(), &["import", file, "--server", &server]);
        assert_eq!(
            output.status.code(),
            Some(code),
            "{file}: {}",
            stderr(&output)
        );
        assert!(stderr(&output).starts_with("error: "), "{file}");
        assert!(stdout(&output).is_empty(), "{file}");
    }
    let rejected = "none/rejected.ndjson";
    let args = [
        "import",
        "records.ndjson",
        "--server",
        &server,
        "--rejected",
        rejected,
    ];
    assert_eq!(run(folder.path(), &args).status.code(), Some(74));
}

#[test]
fn numbers_are_explained() {
    let output = icpgate(&["number", " 京icp备10046444号－1 ", "粤B2-20090059"]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let text = stdout(&output);
    assert!(text.starts_with("✓ 京ICP备10046444号-1\n"), "{text}");
    assert!(
        text.contains("ICP filing number") && text.contains("Beijing"),
        "{text}"
    );
    assert!(
        text.contains("\n✓ 粤B2-20090059\n") && text.contains("Guangdong"),
        "{text}"
    );
    assert!(!text.contains('\u{1b}'), "no colour in a pipe");
}

#[test]
fn a_wrong_number_is_shown_with_its_first_wrong_character() {
    let output = icpgate(&["number", "京ICP备1004644O号-1"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "✗ 京ICP备1004644O号-1");
    // 京 and 备 are two columns wide.
    assert_eq!(lines[1], format!("{}^", " ".repeat(2 + 2 + 3 + 2 + 7)));
    assert!(lines[2].contains("`京ICP备10046440号-1`"), "{text}");
}

#[test]
fn display_reading_is_lenient_and_strict_is_not() {
    let strict = icpgate(&["number", "京ICP备10046444-1"]);
    assert_eq!(strict.status.code(), Some(1), "{}", stdout(&strict));
    let display = icpgate(&["number", "--display", "京ICP备10046444-1"]);
    assert_eq!(display.status.code(), Some(0));
    assert!(stdout(&display).contains("京ICP备10046444号-1"));
}

#[test]
fn numbers_in_json_and_in_chinese() {
    let args = [
        "number",
        "--output",
        "json",
        "京ICP备10046444号-2A",
        "京公网安备11010802032137号",
        "x\u{1b}[2J",
    ];
    let output = icpgate(&args);
    assert_eq!(output.status.code(), Some(1));
    let lines: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(lines[0]["valid"], true);
    assert_eq!(lines[0]["kind"], "FILING");
    assert_eq!(lines[0]["subjectNumber"], "京ICP备10046444号");
    assert_eq!(lines[0]["serviceNumber"], "京ICP备10046444号-2A");
    assert_eq!(lines[0]["serviceKind"], "APP");
    assert_eq!(lines[0]["province"]["code"], "11");
    assert_eq!(lines[1]["kind"], "PUBLIC_SECURITY");
    assert_eq!(lines[1].get("subjectNumber"), None);
    assert_eq!(lines[2]["valid"], false);
    assert_eq!(lines[2]["error"]["position"], 0);

    let output = icpgate(&[
        "number",
        "--language",
        "zh-CN",
        "京ICP备10046444号-1",
        "x\u{1b}[2J",
    ]);
    let text = stdout(&output);
    assert!(
        text.contains("ICP备案号") && text.contains("北京"),
        "{text}"
    );
    assert!(
        !text.contains('\u{1b}'),
        "what was typed never steers the terminal"
    );
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_icpgate"))
        .args(["config", "default"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).is_empty(), "{}", stderr(&output));
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let output = icpgate(&["completions", shell]);
        assert_eq!(output.status.code(), Some(0), "{shell}");
        let script = stdout(&output);
        for word in ["serve", "check", "doctor", "prune", "outside-mainland"] {
            assert!(script.contains(word), "{shell}: {word}");
        }
    }
}

#[test]
fn a_doctor_finds_nothing_wrong_with_a_fresh_folder_and_leaves_it_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let grpc = format!("grpc.listen=127.0.0.1:{}", closed_port());
    let http = "http.listen=127.0.0.1:0";
    let args = ["doctor", "--output", "json", "--set", &grpc, "--set", http];
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    let checks: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(
        checks
            .as_array()
            .unwrap()
            .iter()
            .all(|check| check["state"] == "ok"),
        "{checks}"
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_doctor_tells_what_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(
        folder.path(),
        &["doctor", "--set", "log.level=loud", "--set", "x.y=1"],
    );
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert_eq!(text.matches("✗ fail").count(), 2, "{text}");
    assert!(text.contains("log.level") && text.contains('→'), "{text}");

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("http.listen={}", taken.local_addr().unwrap());
    let grpc = format!("grpc.listen=127.0.0.1:{}", closed_port());
    let key = folder.path().join("privacy.key");
    std::fs::write(&key, "00".repeat(32)).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let args = [
        "doctor",
        "--set",
        &listen,
        "--set",
        &grpc,
        "--set",
        "privacy.key_file=privacy.key",
    ];
    let output = run(folder.path(), &args);
    let text = stdout(&output);
    assert!(
        text.contains("! warn") && text.contains("is taken"),
        "{text}"
    );
    #[cfg(unix)]
    {
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("chmod 600"), "{text}");
    }
}

#[test]
fn a_policy_is_checked_whole() {
    let policies = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for name in ["mainland-strict", "mainland-business-model"] {
        let file = policies.join(name).join("policy.toml");
        let output = icpgate(&["policy", "lint", file.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
        assert!(
            stdout(&output).contains(&format!("{name}@")),
            "{}",
            stdout(&output)
        );
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("bad.toml"), "nmae = 1\nvalidty = 2\n").unwrap();
    let output = run(folder.path(), &["policy", "lint", "bad.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let text = stdout(&output);
    assert!(
        text.contains("✗ nmae: ") && text.contains("✗ validty: "),
        "{text}"
    );

    let output = run(
        folder.path(),
        &["policy", "lint", "bad.toml", "--output", "json"],
    );
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["good"], false);
    let output = run(folder.path(), &["policy", "lint", "none.toml"]);
    assert_eq!(output.status.code(), Some(66));
}
