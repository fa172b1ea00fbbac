//! Block lists.

use std::sync::Arc;

use icpgate_policy::codes::{Reason, RecordKind};
use icpgate_policy::facts::NameFacts;
use icpgate_policy::records::{Block, BlockTarget};

use super::who::Subjects;
use super::{Question, Sheet};

/// Blocks on the name or an ancestor of it.
pub(crate) fn domain(question: &Question<'_>, sheet: &mut Sheet<'_>) {
    let set = &question.facts.name;
    let candidates = question.candidates();
    let blocked = active(question, set)
        .iter()
        .any(|block| match &block.target {
            BlockTarget::Domain(domain) => candidates.iter().any(|name| name == domain.ascii()),
            BlockTarget::Certificate(_) => false,
        });
    if blocked {
        sheet.say(Reason::DomainBlacklisted);
    } else if let Some(why) = question.unknown(set, RecordKind::Block) {
        sheet.unknown(why);
    }
}

/// Blocks on the certificate of the subject or applicant.
pub(crate) fn subject(
    question: &Question<'_>,
    set: Option<&Arc<NameFacts>>,
    subject: &Subjects,
    sheet: &mut Sheet<'_>,
) {
    let who = match subject {
        Subjects::Known(who) => who,
        Subjects::Nobody => return,
        Subjects::Unknown(why) => return sheet.unknown(*why),
    };
    let Some(set) = set else { return };
    if who.certificate.is_none() {
        return;
    }
    let blocked = active(question, set)
        .iter()
        .any(|block| match &block.target {
            BlockTarget::Domain(_) => false,
            BlockTarget::Certificate(certificate) => who.holds(certificate),
        });
    if blocked {
        sheet.say(Reason::SubjectBlacklisted);
    } else if let Some(why) = question.unknown(set, RecordKind::Block) {
        sheet.unknown(why);
    }
}

fn active<'a>(question: &Question<'_>, set: &'a NameFacts) -> Vec<&'a Block> {
    set.blocks
        .iter()
        .map(|fact| &fact.value)
        .filter(|block| {
            block.since.is_none_or(|since| question.now >= since)
                && block.until.is_none_or(|until| question.now < until)
        })
        .collect()
}
