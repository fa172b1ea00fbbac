//! One holder of names with everything that belongs to it.

use std::collections::VecDeque;

use icpgate_policy::numbers::Province;

use super::dice::Dice;
use super::identity::{self, Party};
use super::plan::{self, CELL, HolderPlan, Plan};
use super::proportions::{
    AGES, BLOCKED_SUBJECTS, Document, ENTITIES, FOREIGN_DOCUMENTS, MOVED, ORGANISATION_DOCUMENTS,
    PARENTS, PERSON_DOCUMENTS, PROVINCES, SECOND_ROLES, Standing,
};
use super::world::{World, reported};
use super::{evidence, filing};
use crate::proto::v1;
use crate::proto::v1::record::Record;

/// Days of a year, leap days left out: ages are no birthdays.
const YEAR: u32 = 365;

/// The names of a holder.
pub(super) struct Names {
    /// Number of the holder, below the number of names.
    number: u64,
    plan: HolderPlan,
    /// Its names, website by website.
    pub(super) sites: Vec<Site>,
}

/// The names of a website.
pub(super) struct Site {
    /// Number of the first name; no other record has it.
    pub(super) first: u64,
    /// The names.
    pub(super) names: Vec<String>,
}

/// Who a holder is.
pub(super) struct Holder {
    pub(super) nature: v1::SubjectNature,
    pub(super) entity: v1::SubjectEntity,
    pub(super) province: Province,
    pub(super) itself: Party,
    /// Legal representative of an organisation.
    pub(super) representative: Option<Party>,
    /// Another person with a role in it.
    pub(super) second: Option<(v1::PersonRole, Party)>,
    /// A parent company with its share in percent.
    pub(super) parent: Option<(Party, u32)>,
    /// Somebody who has nothing to do with it.
    pub(super) stranger: Party,
    /// Days since its first filing, at least 1.
    pub(super) age: u32,
}

impl Names {
    /// How many they are.
    pub(super) fn count(&self) -> u64 {
        let counts = self.sites.iter().map(|site| site.names.len());
        u64::try_from(counts.sum::<usize>()).unwrap_or_default()
    }
}

impl Holder {
    /// Whether it is a person.
    pub(super) fn is_person(&self) -> bool {
        self.nature == v1::SubjectNature::Individual
    }

    /// Whether it is a company.
    pub(super) fn is_company(&self) -> bool {
        self.nature == v1::SubjectNature::Enterprise
    }
}

/// The holders of a cell with their names.
pub(super) fn names(plan: &Plan, seed: u64, cell: u64) -> Vec<Names> {
    let first = cell * u64::from(CELL);
    let mut names = (first..)
        .zip(&plan.suffixes)
        .map(|(index, suffix)| (index, plan::name(seed, index, suffix)));
    let mut sizes = plan.sites.iter();
    (first..)
        .zip(&plan.holders)
        .map(|(number, plan)| Names {
            number,
            plan: *plan,
            sites: sizes
                .by_ref()
                .take(usize::from(plan.sites))
                .map(|size| site(names.by_ref().take(usize::from(*size))))
                .collect(),
        })
        .collect()
}

/// Writes the records of a holder.
pub(super) fn write(
    names: &Names,
    world: &mut World,
    dice: &mut Dice,
    out: &mut VecDeque<v1::Record>,
) {
    let holder = draw(names, world, dice);
    let filed = match names.plan.standing {
        Standing::Filed => true,
        Standing::Applying | Standing::Unfiled => false,
    };
    let licence = filed
        .then(|| evidence::licence(&holder, world, dice))
        .flatten();
    let number = filed
        .then(|| filing::subject_number(&holder, licence.as_ref(), world, dice))
        .flatten();
    if let Some(number) = number {
        filing::write(&holder, &number, &names.sites, world, dice, out, licence);
        if dice.happens(BLOCKED_SUBJECTS) {
            let target = v1::block::Target::Certificate(holder.itself.certificate.clone());
            out.push_back(evidence::block(target, world, dice));
        }
    } else {
        let applying = names.plan.standing == Standing::Applying;
        for site in &names.sites {
            if applying {
                let kind = v1::ApplicationKind::FirstFiling;
                out.extend(filing::application(site, kind, world, dice));
            }
            for name in &site.names {
                evidence::write(name, &holder, world, dice, out);
            }
        }
    }
}

/// The subject record.
pub(super) fn subject(holder: &Holder, number: &str, status: v1::SubjectStatus) -> v1::Record {
    let person = |role: v1::PersonRole, party: &Party| v1::Person {
        role: role.into(),
        name: party.name.clone(),
        certificate: Some(party.certificate.clone()),
    };
    let representative = holder.representative.iter();
    let representative =
        representative.map(|party| person(v1::PersonRole::LegalRepresentative, party));
    let second = holder
        .second
        .iter()
        .map(|(role, party)| person(*role, party));
    reported(Record::Subject(v1::Subject {
        subject_number: number.to_owned(),
        name: holder.itself.name.clone(),
        nature: holder.nature.into(),
        entity: holder.entity.into(),
        certificate: Some(holder.itself.certificate.clone()),
        status: status.into(),
        people: representative.chain(second).collect(),
        parents: holder
            .parent
            .iter()
            .map(|(party, share)| v1::Parent {
                certificate: Some(party.certificate.clone()),
                share_percent: f64::from(*share),
            })
            .collect(),
    }))
}

fn site(mut names: impl Iterator<Item = (u64, String)>) -> Site {
    let (first, name) = names.next().unwrap_or_default();
    let mut all = vec![name];
    all.extend(names.map(|(_, name)| name));
    Site { first, names: all }
}

fn draw(names: &Names, world: &World, dice: &mut Dice) -> Holder {
    let nature = names.plan.nature;
    let province = dice.pick(&PROVINCES);
    // INVARIANT: numbers of parties stay below 2^29, as there are at most 10^8 holders.
    let person = |place: u64| identity::person(world.seed, names.number * 4 + place, province);
    let organisation = |place: u64, entity, registered_in| {
        let number = names.number * 2 + place;
        identity::organisation(world.seed, number, nature, entity, province, registered_in)
    };
    let age = dice.pick(&AGES) * YEAR + dice.between(1, YEAR);
    if nature == v1::SubjectNature::Individual {
        let mut itself = person(0);
        if dice.pick(&PERSON_DOCUMENTS) == Document::Passport {
            itself = identity::with_passport(itself, names.number * 4);
        }
        return Holder {
            nature,
            entity: v1::SubjectEntity::Unspecified,
            province,
            itself,
            representative: None,
            second: None,
            parent: None,
            stranger: person(2),
            age,
        };
    }
    let company = nature == v1::SubjectNature::Enterprise;
    let entity = if company {
        dice.pick(&ENTITIES)
    } else {
        v1::SubjectEntity::Unspecified
    };
    let registered_in = if dice.happens(MOVED) {
        dice.pick(&PROVINCES)
    } else {
        province
    };
    let mut itself = organisation(0, entity, registered_in);
    if dice.pick(&ORGANISATION_DOCUMENTS) == Document::OrganisationCode {
        itself = identity::with_organisation_code(itself);
    }
    let mut representative = person(0);
    let foreign = match entity {
        v1::SubjectEntity::JointVenture
        | v1::SubjectEntity::RepresentativeOffice
        | v1::SubjectEntity::WhollyForeignOwned => true,
        v1::SubjectEntity::BranchOffice
        | v1::SubjectEntity::Domestic
        | v1::SubjectEntity::Unspecified => false,
    };
    if foreign && dice.pick(&FOREIGN_DOCUMENTS) == Document::Passport {
        representative = identity::with_passport(representative, names.number * 4);
    }
    let second = dice.pick(&SECOND_ROLES).map(|role| (role, person(1)));
    let parent_entity = v1::SubjectEntity::Domestic;
    let parent = if entity == v1::SubjectEntity::BranchOffice {
        Some((organisation(1, parent_entity, province), 100))
    } else if company && dice.happens(PARENTS) {
        let share = dice.between(10, 100);
        Some((organisation(1, parent_entity, province), share))
    } else {
        None
    };
    // The other number of organisations may be the parent's.
    let stranger = if parent.is_none() && dice.happens(5_000) {
        organisation(1, parent_entity, province)
    } else {
        person(2)
    };
    Holder {
        nature,
        entity,
        province,
        itself,
        representative: Some(representative),
        second,
        parent,
        stranger,
        age,
    }
}
