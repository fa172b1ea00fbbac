//! The number that the customer typed, against the record.

use icpgate_policy::codes::{Reason, RecordKind};
use icpgate_policy::numbers::{Mode, Number};

use super::filing::{Found, State, stands, subject_of};
use super::who::is_same;
use super::{Question, Sheet};

/// Form alone; the number where it is a filing or licence number.
pub(crate) fn form(question: &Question<'_>, sheet: &mut Sheet<'_>) -> Option<Number> {
    let text = question.request.profile.claimed_filing_number.as_deref()?;
    match Number::parse(text, Mode::Strict, question.today.year()) {
        Ok(parsed) if parsed.number.subject().is_some() => Some(parsed.number),
        Ok(_) | Err(_) => {
            sheet.say(Reason::FilingNumberInvalid);
            None
        }
    }
}

/// Form, and the number against the service on record. `also`: a second service whose number is
/// right too.
pub(crate) fn check(
    question: &Question<'_>,
    found: &Found,
    also: Option<&Found>,
    sheet: &mut Sheet<'_>,
) {
    let Some(claimed) = form(question, sheet) else {
        return;
    };
    let Some(record) = on_record(found) else {
        return;
    };
    let right = |found: &Found| {
        on_record(found).is_some_and(|service| claimed.service() == Some(service.service_number))
    };
    if right(found) || also.is_some_and(right) {
        return;
    }
    let own = record.service_number.subject();
    let same_subject = claimed.subject() == Some(own);
    match claimed.service() {
        Some(service) if same_subject => {
            if service.letter() == record.service_number.letter() {
                sheet.say(Reason::FilingNumberForm);
            } else {
                sheet.say(Reason::FilingNumberMismatch);
            }
        }
        Some(_) => sheet.say(Reason::FilingNumberMismatch),
        None if same_subject => sheet.say(Reason::FilingNumberForm),
        None => match claimed.licence() {
            None => sheet.say(Reason::FilingNumberMismatch),
            Some(licence) => {
                let set = &question.facts.name;
                let subject = subject_of(set, record);
                let held = set.licences.iter().map(|fact| &fact.value).any(|one| {
                    one.licence_number == licence
                        && subject.is_some_and(|subject| {
                            is_same(&subject.certificate, &one.holder_certificate)
                        })
                });
                if held {
                    sheet.say(Reason::FilingNumberForm);
                } else if let Some(why) = question.unknown(set, RecordKind::Licence) {
                    sheet.unknown(why);
                } else {
                    sheet.say(Reason::FilingNumberMismatch);
                }
            }
        },
    }
}

/// The service whose number is on record: one in force, suspended or cancelled.
fn on_record(found: &Found) -> Option<&icpgate_policy::records::Service> {
    if stands(found) || found.state == State::Cancelled {
        found.service.as_ref()
    } else {
        None
    }
}
