//! Upkeep beside processes that go on.

use std::time::Duration;

use icpgate::store::{
    KEPT_AT_LEAST, NewDecision, NewRecord, Prune, Reseal, Store as _, StoreError, Upkeep as _,
};
use icpgate_policy::facts::Facts;
use icpgate_policy::identity::Resealer;
use icpgate_policy::records::{Record, RecordDomain, Registration};
use icpgate_policy::request::Profile;

use super::{execute, fresh};
use crate::chain;
use crate::contract::{Engine as _, NEXT, decided, profile};
use crate::samples::{at, content, decision, new};

/// Records that take a while.
const MANY: u32 = 5_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_that_come_while_the_store_is_sealed_anew_are_sealed_too() {
    let database = fresh().await;
    let (rotating, answering) = (database.store().await, database.store().await);
    let Record::Registration(registered) = chain::registration(&chain::one()) else {
        panic!("another kind")
    };
    let records = (0..MANY).map(|number| {
        new(Record::Registration(Registration {
            domain: RecordDomain::new(&format!("d{number}.cn")),
            ..registered.clone()
        }))
    });
    let records: Vec<NewRecord> = records.collect();
    rotating.put(records, at(0)).await.unwrap();
    // Of its own for each decision.
    let facts = |sealer, id: &str| {
        let mut facts = chain::facts(sealer);
        let name = std::sync::Arc::make_mut(&mut facts.name);
        for registration in &mut name.registrations {
            registration.provenance.source = id.into();
        }
        facts
    };
    let one = chain::one();
    let asked = |sealer| profile(Some(chain::person(sealer)));
    let early = decided("early", &facts(&one, "early"), &asked(&one));
    answering.record_decisions(vec![early]).await.unwrap();

    let key = Resealer::new(chain::SECOND).unwrap();
    let reseal = Reseal {
        key: &key,
        key_id: NEXT,
    };
    let recording = async {
        let mut recorded = vec!["early".to_owned()];
        loop {
            let id = format!("d{}", recorded.len());
            let decision = decided(&id, &facts(&one, &id), &asked(&one));
            match answering.record_decisions(vec![decision]).await {
                Ok(()) => recorded.push(id),
                Err(StoreError::KeyReplaced { .. }) => return recorded,
                Err(error) => panic!("{error:?}"),
            }
        }
    };
    let (done, recorded) = tokio::join!(rotating.reseal(reseal, at(1), &|_| {}), recording);
    assert_eq!(done.unwrap().versions, u64::from(MANY));
    assert!(recorded.len() > 2, "none came meanwhile");

    let store = database.upkeep(NEXT).await.unwrap();
    let two = chain::two();
    for id in recorded {
        let decision = store.decision(&id).await.unwrap().unwrap();
        let sealed: Facts = postcard::from_bytes(&decision.facts).unwrap();
        assert_eq!(sealed, facts(&two, &id), "{id}");
        let question: Profile = postcard::from_bytes(&decision.profile).unwrap();
        assert_eq!(question, asked(&two), "{id}");
    }
}

/// Long enough to see that something waits.
const WAITS: Duration = Duration::from_millis(500);

/// Removes what was recorded before the tenth second.
fn old() -> Prune {
    Prune::before_instant(at(10), at(10) + KEPT_AT_LEAST).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contents_that_somebody_is_about_to_refer_to_stay() {
    let database = fresh().await;
    let store = database.store().await;
    let recorded = |id: &str, second: i64| NewDecision {
        facts: content("shared"),
        ..decision(id, None, at(second))
    };
    store
        .record_decisions(vec![recorded("old", 1)])
        .await
        .unwrap();
    // As somebody who records: he found the contents there, and has not referred to them yet.
    let mut recording = database.raw().await;
    for sql in [
        "BEGIN",
        "SELECT pg_advisory_xact_lock_shared(29664206977265511)",
        "INSERT INTO content SELECT facts, 'shared' FROM decision ON CONFLICT DO NOTHING",
    ] {
        execute(&mut recording, sql).await;
    }
    let mut pruning = store.prune(old(), &|_| {});
    let waited = tokio::time::timeout(WAITS, &mut pruning).await;
    assert!(waited.is_err(), "it does not wait: {waited:?}");
    for sql in [
        "INSERT INTO decision SELECT 'young', 'answer young', profile, facts, policy, decided_at,
         recorded_at + 60000000 FROM decision",
        "COMMIT",
    ] {
        execute(&mut recording, sql).await;
    }
    let done = pruning.await.unwrap();
    assert_eq!((done.decisions, done.contents), (1, 0));
    let young = store.decision("young").await.unwrap().unwrap();
    assert_eq!(young.facts, b"shared");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_recorded_while_pruning_waits_for_other_upkeep() {
    let database = fresh().await;
    let (store, beside) = (database.store().await, database.store().await);
    let old_one = decision("old", Some("order"), at(1));
    store.record_decisions(vec![old_one]).await.unwrap();
    // As a resealing, which holds rows that it has sealed anew.
    let mut resealing = database.raw().await;
    for sql in [
        "BEGIN",
        "SELECT pg_advisory_xact_lock(7594036986162537840)",
        "UPDATE decision SET profile = 'sealed anew'",
    ] {
        execute(&mut resealing, sql).await;
    }
    let mut pruning = store.prune(old(), &|_| {});
    let waited = tokio::time::timeout(WAITS, &mut pruning).await;
    assert!(waited.is_err(), "it does not wait: {waited:?}");
    let recording = beside.record_decisions(vec![decision("young", None, at(20))]);
    let recorded = tokio::time::timeout(WAITS, recording).await;
    recorded.expect("recording waits too").unwrap();
    // Longer than a batch waits: it is tried again.
    let waited = tokio::time::timeout(Duration::from_secs(7), &mut pruning).await;
    assert!(waited.is_err(), "it gave up: {waited:?}");
    execute(&mut resealing, "COMMIT").await;
    assert_eq!(pruning.await.unwrap().decisions, 1);
    assert!(beside.decision("young").await.unwrap().is_some());
}
