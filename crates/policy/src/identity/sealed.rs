//! Sealed forms of certificates and names: what may be stored, sent and logged.
//!
//! Digests are HMAC-SHA-256 under a key from configuration, cut to 16 octets, each purpose in a
//! domain of its own. Numbers of certificates have so little entropy that a digest without a key
//! would be the number (PIPL, Art. 51 asks for de-identification).
//!
//! Several keys seal one after the other, each over the digest of the one before. So what is sealed
//! under the first keys can be sealed under the next one too, by [`Resealer`], although nobody has
//! the values any more; equal values stay equal, and whoever lacks the last key can test no guess.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use thiserror::Error;

use super::certificate::Certificate;
use super::name::{Name, fold_name, is_private_use};
use super::{CertificateKind, Holder, mask};

/// Shortest key, in octets.
pub const KEY_MINIMUM: usize = 16;

/// A keyed digest. Equal digests of one purpose mean equal texts; it tells nothing without the
/// key.
pub type Digest = [u8; 16];

/// Fingerprint of the keys that seal, to be stored beside digests: if it differs at start, the keys
/// were changed and no digest would match any more.
pub type KeyId = [u8; 8];

/// A key cannot seal.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("key of {found} octets, at least {KEY_MINIMUM} are needed")]
pub struct KeyError {
    /// Length found, in octets.
    pub found: usize,
}

/// Makes sealed forms under one key, or under several.
#[derive(Clone)]
pub struct Sealer {
    /// Seals values.
    innermost: Keyed,
    /// Seal what the one before has sealed, in their order.
    outer: Vec<Resealer>,
}

/// Seals under one key more what is sealed already; knows nothing of the keys before.
#[derive(Clone)]
pub struct Resealer(Keyed);

/// One key.
#[derive(Clone)]
struct Keyed {
    /// The state after the key; cloned for each digest.
    state: Hmac<Sha256>,
}

/// A sealed value in its place.
#[derive(Debug)]
pub enum Sealed<'a> {
    /// A certificate.
    Certificate(&'a mut SealedCertificate),
    /// A name.
    Name(&'a mut SealedName),
}

/// A certificate without its number.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SealedCertificate {
    /// The kind of certificate.
    pub kind: CertificateKind,
    /// Digest of the kind and the number in normal form.
    pub digest: Digest,
    /// Digest of the organisation code: of the whole, or of characters 9 to 17 of a credit code.
    pub organisation: Option<Digest>,
    /// GB code of the province in the division of a credit code; none where the division names no
    /// province (10xxxx) and for codes that begin with a letter.
    pub province: Option<u8>,
    /// Whether the number was a resident identity number of 15 digits.
    pub old_form: bool,
    /// Whether the number breaks a rule of its kind and was kept all the same.
    pub unchecked: bool,
    /// What may be shown: `1101**********002X`.
    pub mask: Box<str>,
}

/// A name without its text, or with it if it is public.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SealedName {
    /// Digest of the name in normal form; the same for a person and an organisation.
    pub exact: Digest,
    /// Digest of the name with script variants folded.
    pub folded: Digest,
    /// Whether it holds characters that only one system's font knows.
    pub has_private_use: bool,
    /// The normal form of an organisation's name, the mask of a person's.
    pub display: Box<str>,
}

impl Sealer {
    /// Takes one key.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the key has fewer than [`KEY_MINIMUM`] octets.
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        Ok(Self {
            innermost: Keyed::new(key)?,
            outer: Vec::new(),
        })
    }

    /// This sealer with one key more, over those that it has.
    #[must_use]
    pub fn under(mut self, next: Resealer) -> Self {
        self.outer.push(next);
        self
    }

    /// The fingerprint of the keys.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let innermost = truncated(&self.innermost.mac("key-id", b""));
        let outer = self.outer.iter();
        outer.fold(innermost, |inner, next| next.key_id(inner))
    }

    /// Seals a certificate.
    #[must_use]
    pub fn seal_certificate(&self, certificate: &Certificate) -> SealedCertificate {
        let kind = certificate.kind();
        SealedCertificate {
            kind,
            digest: self.digest(certificate_purpose(kind), certificate.number()),
            organisation: certificate
                .organisation_code()
                .map(|code| self.digest("certificate/organisation-part", code)),
            province: certificate.province(),
            old_form: certificate.is_old_form(),
            unchecked: certificate.is_unchecked(),
            mask: mask::number(certificate.number()).into(),
        }
    }

    /// Seals a name. The holder decides only what may be shown of it.
    #[must_use]
    pub fn seal_name(&self, name: &Name, holder: Holder) -> SealedName {
        let text = name.text();
        SealedName {
            exact: self.digest("name/exact", text),
            folded: self.digest("name/folded", &fold_name(text)),
            has_private_use: text.chars().any(is_private_use),
            display: match holder {
                Holder::Organisation => text.into(),
                Holder::Person => mask::person(text).into(),
            },
        }
    }

    fn digest(&self, purpose: &str, text: &str) -> Digest {
        let innermost = truncated(&self.innermost.mac(purpose, text.as_bytes()));
        let outer = self.outer.iter();
        outer.fold(innermost, |inner, next| next.digest(&inner))
    }
}

impl Resealer {
    /// Takes the key.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the key has fewer than [`KEY_MINIMUM`] octets.
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        Keyed::new(key).map(Self)
    }

    /// The digest, under this key too, of what has this digest under the keys before. Digests of
    /// different purposes differ and stay different, so none is asked for.
    #[must_use]
    pub fn digest(&self, inner: &Digest) -> Digest {
        truncated(&self.0.mac("reseal", inner))
    }

    /// The fingerprint of this key over those that have this fingerprint.
    #[must_use]
    pub fn key_id(&self, inner: KeyId) -> KeyId {
        truncated(&self.0.mac("key-id", &inner))
    }

    /// Seals a value under this key too. What is shown of it stays.
    pub fn reseal(&self, sealed: Sealed<'_>) {
        match sealed {
            Sealed::Certificate(certificate) => {
                certificate.digest = self.digest(&certificate.digest);
                certificate.organisation = certificate
                    .organisation
                    .map(|organisation| self.digest(&organisation));
            }
            Sealed::Name(name) => {
                name.exact = self.digest(&name.exact);
                name.folded = self.digest(&name.folded);
            }
        }
    }
}

impl Keyed {
    fn new(key: &[u8]) -> Result<Self, KeyError> {
        let error = KeyError { found: key.len() };
        if key.len() < KEY_MINIMUM {
            return Err(error);
        }
        Hmac::new_from_slice(key)
            .map(|state| Self { state })
            .map_err(|_| error)
    }

    fn mac(&self, purpose: &str, value: &[u8]) -> [u8; 32] {
        let mut mac = self.state.clone();
        mac.update(purpose.as_bytes());
        // No purpose holds a NUL, so no purpose and value read as another pair.
        mac.update(&[0]);
        mac.update(value);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
    }
}

impl fmt::Debug for Resealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Resealer(..)")
    }
}

impl fmt::Debug for SealedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedCertificate({:?} {})", self.kind, self.mask)
    }
}

impl fmt::Debug for SealedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealedName({})", self.display)
    }
}

/// Stable for ever: stored digests depend on it.
fn certificate_purpose(kind: CertificateKind) -> &'static str {
    match kind {
        CertificateKind::ForeignPermanentResident => "certificate/foreign-permanent-resident",
        CertificateKind::HkMacaoPermit => "certificate/hk-macao-permit",
        CertificateKind::OrganisationCode => "certificate/organisation-code",
        CertificateKind::Other => "certificate/other",
        CertificateKind::Passport => "certificate/passport",
        CertificateKind::ResidentId => "certificate/resident-id",
        CertificateKind::TaiwanPermit => "certificate/taiwan-permit",
        CertificateKind::UnifiedSocialCreditCode => "certificate/unified-social-credit-code",
    }
}

fn truncated<const N: usize>(mac: &[u8; 32]) -> [u8; N] {
    let mut short = [0; N];
    for (to, from) in short.iter_mut().zip(mac) {
        *to = *from;
    }
    short
}
