//! `icpgate import`: opens the file, shows how far it has come, and reports the result.
//!
//! Memory is bounded: of the refused lines only the first few are kept, all go to the file that
//! was asked for.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use clap::Args;
use icpgate_policy::explain::Language;
use icpgate_policy::explain::file::file_problem;
use icpgate_policy::facts::Revision;
use icpgate_policy::field::FileProblem;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use tokio::io::{AsyncRead, BufReader};

use super::exit::{self, Failure, OrExit as _};
use super::output::{self, BAD, BOLD, DIM, GOOD, Output, clean};
use super::remote;
use crate::clock::Clock;
use crate::intake::ndjson::{Limits, Lines};
use crate::intake::{Intake, Violation, import};
use crate::proto::v1;
use crate::proto::v1::record_service_client::RecordServiceClient;
use crate::store::Store;

/// Octets that are read from the file at once.
const CHUNK: usize = 256 * 1024;

/// Most refused lines that are shown.
const SHOWN: usize = 20;

/// Flags of `icpgate import`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate import records.ndjson
  icpgate import registry.ndjson.zst --rejected rejected.ndjson
  zcat feed.ndjson.gz | icpgate import -
  icpgate import records.ndjson --server http://127.0.0.1:50051

Exit codes: 0 all lines in, 1 some refused, 65 not a file of records, 66 no such file,
69 server unreachable, 74 file or store cannot be read or written")]
pub struct ImportArgs {
    /// The file, plain or compressed with gzip or zstd; `-` is standard input
    #[arg(value_hint = clap::ValueHint::FilePath)]
    pub file: PathBuf,
    /// Send the records to a running server instead of writing to the configured store
    #[arg(long, value_name = "URL", value_hint = clap::ValueHint::Url)]
    pub server: Option<String>,
    /// Write every refused line with what is wrong to this file, one JSON object a line
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub rejected: Option<PathBuf>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t)]
    pub output: Output,
}

/// What became of the lines.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Totals {
    /// Lines that were written.
    accepted: u64,
    /// Lines that say what was known already.
    unchanged: u64,
    /// Lines that were refused.
    rejected: u64,
    /// Freshness token of the last write; empty where nothing was written.
    revision: String,
}

/// Takes refused lines as they come, and reports at the end.
struct Report {
    form: Output,
    first: Vec<Rejected>,
    file: Option<(PathBuf, BufWriter<File>)>,
}

#[derive(Serialize)]
struct Rejected {
    line: u64,
    violations: Vec<Fault>,
}

#[derive(Serialize)]
struct Fault {
    field: String,
    description: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    lines: u64,
    accepted: u64,
    unchanged: u64,
    rejected: u64,
    revision: &'a str,
    /// The first of the refused lines.
    rejected_lines: &'a [Rejected],
}

/// Imports into a store of this process and prints the result. `token` writes a revision as
/// callers see it.
///
/// # Errors
///
/// The file cannot be read ([`exit::NO_INPUT`], [`exit::DATA`] or [`exit::IO`]), or the store fails
/// ([`exit::IO`]).
pub async fn into_store(
    args: &ImportArgs,
    limits: Limits,
    intake: &Arc<Intake>,
    store: &dyn Store,
    clock: &dyn Clock,
    token: impl Fn(Revision) -> String,
) -> Result<u8, Failure> {
    let (lines, bar) = open(&args.file, limits).await?;
    let mut report = Report::new(args)?;
    let shown = bar.clone();
    let progress = move |progress: &crate::intake::Progress| {
        shown.set_message(format!("{} lines", progress.lines));
    };
    let now = || clock.now();
    let done = import(lines.into_stream(), intake, store, progress, now).await;
    bar.finish_and_clear();
    let done = done.or_exit(exit::IO)?;
    for (line, violations) in done.rejected {
        report.reject(line, violations.iter().map(fault).collect())?;
    }
    let totals = Totals {
        accepted: done.accepted,
        unchanged: done.unchanged,
        rejected: done.rejected_count,
        revision: token(done.revision),
    };
    report.finish(&totals, done.file_problem.as_ref(), &args.file)
}

/// Sends the records to the server at `url` and prints the result. The import has no deadline: it
/// takes as long as the file is long.
///
/// # Errors
///
/// The file cannot be read ([`exit::NO_INPUT`], [`exit::DATA`] or [`exit::IO`]), or the server
/// cannot be reached or broke off ([`exit::UNAVAILABLE`]).
pub async fn over_grpc(
    args: &ImportArgs,
    limits: Limits,
    url: &str,
    access: &remote::Access,
) -> Result<u8, Failure> {
    let (lines, bar) = open(&args.file, limits).await?;
    let local = Arc::new(Mutex::new(Local {
        report: Report::new(args)?,
        rejected: 0,
        end: None,
    }));
    let mut client = RecordServiceClient::new(remote::connect(url, access, None).await?);
    let answer = client
        .import_records(requests(lines, Arc::clone(&local)))
        .await;
    bar.finish_and_clear();
    let answer = answer
        .map_err(|status| remote::failure(url, status))?
        .into_inner();
    // The call is over, and with it the stream that held the other reference.
    let Some(Local {
        mut report,
        rejected,
        end,
    }) = Arc::into_inner(local)
        .map(|local| local.into_inner().unwrap_or_else(PoisonError::into_inner))
    else {
        let error = anyhow::anyhow!("{url} answered before the whole file was sent");
        return Err(Failure::new(exit::SOFTWARE, error));
    };
    let problem = match end {
        None => None,
        Some(End::File(problem)) => Some(problem),
        Some(End::Report(failure)) => return Err(failure),
    };
    for refused in answer.rejected {
        let faults = refused
            .violations
            .into_iter()
            .map(|found| Fault {
                field: found.field,
                description: found.description,
            })
            .collect();
        report.reject(refused.line, faults)?;
    }
    let totals = Totals {
        accepted: answer.accepted,
        unchanged: answer.unchanged,
        rejected: answer.rejected_count.saturating_add(rejected),
        revision: answer.revision,
    };
    report.finish(&totals, problem.as_ref(), &args.file)
}

/// What this side of a call finds out about the file while it is sent.
struct Local {
    report: Report,
    /// Lines that are no records and were not sent.
    rejected: u64,
    end: Option<End>,
}

/// Why no more lines were sent.
enum End {
    File(FileProblem),
    Report(Failure),
}

/// The records as they are sent; lines that are none go to the report.
fn requests(
    lines: Lines,
    local: Arc<Mutex<Local>>,
) -> impl futures::Stream<Item = v1::ImportRecordsRequest> + Send + 'static {
    futures::stream::unfold((lines, local), |(mut lines, local)| async move {
        loop {
            let next = lines.next_record().await?;
            match next {
                Ok((line, Ok(record))) => {
                    let request = v1::ImportRecordsRequest {
                        record: Some(record),
                        line,
                    };
                    return Some((request, (lines, local)));
                }
                Ok((line, Err(violation))) => {
                    let mut local = local.lock().unwrap_or_else(PoisonError::into_inner);
                    local.rejected += 1;
                    if let Err(failure) = local.report.reject(line, vec![fault(&violation)]) {
                        local.end = Some(End::Report(failure));
                        return None;
                    }
                }
                Err(problem) => {
                    let mut local = local.lock().unwrap_or_else(PoisonError::into_inner);
                    local.end = Some(End::File(problem));
                    return None;
                }
            }
        }
    })
}

/// Opens the file, or standard input, behind a progress bar that moves with the bytes read and is
/// hidden where standard error is no terminal.
async fn open(file: &Path, limits: Limits) -> Result<(Lines, ProgressBar), Failure> {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    if file == Path::new("-") {
        let bar = ProgressBar::with_draw_target(None, target).with_style(style(
            "{spinner} {binary_bytes}, {binary_bytes_per_sec}, {msg}",
        ));
        let lines = lines(bar.wrap_async_read(tokio::io::stdin()), file, limits).await?;
        return Ok((lines, bar));
    }
    let opened = async {
        let opened = tokio::fs::File::open(file).await?;
        let metadata = opened.metadata().await?;
        if metadata.is_dir() {
            return Err(std::io::Error::from(std::io::ErrorKind::IsADirectory));
        }
        Ok((opened, metadata.len()))
    };
    let (opened, length) = opened
        .await
        .with_context(|| format!("open `{}`", file.display()))
        .or_exit(exit::NO_INPUT)?;
    let bar = ProgressBar::with_draw_target(Some(length), target).with_style(style(
        "{bar:30} {percent}% of {binary_total_bytes}, {binary_bytes_per_sec}, {eta} left, {msg}",
    ));
    let lines = lines(bar.wrap_async_read(opened), file, limits).await?;
    Ok((lines, bar))
}

async fn lines(
    reader: impl AsyncRead + Send + Unpin + 'static,
    file: &Path,
    limits: Limits,
) -> Result<Lines, Failure> {
    let reader = BufReader::with_capacity(CHUNK, reader);
    Lines::new(reader, limits)
        .await
        .map_err(|problem| bad_file(file, &problem))
}

fn bad_file(file: &Path, problem: &FileProblem) -> Failure {
    let code = match problem {
        FileProblem::Directory | FileProblem::NotFound | FileProblem::PermissionDenied => {
            exit::NO_INPUT
        }
        FileProblem::Damaged { .. }
        | FileProblem::Empty
        | FileProblem::NotLines(_)
        | FileProblem::TooLarge { .. }
        | FileProblem::Truncated { .. } => exit::DATA,
        FileProblem::Interrupted | FileProblem::Unreadable(_) => exit::IO,
    };
    let problem = file_problem(problem, Language::English);
    Failure::new(code, anyhow::anyhow!("`{}`: {problem}", file.display()))
}

fn fault(violation: &Violation) -> Fault {
    Fault {
        field: violation.field.clone(),
        description: violation.description(Language::English),
    }
}

impl Totals {
    fn lines(&self) -> u64 {
        self.accepted
            .saturating_add(self.unchanged)
            .saturating_add(self.rejected)
    }
}

impl Report {
    /// Begins a report; the file for refused lines is made at once.
    fn new(args: &ImportArgs) -> Result<Self, Failure> {
        let file = match &args.rejected {
            Some(path) => {
                let file = File::create(path)
                    .with_context(|| format!("make `{}`", path.display()))
                    .or_exit(exit::IO)?;
                Some((path.clone(), BufWriter::new(file)))
            }
            None => None,
        };
        Ok(Self {
            form: args.output,
            first: Vec::new(),
            file,
        })
    }

    fn reject(&mut self, line: u64, violations: Vec<Fault>) -> Result<(), Failure> {
        let rejected = Rejected { line, violations };
        if let Some((path, file)) = &mut self.file {
            let text = serde_json::to_string(&rejected).or_exit(exit::SOFTWARE)?;
            writeln!(file, "{text}")
                .with_context(|| format!("write `{}`", path.display()))
                .or_exit(exit::IO)?;
        }
        if self.first.len() < SHOWN {
            self.first.push(rejected);
        }
        Ok(())
    }

    /// Prints the result. The exit code is 1 where lines were refused. A problem with the file is
    /// told behind what became of the lines before it.
    fn finish(
        mut self,
        totals: &Totals,
        problem: Option<&FileProblem>,
        source: &Path,
    ) -> Result<u8, Failure> {
        if let Some((path, file)) = &mut self.file {
            file.flush()
                .with_context(|| format!("write `{}`", path.display()))
                .or_exit(exit::IO)?;
        }
        self.first.sort_by_key(|rejected| rejected.line);
        match self.form {
            Output::Json => output::print_json(&Summary {
                lines: totals.lines(),
                accepted: totals.accepted,
                unchanged: totals.unchanged,
                rejected: totals.rejected,
                revision: &totals.revision,
                rejected_lines: &self.first,
            })?,
            Output::Table => output::print(&self.table(totals, problem.is_none()))?,
        }
        match problem {
            Some(problem) => Err(bad_file(source, problem)),
            None if totals.rejected == 0 => Ok(exit::SUCCESS),
            None => Ok(exit::REFUSED),
        }
    }

    fn table(&self, totals: &Totals, whole: bool) -> String {
        let lines = totals.lines();
        let (mark, style) = if totals.rejected == 0 && whole {
            ("✓", GOOD)
        } else {
            ("✗", BAD)
        };
        let mut text = format!(
            "{style}{mark}{style:#} {BOLD}{lines} lines{BOLD:#}: {} accepted, {} unchanged, {} \
             rejected\n",
            totals.accepted, totals.unchanged, totals.rejected
        );
        if !totals.revision.is_empty() {
            let _ = writeln!(text, "  {DIM}revision{DIM:#} {}", clean(&totals.revision));
        }
        if !self.first.is_empty() {
            let mut table = output::table(&["line", "field", "what is wrong"]);
            for rejected in &self.first {
                for (place, found) in rejected.violations.iter().enumerate() {
                    let line = if place == 0 {
                        rejected.line.to_string()
                    } else {
                        String::new()
                    };
                    let (field, description) = (clean(&found.field), clean(&found.description));
                    table.add_row([line, field.into_owned(), description.into_owned()]);
                }
            }
            let _ = writeln!(text, "\n{}", table.trim_fmt());
        }
        let shown = u64::try_from(self.first.len()).unwrap_or(u64::MAX);
        let more = totals.rejected.saturating_sub(shown);
        if more > 0 {
            let rest = match &self.file {
                Some((path, _)) => format!("all are in {}", path.display()),
                None => "`--rejected FILE` writes all of them to a file".to_owned(),
            };
            let _ = writeln!(text, "  … and {more} more; {rest}");
        }
        text
    }
}

/// A style whose template is fixed; a template with an error would fall back to the built-in one.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(rejected: Option<PathBuf>) -> ImportArgs {
        ImportArgs {
            file: "-".into(),
            server: None,
            rejected,
            output: Output::Table,
        }
    }

    #[test]
    fn a_few_refused_lines_are_shown_and_all_are_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rejected.ndjson");
        let mut report = Report::new(&args(Some(path.clone()))).unwrap();
        for line in 1..=30 {
            let fault = Fault {
                field: "service.service_number".into(),
                description: "the character 号 is missing".into(),
            };
            report.reject(line, vec![fault]).unwrap();
        }
        let totals = Totals {
            accepted: 1,
            unchanged: 2,
            rejected: 30,
            revision: "r9".into(),
        };
        let text = anstream::adapter::strip_str(&report.table(&totals, true)).to_string();
        assert!(
            text.starts_with("✗ 33 lines: 1 accepted, 2 unchanged, 30 rejected\n"),
            "{text}"
        );
        assert_eq!(text.matches("the character 号 is missing").count(), 20);
        assert!(text.contains("… and 10 more; all are in "), "{text}");
        let code = report.finish(&totals, None, Path::new("-")).unwrap();
        assert_eq!(code, exit::REFUSED);
        let written = std::fs::read_to_string(path).unwrap();
        assert_eq!(written.lines().count(), 30);
        let first = r#"{"line":1,"violations":[{"field":"service.service_number","description":"#;
        assert!(written.starts_with(first), "{written}");
    }

    #[tokio::test]
    async fn a_missing_file_and_a_folder_are_no_input() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().join("none.ndjson"), folder.path().to_owned()] {
            let Err(failure) = open(&path, Limits::default()).await else {
                panic!("{path:?} was opened");
            };
            assert_eq!(failure.code, exit::NO_INPUT, "{path:?}");
        }
    }
}
