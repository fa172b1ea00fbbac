//! An invented registry of any size, for load tests.
//!
//! Subjects, services, domains and what belongs to them, in the proportions of the national
//! statistics where there are any (the private module `proportions`). The same parameters give the same
//! records on every machine; a smaller number of domains gives a beginning of the records of a
//! larger one, but for the last holder, whose names may be cut.
//!
//! **Invariant:** memory is bounded whatever the number of domains; a subject comes before its
//! services, a service before its links; no key comes twice; nothing is anybody's, see the private
//! module `identity`.
//! **Absent on purpose:** internationalised labels (suffixes are), and records of the wrong form.
//! Start at [`Records`] and [`domain_name`].

mod dice;
mod evidence;
mod filing;
mod holder;
mod identity;
mod plan;
mod proportions;
mod serials;
mod words;
mod world;

use std::collections::VecDeque;

use icpgate_policy::calendar::parse_day;
use jiff::civil::{Date, date};

use crate::proto::v1;
use plan::{CELL, Plan};
use world::World;

/// Most domains: three times those registered in China, and what the numbers of the provinces
/// suffice for.
pub const MOST_DOMAINS: u64 = 100_000_000;

/// First day as of which records can be generated; the filings of the years before it fit between
/// it and the beginning of filing.
pub const FIRST_DAY: Date = date(2021, 1, 1);

/// Last day as of which records can be generated.
pub const LAST_DAY: Date = date(2099, 12, 31);

/// Who reports the records.
pub const SOURCE: &str = "generated";

/// What a registry is generated from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Where all draws come from.
    pub seed: u64,
    /// Number of domains; more than [`MOST_DOMAINS`] count as that many.
    pub domains: u64,
    /// Beijing day at whose beginning the registry stands so; no record is later. Between
    /// [`FIRST_DAY`] and [`LAST_DAY`].
    pub as_of: Date,
    /// This provider, in access and application records.
    pub provider_id: String,
}

/// The records of a registry, in an order in which they can be imported.
pub struct Records {
    world: World,
    wanted: u64,
    cell: u64,
    /// What is left of the holders of the cell before it.
    holders: std::vec::IntoIter<holder::Names>,
    dice: dice::Dice,
    ready: VecDeque<v1::Record>,
    done: u64,
}

impl Records {
    /// Begins a registry.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        Self {
            world: World::new(parameters),
            wanted: parameters.domains.min(MOST_DOMAINS),
            cell: 0,
            holders: Vec::new().into_iter(),
            dice: dice::Dice::new(parameters.seed, 0, dice::Purpose::Details),
            ready: VecDeque::new(),
            done: 0,
        }
    }

    /// Number of domains whose records have begun.
    #[must_use]
    pub fn domains(&self) -> u64 {
        self.done
    }

    /// Takes up the next cell; `false` where there is none.
    fn next_cell(&mut self) -> bool {
        let first = self.cell * u64::from(CELL);
        let Some(left) = self.wanted.checked_sub(first).filter(|left| *left > 0) else {
            return false;
        };
        let seed = self.world.seed;
        let mut plan = Plan::draw(seed, self.cell);
        if let Ok(left) = u16::try_from(left) {
            plan.truncate(left.min(CELL));
        }
        self.holders = holder::names(&plan, seed, self.cell).into_iter();
        self.dice = dice::Dice::new(seed, self.cell, dice::Purpose::Details);
        self.cell += 1;
        true
    }
}

impl Iterator for Records {
    type Item = v1::Record;

    fn next(&mut self) -> Option<v1::Record> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(record);
            }
            match self.holders.next() {
                Some(names) => {
                    self.done += names.count();
                    holder::write(&names, &mut self.world, &mut self.dice, &mut self.ready);
                }
                None if self.next_cell() => {}
                None => return None,
            }
        }
    }
}

/// The name of the domain with a number from 0, as it stands in the records of every registry with
/// this seed and more domains than that. Takes some microseconds, wherever the number lies; names
/// of numbers from the number of domains on are in no record.
#[must_use]
pub fn domain_name(seed: u64, index: u64) -> String {
    let cell = u64::from(CELL);
    let plan = Plan::draw(seed, index / cell);
    let at = usize::try_from(index % cell).unwrap_or_default();
    let suffix = plan.suffixes.get(at).copied().unwrap_or_default();
    plan::name(seed, index, suffix)
}

/// The names of the first domains, in their order.
pub fn domain_names(seed: u64, domains: u64) -> impl Iterator<Item = String> {
    let cell = u64::from(CELL);
    (0..domains.div_ceil(cell)).flat_map(move |number| {
        let first = number * cell;
        let left = usize::try_from(domains - first).unwrap_or(usize::MAX);
        let suffixes = Plan::draw(seed, number).suffixes.into_iter().take(left);
        (first..)
            .zip(suffixes)
            .map(move |(index, suffix)| plan::name(seed, index, suffix))
    })
}

/// Reads a day between [`FIRST_DAY`] and [`LAST_DAY`]; none where it is something else.
#[must_use]
pub fn day(text: &str) -> Option<Date> {
    let day = parse_day(text).ok()?;
    (FIRST_DAY..=LAST_DAY).contains(&day).then_some(day)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn parameters(domains: u64) -> Parameters {
        Parameters {
            seed: 7,
            domains,
            as_of: date(2026, 11, 22),
            provider_id: "self".to_owned(),
        }
    }

    fn lines(domains: u64) -> Vec<String> {
        Records::new(&parameters(domains))
            .map(|record| serde_json::to_string(&record).unwrap())
            .collect()
    }

    #[test]
    fn a_smaller_registry_is_a_beginning_of_a_larger_one() {
        let large = lines(1_000);
        for domains in [1, 255, 256, 257, 700] {
            let small = lines(domains);
            let common = small.iter().zip(&large).take_while(|(a, b)| a == b).count();
            // The last holder may be cut: its records differ.
            let subject = small
                .iter()
                .rposition(|line| line.starts_with(r#"{"subject""#))
                .unwrap_or_default();
            assert!(common >= subject, "{domains}: {common} of {}", small.len());
        }
    }

    #[test]
    fn names_are_the_same_one_by_one_all_together_and_in_records() {
        let all: Vec<String> = domain_names(7, 600).collect();
        assert_eq!(all.len(), 600);
        for (index, name) in (0..).zip(&all) {
            assert_eq!(domain_name(7, index), *name);
        }
        let registered: Vec<String> = Records::new(&parameters(600))
            .filter_map(|record| match record.record {
                Some(v1::record::Record::Registration(registration)) => Some(registration.domain),
                _ => None,
            })
            .collect();
        assert_eq!(registered, all);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 600);
        assert_ne!(domain_name(8, 0), domain_name(7, 0));
        let last = domain_name(7, u64::MAX);
        assert!(last.contains("-synthetic."), "{last}");
    }

    #[test]
    fn progress_ends_at_the_number_of_domains() {
        for domains in [0, 1, 300] {
            let mut records = Records::new(&parameters(domains));
            let count = records.by_ref().count();
            assert_eq!(records.domains(), domains);
            assert_eq!(count == 0, domains == 0);
        }
    }

    #[test]
    fn days_are_read_within_their_bounds() {
        assert_eq!(day("2026-11-22"), Some(date(2026, 11, 22)));
        for text in ["", "2020-12-31", "2100-01-01", "2026-11-31", "today"] {
            assert_eq!(day(text), None, "{text}");
        }
    }
}
