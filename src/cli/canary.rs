//! `icpgate canary`: asks a running server for names whose answers are known, for probes and cron.
//!
//! **Absent on purpose:** a loop. Whatever watches the exit code asks again.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anstyle::Style;
use clap::{ArgAction, Args};
use icpgate_policy::codes::{Product, Purpose, Reason, ServiceArea, Verdict};
use serde::{Deserialize, Serialize};

use super::exit::{self, Failure, OrExit as _};
use super::output::{self, BAD, GOOD, Output, clean};
use super::{check, remote, values};
use crate::proto::v1;
use crate::proto::v1::provisioning_service_client::ProvisioningServiceClient;

/// Flags of `icpgate canary`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate canary --expect allow shop.example.cn --expect deny gone.example.cn
  icpgate canary --file /etc/icpgate/canary.toml --output json
  icpgate canary --server https://gate.example:50051 --timeout 2s --expect allow www.example.cn

Exit codes: 0 all answers are as expected, 1 one is not, 64 usage, 65 the file is wrong,
69 server unreachable, 77 not permitted")]
pub struct CanaryArgs {
    /// A verdict (allow, deny, review, indeterminate) and a name that is to have it; may be repeated
    #[arg(long, num_args = 2, value_names = ["VERDICT", "DOMAIN"], action = ArgAction::Append)]
    #[arg(required_unless_present = "file")]
    pub expect: Vec<String>,
    /// TOML file of more, in tables named expect, with domain, verdict, and where wanted product, area and
    /// reasons
    #[arg(long, value_hint = clap::ValueHint::FilePath)]
    pub file: Option<PathBuf>,
    /// What is ordered, where the file does not say
    #[arg(long, default_value = "CDN", value_parser = values::PRODUCT)]
    pub product: Product,
    /// Where it is to be served, where the file does not say
    #[arg(long, default_value = "MAINLAND", value_parser = values::AREA)]
    pub area: ServiceArea,
    /// What the answers are for
    #[arg(long, default_value = "ORDER", value_parser = values::PURPOSE)]
    pub purpose: Purpose,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
    /// The server [default: the configured gRPC address]
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url)]
    pub server: Option<String>,
    /// Longest time to wait for each answer
    #[arg(long, value_name = "SPAN", default_value = "5s", value_parser = check::span)]
    pub timeout: Duration,
}

/// What is wrong with what is expected.
#[derive(Debug, thiserror::Error)]
pub enum CanaryError {
    /// The file cannot be read.
    #[error("read `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("read `{}`: {problem}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, and where.
        problem: String,
    },
    /// A verdict is none.
    #[error("`{0}` is no verdict; give allow, deny, review or indeterminate")]
    Verdict(String),
    /// Nothing is expected.
    #[error("nothing is expected; give `--expect VERDICT DOMAIN`, or `[[expect]]` in the file")]
    Nothing,
}

/// A question and what is known of its answer.
#[derive(Debug, PartialEq, Eq)]
struct Expected {
    domain: String,
    verdict: Verdict,
    product: Product,
    area: ServiceArea,
    /// All of these are to be among the reasons.
    reasons: Vec<Reason>,
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    expect: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    domain: String,
    verdict: String,
    product: Option<String>,
    area: Option<String>,
    #[serde(default)]
    reasons: Vec<String>,
}

/// What was found.
#[derive(Serialize)]
struct Report<'r> {
    server: &'r str,
    ok: bool,
    checks: Vec<Checked<'r>>,
}

#[derive(Serialize)]
struct Checked<'r> {
    domain: &'r str,
    product: &'static str,
    area: &'static str,
    expected: &'static str,
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    reasons: Vec<&'static str>,
    stale: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    decision_id: String,
    elapsed_ms: u64,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Asks the server at `url`, showing it what `access` holds, and says whether it answers as expected.
///
/// # Errors
///
/// What is expected is malformed, or the server cannot be reached.
pub async fn run(args: &CanaryArgs, url: &str, access: &remote::Access) -> Result<u8, Failure> {
    let expected = expected(args)?;
    let channel = remote::connect(url, access, Some(args.timeout)).await?;
    let mut client = ProvisioningServiceClient::new(channel);
    let mut checks = Vec::with_capacity(expected.len());
    let mut failed = None;
    for expected in &expected {
        let question = v1::CheckProvisioningRequest {
            domain: expected.domain.clone(),
            product: check::product(expected.product),
            service_area: check::area(expected.area),
            purpose: check::purpose(args.purpose),
            ..v1::CheckProvisioningRequest::default()
        };
        let began = Instant::now();
        let answer = client.check_provisioning(question).await;
        let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let answer = answer.map_err(|status| remote::failure(url, status));
        let answer = answer.map(|answer| answer.into_inner().decision.unwrap_or_default());
        let mut checked = compare(expected, answer.as_ref().ok());
        checked.elapsed_ms = elapsed_ms;
        if let Err(failure) = answer {
            checked.error = Some(format!("{:#}", failure.error));
            failed.get_or_insert(failure.code);
        }
        checks.push(checked);
    }
    let ok = checks.iter().all(|checked| checked.ok);
    let report = Report {
        server: url,
        ok,
        checks,
    };
    match args.output {
        Output::Json => output::print_json(&report)?,
        Output::Table => output::print(&table(&report))?,
    }
    Ok(match failed {
        Some(code) => code,
        None if ok => exit::SUCCESS,
        None => exit::REFUSED,
    })
}

fn compare<'r>(expected: &'r Expected, answer: Option<&v1::Decision>) -> Checked<'r> {
    let verdict = answer.and_then(|answer| known(answer.verdict()));
    let given: Vec<Reason> = answer
        .map(|answer| answer.reasons().filter_map(reason).collect())
        .unwrap_or_default();
    let reasons = expected.reasons.iter().all(|reason| given.contains(reason));
    Checked {
        domain: &expected.domain,
        product: expected.product.as_str(),
        area: expected.area.as_str(),
        expected: expected.verdict.as_str(),
        ok: verdict == Some(expected.verdict) && reasons,
        verdict: verdict.map(Verdict::as_str),
        reasons: given.into_iter().map(Reason::as_str).collect(),
        stale: answer.is_some_and(|answer| answer.stale),
        decision_id: answer
            .map(|answer| clean(&answer.decision_id).into_owned())
            .unwrap_or_default(),
        elapsed_ms: 0,
        error: None,
    }
}

const fn known(verdict: v1::Verdict) -> Option<Verdict> {
    match verdict {
        v1::Verdict::Allow => Some(Verdict::Allow),
        v1::Verdict::Deny => Some(Verdict::Deny),
        v1::Verdict::Review => Some(Verdict::Review),
        v1::Verdict::Indeterminate => Some(Verdict::Indeterminate),
        v1::Verdict::Unspecified => None,
    }
}

/// A reason by its number on the wire, whose name both sides share.
fn reason(reason: v1::Reason) -> Option<Reason> {
    Reason::from_code(reason.as_str_name().trim_start_matches("REASON_"))
}

fn table(report: &Report<'_>) -> String {
    let mut table = output::table(&["", "name", "expected", "answered", "ms", "why"]);
    let paint = |style: Style, text: &str| format!("{style}{text}{style:#}");
    for checked in &report.checks {
        let mark = if checked.ok {
            paint(GOOD, "✓")
        } else {
            paint(BAD, "✗")
        };
        let why = match &checked.error {
            Some(error) => clean(error).into_owned(),
            None => checked.reasons.join(", "),
        };
        table.add_row([
            mark,
            clean(checked.domain).into_owned(),
            checked.expected.to_owned(),
            checked.verdict.unwrap_or("–").to_owned(),
            checked.elapsed_ms.to_string(),
            why,
        ]);
    }
    format!("{table}\n")
}

/// What the flags and the file expect.
fn expected(args: &CanaryArgs) -> Result<Vec<Expected>, Failure> {
    let mut all = Vec::new();
    let mut flags = args.expect.iter();
    while let (Some(text), Some(domain)) = (flags.next(), flags.next()) {
        let wrong = || CanaryError::Verdict(clean(text).into_owned());
        all.push(Expected {
            domain: domain.clone(),
            verdict: Verdict::from_code(&code(text))
                .ok_or_else(wrong)
                .or_exit(exit::USAGE)?,
            product: args.product,
            area: args.area,
            reasons: Vec::new(),
        });
    }
    if let Some(path) = &args.file {
        all.extend(of_file(path, args)?);
    }
    if all.is_empty() {
        return Err(CanaryError::Nothing).or_exit(exit::USAGE);
    }
    Ok(all)
}

fn of_file(path: &Path, args: &CanaryArgs) -> Result<Vec<Expected>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| CanaryError::File {
            path: path.to_owned(),
            source,
        })
        .or_exit(exit::NO_INPUT)?;
    let content = |problem: String| CanaryError::Content {
        path: path.to_owned(),
        problem,
    };
    let written: Written = toml::from_str(&text)
        .map_err(|error| content(error.to_string()))
        .or_exit(exit::DATA)?;
    let mut problems = Vec::new();
    let mut all = Vec::new();
    for (entry, number) in written.expect.iter().zip(1..) {
        match read(entry, args) {
            Ok(expected) => all.push(expected),
            Err(wrong) => problems.push(format!("expect {number}: `{wrong}` is not known")),
        }
    }
    if problems.is_empty() {
        Ok(all)
    } else {
        Err(content(problems.join("; "))).or_exit(exit::DATA)
    }
}

/// An entry, or what of it is no member of its set.
fn read<'e>(entry: &'e Entry, args: &CanaryArgs) -> Result<Expected, &'e str> {
    let product = match &entry.product {
        Some(text) => Product::from_code(&code(text)).ok_or(text.as_str())?,
        None => args.product,
    };
    let area = match &entry.area {
        Some(text) => ServiceArea::from_code(&code(text)).ok_or(text.as_str())?,
        None => args.area,
    };
    let reasons: Result<Vec<Reason>, &str> = entry
        .reasons
        .iter()
        .map(|text| Reason::from_code(&code(text)).ok_or(text.as_str()))
        .collect();
    Ok(Expected {
        domain: entry.domain.clone(),
        verdict: Verdict::from_code(&code(&entry.verdict)).ok_or(entry.verdict.as_str())?,
        product,
        area,
        reasons: reasons?,
    })
}

/// A member as the contract spells it: in any case, with dashes or underscores.
fn code(text: &str) -> String {
    text.trim().to_uppercase().replace(['-', ' '], "_")
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(flags: &[&str]) -> CanaryArgs {
        let flags = ["icpgate", "canary"].iter().chain(flags);
        let Command::Canary(args) = Cli::try_parse_from(flags).expect("flags").command else {
            panic!("another command");
        };
        args
    }

    #[test]
    fn flags_and_file_are_both_expected() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("canary.toml");
        let file = path.to_str().expect("a path");
        let text = "[[expect]]\ndomain = \"b.cn\"\nverdict = \"Deny\"\nproduct = \"hosting\"\n\
                    reasons = [\"filing-not-found\"]\n";
        std::fs::write(&path, text).expect("write");
        let flags = [
            "--expect", "allow", "a.cn", "--file", file, "--area", "global",
        ];
        let all = expected(&args(&flags)).expect("expectations");
        let both = [
            Expected {
                domain: "a.cn".into(),
                verdict: Verdict::Allow,
                product: Product::Cdn,
                area: ServiceArea::Global,
                reasons: vec![],
            },
            Expected {
                domain: "b.cn".into(),
                verdict: Verdict::Deny,
                product: Product::Hosting,
                area: ServiceArea::Global,
                reasons: vec![Reason::FilingNotFound],
            },
        ];
        assert_eq!(all, both);
        for (wrong, code) in [
            (
                "[[expect]]\ndomain = \"b.cn\"\nverdict = \"maybe\"\n",
                exit::DATA,
            ),
            ("[[expect]]\ndomain = \"b.cn\"\n", exit::DATA),
            ("[[expected]]\n", exit::DATA),
            ("", exit::USAGE),
        ] {
            std::fs::write(&path, wrong).expect("write");
            let failure = expected(&args(&["--file", file])).expect_err(wrong);
            assert_eq!(failure.code, code, "{wrong}");
        }
    }

    #[test]
    fn an_answer_is_right_by_verdict_and_reasons() {
        let mut wanted = Expected {
            domain: "b.cn".into(),
            verdict: Verdict::Deny,
            product: Product::Cdn,
            area: ServiceArea::Mainland,
            reasons: vec![Reason::FilingNotFound],
        };
        let mut answer = v1::Decision {
            verdict: v1::Verdict::Deny.into(),
            reasons: vec![v1::Reason::FilingNotFound.into()],
            ..v1::Decision::default()
        };
        assert!(compare(&wanted, Some(&answer)).ok);
        assert!(!compare(&wanted, None).ok);
        answer.reasons.clear();
        assert!(!compare(&wanted, Some(&answer)).ok);
        wanted.reasons.clear();
        assert!(compare(&wanted, Some(&answer)).ok);
        answer.verdict = v1::Verdict::Allow.into();
        assert!(!compare(&wanted, Some(&answer)).ok);
        answer.verdict = 99;
        assert!(!compare(&wanted, Some(&answer)).ok);
    }

    #[test]
    fn every_reason_of_the_wire_is_known() {
        for number in 1..200 {
            if let Ok(given) = v1::Reason::try_from(number) {
                assert!(reason(given).is_some(), "{given:?}");
            }
        }
    }
}
