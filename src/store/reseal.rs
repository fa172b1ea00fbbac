//! Sealed values in rows, and what becomes of them under the next key.
//!
//! **Absent on purpose:** SQL.

use icpgate_policy::codes::RecordKind;
use icpgate_policy::identity::Resealer;
use icpgate_policy::personal;

use super::StoreError;
use super::encoding::{self, Contents};
use super::upkeep::{Progress, Stage};

/// Rows that are worked on at once, at most.
pub(super) const PAGE: u32 = 512;

/// Rows between two tellings of how far the work has come.
const TOLD_EVERY: u64 = 16 * 512;

/// Number of each kind whose records may hold sealed values.
pub(super) const SEALED_KINDS: [i64; 5] = [
    encoding::kind_number(RecordKind::Subject),
    encoding::kind_number(RecordKind::Licence),
    encoding::kind_number(RecordKind::Registration),
    encoding::kind_number(RecordKind::Block),
    encoding::kind_number(RecordKind::Approval),
];

/// What becomes of a version; `None` where nothing does.
///
/// # Errors
/// [`StoreError::Inconsistent`] where it cannot be read.
pub(super) fn version(
    key: &Resealer,
    record_key: &str,
    payload: &[u8],
) -> Result<Option<Contents>, StoreError> {
    if payload == encoding::ERASED_RECORD {
        return Ok(None);
    }
    let mut record = encoding::record("record_version", record_key, payload)?;
    let mut sealed = false;
    personal::in_record(&mut record, &mut |value| {
        sealed = true;
        key.reseal(value);
    });
    if !sealed {
        return Ok(None);
    }
    encoding::contents(&record).map(Some)
}

/// What becomes of the facts of a decision; `None` where nothing does.
///
/// # Errors
/// [`StoreError::Inconsistent`] where they cannot be read.
pub(super) fn facts(key: &Resealer, bytes: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let mut facts = encoding::facts(bytes)?;
    let mut sealed = false;
    personal::in_facts(&mut facts, &mut |value| {
        sealed = true;
        key.reseal(value);
    });
    sealed
        .then(|| encoding::encoded("content", &facts))
        .transpose()
}

/// What becomes of the question of a decision; `None` where nothing does.
///
/// # Errors
/// [`StoreError::Inconsistent`] where it cannot be read.
pub(super) fn profile(
    key: &Resealer,
    decision_id: &str,
    bytes: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let mut profile = encoding::profile(decision_id, bytes)?;
    let mut sealed = false;
    personal::in_profile(&mut profile, &mut |value| {
        sealed = true;
        key.reseal(value);
    });
    sealed
        .then(|| encoding::encoded("decision", &profile))
        .transpose()
}

/// Counts what is done, and tells of it from time to time.
pub(super) struct Counter<'p> {
    stage: Stage,
    done: u64,
    told: u64,
    progress: &'p (dyn Fn(Progress) + Send + Sync),
}

impl<'p> Counter<'p> {
    pub(super) fn new(stage: Stage, progress: &'p (dyn Fn(Progress) + Send + Sync)) -> Self {
        Self {
            stage,
            done: 0,
            told: 0,
            progress,
        }
    }

    /// Adds a page of that many rows; whether another one may follow.
    pub(super) fn add(&mut self, rows: usize) -> bool {
        self.done += rows as u64;
        if self.done - self.told >= TOLD_EVERY {
            self.told = self.done;
            (self.progress)(Progress {
                stage: self.stage,
                done: self.done,
            });
        }
        rows >= PAGE as usize
    }
}
