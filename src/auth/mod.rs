//! Who calls, and what they may.
//!
//! A connection becomes a [`Peer`] in [`Acceptor`]; a call is traced back to a [`Caller`] by
//! [`Auth::recognise`], from the certificate of its connection, its bearer token, or both; and
//! [`Auth::admit`] holds it against the table of [`methods`] and the caller's rate.
//!
//! **Invariant:** deny by default. Who is not recognised is nobody; a method that is not listed is
//! refused; a credential that is shown is checked, and a wrong one is never overlooked because
//! another one is right. With a certificate and a token both must be right, and the token names the
//! caller: it says on whose behalf the owner of the certificate calls.
//! **Invariant:** a token is never logged and never shown. A file that is changed and wrong leaves
//! what held before in force.
//! **Absent on purpose:** sessions, passwords, and rights that depend on a record. What transports
//! make of a [`Refusal`] is their business.
//! Start at [`open`].

mod acceptor;
mod callers;
mod crypto;
mod expiry;
mod fetch;
mod keys;
pub mod methods;
mod peer;
mod rate;
mod role;
mod tls;
mod token;
mod watch;

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;

pub use acceptor::{Acceptor, Stream};
pub use callers::{CallerProblem, CallerProblemKind, CallerProblems, Callers, LOCAL};
pub use fetch::FetchError;
pub use keys::{KeySource, KeysError};
pub use methods::{Access, Charge, METHODS, Method};
pub use peer::Peer;
pub use rate::{Exceeded, Rate, RateLimit};
pub use role::{Role, Roles};
pub use tls::TlsError;
pub use token::{TokenOptions, TokenProblem};
pub use watch::Watch;

use crate::clock::Clock;
use crate::telemetry::metrics::label;
use peer::Resolved;
use token::Tokens;

/// Somebody who calls.
#[derive(Debug)]
pub struct Caller {
    /// The name, as in the file of callers; for logs and labels.
    pub name: Arc<str>,
    /// What it may.
    pub roles: Roles,
    /// How many calls it may make; `None`: any number.
    pub rate: Option<Arc<Rate>>,
    /// What it is counted under, once it was looked up.
    pub label: OnceLock<label::Caller>,
}

/// How callers are let in.
#[derive(Clone, Debug, Default)]
pub struct AuthOptions {
    /// TLS; `None`: connections are plain.
    pub tls: Option<TlsOptions>,
    /// The file of callers. Needed with client authorities and with tokens.
    pub callers_file: Option<PathBuf>,
    /// Tokens; `None`: none are taken.
    pub tokens: Option<TokenOptions>,
    /// The rate of callers that the file gives none; `None`: any number of calls.
    pub default_rate: Option<RateLimit>,
    /// How often the files are looked at.
    pub look_every: Duration,
}

/// Where TLS finds what it needs; all in PEM form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// The server's certificate, then those that lead up to an authority.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// Authorities of callers' certificates; `None`: callers show none. Without tokens every caller
    /// must show a certificate.
    pub client_ca_file: Option<PathBuf>,
}

/// What [`open`] makes.
pub struct Opened {
    /// Says who calls and what they may.
    pub auth: Arc<Auth>,
    /// Takes connections.
    pub acceptor: Acceptor,
    /// Looks whether files and keys have changed; `None` where there are none.
    pub watch: Option<Watch>,
}

/// Why nobody can be let in.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// The file of callers is wrong.
    #[error("read the callers in `{}` (key auth.callers_file)", path.display())]
    Callers {
        /// The file.
        path: PathBuf,
        /// Everything that is wrong with it.
        #[source]
        source: CallerProblems,
    },
    /// A file cannot be read.
    #[error("read `{}` (key {key})", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The key of the configuration that names it.
        key: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The keys of tokens cannot be had.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// Certificates or tokens are asked for, and there is no file of callers.
    #[error("let callers in: nobody is known; give auth.callers_file")]
    NoCallers,
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Why a call is refused. Whoever is not recognised learns no more than whether it showed
/// something; the rest is for logs.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// Nothing was shown that would name a caller.
    NoCredential,
    /// What was shown names no caller.
    Credential(CredentialProblem),
    /// Tokens cannot be checked now.
    NoKeys,
    /// There is no such method, or nobody may call it.
    NoMethod,
    /// The caller has none of the roles that may call this.
    Role {
        /// The caller.
        caller: Arc<Caller>,
    },
    /// The caller's rate is used up.
    Rate {
        /// The caller.
        caller: Arc<Caller>,
        /// What is left.
        exceeded: Exceeded,
    },
}

/// What is wrong with what was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CredentialProblem {
    /// The certificate names more than one caller.
    #[error("the certificate names several callers")]
    CertificateAmbiguous,
    /// The certificate names no caller.
    #[error("the certificate names no caller of auth.callers_file")]
    CertificateUnknown,
    /// There is not one header with a bearer token.
    #[error("not one `authorization` header with a bearer token")]
    Header,
    /// The subject of the token is no caller.
    #[error("the subject of the token is no caller of auth.callers_file")]
    SubjectUnknown,
    /// The token is not right.
    #[error("the token is refused: {0}")]
    Token(TokenProblem),
    /// No tokens are taken here.
    #[error("a token was shown, and none are configured")]
    TokensNotTaken,
}

/// What a call shows besides the certificate of its connection.
#[derive(Clone, Copy)]
pub enum Shown<'r> {
    /// No token.
    Nothing,
    /// A bearer token.
    Token(&'r str),
    /// Something that is not one bearer token.
    Other,
}

/// Says who calls, and what they may.
pub struct Auth(Mode);

enum Mode {
    /// Everybody is this one.
    Open(Arc<Caller>),
    /// Callers have to show who they are.
    Closed(Box<Closed>),
}

struct Closed {
    callers: ArcSwap<Known>,
    tokens: Option<Tokens>,
}

/// The callers of one state of the file.
struct Known {
    generation: u64,
    callers: Callers,
}

/// Reads what the options name.
///
/// # Errors
///
/// Something that is needed is missing or wrong. Keys at a URL may come later.
pub async fn open(options: AuthOptions, clock: Arc<dyn Clock>) -> Result<Opened, AuthError> {
    watch::open(options, clock).await
}

impl Auth {
    /// Takes everybody for [`LOCAL`] with every role.
    #[must_use]
    pub fn everybody() -> Self {
        Self(Mode::Open(Arc::new(Caller {
            name: LOCAL.into(),
            roles: Roles::ALL,
            rate: None,
            label: OnceLock::new(),
        })))
    }

    /// Whether callers have to show who they are.
    #[must_use]
    pub fn is_required(&self) -> bool {
        matches!(self.0, Mode::Closed(_))
    }

    /// Says who calls.
    ///
    /// # Errors
    ///
    /// Nobody who is known.
    pub fn recognise(&self, peer: Option<&Peer>, shown: Shown<'_>) -> Result<Arc<Caller>, Refusal> {
        let closed = match &self.0 {
            Mode::Open(local) => return Ok(Arc::clone(local)),
            Mode::Closed(closed) => closed,
        };
        let known = closed.callers.load();
        let certified = peer
            .filter(|peer| peer.names().is_some())
            .map(|peer| by_certificate(&known, peer));
        let token = match shown {
            Shown::Nothing => return certified.unwrap_or(Err(Refusal::NoCredential)),
            Shown::Other => return Err(Refusal::Credential(CredentialProblem::Header)),
            Shown::Token(token) => token,
        };
        // Both must be right.
        certified.transpose()?;
        let tokens = closed
            .tokens
            .as_ref()
            .ok_or(Refusal::Credential(CredentialProblem::TokensNotTaken))?;
        let subject = tokens.check(token).map_err(|problem| {
            if problem == TokenProblem::NoKeys {
                Refusal::NoKeys
            } else {
                Refusal::Credential(CredentialProblem::Token(problem))
            }
        })?;
        let caller = known.callers.of_subject(&subject).map(Arc::clone);
        caller.ok_or(Refusal::Credential(CredentialProblem::SubjectUnknown))
    }

    /// Waits, not for long, until keys were looked for that a call may lack. To be asked once for a
    /// call that was refused with [`Refusal::may_lack_keys`].
    pub async fn renew_keys(&self) {
        if let Mode::Closed(closed) = &self.0
            && let Some(tokens) = &closed.tokens
        {
            tokens.renewed().await;
        }
    }

    /// Whether the caller may call the method now; takes what the call costs of its rate.
    ///
    /// # Errors
    ///
    /// It may not, or not now.
    pub fn admit(&self, caller: &Arc<Caller>, method: &Method) -> Result<(), Refusal> {
        let allowed = match method.access {
            Access::Everyone => return Ok(()),
            Access::Roles(roles) => roles,
        };
        if !caller.roles.meets(allowed) {
            return Err(Refusal::Role {
                caller: Arc::clone(caller),
            });
        }
        match method.charge {
            Charge::Free => Ok(()),
            Charge::One | Charge::Questions | Charge::Paced => caller.take(1),
        }
    }
}

impl Caller {
    /// Takes `count` calls of its rate, all or none.
    ///
    /// # Errors
    ///
    /// [`Refusal::Rate`].
    pub fn take(self: &Arc<Self>, count: u32) -> Result<(), Refusal> {
        let Some(rate) = &self.rate else {
            return Ok(());
        };
        rate.take(count).map_err(|exceeded| Refusal::Rate {
            caller: Arc::clone(self),
            exceeded,
        })
    }
}

impl Refusal {
    /// Whether new keys might make a difference.
    #[must_use]
    pub fn may_lack_keys(&self) -> bool {
        matches!(
            self,
            Self::NoKeys | Self::Credential(CredentialProblem::Token(TokenProblem::UnknownKey))
        )
    }
}

impl Shown<'_> {
    /// What the headers of a call show: its `authorization`, if it has one.
    #[must_use]
    pub fn of(headers: &http::HeaderMap) -> Shown<'_> {
        let mut values = headers.get_all(http::header::AUTHORIZATION).iter();
        match (values.next(), values.next()) {
            (None, _) => Shown::Nothing,
            (Some(value), None) => value
                .to_str()
                .ok()
                .and_then(bearer)
                .map_or(Shown::Other, Shown::Token),
            (Some(_), Some(_)) => Shown::Other,
        }
    }
}

/// The caller of a call that was let in, from the extensions of its request; `None` where everybody
/// is let in. A call that showed a token carries its caller; the others are their connection's.
#[must_use]
pub fn caller_of(extensions: &http::Extensions) -> Option<Arc<Caller>> {
    match extensions.get::<Arc<Caller>>() {
        Some(caller) => Some(Arc::clone(caller)),
        None => extensions.get::<Peer>()?.caller(),
    }
}

/// The caller of a certificate, worked out once for a connection and a state of the file.
fn by_certificate(known: &Known, peer: &Peer) -> Result<Arc<Caller>, Refusal> {
    if let Some(resolved) = &*peer.resolved().load()
        && resolved.generation == known.generation
    {
        return resolved.caller.clone();
    }
    let caller = lookup(known, peer);
    peer.resolved().store(Some(Arc::new(Resolved {
        generation: known.generation,
        caller: caller.clone(),
    })));
    caller
}

fn lookup(known: &Known, peer: &Peer) -> Result<Arc<Caller>, Refusal> {
    let names = peer.names().unwrap_or_default().iter();
    let mut found = names.filter_map(|name| known.callers.of_certificate(name));
    let Some(caller) = found.next() else {
        return Err(Refusal::Credential(CredentialProblem::CertificateUnknown));
    };
    if found.any(|other| !Arc::ptr_eq(caller, other)) {
        return Err(Refusal::Credential(CredentialProblem::CertificateAmbiguous));
    }
    Ok(Arc::clone(caller))
}

/// The token of an `authorization` header. The name of the scheme is read in any case: RFC 9110,
/// section 11.1.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// What may be shown of a call's credential: that it has one.
impl std::fmt::Debug for Shown<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nothing => "Nothing",
            Self::Token(_) => "Token(hidden)",
            Self::Other => "Other",
        })
    }
}
