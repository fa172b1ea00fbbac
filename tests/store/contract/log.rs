//! The change log, the decision log, and what holds when things go wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use icpgate::store::{ChangeEntry, Freshness, MOST_SOURCES, NewRecord, Store};
use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::Revision;
use icpgate_policy::identity::CertificateKind;
use icpgate_policy::records::BlockTarget;

use super::Engine;
use crate::samples::{
    at, block, called, certificate, content, decision, named, new, registration, service, subject,
};

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

pub(crate) async fn callers_of_a_decision_are_recorded(engine: &impl Engine) {
    let store = engine.open().await;
    store
        .record_decisions(vec![
            called("d1", "shop", None, at(20)),
            called("d1", "shop", Some("o1"), at(10)),
            called("d1", "shop", None, at(30)),
            called("d1", "feed", None, at(20)),
            decision("d1", Some("o2"), at(40)),
            called("d2", "shop", None, at(50)),
        ])
        .await
        .unwrap();
    store
        .record_decisions(vec![called("d1", "feed", None, at(99))])
        .await
        .unwrap();
    let recorded = store.decision("d1").await.unwrap().unwrap();
    let callers: Vec<_> = recorded
        .callers
        .iter()
        .map(|caller| {
            (
                &*caller.caller,
                caller.order_id.as_deref(),
                caller.recorded_at,
            )
        })
        .collect();
    assert_eq!(
        callers,
        [
            ("shop", Some("o1"), at(10)),
            ("feed", None, at(20)),
            ("shop", None, at(20)),
        ]
    );
    assert_eq!(
        recorded.orders,
        [("o1".to_owned(), at(10)), ("o2".to_owned(), at(40))]
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

pub(crate) async fn pages_hold_what_holds_in_the_order_of_its_keys(engine: &impl Engine) {
    let store = engine.open().await;
    let names: Vec<String> = (0..7).map(|place| format!("n{place}.cn")).collect();
    let records = names.iter().rev().map(|name| new(registration(name, "r")));
    store.put(records.collect(), at(0)).await.unwrap();
    store
        .put(
            vec![
                new(registration("n3.cn", "later")),
                new(service(1, &["a.cn"])),
            ],
            at(1),
        )
        .await
        .unwrap();
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = store
            .page(RecordKind::Registration, &after, 3)
            .await
            .unwrap();
        assert!(page.len() <= 3);
        let Some((key, _)) = page.last() else {
            break;
        };
        after.clone_from(key);
        seen.extend(page);
    }
    let keys: Vec<&str> = seen.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, names);
    assert_eq!(seen[3].1, registration("n3.cn", "later"));
    assert_eq!(store.page(RecordKind::Block, "", 3).await.unwrap(), []);
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

pub(crate) async fn sources_are_noted_when_they_write(engine: &impl Engine) {
    let stores = [engine.open().await, engine.open().await];
    let from = |source: &str, domain: &str| NewRecord {
        source: source.into(),
        ..new(registration(domain, "r"))
    };
    let is = async |expected: &[(&str, i64)]| {
        let expected: Vec<_> = expected
            .iter()
            .map(|(source, seconds)| ((*source).to_owned(), at(*seconds)))
            .collect();
        // Another process sees the same.
        for store in &stores {
            assert_eq!(store.source_syncs().await.unwrap(), expected);
        }
    };
    let put = async |records: Vec<NewRecord>, seconds| {
        let written = stores[0].put(records, at(seconds)).await;
        written.unwrap()
    };
    let mixed = vec![
        from("registrar", "a.cn"),
        from("部级同步", "b.cn"),
        from("registrar", "c.cn"),
    ];
    put(mixed, 10).await;
    is(&[("registrar", 10), ("部级同步", 10)]).await;
    let written = put(vec![from("registrar", "a.cn")], 20).await;
    assert_eq!(written.unchanged, 1);
    is(&[("registrar", 20), ("部级同步", 10)]).await;
    // The clock of another writer is behind.
    put(vec![from("registrar", "d.cn")], 15).await;
    put(Vec::new(), 30).await;
    is(&[("registrar", 20), ("部级同步", 10)]).await;
    // Engines write many records in another way than few.
    let many = (0..700).map(|number| from("bulk", &format!("m{number}.cn")));
    let many = many.chain([from("部级同步", "e.cn")]).collect();
    put(many, 40).await;
    is(&[("bulk", 40), ("registrar", 20), ("部级同步", 40)]).await;
}

pub(crate) async fn no_more_sources_are_noted_than_may_be(engine: &impl Engine) {
    /// Of one write.
    const NOTED: usize = 64;
    let store = engine.open().await;
    let write = async |first: usize, count: usize, seconds| {
        // In no order of their names.
        let records = (first..first + count).rev().map(|number| NewRecord {
            source: format!("s{number:05}").into(),
            ..new(registration("a.cn", &format!("r{number}")))
        });
        store.put(records.collect(), at(seconds)).await.unwrap();
    };
    write(0, 100, 1).await;
    let noted = store.source_syncs().await.unwrap();
    assert_eq!(noted.len(), NOTED);
    assert_eq!(noted[0], ("s00000".to_owned(), at(1)));
    assert_eq!(noted[NOTED - 1], ("s00063".to_owned(), at(1)));
    // Those that wrote last, however many there are.
    let most = usize::try_from(MOST_SOURCES).unwrap();
    let mut written = NOTED;
    let mut seconds = 1;
    while written <= most {
        seconds += 1;
        write(written, NOTED, seconds).await;
        written += NOTED;
    }
    write(0, 1, 99).await;
    let noted = store.source_syncs().await.unwrap();
    assert_eq!(noted.len(), most);
    assert!(noted.is_sorted());
    assert_eq!(noted[0], ("s00000".to_owned(), at(99)));
    let oldest = noted.iter().filter(|(_, when)| *when == at(1)).count();
    assert_eq!(oldest, NOTED - 1 - (written - most));
}

pub(crate) async fn an_abandoned_put_is_whole_or_not_there(engine: &impl Engine) {
    abandon_puts(engine, 100, Duration::from_micros(250)).await;
}

/// Engines write many records in another way than few.
pub(crate) async fn an_abandoned_put_of_many_is_whole_or_not_there(engine: &impl Engine) {
    abandon_puts(engine, 700, Duration::from_millis(4)).await;
}

/// Gives up puts of `size` records, each one `step` later than the one before.
async fn abandon_puts(engine: &impl Engine, size: usize, step: Duration) {
    let store = engine.open().await;
    for attempt in 0..40_u32 {
        let records: Vec<NewRecord> = (0..size)
            .map(|number| {
                new(registration(
                    &format!("d{number}.cn"),
                    &format!("r{attempt}"),
                ))
            })
            .collect();
        let _ = tokio::time::timeout(step * attempt, store.put(records, at(0))).await;
    }
    let written = store
        .put(vec![new(registration("last.cn", "r"))], at(1))
        .await
        .unwrap();
    assert_eq!(written.accepted, 1);
    let changes = store.changes((Revision(0), None), 100_000).await.unwrap();
    let mut sizes: BTreeMap<u64, usize> = BTreeMap::new();
    for change in changes {
        *sizes.entry(change.revision.0).or_default() += 1;
    }
    assert_eq!(sizes.remove(&written.revision.0), Some(1));
    assert!(sizes.values().all(|found| *found == size), "{sizes:?}");
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
                let found = store
                    .find(&[vec![named("all.cn")]], Freshness::Newest)
                    .await
                    .unwrap();
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
        .find(&[vec![named("a.cn"), named("b.cn")]], Freshness::Newest)
        .await
        .unwrap();
    let changes = store.changes((Revision(0), None), 10).await.unwrap();
    let key = service(1, &[]).key();
    let history = store.history(RecordKind::Service, &key).await.unwrap();
    assert_eq!(history.len(), 2);
    let decision = store.decision("d1").await.unwrap().unwrap();
    format!(
        "{found:?} {changes:?} {history:?} {decision:?} {:?} {:?}",
        store.counts().await.unwrap(),
        store.source_syncs().await.unwrap()
    )
}
