//! Errors of the gate as gRPC statuses with google.rpc details; the only place that maps them.

use std::time::Duration;

use icpgate_policy::explain::Language;
use prost::Message as _;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::method::Kind;
use crate::auth::{Exceeded, Refusal};
use crate::gate::{GateError, LogFailure};
use crate::intake::{ImportError, ImportFailure, Violation};
use crate::store::StoreError;
use crate::telemetry::call;
use crate::telemetry::seldom::Seldom;

/// `google.rpc.ErrorInfo.domain` of every error.
const DOMAIN: &str = "icpgate";

/// When to try again what failed for a passing reason.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A store that does not answer is told of by what follows its change log; of calls that need it,
/// only now and then.
static AWAY: Seldom = Seldom::new(1, Duration::from_secs(10));

/// When to come back where there was no place.
const COME_BACK_AFTER: Duration = Duration::from_millis(200);

/// The status of an error.
pub(super) fn status(error: GateError) -> Status {
    match error {
        GateError::Malformed(violations) => malformed(&violations),
        GateError::NoSuchDecision(decision_id) => {
            let mut details = info("DECISION_NOT_FOUND");
            details.set_resource_info("decision", &decision_id, "", "no such decision is recorded");
            let message = format!("no decision is recorded under `{decision_id}`");
            Status::with_error_details(Code::NotFound, message, details)
        }
        GateError::LogFull => passing(Code::ResourceExhausted, "DECISION_LOG_FULL", &error),
        GateError::Log(LogFailure::Ended) => passing(Code::Unavailable, "ENDING", &error),
        // The writer of the log has told operators why.
        GateError::Log(LogFailure::Store(_) | LogFailure::Late) => {
            passing(Code::Unavailable, "DECISION_NOT_RECORDED", &error)
        }
        GateError::Store(error) => store(&error),
        GateError::Unreadable { .. } => internal(&error),
    }
}

/// The status of an import that stopped; everything up to the line it names is written.
pub(super) fn import(error: &ImportError) -> Status {
    let status = match &error.failure {
        ImportFailure::Ending => passing(Code::Unavailable, "ENDING", error),
        ImportFailure::Store(failure) => store(failure),
    };
    let message = format!("{error}: {}", status.message());
    Status::with_details(status.code(), message, status.details().to_vec().into())
}

/// A status as it stands in an answer to one of several questions.
pub(super) fn inside(status: &Status) -> tonic_types::Status {
    let details = tonic_types::Status::decode(status.details())
        .unwrap_or_default()
        .details;
    tonic_types::Status {
        code: status.code() as i32,
        message: status.message().to_owned(),
        details,
    }
}

/// `INVALID_ARGUMENT` with a field violation each.
pub(super) fn malformed(violations: &[Violation]) -> Status {
    let mut details = info("MALFORMED_REQUEST");
    let mut message = String::from("malformed request");
    for (index, violation) in violations.iter().enumerate() {
        let description = violation.description(Language::English);
        message.push_str(if index == 0 { ": " } else { "; " });
        message.push('`');
        message.push_str(&violation.field);
        message.push_str("`: ");
        message.push_str(&description);
        details.add_bad_request_violation(&violation.field, description);
        // Headers are bounded; what is beyond is reported when these are mended.
        if message.len() > LONGEST {
            message.push_str("; and more");
            break;
        }
    }
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// Longest message, in octets, about: a status travels in headers, which peers bound at 8 KiB.
const LONGEST: usize = 1_500;

fn store(error: &StoreError) -> Status {
    match error {
        // Of a key that was replaced: the process ends, and another one, or this one started again, can
        // do it.
        StoreError::Unavailable { .. } | StoreError::KeyReplaced { .. } => {
            AWAY.tell(|more| {
                let call::Shown {
                    method,
                    request_id,
                    trace_id,
                } = call::shown();
                let (request_id, trace_id) = (request_id.as_deref(), trace_id.as_deref());
                let error: &dyn std::error::Error = error;
                tracing::warn!(
                    error,
                    method,
                    request_id,
                    trace_id,
                    more,
                    "a call needs the store, which does not answer"
                );
            });
            passing(Code::Unavailable, "STORE_UNAVAILABLE", error)
        }
        StoreError::Failed { .. }
        | StoreError::Unusable { .. }
        | StoreError::Inconsistent { .. }
        | StoreError::MigrationsPending { .. }
        | StoreError::TooNew { .. }
        | StoreError::KeyChanged { .. } => internal(error),
    }
}

/// The status of a call that is not let in. It tells a stranger whether something was shown and
/// nothing of what was wrong with it; that is in the log.
pub(super) fn refused(refusal: &Refusal) -> Status {
    match refusal {
        Refusal::NoCredential => Status::with_error_details(
            Code::Unauthenticated,
            "show a client certificate or a bearer token",
            info("CREDENTIAL_MISSING"),
        ),
        Refusal::Credential(_) => Status::with_error_details(
            Code::Unauthenticated,
            "the certificate or token is not accepted",
            info("CREDENTIAL_REFUSED"),
        ),
        Refusal::NoKeys => {
            let mut details = info("CREDENTIAL_UNCHECKED");
            details.set_retry_info(Some(RETRY_AFTER));
            let message = "tokens cannot be checked now; try again shortly";
            Status::with_error_details(Code::Unavailable, message, details)
        }
        Refusal::NoMethod => Status::with_error_details(
            Code::Unimplemented,
            "there is no such method",
            info("METHOD_UNKNOWN"),
        ),
        Refusal::Role { .. } => Status::with_error_details(
            Code::PermissionDenied,
            "this caller has no role that may call this method",
            info("ROLE_MISSING"),
        ),
        Refusal::Rate {
            exceeded: Exceeded::Wait(wait),
            ..
        } => {
            let mut details = info("RATE_EXCEEDED");
            details.set_retry_info(Some(*wait));
            let message = "this caller's rate is used up; try again after the time in RetryInfo";
            Status::with_error_details(Code::ResourceExhausted, message, details)
        }
        Refusal::Rate {
            exceeded: Exceeded::Never { burst },
            ..
        } => {
            let mut details = info("BATCH_OVER_RATE");
            let description =
                format!("this caller may ask at most {burst} questions at once; send fewer");
            details.add_bad_request_violation("requests", &description);
            Status::with_error_details(Code::InvalidArgument, description, details)
        }
    }
}

/// The status of a call that took longer than its caller, or else `limits.call_timeout`, allows.
pub(super) fn late(callers: bool) -> Status {
    let (reason, message) = if callers {
        ("DEADLINE", "the deadline that the caller set has passed")
    } else {
        (
            "CALL_TIMEOUT",
            "the call took longer than calls may (limits.call_timeout)",
        )
    };
    Status::with_error_details(Code::DeadlineExceeded, message, info(reason))
}

/// The status of a call whose caller sends nothing any more.
pub(super) fn silent() -> Status {
    Status::with_error_details(
        Code::DeadlineExceeded,
        "nothing came from the caller for longer than a call may take (limits.call_timeout)",
        info("CALL_TIMEOUT"),
    )
}

/// The status of a stream that has been open for as long as streams may.
pub(super) fn aged() -> Status {
    let mut details = info("STREAM_AGE");
    details.set_retry_info(Some(Duration::ZERO));
    let message = "the stream was open for as long as streams may be (limits.stream_age); go on \
                   with a new one";
    Status::with_error_details(Code::Unavailable, message, details)
}

/// The status of a call for which there is no place.
pub(super) fn overloaded(kind: Kind) -> Status {
    let key = match kind {
        Kind::Batch => "limits.max_concurrent_batches",
        Kind::Check => "limits.max_concurrent_calls",
        Kind::Import | Kind::Screen => "limits.max_concurrent_streams",
        Kind::Other | Kind::Probe => "limits.max_concurrent_others",
    };
    let mut details = info("OVERLOADED");
    details.set_retry_info(Some(COME_BACK_AFTER));
    let message = format!("too many calls of this kind are worked on ({key}); try again shortly");
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// The status of a call whose message did not come while others waited for its place.
pub(super) fn slow() -> Status {
    let mut details = info("OVERLOADED");
    details.set_retry_info(Some(COME_BACK_AFTER));
    let message = "the message did not come while others waited for a place; try again shortly";
    Status::with_error_details(Code::ResourceExhausted, message, details)
}

/// The status of a call that panicked.
pub(super) fn panicked() -> Status {
    let message = "internal error; see the log";
    Status::with_error_details(Code::Internal, message, info("INTERNAL"))
}

/// The status of a call whose message is longer than messages may be.
pub(super) fn too_large() -> Status {
    let message = "the request is longer than requests may be (limits.max_question_bytes for one \
                   question, limits.max_request_bytes for others)";
    Status::with_error_details(Code::OutOfRange, message, info("REQUEST_TOO_LARGE"))
}

/// What the decoder of a stream says, with the bound's name where it is about size.
pub(super) fn undecoded(status: Status) -> Status {
    if status.code() == Code::OutOfRange && status.details().is_empty() {
        too_large()
    } else {
        status
    }
}

/// The status of a stream that ends because the service does.
pub(super) fn ending() -> Status {
    let mut details = info("ENDING");
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(Code::Unavailable, "the service is ending", details)
}

fn passing(code: Code, reason: &'static str, error: &dyn std::error::Error) -> Status {
    let mut details = info(reason);
    details.set_retry_info(Some(RETRY_AFTER));
    Status::with_error_details(code, error.to_string(), details)
}

/// What callers cannot mend: they learn that it happened, operators why.
fn internal(error: &(dyn std::error::Error + 'static)) -> Status {
    note(error);
    Status::with_error_details(
        Code::Internal,
        "internal error; see the log",
        info("INTERNAL"),
    )
}

/// Tells operators of a call that failed, with everything that led to it. The line of the call has
/// the same identifiers, and not the error once more.
fn note(error: &(dyn std::error::Error + 'static)) {
    let call::Shown {
        method,
        request_id,
        trace_id,
    } = call::shown();
    let (request_id, trace_id) = (request_id.as_deref(), trace_id.as_deref());
    tracing::error!(error, method, request_id, trace_id, "a call failed");
}

fn info(reason: &'static str) -> ErrorDetails {
    call::note(|notes| notes.error = Some(reason));
    ErrorDetails::with_error_info(reason, DOMAIN, std::collections::HashMap::new())
}
