//! What a running site shows and owes: the number on its home page (R39) and the public-security
//! filing (R40).
//!
//! The number stands at the bottom of the home page, linked to the authority's site (MII Order 33
//! of 2005, Art. 13; State Council Decree 292, Art. 12). It can only be shown once the site runs,
//! so its absence is an obligation and no gate, but for a site that was taken down for it.

use super::blocks::is_same;
use super::case::{Case, place};
use super::{RuleId, Sheet};
use crate::codes::{Reason, RecordKind};
use crate::decision::{Detail, Evidence, FactSet, plus};
use crate::facts::Fact;
use crate::records::{DisplayObservation, ShownNumber};

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if case.name.is_none() {
        return;
    }
    if sheet.applies(RuleId::R39) {
        display(case, sheet);
    }
    if sheet.applies(RuleId::R40) {
        public_security(case, sheet);
    }
}

fn display(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let Some((index, fact)) = observation(case) else {
        // A takedown cannot be ruled out where observations are not complete.
        let missing = case
            .facts
            .name
            .entitlement
            .missing(RecordKind::DisplayObservation);
        return match sheet.absent(missing) {
            Ok(()) => {}
            Err(why) => sheet.unknown(RuleId::R39, RecordKind::DisplayObservation, why),
        };
    };
    let kind = RecordKind::DisplayObservation;
    let evidence = [Evidence {
        set: FactSet::Name,
        kind,
        index: place(index),
    }];
    let seen = &fact.value;
    if seen.takedown {
        return sheet.fire(
            RuleId::R39,
            Reason::DisplayTakedown,
            Detail::None,
            &evidence,
        );
    }
    if !case.filing.standing() {
        return;
    }
    let due = plus(fact.provenance.observed_at, case.policy.display_due);
    let number = shown(case, seen);
    if let Some(reason) = number {
        sheet.owe(RuleId::R39, reason, due, &evidence);
    }
    let unlinked = seen.linked == Some(false) && !seen.numbers.is_empty();
    if unlinked {
        sheet.owe(RuleId::R39, Reason::DisplayNotLinked, due, &evidence);
    }
    if number.is_none() && !unlinked {
        sheet.pass(RuleId::R39, &evidence);
    }
}

/// The observation of the name, or of the nearest name above it.
fn observation<'a>(case: &Case<'a>) -> Option<(usize, &'a Fact<DisplayObservation>)> {
    let observations = &case.facts.name.display_observations;
    case.name?.candidates().find_map(|candidate| {
        observations
            .iter()
            .enumerate()
            .find(|(_, fact)| fact.value.domain.ascii() == candidate)
    })
}

/// What is wrong with the numbers of a page; one right number is enough.
fn shown(case: &Case<'_>, seen: &DisplayObservation) -> Option<Reason> {
    if seen.numbers.is_empty() {
        return Some(Reason::DisplayMissing);
    }
    let (service, subject) = case.filing.service.zip(case.filing.subject)?;
    let own = service.fact.value.service_number;
    let subject = &subject.fact.value;
    let mut subject_form = false;
    for number in &seen.numbers {
        match number {
            ShownNumber::Service(number) if *number == own => return None,
            ShownNumber::Subject(number) if *number == subject.subject_number => {
                let province = number.province().map(crate::numbers::Province::code);
                let customary =
                    province.is_some_and(|code| case.policy.subject_form_provinces.contains(&code));
                if number.as_licence().is_some() || customary {
                    return None;
                }
                subject_form = true;
            }
            ShownNumber::Subject(number) => {
                let licence = case.facts.name.licences.iter().any(|fact| {
                    fact.value.licence_number.as_subject() == *number
                        && is_same(&fact.value.holder_certificate, &subject.certificate)
                });
                if licence {
                    return None;
                }
            }
            ShownNumber::Service(_) | ShownNumber::Unreadable(_) => {}
        }
    }
    Some(if subject_form {
        Reason::DisplaySubjectForm
    } else {
        Reason::DisplayWrongNumber
    })
}

/// A site files with the public security organs within 30 days of going live (Measures on the
/// security of international networking of computer networks, Art. 12).
fn public_security(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let Some(live_since) = case.request.profile.site.live_since else {
        return;
    };
    if !sheet.reached(live_since) {
        return;
    }
    let filings = &case.facts.name.public_security_filings;
    if let Some(index) = filings
        .iter()
        .position(|fact| case.reaches(&fact.value.domain))
    {
        let kind = RecordKind::PublicSecurityFiling;
        let evidence = Evidence {
            set: FactSet::Name,
            kind,
            index: place(index),
        };
        return sheet.pass(RuleId::R40, &[evidence]);
    }
    // Where the filings are not complete there is nothing to remind of.
    let missing = case
        .facts
        .name
        .entitlement
        .missing(RecordKind::PublicSecurityFiling);
    if sheet.absent(missing).is_ok() {
        let due = plus(live_since, case.policy.public_security_due);
        sheet.owe(RuleId::R40, Reason::PublicSecurityFilingDue, due, &[]);
    }
}
