//! Records, their history, the change log and the decision log in SQL: the port and its engines.
//!
//! **Invariant:** one method is one transaction and one use case; revisions are handed out in
//! commit order, so that a reader who saw revision n has seen everything before it.
//! **Absent on purpose:** raw personal values never reach this room, and no rule is evaluated
//! here.
//! Start at [`Store`].

mod encoding;
mod erase;
mod form;
mod metered;
mod person;
mod plan;
mod postgres;
mod prune;
mod reseal;
mod sqlite;
mod touched;
mod upkeep;

use std::sync::Arc;

use async_trait::async_trait;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;

use crate::telemetry::metrics::label::Pool;

pub use metered::{MeteredStore, observe_pools};
pub use postgres::{PostgresOptions, PostgresStore};
pub use sqlite::{SqliteOptions, SqliteStore, backup_sqlite};
pub use upkeep::{
    Aged, Erase, Erased, KEPT_AT_LEAST, Progress, Prunable, Prune, Pruned, Reseal, Resealed, Stage,
    Upkeep, Whom,
};

/// Most sources that [`Store::source_syncs`] tells of. Feeds are a few; more is somebody who makes up
/// a source for each file.
pub const MOST_SOURCES: u32 = 1000;

/// A record to write.
#[derive(Clone, Debug)]
pub struct NewRecord {
    /// The record.
    pub record: Record,
    /// Who reported it.
    pub source: Arc<str>,
    /// When the source observed it; kept to the microsecond.
    pub observed_at: Timestamp,
}

/// The result of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// Newest revision after the write; the write's own where it changed anything.
    pub revision: Revision,
    /// Records written.
    pub accepted: u64,
    /// Records that say what was known already: same value and same source. They get no new
    /// revision and leave `observed_at` as it is.
    pub unchanged: u64,
}

/// Records found for the sets of handles that were asked for, all from one snapshot.
#[derive(Clone, Debug)]
pub struct Found {
    /// One list for each set, in the order of the question. A record that several sets lead to
    /// stands in each.
    pub sets: Vec<Vec<Fact<Record>>>,
    /// Newest revision of the snapshot.
    pub revision: Revision,
    /// When each kind was last synced, that is last written to by a completed write or import,
    /// unchanged records included. Kinds never written are left out.
    pub synced_at: Vec<(RecordKind, Timestamp)>,
}

/// How fresh the records have to be that a question is answered from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Any committed state that holds what was written through this very store; one that lags
    /// behind what others wrote will do, such as that of a read replica.
    Any,
    /// A state that holds this revision. Where no state does, because the revision is not
    /// written yet, the newest one there is: the caller compares [`Found::revision`].
    AtLeast(Revision),
    /// The newest committed state.
    Newest,
}

/// What was written after a revision: the handles under which something may be found now, or was
/// found before, that was not so then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Touched {
    /// Each revision, in order, with the handles of the versions written and of the versions that
    /// these replaced; in order, none twice. A revision is there whole or not at all.
    pub handles: Vec<(Revision, Vec<Handle>)>,
    /// The newest revision here that changed more than can be told: whatever was read before it may
    /// be otherwise now. `None`: none did.
    pub everything: Option<Revision>,
    /// The last revision that is here. It is `head` where everything was read; also where the
    /// revision that was asked for is beyond `head`, which is for the caller to notice.
    pub through: Revision,
    /// Newest revision of the snapshot.
    pub head: Revision,
}

/// One entry of the change log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChangeEntry {
    /// The write.
    pub revision: Revision,
    /// Place within the write, from 0.
    pub place: u32,
    /// Kind of the record.
    pub kind: RecordKind,
    /// Key as shown to people.
    pub shown_key: String,
    /// Who reported it.
    pub source: String,
    /// When the write was committed.
    pub committed_at: Timestamp,
}

/// A decision to record, with everything that replays it.
#[derive(Clone, Debug)]
pub struct NewDecision {
    /// Identifier derived from the inputs.
    pub decision_id: String,
    /// The encoded answer, whole.
    pub answer: Vec<u8>,
    /// The encoded request profile.
    pub profile: Vec<u8>,
    /// The encoded facts and their digest; kept once for equal facts. Empty where nothing sealed is
    /// to be kept, in `profile` neither: such decisions are taken whatever the key.
    pub facts: Content,
    /// The policy document and its digest; kept once for equal documents.
    pub policy: Content,
    /// Instant for which the answer was worked out.
    pub decided_at: Timestamp,
    /// When it is recorded.
    pub recorded_at: Timestamp,
    /// The caller's order; `None` where not given. Each order has a row of its own.
    pub order_id: Option<String>,
    /// Name of who asked; `None` where callers have no names. Each has a row of its own, for each
    /// order.
    pub caller: Option<String>,
}

/// Bytes kept by their digest.
#[derive(Clone, Debug)]
pub struct Content {
    /// Digest of the bytes.
    pub digest: [u8; 32],
    /// The bytes.
    pub bytes: Arc<[u8]>,
}

impl Content {
    /// Content of bytes.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self {
            digest: *blake3::hash(&bytes).as_bytes(),
            bytes: bytes.into(),
        }
    }
}

/// A recorded decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedDecision {
    /// The encoded answer, whole.
    pub answer: Vec<u8>,
    /// The encoded request profile.
    pub profile: Vec<u8>,
    /// The encoded facts; empty where they were erased.
    pub facts: Vec<u8>,
    /// The policy document.
    pub policy: Vec<u8>,
    /// Instant for which the answer was worked out.
    pub decided_at: Timestamp,
    /// Orders that asked, with the instants at which they first did.
    pub orders: Vec<(String, Timestamp)>,
    /// Named callers who asked, in the order in which they first did.
    pub callers: Vec<RecordedCaller>,
}

/// A caller who asked for a decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedCaller {
    /// Its name.
    pub caller: String,
    /// Its order; `None`: it asked without one.
    pub order_id: Option<String>,
    /// When it first did.
    pub recorded_at: Timestamp,
}

/// A pool of connections, for operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Which one.
    pub pool: Pool,
    /// Connections that are used.
    pub used: u32,
    /// Connections that rest.
    pub idle: u32,
    /// Most connections.
    pub most: u32,
}

/// What can go wrong in a store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer now; the same call may succeed later.
    #[error("{action}")]
    Unavailable {
        /// What was being done, in the present tense.
        action: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The store answers, but not as it should; the same call will fail again.
    #[error("{action}")]
    Failed {
        /// What was being done, in the present tense.
        action: &'static str,
        /// Why.
        #[source]
        source: sqlx::Error,
    },
    /// The file or the database cannot be used as a store.
    #[error("use `{path}` as a store: {problem}")]
    Unusable {
        /// The file; of a database its address, without the password.
        path: String,
        /// Why not, and the remedy.
        problem: String,
    },
    /// A row holds what this version cannot read.
    #[error("read {table} `{key}`: {problem}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// Key of the row.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// Migrations are pending and were told not to run.
    #[error(
        "{pending} migrations are pending; run `icpgate migrate`, or start without `--no-migrate`"
    )]
    MigrationsPending {
        /// How many.
        pending: usize,
    },
    /// The store has the form of a newer version of this program, on which this one cannot work.
    #[error(
        "the store has migration {found}, which this version does not know; use the version that wrote it"
    )]
    TooNew {
        /// Its newest migration.
        found: i64,
    },
    /// The store's personal data is sealed with another key.
    #[error(
        "the store is sealed with key `{stored}`, and the configured key is `{configured}`; set `privacy.key_file` to the key that the store was made with"
    )]
    KeyChanged {
        /// Fingerprint of the store's key.
        stored: String,
        /// Fingerprint of the configured key.
        configured: String,
    },
    /// The store's personal data was sealed under another key after this process had opened it.
    #[error(
        "started with key `{started}`, and the store is sealed under `{stored}` now; start again"
    )]
    KeyReplaced {
        /// Fingerprint of this process.
        started: String,
        /// Fingerprint of the store.
        stored: String,
    },
}

/// Whether the store is still sealed as it was when this process opened it.
///
/// # Errors
/// [`StoreError::KeyReplaced`] where it is not: what this process would write can be compared with
/// nothing in it, and what it would read with nothing here.
fn still_sealed(stored: &str, started: &str) -> Result<(), StoreError> {
    if stored == started {
        Ok(())
    } else {
        Err(StoreError::KeyReplaced {
            started: started.to_owned(),
            stored: stored.to_owned(),
        })
    }
}

/// The port.
///
/// Whatever reads or writes sealed values says [`StoreError::KeyReplaced`], and does nothing, where
/// the store was sealed under another key in the meantime: a certificate of this process held
/// against facts sealed anew would never be equal to any.
#[async_trait]
pub trait Store: Send + Sync {
    /// Finds, for each set of handles, the records with one of them and the records that those
    /// lead to ([`Record::leads_to`]), followed to the end. One snapshot; one round trip, and a
    /// second one where a read replica turns out to lag behind the freshness asked for.
    async fn find(&self, sets: &[Vec<Handle>], freshness: Freshness) -> Result<Found, StoreError>;

    /// Writes records, all or none, as one revision. They are taken one after the other: of two
    /// with one key the later holds, and the earlier stands in the history. A record that changes
    /// nothing is counted and not written; a write that changes nothing takes no revision.
    async fn put(&self, records: Vec<NewRecord>, at: Timestamp) -> Result<Written, StoreError>;

    /// Newest committed revision; 0 in an empty store.
    async fn head(&self) -> Result<Revision, StoreError>;

    /// Changes after a place in the log, oldest first, at most `limit`. `after` is the place
    /// (revision, place within it) of the last change already seen; with no place within it, all
    /// of that revision was seen.
    async fn changes(
        &self,
        after: (Revision, Option<u32>),
        limit: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError>;

    /// What was written after a revision, in whole revisions, from the newest state. It stops at
    /// the first revision that begins `limit` or more versions on; at least one revision is read
    /// where there is one, however large.
    async fn touched(&self, after: Revision, limit: u32) -> Result<Touched, StoreError>;

    /// The oldest revision after which at most this many versions were written; 0 where that
    /// holds for all of them. From there [`Store::touched`] reads the newest `versions` or fewer.
    async fn revision_before(&self, versions: u64) -> Result<Revision, StoreError>;

    /// Waits for a sign that something was written, by this process or by another one, and returns
    /// the revision that it tells of, if it does: nothing is missed by whoever has seen that one.
    ///
    /// Signs only hasten: one may be false, and may be missing where the engine cannot see the
    /// other process (see its notes) or the line was down, so callers look at the log from time
    /// to time as well. The first call, and the first after an error, returns at once: something
    /// may have been written before it. Made for one caller at a time; of several, one gets the
    /// sign. A call that is dropped loses no sign.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the line is lost or the store is closed; the next call
    /// makes a new line, and fails where that cannot be made.
    async fn changed(&self) -> Result<Option<Revision>, StoreError>;

    /// Every version of a record, oldest first, the one that holds last; empty if there never
    /// was one. `key` is [`Record::key`].
    async fn history(&self, kind: RecordKind, key: &str) -> Result<Vec<Fact<Record>>, StoreError>;

    /// Records decisions, all or none. A decision whose identifier is known is left as it is;
    /// an order that is known for it likewise.
    async fn record_decisions(&self, decisions: Vec<NewDecision>) -> Result<(), StoreError>;

    /// A recorded decision; `None` if none has that identifier.
    async fn decision(&self, decision_id: &str) -> Result<Option<RecordedDecision>, StoreError>;

    /// What tells this store from all others; the same for as long as it lives, and for every
    /// process that opens it.
    async fn id(&self) -> Result<String, StoreError>;

    /// Number of records of each kind, for operators.
    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError>;

    /// When each source last wrote, unchanged records included, in the order of their names; of more
    /// than [`MOST_SOURCES`] those that wrote last. Of the sources of one write the first 64 in that
    /// order are noted. For operators.
    async fn source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError>;

    /// Records of a kind that hold, with their keys, in the order of these from behind `after` on,
    /// at most `limit`; for operators. The pages of a survey are no snapshot.
    async fn page(
        &self,
        kind: RecordKind,
        after: &str,
        limit: u32,
    ) -> Result<Vec<(String, Record)>, StoreError>;

    /// How its connections are used; asks nobody.
    fn pools(&self) -> Vec<PoolView> {
        Vec::new()
    }

    /// Checks that the store answers.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Finishes what is under way and closes the store.
    async fn close(&self);
}
