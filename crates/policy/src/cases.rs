//! Case files: what a policy is expected to answer, written so that a compliance officer can read
//! and write them, and their runner.
//!
//! A file is TOML. `[[case]]` tables hold a name (a sentence), the moment, the question, the
//! records of the registry and the expected answer, all under the names of the public interface.
//! `[given]` holds what the cases of one file share; a case changes a shared question field by
//! field, and a shared record of the same key field by field.
//!
//! ```toml
//! [[case]]
//! name = "a site taken down for its display is denied until the mend is confirmed"
//! now = 2026-11-22T10:00:00+08:00
//! question = { domain = "www.example.cn", product = "CDN", area = "MAINLAND" }
//! service = [{ service_number = "京ICP备2026000001号-1", domains = ["example.cn"] }]
//! display_observation = [{ domain = "www.example.cn", takedown = true }]
//! unknown = ["subject", "registration"]
//! expect = { verdict = "DENY", reasons = ["DISPLAY_TAKEDOWN"], silent = ["R39 DISPLAY_MISSING"] }
//! ```
//!
//! Further keys of a case: `without` (kinds of shared records to leave out), `unknown` (kinds for
//! which the registry is not complete), `complete_until`, `store_down`, `stale`. Further keys of
//! `expect`: `obligations`, `findings`, `valid_until`, `retry_after`.
//!
//! **Invariant:** nothing here reads a file or a clock; names and certificate numbers of a file
//! are sealed while it is read, so that cases are compared as records of the registry are.
//! **Never** use real people or companies in a file: names and certificates are invented.
//! Start at [`parse`] and [`run`].

mod expect;
mod fields;
mod question;
mod read;
mod records;
mod run;

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::calendar::DayError;
use crate::codes::{Outcome, Reason, RecordKind, Verdict};
use crate::decision::Decision;
use crate::domain_name::HostError;
use crate::identity::{CertificateError, NameError};
use crate::numbers::NumberError;
use crate::policy::Policy;
use crate::records::Record;
use crate::request::Profile;
use crate::rules::RuleId;

/// Key under which names and certificates of case files are sealed. Not a secret: case files hold
/// invented values only.
pub const KEY: &[u8] = b"case files hold invented values only";

/// Stands for this provider in access and application records, whatever it is called in the
/// policy that is tested.
pub const THIS_PROVIDER: &str = "self";

/// A case file.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseFile {
    /// The cases, in the order of the file.
    pub cases: Vec<Case>,
}

/// One expected answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// What is shown, as a sentence.
    pub name: String,
    /// The moment at which the question is asked.
    pub now: Timestamp,
    /// The question.
    pub question: Profile,
    /// What is known.
    pub given: Given,
    /// The answer.
    pub expect: Expectation,
}

/// What is known when a question is asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Given {
    /// The registry.
    pub records: Vec<GivenRecord>,
    /// Kinds of records for which the registry is not complete.
    pub unknown: BTreeSet<RecordKind>,
    /// First instant at which the last sync is too old to say that a record is missing; `None`:
    /// never.
    pub complete_until: Option<Timestamp>,
    /// Whether the store answers.
    pub store: StoreState,
}

/// A record of the registry of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct GivenRecord {
    /// The record.
    pub record: Record,
    /// When its source observed it; `None`: at the moment of the question.
    pub observed_at: Option<Timestamp>,
}

/// Whether the store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreState {
    /// It answers.
    Answers,
    /// It does not answer, and nothing is held.
    Down,
    /// It does not answer, and what is held is older than the purpose allows.
    Stale,
}

/// The expected answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// The verdict.
    pub verdict: Verdict,
    /// All reasons, in any order.
    pub reasons: BTreeSet<Reason>,
    /// All obligations, in any order.
    pub obligations: Vec<ExpectedObligation>,
    /// Findings that must be among those of the answer.
    pub findings: Vec<ExpectedFinding>,
    /// Reasons that certain rules must not find: those that the case only just misses.
    pub silent: Vec<Silent>,
    /// Until when the answer stands; `None`: not compared.
    pub valid_until: Option<Timestamp>,
    /// When asking again is worth while; `None`: not compared.
    pub retry_after: Option<ExpectedRetry>,
}

/// An obligation that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedObligation {
    /// Why.
    pub reason: Reason,
    /// When it is due; `None`: not compared.
    pub due: Option<Timestamp>,
}

/// A finding that is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedFinding {
    /// The rule.
    pub rule: RuleId,
    /// What it finds; a rule without a finding does not apply.
    pub outcome: Outcome,
    /// Why; `None`: without a reason.
    pub reason: Option<Reason>,
}

/// A reason that a rule must not find. Written `R12 ACCESS_LINK_GRACE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Silent {
    /// The rule.
    pub rule: RuleId,
    /// The reason, one that the rule can find.
    pub reason: Reason,
}

/// What is expected of the moment for asking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExpectedRetry {
    /// There is none.
    Never,
    /// There is one.
    Some,
    /// It is this one.
    At(Timestamp),
}

/// What came of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct CaseResult {
    /// The name of the case.
    pub name: String,
    /// What differs from the expected answer; empty where nothing does.
    pub failures: Vec<Failure>,
    /// The answer.
    pub decision: Decision,
}

impl CaseResult {
    /// Whether the answer is the expected one.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

/// How an answer differs from the expected one. Wording: [`crate::explain::cases`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Another verdict.
    Verdict {
        /// As the case has it.
        expected: Verdict,
        /// As the policy answers.
        found: Verdict,
    },
    /// A reason is expected and missing.
    ReasonMissing(Reason),
    /// A reason is there that is not expected.
    ReasonUnexpected(Reason),
    /// An obligation is expected and missing.
    ObligationMissing(Reason),
    /// An obligation is there that is not expected.
    ObligationUnexpected(Reason),
    /// An obligation is due at another moment.
    ObligationDue {
        /// The obligation.
        reason: Reason,
        /// As the case has it.
        expected: Timestamp,
        /// As the policy answers; `None`: without a due date.
        found: Option<Timestamp>,
    },
    /// A finding is expected and missing.
    Finding {
        /// As the case has it.
        expected: ExpectedFinding,
        /// What the rule found instead.
        found: Vec<(Outcome, Option<Reason>)>,
    },
    /// A rule finds what it must not find.
    NotSilent(Silent),
    /// The answer stands until another moment.
    ValidUntil {
        /// As the case has it.
        expected: Timestamp,
        /// As the policy answers.
        found: Timestamp,
    },
    /// Another moment for asking again.
    RetryAfter {
        /// As the case has it.
        expected: ExpectedRetry,
        /// As the policy answers.
        found: Option<Timestamp>,
    },
    /// The answer breaks a promise that every answer gives; a fault of the program, not of the
    /// policy.
    Broken(Promise),
}

/// What every answer promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Promise {
    /// Answering anew for the moment of the answer gives the same answer.
    Repeatable,
    /// Verdict, reasons and obligations stay until the answer ends.
    Lasting,
    /// It was worked out for no later moment than the question and ends after it, within 24
    /// hours.
    Window,
    /// Asking again is always worth while where facts are missing, later than the question, and
    /// never where the answer is an allowance.
    Retry,
}

/// What is wrong at one place of a case file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {problem:?}")]
pub struct CaseError {
    /// Name of the case; `None` for what the cases share.
    pub case: Option<String>,
    /// Path of the value, such as `case[3].subject[0].certificate.number`.
    pub path: String,
    /// What is wrong.
    pub problem: CaseProblem,
}

/// What is wrong with a value of a case file. Wording: [`crate::explain::cases`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseProblem {
    /// Not TOML; what the parser says, with line and column.
    Syntax(String),
    /// A key that means nothing here.
    UnknownKey {
        /// The key that was perhaps meant.
        nearest: Option<String>,
    },
    /// A value is missing.
    Missing,
    /// A value of another type.
    WrongType(Expected),
    /// Not one of the allowed codes.
    NotAllowed {
        /// The allowed ones.
        allowed: Vec<&'static str>,
    },
    /// Not a rule and a reason that it can find.
    NotOfRule,
    /// Not an instant with an offset.
    Instant,
    /// Not a day.
    Day(DayError),
    /// Not a number of the kind.
    Number(Box<NumberError>),
    /// Not a certificate number of the kind.
    Certificate(CertificateError),
    /// Not a name.
    Name(NameError),
    /// Not a domain.
    Domain(HostError),
    /// Not the GB/T 2260 code of a province.
    Province,
    /// Not a share in percent.
    Share,
    /// A service number of another subject.
    OtherSubject,
    /// A service number whose letter is not that of its kind.
    OtherKind,
    /// Neither or both of two values of which one is needed.
    OneOf(&'static str, &'static str),
    /// Two cases of one name.
    RepeatedName,
    /// No case at all.
    NoCases,
}

/// Types of values in a case file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Text.
    Text,
    /// `true` or `false`.
    Flag,
    /// A table.
    Table,
    /// A list.
    List,
    /// A list of tables.
    Tables,
    /// `true`, `false` or an instant.
    FlagOrInstant,
}

/// Reads a case file.
///
/// # Errors
///
/// Everything that is wrong with it, in the order of the file.
pub fn parse(text: &str) -> Result<CaseFile, Vec<CaseError>> {
    read::file(text)
}

/// Runs the cases of a file under a policy.
#[must_use]
pub fn run(policy: &Policy, file: &CaseFile) -> Vec<CaseResult> {
    file.cases
        .iter()
        .map(|case| run::case(policy, case))
        .collect()
}
