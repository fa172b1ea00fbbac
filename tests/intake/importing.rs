//! Imports into an SQLite store, and into one that fails.

use std::io::Cursor;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use icpgate::intake::ndjson::{Limits, Lines, parse};
use icpgate::intake::{ImportReport, Intake, Line, Progress, REJECTED_KEPT, import};
use icpgate::store::{
    ChangeEntry, Found, Freshness, NewDecision, NewRecord, RecordedDecision, SqliteOptions,
    SqliteStore, Store, StoreError, Touched, Written,
};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::field::{Content, FileProblem};
use icpgate_policy::identity::CheckDigits;
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;

use super::support::{KINDS, data, intake, now};

async fn sqlite(folder: &tempfile::TempDir) -> SqliteStore {
    let options = SqliteOptions {
        migrate: true,
        key_id: "5eed".to_owned(),
    };
    SqliteStore::open(&folder.path().join("records.db"), options)
        .await
        .unwrap()
}

fn shared() -> Arc<Intake> {
    Arc::new(intake(CheckDigits::Refuse))
}

async fn lines(text: impl Into<Vec<u8>>) -> Lines {
    Lines::new(Cursor::new(text.into()), Limits::default())
        .await
        .unwrap()
}

async fn run(text: &str, store: &dyn Store) -> ImportReport {
    import(
        lines(text).await.into_stream(),
        &shared(),
        store,
        |_| {},
        now,
    )
    .await
    .unwrap()
}

fn adds_up(report: &ImportReport) {
    assert_eq!(
        report.accepted + report.unchanged + report.rejected_count,
        report.lines
    );
}

fn access(provider: impl std::fmt::Display) -> String {
    format!(r#"{{"access":{{"service_number":"京ICP备10046444号-1","provider_id":"{provider}"}}}}"#)
}

#[tokio::test]
async fn golden_records_are_imported_and_the_second_time_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let text: String = KINDS
        .iter()
        .map(|kind| std::fs::read_to_string(data(kind)).unwrap())
        .collect();
    let first = run(&text, &store).await;
    adds_up(&first);
    assert_eq!(first.rejected, []);
    assert_eq!(first.lines, 24);
    assert_eq!(first.file_problem, None);
    assert!(first.revision > Revision(0));
    let second = run(&text, &store).await;
    adds_up(&second);
    assert_eq!(second.revision, first.revision);
    assert_eq!((second.unchanged, second.accepted), (24, 0));
}

#[tokio::test]
async fn bad_lines_are_reported_with_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let text = format!("{}\n\nbad\n{}\n{{}}\n", access(1), access(2));
    let report = run(&text, &store).await;
    adds_up(&report);
    assert_eq!(
        (report.lines, report.accepted, report.rejected_count),
        (4, 2, 2)
    );
    let numbers: Vec<u64> = report.rejected.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [3, 5]);
    assert_eq!(report.through, 5);
    assert_eq!(report.file_problem, None);
}

#[tokio::test]
async fn an_import_without_a_good_line_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let report = run("a,b\n1,2\n", &store).await;
    assert_eq!((report.lines, report.rejected_count), (2, 2));
    assert_eq!(
        report.file_problem,
        Some(FileProblem::NotLines(Content::Csv))
    );
    assert_eq!(report.revision, Revision(0));
    assert_eq!(run("", &store).await.file_problem, Some(FileProblem::Empty));
}

#[tokio::test]
async fn several_batches_are_written_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let text: String = (0..48_000).map(|i| access(i % 44_000) + "\n").collect();
    let mut seen: Vec<Progress> = Vec::new();
    let stream = lines(text).await.into_stream();
    let report = import(
        stream,
        &shared(),
        &store,
        |progress| seen.push(*progress),
        now,
    )
    .await
    .unwrap();
    adds_up(&report);
    assert_eq!(
        (report.lines, report.accepted, report.unchanged),
        (48_000, 44_000, 4_000)
    );
    let steps: Vec<u64> = seen.iter().map(|progress| progress.lines).collect();
    assert_eq!(steps, [20_000, 40_000, 48_000]);
    assert_eq!(report.revision, Revision(3));
}

#[tokio::test]
async fn a_stream_of_records_is_imported_likewise() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let record = |line: &str| Line::Record(Box::new(parse(line.as_bytes()).unwrap()));
    let lines = vec![
        Ok((10, record(&access("a")))),
        Ok((20, record("{}"))),
        Ok((30, record(&access("b")))),
        Err(FileProblem::Interrupted),
        Ok((40, record(&access("never read")))),
    ];
    let stream = futures::stream::iter(lines);
    let report = import(stream, &shared(), &store, |_| {}, now)
        .await
        .unwrap();
    adds_up(&report);
    assert_eq!((report.accepted, report.rejected_count), (2, 1));
    assert_eq!(report.rejected[0].0, 20);
    assert_eq!(report.through, 30);
    assert_eq!(report.file_problem, Some(FileProblem::Interrupted));
}

#[tokio::test]
async fn a_million_bad_lines_take_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let report = run(&"{x\n".repeat(1_000_000), &store).await;
    adds_up(&report);
    assert_eq!(report.rejected_count, 1_000_000);
    assert_eq!(report.rejected.len(), REJECTED_KEPT);
    assert_eq!(report.rejected.last().unwrap().0, 10_000);
}

#[tokio::test]
async fn many_violations_a_line_take_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = sqlite(&folder).await;
    let empty = vec![r#""""#; 1_000].join(",");
    let line = format!(r#"{{"service":{{"domains":[{empty}]}}}}"#) + "\n";
    let report = run(&line.repeat(2_000), &store).await;
    assert_eq!(report.rejected.len(), 2_000);
    assert_eq!(report.rejected[0].1.len(), 1_002);
    let kept: usize = report
        .rejected
        .iter()
        .map(|(_, violations)| violations.len())
        .sum();
    assert!(kept <= 52_000, "{kept}");
    assert!(
        report
            .rejected
            .iter()
            .all(|(_, violations)| !violations.is_empty())
    );
}

#[tokio::test]
async fn a_store_that_fails_stops_the_import_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let store = Failing {
        inner: sqlite(&folder).await,
        left: AtomicUsize::new(1),
    };
    let text: String = (0..48_000).map(|i| access(i) + "\n").collect();
    let stream = lines(text.clone()).await.into_stream();
    let error = import(stream, &shared(), &store, |_| {}, now)
        .await
        .unwrap_err();
    assert_eq!(error.report.through, 20_000);
    assert_eq!(error.report.accepted, 20_000);
    adds_up(&error.report);
    assert!(error.to_string().contains("up to 20000"), "{error}");
    // Repeating it is safe.
    let report = run(&text, &store.inner).await;
    adds_up(&report);
    assert_eq!((report.unchanged, report.accepted), (20_000, 28_000));
}

/// A store that takes a few writes and then no more.
struct Failing {
    inner: SqliteStore,
    left: AtomicUsize,
}

#[async_trait]
impl Store for Failing {
    async fn put(&self, records: Vec<NewRecord>, at: Timestamp) -> Result<Written, StoreError> {
        if self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1))
            .is_err()
        {
            let problem = "full".to_owned();
            return Err(StoreError::Unusable {
                path: "records.db".to_owned(),
                problem,
            });
        }
        self.inner.put(records, at).await
    }

    async fn find(&self, sets: &[Vec<Handle>], freshness: Freshness) -> Result<Found, StoreError> {
        self.inner.find(sets, freshness).await
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        self.inner.head().await
    }

    async fn changes(
        &self,
        after: (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        self.inner.changes(after, limit).await
    }

    async fn touched(&self, after: Revision, limit: u32) -> Result<Touched, StoreError> {
        self.inner.touched(after, limit).await
    }

    async fn revision_before(&self, versions: u64) -> Result<Revision, StoreError> {
        self.inner.revision_before(versions).await
    }

    async fn changed(&self) -> Result<Option<Revision>, StoreError> {
        self.inner.changed().await
    }

    async fn history(&self, kind: RecordKind, key: &str) -> Result<Vec<Fact<Record>>, StoreError> {
        self.inner.history(kind, key).await
    }

    async fn record_decisions(&self, decisions: Vec<NewDecision>) -> Result<(), StoreError> {
        self.inner.record_decisions(decisions).await
    }

    async fn decision(&self, id: &str) -> Result<Option<RecordedDecision>, StoreError> {
        self.inner.decision(id).await
    }

    async fn id(&self) -> Result<String, StoreError> {
        self.inner.id().await
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        self.inner.counts().await
    }

    async fn source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        self.inner.source_syncs().await
    }

    async fn page(
        &self,
        kind: RecordKind,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        self.inner.page(kind, after, limit).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
