//! Sectors whose sites need an approval of their own authority (R38), and forums (R57).
//!
//! State Council Decree 292, Art. 5, and its successors; which sector still needs one, and with
//! what weight, is policy data. Content types of a filing are shown to reviewers and never decide.

use arrayvec::ArrayVec;

use super::blocks::is_same;
use super::case::{Case, Party, place};
use super::{RuleId, Sheet};
use crate::calendar;
use crate::codes::{Reason, RecordKind, Sector, SubjectNature};
use crate::decision::{Detail, Evidence, FactSet};
use crate::facts::NameFacts;
use crate::identity::SealedCertificate;
use crate::policy::{Effect, SectorEffect};
use crate::records::ApprovalHolder;

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if case.name.is_none() {
        return;
    }
    for sector in &case.request.profile.site.sectors {
        if *sector == Sector::Forum {
            forum(case, sheet);
        }
        let effect = match case.policy.sectors.get(sector).copied() {
            Some(SectorEffect::Deny) | None => Effect::Deny,
            Some(SectorEffect::Review) => Effect::Review,
            Some(SectorEffect::DenyWithPayment) if case.request.profile.site.payment_enabled => {
                Effect::Deny
            }
            Some(SectorEffect::DenyWithPayment | SectorEffect::None) => continue,
        };
        approval(case, *sector, effect, sheet);
    }
}

fn forum(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    match case.party {
        Party::Known(holder) => {
            let evidence: ArrayVec<Evidence, 1> = holder.evidence.into_iter().collect();
            if holder.nature == SubjectNature::Individual {
                sheet.fire(
                    RuleId::R57,
                    Reason::ForumByIndividual,
                    Detail::None,
                    &evidence,
                );
            } else {
                sheet.pass(RuleId::R57, &evidence);
            }
        }
        Party::Unknown(kind, why) => sheet.unknown(RuleId::R57, kind, why),
        Party::Nobody => {}
    }
}

fn approval(case: &Case<'_>, sector: Sector, effect: Effect, sheet: &mut Sheet<'_>) {
    let certificate = match case.party {
        Party::Known(holder) => holder.certificate,
        Party::Unknown(..) | Party::Nobody => None,
    };
    let mut ended = None;
    let sets = [
        (Some(&case.facts.name), FactSet::Name),
        (
            case.facts.applicant.as_ref().filter(|_| case.pre_filing()),
            FactSet::Applicant,
        ),
    ];
    for (facts, set) in sets {
        let Some(facts) = facts else { continue };
        match search(case, facts, set, sector, certificate, sheet) {
            Search::Stands(evidence) => return sheet.pass(RuleId::R38, &[evidence]),
            Search::Ended(evidence) => ended = ended.or(Some(evidence)),
            Search::None => {}
        }
    }
    if let Some(evidence) = ended {
        let reason = Reason::SectorApprovalExpired;
        return sheet.fire_as(
            RuleId::R38,
            reason,
            effect,
            Detail::Sector(sector),
            &[evidence],
        );
    }
    if let Err(why) = sheet.absent(case.facts.name.entitlement.missing(RecordKind::Approval)) {
        return sheet.unknown(RuleId::R38, RecordKind::Approval, why);
    }
    if let Party::Unknown(kind, why) = case.party {
        return sheet.unknown(RuleId::R38, kind, why);
    }
    let reason = Reason::SectorApprovalMissing;
    sheet.fire_as(RuleId::R38, reason, effect, Detail::Sector(sector), &[]);
}

enum Search {
    None,
    Ended(Evidence),
    Stands(Evidence),
}

fn search(
    case: &Case<'_>,
    facts: &NameFacts,
    set: FactSet,
    sector: Sector,
    certificate: Option<&SealedCertificate>,
    sheet: &mut Sheet<'_>,
) -> Search {
    let mut found = Search::None;
    for (index, fact) in facts.approvals.iter().enumerate() {
        let approval = &fact.value;
        if approval.sector != sector {
            continue;
        }
        let own = match &approval.holder {
            ApprovalHolder::Domain(domain) => case.reaches(domain),
            ApprovalHolder::Certificate(holder) => {
                certificate.is_some_and(|own| is_same(own, holder))
            }
        };
        if !own {
            continue;
        }
        let evidence = Evidence {
            set,
            kind: RecordKind::Approval,
            index: place(index),
        };
        let ended = approval
            .expires_on
            .is_some_and(|day| sheet.reached(calendar::end_of(day)));
        if !ended {
            return Search::Stands(evidence);
        }
        found = Search::Ended(evidence);
    }
    found
}
