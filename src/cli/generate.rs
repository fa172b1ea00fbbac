//! `icpgate generate`: writes an invented registry as NDJSON, in bounded memory.
//!
//! A file appears under its name when it is whole, and not before.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use icpgate_policy::calendar::beijing_day;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;
use jiff::civil::Date;
use tempfile::NamedTempFile;

use super::exit::{self, Failure, OrExit as _};
use super::output::{self, BOLD, GOOD};
use crate::config::{ProviderId, Setting as _};
use crate::generate::{FIRST_DAY, LAST_DAY, MOST_DOMAINS, Parameters, Records, day, domain_names};

/// Octets that are written at once.
const CHUNK: usize = 256 * 1024;

/// Records between two looks at the progress.
const PACE: u64 = 4_096;

/// Standard output.
const STDOUT: &str = "-";

/// Flags of `icpgate generate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  icpgate generate --domains 1000 | icpgate import -
  icpgate generate --domains 6000000 --seed 7 --as-of 2026-11-22 --output registry.ndjson
  icpgate generate --domains 100000 --output registry.ndjson --questions names.txt

The same version, seed, day and provider give the same octets.

Exit codes: 0 all written, or the reader had enough; 64 usage, 74 file cannot be written")]
pub struct GenerateArgs {
    /// How many domains the registry holds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_DOMAINS))]
    pub domains: u64,
    /// Where all draws come from
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// File for the records; `-` is standard output
    #[arg(long, value_name = "FILE", default_value = STDOUT, value_hint = clap::ValueHint::FilePath)]
    pub output: PathBuf,
    /// File for the names of the domains, one a line in their order
    #[arg(long, value_name = "FILE", value_parser = a_file, value_hint = clap::ValueHint::FilePath)]
    pub questions: Option<PathBuf>,
    /// This provider in the records [default: the key provider.id]
    #[arg(long, value_name = "ID", value_parser = provider)]
    pub provider_id: Option<ProviderId>,
    /// Day at whose beginning the registry stands so, Beijing [default: today]
    #[arg(long, value_name = "DATE", value_parser = as_of)]
    pub as_of: Option<Date>,
}

/// Where lines are written.
enum Sink {
    /// Standard output, or something that is no regular file.
    Stream(BufWriter<Box<dyn Write>>),
    /// A file beside the one that was asked for, which it replaces when it is whole.
    File(BufWriter<NamedTempFile>, PathBuf),
}

/// Writes the registry as of today, `now` in Beijing, unless another day was asked for.
///
/// # Errors
///
/// A file cannot be written ([`exit::IO`]), or both files are one ([`exit::USAGE`]).
pub fn run(args: &GenerateArgs, provider_id: &ProviderId, now: Timestamp) -> Result<u8, Failure> {
    if args.questions.as_ref() == Some(&args.output) {
        let error = anyhow::anyhow!("--output and --questions name the same file; give two");
        return Err(Failure::new(exit::USAGE, error));
    }
    let parameters = Parameters {
        seed: args.seed,
        domains: args.domains,
        as_of: args.as_of.unwrap_or_else(|| beijing_day(now)),
        provider_id: provider_id.as_str().to_owned(),
    };
    // Both are begun before hours of work go into the first.
    let mut questions = args.questions.as_deref().map(Sink::open).transpose()?;
    let mut records = Sink::open(&args.output)?;
    let written = write_records(
        &parameters,
        &mut records,
        &progress(&args.output, args.domains),
    )
    .and_then(|count| records.finish().map(|()| count));
    let count = ended(written, &args.output)?;
    if let (Some(mut sink), Some(path)) = (questions.take(), &args.questions) {
        let written = domain_names(args.seed, args.domains)
            .try_for_each(|name| writeln!(sink.writer(), "{name}"))
            .and_then(|()| sink.finish());
        ended(written, path)?;
    }
    // Standard output may hold the records; nothing else goes there then.
    if let (Some(count), false) = (count, args.output == Path::new(STDOUT)) {
        output::print(&format!(
            "{GOOD}✓{GOOD:#} {BOLD}{} domains{BOLD:#}: {count} records in {}\n",
            args.domains,
            args.output.display()
        ))?;
    }
    Ok(exit::SUCCESS)
}

/// Writes all records and returns their number.
fn write_records(parameters: &Parameters, sink: &mut Sink, bar: &ProgressBar) -> io::Result<u64> {
    let mut records = Records::new(parameters);
    let mut count = 0_u64;
    let mut line = Vec::new();
    while let Some(record) = records.next() {
        line.clear();
        serde_json::to_writer(&mut line, &record)?;
        line.push(b'\n');
        sink.writer().write_all(&line)?;
        count += 1;
        if count.is_multiple_of(PACE) {
            bar.set_position(records.domains());
        }
    }
    bar.finish_and_clear();
    Ok(count)
}

/// What a write came to; nothing where the reader has gone away, as `head` does, which is no
/// failure.
fn ended<T>(written: io::Result<T>, path: &Path) -> Result<Option<T>, Failure> {
    match written {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(None),
        Err(error) => Err(error)
            .with_context(|| format!("write `{}`", path.display()))
            .or_exit(exit::IO),
    }
}

impl Sink {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path == Path::new(STDOUT) {
            let stdout: Box<dyn Write> = Box::new(io::stdout().lock());
            return Ok(Self::Stream(BufWriter::with_capacity(CHUNK, stdout)));
        }
        Self::open_file(path)
            .with_context(|| format!("make `{}`", path.display()))
            .or_exit(exit::IO)
    }

    fn open_file(path: &Path) -> io::Result<Self> {
        // A link is kept, and what it leads to is replaced.
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(error),
        };
        // A device or a pipe is written to and never replaced.
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            let stream: Box<dyn Write> = Box::new(File::options().write(true).open(&path)?);
            return Ok(Self::Stream(BufWriter::with_capacity(CHUNK, stream)));
        }
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let mut builder = tempfile::Builder::new();
        builder.prefix(".icpgate-").suffix(".part");
        #[cfg(unix)]
        {
            // Invented records are no secret: rights as of any new file.
            let rights = std::os::unix::fs::PermissionsExt::from_mode(0o666);
            builder.permissions(rights);
        }
        let file = builder.tempfile_in(folder.unwrap_or(Path::new(".")))?;
        Ok(Self::File(BufWriter::with_capacity(CHUNK, file), path))
    }

    fn writer(&mut self) -> &mut dyn Write {
        match self {
            Self::Stream(writer) => writer,
            Self::File(writer, _) => writer,
        }
    }

    /// Writes out what is held back, and gives a file its name.
    fn finish(self) -> io::Result<()> {
        match self {
            Self::Stream(mut writer) => writer.flush(),
            Self::File(writer, path) => {
                let file = writer
                    .into_inner()
                    .map_err(io::IntoInnerError::into_error)?;
                file.persist(path).map_err(|error| error.error)?;
                Ok(())
            }
        }
    }
}

/// A bar on standard error, if that is a terminal and the records do not go to it too.
fn progress(output: &Path, domains: u64) -> ProgressBar {
    let mixed = output == Path::new(STDOUT) && io::stdout().is_terminal();
    let target = if io::stderr().is_terminal() && !mixed {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template("{bar:30} {pos} of {len} domains, {eta} left");
    ProgressBar::with_draw_target(Some(domains), target)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn provider(text: &str) -> Result<ProviderId, String> {
    ProviderId::read(text).ok_or_else(|| format!("give {}", ProviderId::EXPECTED))
}

fn as_of(text: &str) -> Result<Date, String> {
    day(text).ok_or_else(|| format!("give a day from {FIRST_DAY} to {LAST_DAY}"))
}

/// The names are beside the records, so they cannot go to standard output.
fn a_file(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() || text == STDOUT {
        Err("give the name of a file".to_owned())
    } else {
        Ok(text.into())
    }
}
