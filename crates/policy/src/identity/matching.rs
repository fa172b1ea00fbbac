//! Whether two sealed certificates or names are of the same holder.

use super::name::{fold_character, is_private_use};
use super::{CertificateKind, SealedCertificate, SealedName};

/// What two certificates say about their holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateMatch {
    /// Different holders.
    Different,
    /// Kinds whose numbers have nothing to do with each other; names decide.
    NotComparable,
    /// The same kind and number.
    Same,
    /// The same resident, at least once by a number of 15 digits.
    SameByOldForm,
    /// The same organisation, once by its organisation code and once by its credit code.
    SameByOrganisationCode,
}

/// What two names say about their holders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NameMatch {
    /// Different names.
    Different,
    /// Equal in normal form.
    Equal,
    /// Equal after folding of script variants, or where private-use characters hide the
    /// difference; a case for review.
    Variant,
}

/// Compares two certificates under one key, either way round.
///
/// Numbers of kind [`CertificateKind::Other`] compare only with each other, although their kinds
/// may differ in truth. A passport that differs may be a renewed one; the rule about names decides
/// on that.
#[must_use]
pub fn same_certificate(a: &SealedCertificate, b: &SealedCertificate) -> CertificateMatch {
    use CertificateKind::{OrganisationCode, UnifiedSocialCreditCode};
    if a.kind == b.kind {
        return match (a.digest == b.digest, a.old_form || b.old_form) {
            (true, true) => CertificateMatch::SameByOldForm,
            (true, false) => CertificateMatch::Same,
            (false, _) => CertificateMatch::Different,
        };
    }
    match (a.kind, b.kind) {
        (OrganisationCode, UnifiedSocialCreditCode)
        | (UnifiedSocialCreditCode, OrganisationCode) => match (a.organisation, b.organisation) {
            (Some(a), Some(b)) if a == b => CertificateMatch::SameByOrganisationCode,
            (Some(_), Some(_)) => CertificateMatch::Different,
            // A number of wrong length that was kept unchecked.
            (None, _) | (_, None) => CertificateMatch::NotComparable,
        },
        (_, _) => CertificateMatch::NotComparable,
    }
}

/// Compares two names under one key, either way round.
///
/// A private-use character has no meaning outside the font it was typed in, so no digest can tell
/// which character it stands for. Where one is in play, the texts that may be shown are compared
/// place by place with private-use and masked places matching anything: a name of another length,
/// or another surname, is still different.
#[must_use]
pub fn same_name(a: &SealedName, b: &SealedName) -> NameMatch {
    if a.exact == b.exact {
        NameMatch::Equal
    } else if a.folded == b.folded
        || ((a.has_private_use || b.has_private_use) && could_be_equal(&a.display, &b.display))
    {
        NameMatch::Variant
    } else {
        NameMatch::Different
    }
}

fn could_be_equal(a: &str, b: &str) -> bool {
    let open = |c: char| c == '*' || is_private_use(c);
    a.chars().count() == b.chars().count()
        && a.chars()
            .zip(b.chars())
            .all(|(a, b)| open(a) || open(b) || fold_character(a) == fold_character(b))
}
