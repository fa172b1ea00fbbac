//! Approvals of sectors, and forums.

use icpgate_policy::codes::{Reason, RecordKind, Sector, SubjectNature};
use icpgate_policy::facts::Why;
use icpgate_policy::policy::{Effect, SectorEffect};
use icpgate_policy::records::{Approval, ApprovalHolder};

use super::who::Subjects;
use super::{Question, Sheet};

/// One finding for each sector whose approval counts.
pub(crate) fn approvals(question: &Question<'_>, subject: &Subjects, sheet: &mut Sheet<'_>) {
    let site = &question.request.profile.site;
    for &sector in &site.sectors {
        let effect = match question.policy.sectors.get(&sector) {
            None | Some(SectorEffect::None) => continue,
            Some(SectorEffect::DenyWithPayment) if !site.payment_enabled => continue,
            Some(SectorEffect::Deny | SectorEffect::DenyWithPayment) => Effect::Deny,
            Some(SectorEffect::Review) => Effect::Review,
        };
        let approvals = of(question, subject, sector);
        if approvals.iter().any(|approval| {
            approval
                .expires_on
                .is_none_or(|last| question.today <= last)
        }) {
            continue;
        }
        if !approvals.is_empty() {
            sheet.weigh(Reason::SectorApprovalExpired, effect, None);
        } else if let Some(why) = unknown(question, subject) {
            sheet.unknown(why);
        } else {
            sheet.weigh(Reason::SectorApprovalMissing, effect, None);
        }
    }
}

/// Persons may not run forums.
pub(crate) fn forum(question: &Question<'_>, subject: &Subjects, sheet: &mut Sheet<'_>) {
    if !question
        .request
        .profile
        .site
        .sectors
        .contains(&Sector::Forum)
    {
        return;
    }
    match subject {
        Subjects::Known(who) if who.nature == SubjectNature::Individual => {
            sheet.say(Reason::ForumByIndividual);
        }
        Subjects::Known(_) | Subjects::Nobody => {}
        Subjects::Unknown(why) => sheet.unknown(*why),
    }
}

/// Approvals for the name, an ancestor of it, or the subject.
fn of(question: &Question<'_>, subject: &Subjects, sector: Sector) -> Vec<Approval> {
    let candidates = question.candidates();
    let mut approvals = Vec::new();
    for fact in &question.facts.name.approvals {
        if let ApprovalHolder::Domain(domain) = &fact.value.holder
            && candidates.iter().any(|name| name == domain.ascii())
        {
            approvals.push(fact.value.clone());
        }
    }
    let set = if question.pre_filing {
        question.facts.applicant.as_ref()
    } else {
        Some(&question.facts.name)
    };
    if let (Subjects::Known(who), Some(set)) = (subject, set) {
        for fact in &set.approvals {
            if let ApprovalHolder::Certificate(certificate) = &fact.value.holder
                && who.holds(certificate)
            {
                approvals.push(fact.value.clone());
            }
        }
    }
    approvals.retain(|approval| approval.sector == sector);
    approvals
}

fn unknown(question: &Question<'_>, subject: &Subjects) -> Option<Why> {
    if let Subjects::Unknown(why) = subject {
        return Some(*why);
    }
    question.unknown(&question.facts.name, RecordKind::Approval)
}
