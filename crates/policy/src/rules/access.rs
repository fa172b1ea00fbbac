//! The access link: R10 to R12 for products on this provider's own mainland servers, R15 for
//! content delivery.
//!
//! An access provider serves only what is filed with it (MII Order 33 of 2005, Art. 18). Content
//! delivery needs a valid filing of the name and no access filing of its own.

use jiff::Timestamp;

use super::case::{Case, place};
use super::{RuleId, Sheet};
use crate::codes::{AccessStatus, ApplicationKind, ApplicationStage, Reason, RecordKind};
use crate::decision::{Detail, Evidence, FactSet, plus};
use crate::records::Access;

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if !case.filing.standing() {
        return;
    }
    if sheet.applies(RuleId::R11) {
        linked(case, sheet);
    }
    if sheet.applies(RuleId::R15) {
        empty_shell(case, sheet);
    }
}

fn linked(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let provider = case.policy.provider_id();
    if let Some(evidence) = active(case, sheet, |access| &*access.provider_id == provider) {
        return sheet.pass(RuleId::R10, &[evidence]);
    }
    if let Some((end, evidence)) = grace(case, sheet) {
        return sheet.owe(RuleId::R12, Reason::AccessLinkGrace, end, &[evidence]);
    }
    let entitlement = &case.facts.name.entitlement;
    for kind in [RecordKind::Access, RecordKind::Application] {
        if let Err(why) = sheet.absent(entitlement.missing(kind)) {
            return sheet.unknown(RuleId::R11, kind, why);
        }
    }
    sheet.fire(
        RuleId::R11,
        Reason::AccessNotLinked,
        Detail::None,
        &case.filing.evidence(),
    );
}

/// End of the days of grace: this provider's first review passed and its access filing is on its
/// way or approved.
fn grace(case: &Case<'_>, sheet: &mut Sheet<'_>) -> Option<(Timestamp, Evidence)> {
    let provider = case.policy.provider_id();
    let mut latest: Option<(Timestamp, Evidence)> = None;
    for (index, fact) in case.facts.name.applications.iter().enumerate() {
        let application = &fact.value;
        let on_its_way = match application.stage {
            ApplicationStage::ProviderReviewPassed
            | ApplicationStage::AuthorityReview
            | ApplicationStage::Approved => true,
            ApplicationStage::Submitted | ApplicationStage::Rejected => false,
        };
        if application.kind != ApplicationKind::NewAccess
            || !on_its_way
            || &*application.provider_id != provider
            || !case.reaches(&application.domain)
        {
            continue;
        }
        let Some(passed_at) = application.provider_review_passed_at else {
            continue;
        };
        let end = plus(passed_at, case.policy.access_grace);
        if sheet.reached(passed_at)
            && !sheet.reached(end)
            && latest.is_none_or(|(latest, _)| latest < end)
        {
            let index = place(index);
            let kind = RecordKind::Application;
            latest = Some((
                end,
                Evidence {
                    set: FactSet::Name,
                    kind,
                    index,
                },
            ));
        }
    }
    latest
}

fn empty_shell(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if let Some(evidence) = active(case, sheet, |_| true) {
        return sheet.pass(RuleId::R15, &[evidence]);
    }
    // Content delivery does not rest on access records; where they are not complete there is
    // nothing to remind of.
    if sheet
        .absent(case.facts.name.entitlement.missing(RecordKind::Access))
        .is_ok()
    {
        sheet.longest = sheet.longest.min(case.policy.validity.empty_shell);
        sheet.fire(
            RuleId::R15,
            Reason::EmptyShellRisk,
            Detail::None,
            &case.filing.evidence(),
        );
    }
}

/// An access link of the filing that stands now.
fn active(
    case: &Case<'_>,
    sheet: &mut Sheet<'_>,
    whose: impl Fn(&Access) -> bool,
) -> Option<Evidence> {
    let service = case.filing.service?;
    let number = &service.fact.value.service_number;
    for (index, fact) in case.facts.name.accesses.iter().enumerate() {
        let access = &fact.value;
        let stands = match access.status {
            AccessStatus::Active => true,
            AccessStatus::Cancelled => false,
        };
        if stands
            && access.service_number == *number
            && whose(access)
            && access.since.is_none_or(|since| sheet.reached(since))
        {
            let index = place(index);
            return Some(Evidence {
                set: FactSet::Name,
                kind: RecordKind::Access,
                index,
            });
        }
    }
    None
}
