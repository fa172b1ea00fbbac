//! Block lists of the authority and of the provider: R04 for names, R05 for subjects. No policy
//! weakens them.

use super::case::{Case, Party, place};
use super::{RuleId, Sheet};
use crate::codes::{Reason, RecordKind};
use crate::decision::{Detail, Evidence, FactSet};
use crate::facts::NameFacts;
use crate::identity::{CertificateMatch, SealedCertificate, same_certificate};
use crate::records::{Block, BlockTarget};

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if case.name.is_some() {
        domain(case, sheet);
    }
    subject(case, sheet);
}

fn domain(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let mut blocked = false;
    for (index, fact) in case.facts.name.blocks.iter().enumerate() {
        let BlockTarget::Domain(target) = &fact.value.target else {
            continue;
        };
        if case.reaches(target) && stands(&fact.value, sheet) {
            blocked = true;
            let evidence = Evidence {
                set: FactSet::Name,
                kind: RecordKind::Block,
                index: place(index),
            };
            sheet.fire(
                RuleId::R04,
                Reason::DomainBlacklisted,
                Detail::None,
                &[evidence],
            );
        }
    }
    if !blocked {
        settle(&case.facts.name, RuleId::R04, sheet);
    }
}

fn subject(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if let Party::Unknown(kind, why) = case.party {
        return sheet.unknown(RuleId::R05, kind, why);
    }
    let (facts, set) = match (&case.facts.applicant, case.pre_filing()) {
        (Some(applicant), true) => (applicant, FactSet::Applicant),
        (None, true) => return,
        (_, false) => (&case.facts.name, FactSet::Name),
    };
    // A mini program and the website behind it may be filed by different subjects.
    let other = case
        .mini_program
        .and_then(|own| own.subject)
        .filter(|_| !case.pre_filing());
    let other = other.map(|subject| &subject.fact.value.certificate);
    let party = match case.party {
        Party::Known(holder) => holder.certificate,
        Party::Unknown(..) | Party::Nobody => None,
    };
    if party.is_none() && other.is_none() {
        return;
    }
    let mut blocked = false;
    for (index, fact) in facts.blocks.iter().enumerate() {
        let BlockTarget::Certificate(target) = &fact.value.target else {
            continue;
        };
        let own = party
            .into_iter()
            .chain(other)
            .any(|own| is_same(target, own));
        if own && stands(&fact.value, sheet) {
            blocked = true;
            let evidence = Evidence {
                set,
                kind: RecordKind::Block,
                index: place(index),
            };
            sheet.fire(
                RuleId::R05,
                Reason::SubjectBlacklisted,
                Detail::None,
                &[evidence],
            );
        }
    }
    if !blocked {
        settle(facts, RuleId::R05, sheet);
    }
}

/// Whether two certificates are one, in whatever form.
pub(super) fn is_same(a: &SealedCertificate, b: &SealedCertificate) -> bool {
    match same_certificate(a, b) {
        CertificateMatch::Same
        | CertificateMatch::SameByOldForm
        | CertificateMatch::SameByOrganisationCode => true,
        CertificateMatch::Different | CertificateMatch::NotComparable => false,
    }
}

fn stands(block: &Block, sheet: &mut Sheet<'_>) -> bool {
    block.since.is_none_or(|since| sheet.reached(since))
        && block.until.is_none_or(|until| !sheet.reached(until))
}

/// No block was found: passes if the registry is entitled to say so.
fn settle(facts: &NameFacts, rule: RuleId, sheet: &mut Sheet<'_>) {
    match sheet.absent(facts.entitlement.missing(RecordKind::Block)) {
        Ok(()) => sheet.pass(rule, &[]),
        Err(why) => sheet.unknown(rule, RecordKind::Block, why),
    }
}
