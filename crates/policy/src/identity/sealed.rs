//! Sealed forms of certificates and names: what may be stored, sent and logged.
//!
//! Digests are HMAC-SHA-256 under a key from configuration, cut to 16 octets, each purpose in a
//! domain of its own. Numbers of certificates have so little entropy that a digest without a key
//! would be the number (PIPL, Art. 51 asks for de-identification).

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

/// Fingerprint of a key, to be stored beside digests: if it differs at start, the key was changed
/// and no digest would match any more.
pub type KeyId = [u8; 8];

/// A key cannot seal.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("key of {found} octets, at least {KEY_MINIMUM} are needed")]
pub struct KeyError {
    /// Length found, in octets.
    pub found: usize,
}

/// Makes sealed forms under one key.
#[derive(Clone)]
pub struct Sealer {
    /// The state after the key; cloned for each digest.
    keyed: Hmac<Sha256>,
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
    /// Takes the key.
    ///
    /// # Errors
    ///
    /// [`KeyError`] if the key has fewer than [`KEY_MINIMUM`] octets.
    pub fn new(key: &[u8]) -> Result<Self, KeyError> {
        let error = KeyError { found: key.len() };
        if key.len() < KEY_MINIMUM {
            return Err(error);
        }
        Hmac::new_from_slice(key)
            .map(|keyed| Self { keyed })
            .map_err(|_| error)
    }

    /// The fingerprint of the key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        truncated(&self.mac("key-id", ""))
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
        truncated(&self.mac(purpose, text))
    }

    fn mac(&self, purpose: &str, text: &str) -> [u8; 32] {
        let mut mac = self.keyed.clone();
        mac.update(purpose.as_bytes());
        // No purpose holds a NUL, so no purpose and text read as another pair.
        mac.update(&[0]);
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealer(..)")
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
