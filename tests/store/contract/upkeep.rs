//! Sealing a whole store under the next key, and erasing what is held about a person.

use std::fmt::Write as _;
use std::sync::Arc;

use icpgate::store::{
    Content, Erase, Erased, Freshness, NewDecision, Reseal, StoreError, Upkeep, Whom,
};
use icpgate_policy::codes::{BlockList, PersonRole, RecordKind, SubjectNature};
use icpgate_policy::facts::{Facts, Revision};
use icpgate_policy::identity::{CertificateKind, Resealer, SealedCertificate, Sealer};
use icpgate_policy::records::{Block, BlockTarget, Handle, Person, Record, Registration, Subject};
use icpgate_policy::request::{Applicant, NewApplicant, Profile};

use super::{Engine, values};
use crate::chain;
use crate::samples::{
    access, approval, at, block, certificate, decision, licence, name, named, new, registration,
    service, subject, subject_number,
};

/// Fingerprint of the keys of [`chain::two`], as stores are told.
pub(crate) const NEXT: &str = "5eed2";

fn key() -> Resealer {
    Resealer::new(chain::SECOND).unwrap()
}

async fn reseal(store: &dyn Upkeep) -> Revision {
    let key = key();
    let reseal = Reseal {
        key: &key,
        key_id: NEXT,
    };
    let done = store.reseal(reseal, at(100), &|_| {}).await.unwrap();
    assert!(done.versions > 0, "{done:?}");
    done.revision
}

pub(crate) fn profile(applicant: Option<SealedCertificate>) -> Profile {
    let mut profile: Profile = serde_json::from_value(serde_json::json!({
        "domain": "a.cn", "product": "CDN", "service_area": "MAINLAND", "purpose": "PRE_FILING",
        "site": {"payment_enabled": false, "business_model": null, "sectors": [],
            "live_since": null},
        "claimed_filing_number": null, "origin_host": null, "origin_in_mainland": null,
        "host_header": null,
        "customer": {"account_id": "", "real_name": null, "domain_control": null},
        "applicant": null, "language": "English",
    }))
    .unwrap();
    let applicant = applicant.map(|certificate| {
        let new: NewApplicant = serde_json::from_value(serde_json::json!({
            "nature": "INDIVIDUAL", "entity": "DOMESTIC", "name": null,
            "certificate": certificate, "province": null, "people": [],
        }))
        .unwrap();
        Applicant::New(Box::new(new))
    });
    profile.applicant = applicant;
    profile
}

pub(crate) fn decided(id: &str, facts: &Facts, profile: &Profile) -> NewDecision {
    let facts = postcard::to_stdvec(facts).unwrap();
    NewDecision {
        profile: postcard::to_stdvec(profile).unwrap(),
        facts: Content {
            digest: *blake3::hash(&facts).as_bytes(),
            bytes: facts.into(),
        },
        ..decision(id, Some("order"), at(7))
    }
}

#[expect(clippy::too_many_lines, reason = "one story")]
pub(crate) async fn everything_is_sealed_anew(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    let beside = engine.open().await;
    let other = |sealer: &Sealer| {
        let mut others = chain::records(sealer);
        for record in &mut others {
            if let Record::Block(block) = record {
                block.reason = "another".into();
            }
        }
        others
    };
    let one = chain::one();
    // Blocks twice, so that there is a past; the rest is many pages.
    for records in [other(&one), chain::records(&one)] {
        store
            .put(records.into_iter().map(new).collect(), at(0))
            .await
            .unwrap();
    }
    let many = |sealer: &Sealer| -> Vec<Record> {
        (0..1200)
            .map(|number| {
                let Record::Registration(registration) = chain::registration(sealer) else {
                    panic!("another kind")
                };
                Record::Registration(Registration {
                    domain: icpgate_policy::records::RecordDomain::new(&format!("d{number}.cn")),
                    ..registration
                })
            })
            .collect()
    };
    store
        .put(many(&one).into_iter().map(new).collect(), at(1))
        .await
        .unwrap();
    let before = store.counts().await.unwrap();
    let head = store.head().await.unwrap();
    let applicant = |sealer: &Sealer| profile(Some(chain::person(sealer)));
    store
        .record_decisions(vec![
            decided("d1", &chain::facts(&one), &applicant(&one)),
            decided("d2", &chain::facts(&one), &profile(None)),
        ])
        .await
        .unwrap();

    assert_eq!(reseal(&*store).await, Revision(head.0 + 1));

    // Whoever was there before can do nothing more with sealed values.
    let old = beside
        .put(vec![new(registration("x.cn", "r"))], at(2))
        .await;
    assert!(
        matches!(old, Err(StoreError::KeyReplaced { .. })),
        "{old:?}"
    );
    let old = beside.find(&[vec![named("a.cn")]], Freshness::Any).await;
    assert!(
        matches!(old, Err(StoreError::KeyReplaced { .. })),
        "{old:?}"
    );
    let old = beside.touched(head, 100).await;
    let Err(StoreError::KeyReplaced { started, stored }) = old else {
        panic!("{old:?}")
    };
    assert_eq!((started.as_str(), stored.as_str()), ("5eed", NEXT));
    let late = decided("d3", &chain::facts(&one), &profile(None));
    let old = beside.record_decisions(vec![late.clone()]).await;
    assert!(
        matches!(old, Err(StoreError::KeyReplaced { .. })),
        "{old:?}"
    );
    assert_eq!(beside.decision("d3").await.unwrap(), None);
    // What holds nothing sealed is still taken.
    let bare = NewDecision {
        facts: Content {
            digest: *blake3::hash(b"").as_bytes(),
            bytes: Vec::new().into(),
        },
        ..late
    };
    beside.record_decisions(vec![bare]).await.unwrap();
    // A decision that is known stays as it is; the order is added whatever the key.
    let again = NewDecision {
        order_id: Some("another order".to_owned()),
        ..decided("d3", &chain::facts(&one), &profile(None))
    };
    let _ = beside.record_decisions(vec![again]).await;
    store.close().await;
    beside.close().await;

    let error = engine.upkeep("5eed").await.err().unwrap();
    assert!(
        matches!(&error, StoreError::KeyChanged { stored, .. } if stored == NEXT),
        "{error:?}"
    );
    let store = engine.upkeep(NEXT).await.unwrap();
    let two = chain::two();
    assert_eq!(store.counts().await.unwrap(), before);
    for (was, is) in other(&two).into_iter().zip(chain::records(&two)) {
        let history = store.history(is.kind(), &is.key()).await.unwrap();
        let expected = if was == is { vec![is] } else { vec![was, is] };
        assert_eq!(values(&history), expected);
    }
    // The test of all: what is sealed under both keys is known already, to the last octet.
    let known: Vec<Record> = chain::records(&two).into_iter().chain(many(&two)).collect();
    let count = known.len() as u64;
    let written = store
        .put(known.into_iter().map(new).collect(), at(3))
        .await
        .unwrap();
    assert_eq!((written.accepted, written.unchanged), (0, count));
    assert_eq!(written.revision, Revision(head.0 + 1));
    // Found under the new handles, and not under the old ones.
    let sets = [
        Handle::holder(&chain::person(&two)),
        Handle::holder(&chain::person(&one)),
        vec![Handle::subject(&subject_number(0))],
    ];
    let found = store.find(&sets, Freshness::Newest).await.unwrap();
    let kinds = |place: usize| -> Vec<RecordKind> {
        let facts = found.sets[place].iter();
        facts.map(|fact| fact.value.kind()).collect()
    };
    assert_eq!(kinds(0), [RecordKind::Block]);
    assert_eq!(kinds(1), []);
    assert_eq!(
        kinds(2),
        [
            RecordKind::Subject,
            RecordKind::Licence,
            RecordKind::Approval
        ],
        "leads go on"
    );
    // What replaces a record takes its handles with it, as ever.
    let replaced = other(&two).into_iter().map(new).collect();
    assert_eq!(store.put(replaced, at(4)).await.unwrap().accepted, 1);

    let touched = store.touched(head, 100).await.unwrap();
    assert_eq!(touched.everything, Some(Revision(head.0 + 1)));
    for (id, applicant) in [("d1", applicant(&two)), ("d2", profile(None))] {
        let recorded = store.decision(id).await.unwrap().unwrap();
        let facts: Facts = postcard::from_bytes(&recorded.facts).unwrap();
        assert_eq!(facts, chain::facts(&two));
        let profile: Profile = postcard::from_bytes(&recorded.profile).unwrap();
        assert_eq!(profile, applicant);
        assert_eq!(recorded.answer, format!("answer {id}").into_bytes());
        assert_eq!(recorded.policy, b"policy");
    }
    // And once more.
    let third = Resealer::new(chain::THIRD).unwrap();
    let reseal = Reseal {
        key: &third,
        key_id: "5eed3",
    };
    store.reseal(reseal, at(200), &|_| {}).await.unwrap();
    let store = engine.upkeep("5eed3").await.unwrap();
    let three = chain::two().under(Resealer::new(chain::THIRD).unwrap());
    let known = many(&three).into_iter().map(new).collect();
    assert_eq!(store.put(known, at(5)).await.unwrap().accepted, 0);
}

pub(crate) async fn a_resealing_that_breaks_off_is_whole_or_not_there(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    let records = chain::records(&chain::one());
    store
        .put(records.iter().cloned().map(new).collect(), at(0))
        .await
        .unwrap();
    let head = store.head().await.unwrap();
    let key = key();
    for polls in [1, 2, 4, 8, 12] {
        let reseal = Reseal {
            key: &key,
            key_id: NEXT,
        };
        let mut work = store.reseal(reseal, at(1), &|_| {});
        let mut ended = false;
        for _ in 0..polls {
            ended = tokio::time::timeout(std::time::Duration::from_millis(1), &mut work)
                .await
                .is_ok();
            if ended {
                break;
            }
        }
        if ended {
            return;
        }
        drop(work);
        let (again, expected, whole) = match engine.upkeep("5eed").await {
            Ok(again) => (again, records.clone(), false),
            // It was clearing up behind itself.
            Err(StoreError::KeyChanged { stored, .. }) if stored == NEXT => {
                let again = engine.upkeep(NEXT).await.unwrap();
                (again, chain::records(&chain::two()), true)
            }
            Err(error) => panic!("{error:?}"),
        };
        assert_eq!(again.head().await.unwrap().0, head.0 + u64::from(whole));
        for record in expected {
            let history = again.history(record.kind(), &record.key()).await.unwrap();
            assert_eq!(values(&history), [record]);
        }
        again.close().await;
        if whole {
            return;
        }
    }
}

/// A natural person: subject, services, and everything else that names her.
fn persons() -> (SealedCertificate, Vec<Record>) {
    let her = certificate(CertificateKind::ResidentId, "11010519491231002X");
    let Record::Subject(own) = subject(1, 1, &[]) else {
        panic!("another kind")
    };
    let own = Record::Subject(Subject {
        nature: SubjectNature::Individual,
        certificate: her.clone(),
        ..own
    });
    let Record::Subject(company) = subject(2, 2, &[]) else {
        panic!("another kind")
    };
    let person = |certificate: Option<SealedCertificate>| Person {
        role: PersonRole::Principal,
        name: Some(name("王小明")),
        certificate,
    };
    let someone = certificate(CertificateKind::Passport, "E12345678");
    let company = Record::Subject(Subject {
        people: vec![
            person(Some(her.clone())),
            person(Some(someone)),
            person(None),
        ],
        ..company
    });
    let registered = |domain: &str, registrant: Option<SealedCertificate>| {
        let Record::Registration(registration) = registration(domain, "r") else {
            panic!("another kind")
        };
        Record::Registration(Registration {
            registrant_certificate: registrant,
            ..registration
        })
    };
    let Record::Block(blocked) = block(BlockTarget::Certificate(her.clone())) else {
        panic!("another kind")
    };
    let blocked = |list, until| {
        Record::Block(Block {
            list,
            until,
            ..blocked.clone()
        })
    };
    let records = vec![
        own,
        company,
        service(1, &["hers.cn", "shared.cn"]),
        service(2, &["company.cn", "shared.cn"]),
        access(1, "p1"),
        access(2, "p1"),
        registered("hers.cn", None),
        registered("company.cn", Some(her.clone())),
        registered("other.cn", None),
        approval("1", her.clone()),
        licence(1, her.clone()),
        blocked(BlockList::Authority, None),
        blocked(BlockList::Provider, Some(at(10))),
    ];
    (her, records)
}

/// Whether anything in a store, of any age, holds these octets, as they are or in hexadecimal
/// digits.
async fn holds(engine: &impl Engine, octets: &[u8]) -> bool {
    let dump = engine.dump().await;
    let mut digits = String::new();
    for octet in octets {
        write!(digits, "{octet:02x}").unwrap();
    }
    let has = |sought: &[u8]| dump.windows(sought.len()).any(|here| here == sought);
    has(octets) || has(digits.as_bytes())
}

#[expect(clippy::too_many_lines, reason = "one story")]
pub(crate) async fn a_person_is_erased(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    let (her, records) = persons();
    for (second, source) in (0..).zip(["first", "second"]) {
        // Twice, from two sources, so that every record has a past.
        let records = records.iter().cloned().map(|record| {
            let mut new = new(record);
            new.source = source.into();
            new
        });
        store.put(records.collect(), at(second)).await.unwrap();
    }
    let found = store
        .find(&[vec![named("hers.cn")]], Freshness::Newest)
        .await
        .unwrap();
    let all = found.sets.into_iter().flatten();
    let facts = Facts::of_name(icpgate_policy::facts::NameFacts::collect(
        all,
        icpgate_policy::facts::Entitlement::complete(),
    ));
    let empty = Facts::of_name(icpgate_policy::facts::NameFacts::empty(
        icpgate_policy::facts::Entitlement::complete(),
    ));
    let mut first = decided("d1", &facts, &profile(None));
    first.answer = format!("see {} there", her.mask).into_bytes();
    store
        .record_decisions(vec![
            first,
            decided("d2", &empty, &profile(Some(her.clone()))),
            decided("d3", &empty, &profile(None)),
        ])
        .await
        .unwrap();
    let head = store.head().await.unwrap();
    let erase = Erase {
        whom: Whom::Person(her.clone()),
        provider_blocks: false,
    };

    let told = store.erase(&erase, false, at(50)).await.unwrap();
    assert_eq!(store.head().await.unwrap(), head, "only told");
    assert!(holds(engine, &her.digest).await);
    let expected = Erased {
        records: vec![
            (RecordKind::Subject, 1),
            (RecordKind::Service, 1),
            (RecordKind::Access, 1),
            (RecordKind::Licence, 1),
            (RecordKind::Block, 1),
            (RecordKind::Approval, 1),
        ],
        changed: vec![(RecordKind::Subject, 1), (RecordKind::Registration, 2)],
        kept: vec![(RecordKind::Block, records[11].shown_key())],
        subjects: vec![subject_number(1).as_str().to_owned()],
        services: vec![format!("{}-1", subject_number(1).as_str())],
        versions: 18,
        decisions: 2,
        revision: None,
    };
    let sorted = |mut erased: Erased| {
        erased.records.sort();
        erased.changed.sort();
        erased
    };
    let mut wanted = sorted(expected);
    assert_eq!(sorted(told), wanted);

    let done = store.erase(&erase, true, at(50)).await.unwrap();
    wanted.revision = Some(Revision(head.0 + 1));
    assert_eq!(sorted(done), wanted);
    let touched = store.touched(head, 100).await.unwrap();
    assert_eq!(touched.everything, wanted.revision);
    assert_eq!(touched.through, Revision(head.0 + 1));
    // From the beginning too, over what was erased.
    store.touched(Revision(0), 1000).await.unwrap();
    let changes = store.changes((Revision(0), None), 1000).await.unwrap();
    assert_eq!(changes.len(), 2 * records.len(), "places stay");
    assert_eq!(
        changes
            .iter()
            .filter(|change| change.shown_key == "erased")
            .count(),
        12
    );

    // The block of the authority stays in force.
    let sets = [
        Handle::holder(&her),
        vec![named("hers.cn")],
        vec![named("shared.cn")],
        vec![named("company.cn")],
    ];
    let found = store.find(&sets, Freshness::Newest).await.unwrap();
    let kinds = |place: usize| -> Vec<RecordKind> {
        let facts = found.sets[place].iter();
        facts.map(|fact| fact.value.kind()).collect()
    };
    assert_eq!(kinds(0), [RecordKind::Block]);
    assert_eq!(kinds(1), [RecordKind::Registration]);
    assert!(kinds(2).contains(&RecordKind::Service), "the other's");
    let people = found.sets[3].iter().find_map(|fact| {
        if let Record::Subject(subject) = &fact.value {
            return Some(subject.people.len());
        }
        None
    });
    assert_eq!(people, Some(2), "the company goes on without her");
    let counted: u64 = store.counts().await.unwrap().iter().map(|(_, n)| n).sum();
    assert_eq!(counted, records.len() as u64 - 6);
    for (kind, key) in [
        (RecordKind::Registration, "hers.cn"),
        (RecordKind::Registration, "company.cn"),
    ] {
        for fact in store.history(kind, key).await.unwrap() {
            let Record::Registration(registration) = fact.value else {
                panic!("another kind")
            };
            assert!(registration.redacted && registration.registrant_name.is_none());
        }
    }

    // Decisions stay, without her.
    let recorded = store.decision("d1").await.unwrap().unwrap();
    assert!(recorded.facts.is_empty());
    let stars = "*".repeat(her.mask.len());
    assert_eq!(recorded.answer, format!("see {stars} there").into_bytes());
    let recorded = store.decision("d2").await.unwrap().unwrap();
    assert!(recorded.facts.is_empty());
    let asked: Profile = postcard::from_bytes(&recorded.profile).unwrap();
    assert_eq!(asked.applicant, None);
    let recorded = store.decision("d3").await.unwrap().unwrap();
    assert!(!recorded.facts.is_empty(), "of somebody else");

    // Nothing is left to be done; then the block has ended, and goes.
    let again = store.erase(&erase, true, at(50)).await.unwrap();
    assert_eq!((again.versions, again.revision), (0, None));
    let Record::Block(ended) = &records[11] else {
        panic!("another kind")
    };
    let ended = Record::Block(Block {
        until: Some(at(60)),
        ..ended.clone()
    });
    store.put(vec![new(ended)], at(55)).await.unwrap();
    let last = store.erase(&erase, true, at(60)).await.unwrap();
    assert_eq!(last.records, [(RecordKind::Block, 1)]);
    assert!(last.kept.is_empty());
    assert!(!holds(engine, &her.digest).await);
    assert!(!holds(engine, her.mask.as_bytes()).await);
    // The store goes on: what comes next is written as ever.
    let written = store
        .put(records.into_iter().map(new).collect(), at(70))
        .await
        .unwrap();
    assert!(written.accepted > 0);
    assert_eq!(
        store
            .find(&[vec![named("hers.cn")]], Freshness::Newest)
            .await
            .unwrap()
            .revision,
        written.revision
    );
}

pub(crate) async fn subjects_and_domains_are_erased(engine: &impl Engine) {
    let store = engine.upkeep("5eed").await.unwrap();
    let (_, records) = persons();
    store
        .put(records.into_iter().map(new).collect(), at(0))
        .await
        .unwrap();
    let erase = |whom| Erase {
        whom,
        provider_blocks: false,
    };
    let nobody = Whom::Subject(subject_number(99));
    let none = store.erase(&erase(nobody), true, at(1)).await.unwrap();
    assert_eq!(none, Erased::default());
    let whom = Whom::Subject(subject_number(2));
    let done = store.erase(&erase(whom), true, at(1)).await.unwrap();
    assert_eq!(done.subjects, [subject_number(2).as_str()]);
    let mut kinds: Vec<RecordKind> = done.records.iter().map(|(kind, _)| *kind).collect();
    kinds.sort_unstable();
    let mut expected = [RecordKind::Subject, RecordKind::Service, RecordKind::Access];
    expected.sort_unstable();
    assert_eq!(kinds, expected);
    let domain = icpgate_policy::records::RecordDomain::new("other.cn");
    let done = store
        .erase(&erase(Whom::Domain(domain)), true, at(2))
        .await
        .unwrap();
    assert_eq!(done.records, [(RecordKind::Registration, 1)]);
    let found = store
        .find(
            &[vec![named("other.cn")], vec![named("hers.cn")]],
            Freshness::Newest,
        )
        .await
        .unwrap();
    assert_eq!(found.sets[0], []);
    assert!(!found.sets[1].is_empty());
}

/// For suites that open stores under other keys and look at all their octets.
pub(crate) type Opened = Result<Arc<dyn Upkeep>, StoreError>;
