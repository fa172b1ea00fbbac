//! The rules: what each is about, when it runs, and how they are run together.
//!
//! Rules of one question form a family with one function; [`RULES`] lists the rules in the order
//! in which they are explained, and `docs/RULES.md` is generated from it.
//!
//! **Invariant:** every family whose rules apply is run, whatever the others find, and a rule
//! compares with the clock through `Sheet::reached` only.

mod access;
mod blocks;
mod case;
mod commercial;
mod coverage;
mod customer;
mod display;
mod filing;
mod form;
mod id;
mod number;
mod origin;
mod registrant;
mod registration;
mod sector;
mod suffix;
mod table;

use jiff::{SignedDuration, Timestamp};

use crate::codes::{Outcome, Product, Purpose, Reason, RecordKind};
use crate::decision::{Detail, Evidence, EvidenceList, Filing, Finding, Horizon};
use crate::facts::{Facts, Missing, Why};
use crate::policy::{Effect, Mode, Policy};
use crate::request::Request;
use case::Case;

use table::Situation;

pub use id::RuleId;
pub use table::{RULES, Rule, Scope};

/// The families, in the order in which they are explained.
const FAMILIES: &[fn(&Case<'_>, &mut Sheet<'_>)] = &[
    form::run,
    customer::run,
    blocks::run,
    filing::run,
    access::run,
    number::run,
    origin::run,
    commercial::run,
    registrant::run,
    registration::run,
    suffix::run,
    sector::run,
    display::run,
];

/// Runs every rule that applies.
pub(crate) fn run<'a>(
    policy: &'a Policy,
    request: &Request,
    facts: &Facts,
    now: Timestamp,
) -> Sheet<'a> {
    let mut sheet = Sheet::new(policy, request, now);
    let case = Case::new(policy, request, facts, &mut sheet.own);
    sheet.filing = case.shown_filing();
    let common = sheet.own;
    sheet.horizon.include(common);
    for family in FAMILIES {
        // What the case rests on bounds every finding.
        sheet.own = common;
        let first = sheet.findings.len();
        family(&case, &mut sheet);
        let until = sheet.own.until;
        for finding in sheet.findings.iter_mut().skip(first) {
            finding.until = until;
        }
        let own = sheet.own;
        sheet.horizon.include(own);
    }
    // A family finds things in the order of its questions; they are explained in that of the table.
    sheet.findings.sort_by_key(|finding| finding.rule);
    sheet
}

/// What the rules have found so far.
pub(crate) struct Sheet<'a> {
    policy: &'a Policy,
    pre_filing: bool,
    /// Rules that are to be run, one bit for each by its place in the table.
    applying: u64,
    /// Findings of rules that apply.
    pub(crate) findings: Vec<Finding>,
    /// Weightiest outcome so far.
    pub(crate) weightiest: Option<Outcome>,
    /// Instants at which any finding changes.
    pub(crate) horizon: Horizon,
    /// Instants at which a finding of the family that runs changes.
    own: Horizon,
    /// Whether some fact could not be found out.
    pub(crate) not_answered: bool,
    /// Longest validity that a finding allows.
    pub(crate) longest: SignedDuration,
    /// When asking again is worth while, as findings that wait for something say.
    pub(crate) retry_after: Option<Timestamp>,
    /// The filing that covers the name.
    pub(crate) filing: Option<Filing>,
}

impl<'a> Sheet<'a> {
    fn new(policy: &'a Policy, request: &Request, now: Timestamp) -> Self {
        let profile = &request.profile;
        let mainland = profile.service_area.includes_mainland();
        let pre_filing = mainland && profile.purpose == Purpose::PreFiling;
        let situation = if !mainland || (profile.product == Product::DnsOnly && !pre_filing) {
            Situation::Everywhere
        } else if pre_filing {
            Situation::PreFiling
        } else {
            Situation::Product(profile.product)
        };
        Self {
            policy,
            pre_filing,
            applying: situation.rules() & policy.running(),
            findings: Vec::with_capacity(32),
            weightiest: None,
            horizon: Horizon::new(now),
            own: Horizon::new(now),
            not_answered: false,
            longest: policy.validity.longest,
            retry_after: None,
            filing: None,
        }
    }

    /// Whether a rule is to be run on this question.
    pub(crate) const fn applies(&self, rule: RuleId) -> bool {
        self.applying & (1 << rule as u8) != 0
    }

    /// Whether the clock has reached `instant`; the only way to compare with it.
    pub(crate) fn reached(&mut self, instant: Timestamp) -> bool {
        self.own.reached(instant)
    }

    /// The clock, for what is stated and not compared.
    pub(crate) fn now(&self) -> Timestamp {
        self.own.now()
    }

    /// Whether absence of a record of this kind is known.
    pub(crate) fn absent(&mut self, missing: Missing) -> Result<(), Why> {
        crate::decision::absence(missing, &mut self.own)
    }

    /// Notes that a rule passed.
    pub(crate) fn pass(&mut self, rule: RuleId, evidence: &[Evidence]) {
        if self.applies(rule) {
            self.push(rule, Outcome::Pass, None, Detail::None, evidence, None);
        }
    }

    /// Notes that a rule found something; the policy tells what it does to the answer.
    pub(crate) fn fire(
        &mut self,
        rule: RuleId,
        reason: Reason,
        detail: Detail,
        evidence: &[Evidence],
    ) {
        self.fire_as(
            rule,
            reason,
            self.policy.effect(reason, self.pre_filing),
            detail,
            evidence,
        );
    }

    /// As [`Sheet::fire`], with an effect that depends on the case.
    pub(crate) fn fire_as(
        &mut self,
        rule: RuleId,
        reason: Reason,
        effect: Effect,
        detail: Detail,
        evidence: &[Evidence],
    ) {
        self.found(rule, reason, effect, detail, evidence, None);
    }

    /// Notes an obligation that is due at an instant.
    pub(crate) fn owe(
        &mut self,
        rule: RuleId,
        reason: Reason,
        due_at: Timestamp,
        evidence: &[Evidence],
    ) {
        let effect = self.policy.effect(reason, self.pre_filing);
        self.found(rule, reason, effect, Detail::None, evidence, Some(due_at));
    }

    /// Notes that a rule lacks a fact that it needs.
    pub(crate) fn unknown(&mut self, rule: RuleId, kind: RecordKind, why: Why) {
        if !self.applies(rule) {
            return;
        }
        let reason = match why {
            Why::Stale => Reason::FactsStale,
            Why::StoreUnavailable | Why::NotComplete | Why::SyncTooOld => Reason::FactsUnavailable,
        };
        self.not_answered = true;
        self.fire_as(
            rule,
            reason,
            Effect::Indeterminate,
            Detail::Unknown(kind, why),
            &[],
        );
    }

    fn found(
        &mut self,
        rule: RuleId,
        reason: Reason,
        effect: Effect,
        detail: Detail,
        evidence: &[Evidence],
        due_at: Option<Timestamp>,
    ) {
        if !self.applies(rule) {
            return;
        }
        let outcome = match effect {
            Effect::Deny => Outcome::Deny,
            Effect::Review => Outcome::Review,
            Effect::Indeterminate => Outcome::Indeterminate,
            Effect::Obligation => Outcome::Pass,
            Effect::Off => return self.push(rule, Outcome::Pass, None, detail, evidence, None),
        };
        let outcome = match (self.policy.mode(rule), outcome) {
            (Mode::Review, Outcome::Deny) => Outcome::Review,
            (Mode::Warn, _) => Outcome::Pass,
            (Mode::Enforce | Mode::Review | Mode::Off, outcome) => outcome,
        };
        self.push(rule, outcome, Some(reason), detail, evidence, due_at);
    }

    fn push(
        &mut self,
        rule: RuleId,
        outcome: Outcome,
        reason: Option<Reason>,
        detail: Detail,
        evidence: &[Evidence],
        due_at: Option<Timestamp>,
    ) {
        self.weightiest = self.weightiest.max(Some(outcome));
        let evidence: EvidenceList = evidence
            .iter()
            .copied()
            .take(EvidenceList::new_const().capacity())
            .collect();
        let until = Timestamp::MAX;
        self.findings.push(Finding {
            rule,
            outcome,
            reason,
            detail,
            evidence,
            until,
            due_at,
        });
    }
}
