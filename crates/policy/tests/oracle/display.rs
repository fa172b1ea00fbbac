//! The number on the home page, and the public-security filing.

use icpgate_policy::codes::{Reason, RecordKind};
use icpgate_policy::facts::Fact;
use icpgate_policy::numbers::SubjectNumber;
use icpgate_policy::records::{DisplayObservation, ShownNumber};

use super::filing::{Found, stands};
use super::who::{Subjects, Who};
use super::{Question, Sheet};

/// What a scanner saw on the home page.
pub(crate) fn home_page(
    question: &Question<'_>,
    website: &Found,
    subject: &Subjects,
    sheet: &mut Sheet<'_>,
) {
    let set = &question.facts.name;
    let mut seen: Option<&Fact<DisplayObservation>> = None;
    for name in question.candidates() {
        if seen.is_none() {
            seen = set
                .display_observations
                .iter()
                .find(|one| one.value.domain.ascii() == name);
        }
    }
    let Some(seen) = seen else {
        if let Some(why) = question.unknown(set, RecordKind::DisplayObservation) {
            sheet.unknown(why);
        }
        return;
    };
    if seen.value.takedown {
        return sheet.say(Reason::DisplayTakedown);
    }
    let (true, Some(service), Subjects::Known(who)) = (stands(website), &website.service, subject)
    else {
        return;
    };
    let due = seen
        .provenance
        .observed_at
        .saturating_add(question.policy.display_due)
        .ok();
    let numbers = &seen.value.numbers;
    if numbers.is_empty() {
        return sheet.say_due(Reason::DisplayMissing, due);
    }
    let right = numbers.iter().any(|number| match number {
        ShownNumber::Service(number) => *number == service.service_number,
        ShownNumber::Subject(number) => is_right_licence(question, who, *number),
        ShownNumber::Unreadable(_) => false,
    });
    let subject_form = numbers.iter().any(|number| match number {
        ShownNumber::Subject(number) => {
            Some(*number) == who.number && number.as_licence().is_none()
        }
        ShownNumber::Service(_) | ShownNumber::Unreadable(_) => false,
    });
    let subject_form_right = who
        .province
        .is_some_and(|code| question.policy.subject_form_provinces.contains(&code));
    if right || (subject_form && subject_form_right) {
        // One right number is enough.
    } else if subject_form {
        sheet.say_due(Reason::DisplaySubjectForm, due);
    } else {
        sheet.say_due(Reason::DisplayWrongNumber, due);
    }
    if seen.value.linked == Some(false) {
        sheet.say_due(Reason::DisplayNotLinked, due);
    }
}

/// The filing with the public security organs, due some time after going live.
pub(crate) fn public_security(question: &Question<'_>, sheet: &mut Sheet<'_>) {
    let set = &question.facts.name;
    let Some(live) = question.request.profile.site.live_since else {
        return;
    };
    if live > question.now
        || question
            .unknown(set, RecordKind::PublicSecurityFiling)
            .is_some()
    {
        return;
    }
    let candidates = question.candidates();
    let filed = set.public_security_filings.iter().any(|fact| {
        candidates
            .iter()
            .any(|name| name == fact.value.domain.ascii())
    });
    if !filed {
        let due = live
            .saturating_add(question.policy.public_security_due)
            .ok();
        sheet.say_due(Reason::PublicSecurityFilingDue, due);
    }
}

fn is_right_licence(question: &Question<'_>, who: &Who, number: SubjectNumber) -> bool {
    let Some(licence) = number.as_licence() else {
        return false;
    };
    who.number == Some(number)
        || question.facts.name.licences.iter().any(|fact| {
            fact.value.licence_number == licence && who.holds(&fact.value.holder_certificate)
        })
}
