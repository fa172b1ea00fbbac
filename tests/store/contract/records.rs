//! Writing records, finding them, and their history.

use icpgate::store::{Freshness, NewRecord, Written};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::records::{BlockTarget, Handle, Record, RecordDomain};

use super::{Engine, in_order, values};
use crate::samples::{
    access, approval, at, block, credit_code, licence, named, new, organisation_code, registration,
    service, service_number, subject, subject_number,
};

pub(crate) async fn an_empty_store_answers(engine: &impl Engine) {
    let store = engine.open().await;
    store.ping().await.unwrap();
    assert_eq!(store.head().await.unwrap(), Revision(0));
    let found = store
        .find(&[vec![named("a.cn")], vec![]], Freshness::Newest)
        .await
        .unwrap();
    assert_eq!(found.sets, [vec![], vec![]]);
    assert_eq!(found.revision, Revision(0));
    assert_eq!(found.synced_at, []);
    assert!(
        store
            .find(&[], Freshness::Newest)
            .await
            .unwrap()
            .sets
            .is_empty()
    );
    assert_eq!(store.changes((Revision(0), None), 10).await.unwrap(), []);
    assert_eq!(store.history(RecordKind::Service, "x").await.unwrap(), []);
    assert_eq!(store.counts().await.unwrap(), []);
    assert_eq!(store.source_syncs().await.unwrap(), []);
    assert_eq!(store.decision("x").await.unwrap(), None);
    let written = store.put(Vec::new(), at(0)).await.unwrap();
    assert_eq!(
        written,
        Written {
            revision: Revision(0),
            accepted: 0,
            unchanged: 0
        }
    );
    store.record_decisions(Vec::new()).await.unwrap();
}

pub(crate) async fn a_record_is_found_with_its_provenance(engine: &impl Engine) {
    let store = engine.open().await;
    let record = registration("a.cn", "r");
    let observed_at = jiff::Timestamp::from_microsecond(1_767_225_600_123_456).unwrap();
    let new = NewRecord {
        record: record.clone(),
        source: "注册局".into(),
        observed_at,
    };
    let written = store.put(vec![new], at(7)).await.unwrap();
    assert_eq!(
        written,
        Written {
            revision: Revision(1),
            accepted: 1,
            unchanged: 0
        }
    );
    let found = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap();
    let provenance = Provenance {
        source: "注册局".into(),
        observed_at,
        revision: Revision(1),
        committed_at: at(7),
    };
    assert_eq!(
        found.sets,
        [[Fact {
            value: record,
            provenance
        }]]
    );
    assert_eq!(found.revision, Revision(1));
    assert_eq!(found.synced_at, [(RecordKind::Registration, at(7))]);
}

pub(crate) async fn a_put_takes_one_revision(engine: &impl Engine) {
    let store = engine.open().await;
    let many: Vec<NewRecord> = (0..150)
        .map(|number| new(service(number, &[&format!("d{number}.cn")])))
        .collect();
    let written = store.put(many, at(0)).await.unwrap();
    assert_eq!(
        written,
        Written {
            revision: Revision(1),
            accepted: 150,
            unchanged: 0
        }
    );
    let written = store
        .put(vec![new(subject(1, 1, &[]))], at(1))
        .await
        .unwrap();
    assert_eq!(written.revision, Revision(2));
    assert_eq!(store.head().await.unwrap(), Revision(2));
    let changes = store.changes((Revision(0), None), 1000).await.unwrap();
    let places: Vec<(u64, u32)> = changes
        .iter()
        .map(|change| (change.revision.0, change.place))
        .collect();
    let expected: Vec<(u64, u32)> = (0..150).map(|place| (1, place)).chain([(2, 0)]).collect();
    assert_eq!(places, expected);
}

pub(crate) async fn what_is_known_is_counted_and_not_written(engine: &impl Engine) {
    let store = engine.open().await;
    store
        .put(vec![new(service(1, &["a.cn"]))], at(0))
        .await
        .unwrap();
    let later = NewRecord {
        observed_at: at(50),
        ..new(service(1, &["a.cn"]))
    };
    let written = store.put(vec![later], at(100)).await.unwrap();
    assert_eq!(
        written,
        Written {
            revision: Revision(1),
            accepted: 0,
            unchanged: 1
        }
    );
    let found = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap();
    assert_eq!(
        found.sets[0][0].provenance.observed_at,
        at(-60),
        "stays as it was"
    );
    assert_eq!(
        found.synced_at,
        [(RecordKind::Service, at(100))],
        "is a sync all the same"
    );

    let other = NewRecord {
        source: "another".into(),
        ..new(service(1, &["a.cn"]))
    };
    let mixed = vec![
        new(service(1, &["a.cn"])),
        new(service(2, &["b.cn"])),
        other,
    ];
    let written = store.put(mixed, at(90)).await.unwrap();
    assert_eq!(
        written,
        Written {
            revision: Revision(2),
            accepted: 2,
            unchanged: 1
        }
    );
    let found = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap();
    assert_eq!(&*found.sets[0][0].provenance.source, "another");
    assert_eq!(
        found.synced_at,
        [(RecordKind::Service, at(100))],
        "never goes back"
    );
}

pub(crate) async fn a_put_replaces(engine: &impl Engine) {
    let store = engine.open().await;
    for (second, registrar) in (0..).zip(["one", "two", "three"]) {
        store
            .put(vec![new(registration("a.cn", registrar))], at(second))
            .await
            .unwrap();
    }
    let found = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap();
    assert_eq!(values(&found.sets[0]), [registration("a.cn", "three")]);
    assert_eq!(found.sets[0][0].provenance.revision, Revision(3));
    let history = store
        .history(RecordKind::Registration, "a.cn")
        .await
        .unwrap();
    assert_eq!(
        values(&history),
        ["one", "two", "three"].map(|registrar| registration("a.cn", registrar))
    );
    let revisions: Vec<u64> = history
        .iter()
        .map(|fact| fact.provenance.revision.0)
        .collect();
    assert_eq!(revisions, [1, 2, 3]);
    assert_eq!(history[1].provenance.committed_at, at(1));
    assert_eq!(
        store.history(RecordKind::Service, "a.cn").await.unwrap(),
        []
    );
}

pub(crate) async fn an_older_observation_replaces_too(engine: &impl Engine) {
    let store = engine.open().await;
    store
        .put(vec![new(registration("a.cn", "one"))], at(0))
        .await
        .unwrap();
    let older = NewRecord {
        observed_at: at(-1_000_000),
        ..new(registration("a.cn", "two"))
    };
    store.put(vec![older], at(1)).await.unwrap();
    let found = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap();
    assert_eq!(values(&found.sets[0]), [registration("a.cn", "two")]);
    assert_eq!(found.sets[0][0].provenance.observed_at, at(-1_000_000));
}

pub(crate) async fn handles_follow_the_record(engine: &impl Engine) {
    let store = engine.open().await;
    let others: Vec<NewRecord> = (10..90)
        .map(|number| new(service(number, &[&format!("d{number}.cn"), "shared.cn"])))
        .collect();
    store.put(others.clone(), at(0)).await.unwrap();
    store
        .put(vec![new(service(1, &["a.cn", "b.cn"]))], at(0))
        .await
        .unwrap();
    store
        .put(vec![new(service(1, &["b.cn", "c.cn"]))], at(1))
        .await
        .unwrap();
    let sets = ["a.cn", "b.cn", "c.cn"].map(|domain| vec![named(domain)]);
    let found = store.find(&sets, Freshness::Newest).await.unwrap();
    let counts: Vec<usize> = found.sets.iter().map(Vec::len).collect();
    assert_eq!(counts, [0, 1, 1]);
    assert_eq!(values(&found.sets[1]), [service(1, &["b.cn", "c.cn"])]);

    // A whole batch replaced at once.
    let moved: Vec<NewRecord> = (10..90)
        .map(|number| new(service(number, &[&format!("e{number}.cn")])))
        .collect();
    let written = store.put(moved, at(2)).await.unwrap();
    assert_eq!((written.accepted, written.unchanged), (80, 0));
    let sets = ["shared.cn", "d10.cn", "e10.cn", "e89.cn"].map(|domain| vec![named(domain)]);
    let found = store.find(&sets, Freshness::Newest).await.unwrap();
    let counts: Vec<usize> = found.sets.iter().map(Vec::len).collect();
    assert_eq!(counts, [0, 0, 1, 1]);
    // And back.
    store.put(others, at(3)).await.unwrap();
    assert_eq!(
        store
            .find(&[vec![named("shared.cn")]], Freshness::Newest)
            .await
            .unwrap()
            .sets[0]
            .len(),
        80
    );
}

pub(crate) async fn a_key_may_come_twice_in_a_put(engine: &impl Engine) {
    let store = engine.open().await;
    let one = || new(registration("a.cn", "one"));
    let two = || new(registration("a.cn", "two"));
    let written = store.put(vec![one(), one(), two()], at(0)).await.unwrap();
    assert_eq!(
        written,
        Written {
            revision: Revision(1),
            accepted: 2,
            unchanged: 1
        }
    );
    let written = store
        .put(vec![two(), one(), two(), two()], at(1))
        .await
        .unwrap();
    assert_eq!(
        written,
        Written {
            revision: Revision(2),
            accepted: 2,
            unchanged: 2
        }
    );
    let found = store
        .find(&[vec![named("a.cn")]], Freshness::Newest)
        .await
        .unwrap();
    assert_eq!(values(&found.sets[0]), [registration("a.cn", "two")]);
    let history = store
        .history(RecordKind::Registration, "a.cn")
        .await
        .unwrap();
    assert_eq!(
        values(&history),
        ["one", "two", "one", "two"].map(|registrar| registration("a.cn", registrar))
    );
    assert_eq!(
        store.changes((Revision(0), None), 10).await.unwrap().len(),
        4
    );
    assert_eq!(
        store.counts().await.unwrap(),
        [(RecordKind::Registration, 1)]
    );
}

pub(crate) async fn find_follows_to_the_end(engine: &impl Engine) {
    let store = engine.open().await;
    let blocked = block(BlockTarget::Certificate(credit_code(1)));
    let bearing = vec![
        subject(1, 1, &[7]),
        service(1, &["a.cn", "www.a.cn"]),
        access(1, "other"),
        access(1, "we"),
        licence(1, credit_code(1)),
        licence(2, organisation_code(1)),
        licence(7, credit_code(7)),
        blocked,
        approval("n1", credit_code(1)),
    ];
    let beside = vec![
        subject(2, 2, &[]),
        service(2, &["b.cn"]),
        access(2, "we"),
        licence(3, credit_code(2)),
        approval("n2", organisation_code(2)),
        registration("b.cn", "r"),
    ];
    let mut all: Vec<NewRecord> = bearing.iter().chain(&beside).cloned().map(new).collect();
    // The order of writing does not matter; what leads somewhere may come last.
    all.reverse();
    store.put(all, at(0)).await.unwrap();
    let found = store
        .find(
            &[vec![named("a.cn"), named("www.a.cn"), named("a.cn")]],
            Freshness::Newest,
        )
        .await
        .unwrap();
    assert_eq!(
        values(&found.sets[0]),
        in_order(bearing),
        "by kind and key, none twice"
    );
    let subject_alone = store
        .find(
            &[vec![Handle::subject(&subject_number(2))]],
            Freshness::Newest,
        )
        .await
        .unwrap();
    assert_eq!(
        values(&subject_alone.sets[0]),
        in_order(vec![
            subject(2, 2, &[]),
            licence(3, credit_code(2)),
            approval("n2", organisation_code(2))
        ])
    );
    let links = store
        .find(
            &[vec![Handle::access(&service_number(2))]],
            Freshness::Newest,
        )
        .await
        .unwrap();
    assert_eq!(values(&links.sets[0]), [access(2, "we")]);
}

pub(crate) async fn sets_are_answered_in_their_order(engine: &impl Engine) {
    let store = engine.open().await;
    let records = vec![new(subject(1, 1, &[])), new(service(1, &["a.cn", "b.cn"]))];
    store.put(records, at(0)).await.unwrap();
    let sets = [
        vec![named("none.cn")],
        vec![named("b.cn")],
        vec![],
        vec![named("a.cn")],
        vec![named("none.cn"), named("a.cn")],
    ];
    let found = store.find(&sets, Freshness::Newest).await.unwrap();
    let both = in_order(vec![subject(1, 1, &[]), service(1, &["a.cn", "b.cn"])]);
    let got: Vec<Vec<Record>> = found.sets.iter().map(|set| values(set)).collect();
    assert_eq!(got, [vec![], both.clone(), vec![], both.clone(), both]);
}

pub(crate) async fn twins_meet(engine: &impl Engine) {
    let store = engine.open().await;
    // 例子.网络 and 例子.網絡.
    let simplified = "xn--fsqu00a.xn--io0a7i";
    let traditional = "xn--fsqu00a.xn--od0alg";
    let block = block(BlockTarget::Domain(RecordDomain::new(traditional)));
    store
        .put(
            vec![new(service(1, &[traditional])), new(block.clone())],
            at(0),
        )
        .await
        .unwrap();
    let found = store
        .find(&[vec![named(simplified)]], Freshness::Newest)
        .await
        .unwrap();
    assert_eq!(
        values(&found.sets[0]),
        in_order(vec![service(1, &[traditional]), block])
    );
}

pub(crate) async fn many_sets_of_many_names_are_answered(engine: &impl Engine) {
    let store = engine.open().await;
    let records: Vec<NewRecord> = (0..300)
        .flat_map(|number| {
            let domain = format!("d{number}.cn");
            [
                new(service(number, &[&domain])),
                new(registration(&domain, "r")),
            ]
        })
        .collect();
    store.put(records, at(0)).await.unwrap();
    let sets: Vec<Vec<Handle>> = (0..300)
        .map(|number| {
            let deep = (0..128).map(|level| named(&format!("l{level}.d{number}.cn")));
            deep.chain([named(&format!("d{number}.cn"))]).collect()
        })
        .collect();
    let found = store.find(&sets, Freshness::Newest).await.unwrap();
    for (number, set) in (0..).zip(&found.sets) {
        let domain = format!("d{number}.cn");
        let expected = vec![service(number, &[&domain]), registration(&domain, "r")];
        assert_eq!(values(set), in_order(expected));
    }
}
