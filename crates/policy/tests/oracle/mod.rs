//! A second, naive engine: the rules written out anew from the contract, slowly and plainly, to be
//! compared with the real one.
//!
//! **Never** shares code with `rules`: only records, requests, numbers, certificates and names are
//! the same types. Time is compared directly; nothing is cached, indexed or returned early to save
//! work. Start at [`answer`].

mod access;
mod blocks;
mod claimed;
mod commercial;
mod display;
mod filing;
mod form;
mod origin;
mod registrant;
mod registration;
mod sectors;
mod who;

use std::collections::BTreeSet;

use icpgate_policy::calendar::beijing_day;
use icpgate_policy::codes::{Outcome, Product, Purpose, Reason, RecordKind, ServiceArea, Verdict};
use icpgate_policy::domain_name::HostName;
use icpgate_policy::facts::{Facts, Missing, NameFacts, Why};
use icpgate_policy::policy::{Effect, Policy};
use icpgate_policy::request::Request;
use jiff::Timestamp;
use jiff::civil::Date;

pub(crate) use filing::ShownFiling;

/// What the naive engine says.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    /// The verdict.
    pub verdict: Verdict,
    /// Reasons of the verdict, weightiest first.
    pub reasons: Vec<Reason>,
    /// Every finding with a reason, obligations with their due date.
    pub findings: BTreeSet<Said>,
    /// The filing to show.
    pub filing: Option<ShownFiling>,
    /// Earliest time at which asking again can help.
    pub retry: Retry,
}

/// A finding with a reason.
pub(crate) type Said = (Reason, Outcome, Option<Timestamp>);

/// What is asked of `retry_after`.
#[derive(Debug, PartialEq)]
pub(crate) enum Retry {
    /// There must be none.
    None,
    /// There must be one, not before this instant.
    NotBefore(Timestamp),
}

/// The question with everything that a rule may read.
pub(crate) struct Question<'a> {
    pub policy: &'a Policy,
    pub request: &'a Request,
    pub facts: &'a Facts,
    pub now: Timestamp,
    pub today: Date,
    pub pre_filing: bool,
}

/// Findings as they are gathered.
pub(crate) struct Sheet<'a> {
    policy: &'a Policy,
    pre_filing: bool,
    now: Timestamp,
    said: BTreeSet<Said>,
    retry: Timestamp,
}

impl Sheet<'_> {
    /// A reason at the weight that the policy gives it.
    pub(crate) fn say(&mut self, reason: Reason) {
        self.say_due(reason, None);
    }

    /// The same with a due date, which only an obligation shows.
    pub(crate) fn say_due(&mut self, reason: Reason, due: Option<Timestamp>) {
        self.weigh(reason, self.policy.effect(reason, self.pre_filing), due);
    }

    /// A reason at a weight of its own.
    pub(crate) fn weigh(&mut self, reason: Reason, effect: Effect, due: Option<Timestamp>) {
        let (outcome, due) = match effect {
            Effect::Deny => (Outcome::Deny, None),
            Effect::Review => (Outcome::Review, None),
            Effect::Indeterminate => (Outcome::Indeterminate, None),
            Effect::Obligation => (Outcome::Pass, due),
            Effect::Off => return,
        };
        self.said.insert((reason, outcome, due));
    }

    /// Something could not be found out.
    pub(crate) fn unknown(&mut self, why: Why) {
        match why {
            Why::Stale => self.say(Reason::FactsStale),
            Why::NotComplete | Why::StoreUnavailable | Why::SyncTooOld => {
                self.say(Reason::FactsUnavailable);
            }
        }
    }

    /// No use asking again before this instant.
    pub(crate) fn wait_until(&mut self, instant: Timestamp) {
        self.retry = self.retry.max(instant);
    }
}

impl Question<'_> {
    /// Whether an instant has come.
    pub(crate) fn reached(&self, instant: Timestamp) -> bool {
        self.now >= instant
    }

    /// Why it is not known that there is no further record of a kind; `None` if it is known.
    pub(crate) fn unknown(&self, set: &NameFacts, kind: RecordKind) -> Option<Why> {
        match set.entitlement.missing(kind) {
            Missing::Absent { until: None } => None,
            Missing::Absent { until: Some(until) } => {
                self.reached(until).then_some(Why::SyncTooOld)
            }
            Missing::Unknown(why) => Some(why),
        }
    }

    /// The names at which a record about the name may stand, the name itself first.
    pub(crate) fn candidates(&self) -> Vec<String> {
        self.request
            .host_name()
            .map(|name| name.candidates().map(str::to_owned).collect())
            .unwrap_or_default()
    }
}

/// Answers a question.
pub(crate) fn answer(policy: &Policy, request: &Request, facts: &Facts, now: Timestamp) -> Answer {
    let profile = &request.profile;
    let mainland = profile.service_area != ServiceArea::OutsideMainland;
    let pre_filing = mainland && profile.purpose == Purpose::PreFiling;
    let question = Question {
        policy,
        request,
        facts,
        now,
        today: beijing_day(now),
        pre_filing,
    };
    let mut sheet = Sheet {
        policy,
        pre_filing,
        now,
        said: BTreeSet::new(),
        retry: Timestamp::MIN,
    };
    let mut shown = None;

    form::name(&question, &mut sheet, mainland);
    form::customer_verified(&question, &mut sheet);
    if !mainland || (profile.product == Product::DnsOnly && !pre_filing) {
        // Nothing else is asked.
    } else if pre_filing {
        let applicant = who::applicant(&question);
        blocks::subject(&question, facts.applicant.as_ref(), &applicant, &mut sheet);
        if let Some(name) = request.host_name() {
            pre_filing_rules(&question, &applicant, name, &mut sheet);
        }
    } else {
        form::domain_control(&question, &mut sheet);
        if profile.product == Product::Cdn {
            origin::check(&question, &mut sheet);
        }
        match request.host_name() {
            Some(name) => shown = filing_rules(&question, name, &mut sheet),
            None => {
                claimed::form(&question, &mut sheet);
            }
        }
    }
    conclude(sheet, shown)
}

fn pre_filing_rules(
    question: &Question<'_>,
    applicant: &who::Subjects,
    name: &HostName,
    sheet: &mut Sheet<'_>,
) {
    blocks::domain(question, sheet);
    let website = filing::find(
        question,
        &question.facts.name,
        name,
        filing::Wanted::Website,
    );
    let registration = registration::find(question, website.at.as_deref());
    registrant::check(question, applicant, &registration, sheet);
    registration::real_name(question, &registration, sheet);
    registration::state(question, &registration, sheet);
    registration::registrar(&registration, sheet);
    registration::suffix(question, sheet);
    registration::nature(question, applicant, sheet);
    sectors::approvals(question, applicant, sheet);
    sectors::forum(question, applicant, sheet);
    filing::filed_by_another(question, applicant, sheet);
}

fn filing_rules(
    question: &Question<'_>,
    name: &HostName,
    sheet: &mut Sheet<'_>,
) -> Option<ShownFiling> {
    let product = question.request.profile.product;
    let set = &question.facts.name;
    let website = filing::find(question, set, name, filing::Wanted::Website);
    blocks::domain(question, sheet);
    match product {
        Product::AppBackend => {
            let app = filing::find(question, set, name, filing::Wanted::App);
            filing::report(&app, filing::Wanted::App, sheet);
            let subject = who::of_filing(question, &app);
            blocks::subject(question, Some(set), &subject, sheet);
            claimed::check(question, &app, None, sheet);
            filing::shown(&app)
        }
        Product::MiniProgramBackend => {
            let mini = filing::find(question, set, name, filing::Wanted::MiniProgram);
            filing::report(&mini, filing::Wanted::MiniProgram, sheet);
            filing::report(&website, filing::Wanted::Website, sheet);
            let subject = who::of_filing(question, &mini);
            blocks::subject(question, Some(set), &subject, sheet);
            let subject = who::of_filing(question, &website);
            blocks::subject(question, Some(set), &subject, sheet);
            claimed::check(question, &mini, Some(&website), sheet);
            filing::shown(&mini).or_else(|| filing::shown(&website))
        }
        Product::Cdn | Product::Hosting | Product::ReverseProxy => {
            filing::report(&website, filing::Wanted::Website, sheet);
            website_rules(question, &website, sheet);
            filing::shown(&website)
        }
        Product::DnsOnly => None,
    }
}

fn website_rules(question: &Question<'_>, website: &filing::Found, sheet: &mut Sheet<'_>) {
    let product = question.request.profile.product;
    let subject = who::of_filing(question, website);
    blocks::subject(question, Some(&question.facts.name), &subject, sheet);
    claimed::check(question, website, None, sheet);
    if product == Product::Cdn {
        access::empty_shell(question, website, sheet);
    } else {
        access::link(question, website, sheet);
    }
    commercial::check(question, &subject, sheet);
    let registration = registration::find(question, website.at.as_deref());
    registrant::check(question, &subject, &registration, sheet);
    registration::real_name(question, &registration, sheet);
    registration::state(question, &registration, sheet);
    registration::registrar(&registration, sheet);
    registration::suffix(question, sheet);
    registration::nature(question, &subject, sheet);
    registration::province(&subject, sheet);
    sectors::approvals(question, &subject, sheet);
    sectors::forum(question, &subject, sheet);
    display::home_page(question, website, &subject, sheet);
    display::public_security(question, sheet);
}

fn conclude(sheet: Sheet<'_>, filing: Option<ShownFiling>) -> Answer {
    let has = |outcome| sheet.said.iter().any(|said| said.1 == outcome);
    let (verdict, deciding) = if has(Outcome::Deny) {
        (Verdict::Deny, Some(Outcome::Deny))
    } else if has(Outcome::Indeterminate) {
        (Verdict::Indeterminate, Some(Outcome::Indeterminate))
    } else if has(Outcome::Review) {
        (Verdict::Review, Some(Outcome::Review))
    } else {
        (Verdict::Allow, None)
    };
    let deciding: BTreeSet<Reason> = sheet
        .said
        .iter()
        .filter(|said| Some(said.1) == deciding)
        .map(|said| said.0)
        .collect();
    // The order of declaration is that of weight.
    let reasons: Vec<Reason> = Reason::ALL
        .iter()
        .copied()
        .filter(|reason| deciding.contains(reason))
        .collect();
    let waits =
        |reason: &Reason| matches!(reason, Reason::FilingNotFound | Reason::FilingInProgress);
    let retry = match verdict {
        Verdict::Indeterminate => Retry::NotBefore(sheet.retry.max(sheet.now)),
        Verdict::Deny if reasons.iter().all(waits) => Retry::NotBefore(sheet.now),
        Verdict::Deny | Verdict::Review | Verdict::Allow => Retry::None,
    };
    Answer {
        verdict,
        reasons,
        findings: sheet.said,
        filing,
        retry,
    }
}
