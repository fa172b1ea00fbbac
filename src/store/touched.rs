//! Puts together what was touched from rows of versions, in whatever order they come.
//!
//! **Absent on purpose:** SQL.

use std::collections::BTreeMap;

use icpgate_policy::facts::Revision;
use icpgate_policy::records::Handle;

use super::{StoreError, Touched, encoding};

/// A version that was written, as its row says.
pub(super) struct Entry<'r> {
    pub(super) revision: Revision,
    pub(super) key: &'r str,
    pub(super) payload: &'r [u8],
    /// Payload of the version that it replaced; `None` where it is the first of its key.
    pub(super) before: Option<&'r [u8]>,
}

#[derive(Default)]
pub(super) struct Gathered {
    handles: BTreeMap<Revision, Vec<Handle>>,
}

impl Gathered {
    /// Adds the handles of a version and of the one that it replaced.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`] where one of them cannot be read.
    pub(super) fn add(&mut self, entry: &Entry<'_>) -> Result<(), StoreError> {
        let handles = self.handles.entry(entry.revision).or_default();
        let payloads = [Some(entry.payload), entry.before].into_iter().flatten();
        // What was erased is found under nothing; whoever erased it had all be forgotten.
        for payload in payloads.filter(|payload| *payload != encoding::ERASED_RECORD) {
            let record = encoding::record("record_version", entry.key, payload)?;
            handles.extend(record.handles());
        }
        Ok(())
    }

    /// Takes the revision that was asked for, the last one read and the newest one.
    pub(super) fn finish(self, after: Revision, through: Revision, head: Revision) -> Touched {
        // Revisions have no gap. One without a version is of a write that changed all.
        let everything = (after.0.saturating_add(1)..=through.0)
            .rev()
            .map(Revision)
            .find(|revision| !self.handles.contains_key(revision));
        let handles = self.handles.into_iter().map(|(revision, mut handles)| {
            handles.sort_unstable();
            handles.dedup();
            (revision, handles)
        });
        Touched {
            handles: handles.collect(),
            everything,
            through,
            head,
        }
    }
}
