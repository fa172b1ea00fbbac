//! Asking a running server.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

use super::exit::{self, Failure, OrExit as _};
use super::output::clean;
use crate::config;

/// Longest time for a connection to stand.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a server gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The address is not one.
    #[error(
        "`{url}` is not the address of a server; give one such as `http://127.0.0.1:50051`, or \
         `https://` for one with TLS"
    )]
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
    /// An encrypted connection broke before there was an answer.
    #[error(
        "{url} closed the connection without an answer; if it asks callers for a certificate, give \
         client.cert_file and client.key_file"
    )]
    Closed {
        /// The server.
        url: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file cannot be read, or is not what it should be.
    #[error("read `{}` (key {key})", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The key that names it.
        key: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A token or certificate would be shown to whoever listens on the way.
    #[error(
        "{url} is not encrypted: a token is shown only to servers with `https://`, or on this \
         machine"
    )]
    Plain {
        /// The server.
        url: String,
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

/// What is shown to a server, and what it has to show.
#[derive(Clone, Debug, Default)]
pub struct Access {
    tls: Tls,
    bearer: Bearer,
}

#[derive(Clone, Debug, Default)]
struct Tls {
    authorities: Option<Vec<u8>>,
    identity: Option<Identity>,
}

/// Shows a token with every call.
#[derive(Clone, Default)]
pub struct Bearer(Option<MetadataValue<Ascii>>);

/// A connection on which every call shows what it has to.
pub type Connected = InterceptedService<Channel, Bearer>;

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

/// Whether there is a token; never the token.
impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Bearer").field(&self.0.is_some()).finish()
    }
}

impl Access {
    /// Reads what the configuration names.
    ///
    /// # Errors
    ///
    /// A file cannot be read ([`exit::CONFIG`]).
    pub fn read(client: &config::Client) -> Result<Self, Failure> {
        let authorities = client.ca_file.as_deref();
        let authorities = authorities
            .map(|path| read(path, "client.ca_file"))
            .transpose()?;
        let identity = match (&client.cert_file, &client.key_file) {
            (Some(cert), Some(key)) => Some(Identity::from_pem(
                read(cert, "client.cert_file")?,
                read(key, "client.key_file")?,
            )),
            (_, _) => None,
        };
        let bearer = match &client.token_file {
            Some(path) => Some(token(path)?),
            None => None,
        };
        Ok(Self {
            tls: Tls {
                authorities,
                identity,
            },
            bearer: Bearer(bearer),
        })
    }
}

fn read(path: &Path, key: &'static str) -> Result<Vec<u8>, Failure> {
    std::fs::read(path)
        .map_err(|source| RemoteError::File {
            path: path.to_owned(),
            key,
            source: source.into(),
        })
        .or_exit(exit::CONFIG)
}

fn token(path: &Path) -> Result<MetadataValue<Ascii>, Failure> {
    const KEY: &str = "client.token_file";
    let bytes = read(path, KEY)?;
    // What is in the file is not shown, be it wrong.
    let wrong = || RemoteError::File {
        path: path.to_owned(),
        key: KEY,
        source: "not a token on one line".into(),
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong());
    let text = text.or_exit(exit::CONFIG)?;
    let one = text.trim();
    if one.is_empty() || one.contains(char::is_whitespace) {
        return Err(wrong()).or_exit(exit::CONFIG);
    }
    let mut value: MetadataValue<Ascii> = format!("Bearer {one}")
        .parse()
        .map_err(|_| wrong())
        .or_exit(exit::CONFIG)?;
    value.set_sensitive(true);
    Ok(value)
}

/// The address to ask: the one that was given, else the configured listener, on this machine where
/// it listens on every address.
#[must_use]
pub fn url_of(grpc: &config::Grpc) -> String {
    let scheme = if grpc.tls_cert_file.is_some() {
        "https"
    } else {
        "http"
    };
    let listen = grpc.listen;
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address @ (IpAddr::V4(_) | IpAddr::V6(_)) => address,
    };
    format!("{scheme}://{}", SocketAddr::new(address, listen.port()))
}

/// Connects. `timeout` is the longest time for each call on the connection.
///
/// # Errors
///
/// The address is not one ([`exit::USAGE`]), or nobody answers there ([`exit::UNAVAILABLE`]).
pub async fn connect(
    url: &str,
    access: &Access,
    timeout: Option<Duration>,
) -> Result<Connected, Failure> {
    let bad = || RemoteError::Address {
        url: clean(url).into_owned(),
    };
    let encrypted = url.starts_with("https://");
    if !encrypted && !url.starts_with("http://") {
        return Err(Failure::new(exit::USAGE, bad()));
    }
    let endpoint = Endpoint::from_shared(url.to_owned())
        .map_err(|_| bad())
        .or_exit(exit::USAGE)?;
    let unreachable = |source: tonic::transport::Error| RemoteError::Unreachable {
        url: url.to_owned(),
        source: source.into(),
    };
    let endpoint = if encrypted {
        let tls = ClientTlsConfig::new();
        let tls = match &access.tls.authorities {
            Some(authorities) => tls.ca_certificate(Certificate::from_pem(authorities)),
            None => tls.with_native_roots(),
        };
        let tls = match &access.tls.identity {
            Some(identity) => tls.identity(identity.clone()),
            None => tls,
        };
        endpoint
            .tls_config(tls)
            .map_err(unreachable)
            .or_exit(exit::CONFIG)?
    } else if access.bearer.0.is_some() && !is_here(endpoint.uri()) {
        let url = url.to_owned();
        return Err(Failure::new(exit::USAGE, RemoteError::Plain { url }));
    } else {
        endpoint
    };
    let endpoint = endpoint.connect_timeout(CONNECT_TIMEOUT);
    let endpoint = match timeout {
        Some(timeout) => endpoint.timeout(timeout),
        None => endpoint,
    };
    let channel = endpoint
        .connect()
        .await
        .map_err(unreachable)
        .or_exit(exit::UNAVAILABLE)?;
    Ok(InterceptedService::new(channel, access.bearer.clone()))
}

/// Whether the host of an address is this machine.
fn is_here(uri: &http::Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost"
        || address
            .parse()
            .is_ok_and(|address: IpAddr| address.is_loopback())
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
    // Without an answer of the server's own: the connection broke. With TLS 1.3 a caller learns
    // only now that it should have shown a certificate.
    let broken = matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Cancelled
    );
    if broken && std::error::Error::source(&status).is_some() {
        let (url, source) = (url.to_owned(), status.into());
        let error = if url.starts_with("https://") {
            RemoteError::Closed { url, source }
        } else {
            RemoteError::Unreachable { url, source }
        };
        return Failure::new(exit::UNAVAILABLE, error);
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
        let loaded = config::load(&config::Inputs::default()).unwrap();
        let mut grpc = loaded.config.grpc;
        let mut url = |listen: &str| {
            grpc.listen = listen.parse().unwrap();
            url_of(&grpc)
        };
        assert_eq!(url("0.0.0.0:1"), "http://127.0.0.1:1");
        assert_eq!(url("[::]:1"), "http://[::1]:1");
        assert_eq!(url("10.0.0.8:1"), "http://10.0.0.8:1");
        grpc.tls_cert_file = Some("server.pem".into());
        assert_eq!(url_of(&grpc), "https://10.0.0.8:1");
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
