//! Upkeep beside processes that go on.

use icpgate::store::{NewRecord, Reseal, Store as _, StoreError, Upkeep as _};
use icpgate_policy::facts::Facts;
use icpgate_policy::identity::Resealer;
use icpgate_policy::records::{Record, RecordDomain, Registration};
use icpgate_policy::request::Profile;

use super::fresh;
use crate::chain;
use crate::contract::{Engine as _, NEXT, decided, profile};
use crate::samples::{at, new};

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
