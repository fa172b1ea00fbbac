//! Looks whether certificates, callers and keys have changed, and takes what is new.
//!
//! Files are read and compared by content: their times say nothing where they are exchanged by links,
//! as Kubernetes does it. **Invariant:** new contents are taken whole or not at all; what is wrong is
//! logged once, and what held before stays in force. Connections that stand are not touched. Metrics
//! say for as long as it is so that what the files hold is not in force.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::callers::Callers;
use super::rate::RateLimit;
use super::tls::{TlsTexts, server_config};
use super::token::Tokens;
use super::{
    Acceptor, Auth, AuthError, AuthOptions, Closed, KeysError, Known, Mode, Opened, TlsOptions,
};
use crate::clock::Clock;
use crate::lifecycle::Hangups;
use crate::telemetry::metrics::label::{AuthFile, Reload};
use crate::telemetry::metrics::list::{AUTH_REFUSED, RELOADS};

/// Looks whether files and keys have changed; see [`Watch::run`].
pub struct Watch {
    auth: Arc<Auth>,
    tls: Option<WatchedTls>,
    callers: Option<WatchedCallers>,
    every: Duration,
    /// What was last wrong with the keys of tokens.
    trouble: String,
}

struct WatchedTls {
    options: TlsOptions,
    optional: bool,
    settings: Arc<ArcSwap<ServerConfig>>,
    /// The contents that were looked at last, good or not.
    seen: TlsTexts,
    /// Whether they are in force.
    in_force: bool,
    /// What kept the files from being read, so that it is told once.
    trouble: String,
}

struct WatchedCallers {
    path: PathBuf,
    default_rate: Option<RateLimit>,
    seen: String,
    in_force: bool,
    trouble: String,
}

/// Reads what the options name.
pub(super) async fn open(options: AuthOptions, clock: Arc<dyn Clock>) -> Result<Opened, AuthError> {
    let certificates = options
        .tls
        .as_ref()
        .is_some_and(|tls| tls.client_ca_file.is_some());
    let tls = match options.tls {
        Some(tls) => Some(open_tls(tls, options.tokens.is_some()).await?),
        None => None,
    };
    let acceptor = match &tls {
        Some(tls) => Acceptor::tls(Arc::clone(&tls.settings)),
        None => Acceptor::plain(),
    };
    let mut watched = None;
    let auth = if certificates || options.tokens.is_some() {
        let path = options.callers_file.ok_or(AuthError::NoCallers)?;
        let text = tokio::fs::read_to_string(&path)
            .await
            .map_err(|source| AuthError::File {
                path: path.clone(),
                key: "auth.callers_file",
                source,
            })?;
        let callers = Callers::read(&text, options.default_rate, None).map_err(|source| {
            AuthError::Callers {
                path: path.clone(),
                source,
            }
        })?;
        let tokens = match options.tokens {
            Some(options) => Some(open_tokens(Tokens::new(options, clock)?).await?),
            None => None,
        };
        watched = Some(WatchedCallers {
            path,
            default_rate: options.default_rate,
            seen: text,
            in_force: true,
            trouble: String::new(),
        });
        Auth(Mode::Closed(Box::new(Closed {
            callers: ArcSwap::from_pointee(Known {
                generation: 0,
                callers,
            }),
            tokens,
        })))
    } else {
        Auth::everybody()
    };
    if tls.is_some() {
        AUTH_REFUSED.set_flag((AuthFile::Certificates,), false);
    }
    if watched.is_some() {
        AUTH_REFUSED.set_flag((AuthFile::Callers,), false);
    }
    let auth = Arc::new(auth);
    let watch = (tls.is_some() || watched.is_some()).then(|| Watch {
        auth: Arc::clone(&auth),
        tls,
        callers: watched,
        every: options.look_every,
        trouble: String::new(),
    });
    Ok(Opened {
        auth,
        acceptor,
        watch,
    })
}

async fn open_tls(options: TlsOptions, optional: bool) -> Result<WatchedTls, AuthError> {
    let texts = read_tls(&options).await?;
    let settings = server_config(&texts, optional)?;
    Ok(WatchedTls {
        options,
        optional,
        settings: Arc::new(ArcSwap::from_pointee(settings)),
        seen: texts,
        in_force: true,
        trouble: String::new(),
    })
}

/// Gets the first keys. A file must be there and good; a URL that does not give them now is asked
/// again, so that a replica starts while the issuer is away.
async fn open_tokens(tokens: Tokens) -> Result<Tokens, KeysError> {
    match tokens.look().await {
        Ok(_) => {}
        Err(error) if tokens.is_file() => return Err(error),
        Err(error) => {
            let error: &dyn std::error::Error = &error;
            tracing::error!(
                error,
                "keys of tokens cannot be had yet; calls with tokens are told to come back"
            );
        }
    }
    Ok(tokens)
}

async fn read_tls(options: &TlsOptions) -> Result<TlsTexts, AuthError> {
    let read = async |path: &PathBuf, key| {
        tokio::fs::read(path)
            .await
            .map_err(|source| AuthError::File {
                path: path.clone(),
                key,
                source,
            })
    };
    Ok(TlsTexts {
        chain: read(&options.cert_file, "grpc.tls_cert_file").await?,
        key: read(&options.key_file, "grpc.tls_key_file").await?,
        client_authorities: match &options.client_ca_file {
            Some(path) => Some(read(path, "grpc.client_ca_file").await?),
            None => None,
        },
    })
}

impl Watch {
    /// Looks at the files every so often and when the process is told to (SIGHUP), and at the keys
    /// also when a token needs an unknown one, until `stop` is cancelled.
    pub async fn run(mut self, stop: CancellationToken) {
        let auth = Arc::clone(&self.auth);
        let tokens = auth.tokens();
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut refresh = tokio::time::interval(tokens.map_or(self.every, |tokens| tokens.refresh));
        refresh.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // What has just been opened is not looked at again.
        ticks.reset();
        refresh.reset();
        let mut signals = Hangups::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {
                    self.look().await;
                    if let Some(tokens) = tokens
                        .filter(|tokens| tokens.is_file() || !tokens.has_keys())
                    {
                        self.look_for_keys(tokens).await;
                    }
                }
                _ = refresh.tick(), if tokens.is_some_and(|tokens| !tokens.is_file()) => {
                    if let Some(tokens) = tokens {
                        self.look_for_keys(tokens).await;
                    }
                }
                () = wanted(tokens) => {
                    if let Some(tokens) = tokens.filter(|tokens| tokens.may_look()) {
                        self.look_for_keys(tokens).await;
                    }
                }
                () = signals.next() => {
                    tracing::info!("looking at certificates, callers and keys: told to by SIGHUP");
                    self.look().await;
                    if let Some(tokens) = tokens {
                        self.look_for_keys(tokens).await;
                    }
                }
            }
        }
    }

    async fn look_for_keys(&mut self, tokens: &Tokens) {
        match tokens.look().await {
            Ok(changed) => {
                self.trouble.clear();
                if changed {
                    RELOADS.inc((Reload::Taken,));
                    tracing::info!("the keys of tokens have changed");
                }
            }
            Err(error) => tell(&error, &mut self.trouble),
        }
    }

    /// Looks at the files once.
    async fn look(&mut self) {
        if let Some(tls) = &mut self.tls {
            let in_force = tls.look().await;
            AUTH_REFUSED.set_flag((AuthFile::Certificates,), !in_force);
        }
        if let (Some(callers), Mode::Closed(closed)) = (&mut self.callers, &self.auth.0) {
            let in_force = callers.look(closed).await;
            AUTH_REFUSED.set_flag((AuthFile::Callers,), !in_force);
        }
    }
}

impl WatchedTls {
    /// Takes what is new; whether what the files hold is in force then.
    async fn look(&mut self) -> bool {
        let texts = match read_tls(&self.options).await {
            Ok(texts) => texts,
            Err(error) => {
                tell(&error, &mut self.trouble);
                return false;
            }
        };
        self.trouble.clear();
        if texts == self.seen {
            return self.in_force;
        }
        match server_config(&texts, self.optional) {
            Ok(settings) => {
                self.settings.store(Arc::new(settings));
                self.in_force = true;
                RELOADS.inc((Reload::Taken,));
                tracing::info!("certificates have changed; new connections get the new ones");
            }
            Err(error) => {
                self.in_force = false;
                tell(&error, &mut self.trouble);
            }
        }
        self.seen = texts;
        self.in_force
    }
}

impl WatchedCallers {
    /// As [`WatchedTls::look`].
    async fn look(&mut self, closed: &Closed) -> bool {
        let text = match tokio::fs::read_to_string(&self.path).await {
            Ok(text) => text,
            Err(source) => {
                let error = AuthError::File {
                    path: self.path.clone(),
                    key: "auth.callers_file",
                    source,
                };
                tell(&error, &mut self.trouble);
                return false;
            }
        };
        self.trouble.clear();
        if text == self.seen {
            return self.in_force;
        }
        let before = closed.callers.load_full();
        match Callers::read(&text, self.default_rate, Some(&before.callers)) {
            Ok(callers) => {
                let count = callers.all().len();
                closed.callers.store(Arc::new(Known {
                    generation: before.generation + 1,
                    callers,
                }));
                self.in_force = true;
                RELOADS.inc((Reload::Taken,));
                tracing::info!(callers = count, "the file of callers has changed");
            }
            Err(source) => {
                let error = AuthError::Callers {
                    path: self.path.clone(),
                    source,
                };
                self.in_force = false;
                tell(&error, &mut self.trouble);
            }
        }
        self.seen = text;
        self.in_force
    }
}

impl Auth {
    fn tokens(&self) -> Option<&Tokens> {
        match &self.0 {
            Mode::Closed(closed) => closed.tokens.as_ref(),
            Mode::Open(_) => None,
        }
    }
}

async fn wanted(tokens: Option<&Tokens>) {
    match tokens {
        Some(tokens) => tokens.wanted.notified().await,
        None => std::future::pending().await,
    }
}

/// Logs what is wrong, if it was not logged just before.
fn tell(error: &(dyn std::error::Error + 'static), before: &mut String) {
    let mut told = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        told.push_str(": ");
        told.push_str(&cause.to_string());
        source = cause.source();
    }
    if told != *before {
        RELOADS.inc((Reload::Refused,));
        tracing::error!(error, "what held before stays in force");
        *before = told;
    }
}
