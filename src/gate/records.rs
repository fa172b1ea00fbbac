//! Records: put, look up, and the change log.

use futures::Stream;
use icpgate_policy::domain_name::{self, Host};
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::field::{FieldProblem, FileProblem, QuestionProblem, Shown};
use icpgate_policy::records::{Handle, Record};

use super::{Gate, GateError};
use crate::intake::{
    self, ImportError, ImportReport, Line, Progress, Violation, parse_token, token,
};
use crate::proto::v1;
use crate::store::{ChangeEntry, Freshness, Written};
use crate::telemetry::call::{self, Part};
use crate::telemetry::metrics::label::Handed;
use crate::telemetry::metrics::list::HANDED_IN;

/// Most records of one put, and most changes of one page.
pub(super) const MOST: usize = 1000;

/// Changes of a page where the caller does not say.
const USUAL_PAGE: u32 = 100;

/// Longest domain as typed, in characters.
const DOMAIN_LIMIT: usize = 255;

/// Everything known that bears on one name.
#[derive(Debug)]
pub struct KnownDomain {
    /// A-label form.
    pub ascii: String,
    /// Unicode form.
    pub unicode: String,
    /// Registrable domain, A-label form.
    pub registrable: String,
    /// The records.
    pub records: Vec<Fact<Record>>,
    /// Newest revision of the snapshot.
    pub revision: Revision,
}

/// Where a page of the change log begins.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Freshness token; only later changes are listed. Empty: from the first.
    pub after_revision: String,
    /// At most this many; 0: 100.
    pub page_size: i32,
    /// As returned with the previous page. Empty: the first.
    pub page_token: String,
}

/// A page of the change log.
#[derive(Debug)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<ChangeEntry>,
    /// Where the next page begins; empty where there is none now.
    pub next_page_token: String,
}

impl Gate {
    /// Writes records, all or none.
    ///
    /// # Errors
    ///
    /// [`GateError::Malformed`] with everything that is wrong, as `records[3].subject.name`.
    pub async fn put(&self, records: Vec<v1::Record>) -> Result<Written, GateError> {
        if records.is_empty() {
            return Err(malformed("records", FieldProblem::Missing));
        }
        if records.len() > MOST {
            let problem = FieldProblem::TooMany {
                limit: MOST,
                found: records.len(),
            };
            return Err(malformed("records", problem));
        }
        let now = self.clock.now();
        let intake = self.intake.load_full();
        let mut parsed = Vec::with_capacity(records.len());
        let mut violations = Vec::new();
        for (index, record) in records.into_iter().enumerate() {
            match intake.record(record, now) {
                Ok(record) => parsed.push(record),
                Err(found) => {
                    let outer = format!("records[{index}]");
                    violations.extend(found.into_iter().map(|found| found.inside(&outer)));
                }
            }
        }
        if !violations.is_empty() {
            HANDED_IN.inc((Handed::Rejected,));
            return Err(GateError::Malformed(violations));
        }
        let writing = self.store.put(parsed, now);
        let written = call::timed(Part::Store, "put records", writing).await?;
        HANDED_IN.add((Handed::Accepted,), written.accepted);
        HANDED_IN.add((Handed::Unchanged,), written.unchanged);
        self.wrote(written.revision).await;
        Ok(written)
    }

    /// Writes the good ones of a stream of records.
    ///
    /// # Errors
    ///
    /// Where the store fails, with the report until then.
    pub async fn import<L>(&self, lines: L) -> Result<ImportReport, Box<ImportError>>
    where
        L: Stream<Item = Result<(u64, Line), FileProblem>> + Unpin,
    {
        // One import, one set of suffixes, whatever becomes of the policy meanwhile.
        let edge = self.intake();
        let mut counted = Progress::default();
        let count = |now: &Progress| {
            HANDED_IN.add((Handed::Accepted,), now.accepted - counted.accepted);
            HANDED_IN.add((Handed::Unchanged,), now.unchanged - counted.unchanged);
            HANDED_IN.add((Handed::Rejected,), now.rejected - counted.rejected);
            counted = *now;
        };
        let report = intake::import(lines, &edge, &*self.store, count, || self.now()).await;
        let revision = match &report {
            Ok(report) => report.revision,
            Err(error) => error.report.revision,
        };
        self.wrote(revision).await;
        report
    }

    /// Looks up everything known that bears on one name.
    ///
    /// # Errors
    ///
    /// [`GateError::Malformed`] if the text is no name.
    pub async fn domain(&self, text: &str) -> Result<KnownDomain, GateError> {
        if text.trim().is_empty() {
            return Err(malformed("domain", FieldProblem::Missing));
        }
        let found = text.chars().count();
        if found > DOMAIN_LIMIT {
            return Err(malformed(
                "domain",
                FieldProblem::TooLong {
                    limit: DOMAIN_LIMIT,
                    found,
                },
            ));
        }
        let name = match domain_name::parse(text, &self.intake.load().suffixes) {
            Ok(Host::Name(name)) => name,
            Ok(Host::Ip(address)) => {
                return Err(malformed("domain", FieldProblem::DomainIsAddress(address)));
            }
            Err(error) => return Err(malformed("domain", FieldProblem::Domain(error))),
        };
        let handles = name
            .candidates()
            .map(|name| Handle::name(&domain_name::fold(name)))
            .collect();
        let applied = self.sources.caches.applied.revision();
        let handles = [handles];
        let finding = self.store.find(&handles, Freshness::AtLeast(applied));
        let found = call::timed(Part::Store, "find records", finding).await?;
        Ok(KnownDomain {
            ascii: name.ascii().to_owned(),
            unicode: name.unicode().to_owned(),
            registrable: name.registrable().to_owned(),
            records: found.sets.into_iter().flatten().collect(),
            revision: found.revision,
        })
    }

    /// Lists changes in commit order.
    ///
    /// # Errors
    ///
    /// [`GateError::Malformed`] for a malformed token or page size.
    pub async fn changes(&self, page: &Page) -> Result<Changes, GateError> {
        let limit = match page.page_size {
            0 => USUAL_PAGE,
            size => u32::try_from(size)
                .ok()
                .filter(|size| *size as usize <= MOST)
                .ok_or_else(|| {
                    malformed(
                        "page_size",
                        FieldProblem::Question(QuestionProblem::OutOfRange {
                            least: 1,
                            most: MOST as u64,
                        }),
                    )
                })?,
        };
        let after = if !page.page_token.is_empty() {
            let place = parse_place(&page.page_token);
            let (revision, place) =
                place.ok_or_else(|| bad_token("page_token", &page.page_token))?;
            (revision, Some(place))
        } else if page.after_revision.is_empty() {
            (Revision(0), None)
        } else {
            let revision = parse_token(&page.after_revision);
            (
                revision.ok_or_else(|| bad_token("after_revision", &page.after_revision))?,
                None,
            )
        };
        // One more than asked for tells whether there is a next page.
        let listing = self.store.changes(after, limit + 1);
        let mut changes = call::timed(Part::Store, "list changes", listing).await?;
        let more = changes.len() > limit as usize;
        changes.truncate(limit as usize);
        let next_page_token = match changes.last() {
            Some(last) if more => page_token(last.revision, last.place),
            Some(_) | None => String::new(),
        };
        Ok(Changes {
            changes,
            next_page_token,
        })
    }

    /// A recorded decision, whole.
    ///
    /// # Errors
    ///
    /// [`GateError::NoSuchDecision`] if none has the identifier.
    pub async fn recorded_decision(&self, decision_id: &str) -> Result<v1::Decision, GateError> {
        use prost::Message as _;

        if decision_id.is_empty() {
            return Err(malformed("decision_id", FieldProblem::Missing));
        }
        let id = || Shown::new(decision_id).to_string();
        let finding = self.store.decision(decision_id);
        let recorded = call::timed(Part::Store, "find decision", finding).await?;
        let recorded = recorded.ok_or_else(|| GateError::NoSuchDecision(id()))?;
        let mut decision = v1::Decision::decode(recorded.answer.as_slice()).map_err(|error| {
            GateError::Unreadable {
                decision_id: id(),
                problem: error.to_string(),
            }
        })?;
        decision.served_from = v1::ServedFrom::Store as i32;
        Ok(decision)
    }
}

fn page_token(revision: Revision, place: u32) -> String {
    format!("{}.{place:x}", token(revision))
}

/// Reads a page token; `None` for anything that [`page_token`] does not write.
fn parse_place(text: &str) -> Option<(Revision, u32)> {
    let (revision, place) = text.split_once('.')?;
    let revision = parse_token(revision)?;
    let place = u32::from_str_radix(place, 16).ok()?;
    (page_token(revision, place) == text).then_some((revision, place))
}

fn bad_token(field: &str, text: &str) -> GateError {
    malformed(
        field,
        FieldProblem::Question(QuestionProblem::Token {
            text: Shown::new(text),
        }),
    )
}

fn malformed(field: &str, problem: FieldProblem) -> GateError {
    GateError::Malformed(vec![Violation {
        field: field.to_owned(),
        problem,
    }])
}
