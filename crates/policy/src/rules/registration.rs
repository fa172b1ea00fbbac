//! The registration: real name (R33), state (R34) and registrar (R36, R37).

use super::case::{Case, Compared};
use super::{RuleId, Sheet};
use crate::calendar;
use crate::codes::{RealName, Reason, RecordKind};
use crate::decision::{Detail, Evidence, FactSet};
use crate::records::Registration;

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let registration = match case.registration {
        Compared::Known(registration) => registration,
        Compared::Unknown(why) => {
            for rule in [RuleId::R33, RuleId::R34, RuleId::R36] {
                sheet.unknown(rule, RecordKind::Registration, why);
            }
            return;
        }
        // That nobody is registered is told by R32.
        Compared::Absent | Compared::NotAsked => return,
    };
    let evidence = [registration.evidence(FactSet::Name, RecordKind::Registration)];
    let value = &registration.fact.value;
    if sheet.applies(RuleId::R33) {
        real_name(case, value, &evidence, sheet);
    }
    if sheet.applies(RuleId::R34) {
        state(case, value, &evidence, sheet);
    }
    match value.registrar_approved {
        Some(false) => {
            for rule in [RuleId::R36, RuleId::R37] {
                sheet.fire(rule, Reason::RegistrarNotApproved, Detail::None, &evidence);
            }
        }
        Some(true) => sheet.pass(RuleId::R36, &evidence),
        None => {}
    }
}

/// Access providers serve no name whose registrant is not verified (MIIT notice 264 of 2017); a
/// verified name takes some working days to reach the authority.
fn real_name(case: &Case<'_>, value: &Registration, evidence: &[Evidence], sheet: &mut Sheet<'_>) {
    match value.real_name {
        Some(RealName::Unverified) => {
            return sheet.fire(
                RuleId::R33,
                Reason::RealNameUnverified,
                Detail::None,
                evidence,
            );
        }
        Some(RealName::Verified) => {}
        None => return,
    }
    let syncing = match (value.in_authority_library, value.real_name_verified_at) {
        (Some(in_library), _) => !in_library,
        (None, Some(verified_at)) => {
            let days = u16::try_from(case.policy.library_sync_working_days).unwrap_or(u16::MAX);
            let last = case
                .policy
                .calendar
                .working_days_after(calendar::beijing_day(verified_at), days);
            !sheet.reached(calendar::end_of(last))
        }
        (None, None) => false,
    };
    if !syncing {
        return sheet.pass(RuleId::R33, evidence);
    }
    sheet.fire(RuleId::R33, Reason::RealNameSyncing, Detail::None, evidence);
    let today = calendar::beijing_day(sheet.now());
    // What is told of the next working day changes with the day.
    sheet.reached(calendar::start_of(today));
    sheet.reached(calendar::end_of(today));
    let next = calendar::start_of(case.policy.calendar.next_working_day(today));
    sheet.retry_after = sheet.retry_after.max(Some(next));
}

fn state(case: &Case<'_>, value: &Registration, evidence: &[Evidence], sheet: &mut Sheet<'_>) {
    let mut serves = true;
    if value
        .statuses
        .iter()
        .any(|status| case.policy.blocking_statuses.contains(status))
    {
        serves = false;
        sheet.fire(RuleId::R34, Reason::DomainNotActive, Detail::None, evidence);
    }
    if value.expires_at.is_some_and(|at| sheet.reached(at)) {
        serves = false;
        sheet.fire(RuleId::R34, Reason::DomainExpired, Detail::None, evidence);
    }
    if serves {
        sheet.pass(RuleId::R34, evidence);
    }
}
