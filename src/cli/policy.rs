//! `icpgate policy`: the flags, and reports on documents and cases.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use icpgate_policy::cases;
use icpgate_policy::explain::cases::{case_error, failure};
use icpgate_policy::explain::{Language, policy_problem};
use icpgate_policy::policy::Policy;
use serde::Serialize;

use super::exit::{self, Failure, OrExit as _};
use super::output::{self, BAD, BOLD, GOOD, Output, clean};
use crate::bootstrap;
use crate::config::Config;

/// Flags of `icpgate policy`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate policy lint my-policy.toml
  icpgate policy test policies/mainland-strict/cases/filing.toml")]
pub struct PolicyArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: PolicyCommand,
}

/// What to do with a policy document.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Check a policy document whole and report everything that is wrong with it
    #[command(after_help = "Examples:
  icpgate policy lint my-policy.toml
  icpgate policy lint my-policy.toml --output json

Exit codes: 0 the document is good, 1 it is not, 66 no such file")]
    Lint(FileArgs),
    /// Decide the cases of a file and compare the answers with those expected
    #[command(after_help = "Examples:
  icpgate policy test policies/mainland-strict/cases/filing.toml

Exit codes: 0 all as expected, 1 some not, 66 no such file")]
    Test(FileArgs),
}

/// A file and the form of the answer.
#[derive(Debug, Args)]
pub struct FileArgs {
    /// The file
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// Something that was looked at: a document, or a case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Path in the document, or name of the case.
    pub name: String,
    /// Whether it is as it should be.
    pub good: bool,
    /// What is wrong; empty where nothing is.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

#[derive(Serialize)]
struct Report<'a> {
    file: String,
    good: bool,
    items: &'a [Item],
}

/// Checks a document and prints everything that is wrong with it.
///
/// # Errors
///
/// The file cannot be read, or the output cannot be written.
pub fn lint(args: &FileArgs, provider_id: &str) -> Result<u8, Failure> {
    match Policy::compile(&read(&args.file)?, provider_id) {
        Ok(policy) => report(args, &[], &policy.version),
        Err(error) => {
            let items: Vec<Item> = error
                .problems
                .iter()
                .map(|(path, problem)| Item {
                    name: path.clone(),
                    good: false,
                    detail: policy_problem(problem, Language::English),
                })
                .collect();
            report(args, &items, "")
        }
    }
}

/// Decides the cases of a file and compares the answers with those expected. The policy is the one
/// that lies beside the folder of the file as `policy.toml`, else the configured one. A policy
/// document in place of a file of cases stands for the files in its folder `cases`.
///
/// # Errors
///
/// A file cannot be read, the policy does not compile, or the output cannot be written.
pub fn test(args: &FileArgs, config: &Config) -> Result<u8, Failure> {
    let files = case_files(&args.file)?;
    let policy = tested_policy(&args.file, config)?;
    let mut items = Vec::new();
    for file in &files {
        let name = |case: &str| match files.as_slice() {
            [_] => case.to_owned(),
            _ => format!("{}: {case}", file.display()),
        };
        match cases::parse(&read(file)?) {
            Ok(parsed) => items.extend(cases::run(&policy, &parsed).iter().map(|result| {
                let failures: Vec<String> = result
                    .failures
                    .iter()
                    .map(|found| failure(found, Language::English))
                    .collect();
                Item {
                    name: name(&result.name),
                    good: result.passed(),
                    detail: failures.join("; "),
                }
            })),
            Err(errors) => items.extend(errors.iter().map(|error| Item {
                name: name(&error.path),
                good: false,
                detail: case_error(error, Language::English),
            })),
        }
    }
    let summary = format!("{} cases as expected under {}", items.len(), policy.version);
    report(args, &items, &summary)
}

/// The files of cases that an argument stands for.
fn case_files(file: &Path) -> Result<Vec<PathBuf>, Failure> {
    let document = read(file)?.parse::<toml::Table>().is_ok_and(|table| {
        !table.contains_key("case") && (table.contains_key("name") || table.contains_key("extends"))
    });
    if !document {
        return Ok(vec![file.to_owned()]);
    }
    let folder = file.with_file_name("cases");
    let missing = || {
        let error = anyhow::anyhow!("no files of cases in {}", folder.display());
        Failure::new(exit::NO_INPUT, error)
    };
    let entries = std::fs::read_dir(&folder).map_err(|_| missing())?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .collect();
    files.sort();
    if files.is_empty() {
        Err(missing())
    } else {
        Ok(files)
    }
}

/// The policy that a file of cases is about.
fn tested_policy(file: &Path, config: &Config) -> Result<Policy, Failure> {
    let beside = |path: &Path| path.parent().map(|folder| folder.join("policy.toml"));
    let own = file.parent().and_then(beside).filter(|path| path.is_file());
    let document = if file.with_file_name("cases").is_dir() {
        Some(file.to_owned())
    } else {
        own
    };
    match document {
        Some(path) => {
            Policy::compile(&read(&path)?, config.provider.id.as_str()).map_err(|error| {
                let shown = path.display();
                let error = anyhow::Error::new(error).context(format!(
                    "compile {shown}; `icpgate policy lint {shown}` tells more"
                ));
                Failure::new(exit::CONFIG, error)
            })
        }
        None => bootstrap::policy(config).or_exit(exit::CONFIG),
    }
}

/// Reads a document or a file of cases.
///
/// # Errors
///
/// There is no such file ([`exit::NO_INPUT`]), or it is not text ([`exit::DATA`]).
pub fn read(file: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(file).map_err(|error| {
        let not_text = error.kind() == std::io::ErrorKind::InvalidData;
        let code = if not_text { exit::DATA } else { exit::NO_INPUT };
        let action = format!("read {}", file.display());
        Failure::new(code, anyhow::Error::new(error).context(action))
    })
}

/// Prints what was found in a file. `summary` says in a few words what a good file is, such as its
/// name and version. The exit code is 1 where some item is not as it should be.
///
/// # Errors
///
/// The output cannot be written.
pub fn report(args: &FileArgs, items: &[Item], summary: &str) -> Result<u8, Failure> {
    let good = items.iter().all(|item| item.good);
    let file = args.file.display().to_string();
    match args.output {
        Output::Json => output::print_json(&Report { file, good, items })?,
        Output::Table => {
            let mut text = String::new();
            for item in items.iter().filter(|item| !item.good) {
                text.push_str(&format!(
                    "{BAD}✗{BAD:#} {BOLD}{}{BOLD:#}: {}\n",
                    clean(&item.name),
                    clean(&item.detail)
                ));
            }
            let wrong = items.iter().filter(|item| !item.good).count();
            if good {
                text.push_str(&format!("{GOOD}✓{GOOD:#} {file}: {}\n", clean(summary)));
            } else {
                text.push_str(&format!("{file}: {wrong} not as it should be\n"));
            }
            output::print(&text)?;
        }
    }
    Ok(if good { exit::SUCCESS } else { exit::REFUSED })
}
