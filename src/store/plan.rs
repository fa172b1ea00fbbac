//! What a write comes to: the versions, records and handles to be added and dropped.
//!
//! **Invariant:** records are taken one after the other, as if each came alone; only the number
//! of the revision is shared. A key that comes twice leaves both versions in its history.
//! **Absent on purpose:** SQL.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use icpgate_policy::records::Handle;

use super::StoreError;
use super::encoding::{self, Row};

/// The version that holds for a key before the write.
pub(super) struct Stored {
    pub(super) kind: i64,
    pub(super) key: String,
    pub(super) version: i64,
    pub(super) source: String,
    pub(super) payload: Vec<u8>,
}

/// The version that holds for a key while the records are taken one after the other.
struct Current<'a> {
    version: i64,
    source: &'a str,
    payload: &'a [u8],
    /// The row that it comes from; `None` where it held before the write.
    row: Option<&'a Row>,
    /// Whether some version of the key did.
    known: bool,
}

/// A version to be written.
pub(super) struct Version<'a> {
    pub(super) id: i64,
    pub(super) previous: Option<i64>,
    pub(super) row: &'a Row,
}

/// A version that holds after the write.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Holding<'a> {
    pub(super) kind: i64,
    pub(super) key: &'a str,
    pub(super) version: i64,
    /// Whether another version of the key held before.
    pub(super) known: bool,
}

/// What a write comes to.
#[derive(Default)]
pub(super) struct Plan<'a> {
    pub(super) versions: Vec<Version<'a>>,
    /// Key, number and payload of versions that held before and do not any more.
    pub(super) replaced: Vec<(&'a str, i64, &'a [u8])>,
    /// The versions that hold afterwards, in the order of the keys.
    pub(super) records: Vec<Holding<'a>>,
    /// Handles of the versions that hold afterwards, in order.
    pub(super) handles: Vec<(&'a Handle, i64)>,
    pub(super) unchanged: u64,
    /// Number of records that are new, for each kind that was written to.
    pub(super) added: BTreeMap<i64, i64>,
}

/// Takes the records one after the other. Numbers of versions start at `next`.
pub(super) fn plan<'a>(rows: &'a [Row], stored: &'a [Stored], mut next: i64) -> Plan<'a> {
    let mut plan = Plan::default();
    let mut current: HashMap<(i64, &str), Current<'_>> = HashMap::with_capacity(rows.len());
    for Stored {
        kind,
        key,
        version,
        source,
        payload,
    } in stored
    {
        let here = Current {
            version: *version,
            source,
            payload,
            row: None,
            known: true,
        };
        current.insert((*kind, key.as_str()), here);
    }
    for row in rows {
        let added = plan.added.entry(row.kind).or_default();
        let mut place = current.entry((row.kind, row.key.as_str()));
        let here = match &mut place {
            Entry::Occupied(place) => Some(&*place.get_mut()),
            Entry::Vacant(_) => None,
        };
        if here.is_some_and(|here| here.source == &*row.source && here.payload == row.payload) {
            plan.unchanged += 1;
            continue;
        }
        if here.is_none() {
            *added += 1;
        }
        if let Some(here) = here.filter(|here| here.row.is_none()) {
            plan.replaced.push((&row.key, here.version, here.payload));
        }
        plan.versions.push(Version {
            id: next,
            previous: here.map(|here| here.version),
            row,
        });
        let here = Current {
            version: next,
            source: &row.source,
            payload: &row.payload,
            row: Some(row),
            known: here.is_some_and(|here| here.known),
        };
        place.insert_entry(here);
        next += 1;
    }
    for here in current.into_values() {
        let Some(row) = here.row else { continue };
        plan.records.push(Holding {
            kind: row.kind,
            key: &row.key,
            version: here.version,
            known: here.known,
        });
        let handles = row.handles.iter().map(|handle| (handle, here.version));
        plan.handles.extend(handles);
    }
    // Neighbours in the trees are written together.
    plan.records.sort_unstable();
    plan.handles.sort_unstable();
    plan
}

/// Sources of one write whose sync is noted. A feed has one or a few; where each record of a write
/// names another, they are no feeds, and noting them would hold the write up.
const SOURCES: usize = 64;

/// The sources of a write whose sync is to be noted, in order, none twice.
pub(super) fn sources(rows: &[Row]) -> Vec<&str> {
    let mut sources = BTreeSet::new();
    let mut before = None;
    for row in rows {
        // Neighbours mostly have the same one.
        let source = Some(&*row.source);
        if source != before {
            sources.extend(source);
            before = source;
        }
    }
    sources.into_iter().take(SOURCES).collect()
}

/// Handles of the versions that are replaced.
///
/// # Errors
/// [`StoreError::Inconsistent`] where one of them cannot be read.
pub(super) fn dropped_handles(plan: &Plan<'_>) -> Result<Vec<(Handle, i64)>, StoreError> {
    let mut handles = Vec::new();
    for (key, version, payload) in &plan.replaced {
        let record = encoding::record("record_version", key, payload)?;
        handles.extend(
            record
                .handles()
                .into_iter()
                .map(|handle| (handle, *version)),
        );
    }
    handles.sort_unstable();
    handles.dedup();
    Ok(handles)
}

/// Checks that a statement has written, or removed, as many rows as it should have.
///
/// # Errors
/// [`StoreError::Inconsistent`] where it has not.
pub(super) fn expect_rows(
    table: &'static str,
    affected: u64,
    expected: usize,
) -> Result<(), StoreError> {
    if affected == expected as u64 {
        Ok(())
    } else {
        Err(StoreError::Inconsistent {
            table,
            key: String::new(),
            problem: format!("{expected} rows were to be written or removed, and {affected} were"),
        })
    }
}
