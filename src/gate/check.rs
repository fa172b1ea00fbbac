//! Answering a question: facts from the store, a decision from the core, an entry for the log.

use std::sync::Arc;
use std::time::Duration;

use icpgate_policy::codes::Purpose;
use icpgate_policy::decision::{Decision, decide};
use icpgate_policy::domain_name::Suffixes;
use icpgate_policy::facts::{Entitlement, Fact, Facts, NameFacts, Revision, Why};
use icpgate_policy::field::{FieldProblem, QuestionProblem, Shown};
use icpgate_policy::records::{Handle, Record};
use icpgate_policy::request::{Request, Wanted};

use super::log::{FULL_FOR, Receipt};
use super::{ActivePolicy, Gate, GateError, content};
use crate::intake::{Consistency, Question, Violation, token};
use crate::store::{Content, Found, Freshness};

/// A question's answer with everything that it was made from.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Identifier derived from the inputs, 32 hexadecimal digits.
    pub decision_id: String,
    /// The decision.
    pub decision: Decision,
    /// The question.
    pub request: Arc<Request>,
    /// The facts.
    pub facts: Arc<Facts>,
    /// The policy.
    pub policy: Arc<ActivePolicy>,
}

/// Questions whose facts are fetched in one round trip; bounds what one of them holds.
const TOGETHER: usize = 250;

impl Gate {
    /// Answers a question.
    ///
    /// # Errors
    ///
    /// [`GateError::Malformed`] for a freshness token that is ahead of the store,
    /// [`GateError::LogFull`] where the decision cannot be recorded, and [`GateError::Log`] where
    /// an activation could not be made durable. A store that does not answer is no error: the
    /// answer is indeterminate.
    pub async fn check(&self, question: Question) -> Result<Answer, GateError> {
        let mut answers = self.check_all(vec![Ok(question)]).await;
        answers
            .pop()
            .unwrap_or(Err(GateError::Malformed(Vec::new())))
    }

    /// Answers questions in their order; what is malformed already keeps its error. One bad
    /// question never fails the others.
    pub async fn check_all(
        &self,
        questions: Vec<Result<Question, GateError>>,
    ) -> Vec<Result<Answer, GateError>> {
        let policy = self.policy.load_full();
        let mut answers = Vec::with_capacity(questions.len());
        let mut waiting = Vec::new();
        // A full log is waited for once in a call, not once for each question.
        let mut patience = FULL_FOR;
        let mut questions = questions.into_iter();
        loop {
            let group: Vec<_> = questions.by_ref().take(TOGETHER).collect();
            if group.is_empty() {
                break;
            }
            let asked = group.into_iter().map(|question| {
                question.map(|question| Asked::new(question, &policy.policy.suffixes))
            });
            for (asked, facts) in self.gather(asked.collect()).await {
                let at = answers.len();
                let answer = match facts {
                    Ok(gathered) => {
                        let answered = self.answer(&policy, asked, gathered, patience).await;
                        answered.map(|(answer, receipt)| {
                            waiting.extend(receipt.map(|receipt| (at, receipt)));
                            answer
                        })
                    }
                    Err(error) => Err(error),
                };
                if matches!(answer, Err(GateError::LogFull)) {
                    patience = Duration::ZERO;
                }
                answers.push(answer);
            }
        }
        // Activations are answered once they are durable; the log writes them in groups.
        let waiting = waiting
            .into_iter()
            .map(|(at, receipt)| async move { (at, receipt.written().await) });
        for (at, written) in futures::future::join_all(waiting).await {
            if let (Err(error), Some(answer)) = (written, answers.get_mut(at)) {
                *answer = Err(error.into());
            }
        }
        answers
    }

    async fn answer(
        &self,
        policy: &Arc<ActivePolicy>,
        asked: Option<Asked>,
        gathered: Gathered,
        patience: Duration,
    ) -> Result<(Answer, Option<Receipt>), GateError> {
        let Some(asked) = asked else {
            return Err(GateError::Malformed(Vec::new()));
        };
        let decision = decide(
            &policy.policy,
            &asked.request,
            &gathered.facts,
            self.clock.now(),
        );
        let decision_id = identify(&asked.request, &gathered.facts, policy, &decision);
        let durable = asked.request.profile.purpose == Purpose::Activation;
        let answer = Answer {
            decision_id,
            decision,
            request: Arc::new(asked.request),
            facts: Arc::new(gathered.facts),
            policy: Arc::clone(policy),
        };
        // What could not be asked is no decision of record, and could not be written either.
        let receipt = if gathered.answered {
            self.log
                .record(&answer, asked.order_id, durable, patience)
                .await?
        } else {
            None
        };
        Ok((answer, receipt))
    }

    /// Fetches the facts of all questions in one round trip.
    async fn gather(
        &self,
        asked: Vec<Result<Asked, GateError>>,
    ) -> Vec<(Option<Asked>, Result<Gathered, GateError>)> {
        let sets: Vec<Vec<Handle>> = asked
            .iter()
            .flatten()
            .flat_map(|asked| asked.wanted.clone().into_sets())
            .collect();
        let found = if sets.iter().all(Vec::is_empty) {
            // Nothing to look up: only the place of the log may matter, for freshness tokens.
            let fresh = asked.iter().flatten().any(|asked| asked.at_least.is_some());
            let head = if fresh {
                self.store.head().await
            } else {
                Ok(Revision(0))
            };
            head.map(|revision| Found {
                sets: Vec::new(),
                revision,
                synced_at: Vec::new(),
            })
        } else {
            self.store.find(&sets, freshness(&asked)).await
        };
        let mut found = match found {
            Ok(found) => Some(found),
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(error, "the store did not answer; answers are indeterminate");
                None
            }
        };
        let entitlement = match &found {
            Some(found) => self.completeness.entitlement(&found.synced_at),
            None => Entitlement::unknown(Why::StoreUnavailable),
        };
        let answered = found.is_some();
        let revision = found.as_ref().map(|found| found.revision);
        let mut sets = found
            .as_mut()
            .map(|found| std::mem::take(&mut found.sets))
            .unwrap_or_default()
            .into_iter();
        asked
            .into_iter()
            .map(|asked| {
                let asked = match asked {
                    Ok(asked) => asked,
                    Err(error) => return (None, Err(error)),
                };
                let facts = sort(&asked.wanted, &mut sets, &entitlement);
                let fresh = match (asked.at_least, revision) {
                    (Some(at_least), Some(reached)) if reached < at_least => {
                        Err(token_ahead(at_least))
                    }
                    (_, _) => Ok(Gathered { facts, answered }),
                };
                (Some(asked), fresh)
            })
            .collect()
    }
}

/// A question on its way.
struct Asked {
    request: Request,
    wanted: Wanted,
    order_id: Option<String>,
    at_least: Option<Revision>,
    freshness: Freshness,
}

impl Asked {
    fn new(question: Question, suffixes: &Suffixes) -> Self {
        let request = Request::new(question.profile, suffixes);
        let wanted = request.wanted();
        let (at_least, freshness) = match question.consistency {
            Consistency::AtLeastAsFresh(revision) => (Some(revision), Freshness::AtLeast(revision)),
            Consistency::MinimizeLatency => (None, Freshness::Any),
            Consistency::FullyConsistent => (None, Freshness::Newest),
        };
        Self {
            request,
            wanted,
            order_id: question.order_id,
            at_least,
            freshness,
        }
    }
}

/// The freshness that satisfies every question: they are answered from one snapshot.
fn freshness(asked: &[Result<Asked, GateError>]) -> Freshness {
    let each = asked.iter().flatten().map(|asked| asked.freshness);
    each.fold(Freshness::Any, |one, other| match (one, other) {
        (Freshness::Newest, _) | (_, Freshness::Newest) => Freshness::Newest,
        (Freshness::AtLeast(one), Freshness::AtLeast(other)) => Freshness::AtLeast(one.max(other)),
        (Freshness::AtLeast(revision), Freshness::Any)
        | (Freshness::Any, Freshness::AtLeast(revision)) => Freshness::AtLeast(revision),
        (Freshness::Any, Freshness::Any) => Freshness::Any,
    })
}

struct Gathered {
    facts: Facts,
    /// Whether the store answered.
    answered: bool,
}

fn token_ahead(at_least: Revision) -> GateError {
    let text = Shown::new(&token(at_least));
    GateError::Malformed(vec![Violation {
        field: "at_least_as_fresh".to_owned(),
        problem: FieldProblem::Question(QuestionProblem::TokenAhead { text }),
    }])
}

/// Takes the sets of one question from those that were found; none are left where the store did
/// not answer.
fn sort(
    wanted: &Wanted,
    sets: &mut impl Iterator<Item = Vec<Fact<Record>>>,
    entitlement: &Entitlement,
) -> Facts {
    let mut take = || {
        let set = sets.next().unwrap_or_default();
        Arc::new(NameFacts::collect(set, entitlement.clone()))
    };
    let (name, origin, host_header, applicant) = (take(), take(), take(), take());
    Facts {
        name,
        origin: (!wanted.origin.is_empty()).then_some(origin),
        host_header: (!wanted.host_header.is_empty()).then_some(host_header),
        applicant: (!wanted.applicant.is_empty()).then_some(applicant),
    }
}

/// Identifier of a decision: a digest of everything that the answer depends on.
fn identify(
    request: &Request,
    facts: &Facts,
    policy: &ActivePolicy,
    decision: &Decision,
) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(&encode(&request.profile));
    part(&facts_content(facts).digest);
    part(&policy.content.digest);
    part(&decision.decided_at.as_nanosecond().to_le_bytes());
    part(&decision.valid_until.as_nanosecond().to_le_bytes());
    hasher.finalize().to_hex().chars().take(32).collect()
}

impl Answer {
    /// The facts by content.
    pub(super) fn facts_content(&self) -> Content {
        facts_content(&self.facts)
    }

    /// The policy by content.
    pub(super) fn policy_content(&self) -> &Content {
        &self.policy.content
    }

    /// The encoded profile.
    pub(super) fn profile(&self) -> Vec<u8> {
        encode(&self.request.profile)
    }
}

fn facts_content(facts: &Facts) -> Content {
    content(encode(facts))
}

/// Encodes a value of the core. Its types have no map with other keys than texts and no value
/// that refuses to be encoded, so an empty encoding stands for what cannot happen.
fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}
