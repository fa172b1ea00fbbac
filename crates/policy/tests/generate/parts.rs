//! Values that questions and records share: numbers, people, certificates, instants.

use icpgate_policy::codes::{PersonRole, ServiceKind, SubjectNature};
use icpgate_policy::identity::{SealedCertificate, SealedName};
use icpgate_policy::numbers::{ServiceNumber, SubjectNumber};
use icpgate_policy::records::Person;
use jiff::{SignedDuration, Timestamp};

use super::dice::Dice;
use super::world::World;

/// A subject number; few of them, so that they meet.
pub(crate) fn subject_number(dice: &mut Dice, world: &World) -> SubjectNumber {
    // The first is the likeliest.
    if dice.chance(45) {
        world.subjects[0]
    } else {
        *dice.pick(&world.subjects)
    }
}

/// A service number of a subject.
pub(crate) fn any_service(dice: &mut Dice, world: &World, subject: SubjectNumber) -> ServiceNumber {
    let kind = service_kind(dice);
    *dice.pick(&world.services_of(subject, kind))
}

/// A nature, an enterprise most often.
pub(crate) fn nature(dice: &mut Dice) -> SubjectNature {
    if dice.chance(50) {
        SubjectNature::Enterprise
    } else {
        *dice.pick(SubjectNature::ALL)
    }
}

/// A name, mostly of the fitting sort.
pub(crate) fn name(dice: &mut Dice, world: &World, organisation: bool) -> SealedName {
    // Seldom one of the other sort.
    let fitting = !dice.chance(8);
    if organisation == fitting {
        dice.pick(&world.organisation_names).clone()
    } else {
        dice.pick(&world.person_names).clone()
    }
}

/// A certificate, mostly of the fitting sort.
pub(crate) fn certificate(dice: &mut Dice, world: &World, organisation: bool) -> SealedCertificate {
    let fitting = !dice.chance(8);
    if organisation == fitting {
        dice.pick(&world.organisations).clone()
    } else {
        dice.pick(&world.persons).clone()
    }
}

/// People of all roles.
pub(crate) fn people(dice: &mut Dice, world: &World) -> Vec<Person> {
    let count = *dice.pick(&[0, 1, 1, 2, 3]);
    (0..count)
        .map(|_| {
            let organisation = dice.chance(20);
            Person {
                role: *dice.pick(PersonRole::ALL),
                name: dice.chance(85).then(|| name(dice, world, organisation)),
                certificate: dice
                    .chance(75)
                    .then(|| certificate(dice, world, organisation)),
            }
        })
        .collect()
}

/// An instant so many days before or after now, exactly or one second or nanosecond off.
pub(crate) fn instant(dice: &mut Dice, now: Timestamp, days: &[i64]) -> Timestamp {
    let hours = dice.pick(days) * 24;
    let off = *dice.pick(&[
        SignedDuration::ZERO,
        SignedDuration::from_nanos(1),
        SignedDuration::from_nanos(-1),
        SignedDuration::from_secs(1),
        SignedDuration::from_secs(-1),
        SignedDuration::from_hours(7),
        SignedDuration::from_hours(-7),
    ]);
    let back = now.checked_sub(SignedDuration::from_hours(hours)).unwrap();
    back.checked_add(off).unwrap()
}

/// A kind of service, a website most often.
pub(crate) fn service_kind(dice: &mut Dice) -> ServiceKind {
    if dice.chance(60) {
        ServiceKind::Website
    } else {
        *dice.pick(ServiceKind::ALL)
    }
}
