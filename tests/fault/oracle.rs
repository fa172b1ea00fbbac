//! What a right answer is, worked out from the committed log alone: the records that held at a
//! revision, found without an index and without a cache, decided by the core.
//!
//! **The bound.** An answer is right if it is the answer of some revision between the newest that
//! was known to be committed when the question was asked, less the bound, and the newest that may
//! have been committed when the answer came. The bound is `cache.max_lag` for an answer that is
//! not said to be stale, `cache.max_stale` (or `cache.max_stale_recheck`) for one that is, and
//! nothing for an activation and for `fully_consistent`. What a replica wrote itself it knows.
//! Start at [`Oracle::judge`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use icpgate::intake::{Intake, parse_token};
use icpgate::proto::convert::Coded;
use icpgate::proto::v1;
use icpgate::proto::v1::check_provisioning_request::Consistency;
use icpgate::store::Store;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::decision::decide;
use icpgate_policy::facts::{Entitlement, Fact, Facts, NameFacts, Revision};
use icpgate_policy::policy::{Policy, shipped};
use icpgate_policy::records::{Handle, Record};
use icpgate_policy::request::Request;
use jiff::Timestamp;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// The committed log of a run, and what is known of when each revision came.
pub(crate) struct Oracle {
    intake: Arc<Intake>,
    policy: Policy,
    /// Every version of every record, oldest first.
    histories: Vec<Vec<Fact<Record>>>,
    /// By revision: the earliest and the latest instant at which it can have been committed.
    committed: BTreeMap<u64, (Timestamp, Timestamp)>,
    bounds: Bounds,
}

/// How old the facts behind an answer may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) lag: Duration,
    pub(crate) stale: Duration,
    pub(crate) recheck: Duration,
}

/// A question with what became of it.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Which replica.
    pub(crate) replica: usize,
    pub(crate) question: v1::CheckProvisioningRequest,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
    pub(crate) answer: Result<v1::Decision, Status>,
}

/// A write with what became of it.
#[derive(Debug)]
pub(crate) struct Put {
    /// Through which replica.
    pub(crate) replica: usize,
    pub(crate) records: Vec<v1::Record>,
    pub(crate) to: Timestamp,
    pub(crate) answer: Result<String, Status>,
}

/// What of an answer the records decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    verdict: v1::Verdict,
    reasons: Vec<v1::Reason>,
    obligations: Vec<v1::Reason>,
    service: String,
}

/// What a right answer was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Right {
    /// A verdict on facts that are current.
    Current,
    /// A verdict on facts that are said to be stale.
    Stale,
    /// The facts could not be had.
    Indeterminate,
    /// Told to come back.
    Unavailable,
}

impl Told {
    /// Whether no filing was found.
    pub(crate) fn is_unfiled(&self) -> bool {
        self.reasons.contains(&v1::Reason::FilingNotFound)
    }
}

impl Oracle {
    /// Reads the log; `puts` are all writes that were tried.
    pub(crate) async fn read(
        store: &dyn Store,
        intake: Arc<Intake>,
        puts: &[Put],
        bounds: Bounds,
    ) -> Self {
        let mut keys = BTreeSet::new();
        for put in puts {
            for record in &put.records {
                let record = intake.record(record.clone(), put.to).unwrap().record;
                keys.insert((record.kind(), record.key()));
            }
        }
        let mut histories = Vec::new();
        for (kind, key) in keys {
            histories.push(store.history(kind, &key).await.unwrap());
        }
        let committed = committed(&histories, puts);
        let policy = Policy::compile(shipped("mainland-strict").unwrap(), "self").unwrap();
        Self {
            intake,
            policy,
            histories,
            committed,
            bounds,
        }
    }

    /// Revisions that changed one of the records, oldest first.
    pub(crate) fn revisions(&self) -> impl Iterator<Item = Revision> {
        self.committed.keys().copied().map(Revision)
    }

    /// Whether every record is there at a revision.
    pub(crate) fn is_begun(&self, at: Revision) -> bool {
        let mut histories = self.histories.iter();
        histories.all(|history| holding(history, at).is_some())
    }

    pub(crate) fn head(&self) -> Revision {
        Revision(self.committed.keys().next_back().copied().unwrap_or(0))
    }

    /// Holds the writes that were acknowledged against the log: each is there, whole, under its
    /// revision or, where it changed nothing, before it.
    pub(crate) fn judge_puts(&self, puts: &[Put]) -> Vec<String> {
        let mut wrong = Vec::new();
        for put in puts {
            let revision = match &put.answer {
                Ok(token) => parse_token(token).unwrap(),
                Err(status) if comes_back(status) => continue,
                Err(status) => {
                    wrong.push(format!("a write ended with {status:?}"));
                    continue;
                }
            };
            for record in &put.records {
                let record = self.intake.record(record.clone(), put.to).unwrap().record;
                let held = self.held(record.kind(), &record.key(), revision);
                if held != Some(&record) {
                    wrong.push(format!("{revision:?} does not hold {}", record.shown_key()));
                }
            }
        }
        wrong
    }

    /// Says what an answer was, or what is wrong with it.
    pub(crate) fn judge(&self, asked: &Asked, puts: &[Put]) -> Result<Right, String> {
        let decision = match &asked.answer {
            Ok(decision) => decision,
            Err(status) if comes_back(status) => return Ok(Right::Unavailable),
            Err(status) => return Err(format!("{asked:?}: {status:?}")),
        };
        let wrong = |what: &str| Err(format!("{what}: {asked:#?}"));
        let verdict = decision.verdict();
        if verdict == v1::Verdict::Indeterminate {
            let reasons = [v1::Reason::FactsUnavailable, v1::Reason::FactsStale];
            return match instant(decision.retry_after) {
                Some(at) if at < asked.from => wrong("the time to come back is past"),
                None => wrong("no time to come back"),
                Some(_) if decision.reasons().any(|reason| !reasons.contains(&reason)) => {
                    wrong("not for want of facts")
                }
                Some(_) => Ok(Right::Indeterminate),
            };
        }
        let purpose = asked.question.purpose();
        let newest = matches!(
            asked.question.consistency,
            Some(Consistency::FullyConsistent(true))
        ) || purpose == v1::Purpose::Activation;
        if decision.stale && newest {
            return wrong("stale");
        }
        let bound = match (decision.stale, purpose) {
            _ if newest => Duration::ZERO,
            (true, v1::Purpose::Recheck) => self.bounds.recheck,
            (true, _) => self.bounds.stale,
            (false, _) => self.bounds.lag,
        };
        let Some(valid_until) = instant(decision.valid_until) else {
            return wrong("valid for ever");
        };
        if valid_until < asked.from || decision.stale && valid_until > asked.to + bound {
            return wrong("valid for the wrong time");
        }
        let candidates = self.candidates(asked, bound, puts);
        let told = told(decision);
        let at = instant(decision.decided_at).unwrap();
        // Most answers are those of the newest.
        if candidates
            .clone()
            .rev()
            .any(|revision| self.answer(&asked.question, Revision(revision), at) == told)
        {
            return Ok(if decision.stale {
                Right::Stale
            } else {
                Right::Current
            });
        }
        let ever = (0..=self.head().0)
            .rev()
            .find(|revision| self.answer(&asked.question, Revision(*revision), at) == told);
        let expected = self.answer(&asked.question, Revision(*candidates.end()), at);
        wrong(&format!(
            "not the answer of any revision of {candidates:?}; last right at {ever:?}, expected \
             {expected:?}"
        ))
    }

    /// What is to be answered at a revision and an instant.
    pub(crate) fn answer(
        &self,
        question: &v1::CheckProvisioningRequest,
        revision: Revision,
        now: Timestamp,
    ) -> Told {
        let question = self.intake.question(question.clone(), now).unwrap();
        let request = Request::new(question.profile, &self.policy.suffixes);
        let wanted = request.wanted();
        let set = |handles: Vec<Handle>| {
            NameFacts::collect(self.find(&handles, revision), Entitlement::complete())
        };
        let facts = Facts {
            applicant: (!wanted.applicant.is_empty()).then(|| Arc::new(set(wanted.applicant))),
            ..Facts::of_name(set(wanted.name))
        };
        let decision = decide(&self.policy, &request, &facts, now);
        let service = decision.filing.and_then(|filing| {
            let service = facts.name.services.get(usize::from(filing.service))?;
            Some(service.value.service_number.as_str().to_owned())
        });
        Told {
            verdict: decision.verdict.to_wire(),
            reasons: decision.reasons().into_iter().map(Coded::to_wire).collect(),
            obligations: decision
                .obligations()
                .map(|owed| owed.reason.to_wire())
                .collect(),
            service: service.unwrap_or_default(),
        }
    }

    /// Revisions whose answer is right.
    fn candidates(&self, asked: &Asked, bound: Duration, puts: &[Put]) -> RangeInclusive<u64> {
        let from = asked.from.checked_sub(bound).unwrap_or(Timestamp::MIN);
        let newest = self
            .committed
            .iter()
            .rev()
            .find(|(_, (earliest, _))| *earliest <= asked.to);
        let known = self
            .committed
            .iter()
            .rev()
            .find(|(_, (_, latest))| *latest < from);
        let token = match &asked.question.consistency {
            Some(Consistency::AtLeastAsFresh(token)) => parse_token(token),
            Some(Consistency::FullyConsistent(_) | Consistency::MinimizeLatency(_)) | None => None,
        };
        let own = puts
            .iter()
            .filter(|put| put.replica == asked.replica && put.to < asked.from)
            .filter_map(|put| parse_token(put.answer.as_ref().ok()?))
            .max();
        let number =
            |found: Option<(&u64, &(Timestamp, Timestamp))>| found.map_or(0, |(at, _)| *at);
        let oldest = number(known)
            .max(token.map_or(0, |token| token.0))
            .max(own.map_or(0, |own| own.0));
        oldest..=number(newest).max(oldest)
    }

    /// Records with one of the handles, and those that they lead to, to the end.
    fn find(&self, handles: &[Handle], at: Revision) -> Vec<Fact<Record>> {
        let mut sought: BTreeSet<Handle> = handles.iter().cloned().collect();
        let mut left: Vec<&Fact<Record>> = self
            .histories
            .iter()
            .filter_map(|history| holding(history, at))
            .collect();
        let mut found = Vec::new();
        loop {
            let (here, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|fact| {
                let handles = fact.value.handles();
                handles.iter().any(|handle| sought.contains(handle))
            });
            if here.is_empty() {
                return found;
            }
            for fact in here {
                sought.extend(fact.value.leads_to());
                found.push(fact.clone());
            }
            left = others;
        }
    }

    fn held(&self, kind: RecordKind, key: &str, at: Revision) -> Option<&Record> {
        let history = self.histories.iter().find(|history| {
            let first = history.first().map(|fact| &fact.value);
            first.is_some_and(|record| record.kind() == kind && record.key() == key)
        })?;
        Some(&holding(history, at)?.value)
    }
}

/// Whether a failure is one that callers were promised: it may pass, and says when to come back.
pub(crate) fn comes_back(status: &Status) -> bool {
    status.code() == Code::Unavailable && status.get_error_details().retry_info().is_some()
}

/// What of an answer the records decide.
pub(crate) fn told(decision: &v1::Decision) -> Told {
    let filing = decision.filing.as_ref();
    Told {
        verdict: decision.verdict(),
        reasons: decision.reasons().collect(),
        obligations: decision
            .obligations
            .iter()
            .map(v1::Obligation::reason)
            .collect(),
        service: filing.map_or_else(String::new, |filing| filing.service_number.clone()),
    }
}

pub(crate) fn instant(wire: Option<pbjson_types::Timestamp>) -> Option<Timestamp> {
    let wire = wire?;
    Some(Timestamp::new(wire.seconds, wire.nanos).unwrap())
}

fn holding(history: &[Fact<Record>], at: Revision) -> Option<&Fact<Record>> {
    history
        .iter()
        .rev()
        .find(|fact| fact.provenance.revision <= at)
}

/// Between which instants each revision was committed. The writer takes the time before it
/// begins, and is told after the end; revisions are committed in their order.
fn committed(
    histories: &[Vec<Fact<Record>>],
    puts: &[Put],
) -> BTreeMap<u64, (Timestamp, Timestamp)> {
    let mut begun = BTreeMap::new();
    for fact in histories.iter().flatten() {
        begun.insert(fact.provenance.revision.0, fact.provenance.committed_at);
    }
    let mut ended: BTreeMap<u64, Timestamp> = BTreeMap::new();
    for put in puts {
        if let Ok(token) = &put.answer {
            let at = ended.entry(parse_token(token).unwrap().0).or_insert(put.to);
            *at = put.to.min(*at);
        }
    }
    let mut earliest = Timestamp::MIN;
    let mut committed: BTreeMap<u64, (Timestamp, Timestamp)> = begun
        .into_iter()
        .map(|(revision, at)| {
            earliest = earliest.max(at);
            (revision, (earliest, Timestamp::MAX))
        })
        .collect();
    let mut latest = Timestamp::MAX;
    for (revision, (_, at)) in committed.iter_mut().rev() {
        if let Some(ended) = ended.get(revision) {
            latest = latest.min(*ended);
        }
        *at = latest;
    }
    committed
}
