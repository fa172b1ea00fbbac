//! Origin and host header of a CDN.

use std::sync::Arc;

use icpgate_policy::codes::Reason;
use icpgate_policy::domain_name::{Host, HostError, HostName};
use icpgate_policy::facts::NameFacts;

use super::filing::{State, Wanted, find};
use super::{Question, Sheet};

/// Both names.
pub(crate) fn check(question: &Question<'_>, sheet: &mut Sheet<'_>) {
    let request = question.request;
    let in_mainland = request
        .profile
        .origin_in_mainland
        .unwrap_or(question.policy.undeclared_origin_in_mainland);
    if in_mainland {
        one(
            question,
            request.origin.as_ref(),
            question.facts.origin.as_ref(),
            Reason::OriginNotFiled,
            sheet,
        );
    }
    one(
        question,
        request.host_header.as_ref(),
        question.facts.host_header.as_ref(),
        Reason::HostHeaderNotFiled,
        sheet,
    );
}

fn one(
    question: &Question<'_>,
    host: Option<&Result<Host, HostError>>,
    set: Option<&Arc<NameFacts>>,
    reason: Reason,
    sheet: &mut Sheet<'_>,
) {
    let name = match host {
        None | Some(Ok(Host::Ip(_))) => return,
        Some(Err(_)) => return sheet.say(Reason::DomainInvalid),
        Some(Ok(Host::Name(name))) => name,
    };
    if question.request.host_name().map(HostName::registrable) == Some(name.registrable()) {
        return;
    }
    let set = set.expect("facts are read for every name that needs a check of its own");
    match find(question, set, name, Wanted::Website).state {
        State::Filed => {}
        State::Unknown(why) => sheet.unknown(why),
        State::Restricted
        | State::Suspended
        | State::InProgress
        | State::Cancelled
        | State::OtherKind
        | State::VariantOnly
        | State::NotFound => sheet.say(reason),
    }
}
