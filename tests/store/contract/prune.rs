//! Removing decisions that were recorded long ago, and contents that nothing refers to any more.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::time::Duration;

use icpgate::store::{
    Aged, Erase, KEPT_AT_LEAST, NewDecision, Progress, Prunable, Prune, Pruned, Store, StoreError,
    Upkeep, Whom,
};
use icpgate_policy::identity::CertificateKind;
use jiff::Timestamp;

use super::{Engine, profile};
use crate::chain;
use crate::samples::{at, called, certificate, content, decision};

/// Decisions of the old time: several batches.
const MANY: u32 = 2_500;

/// Orders of one decision: more than go in one transaction.
const ORDERS: u32 = 9_000;

/// Decisions that are recorded before this instant are old.
fn old() -> Prune {
    Prune::before_instant(at(1000), at(1000) + KEPT_AT_LEAST).unwrap()
}

/// With facts and a policy of its own.
fn decided(id: &str, facts: &str, policy: &str, recorded_at: Timestamp) -> NewDecision {
    NewDecision {
        facts: content(facts),
        policy: content(policy),
        ..called(id, "shop", Some(&format!("order of {id}")), recorded_at)
    }
}

async fn prune(store: &dyn Upkeep) -> Pruned {
    store.prune(old(), &|_| {}).await.unwrap()
}

async fn holds(engine: &impl Engine, text: &str) -> bool {
    let dump = engine.dump().await;
    dump.windows(text.len()).any(|here| here == text.as_bytes())
}

/// Whether a decision is there; if it is, it is whole.
async fn is_whole(store: &dyn Store, id: &str, facts: &str) -> bool {
    let Some(recorded) = store.decision(id).await.unwrap() else {
        return false;
    };
    assert_eq!(recorded.facts, facts.as_bytes(), "{id}");
    assert_eq!(recorded.answer, format!("answer {id}").into_bytes());
    true
}

pub(crate) async fn old_decisions_are_pruned(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    assert_eq!(prune(&*store).await, Pruned::default(), "of nothing");
    assert_eq!(store.prunable(old()).await.unwrap(), Prunable::default());
    let mut again = decided("old one", "facts one", "policy one", at(20));
    again.order_id = Some("order more".to_owned());
    let recorded = vec![
        decided("old one", "facts one", "policy one", at(10)),
        again,
        decided("old two", "facts both", "policy both", at(999)),
        decided("old three", "facts both", "policy both", at(500)),
        decided("young one", "facts both", "policy both", at(1000)),
        decided("young two", "facts two", "policy two", at(2000)),
        decision("young three", None, at(3000)),
    ];
    store.record_decisions(recorded).await.unwrap();
    let young = ["young one", "young two", "young three"];
    let mut before = Vec::new();
    for id in young {
        before.push(store.decision(id).await.unwrap().unwrap());
    }

    let aged = Aged {
        first: at(10),
        last: at(999),
    };
    let prunable = store.prunable(old()).await.unwrap();
    assert_eq!((prunable.decisions, prunable.recorded), (3, Some(aged)));
    assert!((900..1200).contains(&prunable.octets), "{prunable:?}");
    assert!(is_whole(&*store, "old one", "facts one").await, "only told");

    let told = Mutex::new(Vec::new());
    let progress = |progress: Progress| told.lock().unwrap().push(progress.done);
    let done = store.prune(old(), &progress).await.unwrap();
    let expected = Pruned {
        decisions: 3,
        orders: 4,
        callers: 4,
        contents: 2,
        recorded: Some(aged),
    };
    assert_eq!(done, expected);
    assert_eq!(told.lock().unwrap().last(), Some(&3));
    for id in ["old one", "old two", "old three"] {
        assert_eq!(store.decision(id).await.unwrap(), None, "{id}");
    }
    for gone in ["facts one", "policy one", "order of old", "order more"] {
        assert!(!holds(engine, gone).await, "{gone}");
    }
    for (id, before) in young.iter().zip(before) {
        assert_eq!(store.decision(id).await.unwrap(), Some(before), "{id}");
    }

    assert_eq!(prune(&*store).await, Pruned::default());
    assert_eq!(store.prunable(old()).await.unwrap(), Prunable::default());
    // Nothing is in the way of one that is recorded once more.
    let anew = decided("old one", "facts one", "policy one", at(5000));
    store.record_decisions(vec![anew]).await.unwrap();
    assert!(is_whole(&*store, "old one", "facts one").await);
    assert_eq!(prune(&*store).await, Pruned::default());
}

pub(crate) async fn pruning_may_break_off_anywhere(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    let id = |number: u32| format!("d{number}");
    let facts = |number: u32| format!("facts {}.", number / 2);
    for first in (0..MANY).step_by(500) {
        let numbers = first..first + 500;
        let some = numbers.map(|number| {
            let policy = format!("policy {}.", number % 2);
            decided(
                &id(number),
                &facts(number),
                &policy,
                at(i64::from(number / 100)),
            )
        });
        store.record_decisions(some.collect()).await.unwrap();
    }
    let ordered = (0..ORDERS).map(|number| {
        let order = format!("order {number}");
        decision(&id(7), Some(&order), at(30))
    });
    store.record_decisions(ordered.collect()).await.unwrap();
    let young = decided("young", &facts(12), "policy 0.", at(1000));
    store.record_decisions(vec![young]).await.unwrap();

    let mut left: BTreeSet<u32> = (0..MANY).collect();
    for milliseconds in [1, 5, 20, 40, 80, 120, 160, 320] {
        let work = prune(&*store);
        let _ = tokio::time::timeout(Duration::from_millis(milliseconds), work).await;
        let mut gone = Vec::new();
        for number in left.iter().step_by(17) {
            if !is_whole(&*store, &id(*number), &facts(*number)).await {
                gone.push(*number);
            }
        }
        for number in gone {
            left.remove(&number);
        }
    }
    // All the rest in one go, and more than one transaction.
    let told = Mutex::new(Vec::new());
    let progress = |progress: Progress| told.lock().unwrap().push(progress.done);
    let rest = store.prune(old(), &progress).await.unwrap();
    let steps = told.into_inner().unwrap();
    let most = steps.windows(2).map(|two| two[1] - two[0]).max();
    assert!(most.is_none_or(|most| most <= 1000), "{steps:?}");
    assert!(rest.decisions <= u64::from(MANY));
    for number in (0..MANY).step_by(11) {
        assert_eq!(store.decision(&id(number)).await.unwrap(), None);
    }
    assert!(is_whole(&*store, "young", &facts(12)).await);
    // Nothing is left that nothing leads to.
    for gone in [
        "facts 0.",
        "facts 100.",
        "facts 1249.",
        "policy 1.",
        "order ",
    ] {
        let kept = gone == "order " && holds(engine, "order of young").await;
        assert!(kept || !holds(engine, gone).await, "{gone}");
    }
    assert!(holds(engine, "policy 0.").await);
    assert_eq!(prune(&*store).await, Pruned::default());
}

/// What goes is needed by what comes at that moment.
pub(crate) async fn decisions_are_recorded_while_old_ones_are_pruned(engine: &impl Engine) {
    let pruning = engine.upkeep("5eed").await.unwrap();
    let facts = |number: u32| format!("facts {number}.");
    for first in (0..MANY).step_by(500) {
        let some = (first..first + 500).map(|number| {
            let recorded_at = at(i64::from(number / 10));
            decided(
                &format!("old {number}"),
                &facts(number),
                "policy",
                recorded_at,
            )
        });
        pruning.record_decisions(some.collect()).await.unwrap();
    }
    let recorders = [engine.open().await, engine.open().await];
    let ended = Mutex::new(false);
    // Under contents of decisions that are about to go; at it again where the store is busy, as ever.
    let recording = async |who: usize| {
        let store = &recorders[who];
        for round in 0.. {
            let some = (0..MANY).skip(who).step_by(3).map(|number| {
                let young = format!("young {who} {round} {number}");
                decided(&young, &facts(number), "policy", at(2000))
            });
            let some: Vec<NewDecision> = some.collect();
            for group in some.chunks(64) {
                while let Err(error) = store.record_decisions(group.to_vec()).await {
                    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            if *ended.lock().unwrap() {
                return round;
            }
        }
        0
    };
    let work = async {
        let done = prune(&*pruning).await;
        *ended.lock().unwrap() = true;
        done
    };
    let (done, one, two) = tokio::join!(work, recording(0), recording(1));
    assert_eq!(done.decisions, u64::from(MANY), "{done:?}");
    for (who, last) in [one, two].into_iter().enumerate() {
        for round in 0..=last {
            for number in (0..MANY).skip(who).step_by(3) {
                let young = format!("young {who} {round} {number}");
                assert!(is_whole(&*pruning, &young, &facts(number)).await, "{young}");
            }
        }
    }
    assert_eq!(prune(&*pruning).await, Pruned::default());
    assert!(!holds(engine, &facts(2)).await, "of an old one alone");
    assert!(holds(engine, &facts(3)).await);
}

/// Where orders are many, fewer decisions go at once, and each whole.
pub(crate) async fn crowded_decisions_are_pruned_whole(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    // Ten orders for each, so that the first attempts are for too many.
    for orders in 0..10 {
        let some = (0..1_500).map(|number| {
            let order = format!("order {orders}");
            decision(&format!("d{number}"), Some(&order), at(number))
        });
        store.record_decisions(some.collect()).await.unwrap();
    }
    let done = Mutex::new(0);
    let told = |progress: Progress| *done.lock().unwrap() = progress.done;
    let work = store.prune(old(), &told);
    let _ = tokio::time::timeout(Duration::from_millis(700), work).await;
    let first = *done.lock().unwrap();
    let mut left = 0;
    for number in 0..1_500 {
        if let Some(recorded) = store.decision(&format!("d{number}")).await.unwrap() {
            assert_eq!(recorded.orders.len(), 10, "d{number}");
            left += 1;
        }
    }
    let rest = prune(&*store).await;
    assert_eq!(rest.orders, rest.decisions * 10);
    // Those from the thousandth second on are young.
    assert_eq!(rest.decisions + 500, left);
    assert!(first + rest.decisions <= 1_000);
}

pub(crate) async fn facts_of_an_erased_question_go_with_the_last_decision(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    let her = certificate(CertificateKind::ResidentId, "11010519491231002X");
    // Of somebody else; each has a source of its own.
    let facts = |source: &str| {
        let mut facts = chain::facts(&chain::one());
        for registration in &mut std::sync::Arc::make_mut(&mut facts.name).registrations {
            registration.provenance.source = source.into();
        }
        facts
    };
    let (own, shared) = (facts("source alone"), facts("source of both"));
    let asked = || profile(Some(her.clone()));
    let recorded = vec![
        super::decided("alone", &own, &asked()),
        super::decided("both", &shared, &asked()),
        super::decided("other", &shared, &profile(None)),
    ];
    store.record_decisions(recorded).await.unwrap();
    let erase = Erase {
        whom: Whom::Person(her),
        provider_blocks: false,
    };
    let done = store.erase(&erase, true, at(50)).await.unwrap();
    assert_eq!(done.decisions, 2);
    for id in ["alone", "both"] {
        assert!(store.decision(id).await.unwrap().unwrap().facts.is_empty());
    }
    let other = store.decision("other").await.unwrap().unwrap();
    assert_eq!(other.facts, postcard::to_stdvec(&shared).unwrap());
    assert!(!holds(engine, "source alone").await);
    assert!(holds(engine, "source of both").await);
}
