//! The edge through which records enter and leave: wire record to sealed record, and back, masked.
//!
//! **Invariant:** what leaves [`Intake::record`] is well-formed, normalised and holds no raw
//! personal value; what is said about a refused record names fields and never repeats personal
//! data.
//! **Absent on purpose:** transport. Files and streams both arrive as [`Line`]s, and neither
//! status codes nor SQL are known here.
//! Start at [`Intake::record`] for one record and at [`import()`] for many.

mod fields;
mod import;
mod kinds;
mod line;
pub mod ndjson;
mod outgoing;
mod question;
mod sniff;
mod token;

use std::fmt;
use std::sync::Arc;

use icpgate_policy::calendar::beijing_day;
use icpgate_policy::domain_name::Suffixes;
use icpgate_policy::explain::Language;
use icpgate_policy::explain::field::field_problem;
use icpgate_policy::field::{FieldProblem, LineProblem};
use icpgate_policy::identity::{CheckDigits, Sealer};
use jiff::{SignedDuration, Timestamp};

use crate::proto::v1;
use crate::store::NewRecord;

pub use import::{ImportError, ImportFailure, ImportReport, Progress, REJECTED_KEPT, import};
pub use outgoing::{instant, outgoing};
pub use question::{Consistency, Question, View};
pub use token::{parse_token, token};

use fields::{Path, Reading};

/// Who reported a record that does not say.
pub const UNSPECIFIED_SOURCE: &str = "unspecified";

/// Longest `source`, in characters.
pub const SOURCE_LIMIT: usize = 64;

/// How far ahead `observed_at` may lie: clocks differ, and a source in another time zone may
/// have taken local time for UTC.
pub const OBSERVED_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// What is needed to take records in.
#[derive(Clone, Debug)]
pub struct Intake {
    /// Makes the keyed hashes and masks.
    pub sealer: Sealer,
    /// Public suffixes, which no record may be about.
    pub suffixes: Arc<Suffixes>,
    /// What to do with certificate numbers that break the rules of their kind
    /// (`records.certificate_check`).
    pub check_digits: CheckDigits,
}

/// What is wrong with one field of a record.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// Path of the field in names of the proto, such as `subject.people[2].certificate.number`;
    /// empty for the whole of a line.
    pub field: String,
    /// What is wrong.
    pub problem: FieldProblem,
}

/// One line of an import.
#[derive(Clone)]
pub enum Line {
    /// A line of an NDJSON file, not read yet. Personal data.
    Text(Box<[u8]>),
    /// A record of a stream. Personal data.
    Record(Box<v1::Record>),
    /// A line that cannot even be held, such as one that is too long.
    Unreadable(LineProblem),
}

impl Intake {
    /// Parses, checks, normalises and seals a record.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, in the order of its fields.
    pub fn record(&self, proto: v1::Record, now: Timestamp) -> Result<NewRecord, Vec<Violation>> {
        let mut reading = Reading::new(self, beijing_day(now).year());
        let root = Path::root();
        let record = kinds::record(&mut reading, &root, proto.record);
        let source = reading.text(&root.field("source"), &proto.source, SOURCE_LIMIT);
        let at = root.field("observed_at");
        let observed_at = reading.instant(&at, proto.observed_at);
        let latest = now.checked_add(OBSERVED_AHEAD).unwrap_or(Timestamp::MAX);
        if let Some(Some(instant)) = observed_at
            && instant > latest
        {
            reading.refuse(&at, FieldProblem::InFuture { latest });
        }
        match (record, source, observed_at, reading.finish()) {
            (Some(record), Some(source), Some(observed_at), Ok(())) => Ok(NewRecord {
                record,
                source: if source.is_empty() {
                    UNSPECIFIED_SOURCE.into()
                } else {
                    source.into()
                },
                observed_at: observed_at.unwrap_or(now),
            }),
            (_, _, _, Err(violations)) => Err(violations),
            // INVARIANT: whatever is left out was refused with a violation.
            (_, _, _, Ok(())) => Err(vec![Violation {
                field: String::new(),
                problem: FieldProblem::Missing,
            }]),
        }
    }
}

impl Violation {
    /// What is wrong and how to mend it, without personal data.
    #[must_use]
    pub fn description(&self, language: Language) -> String {
        field_problem(&self.problem, language)
    }

    /// The violation with its field inside another, such as `records[3]`.
    #[must_use]
    pub fn inside(mut self, outer: &str) -> Self {
        if self.field.is_empty() {
            outer.clone_into(&mut self.field);
        } else {
            self.field = format!("{outer}.{}", self.field);
        }
        self
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(_) => f.write_str("Text(..)"),
            Self::Record(_) => f.write_str("Record(..)"),
            Self::Unreadable(problem) => f.debug_tuple("Unreadable").field(problem).finish(),
        }
    }
}
