//! Many records into the store: in batches, the next one read while the last one is written.
//!
//! **Invariant:** every line is counted once, as accepted, unchanged or rejected; memory is
//! bounded, however long the import is and however many of its lines are bad. An import may be
//! repeated: what was written is unchanged then.
//! Start at [`import()`].

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt as _};
use icpgate_policy::facts::Revision;
use icpgate_policy::field::FileProblem;
use jiff::Timestamp;
use prost::Message as _;
use tokio::time::Instant;

use super::{Intake, Line, Violation};
use crate::store::{NewRecord, Store, StoreError, Written};
use crate::telemetry::call::{self, Part};

/// Rejected lines that a report holds; more are counted only.
pub const REJECTED_KEPT: usize = 10_000;

/// Violations that a report holds; beyond them a rejected line keeps its first.
const VIOLATIONS_KEPT: usize = 50_000;

/// Most records that are written at once. Keys and handles come in no order, so that a write touches
/// most pages of their trees however few records it has: the fewer writes, the better.
const BATCH_RECORDS: usize = 20_000;

/// Fewest, however slow the store is.
const BATCH_RECORDS_LEAST: usize = 500;

/// How long one write should take. Writes stand in a row, so that all others wait for it; a store on
/// a slow or busy disk gets smaller ones.
const BATCH_TIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(4);

/// Octets of records that are written at once, about.
const BATCH_OCTETS: usize = 8 * 1024 * 1024;

/// How far an import has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Lines dealt with, blank ones not counted.
    pub lines: u64,
    /// Octets of these lines.
    pub octets: u64,
    /// Lines that were written.
    pub accepted: u64,
    /// Lines that say what was known already.
    pub unchanged: u64,
    /// Lines that were refused.
    pub rejected: u64,
}

/// The result of an import. `accepted` + `unchanged` + `rejected_count` = `lines`.
#[derive(Clone, Debug, PartialEq)]
pub struct ImportReport {
    /// Lines dealt with, blank ones not counted.
    pub lines: u64,
    /// Lines that were written.
    pub accepted: u64,
    /// Lines that say what was known already.
    pub unchanged: u64,
    /// Lines that were refused.
    pub rejected_count: u64,
    /// The first [`REJECTED_KEPT`] refused lines with what is wrong.
    pub rejected: Vec<(u64, Vec<Violation>)>,
    /// Number of the last line dealt with; everything up to it is written or refused. 0: none.
    pub through: u64,
    /// Newest revision after the last write; the store's newest where nothing was written.
    pub revision: Revision,
    /// What is wrong with the whole file, or with the rest of it.
    pub file_problem: Option<FileProblem>,
}

/// An import that stopped. Repeating it is safe.
#[derive(Debug, thiserror::Error)]
#[error("import records; all lines up to {} are written", report.through)]
pub struct ImportError {
    /// What was done until then.
    pub report: ImportReport,
    /// Why it stopped.
    #[source]
    pub failure: ImportFailure,
}

/// Why an import stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportFailure {
    /// The program is ending.
    #[error("read records: the program is ending")]
    Ending,
    /// The store failed.
    #[error("write records")]
    Store(#[from] StoreError),
}

/// Takes lines in and writes the good ones.
///
/// Lines come from [`Lines::into_stream`](super::ndjson::Lines::into_stream) or from a stream of
/// records; an error in them is taken as their end. `now` is asked once for each batch. A batch
/// is committed whole; the import as a whole is not, so dropping the future leaves the batches
/// that were written.
///
/// # Errors
///
/// Where the store fails, with the report until then.
pub async fn import<L>(
    mut lines: L,
    intake: &Arc<Intake>,
    store: &dyn Store,
    mut progress: impl FnMut(&Progress),
    now: impl Fn() -> Timestamp,
) -> Result<ImportReport, Box<ImportError>>
where
    L: Stream<Item = Result<(u64, Line), FileProblem>> + Unpin,
{
    let mut tally = Tally::default();
    let mut ready: Option<Batch> = None;
    let mut most = BATCH_RECORDS;
    loop {
        let at = now();
        let batch_of = most;
        let next = async { prepare(gather(&mut lines, batch_of).await, intake, at).await };
        let outcome = match ready.take() {
            None => next.await.map(|next| (None, next)),
            Some(batch) if batch.end => {
                let written = write(store, batch, at).await;
                match written {
                    Ok(written) => {
                        tally.add(written);
                        progress(&tally.progress);
                        break;
                    }
                    Err(failure) => Err(failure),
                }
            }
            Some(batch) => {
                let writing = write(store, batch, at);
                futures::future::try_join(writing, next)
                    .await
                    .map(|(written, next)| (Some(written), next))
            }
        };
        match outcome {
            Ok((written, next)) => {
                if let Some(written) = written {
                    most = paced(most, written.took);
                    tally.add(written);
                    progress(&tally.progress);
                }
                ready = Some(next);
            }
            Err(failure) => return Err(tally.stopped(failure)),
        }
    }
    match tally.revision {
        Some(revision) => Ok(tally.report(revision)),
        None => match store.head().await {
            Ok(revision) => Ok(tally.report(revision)),
            Err(error) => Err(tally.stopped(error.into())),
        },
    }
}

/// Lines that are dealt with together.
struct Gathered {
    lines: Vec<(u64, Line)>,
    octets: u64,
    end: bool,
    problem: Option<FileProblem>,
}

/// Lines after reading.
struct Batch {
    records: Vec<NewRecord>,
    rejected: Vec<(u64, Vec<Violation>)>,
    lines: u64,
    octets: u64,
    /// Number of the last line.
    through: u64,
    end: bool,
    problem: Option<FileProblem>,
}

/// Lines after writing.
struct Done {
    batch: Batch,
    written: Option<Written>,
    took: Duration,
}

#[derive(Default)]
struct Tally {
    progress: Progress,
    rejected: Vec<(u64, Vec<Violation>)>,
    violations: usize,
    through: u64,
    revision: Option<Revision>,
    problem: Option<FileProblem>,
}

/// How many records the next write may have after one of at most `most` that took so long.
fn paced(most: usize, took: Duration) -> usize {
    if took > *BATCH_TIME.end() {
        (most / 2).max(BATCH_RECORDS_LEAST)
    } else if took < *BATCH_TIME.start() {
        (most * 2).min(BATCH_RECORDS)
    } else {
        most
    }
}

async fn gather<L>(lines: &mut L, most: usize) -> Gathered
where
    L: Stream<Item = Result<(u64, Line), FileProblem>> + Unpin,
{
    let mut gathered = Gathered {
        lines: Vec::new(),
        octets: 0,
        end: false,
        problem: None,
    };
    let mut octets = 0_usize;
    while gathered.lines.len() < most && octets < BATCH_OCTETS {
        match lines.next().await {
            Some(Ok((number, line))) => {
                octets = octets.saturating_add(octets_of(&line));
                gathered.lines.push((number, line));
            }
            Some(Err(problem)) => {
                gathered.problem = Some(problem);
                gathered.end = true;
                break;
            }
            None => {
                gathered.end = true;
                break;
            }
        }
    }
    gathered.octets = u64::try_from(octets).unwrap_or(u64::MAX);
    gathered
}

fn octets_of(line: &Line) -> usize {
    match line {
        Line::Text(text) => text.len(),
        Line::Record(record) => record.encoded_len(),
        Line::Unreadable(_) => 0,
    }
}

/// Reads lines on a thread of their own, so that writing is not held up.
async fn prepare(
    gathered: Gathered,
    intake: &Arc<Intake>,
    now: Timestamp,
) -> Result<Batch, ImportFailure> {
    let intake = Arc::clone(intake);
    tokio::task::spawn_blocking(move || read(gathered, &intake, now))
        .await
        .map_err(|_| ImportFailure::Ending)
}

fn read(gathered: Gathered, intake: &Intake, now: Timestamp) -> Batch {
    let Gathered {
        lines,
        octets,
        end,
        problem,
    } = gathered;
    let mut batch = Batch {
        records: Vec::with_capacity(lines.len()),
        rejected: Vec::new(),
        lines: u64::try_from(lines.len()).unwrap_or(u64::MAX),
        octets,
        through: lines.last().map_or(0, |(number, _)| *number),
        end,
        problem,
    };
    let mut room = VIOLATIONS_KEPT;
    for (number, line) in lines {
        let record = line.into_record().map_err(|violation| vec![violation]);
        match record.and_then(|record| intake.record(record, now)) {
            Ok(record) => batch.records.push(record),
            Err(mut violations) => {
                violations.truncate(room.max(1));
                room = room.saturating_sub(violations.len());
                batch.rejected.push((number, violations));
            }
        }
    }
    batch
}

async fn write(store: &dyn Store, mut batch: Batch, at: Timestamp) -> Result<Done, ImportFailure> {
    let records = std::mem::take(&mut batch.records);
    let begun = Instant::now();
    let written = if records.is_empty() {
        None
    } else {
        Some(call::timed(Part::Store, "put records", store.put(records, at)).await?)
    };
    Ok(Done {
        batch,
        written,
        took: begun.elapsed(),
    })
}

impl Tally {
    fn add(&mut self, done: Done) {
        let Done {
            batch,
            written,
            took: _,
        } = done;
        let rejected = u64::try_from(batch.rejected.len()).unwrap_or(u64::MAX);
        self.progress.lines = self.progress.lines.saturating_add(batch.lines);
        self.progress.octets = self.progress.octets.saturating_add(batch.octets);
        self.progress.rejected = self.progress.rejected.saturating_add(rejected);
        if let Some(written) = written {
            self.progress.accepted = self.progress.accepted.saturating_add(written.accepted);
            self.progress.unchanged = self.progress.unchanged.saturating_add(written.unchanged);
            self.revision = Some(written.revision);
        }
        let room = REJECTED_KEPT.saturating_sub(self.rejected.len());
        for (number, mut violations) in batch.rejected.into_iter().take(room) {
            let room = VIOLATIONS_KEPT.saturating_sub(self.violations).max(1);
            violations.truncate(room);
            self.violations = self.violations.saturating_add(violations.len());
            self.rejected.push((number, violations));
        }
        if batch.lines > 0 {
            self.through = batch.through;
        }
        self.problem = batch.problem;
    }

    fn report(self, revision: Revision) -> ImportReport {
        ImportReport {
            lines: self.progress.lines,
            accepted: self.progress.accepted,
            unchanged: self.progress.unchanged,
            rejected_count: self.progress.rejected,
            rejected: self.rejected,
            through: self.through,
            revision,
            file_problem: self.problem,
        }
    }

    fn stopped(self, failure: ImportFailure) -> Box<ImportError> {
        let revision = self.revision.unwrap_or_default();
        Box::new(ImportError {
            report: self.report(revision),
            failure,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_store_gets_smaller_writes_and_a_quick_one_larger_ones_again() {
        let (slow, quick) = (Duration::from_secs(10), Duration::from_millis(100));
        assert_eq!(paced(BATCH_RECORDS, slow), BATCH_RECORDS / 2);
        assert_eq!(paced(BATCH_RECORDS_LEAST, slow), BATCH_RECORDS_LEAST);
        assert_eq!(paced(4_000, Duration::from_secs(2)), 4_000);
        assert_eq!(paced(4_000, quick), 8_000);
        assert_eq!(paced(BATCH_RECORDS, quick), BATCH_RECORDS);
    }
}
