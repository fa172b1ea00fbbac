//! The registry that whole questions are asked of: the sample, in memory.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock, Mutex};

use async_trait::async_trait;
use icpgate::intake::{Intake, Line};
use icpgate::store::{
    ChangeEntry, Found, Freshness, NewDecision, NewRecord, RecordedDecision, Store, StoreError,
    Touched, Written,
};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::identity::{CheckDigits, Sealer};
use icpgate_policy::policy::{Policy, shipped};
use icpgate_policy::records::{Handle, Record};
use jiff::{SignedDuration, Timestamp};

/// Provider whose access links the sample has.
pub(crate) const PROVIDER: &str = "self";

/// Newest revision of the registry.
pub(crate) const HEAD: Revision = Revision(9);

/// Monday noon in Beijing and a little, no holiday near.
pub(crate) static NOW: LazyLock<Timestamp> =
    LazyLock::new(|| "2026-03-16T04:00:07.5Z".parse().expect("an instant"));

/// The records of the sample, as the store has them.
pub(crate) static RECORDS: LazyLock<Vec<Fact<Record>>> = LazyLock::new(|| {
    let intake = intake();
    let text = icpgate::sample::records(*NOW, PROVIDER);
    let records = text.lines().map(|line| {
        let record = Line::Text(line.as_bytes().into()).into_record();
        let record = intake.record(record.expect("the sample is JSON"), *NOW);
        fact(record.expect("the sample is well-formed"))
    });
    records.collect()
});

/// A shipped policy.
pub(crate) fn policy() -> Policy {
    let document = shipped("mainland-strict").expect("the policy is shipped");
    Policy::compile(document, PROVIDER).expect("a shipped policy compiles")
}

/// The edge, with a key that is no secret.
pub(crate) fn intake() -> Intake {
    Intake {
        sealer: Sealer::new(b"a key for fuzzing, known to all").expect("the key is long enough"),
        suffixes: Arc::new(policy().suffixes),
        check_digits: CheckDigits::Refuse,
    }
}

/// A record as it is once it was written, an hour ago.
pub(crate) fn fact(new: NewRecord) -> Fact<Record> {
    Fact {
        value: new.record,
        provenance: Provenance {
            source: new.source,
            observed_at: new.observed_at,
            revision: HEAD,
            committed_at: *NOW - SignedDuration::from_hours(1),
        },
    }
}

/// A store in memory that holds the sample, takes decisions, and no records.
#[derive(Default)]
pub(crate) struct Memory {
    decisions: Mutex<HashMap<String, NewDecision>>,
}

impl Memory {
    /// Takes a decision out, so that the store never grows.
    pub(crate) fn take(&self, decision_id: &str) -> Option<NewDecision> {
        let mut decisions = self.decisions.lock().expect("nobody panicked");
        let taken = decisions.remove(decision_id);
        decisions.clear();
        taken
    }
}

/// By handle, the places of the records that stand under it.
static PLACES: LazyLock<HashMap<Handle, Vec<usize>>> = LazyLock::new(|| {
    let mut places: HashMap<Handle, Vec<usize>> = HashMap::new();
    for (place, record) in RECORDS.iter().enumerate() {
        for handle in record.value.handles() {
            places.entry(handle).or_default().push(place);
        }
    }
    places
});

fn find(handles: &[Handle]) -> Vec<Fact<Record>> {
    let mut found = BTreeSet::new();
    let mut wanted = handles.to_vec();
    while let Some(handle) = wanted.pop() {
        for &place in PLACES.get(&handle).into_iter().flatten() {
            if found.insert(place) {
                wanted.extend(RECORDS[place].value.leads_to());
            }
        }
    }
    found
        .into_iter()
        .map(|place| RECORDS[place].clone())
        .collect()
}

#[async_trait]
impl Store for Memory {
    async fn find(&self, sets: &[Vec<Handle>], _: Freshness) -> Result<Found, StoreError> {
        Ok(Found {
            sets: sets.iter().map(|handles| find(handles)).collect(),
            revision: HEAD,
            synced_at: RecordKind::ALL.iter().map(|&kind| (kind, *NOW)).collect(),
        })
    }

    async fn record_decisions(&self, new: Vec<NewDecision>) -> Result<(), StoreError> {
        let mut decisions = self.decisions.lock().expect("nobody panicked");
        decisions.extend(
            new.into_iter()
                .map(|decision| (decision.decision_id.clone(), decision)),
        );
        Ok(())
    }

    async fn head(&self) -> Result<Revision, StoreError> {
        Ok(HEAD)
    }

    async fn touched(&self, _: Revision, _: u32) -> Result<Touched, StoreError> {
        Ok(Touched {
            handles: Vec::new(),
            everything: None,
            through: HEAD,
            head: HEAD,
        })
    }

    async fn revision_before(&self, _: u64) -> Result<Revision, StoreError> {
        Ok(HEAD)
    }

    async fn changed(&self) -> Result<Option<Revision>, StoreError> {
        std::future::pending().await
    }

    async fn put(&self, _: Vec<NewRecord>, _: Timestamp) -> Result<Written, StoreError> {
        unreachable!("a question writes no record")
    }

    async fn changes(
        &self,
        _: (Revision, Option<u32>),
        _: u32,
    ) -> Result<Vec<ChangeEntry>, StoreError> {
        unreachable!("a question reads no changes")
    }

    async fn history(&self, _: RecordKind, _: &str) -> Result<Vec<Fact<Record>>, StoreError> {
        unreachable!("a question reads no history")
    }

    async fn decision(&self, _: &str) -> Result<Option<RecordedDecision>, StoreError> {
        unreachable!("a question reads no decision")
    }

    async fn id(&self) -> Result<String, StoreError> {
        Ok("memory".to_owned())
    }

    async fn counts(&self) -> Result<Vec<(RecordKind, u64)>, StoreError> {
        Ok(Vec::new())
    }

    async fn source_syncs(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        Ok(Vec::new())
    }

    async fn page(
        &self,
        _: RecordKind,
        _: &str,
        _: u32,
    ) -> Result<Vec<(String, Record)>, StoreError> {
        unreachable!("a question reads no kind")
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn close(&self) {}
}
