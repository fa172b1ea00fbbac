//! `icpgate generate`: the octets, the proportions, and that everything it writes can be imported
//! and asked about.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Cursor};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use icpgate::bootstrap::{self, Parts};
use icpgate::clock::FixedClock;
use icpgate::config::{Config, Flag, Inputs, load};
use icpgate::generate::{FIRST_DAY, LAST_DAY, Parameters, Records, domain_name};
use icpgate::intake::ndjson::{Limits, Lines};
use icpgate::intake::{Violation, import};
use icpgate::proto::v1;
use icpgate::proto::v1::record::Record;
use icpgate_policy::calendar::start_of;
use icpgate_policy::codes::{Reason, Verdict};
use icpgate_policy::explain::Language;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};

/// A working day.
const DAY: Date = date(2026, 11, 20);

/// What a share may differ from its expectation in a sample, in standard deviations. The seed is
/// fixed, so that this is about the table and not about luck; holders with many names make the
/// draws of websites and domains a little less independent than the formula has them.
const DEVIATIONS: f64 = 4.0;

fn run(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_icpgate"))
        .current_dir(folder)
        .arg("generate")
        .args(args)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn parameters(domains: u64) -> Parameters {
    Parameters {
        seed: 20_261_122,
        domains,
        as_of: DAY,
        provider_id: "self".to_owned(),
    }
}

#[test]
fn the_same_seed_day_and_provider_give_the_same_octets_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--domains", "300", "--seed", "7", "--as-of", "2026-11-20"];
    let first = run(folder.path(), &args);
    assert_eq!(first.status.code(), Some(0), "{}", told(&first));
    assert!(first.stderr.is_empty(), "{}", told(&first));
    // Whoever changes this changes every registry that anybody has generated: it belongs into the
    // change log.
    assert_eq!(
        blake3::hash(&first.stdout).to_hex().as_str(),
        "65b1dcbfcbfdb6cda1674751d8af5a51b231c91bc2de787f174043b642443d90",
    );
    assert_eq!(run(folder.path(), &args).stdout, first.stdout);
    for other in [
        ["--seed", "8"],
        ["--as-of", "2026-11-21"],
        ["--provider-id", "us"],
    ] {
        let args = [&args[..2], &other[..]].concat();
        assert_ne!(run(folder.path(), &args).stdout, first.stdout, "{other:?}");
    }
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn the_provider_is_the_configured_one_unless_another_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["--domains", "100", "--as-of", "2026-11-20"];
    let plain = String::from_utf8(run(folder.path(), &args).stdout).unwrap();
    assert!(plain.contains(r#""providerId":"self""#));
    let set = [&args[..], &["--set", "provider.id=cloud-9"]].concat();
    let configured = String::from_utf8(run(folder.path(), &set).stdout).unwrap();
    let named = [&args[..], &["--provider-id", "cloud-9"]].concat();
    let named = String::from_utf8(run(folder.path(), &named).stdout).unwrap();
    assert_eq!(configured, named);
    assert_eq!(
        plain.replace(r#""providerId":"self""#, r#""providerId":"cloud-9""#),
        named
    );
    // A named provider needs no configuration, and a broken one is no obstacle.
    std::fs::write(folder.path().join("icpgate.toml"), "nonsense").unwrap();
    let broken = [&args[..], &["--provider-id", "cloud-9"]].concat();
    assert_eq!(run(folder.path(), &broken).status.code(), Some(0));
    assert_eq!(run(folder.path(), &args).status.code(), Some(78));
}

#[test]
fn files_are_whole_or_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let base = ["--domains", "300", "--seed", "7", "--as-of", "2026-11-20"];
    let files = ["--output", "r.ndjson", "--questions", "q.txt"];
    std::fs::write(folder.path().join("r.ndjson"), "older").unwrap();
    let output = run(folder.path(), &[&base[..], &files].concat());
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("✓ 300 domains: "), "{text}");
    assert_eq!(names_in(folder.path()), ["q.txt", "r.ndjson"]);
    let written = std::fs::read(folder.path().join("r.ndjson")).unwrap();
    assert_eq!(written, run(folder.path(), &base).stdout);
    let names = std::fs::read_to_string(folder.path().join("q.txt")).unwrap();
    let names: Vec<&str> = names.lines().collect();
    let expected: Vec<String> = (0..300).map(|index| domain_name(7, index)).collect();
    assert_eq!(names, expected);

    // A place that cannot be written leaves nothing behind, and the older file as it was.
    let args = [
        &base[..],
        &["--output", "r.ndjson", "--questions", "none/q.txt"],
    ]
    .concat();
    let output = run(folder.path(), &args);
    assert_eq!(output.status.code(), Some(74), "{}", told(&output));
    assert!(
        told(&output).starts_with("error: make `none/q.txt`: "),
        "{}",
        told(&output)
    );
    assert_eq!(names_in(folder.path()), ["q.txt", "r.ndjson"]);
    assert_eq!(
        std::fs::read(folder.path().join("r.ndjson")).unwrap(),
        written
    );
}

#[cfg(unix)]
#[test]
fn links_are_kept_devices_are_written_to_and_rights_are_those_of_a_new_file() {
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("real.ndjson"), "older").unwrap();
    std::os::unix::fs::symlink("real.ndjson", at("link.ndjson")).unwrap();
    let output = run(
        folder.path(),
        &["--domains", "1", "--output", "link.ndjson"],
    );
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(at("link.ndjson").symlink_metadata().unwrap().is_symlink());
    assert!(
        std::fs::read_to_string(at("real.ndjson"))
            .unwrap()
            .contains("synthetic")
    );
    let rights = |name: &str| at(name).metadata().unwrap().permissions().mode() & 0o777;
    std::fs::write(at("new"), "").unwrap();
    assert_eq!(rights("real.ndjson"), rights("new"));

    let output = run(folder.path(), &["--domains", "1", "--output", "/dev/null"]);
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    let device = std::fs::metadata("/dev/null").unwrap().file_type();
    assert!(device.is_char_device());
    let output = run(folder.path(), &["--domains", "1", "--output", "."]);
    assert_eq!(output.status.code(), Some(74), "{}", told(&output));
}

#[test]
fn bad_values_are_usage_errors_that_name_the_good_ones() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 12] = [
        (&[], "--domains"),
        (&["--domains", "0"], "1..=100000000"),
        (&["--domains", "-1"], "-1"),
        (&["--domains", "100000001"], "1..=100000000"),
        (&["--domains", "many"], "many"),
        (&["--domains", "1", "--seed", "-1"], "-1"),
        (
            &["--domains", "1", "--seed", "18446744073709551616"],
            "--seed",
        ),
        (
            &["--domains", "1", "--as-of", "2026-02-29"],
            "2021-01-01 to 2099-12-31",
        ),
        (
            &["--domains", "1", "--as-of", "2020-12-31"],
            "2021-01-01 to 2099-12-31",
        ),
        (
            &["--domains", "1", "--provider-id", " x"],
            "1 to 64 characters",
        ),
        (
            &["--domains", "1", "--questions", "-"],
            "the name of a file",
        ),
        (
            &["--domains", "1", "--output", "a", "--questions", "a"],
            "the same file",
        ),
    ];
    for (args, named) in cases {
        let output = run(folder.path(), args);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{args:?}: {}",
            told(&output)
        );
        assert!(told(&output).contains(named), "{args:?}: {}", told(&output));
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    assert!(names_in(folder.path()).is_empty());
}

#[test]
fn a_reader_that_has_enough_is_no_failure() {
    // More than any pipe holds, and more than anybody would wait for.
    let mut child = Command::new(env!("CARGO_BIN_EXE_icpgate"))
        .args(["generate", "--domains", "100000000"])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    assert!(line.starts_with(r#"{"source":"generated","#), "{line}");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(output.stderr.is_empty(), "{}", told(&output));
}

/// Counts of what the records say, by a label.
#[derive(Default)]
struct Counts(BTreeMap<String, u32>);

impl Counts {
    fn add(&mut self, label: impl Into<String>) {
        *self.0.entry(label.into()).or_default() += 1;
    }

    fn of(&self, label: &str) -> f64 {
        self.0.get(label).copied().map_or(0.0, f64::from)
    }

    /// That `part` of `whole` is about a share.
    fn share(&self, part: &str, whole: &str, expected: f64) {
        let (part_count, whole_count) = (self.of(part), self.of(whole));
        let deviation = (expected * (1.0 - expected) / whole_count).sqrt();
        let found = part_count / whole_count;
        assert!(
            (found - expected).abs() <= DEVIATIONS * deviation,
            "{part} of {whole}: {found:.4} ({part_count} of {whole_count}), expected {expected}"
        );
    }

    /// That there are about so many of one for each of the other.
    fn ratio(&self, many: &str, one: &str, expected: f64) {
        let found = self.of(many) / self.of(one);
        assert!(
            (found / expected - 1.0).abs() < 0.06,
            "{many} for each {one}: {found:.4}, expected {expected}"
        );
    }
}

#[test]
fn proportions_are_those_of_the_table() {
    let mut counts = Counts::default();
    for record in Records::new(&parameters(20_000)) {
        count(record, &mut counts);
    }
    assert_eq!(counts.0.get("registration"), Some(&20_000));
    // 1.3 websites to a holder, 1.3 domains to a website; cells cut a little off the tail.
    counts.ratio("website", "subject", 1.3);
    counts.ratio("domain of website", "website", 1.3);
    counts.share("subject INDIVIDUAL", "subject", 0.255);
    counts.share("subject GOVERNMENT", "subject", 0.012);
    counts.share("subject PUBLIC_INSTITUTION", "subject", 0.027);
    counts.share("subject SOCIAL_ORGANISATION", "subject", 0.022);
    counts.share("entity WHOLLY_FOREIGN_OWNED", "subject ENTERPRISE", 0.012);
    counts.share("entity JOINT_VENTURE", "subject ENTERPRISE", 0.007);
    counts.share("entity BRANCH_OFFICE", "subject ENTERPRISE", 0.006);
    counts.share("subject CANCELLED", "subject", 0.013);
    counts.share("subject in 粤", "subject", 0.163);
    counts.share("subject in 京", "subject", 0.105);
    // Cancelled by itself or with its subject.
    counts.share("website CANCELLED", "website", 0.045 + 0.013);
    counts.share("website SUSPENDED", "website", 0.003);
    counts.share("website CHANGING", "website", 0.01);
    counts.share("restricted", "website", 0.0015);
    counts.share("licence", "subject ENTERPRISE", 0.06);
    counts.share("licence as subject", "licence", 0.03);
    counts.share("access active self", "service in force", 0.25 + 0.035);
    counts.share("access active elsewhere", "service in force", 0.70 + 0.035);
    counts.share("public security filing", "website in force", 0.65);
    counts.share("display", "website in force", 0.3);
    counts.share("redacted", "registration", 0.012);
    counts.share("registrar not approved", "registration", 0.012);
    counts.share("UNVERIFIED", "registration", 0.004);
    counts.share("not in library", "registration", 0.003);
    // Over the suffixes of all natures.
    counts.share("suffix cn", "registration", 0.378);
    counts.share("suffix com", "registration", 0.336);
    counts.share("block of a domain", "registration", 0.0015);
    // Of all holders; those in the subject records are 96 % of them.
    counts.share("application FIRST_FILING", "subject", 0.017 / 0.96);
    for rare in [
        "approval",
        "block of a domain",
        "application NEW_ACCESS",
        "app",
        "mini program",
    ] {
        assert!(counts.of(rare) > 0.0, "no {rare}");
    }
}

fn count(record: v1::Record, counts: &mut Counts) {
    let name = |text: &'static str, prefix: &str| text.strip_prefix(prefix).unwrap().to_owned();
    match record.record.unwrap() {
        Record::Subject(it) => {
            counts.add("subject");
            let nature = name(it.nature().as_str_name(), "SUBJECT_NATURE_");
            counts.add(format!("subject {nature}"));
            counts.add(format!(
                "entity {}",
                name(it.entity().as_str_name(), "SUBJECT_ENTITY_")
            ));
            counts.add(format!(
                "subject {}",
                name(it.status().as_str_name(), "SUBJECT_STATUS_")
            ));
            let number = it.subject_number;
            counts.add(format!("subject in {}", number.chars().next().unwrap()));
            if !number.contains("备") {
                counts.add("licence as subject");
            }
        }
        Record::Service(it) => {
            let status = name(it.status().as_str_name(), "SERVICE_STATUS_");
            let in_force = ["ACTIVE", "CHANGING"].contains(&status.as_str());
            if in_force {
                counts.add("service in force");
            }
            match it.kind() {
                v1::ServiceKind::App => counts.add("app"),
                v1::ServiceKind::MiniProgram => counts.add("mini program"),
                v1::ServiceKind::QuickApp | v1::ServiceKind::Unspecified => {}
                v1::ServiceKind::Website => {
                    counts.add("website");
                    counts.add(format!("website {status}"));
                    if in_force {
                        counts.add("website in force");
                    }
                    if it.access_restricted {
                        counts.add("restricted");
                    }
                    it.domains
                        .iter()
                        .for_each(|_| counts.add("domain of website"));
                }
            }
        }
        Record::Access(it) => {
            if it.status() == v1::AccessStatus::Active {
                let whose = if it.provider_id == "self" {
                    "self"
                } else {
                    "elsewhere"
                };
                counts.add(format!("access active {whose}"));
            }
        }
        Record::Application(it) => {
            let kind = name(it.kind().as_str_name(), "APPLICATION_KIND_");
            counts.add(format!("application {kind}"));
        }
        Record::Licence(_) => counts.add("licence"),
        Record::Registration(it) => {
            counts.add("registration");
            let (_, suffix) = it.domain.split_once('.').unwrap();
            counts.add(format!("suffix {suffix}"));
            if it.registrar_approved == Some(false) {
                counts.add("registrar not approved");
            }
            if it.in_authority_library == Some(false) {
                counts.add("not in library");
            }
            counts.add(name(it.real_name().as_str_name(), "REAL_NAME_"));
            if it.registrant.unwrap().redacted {
                counts.add("redacted");
            }
        }
        Record::Block(it) => match it.target.unwrap() {
            v1::block::Target::Domain(_) => counts.add("block of a domain"),
            v1::block::Target::Certificate(_) => counts.add("block of a subject"),
        },
        Record::Approval(_) => counts.add("approval"),
        Record::PublicSecurityFiling(_) => counts.add("public security filing"),
        Record::DisplayObservation(_) => counts.add("display"),
    }
}

/// Where a record is found again, by its kind.
fn key(record: &Record) -> String {
    match record {
        Record::Subject(it) => format!("subject {}", it.subject_number),
        Record::Service(it) => format!("service {}", it.service_number),
        Record::Access(it) => format!("access {} {}", it.service_number, it.provider_id),
        Record::Application(it) => format!("application {}", it.application_id),
        Record::Licence(it) => format!("licence {}", it.licence_number),
        Record::Registration(it) => format!("registration {}", it.domain),
        Record::Block(it) => match it.target.as_ref().unwrap() {
            v1::block::Target::Domain(domain) => format!("block {} {domain}", it.list),
            v1::block::Target::Certificate(held) => format!("block {} {}", it.list, held.number),
        },
        Record::Approval(it) => format!("approval {} {}", it.sector, it.approval_number),
        Record::PublicSecurityFiling(it) => format!("public security {}", it.number),
        Record::DisplayObservation(it) => format!("display {}", it.domain),
    }
}

#[test]
fn keys_are_unique_and_what_is_referred_to_comes_before() {
    let mut keys = BTreeSet::new();
    let mut people = BTreeMap::new();
    for record in Records::new(&parameters(20_000)) {
        let record = record.record.unwrap();
        let before = match &record {
            Record::Service(it) => Some(format!("subject {}", it.subject_number)),
            Record::Access(it) => Some(format!("service {}", it.service_number)),
            Record::Application(_)
            | Record::Approval(_)
            | Record::Block(_)
            | Record::DisplayObservation(_)
            | Record::Licence(_)
            | Record::PublicSecurityFiling(_)
            | Record::Registration(_)
            | Record::Subject(_) => None,
        };
        if let Some(before) = before {
            assert!(keys.contains(&before), "{} before {before}", key(&record));
        }
        assert!(keys.insert(key(&record)), "{} twice", key(&record));
        if let Record::Subject(it) = &record {
            // A certificate is one holder's.
            let number = it.certificate.as_ref().unwrap().number.clone();
            if let Some(other) = people.insert(number, it.subject_number.clone()) {
                panic!("{other} and {} have one certificate", it.subject_number);
            }
            assert!(it.name.contains("虚构"), "{}", it.name);
            for person in &it.people {
                assert!(person.name.contains("虚构"), "{}", person.name);
            }
        }
    }
}

fn config(folder: &Path) -> Config {
    let path = |name: &str| folder.join(name).display().to_string();
    let flag = |key: &str, value: String| Flag {
        name: format!("--set {key}"),
        key: key.to_owned(),
        value,
    };
    let inputs = Inputs {
        file: None,
        directory: folder.to_owned(),
        variables: Vec::new(),
        flags: vec![
            flag("store.path", path("records.sqlite")),
            flag("privacy.key_file", path("privacy.key")),
        ],
    };
    load(&inputs).unwrap().config
}

async fn imported(parts: &Parts, domains: u64, now: Timestamp) -> u64 {
    let mut text = Vec::new();
    let mut count = 0;
    for record in Records::new(&parameters(domains)) {
        serde_json::to_writer(&mut text, &record).unwrap();
        text.push(b'\n');
        count += 1;
    }
    let lines = Lines::new(Cursor::new(text), Limits::default())
        .await
        .unwrap();
    let store = &*parts.store;
    let report = import(lines.into_stream(), &parts.intake, store, |_| {}, || now).await;
    let report = report.unwrap();
    if let Some((line, violations)) = report.rejected.first() {
        let told: Vec<String> = violations.iter().map(told_of).collect();
        panic!("line {line}: {}", told.join("; "));
    }
    assert_eq!(report.file_problem, None);
    assert_eq!((report.unchanged, report.rejected_count), (0, 0));
    assert_eq!(report.accepted, report.lines);
    assert_eq!(report.lines, count);
    report.accepted
}

fn told_of(violation: &Violation) -> String {
    format!(
        "{}: {}",
        violation.field,
        violation.description(Language::English)
    )
}

fn question(domain: String, product: v1::Product) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain,
        product: product.into(),
        service_area: v1::ServiceArea::Mainland.into(),
        ..Default::default()
    }
}

/// Everything is taken in at the very moment as of which it was generated, and answered with
/// verdicts as a provider knows them.
#[tokio::test(flavor = "multi_thread")]
async fn records_are_imported_whole_and_answered_plausibly() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let parts = bootstrap::open(&config, true).await.unwrap();
    let midnight = start_of(DAY);
    let lines = imported(&parts, 3_000, midnight).await;
    assert!((9_000..15_000).contains(&lines), "{lines}");

    let noon = midnight + SignedDuration::from_hours(12);
    let clock = Arc::new(FixedClock::new(noon));
    let (gate, worker) = bootstrap::gate(parts, &config, clock).unwrap();
    let asking = async {
        let cdn = shares(&gate, v1::Product::Cdn).await;
        let hosting = shares(&gate, v1::Product::Hosting).await;
        let unknown = question(domain_name(20_261_122, 3_000), v1::Product::Cdn);
        let unknown = gate.check(gate.question(unknown).unwrap()).await.unwrap();
        (cdn, hosting, unknown.decision.clone())
    };
    let end = tokio::sync::Notify::new();
    let (asked, ()) = tokio::join!(
        async {
            let asked = asking.await;
            end.notify_one();
            asked
        },
        worker.run(end.notified())
    );
    let (cdn, hosting, unknown) = asked;
    let within = |counts: &BTreeMap<Verdict, u32>, verdict, from, to| {
        let found = counts.get(&verdict).copied().unwrap_or_default();
        assert!((from..=to).contains(&found), "{verdict:?}: {counts:?}");
    };
    // Of 1,000.
    within(&cdn, Verdict::Allow, 780, 900);
    within(&cdn, Verdict::Deny, 80, 200);
    within(&cdn, Verdict::Review, 3, 40);
    within(&cdn, Verdict::Indeterminate, 0, 15);
    // Most filings are linked to another provider.
    within(&hosting, Verdict::Allow, 180, 340);
    within(&hosting, Verdict::Deny, 640, 820);
    assert_eq!(unknown.verdict, Verdict::Deny);
    assert!(
        unknown.reasons().contains(&Reason::FilingNotFound),
        "{:?}",
        unknown.reasons()
    );
}

/// Whatever the seed and the day, nothing is refused, also at the very beginning of the day.
#[tokio::test]
async fn nothing_is_refused_on_any_day() {
    let folder = tempfile::tempdir().unwrap();
    let parts = bootstrap::open(&config(folder.path()), true).await.unwrap();
    for (seed, as_of) in [
        (0, FIRST_DAY),
        (1, date(2024, 2, 29)),
        (2, date(2026, 1, 1)),
        (u64::MAX, LAST_DAY),
    ] {
        let parameters = Parameters {
            seed,
            as_of,
            ..parameters(2_000)
        };
        for record in Records::new(&parameters) {
            let text = serde_json::to_string(&record).unwrap();
            if let Err(violations) = parts.intake.record(record, start_of(as_of)) {
                panic!("{seed}, {as_of}: {text}: {violations:?}");
            }
        }
    }
}

/// Verdicts about every third of the first 3,000 names.
async fn shares(gate: &icpgate::gate::Gate, product: v1::Product) -> BTreeMap<Verdict, u32> {
    let mut counts = BTreeMap::new();
    for first in (0..3_000).step_by(600) {
        let questions = (first..first + 600)
            .step_by(3)
            .map(|index| gate.question(question(domain_name(20_261_122, index), product)))
            .collect();
        for answer in gate
            .check_all(questions, icpgate::gate::Bulk::Batch, &|| false)
            .await
        {
            *counts.entry(answer.unwrap().decision.verdict).or_default() += 1;
        }
    }
    counts
}
