//! `icpgate.v1.ProvisioningService`.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use icpgate_policy::field::FieldProblem;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::status::{self, ending, inside, late, malformed, refused, status, undecoded};
use crate::auth::{Caller, Exceeded, Refusal, caller_of};
use crate::gate::{Gate, render, respond};
use crate::intake::{Question, Violation};
use crate::proto::v1;
use crate::proto::v1::provisioning_service_server::ProvisioningService;

/// Most questions of one batch.
const BATCH: usize = 1000;

/// Answers calls from the gate.
pub(super) struct Provisioning {
    pub(super) gate: Arc<Gate>,
    /// Longest time that a batch on a stream may take.
    pub(super) timeout: Duration,
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
        let results = answers(&self.gate, requests, caller.as_ref()).await?;
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
            caller,
        );
        let responses = futures::stream::try_unfold(
            state,
            move |(mut batches, gate, leave, caller)| async move {
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
                let answering = answers(&gate, batch.requests, caller.as_ref());
                let answering = tokio::time::timeout(timeout, answering);
                let results = answering.await.unwrap_or_else(|_| Err(late(false)))?;
                let response = v1::ScreenDomainsResponse {
                    sequence: batch.sequence,
                    results,
                };
                Ok(Some((response, (batches, gate, leave, caller))))
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
    let questions: Vec<_> = requests
        .into_iter()
        .map(|wire| {
            let mut question = gate.question(wire)?;
            question.caller = caller.map(|caller| Arc::clone(&caller.name));
            Ok(question)
        })
        .collect();
    let shown: Vec<_> = questions
        .iter()
        .map(|question| {
            question
                .as_ref()
                .ok()
                .map(|Question { input, view, .. }| (input.clone(), *view))
        })
        .collect();
    let answers = gate.check_all(questions).await;
    let results = answers.into_iter().zip(shown).map(|(answer, shown)| {
        let result = match (answer, shown) {
            (Ok(answer), Some((input, view))) => {
                v1::check_provisioning_result::Result::Decision(render(&answer, &input, view))
            }
            (Ok(_), None) => error(&malformed(&[])),
            (Err(failure), _) => error(&status(failure)),
        };
        v1::CheckProvisioningResult {
            result: Some(result),
        }
    });
    Ok(results.collect())
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
