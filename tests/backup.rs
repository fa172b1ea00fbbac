//! Backup and restore: a copy in a new place, with the privacy key, gives the same answers.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

#[cfg(test)]
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "servers"]
mod servers {
    pub(crate) mod gate;
    pub(crate) mod postgres;
}

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use icpgate::proto::v1;
use servers::gate::{Gate, Signal};
use servers::postgres;
use tempfile::TempDir;

/// Domains of the registry that is copied.
const DOMAINS: &str = "150";

/// Domains that are asked about before and after.
const ASKED: usize = 40;

/// What is asked, and what was answered.
type Answers = Vec<(v1::CheckProvisioningRequest, v1::Decision)>;

fn icpgate(settings: &[(&'static str, String)], args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_icpgate"));
    command.current_dir(folder.path()).args(args).env_clear();
    for (key, value) in settings {
        let name = format!("ICPGATE_{}", key.to_uppercase().replace('.', "__"));
        command.env(name, value);
    }
    command.stdin(Stdio::null()).output().unwrap()
}

fn done(output: &Output) -> String {
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    said
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

/// A registry in a file, and names in it.
fn registry(folder: &Path) -> (PathBuf, BTreeSet<String>) {
    let made = icpgate(&[], &["generate", "--domains", DOMAINS, "--seed", "7"]);
    assert_eq!(made.status.code(), Some(0));
    let lines = String::from_utf8(made.stdout).unwrap();
    let domains = lines
        .lines()
        .filter_map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            Some(record.get("registration")?["domain"].as_str()?.to_owned())
        })
        .take(ASKED)
        .collect();
    let path = folder.join("records.ndjson");
    std::fs::write(&path, lines).unwrap();
    (path, domains)
}

fn questions(domains: &BTreeSet<String>) -> Vec<v1::CheckProvisioningRequest> {
    let question = |domain: &str, product: v1::Product, paid| v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: product.into(),
        service_area: v1::ServiceArea::Mainland.into(),
        purpose: v1::Purpose::Activation.into(),
        site: Some(v1::Site {
            payment_enabled: paid,
            ..v1::Site::default()
        }),
        ..v1::CheckProvisioningRequest::default()
    };
    let mut all: Vec<_> = domains
        .iter()
        .flat_map(|domain| {
            [
                question(domain, v1::Product::Cdn, true),
                question(domain, v1::Product::Hosting, false),
            ]
        })
        .collect();
    all.push(question("nobody-filed-this.cn", v1::Product::Cdn, false));
    all
}

async fn answers(gate: &Gate, questions: Vec<v1::CheckProvisioningRequest>) -> Answers {
    let mut answers = Vec::new();
    for question in questions {
        let decision = gate.check(question.clone()).await.unwrap();
        answers.push((question, decision));
    }
    answers
}

/// Everything of an answer that hangs on the records of its name and on the policy, and not on the
/// moment or on what was written of others.
fn essence(decision: &v1::Decision) -> impl PartialEq + std::fmt::Debug {
    (
        decision.verdict,
        decision.reasons.clone(),
        decision.findings.clone(),
        decision.filing.clone(),
        decision.policy_version.clone(),
    )
}

/// The restored server answers as the one that was copied, and has what that one recorded.
async fn reproduces(restored: &Gate, before: &Answers) {
    let verdicts: BTreeSet<i32> = before.iter().map(|(_, was)| was.verdict).collect();
    assert!(verdicts.len() > 1, "one verdict shows little: {verdicts:?}");
    for (question, was) in before {
        let is = restored.check(question.clone()).await.unwrap();
        assert_eq!(essence(&is), essence(was), "{}", question.domain);
        let request = v1::GetDecisionRequest {
            decision_id: was.decision_id.clone(),
        };
        let recorded = restored.provisioning().get_decision(request).await.unwrap();
        let recorded = recorded.into_inner().decision.unwrap();
        assert_eq!(recorded.verdict, was.verdict);
        assert_eq!(recorded.reasons, was.reasons);
        assert_eq!(recorded.decided_at, was.decided_at);
    }
}

/// A place to restore to: a folder with a copy of the key.
fn new_place(key: &Path) -> (TempDir, PathBuf) {
    let place = tempfile::tempdir().unwrap();
    let copy = place.path().join("privacy.key");
    std::fs::copy(key, &copy).unwrap();
    (place, copy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_of_the_file_answers_alike() {
    let home = tempfile::tempdir().unwrap();
    let (records, domains) = registry(home.path());
    let (store, key) = (
        home.path().join("icpgate.sqlite"),
        home.path().join("privacy.key"),
    );
    let settings = vec![
        ("store.path", text(&store)),
        ("privacy.key_file", text(&key)),
    ];
    done(&icpgate(&settings, &["import", &text(&records)]));
    let mut gate = Gate::start(settings.clone()).await;
    let before = answers(&gate, questions(&domains)).await;

    // Beside the running server, which goes on writing.
    let (place, copied_key) = new_place(&key);
    let copy = place.path().join("copy.sqlite");
    let said = done(&icpgate(&settings, &["backup", &text(&copy)]));
    assert!(said.contains("copy.sqlite: "), "{said}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&copy).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let block = v1::Block {
        list: v1::BlockList::Provider.into(),
        target: Some(v1::block::Target::Domain(
            domains.first().unwrap().to_owned(),
        )),
        ..v1::Block::default()
    };
    gate.put(vec![v1::Record {
        source: "test".to_owned(),
        record: Some(v1::record::Record::Block(block)),
        ..v1::Record::default()
    }])
    .await
    .unwrap();
    let restored = Gate::start(vec![
        ("store.path", text(&copy)),
        ("privacy.key_file", text(&copied_key)),
    ])
    .await;
    reproduces(&restored, &before).await;
    let (question, was) = before.last().unwrap();
    let is = restored.check(question.clone()).await.unwrap();
    assert_eq!(is.revision, was.revision, "the block came after the copy");

    // What is there is not written over.
    let again = icpgate(&settings, &["backup", &text(&copy)]);
    assert_eq!(again.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&again.stderr).contains("it is there already"));

    // With another key it does not start, rather than find nobody.
    let wrong = tempfile::tempdir().unwrap();
    let refused = Gate::try_start(vec![
        ("store.path", text(&copy)),
        ("privacy.key_file", text(&wrong.path().join("other.key"))),
    ])
    .await;
    assert!(refused.err().unwrap().log.contains("privacy.key_file"));

    // With the server stopped, the files of the folder will do.
    gate.process().signal(Signal::Terminate);
    assert!(gate.process().wait().await.success());
    let (place, copied_key) = new_place(&key);
    let copy = place.path().join("icpgate.sqlite");
    for ending in ["", "-wal", "-shm"] {
        let from = PathBuf::from(format!("{}{ending}", store.display()));
        if from.exists() {
            std::fs::copy(from, format!("{}{ending}", copy.display())).unwrap();
        }
    }
    let restored = Gate::start(vec![
        ("store.path", text(&copy)),
        ("privacy.key_file", text(&copied_key)),
    ])
    .await;
    let blocked = domains.first().unwrap();
    let untouched: Answers = before
        .into_iter()
        .filter(|(question, _)| question.domain != *blocked)
        .collect();
    reproduces(&restored, &untouched).await;
    let question = questions(&domains).swap_remove(0);
    let is = restored.check(question).await.unwrap();
    assert_eq!(is.verdict(), v1::Verdict::Deny, "the block is in the copy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dump_of_the_database_answers_alike() {
    // One of its own: a dump wants the programs of the server's version.
    let (Some(server), Some(programs)) = (
        postgres::Server::start(postgres::Setup::default()).await,
        postgres::programs(),
    ) else {
        return;
    };
    let home = tempfile::tempdir().unwrap();
    let (records, domains) = registry(home.path());
    let key = home.path().join("privacy.key");
    let (from, to) = (server.database().await, server.database().await);
    let settings = vec![
        ("store.url", from.clone()),
        ("privacy.key_file", text(&key)),
    ];
    done(&icpgate(&settings, &["migrate"]));
    done(&icpgate(&settings, &["import", &text(&records)]));
    let gate = Gate::start(settings.clone()).await;
    let before = answers(&gate, questions(&domains)).await;

    let dump = home.path().join("icpgate.dump");
    let run = |program: &str, args: &[&str]| {
        let mut command = Command::new(programs.join(program));
        done(&command.args(args).stdin(Stdio::null()).output().unwrap())
    };
    run(
        "pg_dump",
        &["--format=custom", "--file", &text(&dump), "--dbname", &from],
    );
    run(
        "pg_restore",
        &[
            "--exit-on-error",
            "--no-owner",
            "--dbname",
            &to,
            &text(&dump),
        ],
    );
    let (_place, copied_key) = new_place(&key);
    let restored = Gate::start(vec![
        ("store.url", to),
        ("privacy.key_file", text(&copied_key)),
    ])
    .await;
    reproduces(&restored, &before).await;

    let refused = icpgate(&settings, &["backup", &text(&home.path().join("x"))]);
    assert_eq!(refused.status.code(), Some(74));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("pg_dump"));
}
