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
        for payload in [Some(entry.payload), entry.before].into_iter().flatten() {
            let record = encoding::record("record_version", entry.key, payload)?;
            handles.extend(record.handles());
        }
        Ok(())
    }

    pub(super) fn finish(self, through: Revision, head: Revision) -> Touched {
        let handles = self.handles.into_iter().map(|(revision, mut handles)| {
            handles.sort_unstable();
            handles.dedup();
            (revision, handles)
        });
        Touched {
            handles: handles.collect(),
            through,
            head,
        }
    }
}
