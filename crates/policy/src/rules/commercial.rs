//! Payment: R19 to R28 and R56.
//!
//! Commercial internet information services need a licence that only companies can hold (State
//! Council Decree 292, Art. 3, 4 and 7; Telecommunications Regulations, Art. 13). Whether every
//! payment makes a service commercial, or the business model decides, is a choice of the policy.

use arrayvec::ArrayVec;
use jiff::Timestamp;

use super::blocks::is_same;
use super::case::{Case, Holder, Party, place};
use super::{RuleId, Sheet};
use crate::calendar;
use crate::codes::{
    BusinessModel, LicenceStatus, Reason, RecordKind, SubjectEntity, SubjectNature, TelecomBusiness,
};
use crate::decision::{Detail, Evidence, FactSet};
use crate::policy::{Effect, LicenceRequirement};
use crate::records::Licence;

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if !case.request.profile.site.payment_enabled || !sheet.applies(RuleId::R19) {
        return;
    }
    let holder = match case.party {
        Party::Known(holder) => holder,
        Party::Unknown(kind, why) => return sheet.unknown(RuleId::R20, kind, why),
        Party::Nobody => return,
    };
    let subject: ArrayVec<Evidence, 1> = holder.evidence.into_iter().collect();
    if holder.nature == SubjectNature::Individual {
        let reason = Reason::CommercialByIndividual;
        return sheet.fire(RuleId::R19, reason, Detail::None, &subject);
    }
    sheet.pass(RuleId::R19, &subject);
    if holder.entity == SubjectEntity::RepresentativeOffice {
        let reason = Reason::CommercialByRepresentativeOffice;
        return sheet.fire(RuleId::R56, reason, Detail::None, &subject);
    }
    sheet.pass(RuleId::R56, &subject);
    let business = match case.policy.licence.requirement {
        LicenceRequirement::AnyPayment => None,
        LicenceRequirement::ByBusinessModel => {
            let Some(model) = case.request.profile.site.business_model else {
                let reason = Reason::CommercialModelUnknown;
                return sheet.fire(RuleId::R24, reason, Detail::None, &subject);
            };
            sheet.pass(RuleId::R24, &[]);
            if model == BusinessModel::SelfOperated {
                let reason = Reason::DisplayBusinessLicence;
                return sheet.fire(RuleId::R23, reason, Detail::None, &subject);
            }
            let Some(business) = case.policy.licence.business.get(&model) else {
                return;
            };
            Some(*business)
        }
    };
    licence(case, &holder, business, sheet);
}

/// An own licence, as it stands today.
#[derive(Clone, Copy)]
struct Own<'a> {
    licence: &'a Licence,
    index: u16,
    /// First instant after its last day.
    end: Timestamp,
    valid: bool,
}

impl Own<'_> {
    fn evidence(&self) -> Evidence {
        Evidence {
            set: FactSet::Name,
            kind: RecordKind::Licence,
            index: self.index,
        }
    }

    fn has(&self, business: Option<TelecomBusiness>) -> bool {
        business.is_none_or(|business| self.licence.businesses.contains(&business))
    }

    /// Of several licences in one state the one that ends last tells; then the greater number.
    fn weight(&self) -> (Timestamp, &str) {
        (self.end, self.licence.licence_number.as_str())
    }
}

fn licence(
    case: &Case<'_>,
    holder: &Holder<'_>,
    business: Option<TelecomBusiness>,
    sheet: &mut Sheet<'_>,
) {
    let mut best: Option<Own<'_>> = None;
    let mut valid: Option<Own<'_>> = None;
    let mut satisfying: Option<Own<'_>> = None;
    let mut unrecorded: Option<Own<'_>> = None;
    let mut by_number = false;
    for (index, fact) in case.facts.name.licences.iter().enumerate() {
        let licence = &fact.value;
        let names_subject = holder
            .number
            .is_some_and(|number| licence.licence_number.as_subject() == number);
        let held = holder
            .certificate
            .is_some_and(|certificate| is_same(certificate, &licence.holder_certificate));
        if !names_subject && !held {
            continue;
        }
        let Some(own) = today(licence, index, sheet) else {
            continue;
        };
        by_number |= names_subject;
        keep(&mut best, own);
        if own.valid {
            keep(&mut valid, own);
            if own.has(business) {
                keep(&mut satisfying, own);
            } else if licence.businesses.is_empty() {
                keep(&mut unrecorded, own);
            }
        }
    }
    if let Some(own) = satisfying {
        return satisfied(case, &own, business, sheet);
    }
    // A subject number in licence form shows that there is a licence, where no record says more.
    let presence = !by_number
        && holder
            .number
            .is_some_and(|number| number.as_licence().is_some());
    let subject: ArrayVec<Evidence, 2> = holder.evidence.into_iter().collect();
    match business {
        None if presence => {
            sheet.pass(RuleId::R20, &subject);
            return sheet.pass(RuleId::R28, &subject);
        }
        Some(_) if presence || unrecorded.is_some() => {
            let mut evidence = subject;
            evidence.extend(unrecorded.map(|own| own.evidence()));
            let detail = business.map_or(Detail::None, Detail::Business);
            let reason = Reason::CommercialLicenceKindUnknown;
            return sheet.fire(RuleId::R28, reason, detail, &evidence);
        }
        Some(business) if let Some(own) = valid => {
            let reason = Reason::CommercialLicenceKindMissing;
            let evidence = [own.evidence()];
            return sheet.fire(
                kind_rule(business),
                reason,
                Detail::Business(business),
                &evidence,
            );
        }
        None | Some(_) => {}
    }
    if let Some(own) = best {
        let reason = match own.licence.status {
            LicenceStatus::Revoked => Reason::CommercialLicenceRevoked,
            LicenceStatus::Suspended => Reason::CommercialLicenceSuspended,
            LicenceStatus::Active => Reason::CommercialLicenceExpired,
        };
        return sheet.fire(RuleId::R25, reason, Detail::None, &[own.evidence()]);
    }
    let missing = case.facts.name.entitlement.missing(RecordKind::Licence);
    let parent = parent(case, holder, business, sheet);
    match (sheet.absent(missing), parent) {
        (Err(why), _) => sheet.unknown(RuleId::R20, RecordKind::Licence, why),
        (Ok(()), Some((share, evidence))) => {
            let reason = Reason::CommercialLicenceHolderMismatch;
            let effect = if share >= case.policy.licence.parent_share_basis_points {
                Effect::Review
            } else {
                Effect::Deny
            };
            sheet.fire_as(RuleId::R27, reason, effect, Detail::None, &[evidence]);
        }
        (Ok(()), None) => {
            let reason = Reason::CommercialLicenceMissing;
            let detail = business.map_or(Detail::None, Detail::Business);
            sheet.fire(RuleId::R20, reason, detail, &subject);
        }
    }
}

fn satisfied(
    case: &Case<'_>,
    own: &Own<'_>,
    business: Option<TelecomBusiness>,
    sheet: &mut Sheet<'_>,
) {
    let evidence = [own.evidence()];
    sheet.pass(RuleId::R20, &evidence);
    sheet.pass(RuleId::R25, &evidence);
    if let Some(business) = business {
        sheet.pass(kind_rule(business), &evidence);
    }
    if own.licence.expires_on.is_none() {
        return;
    }
    let warned = own
        .end
        .saturating_sub(case.policy.licence.expiring)
        .unwrap_or(own.end);
    if sheet.reached(warned) {
        sheet.owe(
            RuleId::R26,
            Reason::CommercialLicenceExpiring,
            own.end,
            &evidence,
        );
    } else {
        sheet.pass(RuleId::R26, &evidence);
    }
}

/// The greatest share among declared parents that hold a fitting licence.
fn parent(
    case: &Case<'_>,
    holder: &Holder<'_>,
    business: Option<TelecomBusiness>,
    sheet: &mut Sheet<'_>,
) -> Option<(u16, Evidence)> {
    let mut greatest: Option<(u16, Evidence)> = None;
    for parent in holder.parents {
        for (index, fact) in case.facts.name.licences.iter().enumerate() {
            if !is_same(&parent.certificate, &fact.value.holder_certificate) {
                continue;
            }
            let Some(own) = today(&fact.value, index, sheet) else {
                continue;
            };
            let fits = own.has(business) || own.licence.businesses.is_empty();
            if own.valid
                && fits
                && greatest.is_none_or(|(share, _)| share < parent.share_basis_points)
            {
                greatest = Some((parent.share_basis_points, own.evidence()));
            }
        }
    }
    greatest
}

/// How a licence stands today; `None` before its first day.
fn today<'a>(licence: &'a Licence, index: usize, sheet: &mut Sheet<'_>) -> Option<Own<'a>> {
    if let Some(first) = licence.issued_on
        && !sheet.reached(calendar::start_of(first))
    {
        return None;
    }
    let end = licence.expires_on.map_or(Timestamp::MAX, calendar::end_of);
    let active = match licence.status {
        LicenceStatus::Active => true,
        LicenceStatus::Suspended | LicenceStatus::Revoked => false,
    };
    let valid = active && (licence.expires_on.is_none() || !sheet.reached(end));
    Some(Own {
        licence,
        index: place(index),
        end,
        valid,
    })
}

fn keep<'a>(kept: &mut Option<Own<'a>>, own: Own<'a>) {
    if kept.is_none_or(|kept| kept.weight() < own.weight()) {
        *kept = Some(own);
    }
}

const fn kind_rule(business: TelecomBusiness) -> RuleId {
    match business {
        TelecomBusiness::B21 => RuleId::R21,
        TelecomBusiness::B11
        | TelecomBusiness::B12
        | TelecomBusiness::B13
        | TelecomBusiness::B14
        | TelecomBusiness::B22
        | TelecomBusiness::B23
        | TelecomBusiness::B24
        | TelecomBusiness::B25 => RuleId::R22,
    }
}
