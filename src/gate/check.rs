//! Answering a question: facts from the store, a decision from the core, an entry for the log.

use std::sync::Arc;
use std::time::Duration;

use icpgate_policy::codes::Purpose;
use icpgate_policy::decision::decide;
use icpgate_policy::domain_name::Suffixes;
use icpgate_policy::facts::{Entitlement, Facts, NameFacts, Revision, Why};
use icpgate_policy::field::{FieldProblem, QuestionProblem, Shown};
use icpgate_policy::request::{Request, Wanted};
use jiff::{SignedDuration, Timestamp};

use super::answer::{Answer, DecisionId, Encoded, Served, encode};
use super::facts::{Fetched, Missed, Need, Want, away};
use super::log::{Asker, FULL_FOR, Receipt};
use super::memo::{Basis, Memo};
use super::turns::{Bulk, Pressed, SLICE, Turn};
use super::{ActivePolicy, Gate, GateError, ServedFrom, tally};
use crate::cache::{self, FactsDigest, SetKey};
use crate::intake::{Consistency, Question, Violation, token};
use crate::telemetry::call::{self, Part};
use crate::telemetry::metrics::kinds::Stopwatch;
use crate::telemetry::metrics::label::{Bulk as BulkLabel, Level};
use crate::telemetry::metrics::list::{BATCH, CACHE_HITS, CACHE_MISSES, EVALUATION};

/// How long a screening waits for room in the log, which may be slow for a while: it goes at the pace
/// of the log.
const SCREENING_WAITS: Duration = Duration::from_secs(10);

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
    pub async fn check(&self, question: Question) -> Result<Served, GateError> {
        let begun = Stopwatch::start();
        let policy = self.policy.load_full();
        let asked = Asked::new(question, &policy.policy.suffixes);
        if let Some(gathered) = self.at_hand(&asked) {
            let served = self.work_out(&policy, asked.request, gathered, self.memo.as_ref());
            let logging = call::begin_traced(Part::Log, "admit");
            let entry = self.log.admit(&served.answer, asked.asker);
            drop(logging);
            if let Err(asker) = entry {
                // Boxed, so that the way that waits does not make room for itself in every
                // call that need not.
                let waited = self.log.wait(&served.answer, asker, FULL_FOR);
                let waited = call::timed(Part::Log, "wait for room", waited);
                Box::pin(waited).await?;
            }
            tally::given(&served);
            tally::took(&served, begun.elapsed(), &*self.clock);
            return Ok(served);
        }
        let mut answers = Box::pin(self.answer_all(&policy, vec![Ok(asked)], None)).await;
        let served = answers
            .pop()
            .unwrap_or(Err(GateError::Malformed(Vec::new())))?;
        tally::given(&served);
        tally::took(&served, begun.elapsed(), &*self.clock);
        Ok(served)
    }

    /// Answers questions in their order; what is malformed already keeps its error. One bad
    /// question never fails the others. Single questions have their turn in between, the more while
    /// `pressed` says that some wait.
    pub async fn check_all(
        &self,
        questions: Vec<Result<Question, GateError>>,
        bulk: Bulk,
        pressed: Pressed<'_>,
    ) -> Vec<Result<Served, GateError>> {
        let kind = match bulk {
            Bulk::Batch => BulkLabel::Batch,
            Bulk::Screening => BulkLabel::Screen,
        };
        BATCH.count((kind,), questions.len() as u64);
        let policy = self.policy.load_full();
        let asked = questions
            .into_iter()
            .map(|question| question.map(|question| Asked::new(question, &policy.policy.suffixes)))
            .collect();
        let answers = self.answer_all(&policy, asked, Some((bulk, pressed))).await;
        for served in answers.iter().flatten() {
            tally::given(served);
        }
        answers
    }

    async fn answer_all(
        &self,
        policy: &Arc<ActivePolicy>,
        questions: Vec<Result<Asked, GateError>>,
        bulk: Option<(Bulk, Pressed<'_>)>,
    ) -> Vec<Result<Served, GateError>> {
        let mut answers = Vec::with_capacity(questions.len());
        let mut waiting = Vec::new();
        // Not for many at once: those seldom ask what was asked lately, and would push out what is
        // asked often.
        let memo = self.memo.as_ref().filter(|_| bulk.is_none());
        // A full log is waited for once in a call, not once for each question.
        let mut patience = match bulk {
            Some((Bulk::Screening, _)) => SCREENING_WAITS,
            Some((Bulk::Batch, _)) | None => FULL_FOR,
        };
        let mut questions = questions.into_iter();
        loop {
            let group: Vec<_> = questions.by_ref().take(TOGETHER).collect();
            if group.is_empty() {
                break;
            }
            let mut turn = None;
            for (asked, facts) in self.gather(policy, group).await {
                let at = answers.len();
                if let Some((bulk, pressed)) = bulk
                    && at.is_multiple_of(SLICE)
                {
                    drop(turn.take());
                    turn = Some(self.turns.take(bulk, pressed).await);
                }
                let answer = match facts {
                    Ok(gathered) => {
                        let answered = self
                            .answer(policy, asked, gathered, memo, patience, &mut turn)
                            .await;
                        answered.map(|(served, receipt)| {
                            waiting.extend(receipt.map(|receipt| (at, receipt)));
                            served
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
        let receipts: Vec<_> = waiting
            .into_iter()
            .map(|(at, receipt)| async move { (at, receipt.written().await) })
            .collect();
        let writing = (!receipts.is_empty()).then(|| call::begin(Part::Log, "write"));
        let written = futures::future::join_all(receipts).await;
        drop(writing);
        for (at, written) in written {
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
        memo: Option<&Memo>,
        patience: Duration,
        turn: &mut Option<Turn<'_>>,
    ) -> Result<(Served, Option<Receipt>), GateError> {
        let Some(asked) = asked else {
            return Err(GateError::Malformed(Vec::new()));
        };
        let durable = asked.request.profile.purpose == Purpose::Activation;
        let answered = gathered.answered;
        let served = self.work_out(policy, asked.request, gathered, memo);
        // What could not be asked is no decision of record, and could not be written either.
        let receipt = if !answered {
            None
        } else if durable {
            self.log
                .record(&served.answer, asked.asker, patience)
                .await?
        } else if let Err(asker) = self.log.admit(&served.answer, asked.asker) {
            // Whoever waits for the log leaves the turn to others.
            drop(turn.take());
            let waited = self.log.wait(&served.answer, asker, patience);
            call::timed(Part::Log, "wait for room", waited).await?;
            None
        } else {
            None
        };
        Ok((served, receipt))
    }

    /// Works an answer out of what was gathered, unless it is among those that are kept.
    fn work_out(
        &self,
        policy: &Arc<ActivePolicy>,
        request: Request,
        gathered: Gathered,
        memo: Option<&Memo>,
    ) -> Served {
        let now = self.clock.now();
        let profile = encode(&request.profile);
        let facts_digest = gathered.digest;
        let basis = Basis {
            profile: &profile,
            facts: &facts_digest,
            policy,
        };
        let served_from = gathered.served_from;
        let stale = gathered.stale_since.is_some();
        let memo = memo.filter(|_| gathered.answered && !stale);
        if let Some(answer) = memo.and_then(|memo| memo.get(basis, now)) {
            CACHE_HITS.inc((Level::Answers,));
            let served = Served {
                answer,
                served_from,
            };
            tally::bounded(&served, now);
            return served;
        }
        if memo.is_some() {
            CACHE_MISSES.inc((Level::Answers,));
        }
        let deciding = call::begin_traced(Part::Evaluation, "decide");
        let begun = Stopwatch::start();
        let mut decision = decide(&policy.policy, &request, &gathered.facts, now);
        EVALUATION.observe((), begun.elapsed());
        drop(deciding);
        let longest = stale_for(policy, request.profile.purpose);
        if let (Some(since), Some(longest)) = (gathered.stale_since, longest) {
            // Beyond this the same facts will not do any more.
            let will_do_until = since.saturating_add(longest).unwrap_or(Timestamp::MAX);
            decision.valid_until = decision.valid_until.min(will_do_until);
        }
        let decision_id = DecisionId::new(basis, &decision, stale);
        let answer = Arc::new(Answer {
            decision_id,
            decision,
            request,
            facts: gathered.facts,
            policy: Arc::clone(policy),
            stale,
            profile: profile.into(),
            facts_digest,
            encoded: Encoded::default(),
        });
        if let Some(memo) = memo {
            memo.put(&answer, now);
        }
        let served = Served {
            answer,
            served_from,
        };
        tally::bounded(&served, now);
        served
    }

    /// What a question needs, if this process holds all of it and it is current: the way of most
    /// questions, without waiting.
    fn at_hand(&self, asked: &Asked) -> Option<Gathered> {
        let _looking = call::begin_traced(Part::Local, "look");
        let sets = asked.wanted.sets();
        let now = self.clock.now();
        let mut fetched = Vec::with_capacity(1);
        for set in sets.into_iter().filter(|set| !set.is_empty()) {
            fetched.push(Ok(self.sources.at_hand(
                &SetKey::of(set),
                asked.need,
                now,
            )?));
        }
        if fetched.is_empty() {
            return None;
        }
        let unasked = self.sources.caches.completeness.entitlement(&[]);
        Some(sort(
            &asked.wanted,
            &mut fetched.into_iter(),
            None,
            &unasked,
        ))
    }

    /// Gathers the facts of all questions, in one round trip to each source.
    async fn gather(
        &self,
        policy: &ActivePolicy,
        asked: Vec<Result<Asked, GateError>>,
    ) -> Vec<(Option<Asked>, Result<Gathered, GateError>)> {
        let wants = asked
            .iter()
            .flatten()
            .flat_map(|asked| asked.wants(policy))
            .collect();
        let mut fetched = self.sources.fetch(wants).await.into_iter();
        let head = self.head_for(&asked).await;
        let unasked = self.sources.caches.completeness.entitlement(&[]);
        asked
            .into_iter()
            .map(|asked| {
                let asked = match asked {
                    Ok(asked) => asked,
                    Err(error) => return (None, Err(error)),
                };
                let gathered = sort(&asked.wanted, &mut fetched, head, &unasked);
                let fresh = match (asked.at_least, gathered.revision) {
                    (Some(at_least), Some(reached)) if reached < at_least => {
                        Err(token_ahead(at_least))
                    }
                    (_, _) => Ok(gathered),
                };
                (Some(asked), fresh)
            })
            .collect()
    }

    /// The place of the log. The store is asked for it only for a token that comes with a question
    /// that needs no facts; `None` where it does not answer.
    async fn head_for(&self, asked: &[Result<Asked, GateError>]) -> Option<Revision> {
        let applied = self.sources.caches.applied.revision();
        let ahead = |asked: &Asked| {
            asked.wanted.sets().iter().all(|set| set.is_empty())
                && asked.at_least.is_some_and(|token| token > applied)
        };
        if !asked.iter().flatten().any(ahead) {
            return Some(applied);
        }
        let asking = self.store.head();
        match call::timed(Part::Store, "find newest revision", asking).await {
            Ok(head) => Some(head),
            Err(error) => {
                away(&error);
                None
            }
        }
    }
}

/// A question on its way.
struct Asked {
    request: Request,
    wanted: Wanted,
    asker: Asker,
    need: Need,
    /// The token, where one was given.
    at_least: Option<Revision>,
}

impl Asked {
    fn new(question: Question, suffixes: &Suffixes) -> Self {
        let request = Request::new(question.profile, suffixes);
        let wanted = request.wanted();
        let need = match question.consistency {
            Consistency::FullyConsistent => Need::Newest,
            // Nothing goes live on facts from a cache: an activation waits for the store anyway,
            // because it is written down before it is answered.
            Consistency::AtLeastAsFresh(_) | Consistency::MinimizeLatency
                if request.profile.purpose == Purpose::Activation =>
            {
                Need::Newest
            }
            Consistency::AtLeastAsFresh(revision) => Need::AtLeast(revision),
            Consistency::MinimizeLatency => Need::Current,
        };
        let at_least = match question.consistency {
            Consistency::AtLeastAsFresh(revision) => Some(revision),
            Consistency::MinimizeLatency | Consistency::FullyConsistent => None,
        };
        Self {
            request,
            wanted,
            asker: Asker {
                order_id: question.order_id,
                caller: question.caller,
            },
            need,
            at_least,
        }
    }

    fn wants(&self, policy: &ActivePolicy) -> impl Iterator<Item = Want> {
        let stale_for = stale_for(policy, self.request.profile.purpose);
        let sets = self.wanted.sets().into_iter().filter(|set| !set.is_empty());
        sets.map(move |set| Want {
            handles: set.to_vec(),
            need: self.need,
            stale_for,
        })
    }
}

/// How old facts may be for a purpose while the store does not answer; `None`: they will not do.
fn stale_for(policy: &ActivePolicy, purpose: Purpose) -> Option<SignedDuration> {
    let staleness = policy.policy.staleness;
    match purpose {
        Purpose::Order | Purpose::PreFiling => Some(staleness.max_stale),
        Purpose::Recheck => Some(staleness.max_stale_recheck),
        Purpose::Activation => None,
    }
}

struct Gathered {
    facts: Facts,
    digest: FactsDigest,
    served_from: ServedFrom,
    /// A revision that no set is older than; `None` where the store did not say.
    revision: Option<Revision>,
    /// Whether every set was had.
    answered: bool,
    /// The last instant at which all sets were right for certain, where one is stale.
    stale_since: Option<Timestamp>,
}

fn token_ahead(at_least: Revision) -> GateError {
    let text = Shown::new(&token(at_least));
    GateError::Malformed(vec![Violation {
        field: "at_least_as_fresh".to_owned(),
        problem: FieldProblem::Question(QuestionProblem::TokenAhead { text }),
    }])
}

/// Takes the sets of one question from those that were fetched. `head` is the place of the log for
/// a question without sets, `unasked` what can be said of what was not asked for.
fn sort(
    wanted: &Wanted,
    fetched: &mut impl Iterator<Item = Result<Fetched, Missed>>,
    head: Option<Revision>,
    unasked: &Entitlement,
) -> Gathered {
    let mut digest = blake3::Hasher::new();
    let mut served_from = None;
    let mut revision: Option<Revision> = None;
    let mut answered = true;
    let mut stale_since: Option<Timestamp> = None;
    let sets = wanted.sets().map(|set| {
        // The place of a set counts: facts of an origin are none of the name.
        digest.update(&[u8::from(!set.is_empty())]);
        if set.is_empty() {
            return None;
        }
        let missed = match fetched.next() {
            Some(Ok(fetched)) => {
                served_from = served_from.max(Some(fetched.from));
                revision =
                    Some(revision.map_or(fetched.revision, |least| least.min(fetched.revision)));
                let since = fetched.stale_since.into_iter().chain(stale_since);
                stale_since = since.min();
                digest.update(&fetched.digest);
                return Some(fetched.facts);
            }
            Some(Err(missed)) => missed,
            None => Missed { held: false },
        };
        answered = false;
        let why = if missed.held {
            Why::Stale
        } else {
            Why::StoreUnavailable
        };
        let facts = NameFacts::empty(Entitlement::unknown(why));
        digest.update(&cache::digest(&facts));
        Some(Arc::new(facts))
    });
    let [name, origin, host_header, applicant] = sets;
    let name = name.unwrap_or_else(|| {
        let facts = NameFacts::empty(unasked.clone());
        digest.update(&cache::digest(&facts));
        Arc::new(facts)
    });
    let asked = !wanted.sets().iter().all(|set| set.is_empty());
    Gathered {
        facts: Facts {
            name,
            origin,
            host_header,
            applicant,
        },
        digest: *digest.finalize().as_bytes(),
        served_from: served_from.unwrap_or(ServedFrom::Store),
        revision: if asked && answered {
            revision
        } else if asked {
            None
        } else {
            head
        },
        answered: answered && (asked || head.is_some()),
        stale_since,
    }
}
