//! `icpgate.v1.ProvisioningService`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use icpgate_policy::field::FieldProblem;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::load::Checks;
use super::status::{self, ending, inside, late, malformed, refused, status, undecoded};
use crate::auth::{Caller, Exceeded, Refusal, caller_of};
use crate::gate::{Bulk, Gate, GateError, Served, ServedFrom, render, respond};
use crate::intake::{Question, View, Violation};
use crate::proto::v1;
use crate::proto::v1::provisioning_service_server::ProvisioningService;
use crate::telemetry::call;

/// Most questions of one batch.
const BATCH: usize = 1000;

/// Questions that are read, or answers that are put into words, in one go.
const AT_ONCE: usize = 32;

/// Answers calls from the gate.
pub(super) struct Provisioning {
    pub(super) gate: Arc<Gate>,
    /// Longest time that a batch on a stream may take.
    pub(super) timeout: Duration,
    /// Single checks that are worked on or wait for a processor.
    pub(super) checks: Checks,
    /// How long a stream may stay open.
    pub(super) stream: Duration,
    /// Cancelled when open streams are to end.
    pub(super) leave: CancellationToken,
}

#[tonic::async_trait]
impl ProvisioningService for Provisioning {
    async fn check_provisioning(
        &self,
        request: Request<v1::CheckProvisioningRequest>,
    ) -> Result<Response<v1::CheckProvisioningResponse>, Status> {
        let caller = caller_of(request.extensions());
        let mut question = self.gate.question(request.into_inner()).map_err(status)?;
        question.caller = caller.map(|caller| Arc::clone(&caller.name));
        let (input, view) = (question.input.clone(), question.view);
        let served = self.gate.check(question).await.map_err(status)?;
        call::note(|notes| noted(&mut notes.decided, &served));
        Ok(Response::new(respond(&served, &input, view)))
    }

    async fn batch_check_provisioning(
        &self,
        request: Request<v1::BatchCheckProvisioningRequest>,
    ) -> Result<Response<v1::BatchCheckProvisioningResponse>, Status> {
        let caller = caller_of(request.extensions());
        let requests = request.into_inner().requests;
        if let Some(caller) = &caller {
            // One was taken when the call was let in.
            let others = count(&requests).saturating_sub(1);
            caller.take(others).map_err(|refusal| refused(&refusal))?;
        }
        let results = answers(
            &self.gate,
            requests,
            Bulk::Batch,
            &self.checks,
            caller.as_ref(),
        )
        .await?;
        Ok(Response::new(v1::BatchCheckProvisioningResponse {
            results,
        }))
    }

    type ScreenDomainsStream =
        Pin<Box<dyn Stream<Item = Result<v1::ScreenDomainsResponse, Status>> + Send>>;

    async fn screen_domains(
        &self,
        request: Request<Streaming<v1::ScreenDomainsRequest>>,
    ) -> Result<Response<Self::ScreenDomainsStream>, Status> {
        // The next batch is read when the answers to the last one have been taken: the caller's
        // flow control is ours. A stream ends between two batches, never within one.
        let timeout = self.timeout;
        let aged = Instant::now() + self.stream;
        let caller = caller_of(request.extensions());
        let state = (
            request.into_inner(),
            Arc::clone(&self.gate),
            self.leave.clone(),
            self.checks.clone(),
            caller,
        );
        let responses = futures::stream::try_unfold(
            state,
            move |(mut batches, gate, leave, checks, caller)| async move {
                let next = tokio::select! {
                    biased;
                    () = leave.cancelled() => return Err(ending()),
                    () = tokio::time::sleep_until(aged) => return Err(status::aged()),
                    next = batches.message() => next.map_err(undecoded)?,
                };
                let Some(batch) = next else {
                    return Ok(None);
                };
                if let Some(caller) = &caller {
                    tokio::select! {
                        biased;
                        () = leave.cancelled() => return Err(ending()),
                        () = tokio::time::sleep_until(aged) => return Err(status::aged()),
                        paced = pace(caller, count(&batch.requests)) => paced?,
                    }
                }
                let answering = answers(
                    &gate,
                    batch.requests,
                    Bulk::Screening,
                    &checks,
                    caller.as_ref(),
                );
                let answering = tokio::time::timeout(timeout, answering);
                let results = answering.await.unwrap_or_else(|_| Err(late(false)))?;
                let response = v1::ScreenDomainsResponse {
                    sequence: batch.sequence,
                    results,
                };
                Ok(Some((response, (batches, gate, leave, checks, caller))))
            },
        );
        Ok(Response::new(Box::pin(responses)))
    }

    async fn get_decision(
        &self,
        request: Request<v1::GetDecisionRequest>,
    ) -> Result<Response<v1::GetDecisionResponse>, Status> {
        let decision_id = request.into_inner().decision_id;
        let decision = self.gate.recorded_decision(&decision_id).await;
        let decision = decision.map_err(status)?;
        Ok(Response::new(v1::GetDecisionResponse {
            decision: Some(decision),
        }))
    }
}

/// Answers a batch in its order.
async fn answers(
    gate: &Gate,
    requests: Vec<v1::CheckProvisioningRequest>,
    bulk: Bulk,
    checks: &Checks,
    caller: Option<&Arc<Caller>>,
) -> Result<Vec<v1::CheckProvisioningResult>, Status> {
    if requests.is_empty() || requests.len() > BATCH {
        let problem = match requests.len() {
            0 => FieldProblem::Missing,
            found => FieldProblem::TooMany {
                limit: BATCH,
                found,
            },
        };
        return Err(malformed(&[Violation {
            field: "requests".to_owned(),
            problem,
        }]));
    }
    let mut questions = Vec::with_capacity(requests.len());
    let mut shown = Vec::with_capacity(requests.len());
    for (at, wire) in requests.into_iter().enumerate() {
        step(at).await;
        let question = gate.question(wire).map(|question| Question {
            caller: caller.map(|caller| Arc::clone(&caller.name)),
            ..question
        });
        shown.push(question.as_ref().ok().map(shown_of));
        questions.push(question);
    }
    let answers = gate.check_all(questions, bulk, &|| checks.wait()).await;
    call::note(|notes| noted_all(&mut notes.decided, &answers));
    let mut results = Vec::with_capacity(answers.len());
    for (at, (answer, shown)) in answers.into_iter().zip(shown).enumerate() {
        step(at).await;
        let result = match (answer, shown) {
            (Ok(answer), Some((input, view))) => {
                v1::check_provisioning_result::Result::Decision(render(&answer, &input, view))
            }
            (Ok(_), None) => error(&malformed(&[])),
            (Err(failure), _) => error(&status(failure)),
        };
        results.push(v1::CheckProvisioningResult {
            result: Some(result),
        });
    }
    Ok(results)
}

/// Lets single questions have their turn every now and then.
async fn step(at: usize) {
    if at % AT_ONCE == AT_ONCE - 1 {
        tokio::task::yield_now().await;
    }
}

/// Notes an answer, without what was asked.
fn noted(decided: &mut call::Decided, served: &Served) {
    let decision = &served.answer.decision;
    let source = match served.served_from {
        ServedFrom::LocalCache => call::Source::LocalCache,
        ServedFrom::SharedCache => call::Source::SharedCache,
        ServedFrom::Store => call::Source::Store,
    };
    let id = served.answer.decision_id.number();
    let reasons = decision.reasons().into_iter();
    decided.add(decision.verdict, reasons, id, source, served.answer.stale);
}

fn noted_all(decided: &mut call::Decided, answers: &[Result<Served, GateError>]) {
    for answer in answers {
        match answer {
            Ok(served) => noted(decided, served),
            Err(_) => decided.errors += 1,
        }
    }
}

/// What an answer repeats of its question.
fn shown_of(question: &Question) -> (String, View) {
    (question.input.clone(), question.view)
}

/// Waits until the caller's rate allows a batch of a stream.
async fn pace(caller: &Arc<Caller>, count: u32) -> Result<(), Status> {
    loop {
        match caller.take(count) {
            Ok(()) => return Ok(()),
            Err(Refusal::Rate {
                exceeded: Exceeded::Wait(wait),
                ..
            }) => tokio::time::sleep(wait).await,
            Err(refusal) => return Err(refused(&refusal)),
        }
    }
}

fn count(requests: &[v1::CheckProvisioningRequest]) -> u32 {
    u32::try_from(requests.len()).unwrap_or(u32::MAX)
}

fn error(status: &Status) -> v1::check_provisioning_result::Result {
    v1::check_provisioning_result::Result::Error(inside(status))
}
