//! What stands beside filings: licences, registrations, blocks, approvals, public security filings
//! and home pages.

use std::collections::VecDeque;

use pbjson_types::Timestamp;

use super::dice::Dice;
use super::filing::Filed;
use super::holder::{Holder, Site};
use super::identity::{self, Party};
use super::proportions::{
    APPROVAL_EXPIRED, BLOCK_LISTS, BLOCKED, BUSINESSES, DISPLAYS, Display, EXPIRED,
    LICENCE_EXPIRED, LICENCE_STATUSES, LICENSED, MINISTRY, OBSERVED, ORGANISATION_REGISTRANTS,
    PERSON_REGISTRANTS, PUBLIC_SECURITY, REGISTRAR_APPROVED, REGISTRARS, Registrant, STATUSES,
    VERIFICATIONS, Verification,
};
use super::serials::Issuer;
use super::world::{World, reported};
use crate::proto::v1;
use crate::proto::v1::record::Record;

/// Days for which a licence is given: five years (MIIT Order 42 of 2017).
const LICENCE_TERM: u32 = 1_826;

/// Days after which a public security filing is due, and after which a display has to be mended.
const MONTH: u32 = 30;

/// A number out of a template of home pages.
const TEMPLATE_NUMBER: &str = "京ICP备12345678号";

/// The licence of some companies.
pub(super) fn licence(holder: &Holder, world: &mut World, dice: &mut Dice) -> Option<v1::Licence> {
    if !holder.is_company() || !dice.happens(LICENSED) {
        return None;
    }
    let foreign = match holder.entity {
        v1::SubjectEntity::JointVenture | v1::SubjectEntity::WhollyForeignOwned => true,
        // Neither can hold one.
        v1::SubjectEntity::BranchOffice | v1::SubjectEntity::RepresentativeOffice => return None,
        v1::SubjectEntity::Domestic | v1::SubjectEntity::Unspecified => false,
    };
    let issuer = if foreign {
        Issuer::MinistryForeign
    } else if dice.happens(MINISTRY) {
        Issuer::Ministry
    } else {
        Issuer::Province(holder.province)
    };
    let expired = dice.happens(LICENCE_EXPIRED);
    let age = dice.between(1, LICENCE_TERM) + if expired { LICENCE_TERM } else { 0 };
    let issued = world.day_ago(age);
    let licence_number = world.serials.licence(issuer, issued.year())?;
    let expires = if expired {
        world.day_ago(age - LICENCE_TERM)
    } else {
        world.day_ahead(LICENCE_TERM - age)
    };
    let businesses = dice.pick(&BUSINESSES);
    Some(v1::Licence {
        licence_number,
        holder_name: holder.itself.name.clone(),
        holder_certificate: Some(holder.itself.certificate.clone()),
        businesses: businesses
            .iter()
            .map(|business| (*business).into())
            .collect(),
        issued_on: issued.to_string(),
        expires_on: expires.to_string(),
        status: dice.pick(&LICENCE_STATUSES).into(),
    })
}

/// The registration of a name, and its block if it has one.
pub(super) fn write(
    name: &str,
    holder: &Holder,
    world: &World,
    dice: &mut Dice,
    out: &mut VecDeque<v1::Record>,
) {
    out.push_back(registration(name, holder, world, dice));
    if dice.happens(BLOCKED) {
        let target = v1::block::Target::Domain(name.to_owned());
        out.push_back(block(target, world, dice));
    }
}

/// A block of a name or a subject.
pub(super) fn block(target: v1::block::Target, world: &World, dice: &mut Dice) -> v1::Record {
    let days = dice.between(40, 900);
    let over = dice.happens(2_500);
    reported(Record::Block(v1::Block {
        list: dice.pick(&BLOCK_LISTS).into(),
        target: Some(target),
        reason: "invented".to_owned(),
        since: Some(world.ago(dice, days)),
        until: over.then(|| world.ago(dice, days / 2)),
    }))
}

/// The approval of a sector's authority for a site, given to the holder or for the site alone.
pub(super) fn approval(
    holder: &Holder,
    site: &Site,
    sector: v1::Sector,
    world: &World,
    dice: &mut Dice,
) -> Option<v1::Record> {
    let expires_on = if dice.happens(APPROVAL_EXPIRED) {
        world.day_ago(dice.between(1, 400)).to_string()
    } else if dice.happens(2_000) {
        String::new()
    } else {
        world.day_ahead(dice.between(0, LICENCE_TERM)).to_string()
    };
    let held = if dice.happens(5_000) {
        v1::approval::Holder::HolderCertificate(holder.itself.certificate.clone())
    } else {
        v1::approval::Holder::Domain(site.names.first()?.clone())
    };
    Some(reported(Record::Approval(v1::Approval {
        sector: sector.into(),
        approval_number: format!("虚构-{}", site.first),
        holder: Some(held),
        expires_on,
    })))
}

/// What is known of the home page of a website in force.
pub(super) fn home_page(
    holder: &Holder,
    site: &Site,
    filed: &Filed<'_>,
    world: &World,
    dice: &mut Dice,
    out: &mut VecDeque<v1::Record>,
) {
    let Some(name) = site.names.first() else {
        return;
    };
    if filed.age > MONTH && dice.happens(PUBLIC_SECURITY) {
        let (prefix, code) = (
            holder.province.public_security_prefix(),
            holder.province.code(),
        );
        // INVARIANT: below 10^8 names, both parts of their number have room. The serial 000000 is
        // that of templates.
        let (high, low) = (site.first / 999_999, site.first % 999_999 + 1);
        let after = dice.between(0, MONTH);
        out.push_back(reported(Record::PublicSecurityFiling(
            v1::PublicSecurityFiling {
                number: format!("{prefix}公网安备{code:02}{high:04}02{low:06}号"),
                domain: name.clone(),
                filed_on: world.day_ago(filed.age - after).to_string(),
            },
        )));
    }
    if dice.happens(OBSERVED) {
        let shown = dice.pick(&DISPLAYS);
        let record = v1::DisplayObservation {
            domain: name.clone(),
            numbers: shown_number(shown, holder, filed).into_iter().collect(),
            linked: (shown != Display::Missing).then_some(shown != Display::NotLinked),
            takedown: shown == Display::Takedown,
        };
        let mut record = reported(Record::DisplayObservation(record));
        // The time to mend a display runs from here.
        let days = dice.between(1, MONTH * 2);
        record.observed_at = Some(world.ago(dice, days));
        out.push_back(record);
    }
}

/// The number on a home page. Guangdong's sites show the subject number.
fn shown_number(shown: Display, holder: &Holder, filed: &Filed<'_>) -> Option<String> {
    let by_subject = holder.province == icpgate_policy::numbers::Province::Guangdong;
    match shown {
        Display::Right | Display::NotLinked if by_subject => Some(filed.subject.to_owned()),
        Display::Right | Display::NotLinked => Some(filed.number.to_owned()),
        Display::SubjectForm => Some(filed.subject.to_owned()),
        Display::Wrong => Some(TEMPLATE_NUMBER.to_owned()),
        Display::Missing | Display::Takedown => None,
    }
}

fn registration(name: &str, holder: &Holder, world: &World, dice: &mut Dice) -> v1::Record {
    let registrant = registrant(holder, dice);
    let verification = dice.pick(&VERIFICATIONS);
    let (real_name, verified, in_authority_library) = match verification {
        Verification::InLibrary => (v1::RealName::Verified, true, Some(true)),
        Verification::Verified => (v1::RealName::Verified, true, None),
        Verification::Syncing => (v1::RealName::Verified, true, Some(false)),
        Verification::Unverified => (v1::RealName::Unverified, false, None),
        Verification::NotReported => (v1::RealName::Unspecified, false, None),
    };
    let real_name_verified_at = verified.then(|| verified_at(verification, holder, world, dice));
    let registrars = [dice.between(1, REGISTRARS), dice.between(1, REGISTRARS)];
    let registrar = registrars.into_iter().min().unwrap_or(1);
    let statuses = dice.pick(&STATUSES);
    let expires_at = if dice.happens(EXPIRED) {
        let days = dice.between(1, 75);
        world.ago(dice, days)
    } else {
        // Most are renewed from year to year.
        let years = dice.below(4) * dice.below(3) / 2;
        let days = dice.between(1, 365) + years * 365;
        world.ahead(dice, days)
    };
    reported(Record::Registration(v1::Registration {
        domain: name.to_owned(),
        registrar: format!("虚构注册商{registrar:02}"),
        registrar_approved: dice.pick(&REGISTRAR_APPROVED),
        registrant: Some(registrant),
        real_name: real_name.into(),
        real_name_verified_at,
        in_authority_library,
        statuses: statuses.iter().map(|status| (*status).to_owned()).collect(),
        expires_at: Some(expires_at),
    }))
}

/// When a registrant was verified: before the first filing, unless it is new.
fn verified_at(
    verification: Verification,
    holder: &Holder,
    world: &World,
    dice: &mut Dice,
) -> Timestamp {
    let days = match verification {
        Verification::Syncing => dice.between(1, 2),
        Verification::InLibrary
        | Verification::NotReported
        | Verification::Unverified
        | Verification::Verified => holder.age + dice.between(15, 200),
    };
    world.ago(dice, days)
}

fn registrant(holder: &Holder, dice: &mut Dice) -> v1::Registrant {
    let shares = if holder.is_person() {
        &PERSON_REGISTRANTS
    } else {
        &ORGANISATION_REGISTRANTS
    };
    let second = || match &holder.second {
        // Who looks after the site has no part in the company.
        Some((v1::PersonRole::Webmaster, _)) | None => None,
        Some((_, party)) => Some(party),
    };
    let itself = &holder.itself;
    let representative = holder.representative.as_ref();
    let party = match dice.pick(shares) {
        Registrant::Itself => itself.clone(),
        Registrant::OldForm => old_form(itself),
        Registrant::FormerName => identity::with_former_name(itself.clone()),
        Registrant::Representative => representative.unwrap_or(itself).clone(),
        Registrant::SecondPerson => second().or(representative).unwrap_or(itself).clone(),
        Registrant::Stranger => holder.stranger.clone(),
        Registrant::Redacted => {
            return v1::Registrant {
                name: String::new(),
                certificate: None,
                redacted: true,
            };
        }
    };
    v1::Registrant {
        name: party.name,
        certificate: Some(party.certificate),
        redacted: false,
    }
}

/// The holder under its organisation code, if it is not filed under that already.
fn old_form(itself: &Party) -> Party {
    if itself.certificate.kind() == v1::CertificateKind::UnifiedSocialCreditCode {
        identity::with_organisation_code(itself.clone())
    } else {
        itself.clone()
    }
}
