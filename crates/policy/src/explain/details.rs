//! What the wording of a finding tells of the case, in no language yet.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use super::{Explained, Language};
use crate::calendar;
use crate::codes::{BlockList, PersonRole, RecordKind, Sector, SubjectNature, TelecomBusiness};
use crate::decision::{Detail, Evidence, FactSet, Finding};
use crate::domain_name::{self, Host, HostError};
use crate::facts::{Fact, Facts, NameFacts, Why};
use crate::numbers::{NumberError, Province};
use crate::records::{Approval, Licence, Registration, Service, Subject};
use crate::request::Applicant;

/// A part of the facts; `None` where the question has none.
pub(super) fn set(facts: &Facts, set: FactSet) -> Option<&NameFacts> {
    match set {
        FactSet::Name => Some(&facts.name),
        FactSet::Origin => facts.origin.as_deref(),
        FactSet::HostHeader => facts.host_header.as_deref(),
        FactSet::Applicant => facts.applicant.as_deref(),
    }
}

/// The last day, in Beijing, of what ends at an instant.
pub(super) fn last_day(end: Timestamp) -> Date {
    let last = end
        .saturating_sub(SignedDuration::from_nanos(1))
        .unwrap_or(end);
    calendar::beijing_day(last)
}

/// The list on which a block stands.
pub(super) fn block_list(ctx: &Explained<'_>, finding: &Finding) -> Option<BlockList> {
    of(ctx, finding, RecordKind::Block, |set| &set.blocks).map(|block| block.list)
}

/// The licence that a finding is about.
pub(super) fn licence<'a>(ctx: &Explained<'a>, finding: &Finding) -> Option<&'a Licence> {
    of(ctx, finding, RecordKind::Licence, |set| &set.licences)
}

/// The approval that a finding is about.
pub(super) fn approval<'a>(ctx: &Explained<'a>, finding: &Finding) -> Option<&'a Approval> {
    of(ctx, finding, RecordKind::Approval, |set| &set.approvals)
}

/// The registration that a finding is about.
pub(super) fn registration<'a>(ctx: &Explained<'a>, finding: &Finding) -> Option<&'a Registration> {
    let kind = RecordKind::Registration;
    of(ctx, finding, kind, |set| &set.registrations)
}

/// Whether a finding rests on a registration that is there.
pub(super) fn rests_on_registration(finding: &Finding) -> bool {
    finding
        .evidence
        .iter()
        .any(|evidence| evidence.kind == RecordKind::Registration)
}

/// The subject that a finding is about.
pub(super) fn subject<'a>(ctx: &Explained<'a>, finding: &Finding) -> Option<&'a Subject> {
    of(ctx, finding, RecordKind::Subject, |set| &set.subjects)
}

/// The service that a finding is about.
pub(super) fn service<'a>(ctx: &Explained<'a>, finding: &Finding) -> Option<&'a Service> {
    of(ctx, finding, RecordKind::Service, |set| &set.services)
}

/// The number that the site's home page is to show: that of the service, or of the subject in a
/// province where that is the custom.
pub(super) fn number_to_show(ctx: &Explained<'_>) -> Option<String> {
    let filing = ctx.decision.filing?;
    let number = ctx
        .facts
        .name
        .services
        .get(usize::from(filing.service))?
        .value
        .service_number;
    let subject = number.subject();
    let customary = subject
        .province()
        .is_some_and(|province| ctx.policy.subject_form_provinces.contains(&province.code()));
    Some(if customary {
        subject.as_str().to_owned()
    } else {
        number.as_str().to_owned()
    })
}

/// Which name of the request a finding is about.
pub(super) fn part(finding: &Finding) -> FactSet {
    finding
        .evidence
        .first()
        .map_or(FactSet::Name, |evidence| evidence.set)
}

/// The name of the request that a finding is about, as parsed.
pub(super) fn host<'a>(
    ctx: &Explained<'a>,
    finding: &Finding,
) -> Option<&'a Result<Host, HostError>> {
    match part(finding) {
        FactSet::Name | FactSet::Applicant => Some(&ctx.request.host),
        FactSet::Origin => ctx.request.origin.as_ref(),
        FactSet::HostHeader => ctx.request.host_header.as_ref(),
    }
}

/// The last label of the name, in U-labels.
pub(super) fn top_level_domain(ctx: &Explained<'_>) -> String {
    let name = ctx.request.host_name().map_or("", |name| name.unicode());
    name.rsplit('.').next().unwrap_or_default().to_owned()
}

/// Why the claimed number is none, with the number that was perhaps meant apart.
pub(super) fn claimed_error(ctx: &Explained<'_>) -> Option<(NumberError, Option<String>)> {
    let error = match &ctx.request.claimed {
        Some(Err(error)) => error.clone(),
        Some(Ok(_)) | None => return None,
    };
    let suggestion = error.suggestion.clone();
    let bare = NumberError {
        suggestion: None,
        ..error
    };
    Some((bare, suggestion))
}

/// The business that a finding is about.
pub(super) fn business(finding: &Finding) -> Option<TelecomBusiness> {
    if let Detail::Business(business) = finding.detail {
        Some(business)
    } else {
        None
    }
}

/// The sector that a finding is about.
pub(super) fn sector(ctx: &Explained<'_>, finding: &Finding) -> Option<Sector> {
    if let Detail::Sector(sector) = finding.detail {
        Some(sector)
    } else {
        approval(ctx, finding).map(|approval| approval.sector)
    }
}

/// The province whose bureau a filing goes to.
pub(super) fn province(ctx: &Explained<'_>, finding: &Finding) -> Option<Province> {
    if let Some(subject) = subject(ctx, finding) {
        return subject.subject_number.province();
    }
    match &ctx.request.profile.applicant {
        Some(Applicant::New(applicant)) if ctx.pre_filing() => applicant.province,
        Some(Applicant::New(_) | Applicant::Existing(_)) | None => None,
    }
}

/// The nature of whoever files.
pub(super) fn nature(ctx: &Explained<'_>, finding: &Finding) -> Option<SubjectNature> {
    if let Some(subject) = subject(ctx, finding) {
        return Some(subject.nature);
    }
    match &ctx.request.profile.applicant {
        Some(Applicant::New(applicant)) if ctx.pre_filing() => Some(applicant.nature),
        Some(Applicant::New(_) | Applicant::Existing(_)) | None => None,
    }
}

/// Roles that the province of a finding accepts.
pub(super) fn narrowed<'a>(
    ctx: &Explained<'a>,
    finding: &Finding,
) -> Option<&'a BTreeSet<PersonRole>> {
    let code = province(ctx, finding)?.code();
    ctx.policy.province_roles.get(&code)
}

/// The statuses that keep a domain from serving, in the spelling of the EPP registry.
pub(super) fn blocking_statuses(ctx: &Explained<'_>, finding: &Finding) -> Vec<String> {
    const SPELLING: [&str; 7] = [
        "clientHold",
        "inactive",
        "pendingDelete",
        "pendingRestore",
        "redemptionPeriod",
        "serverHold",
        "pendingVerification",
    ];
    let Some(registration) = registration(ctx, finding) else {
        return Vec::new();
    };
    registration
        .statuses
        .iter()
        .filter(|status| ctx.policy.blocking_statuses.contains(*status))
        .map(|status| {
            let known = SPELLING
                .iter()
                .find(|known| known.eq_ignore_ascii_case(status));
            known.map_or_else(|| status.to_string(), |known| (*known).to_owned())
        })
        .collect()
}

/// Suffixes under which a body of this nature may file, in U-labels; of script twins the
/// simplified one.
pub(super) fn suffixes_for(ctx: &Explained<'_>, nature: SubjectNature) -> Vec<String> {
    let Some(suffixes) = ctx.policy.nature_suffixes.get(&nature) else {
        return Vec::new();
    };
    suffixes
        .iter()
        .filter(|suffix| {
            // A suffix below another one of the list, or its script twin, says nothing new.
            let fold = domain_name::fold(suffix);
            let below = suffixes
                .iter()
                .any(|other| other != *suffix && domain_name::is_under(suffix, other));
            !below && (*fold == ***suffix || !suffixes.contains(&*fold))
        })
        .map(|suffix| format!(".{}", idna::domain_to_unicode(suffix).0))
        .collect()
}

/// The kind of records that an operator can bring in so that the finding goes away.
pub(super) fn to_bring_in(finding: &Finding) -> Option<RecordKind> {
    if let Detail::Unknown(kind, Why::NotComplete | Why::SyncTooOld) = finding.detail {
        Some(kind)
    } else {
        None
    }
}

/// A duration in its greatest whole unit.
pub(super) fn span(duration: SignedDuration, language: Language) -> String {
    let seconds = duration.as_secs();
    let units = [
        (86_400, "day", "天"),
        (3_600, "hour", "小时"),
        (60, "minute", "分钟"),
        (1, "second", "秒"),
    ];
    let (length, english, chinese) = units
        .into_iter()
        .find(|(length, ..)| seconds >= *length && seconds % length == 0)
        .unwrap_or((1, "second", "秒"));
    let number = seconds / length;
    match language {
        Language::English if number == 1 => format!("1 {english}"),
        Language::English => format!("{number} {english}s"),
        Language::Chinese => format!("{number} {chinese}"),
    }
}

/// Hundredths of a percent as a percentage.
pub(super) fn percent(basis_points: u16) -> String {
    let (whole, rest) = (basis_points / 100, basis_points % 100);
    if rest == 0 {
        whole.to_string()
    } else {
        format!("{whole}.{rest:02}")
            .trim_end_matches('0')
            .to_owned()
    }
}

fn of<'a, T>(
    ctx: &Explained<'a>,
    finding: &Finding,
    kind: RecordKind,
    records: impl Fn(&'a NameFacts) -> &'a [Fact<T>],
) -> Option<&'a T> {
    let evidence: &Evidence = finding
        .evidence
        .iter()
        .find(|evidence| evidence.kind == kind)?;
    let set = set(ctx.facts, evidence.set)?;
    records(set)
        .get(usize::from(evidence.index))
        .map(|fact| &fact.value)
}
