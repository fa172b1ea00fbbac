//! The filing: R06 to R09, R13, R14, R41 to R44, R53 to R55 and R60.
//!
//! One state of filing has one reason; which service the state is about is found in `case`.

use super::blocks::is_same;
use super::case::{Case, Party, entry};
use super::coverage::{Coverage, FilingState, state_of, subject_of};
use super::{RuleId, Sheet};
use crate::codes::{Product, Reason, RecordKind, ServiceKind, ServiceStatus, SubjectStatus};
use crate::decision::{Detail, EvidenceList, FactSet};

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if case.pre_filing() {
        return filed_by_another(case, sheet);
    }
    lookup(case, sheet);
    if case.request.profile.product == Product::AppBackend {
        own_kind(&case.filing, RuleId::R41, Reason::AppNotFiled, sheet);
        return;
    }
    if let Some(mini_program) = &case.mini_program {
        own_kind(
            mini_program,
            RuleId::R44,
            Reason::MiniProgramNotFiled,
            sheet,
        );
    }
    website(&case.filing, sheet);
}

/// Whether the filings could be looked up; the other rules find nothing where not.
fn lookup(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let mut known = case.name.is_some();
    for coverage in case.mini_program.iter().chain([&case.filing]) {
        if let FilingState::Unknown(kind, why) = coverage.state {
            known = false;
            sheet.unknown(RuleId::R08, kind, why);
        }
    }
    if known {
        sheet.pass(RuleId::R08, &[]);
    }
}

/// The filing of a website.
fn website(coverage: &Coverage<'_>, sheet: &mut Sheet<'_>) {
    let evidence = coverage.evidence();
    let (rule, reason, detail) = match coverage.state {
        FilingState::NotAsked | FilingState::Unknown(..) => return,
        FilingState::Filed => {
            sheet.pass(RuleId::R07, &evidence);
            sheet.pass(RuleId::R06, &evidence);
            sheet.pass(RuleId::R09, &evidence);
            if changing(coverage) {
                sheet.pass(RuleId::R14, &evidence);
            }
            return;
        }
        FilingState::Restricted => (RuleId::R06, Reason::FilingAccessRestricted, Detail::None),
        FilingState::Suspended => (RuleId::R55, Reason::FilingSuspended, extent(coverage)),
        FilingState::InProgress => (RuleId::R13, Reason::FilingInProgress, Detail::None),
        FilingState::Cancelled => (RuleId::R54, Reason::FilingCancelled, extent(coverage)),
        FilingState::OtherKind => (RuleId::R42, Reason::FilingKindMismatch, Detail::OtherKind),
        FilingState::VariantOnly => (RuleId::R60, Reason::FilingVariantOnly, Detail::None),
        FilingState::NotFound => (RuleId::R07, Reason::FilingNotFound, Detail::None),
    };
    sheet.fire(rule, reason, detail, &evidence);
}

/// The filing of an app or a mini program.
fn own_kind(coverage: &Coverage<'_>, rule: RuleId, missing: Reason, sheet: &mut Sheet<'_>) {
    let evidence = coverage.evidence();
    let (rule, reason, detail) = match coverage.state {
        FilingState::NotAsked | FilingState::Unknown(..) => return,
        FilingState::Filed => return sheet.pass(rule, &evidence),
        FilingState::Restricted => (RuleId::R06, Reason::FilingAccessRestricted, Detail::None),
        FilingState::Suspended => (RuleId::R55, Reason::FilingSuspended, extent(coverage)),
        FilingState::InProgress => (RuleId::R13, Reason::FilingInProgress, Detail::None),
        FilingState::Cancelled => (RuleId::R43, Reason::FilingCancelled, extent(coverage)),
        FilingState::OtherKind | FilingState::VariantOnly | FilingState::NotFound => {
            (rule, missing, Detail::None)
        }
    };
    sheet.fire(rule, reason, detail, &evidence);
}

/// Before filing: a name that is filed already can only be filed by the same subject. Bodies under
/// a government suffix file by themselves below their parents' name.
fn filed_by_another(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let Some(name) = case.name else { return };
    let facts = &case.facts.name;
    let mut unknown = None;
    let mut own: EvidenceList = EvidenceList::new();
    for (index, fact) in facts.services.iter().enumerate() {
        let service = &fact.value;
        let named = service.domains.iter().any(|domain| {
            domain.ascii() == name.ascii() || (!name.is_government() && case.reaches(domain))
        });
        if service.kind != ServiceKind::Website || !named {
            continue;
        }
        let Some(subject) = subject_of(facts, service) else {
            // Not effective before its subject is there, unless the subject may be there unseen.
            if let Err(why) = sheet.absent(facts.entitlement.missing(RecordKind::Subject)) {
                unknown = unknown.or(Some((RecordKind::Subject, why)));
            }
            continue;
        };
        if state_of(service, &subject.fact.value) == FilingState::Cancelled {
            continue;
        }
        let evidence = entry(index, fact).evidence(FactSet::Name, RecordKind::Service);
        let filed = &subject.fact.value;
        let detail = match case.party {
            Party::Known(holder)
                if holder.number == Some(filed.subject_number)
                    || holder
                        .certificate
                        .is_some_and(|own| is_same(own, &filed.certificate)) =>
            {
                let _ = own.try_push(evidence);
                continue;
            }
            Party::Known(_) => Detail::OtherSubject,
            Party::Nobody => Detail::NoApplicant,
            Party::Unknown(kind, why) => return sheet.unknown(RuleId::R53, kind, why),
        };
        return sheet.fire(
            RuleId::R53,
            Reason::FiledByAnotherSubject,
            detail,
            &[evidence],
        );
    }
    if !own.is_empty() {
        return sheet.pass(RuleId::R53, &own);
    }
    if unknown.is_none()
        && let Err(why) = sheet.absent(facts.entitlement.missing(RecordKind::Service))
    {
        unknown = Some((RecordKind::Service, why));
    }
    match unknown {
        Some((kind, why)) => sheet.unknown(RuleId::R53, kind, why),
        None => sheet.pass(RuleId::R53, &[]),
    }
}

fn changing(coverage: &Coverage<'_>) -> bool {
    coverage
        .service
        .is_some_and(|service| match service.fact.value.status {
            ServiceStatus::Changing => true,
            ServiceStatus::Active | ServiceStatus::Suspended | ServiceStatus::Cancelled => false,
        })
}

/// Whether the state is the whole subject's.
fn extent(coverage: &Coverage<'_>) -> Detail {
    let whole = coverage
        .subject
        .is_some_and(|subject| match subject.fact.value.status {
            SubjectStatus::Suspended | SubjectStatus::Cancelled => true,
            SubjectStatus::Active => false,
        });
    if whole {
        Detail::WholeSubject
    } else {
        Detail::None
    }
}
