//! What the filing system knows: subjects, services, access links, applications.

use std::collections::VecDeque;

use super::dice::Dice;
use super::evidence;
use super::holder::{Holder, Site, subject};
use super::proportions::{
    APPROVED, LICENCE_AS_SUBJECT, LINKS, Link, NEW_ACCESS, NEW_SITES, ORGANISATION_EXTRAS,
    OTHER_PROVIDERS, PERSON_EXTRAS, RESTRICTED, SECTORS, SERVICE_STATUSES, STAGES,
    SUBJECT_STATUSES,
};
use super::world::{World, reported};
use crate::proto::v1;
use crate::proto::v1::record::Record;

/// Days within which applications that are kept were made; longer than the grace of 45 days, so
/// that some are out of it.
const APPLIED_WITHIN: u32 = 60;

/// A filed service of a holder.
pub(super) struct Filed<'a> {
    /// Its number.
    pub(super) number: &'a str,
    /// Number of the subject.
    pub(super) subject: &'a str,
    /// Days since its approval, at least 1.
    pub(super) age: u32,
    /// Whether it is in force.
    pub(super) in_force: bool,
}

/// The number of a subject: that of its licence for some who have one. None where the province has
/// run out of numbers.
pub(super) fn subject_number(
    holder: &Holder,
    licence: Option<&v1::Licence>,
    world: &mut World,
    dice: &mut Dice,
) -> Option<String> {
    if let Some(licence) = licence
        && dice.happens(LICENCE_AS_SUBJECT)
    {
        return Some(licence.licence_number.clone());
    }
    let year = world.day_ago(holder.age).year();
    let last = world.year();
    world.serials.filing(holder.province, year, last)
}

/// Writes the subject, its licence and its services with all that belongs to them.
pub(super) fn write(
    holder: &Holder,
    number: &str,
    sites: &[Site],
    world: &World,
    dice: &mut Dice,
    out: &mut VecDeque<v1::Record>,
    licence: Option<v1::Licence>,
) {
    let status = dice.pick(&SUBJECT_STATUSES);
    out.push_back(subject(holder, number, status));
    out.extend(licence.map(|licence| reported(Record::Licence(licence))));
    let mut place = 0_u32;
    for (nth, site) in sites.iter().enumerate() {
        // The first site came with the subject; the others later.
        let age = if nth == 0 {
            holder.age
        } else {
            dice.between(1, holder.age)
        };
        if nth > 0 && dice.happens(NEW_SITES) {
            let kind = v1::ApplicationKind::NewService;
            out.extend(application(site, kind, world, dice));
        } else {
            place += 1;
            let service_number = format!("{number}-{place}");
            let filed = Filed {
                number: &service_number,
                subject: number,
                age,
                in_force: true,
            };
            website(holder, site, filed, status, world, dice, out);
        }
        for name in &site.names {
            evidence::write(name, holder, world, dice, out);
        }
    }
    let extras = if holder.is_person() {
        &PERSON_EXTRAS
    } else {
        &ORGANISATION_EXTRAS
    };
    if let (Some(kind), Some(site)) = (dice.pick(extras), sites.first()) {
        place += 1;
        let service_number = format!("{number}-{place}{}", letter(kind));
        let filed = Filed {
            number: &service_number,
            subject: number,
            age: dice.between(1, holder.age),
            in_force: true,
        };
        extra(site, filed, kind, status, world, dice, out);
    }
}

/// An application for a site in these weeks; what is asked for, is asked for its first name.
pub(super) fn application(
    site: &Site,
    kind: v1::ApplicationKind,
    world: &World,
    dice: &mut Dice,
) -> Option<v1::Record> {
    let stage = dice.pick(&STAGES);
    let days = dice.between(1, APPLIED_WITHIN);
    let passed = stage != v1::ApplicationStage::Submitted;
    let own = kind == v1::ApplicationKind::NewAccess || dice.happens(2_500);
    let provider_id = if own {
        world.provider_id.clone()
    } else {
        other_provider(dice)
    };
    Some(reported(Record::Application(v1::Application {
        application_id: format!("generated-{}-{}", site.first, i32::from(kind)),
        domain: site.names.first()?.clone(),
        kind: kind.into(),
        provider_id,
        stage: stage.into(),
        provider_review_passed_at: passed.then(|| world.ago(dice, days)),
    })))
}

/// A website with its links, its home page and what else is known of it.
fn website(
    holder: &Holder,
    site: &Site,
    mut filed: Filed<'_>,
    subject: v1::SubjectStatus,
    world: &World,
    dice: &mut Dice,
    out: &mut VecDeque<v1::Record>,
) {
    let status = service_status(subject, dice);
    filed.in_force = in_force(status);
    let sector = (!holder.is_person() && dice.happens(APPROVED)).then(|| dice.pick(&SECTORS));
    out.push_back(reported(Record::Service(v1::Service {
        service_number: filed.number.to_owned(),
        subject_number: filed.subject.to_owned(),
        kind: v1::ServiceKind::Website.into(),
        name: String::new(),
        domains: site.names.clone(),
        content_types: sector
            .iter()
            .map(|(_, content)| (*content).to_owned())
            .collect(),
        status: status.into(),
        access_restricted: dice.happens(RESTRICTED),
        approved_at: Some(world.ago(dice, filed.age)),
    })));
    let link = links(&filed, world, dice, out);
    if status == v1::ServiceStatus::Changing {
        let kind = v1::ApplicationKind::Change;
        out.extend(application(site, kind, world, dice));
    }
    if link == Link::Elsewhere && filed.in_force && dice.happens(NEW_ACCESS) {
        let kind = v1::ApplicationKind::NewAccess;
        out.extend(application(site, kind, world, dice));
    }
    if let Some((sector, _)) = sector {
        out.extend(evidence::approval(holder, site, sector, world, dice));
    }
    if filed.in_force {
        evidence::home_page(holder, site, &filed, world, dice, out);
    }
}

/// An app, mini program or quick app that uses a host below the holder's first name.
fn extra(
    site: &Site,
    mut filed: Filed<'_>,
    kind: v1::ServiceKind,
    subject: v1::SubjectStatus,
    world: &World,
    dice: &mut Dice,
    out: &mut VecDeque<v1::Record>,
) {
    let status = service_status(subject, dice);
    filed.in_force = in_force(status);
    let host = site.names.first().map(|name| format!("api.{name}"));
    out.push_back(reported(Record::Service(v1::Service {
        service_number: filed.number.to_owned(),
        subject_number: filed.subject.to_owned(),
        kind: kind.into(),
        name: String::new(),
        domains: host.into_iter().collect(),
        content_types: Vec::new(),
        status: status.into(),
        access_restricted: false,
        approved_at: Some(world.ago(dice, filed.age)),
    })));
    links(&filed, world, dice, out);
}

/// Writes the access links of a service.
fn links(
    filed: &Filed<'_>,
    world: &World,
    dice: &mut Dice,
    out: &mut VecDeque<v1::Record>,
) -> Link {
    let link = dice.pick(&LINKS);
    let days = dice.between(filed.age.saturating_sub(30).max(1), filed.age);
    let mut push = |provider_id: String, active: bool, dice: &mut Dice| {
        let status = if active {
            v1::AccessStatus::Active
        } else {
            v1::AccessStatus::Cancelled
        };
        out.push_back(reported(Record::Access(v1::Access {
            service_number: filed.number.to_owned(),
            provider_id,
            status: status.into(),
            since: Some(world.ago(dice, days)),
        })));
    };
    let active = filed.in_force && link != Link::Nobody;
    if link == Link::Own || link == Link::Both {
        push(world.provider_id.clone(), active, dice);
    }
    if link != Link::Own {
        let provider_id = other_provider(dice);
        push(provider_id, active, dice);
    }
    link
}

/// Another provider; few have most of the sites.
fn other_provider(dice: &mut Dice) -> String {
    let draws = [(); 3].map(|()| dice.between(1, OTHER_PROVIDERS));
    let number = draws.into_iter().min().unwrap_or(1);
    format!("provider-{number:04}")
}

/// The state of a service of a subject; with a cancelled subject all its services are.
fn service_status(subject: v1::SubjectStatus, dice: &mut Dice) -> v1::ServiceStatus {
    match subject {
        v1::SubjectStatus::Cancelled => v1::ServiceStatus::Cancelled,
        v1::SubjectStatus::Active
        | v1::SubjectStatus::Suspended
        | v1::SubjectStatus::Unspecified => dice.pick(&SERVICE_STATUSES),
    }
}

fn in_force(status: v1::ServiceStatus) -> bool {
    match status {
        v1::ServiceStatus::Active
        | v1::ServiceStatus::Changing
        | v1::ServiceStatus::Unspecified => true,
        v1::ServiceStatus::Cancelled | v1::ServiceStatus::Suspended => false,
    }
}

fn letter(kind: v1::ServiceKind) -> &'static str {
    match kind {
        v1::ServiceKind::App => "A",
        v1::ServiceKind::MiniProgram => "X",
        v1::ServiceKind::QuickApp => "K",
        v1::ServiceKind::Unspecified | v1::ServiceKind::Website => "",
    }
}
