//! What every engine of the store does. Each case takes an engine with an empty store and may
//! open it several times, as processes beside each other would.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use icpgate::store::{ChangeEntry, NewRecord, Store, Written};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::identity::CertificateKind;
use icpgate_policy::records::{BlockTarget, Handle, Record, RecordDomain};

use crate::samples::{
    access, approval, at, block, certificate, content, credit_code, decision, licence, named, new,
    organisation_code, registration, service, service_number, subject, subject_number,
};

/// An engine with one store.
#[async_trait]
pub(crate) trait Engine: Send + Sync {
    /// Opens the store once more.
    async fn open(&self) -> Arc<dyn Store>;
}

/// Runs every case on an engine; takes an async function that makes one with an empty store.
macro_rules! contract_suite {
    ($fresh:path) => {
        contract_suite!(
            $fresh:
            an_empty_store_answers,
            a_record_is_found_with_its_provenance,
            a_put_takes_one_revision,
            what_is_known_is_counted_and_not_written,
            a_put_replaces,
            an_older_observation_replaces_too,
            handles_follow_the_record,
            a_key_may_come_twice_in_a_put,
            find_follows_to_the_end,
            sets_are_answered_in_their_order,
            twins_meet,
            many_sets_of_many_names_are_answered,
            changes_are_read_in_pages,
            changes_take_any_cursor,
            certificates_are_shown_masked,
            decisions_are_recorded_once,
            decisions_share_their_contents,
            counts_are_those_of_the_records,
            an_abandoned_put_is_whole_or_not_there,
            revisions_are_seen_in_commit_order,
            everything_is_kept_when_the_store_is_closed,
        );
    };
    ($fresh:path: $($case:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::contract::$case(&$fresh().await).await;
            }
        )+
    };
}

pub(crate) use contract_suite;

pub(crate) async fn an_empty_store_answers(engine: &impl Engine) {
    let store = engine.open().await;
    store.ping().await.unwrap();
    assert_eq!(store.head().await.unwrap(), Revision(0));
    let found = store.find(&[vec![named("a.cn")], vec![]]).await.unwrap();
    assert_eq!(found.sets, [vec![], vec![]]);
    assert_eq!(found.revision, Revision(0));
    assert_eq!(found.synced_at, []);
    assert!(store.find(&[]).await.unwrap().sets.is_empty());
    assert_eq!(store.changes((Revision(0), None), 10).await.unwrap(), []);
    assert_eq!(store.history(RecordKind::Service, "x").await.unwrap(), []);
    assert_eq!(store.counts().await.unwrap(), []);
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
    let found = store.find(&[vec![named("a.cn")]]).await.unwrap();
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
    let found = store.find(&[vec![named("a.cn")]]).await.unwrap();
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
    let found = store.find(&[vec![named("a.cn")]]).await.unwrap();
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
    let found = store.find(&[vec![named("a.cn")]]).await.unwrap();
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
    let found = store.find(&[vec![named("a.cn")]]).await.unwrap();
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
    let found = store.find(&sets).await.unwrap();
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
    let found = store.find(&sets).await.unwrap();
    let counts: Vec<usize> = found.sets.iter().map(Vec::len).collect();
    assert_eq!(counts, [0, 0, 1, 1]);
    // And back.
    store.put(others, at(3)).await.unwrap();
    assert_eq!(
        store.find(&[vec![named("shared.cn")]]).await.unwrap().sets[0].len(),
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
    let found = store.find(&[vec![named("a.cn")]]).await.unwrap();
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
        .find(&[vec![named("a.cn"), named("www.a.cn"), named("a.cn")]])
        .await
        .unwrap();
    assert_eq!(
        values(&found.sets[0]),
        in_order(bearing),
        "by kind and key, none twice"
    );
    let subject_alone = store
        .find(&[vec![Handle::subject(&subject_number(2))]])
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
        .find(&[vec![Handle::access(&service_number(2))]])
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
    let found = store.find(&sets).await.unwrap();
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
    let found = store.find(&[vec![named(simplified)]]).await.unwrap();
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
    let found = store.find(&sets).await.unwrap();
    for (number, set) in (0..).zip(&found.sets) {
        let domain = format!("d{number}.cn");
        let expected = vec![service(number, &[&domain]), registration(&domain, "r")];
        assert_eq!(values(set), in_order(expected));
    }
}

pub(crate) async fn changes_are_read_in_pages(engine: &impl Engine) {
    let store = engine.open().await;
    for put in 0..7 {
        let records =
            (0..=put).map(|number| new(registration(&format!("d{number}.cn"), &format!("r{put}"))));
        store
            .put(records.collect(), at(i64::from(put)))
            .await
            .unwrap();
    }
    let all = store.changes((Revision(0), None), 1000).await.unwrap();
    assert_eq!(all.len(), 28);
    assert_eq!(
        all[1],
        ChangeEntry {
            revision: Revision(2),
            place: 0,
            kind: RecordKind::Registration,
            shown_key: "d0.cn".to_owned(),
            source: "filing department".to_owned(),
            committed_at: at(1),
        }
    );
    for size in 1..30 {
        let mut after = (Revision(0), None);
        let mut read = Vec::new();
        loop {
            let page = store.changes(after, size).await.unwrap();
            assert!(page.len() <= size as usize);
            let Some(last) = page.last() else { break };
            after = (last.revision, Some(last.place));
            read.extend(page);
        }
        assert_eq!(read, all, "in pages of {size}");
    }
}

pub(crate) async fn changes_take_any_cursor(engine: &impl Engine) {
    let store = engine.open().await;
    for put in ["r1", "r2"] {
        let records = ["a.cn", "b.cn", "c.cn"].map(|domain| new(registration(domain, put)));
        store.put(records.to_vec(), at(0)).await.unwrap();
    }
    let places = |after: (u64, Option<u32>), limit| {
        let store = Arc::clone(&store);
        async move {
            let changes = store
                .changes((Revision(after.0), after.1), limit)
                .await
                .unwrap();
            changes
                .iter()
                .map(|change| (change.revision.0, change.place))
                .collect::<Vec<_>>()
        }
    };
    assert_eq!(places((1, None), 10).await, [(2, 0), (2, 1), (2, 2)]);
    assert_eq!(places((1, Some(1)), 2).await, [(1, 2), (2, 0)]);
    assert_eq!(
        places((1, Some(u32::MAX)), 10).await,
        [(2, 0), (2, 1), (2, 2)],
        "none is skipped"
    );
    assert_eq!(places((0, Some(5)), 1).await, [(1, 0)]);
    for after in [
        (2, None),
        (2, Some(2)),
        (2, Some(9)),
        (3, None),
        (3, Some(0)),
        (u64::MAX, None),
    ] {
        assert_eq!(places(after, 10).await, [], "after {after:?}");
    }
    assert_eq!(places((0, None), 0).await, []);
}

pub(crate) async fn certificates_are_shown_masked(engine: &impl Engine) {
    let store = engine.open().await;
    let person = certificate(CertificateKind::ResidentId, "11010519491231002X");
    store
        .put(vec![new(block(BlockTarget::Certificate(person)))], at(0))
        .await
        .unwrap();
    let changes = store.changes((Revision(0), None), 10).await.unwrap();
    assert!(
        changes[0]
            .shown_key
            .starts_with("AUTHORITY/certificate/1101"),
        "{changes:?}"
    );
    assert!(changes[0].shown_key.contains('*'), "{changes:?}");
    assert!(!changes[0].shown_key.contains("19491231"), "{changes:?}");
}

pub(crate) async fn decisions_are_recorded_once(engine: &impl Engine) {
    let store = engine.open().await;
    let first = decision("d1", None, at(10));
    store
        .record_decisions(vec![first.clone(), first.clone()])
        .await
        .unwrap();
    let mut other = decision("d1", Some("o2"), at(30));
    other.answer = b"another answer".to_vec();
    other.facts = content("other facts");
    let later = decision("d1", Some("o1"), at(20));
    store
        .record_decisions(vec![later, decision("d2", None, at(20))])
        .await
        .unwrap();
    store.record_decisions(vec![other]).await.unwrap();
    store
        .record_decisions(vec![decision("d1", Some("o1"), at(99))])
        .await
        .unwrap();

    let recorded = store.decision("d1").await.unwrap().unwrap();
    assert_eq!(recorded.answer, first.answer);
    assert_eq!(recorded.profile, first.profile);
    assert_eq!(recorded.facts, b"facts");
    assert_eq!(recorded.policy, b"policy");
    assert_eq!(recorded.decided_at, at(5));
    assert_eq!(
        recorded.orders,
        [("o1".to_owned(), at(20)), ("o2".to_owned(), at(30))]
    );
    assert_eq!(store.decision("d2").await.unwrap().unwrap().orders, []);
    assert_eq!(store.decision("d3").await.unwrap(), None);
    assert_eq!(
        store.head().await.unwrap(),
        Revision(0),
        "decisions are no records"
    );
}

pub(crate) async fn decisions_share_their_contents(engine: &impl Engine) {
    let store = engine.open().await;
    let batch: Vec<_> = (0..50)
        .map(|number| decision(&format!("d{number}"), None, at(number)))
        .collect();
    store.record_decisions(batch).await.unwrap();
    let mut with_same_bytes = decision("e", None, at(0));
    with_same_bytes.policy = content("facts");
    store.record_decisions(vec![with_same_bytes]).await.unwrap();
    assert_eq!(
        store.decision("d49").await.unwrap().unwrap().facts,
        b"facts"
    );
    assert_eq!(store.decision("e").await.unwrap().unwrap().policy, b"facts");
}

pub(crate) async fn counts_are_those_of_the_records(engine: &impl Engine) {
    let store = engine.open().await;
    let records = vec![
        new(service(1, &["a.cn"])),
        new(service(2, &["a.cn"])),
        new(registration("a.cn", "one")),
    ];
    store.put(records.clone(), at(0)).await.unwrap();
    store.put(records, at(1)).await.unwrap();
    store
        .put(vec![new(registration("a.cn", "two"))], at(2))
        .await
        .unwrap();
    store
        .put(vec![new(registration("b.cn", "two"))], at(2))
        .await
        .unwrap();
    assert_eq!(
        store.counts().await.unwrap(),
        [(RecordKind::Service, 2), (RecordKind::Registration, 2)]
    );
}

pub(crate) async fn an_abandoned_put_is_whole_or_not_there(engine: &impl Engine) {
    let store = engine.open().await;
    for attempt in 0..40_u32 {
        let records: Vec<NewRecord> = (0..100)
            .map(|number| {
                new(registration(
                    &format!("d{number}.cn"),
                    &format!("r{attempt}"),
                ))
            })
            .collect();
        let patience = Duration::from_micros(u64::from(attempt) * 250);
        let _ = tokio::time::timeout(patience, store.put(records, at(0))).await;
    }
    let written = store
        .put(vec![new(registration("last.cn", "r"))], at(1))
        .await
        .unwrap();
    assert_eq!(written.accepted, 1);
    let changes = store.changes((Revision(0), None), 10_000).await.unwrap();
    let mut sizes: BTreeMap<u64, usize> = BTreeMap::new();
    for change in changes {
        *sizes.entry(change.revision.0).or_default() += 1;
    }
    assert_eq!(sizes.remove(&written.revision.0), Some(1));
    assert!(sizes.values().all(|size| *size == 100), "{sizes:?}");
    assert_eq!(
        sizes.len() as u64,
        written.revision.0 - 1,
        "revisions have no gap"
    );
}

pub(crate) async fn revisions_are_seen_in_commit_order(engine: &impl Engine) {
    const WRITERS: u32 = 4;
    const PUTS: u32 = 20;
    const RECORDS: u32 = 3;
    let stores = [engine.open().await, engine.open().await];
    let mut readers = tokio::task::JoinSet::new();
    for store in &stores {
        let store = Arc::clone(store);
        readers.spawn(async move {
            loop {
                let head = store.head().await.unwrap();
                let changes = store.changes((Revision(0), None), 10_000).await.unwrap();
                let seen: Vec<(u64, u32)> = changes
                    .iter()
                    .map(|change| (change.revision.0, change.place))
                    .take_while(|(revision, _)| *revision <= head.0)
                    .collect();
                let expected: Vec<(u64, u32)> = (1..=head.0)
                    .flat_map(|revision| (0..RECORDS).map(move |place| (revision, place)))
                    .collect();
                assert_eq!(
                    seen, expected,
                    "a reader who saw revision n has seen all before it"
                );
                let found = store.find(&[vec![named("all.cn")]]).await.unwrap();
                assert!(found.revision >= head);
                assert_eq!(
                    found.sets[0].len() as u64,
                    found.revision.0 * u64::from(RECORDS)
                );
                if head.0 == u64::from(WRITERS * PUTS) {
                    break;
                }
            }
        });
    }
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let store = Arc::clone(&stores[writer as usize % stores.len()]);
        writers.spawn(async move {
            let mut revisions = Vec::new();
            for put in 0..PUTS {
                let first = (writer * PUTS + put) * RECORDS;
                let records =
                    (first..first + RECORDS).map(|number| new(service(number, &["all.cn"])));
                let written = store.put(records.collect(), at(0)).await.unwrap();
                assert!(
                    store.head().await.unwrap() >= written.revision,
                    "reads its own write"
                );
                revisions.push(written.revision.0);
            }
            assert!(revisions.is_sorted());
            revisions
        });
    }
    let revisions: BTreeSet<u64> = writers.join_all().await.into_iter().flatten().collect();
    assert_eq!(revisions, (1..=u64::from(WRITERS * PUTS)).collect());
    readers.join_all().await;
}

pub(crate) async fn everything_is_kept_when_the_store_is_closed(engine: &impl Engine) {
    let store = engine.open().await;
    store
        .put(
            vec![new(service(1, &["a.cn"])), new(subject(1, 1, &[]))],
            at(0),
        )
        .await
        .unwrap();
    store
        .put(vec![new(service(1, &["a.cn", "b.cn"]))], at(1))
        .await
        .unwrap();
    store
        .record_decisions(vec![decision("d1", Some("o1"), at(2))])
        .await
        .unwrap();
    let before = snapshot(&*store).await;
    store.close().await;
    assert!(
        store.ping().await.is_err(),
        "a closed store does not answer"
    );
    assert!(
        store
            .put(vec![new(service(2, &["c.cn"]))], at(3))
            .await
            .is_err()
    );
    let store = engine.open().await;
    assert_eq!(snapshot(&*store).await, before);
    let written = store
        .put(vec![new(service(2, &["c.cn"]))], at(3))
        .await
        .unwrap();
    assert_eq!(written.revision, Revision(3));
}

async fn snapshot(store: &dyn Store) -> String {
    let found = store
        .find(&[vec![named("a.cn"), named("b.cn")]])
        .await
        .unwrap();
    let changes = store.changes((Revision(0), None), 10).await.unwrap();
    let key = service(1, &[]).key();
    let history = store.history(RecordKind::Service, &key).await.unwrap();
    assert_eq!(history.len(), 2);
    let decision = store.decision("d1").await.unwrap().unwrap();
    format!(
        "{found:?} {changes:?} {history:?} {decision:?} {:?}",
        store.counts().await.unwrap()
    )
}

fn values(facts: &[Fact<Record>]) -> Vec<Record> {
    facts.iter().map(|fact| fact.value.clone()).collect()
}

fn in_order(mut records: Vec<Record>) -> Vec<Record> {
    records.sort_by_key(|record| (record.kind(), record.key()));
    records
}
