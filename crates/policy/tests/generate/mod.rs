//! Generated cases: dense in collisions and in instants at which something changes.
//!
//! A case is determined by seed and number. `ICPGATE_TEST_SEED` and `ICPGATE_TEST_CASES` choose
//! them; every failure names both. Start at [`case`] and [`for_each`].

mod dice;
mod parts;
mod profile;
mod records;
mod reduce;
mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Entitlement, Fact, Facts, Missing, NameFacts, Provenance, Why};
use icpgate_policy::policy::Policy;
use icpgate_policy::records::{Handle, Record};
use icpgate_policy::request::{Profile, Request};
use jiff::{SignedDuration, Timestamp};

pub(crate) use dice::Dice;
pub(crate) use reduce::reduce;
pub(crate) use world::World;

/// One question with everything known.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    /// Which of the policies.
    pub policy: usize,
    pub profile: Profile,
    /// Everything in the registry, in no order.
    pub records: Vec<Fact<Record>>,
    pub entitlement: Entitlement,
    /// Every part of the facts holds every record, not only those that bear on it.
    pub whole: bool,
    pub now: Timestamp,
}

/// Default of `ICPGATE_TEST_SEED`.
const SEED: u64 = 20_261_122;

/// Default of `ICPGATE_TEST_CASES`.
const CASES: u64 = 100_000;

/// Instants around which cases are set, Beijing time: a plain day, the days before and after
/// holidays and make-up days of 2026, the turn of a year whose calendar is not known, a leap day.
const DAYS: &[&str] = &[
    "2026-11-22T00:00:00+08",
    "2026-11-22T15:07:31.000000001+08",
    "2026-02-14T00:00:00+08",
    "2026-02-24T00:00:00+08",
    "2026-02-28T12:00:00+08",
    "2026-09-20T00:00:00+08",
    "2026-09-30T23:59:59+08",
    "2026-10-08T00:00:00+08",
    "2026-10-10T23:50:00+08",
    "2027-01-01T00:00:00+08",
    "2024-02-29T00:00:00+08",
];

impl Case {
    /// The policy of the case.
    pub(crate) fn policy<'a>(&self, world: &'a World) -> &'a Policy {
        &world.policies[self.policy]
    }

    /// The parsed question.
    pub(crate) fn request(&self, world: &World) -> Request {
        Request::new(self.profile.clone(), &self.policy(world).suffixes)
    }

    /// The facts as a store would gather them.
    pub(crate) fn facts(&self, request: &Request) -> Facts {
        if self.whole {
            let all = Arc::new(NameFacts::collect(
                self.records.iter().cloned(),
                self.entitlement.clone(),
            ));
            return Facts {
                name: all.clone(),
                origin: Some(all.clone()),
                host_header: Some(all.clone()),
                applicant: Some(all),
            };
        }
        let wanted = request.wanted();
        let part =
            |handles: &[Handle]| (!handles.is_empty()).then(|| Arc::new(self.reach(handles)));
        Facts {
            name: Arc::new(self.reach(&wanted.name)),
            origin: part(&wanted.origin),
            host_header: part(&wanted.host_header),
            applicant: part(&wanted.applicant),
        }
    }

    /// The case in one line for each part.
    pub(crate) fn shown(&self) -> String {
        use std::fmt::Write as _;
        let mut text = format!(
            "now {}, policy {}, whole {}\n{:?}\n",
            self.now, self.policy, self.whole, self.profile
        );
        for kind in RecordKind::ALL {
            let missing = self.entitlement.missing(*kind);
            if missing != (Missing::Absent { until: None }) {
                writeln!(text, "{kind}: {missing:?}").unwrap();
            }
        }
        for Fact { value, provenance } in &self.records {
            let Provenance {
                observed_at,
                committed_at,
                ..
            } = provenance;
            writeln!(
                text,
                "observed {observed_at}, committed {committed_at}: {value:?}"
            )
            .unwrap();
        }
        text
    }

    /// Records under some handles, and whatever those lead to.
    fn reach(&self, handles: &[Handle]) -> NameFacts {
        let mut open: Vec<Handle> = handles.to_vec();
        let mut done: BTreeSet<Handle> = BTreeSet::new();
        let mut found: BTreeSet<usize> = BTreeSet::new();
        while let Some(handle) = open.pop() {
            if !done.insert(handle.clone()) {
                continue;
            }
            for (index, fact) in self.records.iter().enumerate() {
                if fact.value.handles().contains(&handle) && found.insert(index) {
                    open.extend(fact.value.leads_to());
                }
            }
        }
        let records = found.iter().map(|index| self.records[*index].clone());
        NameFacts::collect(records, self.entitlement.clone())
    }
}

/// The case of a number.
pub(crate) fn case(world: &World, seed: u64, number: u64) -> Case {
    let mut dice = Dice::new(seed, number);
    let now = now(&mut dice);
    let (mut profile, family) = profile::profile(&mut dice, world, now);
    let records = records::records(&mut dice, world, &profile, family, now);
    claim_a_recorded_number(&mut dice, &mut profile, &records);
    Case {
        policy: dice.below(world.policies.len()),
        profile,
        records,
        entitlement: entitlement(&mut dice, now),
        whole: dice.chance(70),
        now,
    }
}

/// Runs a test on generated cases, `share` of a hundred of the usual number. The test says what
/// is wrong with a case, if anything; the first such case is made small and shown.
pub(crate) fn for_each(share: u64, test: impl Fn(&World, &Case, &mut Dice) -> Result<(), String>) {
    let world = World::new();
    let seed = variable("ICPGATE_TEST_SEED").unwrap_or(SEED);
    let cases = (variable("ICPGATE_TEST_CASES").unwrap_or(CASES) * share).div_ceil(100);
    for number in 0..cases {
        let case = case(&world, seed, number);
        // Choices of the test itself do not depend on how large the case is.
        let run = |case: &Case| test(&world, case, &mut Dice::new(!seed, number));
        if run(&case).is_err() {
            let small = reduce(&case, |case| run(case).is_err());
            let problem = run(&small).unwrap_err();
            panic!(
                "case {number} of seed {seed} (ICPGATE_TEST_SEED={seed}): {problem}\n\
                 made small: {}",
                small.shown()
            );
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test is configured by nothing else"
)]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name)
        .ok()
        .map(|text| text.parse().expect("a number"))
}

/// Most numbers that customers type are on some record.
fn claim_a_recorded_number(dice: &mut Dice, profile: &mut Profile, records: &[Fact<Record>]) {
    let numbers: Vec<String> = records
        .iter()
        .map(|fact| &fact.value)
        .filter(|record| {
            matches!(
                record,
                Record::Subject(_) | Record::Service(_) | Record::Licence(_)
            )
        })
        .map(Record::key)
        .collect();
    if profile.claimed_filing_number.is_some() && !numbers.is_empty() && dice.chance(60) {
        profile.claimed_filing_number = Some(dice.pick(&numbers).clone());
    }
}

fn now(dice: &mut Dice) -> Timestamp {
    let day: Timestamp = dice.pick(DAYS).parse().unwrap();
    near(dice, day)
}

/// The instant itself, or shortly before or after it.
fn near(dice: &mut Dice, instant: Timestamp) -> Timestamp {
    let second = SignedDuration::from_secs(1);
    let nano = SignedDuration::from_nanos(1);
    let by = *dice.pick(&[SignedDuration::ZERO, second, -second, nano, -nano]);
    instant.checked_add(by).unwrap()
}

fn entitlement(dice: &mut Dice, now: Timestamp) -> Entitlement {
    let mut entitlement = Entitlement::complete();
    // One cause at a time: which of two the answer names is left open.
    let why = *dice.pick(&[
        Why::NotComplete,
        Why::StoreUnavailable,
        Why::SyncTooOld,
        Why::Stale,
    ]);
    let dated = why != Why::Stale && dice.chance(20);
    let percent = *dice.pick(&[0, 0, 0, 10, 40, 100]);
    for kind in RecordKind::ALL {
        if dice.chance(percent) {
            entitlement.set(*kind, Missing::Unknown(why));
        } else if dated && dice.chance(30) {
            let end = now.checked_add(SignedDuration::from_secs(3600)).unwrap();
            let around = *dice.pick(&[now, now, end, end, end]);
            let until = Some(near(dice, around));
            entitlement.set(*kind, Missing::Absent { until });
        }
    }
    entitlement
}
