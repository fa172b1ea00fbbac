//! Following the change log: what was touched, how far back to begin, and signs of changes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use icpgate::store::{NewRecord, Store, StoreError, Touched};
use icpgate_policy::facts::Revision;
use icpgate_policy::records::{Handle, Record};

use super::Engine;
use crate::samples::{at, named, new, registration, service, subject};

/// Far beyond what a sign takes; a wait for one that does not come must end.
const PATIENCE: Duration = Duration::from_secs(20);

fn handles(records: &[Record]) -> Vec<Handle> {
    let mut handles: Vec<Handle> = records.iter().flat_map(Record::handles).collect();
    handles.sort_unstable();
    handles.dedup();
    handles
}

/// Writes `sizes` revisions of that many versions each, all of their own names.
async fn write(store: &dyn Store, sizes: &[u32]) {
    for (revision, size) in (1_u32..).zip(sizes) {
        let records: Vec<NewRecord> = (0..*size)
            .map(|number| new(registration(&format!("d{number}.r{revision}.cn"), "r")))
            .collect();
        store.put(records, at(0)).await.unwrap();
    }
}

pub(crate) async fn touched_tells_where_a_record_was_and_is(engine: &impl Engine) {
    let store = engine.open().await;
    let before = service(1, &["old.cn", "stays.cn"]);
    let after = service(1, &["new.cn", "stays.cn"]);
    let between = service(1, &["between.cn"]);
    store
        .put(vec![new(before.clone()), new(subject(1, 1, &[]))], at(0))
        .await
        .unwrap();
    store
        .put(
            vec![new(subject(1, 1, &[])), new(between.clone()), new(after)],
            at(1),
        )
        .await
        .unwrap();
    let touched = store.touched(Revision(1), 100).await.unwrap();
    assert_eq!(
        touched,
        Touched {
            handles: vec![(
                Revision(2),
                ["between.cn", "new.cn", "old.cn", "stays.cn"]
                    .map(named)
                    .to_vec()
            )],
            everything: None,
            through: Revision(2),
            head: Revision(2),
        },
        "the subject is unchanged"
    );
    let all = store.touched(Revision(0), 100).await.unwrap();
    assert_eq!(
        all.handles[0],
        (Revision(1), handles(&[before, subject(1, 1, &[])]))
    );
    assert_eq!(all.handles[1..], touched.handles);
    let moved_back = store.put(vec![new(between)], at(2)).await.unwrap();
    let touched = store.touched(Revision(2), 100).await.unwrap();
    assert_eq!(
        touched.handles,
        [(
            moved_back.revision,
            ["between.cn", "new.cn", "stays.cn"].map(named).to_vec()
        )]
    );
}

pub(crate) async fn touched_reads_whole_revisions(engine: &impl Engine) {
    let store = engine.open().await;
    let nothing = |revision| Touched {
        handles: Vec::new(),
        everything: None,
        through: revision,
        head: revision,
    };
    assert_eq!(
        store.touched(Revision(0), 10).await.unwrap(),
        nothing(Revision(0))
    );
    let sizes = [3, 4, 1, 2];
    write(&*store, &sizes).await;
    // After a revision, with a limit: the revisions that are read.
    for (after, limit, expected) in [
        (0, 0, vec![1]),
        (0, 1, vec![1]),
        (0, 3, vec![1]),
        (0, 4, vec![1, 2]),
        (0, 7, vec![1, 2]),
        (0, 8, vec![1, 2, 3]),
        (0, 9, vec![1, 2, 3, 4]),
        (0, 10, vec![1, 2, 3, 4]),
        (0, u32::MAX, vec![1, 2, 3, 4]),
        (1, 4, vec![2]),
        (2, 1, vec![3]),
        (3, 1, vec![4]),
    ] {
        let touched = store.touched(Revision(after), limit).await.unwrap();
        let read: Vec<u64> = touched.handles.iter().map(|(read, _)| read.0).collect();
        assert_eq!(read, expected, "after {after}, limit {limit}");
        assert_eq!(touched.through.0, *expected.last().unwrap());
        assert_eq!(touched.head, Revision(4));
        for (read, handles) in touched.handles {
            let (_, size) = (1..)
                .zip(sizes)
                .find(|(number, _)| read.0 == *number)
                .unwrap();
            assert_eq!(handles.len(), size as usize, "{read:?} is whole");
        }
    }
    for beyond in [4, 5, u64::MAX] {
        let touched = store.touched(Revision(beyond), 10).await.unwrap();
        assert_eq!(touched, nothing(Revision(4)), "after {beyond}");
    }
}

pub(crate) async fn touched_reaches_the_head_in_pages(engine: &impl Engine) {
    let store = engine.open().await;
    for put in 0..3 {
        let records = ["a.cn", "b.cn"].map(|name| new(registration(name, &format!("r{put}"))));
        store.put(records.to_vec(), at(0)).await.unwrap();
    }
    for limit in 1..8 {
        let mut after = Revision(0);
        let mut read = BTreeMap::new();
        loop {
            let page = store.touched(after, limit).await.unwrap();
            assert!(page.through > after, "it goes on");
            assert!(page.handles.iter().all(|(read, _)| *read <= page.through));
            read.extend(page.handles);
            after = page.through;
            if after == page.head {
                break;
            }
        }
        let both = vec![named("a.cn"), named("b.cn")];
        let expected = (1..=3).map(|revision| (Revision(revision), both.clone()));
        assert_eq!(read, expected.collect(), "limit {limit}");
    }
}

pub(crate) async fn a_revision_is_found_by_what_was_written_since(engine: &impl Engine) {
    let store = engine.open().await;
    assert_eq!(store.revision_before(0).await.unwrap(), Revision(0));
    assert_eq!(store.revision_before(9).await.unwrap(), Revision(0));
    write(&*store, &[3, 4, 1, 2]).await;
    for (versions, expected) in [
        (0, 4),
        (1, 4),
        (2, 3),
        (3, 2),
        (6, 2),
        (7, 1),
        (9, 1),
        (10, 0),
        (11, 0),
        (u64::MAX, 0),
    ] {
        assert_eq!(
            store.revision_before(versions).await.unwrap(),
            Revision(expected),
            "{versions} versions"
        );
    }
}

pub(crate) async fn a_write_through_another_store_gives_a_sign(engine: &impl Engine) {
    let (follower, writer) = (engine.open().await, engine.open().await);
    let sign = || {
        let follower = Arc::clone(&follower);
        async move { tokio::time::timeout(PATIENCE, follower.changed()).await }
    };
    sign().await.expect("the first call returns").unwrap();
    // False signs are allowed; a wait that never ends without a write is not what is tested.
    for round in 0..5 {
        let waiting = sign();
        let writing = writer.put(vec![new(registration("a.cn", &format!("r{round}")))], at(0));
        let (signed, written) = tokio::join!(waiting, writing);
        signed.expect("a sign comes").unwrap();
        assert_eq!(written.unwrap().revision, Revision(round + 1));
    }
}

pub(crate) async fn a_dropped_wait_loses_no_sign(engine: &impl Engine) {
    let (follower, writer) = (engine.open().await, engine.open().await);
    follower.changed().await.unwrap();
    for round in 0..20 {
        let record = new(registration("a.cn", &format!("r{round}")));
        // Dropped before, while or after the sign comes.
        let patience = Duration::from_micros(200 * round);
        let dropped = tokio::time::timeout(patience, follower.changed());
        let (dropped, written) = tokio::join!(dropped, writer.put(vec![record], at(0)));
        written.unwrap();
        if dropped.is_err() {
            let sign = tokio::time::timeout(PATIENCE, follower.changed()).await;
            sign.expect("the sign is not lost").unwrap();
        }
    }
}

pub(crate) async fn a_closed_store_gives_no_sign(engine: &impl Engine) {
    let store = engine.open().await;
    store.changed().await.unwrap();
    let waiting = async {
        loop {
            // A sign of something else may come first.
            store.changed().await?;
        }
    };
    let closing = async {
        tokio::task::yield_now().await;
        store.close().await;
    };
    let (ended, ()): (Result<(), StoreError>, ()) =
        tokio::time::timeout(PATIENCE, async { tokio::join!(waiting, closing) })
            .await
            .expect("the wait ends, and so does the closing");
    assert!(
        matches!(ended, Err(StoreError::Unavailable { .. })),
        "{ended:?}"
    );
}
