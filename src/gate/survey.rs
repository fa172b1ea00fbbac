//! Counts what the registry holds and what of it ends soon, for operators. Asked for by a worker at
//! its own pace, never by a call or a probe.

use std::time::Duration;

use icpgate_policy::calendar::end_of;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::records::Record;
use jiff::{SignedDuration, Timestamp};

use super::Gate;
use crate::store::{Freshness, StoreError};
use crate::telemetry::metrics::label::{Ending, Within};
use crate::telemetry::metrics::list::{EXPIRING, LAST_SYNC, RECORDS, SURVEY_DURATION, SURVEYED_AT};

/// Records that are read at once: a millisecond or two of the store's time.
const PAGE: u32 = 500;

/// Pause after each page, so that a survey takes a small part of the store's time: at 6 million
/// domains it goes on for some minutes.
const PAUSE: Duration = Duration::from_millis(20);

/// Kinds of records that end, as they are counted.
const ENDING: [(RecordKind, Ending); 3] = [
    (RecordKind::Licence, Ending::Licence),
    (RecordKind::Registration, Ending::Registration),
    (RecordKind::Approval, Ending::Approval),
];

/// Spans, the shortest first.
const SPANS: [(Within, i64); 3] = [(Within::Day, 1), (Within::Week, 7), (Within::Month, 30)];

impl Gate {
    /// Shows how many records there are and when each kind was last written to. The store keeps
    /// both; two statements on a table of ten rows.
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
        Ok(())
    }

    /// Reads every record that may end and shows how many end soon. May be dropped at any point: the
    /// counts of the survey before stay.
    ///
    /// # Errors
    ///
    /// The store does not answer; the counts of the survey before stay.
    pub async fn survey_ends(&self) -> Result<(), StoreError> {
        let (now, begun) = (self.clock.now(), std::time::Instant::now());
        let mut counts = Vec::with_capacity(ENDING.len());
        for (kind, label) in ENDING {
            let mut soon = [0_u64; SPANS.len()];
            let mut after = String::new();
            loop {
                let mut page = self.store.page(kind, &after, PAGE).await?;
                for (_, record) in &page {
                    take_in(&mut soon, record, now);
                }
                match page.pop() {
                    Some((key, _)) if page.len() + 1 == PAGE as usize => after = key,
                    Some(_) | None => break,
                }
                tokio::time::sleep(PAUSE).await;
            }
            counts.push((label, soon));
        }
        for (label, soon) in counts {
            for ((within, _), count) in SPANS.into_iter().zip(soon) {
                EXPIRING.set_count((label, within), count);
            }
        }
        SURVEYED_AT.set((), now.as_duration().as_secs_f64());
        SURVEY_DURATION.set((), begun.elapsed().as_secs_f64());
        Ok(())
    }
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
