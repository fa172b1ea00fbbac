//! Licences of sites that take payments.

use icpgate_policy::calendar::end_of;
use icpgate_policy::codes::{
    BusinessModel, LicenceStatus, Reason, RecordKind, SubjectEntity, SubjectNature, TelecomBusiness,
};
use icpgate_policy::policy::{Effect, LicenceRequirement};
use icpgate_policy::records::Licence;
use jiff::Timestamp;

use super::who::{Subjects, Who, is_same};
use super::{Question, Sheet};

/// All rules of the family.
pub(crate) fn check(question: &Question<'_>, subject: &Subjects, sheet: &mut Sheet<'_>) {
    let site = &question.request.profile.site;
    if !site.payment_enabled {
        return;
    }
    let who = match subject {
        Subjects::Known(who) => who,
        Subjects::Nobody => return,
        Subjects::Unknown(why) => return sheet.unknown(*why),
    };
    if who.nature == SubjectNature::Individual {
        return sheet.say(Reason::CommercialByIndividual);
    }
    if who.entity == SubjectEntity::RepresentativeOffice {
        return sheet.say(Reason::CommercialByRepresentativeOffice);
    }
    match question.policy.licence.requirement {
        LicenceRequirement::AnyPayment => any_licence(question, who, sheet),
        LicenceRequirement::ByBusinessModel => match site.business_model {
            None => sheet.say(Reason::CommercialModelUnknown),
            Some(BusinessModel::SelfOperated) => sheet.say(Reason::DisplayBusinessLicence),
            Some(model) => {
                let business = question.policy.licence.business[&model];
                licence_for(question, who, business, sheet);
            }
        },
    }
}

/// Licences of the subject itself that have been issued by today.
fn own_licences<'a>(question: &'a Question<'_>, who: &Who) -> Vec<&'a Licence> {
    issued(question)
        .into_iter()
        .filter(|licence| {
            let by_number = who
                .number
                .is_some_and(|number| number.as_str() == licence.licence_number.as_str());
            by_number || who.holds(&licence.holder_certificate)
        })
        .collect()
}

fn any_licence(question: &Question<'_>, who: &Who, sheet: &mut Sheet<'_>) {
    let own = own_licences(question, who);
    let valid: Vec<&Licence> = own
        .iter()
        .copied()
        .filter(|licence| is_valid(question, licence))
        .collect();
    if !valid.is_empty() {
        expiring(question, &valid, sheet);
    } else if !number_is_licence(who, &own) {
        lacking(question, who, &own, |_| true, sheet);
    }
}

fn licence_for(
    question: &Question<'_>,
    who: &Who,
    business: TelecomBusiness,
    sheet: &mut Sheet<'_>,
) {
    let own = own_licences(question, who);
    let valid: Vec<&Licence> = own
        .iter()
        .copied()
        .filter(|licence| is_valid(question, licence))
        .collect();
    let fitting: Vec<&Licence> = valid
        .iter()
        .copied()
        .filter(|licence| licence.businesses.contains(&business))
        .collect();
    if !fitting.is_empty() {
        expiring(question, &fitting, sheet);
    } else if valid.iter().any(|licence| licence.businesses.is_empty())
        || number_is_licence(who, &own)
    {
        sheet.say(Reason::CommercialLicenceKindUnknown);
    } else if !valid.is_empty() {
        sheet.say(Reason::CommercialLicenceKindMissing);
    } else {
        let fits = |licence: &Licence| {
            licence.businesses.is_empty() || licence.businesses.contains(&business)
        };
        lacking(question, who, &own, fits, sheet);
    }
}

/// The subject number has licence form and no record says more about that licence.
fn number_is_licence(who: &Who, own: &[&Licence]) -> bool {
    who.number.is_some_and(|number| {
        number.as_licence().is_some()
            && !own
                .iter()
                .any(|licence| licence.licence_number.as_str() == number.as_str())
    })
}

/// No valid licence of its own.
fn lacking(
    question: &Question<'_>,
    who: &Who,
    own: &[&Licence],
    parent_fits: impl Fn(&Licence) -> bool,
    sheet: &mut Sheet<'_>,
) {
    let last = own.iter().max_by_key(|licence| {
        (
            licence.expires_on.is_none(),
            licence.expires_on,
            licence.licence_number.as_str().to_owned(),
        )
    });
    if let Some(last) = last {
        return sheet.say(match last.status {
            LicenceStatus::Revoked => Reason::CommercialLicenceRevoked,
            LicenceStatus::Suspended => Reason::CommercialLicenceSuspended,
            LicenceStatus::Active => Reason::CommercialLicenceExpired,
        });
    }
    if let Some(why) = question.unknown(&question.facts.name, RecordKind::Licence) {
        return sheet.unknown(why);
    }
    let mut share = None;
    for parent in &who.parents {
        for licence in issued(question) {
            if is_same(&parent.certificate, &licence.holder_certificate)
                && is_valid(question, licence)
                && parent_fits(licence)
            {
                share = share.max(Some(parent.share_basis_points));
            }
        }
    }
    match share {
        None => sheet.say(Reason::CommercialLicenceMissing),
        Some(share) if share >= question.policy.licence.parent_share_basis_points => {
            sheet.weigh(
                Reason::CommercialLicenceHolderMismatch,
                Effect::Review,
                None,
            );
        }
        Some(_) => sheet.say(Reason::CommercialLicenceHolderMismatch),
    }
}

/// Whether the last of valid licences ends soon.
fn expiring(question: &Question<'_>, valid: &[&Licence], sheet: &mut Sheet<'_>) {
    if valid.iter().any(|licence| licence.expires_on.is_none()) {
        return;
    }
    let end: Option<Timestamp> = valid
        .iter()
        .filter_map(|licence| licence.expires_on)
        .max()
        .map(end_of);
    if let Some(end) = end {
        let from = end
            .saturating_sub(question.policy.licence.expiring)
            .unwrap();
        if question.now >= from {
            sheet.say_due(Reason::CommercialLicenceExpiring, Some(end));
        }
    }
}

fn is_valid(question: &Question<'_>, licence: &Licence) -> bool {
    licence.status == LicenceStatus::Active
        && licence.expires_on.is_none_or(|last| question.today <= last)
}

fn issued<'a>(question: &'a Question<'_>) -> Vec<&'a Licence> {
    question
        .facts
        .name
        .licences
        .iter()
        .map(|fact| &fact.value)
        .filter(|licence| {
            licence
                .issued_on
                .is_none_or(|first| first <= question.today)
        })
        .collect()
}
