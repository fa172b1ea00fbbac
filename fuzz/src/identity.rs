//! Certificates and names: what is read, what is sealed, and what may be seen of it.

use std::fmt::Debug;

use icpgate_policy::explain::Language;
use icpgate_policy::explain::identity::{certificate_error, name_error};
use icpgate_policy::identity::{
    Certificate, CertificateKind, CertificateMatch, CheckDigits, Holder, Name, NameMatch, Sealer,
    normalise_name, same_certificate, same_name,
};

const KINDS: [CertificateKind; 8] = [
    CertificateKind::UnifiedSocialCreditCode,
    CertificateKind::OrganisationCode,
    CertificateKind::ResidentId,
    CertificateKind::Passport,
    CertificateKind::HkMacaoPermit,
    CertificateKind::TaiwanPermit,
    CertificateKind::ForeignPermanentResident,
    CertificateKind::Other,
];

const LANGUAGES: [Language; 2] = [Language::English, Language::Chinese];

/// Reads the first line as a certificate of every kind and as a name, and holds the second line,
/// if there is one, against it.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (first, second) = text.split_once('\n').unwrap_or((&text, ""));
    let sealer = Sealer::new(b"a key for fuzzing, known to all").expect("the key is long enough");
    for kind in KINDS {
        certificate(&sealer, kind, first);
        for other in KINDS {
            certificates(&sealer, (kind, first), (other, second));
        }
    }
    name(&sealer, first);
    names(&sealer, first, second);
}

fn certificate(sealer: &Sealer, kind: CertificateKind, text: &str) {
    let strict = Certificate::parse(kind, text, CheckDigits::Refuse);
    let kept = Certificate::parse(kind, text, CheckDigits::Accept);
    match (&strict, &kept) {
        (Ok(strict), Ok(kept)) => {
            assert!(!kept.is_unchecked(), "{kind:?} {text:?}");
            let (strict, kept) = (
                sealer.seal_certificate(strict),
                sealer.seal_certificate(kept),
            );
            assert_eq!(strict, kept, "{kind:?} {text:?}");
        }
        (Err(error), Ok(kept)) => assert_eq!(kept.defect(), Some(*error), "{kind:?} {text:?}"),
        (Err(strict), Err(kept)) => {
            // What is too long is that before it is of no length of its kind.
            for error in [strict, kept] {
                for language in LANGUAGES {
                    assert!(!certificate_error(error, language).is_empty(), "{error:?}");
                }
            }
        }
        (Ok(_), Err(error)) => panic!("{kind:?} {text:?}: kept only when refused: {error:?}"),
    }
    let Ok(certificate) = kept else { return };
    let sealed = sealer.seal_certificate(&certificate);
    assert_eq!(sealed.kind, kind);
    assert_eq!(
        same_certificate(&sealed, &sealed),
        if sealed.old_form {
            CertificateMatch::SameByOldForm
        } else {
            CertificateMatch::Same
        },
        "{kind:?} {text:?}"
    );
    // The form with spaces, hyphens and in full-width characters is the same number.
    let typed: String = text
        .chars()
        .map(|c| match c {
            '0'..='9' | 'A'..='Z' => char::from_u32(u32::from(c) + 0xFEE0).unwrap_or(c),
            other => other,
        })
        .collect();
    if strict.is_ok() {
        // White space around a number may be a tab or a line end; within it these are refused.
        for form in [format!(" {} -", text.trim()), typed] {
            let again = Certificate::parse(kind, &form, CheckDigits::Refuse);
            let again = again.map(|again| sealer.seal_certificate(&again));
            assert_eq!(again, Ok(sealed.clone()), "{kind:?} {form:?}");
        }
    }
    // At most four characters at each end of the number are to be seen, and half of it at most.
    let length = sealed.mask.chars().count();
    let hidden = sealed.mask.chars().filter(|&c| c == '*').count();
    assert!(
        hidden >= length.saturating_sub(8) && hidden * 2 + 1 >= length,
        "{kind:?} {text:?}: {}",
        sealed.mask
    );
    nothing_raw(&certificate, text, "");
    nothing_raw(&sealed, text, &sealed.mask);
}

fn certificates(
    sealer: &Sealer,
    (kind, text): (CertificateKind, &str),
    (other_kind, other): (CertificateKind, &str),
) {
    let seal = |kind, text: &str| {
        let certificate = Certificate::parse(kind, text, CheckDigits::Accept).ok()?;
        Some(sealer.seal_certificate(&certificate))
    };
    if let (Some(a), Some(b)) = (seal(kind, text), seal(other_kind, other)) {
        assert_eq!(
            same_certificate(&a, &b),
            same_certificate(&b, &a),
            "{kind:?} {text:?}, {other_kind:?} {other:?}"
        );
    }
}

fn name(sealer: &Sealer, text: &str) {
    let normal = match normalise_name(text) {
        Ok(normal) => normal,
        Err(error) => {
            for language in LANGUAGES {
                assert!(!name_error(&error, language).is_empty(), "{error:?}");
            }
            assert_eq!(Name::parse(text), Err(error));
            return;
        }
    };
    assert_eq!(
        normalise_name(&normal).as_deref(),
        Ok(&*normal),
        "the normal form of {text:?}"
    );
    let name = Name::parse(text).expect("a name was normalised");
    let person = sealer.seal_name(&name, Holder::Person);
    let organisation = sealer.seal_name(&name, Holder::Organisation);
    assert_eq!(*organisation.display, *normal);
    assert_eq!(same_name(&person, &organisation), NameMatch::Equal);
    // Of a person: a surname of at most two characters, or one letter of each word.
    let words = normal.split([' ', '·', '-']).count();
    let seen = person
        .display
        .chars()
        .filter(|c| c.is_alphanumeric())
        .count();
    assert!(seen <= words.max(2), "{text:?}: {}", person.display);
    let letters = normal.chars().filter(|c| c.is_alphanumeric()).count();
    assert!(
        seen < letters || letters == 0,
        "{text:?}: {}",
        person.display
    );
    nothing_raw(&name, text, "");
    nothing_raw(&person, &normal, &person.display);
}

fn names(sealer: &Sealer, first: &str, second: &str) {
    let seal = |text| {
        let name = Name::parse(text).ok()?;
        Some(sealer.seal_name(&name, Holder::Person))
    };
    if let (Some(a), Some(b)) = (seal(first), seal(second)) {
        assert_eq!(same_name(&a, &b), same_name(&b, &a), "{first:?} {second:?}");
        let equal = normalise_name(first) == normalise_name(second);
        assert_eq!(
            same_name(&a, &b) == NameMatch::Equal,
            equal,
            "{first:?} {second:?}"
        );
    }
}

/// What `Debug` writes does not hold the text, but for the mask. Short texts may stand in it by
/// accident, as may those that are all mask.
fn nothing_raw(value: &impl Debug, text: &str, mask: &str) {
    let text = text.trim();
    if text.chars().count() < 5 || text.chars().all(|c| !c.is_alphanumeric()) || text == mask {
        return;
    }
    let shown = format!("{value:?}");
    let (before, behind) = shown.split_once(mask).unwrap_or((&shown, ""));
    // The words of `Debug` itself, which somebody may type as well.
    let of_kinds = KINDS.iter().flat_map(|kind| {
        [
            format!("Certificate {{ kind: {kind:?}, .. }}"),
            format!("SealedCertificate({kind:?} "),
        ]
    });
    let mut own = of_kinds.chain(["Name(..)", "SealedName("].map(str::to_owned));
    if own.any(|own| own.contains(text)) {
        return;
    }
    assert!(
        !before.contains(text) && !behind.contains(text) && !mask.contains(text),
        "{shown}"
    );
}
