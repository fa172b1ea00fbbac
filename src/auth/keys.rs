//! Keys that check tokens: a JSON Web Key Set (RFC 7517) from a file or a URL.

use std::path::PathBuf;
use std::time::Duration;

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};

use super::fetch::{FetchError, Fetcher};
use crate::telemetry::metrics::label::{Dependency, Failure};
use crate::telemetry::metrics::list::DEPENDENCY_FAILURES;

/// Largest key set, in octets.
pub(super) const LARGEST: usize = 1024 * 1024;

/// Most keys that are looked at.
const MOST: usize = 256;

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// In a file.
    File(PathBuf),
    /// At a URL: `https://`, or `http://` on this machine.
    Url {
        /// The URL.
        url: String,
        /// Authorities of its certificate, in PEM form; `None`: those of the system.
        ca_file: Option<PathBuf>,
        /// Longest time for an answer.
        timeout: Duration,
    },
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("read the keys of tokens in `{}` (key auth.jwks_file)", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The URL does not give them.
    #[error("fetch the keys of tokens (key auth.jwks_url)")]
    Url(#[from] FetchError),
    /// The text is not a key set.
    #[error("read the keys of tokens: not a JSON Web Key Set, which is `{{\"keys\": […]}}`")]
    Form,
    /// None of its keys checks a token of the configured algorithms.
    #[error(
        "read the keys of tokens: none of the {keys} keys in the set fits an algorithm of \
         auth.jwt_algorithms"
    )]
    None {
        /// Keys in the set.
        keys: usize,
    },
}

/// How the keys are got.
pub(super) enum Source {
    File(PathBuf),
    Url(Box<Fetcher>),
}

/// Keys that check tokens.
#[derive(Debug)]
pub(super) struct KeySet(Vec<Key>);

#[derive(Debug)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    public: DecodingKey,
}

impl Source {
    pub(super) fn new(source: KeySource) -> Result<Self, KeysError> {
        Ok(match source {
            KeySource::File(path) => Self::File(path),
            KeySource::Url {
                url,
                ca_file,
                timeout,
            } => Self::Url(Box::new(Fetcher::new(&url, ca_file.as_deref(), timeout)?)),
        })
    }

    pub(super) const fn is_file(&self) -> bool {
        matches!(self, Self::File(_))
    }

    /// The text of the key set, as it is now.
    pub(super) async fn text(&self) -> Result<Vec<u8>, KeysError> {
        match self {
            Self::File(path) => tokio::fs::read(path)
                .await
                .map_err(|source| KeysError::File {
                    path: path.clone(),
                    source,
                }),
            Self::Url(fetcher) => Ok(fetcher.get(LARGEST).await?),
        }
    }

    /// Takes note that the text was no set of keys of use. That of a URL was fetched all the same.
    pub(super) fn gave_no_keys(&self) {
        match self {
            Self::File(_) => {}
            Self::Url(_) => DEPENDENCY_FAILURES.inc((Dependency::Issuer, Failure::Failed)),
        }
    }
}

impl KeySet {
    /// Reads a key set. Keys of other uses, kinds and algorithms are left out, as RFC 7517, section
    /// 5, asks; and so are shared secrets.
    pub(super) fn read(text: &[u8], allowed: &[Algorithm]) -> Result<Self, KeysError> {
        let set: serde_json::Value = serde_json::from_slice(text).map_err(|_| KeysError::Form)?;
        let found = set
            .get("keys")
            .and_then(serde_json::Value::as_array)
            .ok_or(KeysError::Form)?;
        let keys: Vec<Key> = found
            .iter()
            .take(MOST)
            .filter_map(|value| key(value, allowed))
            .collect();
        if keys.is_empty() {
            return Err(KeysError::None { keys: found.len() });
        }
        Ok(Self(keys))
    }

    /// Keys that may have made a signature: those of that identifier, or all of the algorithm where
    /// the token names none.
    pub(super) fn candidates(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &DecodingKey> {
        let fits = move |key: &&Key| {
            key.algorithms.contains(&algorithm) && (id.is_none() || key.id.as_deref() == id)
        };
        self.0.iter().filter(fits).map(|key| &key.public)
    }

    /// Whether a key has that identifier, be it of another algorithm.
    pub(super) fn knows(&self, id: &str) -> bool {
        self.0.iter().any(|key| key.id.as_deref() == Some(id))
    }
}

fn key(value: &serde_json::Value, allowed: &[Algorithm]) -> Option<Key> {
    let jwk: Jwk = serde_json::from_value(value.clone()).ok()?;
    if !matches!(
        jwk.common.public_key_use,
        None | Some(PublicKeyUse::Signature)
    ) {
        return None;
    }
    let kind: &[Algorithm] = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => &[
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
        ],
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => {
            &[Algorithm::ES256]
        }
        AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P384 => {
            &[Algorithm::ES384]
        }
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
            &[Algorithm::EdDSA]
        }
        AlgorithmParameters::EllipticCurve(_)
        | AlgorithmParameters::OctetKeyPair(_)
        | AlgorithmParameters::OctetKey(_)
        | AlgorithmParameters::Other(_)
        | _ => &[],
    };
    let named = value.get("alg").and_then(serde_json::Value::as_str);
    let algorithms: Vec<Algorithm> = kind
        .iter()
        .copied()
        .filter(|algorithm| allowed.contains(algorithm))
        .filter(|algorithm| named.is_none_or(|name| name == format!("{algorithm:?}")))
        .collect();
    if algorithms.is_empty() {
        return None;
    }
    Some(Key {
        id: jwk.common.key_id.clone(),
        algorithms,
        public: DecodingKey::from_jwk(&jwk).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const EC: &str = r#"{"kty":"EC","crv":"P-256","kid":"a","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

    fn read(keys: &str, allowed: &[Algorithm]) -> Result<KeySet, KeysError> {
        KeySet::read(format!("{{\"keys\":[{keys}]}}").as_bytes(), allowed)
    }

    #[test]
    fn keys_of_other_uses_and_kinds_are_left_out() {
        let oct = r#"{"kty":"oct","kid":"o","k":"c2VjcmV0","alg":"HS256"}"#;
        let enc = EC.replace("\"kid\":\"a\"", "\"kid\":\"e\",\"use\":\"enc\"");
        let new = r#"{"kty":"ML-DSA","kid":"n","pub":"AA"}"#;
        let other = EC.replace("\"kid\":\"a\"", "\"kid\":\"b\",\"alg\":\"ES384\"");
        let broken = r#"{"kty":"EC","crv":"P-256","kid":"x"}"#;
        let all = [EC, oct, &enc, new, &other, broken, "7", "null"].join(",");
        let set = read(&all, &[Algorithm::ES256, Algorithm::ES384]).unwrap();
        assert!(set.knows("a"));
        for id in ["o", "e", "n", "b", "x"] {
            assert!(!set.knows(id), "{id}");
        }
        assert_eq!(set.candidates(Some("a"), Algorithm::ES256).count(), 1);
        assert_eq!(set.candidates(None, Algorithm::ES256).count(), 1);
        assert_eq!(set.candidates(Some("a"), Algorithm::ES384).count(), 0);
    }

    #[test]
    fn sets_without_a_key_of_use_are_refused() {
        assert!(matches!(
            read(EC, &[Algorithm::RS256]),
            Err(KeysError::None { keys: 1 })
        ));
        for text in ["", "[]", "{}", r#"{"keys":{}}"#, "not json"] {
            let read = KeySet::read(text.as_bytes(), &[Algorithm::ES256]);
            assert!(matches!(read, Err(KeysError::Form)), "{text}");
        }
    }
}
