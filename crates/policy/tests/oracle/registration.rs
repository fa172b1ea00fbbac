//! The registration of the domain, its suffix and its registrar.

use icpgate_policy::calendar::{beijing_day, end_of, start_of};
use icpgate_policy::codes::{RealName, Reason, RecordKind};
use icpgate_policy::domain_name::{HostName, is_under};
use icpgate_policy::facts::Why;
use icpgate_policy::records::Registration;

use super::who::Subjects;
use super::{Question, Sheet};

/// The registration that a question is about.
pub(crate) enum Registered<'a> {
    Known(&'a Registration),
    Absent,
    Unknown(Why),
}

/// The registration of the filed name if there is one, else of the registrable name.
pub(crate) fn find<'a>(question: &'a Question<'_>, filed_at: Option<&str>) -> Registered<'a> {
    let set = &question.facts.name;
    let of = |wanted: &str| {
        set.registrations
            .iter()
            .map(|fact| &fact.value)
            .find(|one| one.domain.ascii() == wanted)
    };
    let registrable = question.request.host_name().map(HostName::registrable);
    let record = filed_at.and_then(of).or_else(|| registrable.and_then(of));
    match (record, question.unknown(set, RecordKind::Registration)) {
        (Some(record), _) => Registered::Known(record),
        (None, Some(why)) => Registered::Unknown(why),
        (None, None) => Registered::Absent,
    }
}

/// Whether the registrant's real name is verified and known to the authority.
pub(crate) fn real_name(
    question: &Question<'_>,
    registered: &Registered<'_>,
    sheet: &mut Sheet<'_>,
) {
    let registration = match registered {
        Registered::Known(registration) => registration,
        Registered::Absent => return,
        Registered::Unknown(why) => return sheet.unknown(*why),
    };
    match registration.real_name {
        None => {}
        Some(RealName::Unverified) => sheet.say(Reason::RealNameUnverified),
        Some(RealName::Verified) => {
            let calendar = &question.policy.calendar;
            let syncing = match registration.in_authority_library {
                Some(true) => false,
                Some(false) => true,
                None => registration.real_name_verified_at.is_some_and(|verified| {
                    let mut day = beijing_day(verified);
                    for _ in 0..question.policy.library_sync_working_days {
                        day = calendar.next_working_day(day);
                    }
                    question.now < end_of(day)
                }),
            };
            if syncing {
                sheet.say(Reason::RealNameSyncing);
                sheet.wait_until(start_of(calendar.next_working_day(question.today)));
            }
        }
    }
}

/// Whether the domain can serve.
pub(crate) fn state(question: &Question<'_>, registered: &Registered<'_>, sheet: &mut Sheet<'_>) {
    let registration = match registered {
        Registered::Known(registration) => registration,
        Registered::Absent => return,
        Registered::Unknown(why) => return sheet.unknown(*why),
    };
    let blocking = |status: &str| {
        question
            .policy
            .blocking_statuses
            .iter()
            .any(|one| one.eq_ignore_ascii_case(status))
    };
    if registration.statuses.iter().any(|status| blocking(status)) {
        sheet.say(Reason::DomainNotActive);
    }
    if registration
        .expires_at
        .is_some_and(|end| question.reached(end))
    {
        sheet.say(Reason::DomainExpired);
    }
}

/// Whether the registrar is approved.
pub(crate) fn registrar(registered: &Registered<'_>, sheet: &mut Sheet<'_>) {
    if let Registered::Known(registration) = registered
        && registration.registrar_approved == Some(false)
    {
        sheet.say(Reason::RegistrarNotApproved);
    }
}

/// Whether the top-level domain is approved.
pub(crate) fn suffix(question: &Question<'_>, sheet: &mut Sheet<'_>) {
    let Some(name) = question.request.host_name() else {
        return;
    };
    let top = name.ascii().rsplit('.').next().unwrap_or_default();
    if !question
        .policy
        .approved_tlds
        .iter()
        .any(|approved| **approved == *top)
    {
        sheet.say(Reason::TldNotApproved);
    }
}

/// Whether the suffix is one for the nature of the subject.
pub(crate) fn nature(question: &Question<'_>, subject: &Subjects, sheet: &mut Sheet<'_>) {
    let Some(name) = question.request.host_name() else {
        return;
    };
    let who = match subject {
        Subjects::Known(who) => who,
        Subjects::Nobody => return,
        Subjects::Unknown(why) => return sheet.unknown(*why),
    };
    if let Some(suffixes) = question.policy.nature_suffixes.get(&who.nature)
        && !suffixes.iter().any(|suffix| is_under(name.ascii(), suffix))
    {
        sheet.say(Reason::SuffixNotForNature);
    }
}

/// Whether number and credit code of an organisation are of one province.
pub(crate) fn province(subject: &Subjects, sheet: &mut Sheet<'_>) {
    if let Subjects::Known(who) = subject
        && who.organisation()
        && let (Some(of_number), Some(of_code)) = (
            who.province,
            who.certificate
                .as_ref()
                .and_then(|certificate| certificate.province),
        )
        && of_number != of_code
    {
        sheet.say(Reason::ProvinceMismatch);
    }
}
