//! The answer: findings, how they combine into a verdict, and for how long it stands.
//!
//! **Invariant:** [`decide`] is total and pure; every rule in force is run, whatever the others
//! find. Texts are made from a decision by `explain`, never here.

use arrayvec::ArrayVec;
use jiff::{SignedDuration, Timestamp};

use crate::codes::{Outcome, Purpose, Reason, RecordKind, Sector, TelecomBusiness, Verdict};
use crate::facts::{Facts, Missing, Revision, Why};
use crate::policy::Policy;
use crate::request::Request;
use crate::rules::{self, RuleId};

/// The answer to one request.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// What each rule found that applies, in the order in which rules are explained; a rule of
    /// the table that has none does not apply.
    pub findings: Vec<Finding>,
    /// The filing that covers the name.
    pub filing: Option<Filing>,
    /// Instant for which the answer was worked out. Deciding anew for this instant gives the
    /// same answer.
    pub decided_at: Timestamp,
    /// No earlier instant changes this answer while facts and policy stay.
    pub valid_until: Timestamp,
    /// Until this instant, excluded, deciding anew for the present gives an equal decision, with the
    /// same `decided_at`; for whoever keeps decisions. The end of the window, or `valid_until` if
    /// findings change earlier.
    pub same_until: Timestamp,
    /// When asking again is worth while.
    pub retry_after: Option<Timestamp>,
    /// Newest write among the facts.
    pub revision: Revision,
}

/// What one rule found.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub rule: RuleId,
    /// What it found.
    pub outcome: Outcome,
    /// Why; `None` on a pass without obligation and where the rule does not apply.
    pub reason: Option<Reason>,
    /// What the wording needs beyond request and evidence.
    pub detail: Detail,
    /// Records that it read.
    pub evidence: EvidenceList,
    /// The finding cannot change before this instant while facts and policy stay.
    pub until: Timestamp,
    /// Until when an obligation is to be met.
    pub due_at: Option<Timestamp>,
}

/// Records that a finding rests on; the most telling ones where there are more.
pub type EvidenceList = ArrayVec<Evidence, 4>;

/// A record among the facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Part of the facts.
    pub set: FactSet,
    /// Kind of the record.
    pub kind: RecordKind,
    /// Place among the records of that kind.
    pub index: u16,
}

/// A part of [`Facts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactSet {
    /// About the name.
    Name,
    /// About the origin.
    Origin,
    /// About the host header.
    HostHeader,
    /// About the applicant.
    Applicant,
}

/// What the wording of a finding needs beyond request and evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    #[default]
    None,
    /// The business that a licence lacks.
    Business(TelecomBusiness),
    /// The sector.
    Sector(Sector),
    /// What could not be found out.
    Unknown(RecordKind, Why),
    /// The claimed number was issued for a year to come.
    YearAhead,
    /// A value that the caller did not declare.
    Undeclared,
    /// The filing names the domain only as a service of another kind.
    OtherKind,
    /// The number is of the right subject, but of another service of it.
    OtherService,
    /// The number is of the right subject, but of a service of another kind.
    OtherServiceKind,
    /// The number is of another subject.
    OtherSubject,
    /// A name that is not well formed.
    Malformed,
    /// The subject is cancelled or suspended, not the service alone.
    WholeSubject,
    /// Nobody was named as applicant.
    NoApplicant,
    /// Matched by name alone.
    NameAlone,
    /// A passport of another number under the same name.
    OtherPassport,
    /// The province accepts fewer roles.
    Narrowed,
}

/// Where the covering filing stands among the facts about the name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Filing {
    /// Place among the services.
    pub service: u16,
    /// Place among the subjects.
    pub subject: u16,
}

/// Something that the customer still owes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Obligation<'a> {
    /// Why.
    pub reason: Reason,
    /// The finding behind it.
    pub finding: &'a Finding,
}

impl Decision {
    /// Distinct reasons of the findings that decided, weightiest first; empty for an allowance.
    #[must_use]
    pub fn reasons(&self) -> Vec<Reason> {
        let deciding = match self.verdict {
            Verdict::Allow => return Vec::new(),
            Verdict::Deny => Outcome::Deny,
            Verdict::Indeterminate => Outcome::Indeterminate,
            Verdict::Review => Outcome::Review,
        };
        let mut reasons: Vec<Reason> = self
            .findings
            .iter()
            .filter(|finding| finding.outcome == deciding)
            .filter_map(|finding| finding.reason)
            .collect();
        reasons.sort_unstable();
        reasons.dedup();
        reasons
    }

    /// What the customer still owes, in the order of the findings.
    pub fn obligations(&self) -> impl Iterator<Item = Obligation<'_>> {
        self.findings
            .iter()
            .filter(|finding| finding.outcome == Outcome::Pass)
            .filter_map(|finding| finding.reason.map(|reason| Obligation { reason, finding }))
    }
}

/// Instants at which findings change, gathered while the clock is read.
///
/// **Invariant:** rules compare with the clock only through [`Horizon::reached`], so that a
/// finding is the same for every instant in `[since, until)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Horizon {
    now: Timestamp,
    pub(crate) since: Timestamp,
    pub(crate) until: Timestamp,
}

impl Horizon {
    pub(crate) const fn new(now: Timestamp) -> Self {
        Self {
            now,
            since: Timestamp::MIN,
            until: Timestamp::MAX,
        }
    }

    /// The clock. Not to be compared with; use [`Horizon::reached`].
    pub(crate) const fn now(&self) -> Timestamp {
        self.now
    }

    /// Whether the clock has reached `instant`.
    pub(crate) fn reached(&mut self, instant: Timestamp) -> bool {
        if self.now >= instant {
            self.since = self.since.max(instant);
            true
        } else {
            self.until = self.until.min(instant);
            false
        }
    }

    /// Takes in what another horizon has gathered.
    pub(crate) fn include(&mut self, other: Self) {
        self.since = self.since.max(other.since);
        self.until = self.until.min(other.until);
    }
}

/// Answers a request from facts. Total: what is malformed becomes a finding.
#[must_use]
pub fn decide(policy: &Policy, request: &Request, facts: &Facts, now: Timestamp) -> Decision {
    let sheet = rules::run(policy, request, facts, now);
    let verdict = sheet
        .weightiest
        .map_or(Verdict::Allow, |outcome| match outcome {
            Outcome::Deny => Verdict::Deny,
            Outcome::Indeterminate => Verdict::Indeterminate,
            Outcome::Review => Verdict::Review,
            Outcome::Pass | Outcome::NotApplicable => Verdict::Allow,
        });
    let (revision, committed_at) = facts.newest();
    // What could not be found out may be found out at any moment: such an answer stands for one
    // short window only.
    let (step, longest) = if sheet.not_answered {
        (
            policy.retry.facts_unavailable,
            policy.retry.facts_unavailable,
        )
    } else {
        (
            policy.validity.step,
            sheet.longest.min(policy.validity.longest),
        )
    };
    let window = window_start(now, step);
    let earliest = window
        .max(sheet.horizon.since)
        .max(committed_at.unwrap_or(Timestamp::MIN));
    let decided_at = earliest.min(now);
    let same_until = if earliest > now {
        // A fact from a clock that is ahead: until then each instant is one of its own.
        now
    } else {
        sheet.horizon.until.min(plus(window, step))
    };
    let valid_until = sheet.horizon.until.min(plus(decided_at, longest));
    let retry_after = retry_after(policy, request, verdict, &sheet, decided_at);
    Decision {
        verdict,
        findings: sheet.findings,
        filing: sheet.filing,
        decided_at,
        valid_until,
        same_until,
        retry_after,
        revision,
    }
}

/// Adds without overflow.
pub(crate) fn plus(instant: Timestamp, duration: SignedDuration) -> Timestamp {
    instant.saturating_add(duration).unwrap_or(instant)
}

/// Whether absence of a record is known, unknown, and until when.
pub(crate) fn absence(missing: Missing, horizon: &mut Horizon) -> Result<(), Why> {
    match missing {
        Missing::Absent { until: None } => Ok(()),
        Missing::Absent { until: Some(until) } => {
            if horizon.reached(until) {
                Err(Why::SyncTooOld)
            } else {
                Ok(())
            }
        }
        Missing::Unknown(why) => Err(why),
    }
}

fn window_start(now: Timestamp, step: SignedDuration) -> Timestamp {
    let step = step.as_secs().max(1);
    let second = now.as_second();
    Timestamp::from_second(second - second.rem_euclid(step)).unwrap_or(now)
}

fn retry_after(
    policy: &Policy,
    request: &Request,
    verdict: Verdict,
    sheet: &rules::Sheet<'_>,
    decided_at: Timestamp,
) -> Option<Timestamp> {
    match verdict {
        Verdict::Indeterminate => {
            // Twice, because `decided_at` may lie one window back.
            let soon = plus(decided_at, policy.retry.facts_unavailable.saturating_mul(2));
            Some(sheet.retry_after.map_or(soon, |at| at.max(soon)))
        }
        Verdict::Deny => {
            let mut wait = None;
            for finding in &sheet.findings {
                if finding.outcome != Outcome::Deny {
                    continue;
                }
                let own = match finding.reason {
                    Some(Reason::FilingNotFound) if request.profile.purpose == Purpose::Recheck => {
                        policy.retry.recheck_confirmation
                    }
                    Some(Reason::FilingNotFound) => policy.retry.filing_not_found,
                    Some(Reason::FilingInProgress) => policy.retry.filing_in_progress,
                    // Something else stands in the way that time does not mend.
                    Some(_) | None => return None,
                };
                wait = wait.max(Some(own));
            }
            wait.map(|wait| plus(decided_at, wait))
        }
        Verdict::Allow | Verdict::Review => None,
    }
}
