//! Asking a running server.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::exit::{self, Failure, OrExit as _};
use super::output::clean;

/// Longest time for a connection to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is not one.
    #[error("`{url}` is not the address of a server; give one such as `http://127.0.0.1:50051`")]
    Address {
        /// As typed.
        url: String,
    },
    /// The server said no, or failed.
    #[error("{url} answered {code:?}: {message}{violations}")]
    Answered {
        /// The server.
        url: String,
        /// Its code.
        code: Code,
        /// Its message.
        message: String,
        /// What is wrong with which field, a line each.
        violations: String,
    },
    /// Nobody answers there.
    #[error(
        "no server answers at {url}; start one with `icpgate serve`, or name one with `--server`"
    )]
    Unreachable {
        /// The server.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The address to ask: the one that was given, else the configured listener, on this machine where
/// it listens on every address.
#[must_use]
pub fn url_of(listen: SocketAddr) -> String {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    };
    format!("http://{}", SocketAddr::new(address, listen.port()))
}

/// Connects. `timeout` is the longest time for each call on the connection.
///
/// # Errors
///
/// The address is not one ([`exit::USAGE`]), or nobody answers there ([`exit::UNAVAILABLE`]).
pub async fn connect(url: &str, timeout: Option<Duration>) -> Result<Channel, Failure> {
    let bad = || RemoteError::Address {
        url: clean(url).into_owned(),
    };
    // Encrypted connections are not offered, and would fail with a riddle.
    if !url.starts_with("http://") {
        return Err(Failure::new(exit::USAGE, bad()));
    }
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|_| bad())
        .or_exit(exit::USAGE)?;
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
    let endpoint = match timeout {
        Some(timeout) => endpoint.timeout(timeout),
        None => endpoint,
    };
    endpoint
        .connect()
        .await
        .map_err(|source| RemoteError::Unreachable {
            url: url.to_owned(),
            source: source.into(),
        })
        .or_exit(exit::UNAVAILABLE)
}

/// A failed call with its exit code.
#[must_use]
pub fn failure(url: &str, status: Status) -> Failure {
    let code = match status.code() {
        Code::InvalidArgument | Code::NotFound | Code::OutOfRange => exit::USAGE,
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::ResourceExhausted => {
            exit::UNAVAILABLE
        }
        Code::PermissionDenied | Code::Unauthenticated => exit::NO_PERMISSION,
        Code::Ok
        | Code::Unknown
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::Unimplemented
        | Code::Internal
        | Code::DataLoss => exit::SOFTWARE,
    };
    // Without an answer of the server's own: the connection broke.
    if status.code() == Code::Unavailable && std::error::Error::source(&status).is_some() {
        let url = url.to_owned();
        return Failure::new(
            code,
            RemoteError::Unreachable {
                url,
                source: status.into(),
            },
        );
    }
    let mut violations = String::new();
    let details = status.get_details_bad_request();
    for found in details.iter().flat_map(|details| &details.field_violations) {
        let (field, description) = (clean(&found.field), clean(&found.description));
        let _ = write!(violations, "\n  {field}: {description}");
    }
    let error = RemoteError::Answered {
        url: url.to_owned(),
        code: status.code(),
        message: clean(status.message()).into_owned(),
        violations,
    };
    Failure::new(code, error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_on_every_address_is_asked_on_this_machine() {
        assert_eq!(url_of("0.0.0.0:1".parse().unwrap()), "http://127.0.0.1:1");
        assert_eq!(url_of("[::]:1".parse().unwrap()), "http://[::1]:1");
        assert_eq!(url_of("10.0.0.8:1".parse().unwrap()), "http://10.0.0.8:1");
    }

    #[test]
    fn field_violations_are_shown() {
        let mut details = tonic_types::ErrorDetails::new();
        details.add_bad_request_violation("product", "give a\u{1b} product");
        let status = Status::with_error_details(Code::InvalidArgument, "malformed", details);
        let failure = failure("http://[::1]:1", status);
        assert_eq!(failure.code, exit::USAGE);
        assert_eq!(
            failure.error.to_string(),
            "http://[::1]:1 answered InvalidArgument: malformed\n  product: give a\u{fffd} product"
        );
    }
}
