//! Certificates and names of people and organisations: read, check, seal, compare.
//!
//! **Invariant:** raw certificate numbers and names live only in [`Certificate`] and [`Name`],
//! which cannot be serialised, show nothing in `Debug` and are wiped when dropped. What is stored,
//! sent or logged is their sealed form: keyed digests and a mask.
//! **Never** says whether a registrant is acceptable; the rules do, from [`same_certificate`] and
//! [`same_name`].
//! Start at [`Certificate::parse`], [`Name::parse`] and [`Sealer`].

pub mod check_digits;

mod certificate;
mod mask;
mod matching;
mod name;
mod sealed;

use serde::{Deserialize, Serialize};

pub use certificate::{
    Certificate, CertificateError, CertificateLength, CheckDigits, ExpectedCharacter,
};
pub use matching::{CertificateMatch, NameMatch, same_certificate, same_name};
pub use name::{NAME_LIMIT, Name, NameError, normalise_name};
pub use sealed::{
    Digest, KEY_MINIMUM, KeyError, KeyId, Resealer, Sealed, SealedCertificate, SealedName, Sealer,
};

/// Kinds of certificate in the filing system and in registration data.
///
/// In the order of the interface. Binary encodings store the place, so a new kind comes last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum CertificateKind {
    /// Unified social credit code (GB 32100-2015).
    UnifiedSocialCreditCode,
    /// Organisation code (GB 11714), the certificate before unified codes.
    OrganisationCode,
    /// Resident identity card (GB 11643), and the residence permit of Hong Kong, Macao and Taiwan
    /// residents, whose numbers (810000, 820000, 830000) have the same form.
    ResidentId,
    /// Passport of any state.
    Passport,
    /// Mainland travel permit of Hong Kong and Macao residents.
    HkMacaoPermit,
    /// Mainland travel permit of Taiwan residents.
    TaiwanPermit,
    /// Permanent residence card of a foreigner, either form.
    ForeignPermanentResident,
    /// Any other certificate; its number has no known form.
    Other,
}

impl CertificateKind {
    /// Whether only organisations hold this kind. A certificate of another kind may be of either.
    #[must_use]
    pub fn is_organisation(self) -> bool {
        match self {
            Self::OrganisationCode | Self::UnifiedSocialCreditCode => true,
            Self::ForeignPermanentResident
            | Self::HkMacaoPermit
            | Self::Other
            | Self::Passport
            | Self::ResidentId
            | Self::TaiwanPermit => false,
        }
    }
}

/// Whose name it is, which decides whether it may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Holder {
    /// Names of organisations are public in the filing system.
    Organisation,
    /// Names of people are shown masked.
    Person,
}

impl Holder {
    /// The holder of a certificate of this kind; without a certificate, or with one that says
    /// nothing, a person, so that a name is masked when in doubt.
    #[must_use]
    pub fn of(kind: Option<CertificateKind>) -> Self {
        if kind.is_some_and(CertificateKind::is_organisation) {
            Self::Organisation
        } else {
            Self::Person
        }
    }
}
