//! Counts what the registry holds, what of it is in force and what ends soon, for operators. Asked
//! for by a worker at its own pace, never by a call or a probe.

use std::collections::BTreeMap;
use std::time::Duration;

use icpgate_policy::calendar::end_of;
use icpgate_policy::codes::{AccessStatus, LicenceStatus, RecordKind, SubjectStatus};
use icpgate_policy::records::Record;
use jiff::{SignedDuration, Timestamp};

use super::Gate;
use crate::store::{Freshness, StoreError};
use crate::telemetry::metrics::label::{Ending, InForce, RecordSource, Within};
use crate::telemetry::metrics::list::{
    EXPIRING, IN_FORCE, LAST_SYNC, RECORDS, SOURCE_SYNC, SURVEY_DURATION, SURVEYED_AT,
};
use crate::telemetry::metrics::names::source_of;

/// Records that are read at once: a millisecond or two of the store's time.
const PAGE: u32 = 500;

/// Pause after each page, so that a survey takes a small part of the store's time: at 6 million
/// domains, with the 19 million records that are read then, it goes on for a quarter of an hour.
const PAUSE: Duration = Duration::from_millis(20);

/// Kinds of records that are read, as they are counted: all that can cease to be in force, and those of
/// them that end on a day.
const READ: [(RecordKind, InForce, Option<Ending>); 6] = [
    (RecordKind::Subject, InForce::Subject, None),
    (RecordKind::Service, InForce::Service, None),
    (RecordKind::Access, InForce::Access, None),
    (RecordKind::Licence, InForce::Licence, Some(Ending::Licence)),
    (
        RecordKind::Registration,
        InForce::Registration,
        Some(Ending::Registration),
    ),
    (
        RecordKind::Approval,
        InForce::Approval,
        Some(Ending::Approval),
    ),
];

/// Spans, the shortest first.
const SPANS: [(Within, i64); 3] = [(Within::Day, 1), (Within::Week, 7), (Within::Month, 30)];

impl Gate {
    /// Shows how many records there are, and when each kind was last written to and each source last
    /// wrote. The store keeps all of it; three statements on small tables.
    ///
    /// # Errors
    ///
    /// The store does not answer.
    pub async fn count_records(&self) -> Result<(), StoreError> {
        let counts = self.store.counts().await?;
        for kind in RecordKind::ALL {
            // Kinds that were never written are left out.
            let count = counts.iter().find(|(counted, _)| counted == kind);
            RECORDS.set_count((*kind,), count.map_or(0, |(_, count)| *count));
        }
        let found = self.store.find(&[], Freshness::Any).await?;
        for (kind, at) in found.synced_at {
            LAST_SYNC.set((kind,), at.as_duration().as_secs_f64());
        }
        // Of those that share a label, the newest.
        let mut newest: BTreeMap<RecordSource, Timestamp> = BTreeMap::new();
        for (source, at) in self.store.source_syncs().await? {
            let known = newest.entry(source_of(&source)).or_insert(at);
            *known = at.max(*known);
        }
        for (source, at) in newest {
            SOURCE_SYNC.set((source,), at.as_duration().as_secs_f64());
        }
        Ok(())
    }

    /// Reads every record that can cease to be in force, and shows how many are and how many end
    /// soon. May be dropped at any point: the counts of the survey before stay.
    ///
    /// # Errors
    ///
    /// The store does not answer; the counts of the survey before stay.
    pub async fn survey(&self) -> Result<(), StoreError> {
        let (now, begun) = (self.clock.now(), std::time::Instant::now());
        let mut counts = Vec::with_capacity(READ.len());
        for (kind, holds, ends) in READ {
            let mut holding = 0_u64;
            let mut soon = [0_u64; SPANS.len()];
            let mut after = String::new();
            loop {
                let mut page = self.store.page(kind, &after, PAGE).await?;
                for (_, record) in &page {
                    holding += u64::from(is_in_force(record, now));
                    take_in(&mut soon, record, now);
                }
                match page.pop() {
                    Some((key, _)) if page.len() + 1 == PAGE as usize => after = key,
                    Some(_) | None => break,
                }
                tokio::time::sleep(PAUSE).await;
            }
            counts.push((holds, holding, ends, soon));
        }
        for (holds, holding, ends, soon) in counts {
            IN_FORCE.set_count((holds,), holding);
            let Some(ends) = ends else { continue };
            for ((within, _), count) in SPANS.into_iter().zip(soon) {
                EXPIRING.set_count((ends, within), count);
            }
        }
        SURVEYED_AT.set((), now.as_duration().as_secs_f64());
        SURVEY_DURATION.set((), begun.elapsed().as_secs_f64());
        Ok(())
    }
}

/// Whether a record is in force; one of a kind that cannot cease to be is not counted.
fn is_in_force(record: &Record, now: Timestamp) -> bool {
    let is_active = match record {
        Record::Access(access) => access.status == AccessStatus::Active,
        Record::Licence(licence) => licence.status == LicenceStatus::Active,
        Record::Service(service) => service.status.in_force() && !service.access_restricted,
        Record::Subject(subject) => subject.status == SubjectStatus::Active,
        Record::Approval(_) | Record::Registration(_) => true,
        Record::Application(_)
        | Record::Block(_)
        | Record::DisplayObservation(_)
        | Record::PublicSecurityFiling(_) => false,
    };
    is_active && ends_at(record).is_none_or(|end| now < end)
}

/// Counts a record in each span within which it ends.
fn take_in(soon: &mut [u64; SPANS.len()], record: &Record, now: Timestamp) {
    let Some(left) = ends_at(record).map(|end| end.duration_since(now)) else {
        return;
    };
    for ((_, days), count) in SPANS.into_iter().zip(soon) {
        if left.is_positive() && left <= SignedDuration::from_hours(24 * days) {
            *count += 1;
        }
    }
}

/// The first instant at which a record is not in force any more; of days, the last one counts.
fn ends_at(record: &Record) -> Option<Timestamp> {
    match record {
        Record::Licence(licence) => licence.expires_on.map(end_of),
        Record::Registration(registration) => registration.expires_at,
        Record::Approval(approval) => approval.expires_on.map(end_of),
        Record::Access(_)
        | Record::Application(_)
        | Record::Block(_)
        | Record::DisplayObservation(_)
        | Record::PublicSecurityFiling(_)
        | Record::Service(_)
        | Record::Subject(_) => None,
    }
}
