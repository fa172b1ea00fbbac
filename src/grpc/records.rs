//! `icpgate.v1.RecordService`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use icpgate_policy::explain::Language;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use super::status::{self, import as import_status, status, undecoded};
use crate::gate::{Gate, Page};
use crate::intake::{self, ImportReport, Line, Violation, token};
use crate::proto::v1;
use crate::proto::v1::record_service_server::RecordService;

/// How long an import may be silent when the service ends.
const SILENT_AT_THE_END: Duration = Duration::from_secs(2);

/// Answers calls from the gate.
pub(super) struct Records {
    pub(super) gate: Arc<Gate>,
    /// How long an import may be silent.
    pub(super) timeout: Duration,
    /// Cancelled when the service ends; imports that are silent then are not waited for.
    pub(super) leave: CancellationToken,
}

#[tonic::async_trait]
impl RecordService for Records {
    async fn put_records(
        &self,
        request: Request<v1::PutRecordsRequest>,
    ) -> Result<Response<v1::PutRecordsResponse>, Status> {
        let records = request.into_inner().records;
        let written = self.gate.put(records).await.map_err(status)?;
        Ok(Response::new(v1::PutRecordsResponse {
            revision: token(written.revision),
        }))
    }

    async fn import_records(
        &self,
        request: Request<Streaming<v1::ImportRecordsRequest>>,
    ) -> Result<Response<v1::ImportRecordsResponse>, Status> {
        // The import knows lines and their end; why a stream broke is kept aside.
        let broken = Arc::new(Mutex::new(None));
        let state = (request.into_inner(), 0_u64, Arc::clone(&broken));
        let timeout = self.timeout;
        let leave = self.leave.clone();
        let lines = futures::stream::unfold(state, move |(mut stream, position, broken)| {
            let leave = leave.clone();
            async move {
                match next(&mut stream, timeout, &leave).await {
                    Ok(Some(message)) => {
                        let position = position + 1;
                        let number = if message.line == 0 {
                            position
                        } else {
                            message.line
                        };
                        let line = Line::Record(Box::new(message.record.unwrap_or_default()));
                        Some((Ok((number, line)), (stream, position, broken)))
                    }
                    Ok(None) => None,
                    Err(error) => {
                        *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                        None
                    }
                }
            }
        });
        let lines = Box::pin(lines);
        let report = self.gate.import(lines).await;
        let report = report.map_err(|error| import_status(&error))?;
        if let Some(error) = broken.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        Ok(Response::new(response(report)))
    }

    async fn get_domain(
        &self,
        request: Request<v1::GetDomainRequest>,
    ) -> Result<Response<v1::GetDomainResponse>, Status> {
        let domain = request.into_inner().domain;
        let known = self.gate.domain(&domain).await.map_err(status)?;
        let records = known
            .records
            .iter()
            .map(|fact| v1::StoredRecord {
                record: Some(intake::outgoing(fact)),
                revision: token(fact.provenance.revision),
                committed_at: Some(intake::instant(fact.provenance.committed_at)),
            })
            .collect();
        Ok(Response::new(v1::GetDomainResponse {
            ascii: known.ascii,
            unicode: known.unicode,
            registrable: known.registrable,
            records,
            revision: token(known.revision),
        }))
    }

    async fn list_changes(
        &self,
        request: Request<v1::ListChangesRequest>,
    ) -> Result<Response<v1::ListChangesResponse>, Status> {
        let request = request.into_inner();
        let page = Page {
            after_revision: request.after_revision,
            page_size: request.page_size,
            page_token: request.page_token,
        };
        let changes = self.gate.changes(&page).await.map_err(status)?;
        let entries = changes
            .changes
            .into_iter()
            .map(|change| v1::Change {
                revision: token(change.revision),
                kind: change.kind.as_str().to_owned(),
                key: change.shown_key,
                source: change.source,
                committed_at: Some(intake::instant(change.committed_at)),
            })
            .collect();
        Ok(Response::new(v1::ListChangesResponse {
            changes: entries,
            next_page_token: changes.next_page_token,
        }))
    }
}

/// The next message of an import; an error where the caller is silent for too long, which is sooner
/// when the service ends.
async fn next(
    stream: &mut Streaming<v1::ImportRecordsRequest>,
    timeout: Duration,
    leave: &CancellationToken,
) -> Result<Option<v1::ImportRecordsRequest>, Status> {
    let ending = async {
        leave.cancelled().await;
        tokio::time::sleep(SILENT_AT_THE_END).await;
    };
    tokio::select! {
        biased;
        message = stream.message() => message.map_err(undecoded),
        () = ending => Err(status::ending()),
        () = tokio::time::sleep(timeout) => Err(status::silent()),
    }
}

fn response(report: ImportReport) -> v1::ImportRecordsResponse {
    let rejected = report
        .rejected
        .into_iter()
        .map(|(line, violations)| v1::RejectedLine {
            line,
            violations: violations.into_iter().map(violation).collect(),
        })
        .collect();
    v1::ImportRecordsResponse {
        accepted: report.accepted,
        unchanged: report.unchanged,
        rejected,
        rejected_count: report.rejected_count,
        revision: token(report.revision),
    }
}

fn violation(violation: Violation) -> v1::FieldViolation {
    let description = violation.description(Language::English);
    v1::FieldViolation {
        field: violation.field,
        description,
    }
}
