//! Origin and host header of content delivery: R18. Both are audited for a filing of their own
//! where they lie under another registrable domain.

use std::sync::Arc;

use super::case::Case;
use super::coverage::{Coverage, FilingState, coverage};
use super::{RuleId, Sheet};
use crate::codes::{Reason, RecordKind, ServiceKind};
use crate::decision::{Detail, Evidence, EvidenceList, FactSet};
use crate::domain_name::{Host, HostError, HostName};
use crate::facts::{NameFacts, Why};

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    if !sheet.applies(RuleId::R18) {
        return;
    }
    let request = case.request;
    let in_mainland = request
        .profile
        .origin_in_mainland
        .unwrap_or(case.policy.undeclared_origin_in_mainland);
    if in_mainland {
        let part = Part {
            host: request.origin.as_ref(),
            name: request.origin_name(),
            facts: case.facts.origin.as_ref(),
            set: FactSet::Origin,
            reason: Reason::OriginNotFiled,
        };
        check(&part, sheet);
    }
    let part = Part {
        host: request.host_header.as_ref(),
        name: request.host_header_name(),
        facts: case.facts.host_header.as_ref(),
        set: FactSet::HostHeader,
        reason: Reason::HostHeaderNotFiled,
    };
    check(&part, sheet);
}

struct Part<'a> {
    host: Option<&'a Result<Host, HostError>>,
    name: Option<&'a HostName>,
    facts: Option<&'a Arc<NameFacts>>,
    set: FactSet,
    reason: Reason,
}

fn check(part: &Part<'_>, sheet: &mut Sheet<'_>) {
    if let Some(Err(_)) = part.host {
        let evidence = [marker(part.set)];
        sheet.fire(
            RuleId::R18,
            Reason::DomainInvalid,
            Detail::Malformed,
            &evidence,
        );
        return;
    }
    let Some(name) = part.name else { return };
    let Some(facts) = part.facts else {
        return sheet.unknown(RuleId::R18, RecordKind::Service, Why::StoreUnavailable);
    };
    let found = coverage(facts, Some(name), ServiceKind::Website, &mut sheet.own);
    let evidence = evidence(&found, part.set);
    match found.state {
        FilingState::NotAsked => {}
        FilingState::Filed => sheet.pass(RuleId::R18, &evidence),
        FilingState::Unknown(kind, why) => sheet.unknown(RuleId::R18, kind, why),
        FilingState::Restricted
        | FilingState::Suspended
        | FilingState::InProgress
        | FilingState::Cancelled
        | FilingState::OtherKind
        | FilingState::VariantOnly
        | FilingState::NotFound => {
            let mut evidence = evidence;
            if evidence.is_empty() {
                evidence.push(marker(part.set));
            }
            sheet.fire(RuleId::R18, part.reason, Detail::None, &evidence);
        }
    }
}

/// Tells the wording which part is meant where no record does; it names no record.
fn marker(set: FactSet) -> Evidence {
    Evidence {
        set,
        kind: RecordKind::Service,
        index: u16::MAX,
    }
}

fn evidence(found: &Coverage<'_>, set: FactSet) -> EvidenceList {
    found
        .evidence()
        .into_iter()
        .map(|evidence| Evidence { set, ..evidence })
        .collect()
}
