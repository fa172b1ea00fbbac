//! The suffix: approved (R35, R37), meant for the body that files (R46), and the province of the
//! number (R58).

use arrayvec::ArrayVec;

use super::case::{Case, Party};
use super::{RuleId, Sheet};
use crate::codes::{Reason, SubjectNature};
use crate::decision::{Detail, Evidence};
use crate::domain_name;

pub(super) fn run(case: &Case<'_>, sheet: &mut Sheet<'_>) {
    let Some(name) = case.name else { return };
    let tld = name.ascii().rsplit('.').next().unwrap_or_default();
    if case.policy.approved_tlds.contains(tld) {
        sheet.pass(RuleId::R35, &[]);
        sheet.pass(RuleId::R37, &[]);
    } else {
        for rule in [RuleId::R35, RuleId::R37] {
            sheet.fire(rule, Reason::TldNotApproved, Detail::None, &[]);
        }
    }
    let holder = match case.party {
        Party::Known(holder) => holder,
        Party::Unknown(kind, why) => return sheet.unknown(RuleId::R46, kind, why),
        Party::Nobody => return,
    };
    let evidence: ArrayVec<Evidence, 1> = holder.evidence.into_iter().collect();
    if let Some(suffixes) = case.policy.nature_suffixes.get(&holder.nature) {
        if suffixes
            .iter()
            .any(|suffix| domain_name::is_under(name.ascii(), suffix))
        {
            sheet.pass(RuleId::R46, &evidence);
        } else {
            sheet.fire(
                RuleId::R46,
                Reason::SuffixNotForNature,
                Detail::None,
                &evidence,
            );
        }
    }
    if holder.nature == SubjectNature::Individual {
        return;
    }
    let division = holder
        .certificate
        .and_then(|certificate| certificate.province);
    if let Some((division, province)) = division.zip(holder.province) {
        if division == province {
            sheet.pass(RuleId::R58, &evidence);
        } else {
            sheet.fire(
                RuleId::R58,
                Reason::ProvinceMismatch,
                Detail::None,
                &evidence,
            );
        }
    }
}
