//! Bearer tokens: JSON Web Tokens (RFC 7519) that an issuer has signed for this service.
//!
//! **Invariant:** the algorithm is one of those that the configuration fixes, all of them with a
//! public key; what a token says about its own algorithm chooses among these and nothing else. Issuer,
//! audience, subject and end are required. A token is checked again with every new set of keys.
//! **Absent on purpose:** revocation. Tokens end; keep them short-lived, or take their key or their
//! subject away.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use quick_cache::sync::Cache;
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use super::crypto;
use super::keys::{KeySet, KeySource, KeysError, Source};
use crate::clock::Clock;
use crate::telemetry::metrics::label::AuthFile;
use crate::telemetry::metrics::list::{AUTH_KEYS_AT, AUTH_REFUSED};

/// Longest token, in octets. Headers are bounded at 16 KiB together.
const LONGEST: usize = 8 * 1024;

/// Tokens that are remembered as checked.
const REMEMBERED: usize = 4096;

/// Keys of one algorithm that are tried for a token that names none.
const TRIED: usize = 8;

/// Calls that may wait for new keys at once: whoever makes up identifiers of keys shall not fill the
/// server with calls that wait.
const WAITING: usize = 64;

/// Longest time between two looks while there are no keys at all.
const REST_WITHOUT_KEYS: Duration = Duration::from_secs(1);

/// How long a call waits for new keys.
const WAIT: Duration = Duration::from_secs(2);

/// How tokens are checked.
#[derive(Clone, Debug)]
pub struct TokenOptions {
    /// Who must have issued them: `iss`.
    pub issuer: String,
    /// For whom they must be: `aud`.
    pub audience: String,
    /// Algorithms of which one must have signed them.
    pub algorithms: Vec<Algorithm>,
    /// How far the clocks of issuer and server may be apart.
    pub leeway: Duration,
    /// Where the keys are.
    pub keys: KeySource,
    /// How often the keys are got anew from a URL, without being asked for.
    pub refresh: Duration,
    /// Shortest time between two looks for an unknown key.
    pub cooldown: Duration,
}

/// Why a token is not taken. For logs; whoever sent it learns no more than that.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenProblem {
    /// Signed by an algorithm that is not configured.
    #[error("its algorithm is not one of auth.jwt_algorithms")]
    Algorithm,
    /// For somebody else.
    #[error("its audience is not auth.jwt_audience")]
    Audience,
    /// It is over.
    #[error("it has expired")]
    Expired,
    /// By somebody else.
    #[error("its issuer is not auth.jwt_issuer")]
    Issuer,
    /// Not a token, or without a claim that is required.
    #[error("it is malformed, or lacks one of the claims iss, aud, sub and exp")]
    Malformed,
    /// No keys could be had so far.
    #[error("no keys could be had yet")]
    NoKeys,
    /// It has not begun.
    #[error("it is not valid yet")]
    NotYet,
    /// The signature is wrong.
    #[error("its signature is wrong")]
    Signature,
    /// It is longer than tokens may be.
    #[error("it is longer than {LONGEST} bytes")]
    TooLong,
    /// No key has its identifier.
    #[error("its key is not in the key set")]
    UnknownKey,
}

/// Checks tokens.
pub(super) struct Tokens {
    issuer: String,
    audience: String,
    algorithms: Vec<Algorithm>,
    leeway: SignedDuration,
    pub(super) refresh: Duration,
    cooldown: Duration,
    source: Source,
    keys: ArcSwapOption<Keys>,
    checked: Cache<[u8; 32], Arc<Checked>>,
    clock: Arc<dyn Clock>,
    /// Rings when somebody wants new keys.
    pub(super) wanted: Notify,
    /// How often new keys were looked for.
    looks: watch::Sender<u64>,
    /// Until when nobody looks for an unknown key again; `None` while somebody looks, and before the
    /// first.
    rest_until: Mutex<Option<Instant>>,
    waiting: Semaphore,
}

struct Keys {
    set: KeySet,
    digest: blake3::Hash,
    generation: u64,
}

/// A token that was checked.
struct Checked {
    subject: Arc<str>,
    generation: u64,
    from: Option<Timestamp>,
    until: Timestamp,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    // Numbers with a fraction are allowed: RFC 7519, section 2, "NumericDate".
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
}

impl Tokens {
    pub(super) fn new(options: TokenOptions, clock: Arc<dyn Clock>) -> Result<Self, KeysError> {
        crypto::install();
        Ok(Self {
            issuer: options.issuer,
            audience: options.audience,
            algorithms: options.algorithms,
            leeway: options.leeway.try_into().unwrap_or(SignedDuration::ZERO),
            refresh: options.refresh,
            cooldown: options.cooldown,
            source: Source::new(options.keys)?,
            keys: ArcSwapOption::empty(),
            checked: Cache::new(REMEMBERED),
            clock,
            wanted: Notify::new(),
            looks: watch::Sender::new(0),
            rest_until: Mutex::new(None),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// The subject of a token, if it is right.
    pub(super) fn check(&self, token: &str) -> Result<Arc<str>, TokenProblem> {
        if token.len() > LONGEST {
            return Err(TokenProblem::TooLong);
        }
        let keys = self.keys.load();
        let keys = keys.as_ref().ok_or(TokenProblem::NoKeys)?;
        let digest = *blake3::hash(token.as_bytes()).as_bytes();
        if let Some(known) = self.checked.get(&digest)
            && known.generation == keys.generation
        {
            self.in_time(&known)?;
            return Ok(Arc::clone(&known.subject));
        }
        let checked = Arc::new(self.verify(token, keys)?);
        self.in_time(&checked)?;
        let subject = Arc::clone(&checked.subject);
        self.checked.insert(digest, checked);
        Ok(subject)
    }

    /// Looks for new keys and takes them if they are good; the old ones stay otherwise. Whether there
    /// are other keys now.
    pub(super) async fn look(&self) -> Result<bool, KeysError> {
        *self.rest() = None;
        let taken = match self.source.text().await {
            Ok(text) => self.take(&text).inspect_err(|_| self.source.gave_no_keys()),
            Err(error) => Err(error),
        };
        AUTH_REFUSED.set_flag((AuthFile::Keys,), taken.is_err());
        if taken.is_ok() {
            AUTH_KEYS_AT.set((), self.clock.now().as_duration().as_secs_f64());
        }
        // Callers who are told to come back shall not come back in vain for long.
        let rest = if self.has_keys() {
            self.cooldown
        } else {
            self.cooldown.min(REST_WITHOUT_KEYS)
        };
        *self.rest() = Some(Instant::now() + rest);
        self.looks.send_modify(|looks| *looks += 1);
        taken
    }

    /// Whether some keys could be had.
    pub(super) fn has_keys(&self) -> bool {
        self.keys.load().is_some()
    }

    /// Whether the keys are in a file.
    pub(super) const fn is_file(&self) -> bool {
        self.source.is_file()
    }

    /// Whether an unknown key may be looked for now.
    pub(super) fn may_look(&self) -> bool {
        self.rest().is_none_or(|until| Instant::now() >= until)
    }

    /// Has new keys looked for, if that was not done just now, and waits for them, but not for long.
    pub(super) async fn renewed(&self) {
        // Before the question, or a look that ends in between would be waited for in vain.
        let mut looks = self.looks.subscribe();
        if !self.may_look() {
            return;
        }
        let Ok(_place) = self.waiting.try_acquire() else {
            return;
        };
        self.wanted.notify_one();
        // Keys that did not come in time are as keys that are not there.
        let _ = tokio::time::timeout(WAIT, looks.changed()).await;
    }

    fn take(&self, text: &[u8]) -> Result<bool, KeysError> {
        let digest = blake3::hash(text);
        let before = self.keys.load();
        let before = before.as_ref();
        if before.is_some_and(|keys| keys.digest == digest) {
            return Ok(false);
        }
        let set = KeySet::read(text, &self.algorithms)?;
        let generation = before.map_or(0, |keys| keys.generation + 1);
        self.keys.store(Some(Arc::new(Keys {
            set,
            digest,
            generation,
        })));
        Ok(true)
    }

    fn verify(&self, token: &str, keys: &Keys) -> Result<Checked, TokenProblem> {
        let header = decode_header(token).map_err(|_| TokenProblem::Malformed)?;
        if !self.algorithms.contains(&header.alg) {
            return Err(TokenProblem::Algorithm);
        }
        // RFC 7515, section 4.1.11: what is not understood and critical makes a token invalid.
        if header.crit.is_some() {
            return Err(TokenProblem::Malformed);
        }
        let id = header.kid.as_deref();
        let mut validation = Validation::new(header.alg);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Time is the clock's, below.
        validation.validate_exp = false;
        validation.validate_nbf = false;
        let mut problem = match id {
            Some(id) if keys.set.knows(id) => TokenProblem::Algorithm,
            Some(_) | None => TokenProblem::UnknownKey,
        };
        for key in keys.set.candidates(id, header.alg).take(TRIED) {
            match decode::<Claims>(token, key, &validation) {
                Ok(token) => return checked(token.claims, keys.generation, self.leeway),
                Err(error) => problem = problem_of(error.kind()),
            }
            if problem != TokenProblem::Signature {
                break;
            }
        }
        Err(problem)
    }

    fn in_time(&self, checked: &Checked) -> Result<(), TokenProblem> {
        let now = self.clock.now();
        if now >= checked.until {
            return Err(TokenProblem::Expired);
        }
        if checked.from.is_some_and(|from| now < from) {
            return Err(TokenProblem::NotYet);
        }
        Ok(())
    }

    fn rest(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        self.rest_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

fn checked(
    claims: Claims,
    generation: u64,
    leeway: SignedDuration,
) -> Result<Checked, TokenProblem> {
    if claims.sub.is_empty() {
        return Err(TokenProblem::Malformed);
    }
    let until = instant(claims.exp)?
        .saturating_add(leeway)
        .map_err(|_| TokenProblem::Malformed)?;
    let from = claims.nbf.map(instant).transpose()?;
    let from = from
        .map(|from| from.saturating_sub(leeway))
        .transpose()
        .map_err(|_| TokenProblem::Malformed)?;
    Ok(Checked {
        subject: claims.sub.into(),
        generation,
        from,
        until,
    })
}

/// Seconds since the epoch; what lies beyond the calendar is its end.
fn instant(seconds: f64) -> Result<Timestamp, TokenProblem> {
    if !seconds.is_finite() {
        return Err(TokenProblem::Malformed);
    }
    let span = SignedDuration::try_from_secs_f64(seconds.floor()).unwrap_or(if seconds < 0.0 {
        SignedDuration::MIN
    } else {
        SignedDuration::MAX
    });
    Timestamp::UNIX_EPOCH
        .saturating_add(span)
        .map_err(|_| TokenProblem::Malformed)
}

fn problem_of(kind: &ErrorKind) -> TokenProblem {
    const WORDS: [(ErrorKind, TokenProblem); 4] = [
        (ErrorKind::InvalidSignature, TokenProblem::Signature),
        (ErrorKind::InvalidIssuer, TokenProblem::Issuer),
        (ErrorKind::InvalidAudience, TokenProblem::Audience),
        (ErrorKind::InvalidAlgorithm, TokenProblem::Algorithm),
    ];
    // Whatever else the library may say is about the form.
    let known = WORDS.iter().find(|(word, _)| word == kind);
    known.map_or(TokenProblem::Malformed, |(_, problem)| *problem)
}
