//! Names and certificates of companies and persons that cannot be anybody's.
//!
//! **Invariant:** every name says 虚构 (invented). Resident numbers name the province as a whole as
//! the division, which no card does, and a birth in the nineteenth century. Organisation codes
//! begin with `YY`, while those in use since 2015 begin with `MA` and the older ones with digits or
//! other letters. Passports begin with `XX` and have more digits than a passport. All have the
//! check characters of their standards, so that they pass for well-formed everywhere.

use std::fmt::Write as _;

use icpgate_policy::explain::Language;
use icpgate_policy::explain::numbers::province_name;
use icpgate_policy::identity::check_digits;
use icpgate_policy::numbers::Province;

use super::dice::scramble;
use super::plan::code;
use super::words::{BODIES, BRANDS, INSTITUTIONS, SOCIETIES, TRADES, word};
use crate::proto::v1;

/// Bits of the number of a person or organisation.
const BITS: u32 = 29;

/// Digits and letters of organisation codes as they stand in credit codes (GB 32100-2015).
const CODE_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// First year of birth, and how many follow it.
const BIRTH_YEARS: (u64, u64) = (1800, 60);

/// Days of birth that every month has.
const DAYS: u64 = 28;

/// A person or organisation as records name it.
#[derive(Clone)]
pub(super) struct Party {
    /// Its name.
    pub(super) name: String,
    /// Its certificate.
    pub(super) certificate: v1::Certificate,
}

/// An organisation by its number, below 2^29.
pub(super) fn organisation(
    seed: u64,
    number: u64,
    nature: v1::SubjectNature,
    entity: v1::SubjectEntity,
    filed_in: Province,
    registered_in: Province,
) -> Party {
    let scrambled = scramble(number, BITS, seed);
    Party {
        name: organisation_name(scrambled, nature, entity, filed_in),
        certificate: v1::Certificate {
            kind: v1::CertificateKind::UnifiedSocialCreditCode.into(),
            number: credit_code(scrambled, nature, registered_in),
        },
    }
}

/// A person by its number, below 2^29.
pub(super) fn person(seed: u64, number: u64, province: Province) -> Party {
    // In another order than organisations, or equal codes would suggest a relation.
    let scrambled = scramble(number, BITS, !seed);
    Party {
        name: format!("虚构人{}", code(scrambled, 6).to_uppercase()),
        certificate: v1::Certificate {
            kind: v1::CertificateKind::ResidentId.into(),
            number: resident_number(scrambled, province),
        },
    }
}

/// The same party under a passport.
pub(super) fn with_passport(mut party: Party, number: u64) -> Party {
    party.certificate = v1::Certificate {
        kind: v1::CertificateKind::Passport.into(),
        number: format!("XX{number:010}"),
    };
    party
}

/// The same organisation under the organisation code in its credit code.
pub(super) fn with_organisation_code(mut party: Party) -> Party {
    let number = party.certificate.number.get(8..17).unwrap_or_default();
    party.certificate = v1::Certificate {
        kind: v1::CertificateKind::OrganisationCode.into(),
        number: number.to_owned(),
    };
    party
}

/// The same organisation under another name.
pub(super) fn with_former_name(mut party: Party) -> Party {
    party.name.insert(0, '原');
    party
}

fn organisation_name(
    number: u64,
    nature: v1::SubjectNature,
    entity: v1::SubjectEntity,
    province: Province,
) -> String {
    let place = province_name(province, Language::Chinese);
    let code = code(number, 6).to_uppercase();
    match nature {
        v1::SubjectNature::Government => {
            format!("{place}虚构{code}{}", word(BODIES, number))
        }
        v1::SubjectNature::PublicInstitution => {
            format!("{place}虚构{code}{}", word(INSTITUTIONS, number))
        }
        v1::SubjectNature::SocialOrganisation => {
            format!("{place}虚构{code}{}", word(SOCIETIES, number))
        }
        v1::SubjectNature::Enterprise
        | v1::SubjectNature::Individual
        | v1::SubjectNature::Unspecified => {
            let brand = word(BRANDS, number);
            let trade = word(TRADES, number / 64);
            match entity {
                v1::SubjectEntity::RepresentativeOffice => {
                    format!("虚构{brand}{code}公司{place}代表处")
                }
                v1::SubjectEntity::BranchOffice => {
                    format!("虚构{brand}{code}{trade}有限公司{place}分公司")
                }
                v1::SubjectEntity::Domestic
                | v1::SubjectEntity::JointVenture
                | v1::SubjectEntity::Unspecified
                | v1::SubjectEntity::WhollyForeignOwned => {
                    format!("{place}虚构{brand}{code}{trade}有限公司")
                }
            }
        }
    }
}

/// A unified social credit code (GB 32100-2015): registering department and category, division,
/// organisation code, check character.
fn credit_code(mut number: u64, nature: v1::SubjectNature, province: Province) -> String {
    let category = match nature {
        v1::SubjectNature::Government => "11",
        v1::SubjectNature::PublicInstitution => "12",
        v1::SubjectNature::SocialOrganisation => "51",
        v1::SubjectNature::Enterprise
        | v1::SubjectNature::Individual
        | v1::SubjectNature::Unspecified => "91",
    };
    let mut text = String::with_capacity(18);
    let division = number % 20 + 1;
    // Writing to a string cannot fail.
    let _ = write!(text, "{category}{:02}01{division:02}YY", province.code());
    for _ in 0..6 {
        let digit = usize::try_from(number % 31).unwrap_or_default();
        text.extend(CODE_ALPHABET.get(digit).copied().map(char::from));
        number /= 31;
    }
    let body = text.as_bytes().get(8..).unwrap_or_default();
    text.extend(check_digits::organisation_code(body).map(char::from));
    text.extend(check_digits::credit_code(text.as_bytes()).map(char::from));
    text
}

/// A resident number (GB 11643-1999): division, date of birth, order of the day, check character.
fn resident_number(number: u64, province: Province) -> String {
    let mut rest = number;
    let mut take = |values: u64| {
        let value = rest % values;
        rest /= values;
        value
    };
    let (order, day, month) = (take(1000), take(DAYS) + 1, take(12) + 1);
    let year = BIRTH_YEARS.0 + take(BIRTH_YEARS.1);
    // What is left of 2^29 numbers is below 27.
    let mut text = format!(
        "{:02}00{rest:02}{year:04}{month:02}{day:02}{order:03}",
        province.code()
    );
    text.extend(check_digits::resident_id(text.as_bytes()).map(char::from));
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use icpgate_policy::identity::{Certificate, CertificateKind, CheckDigits};

    use super::*;

    fn well_formed(kind: CertificateKind, number: &str) {
        Certificate::parse(kind, number, CheckDigits::Refuse)
            .unwrap_or_else(|error| panic!("{number}: {error}"));
    }

    const NATURES: [v1::SubjectNature; 4] = [
        v1::SubjectNature::Enterprise,
        v1::SubjectNature::Government,
        v1::SubjectNature::PublicInstitution,
        v1::SubjectNature::SocialOrganisation,
    ];

    #[test]
    fn certificates_are_well_formed_and_each_is_one_partys() {
        let mut seen = BTreeSet::new();
        let ends = (0..2_000).chain((1 << BITS) - 2_000..1 << BITS);
        for number in ends {
            let province = Province::all()
                .nth(usize::try_from(number % 31).unwrap())
                .unwrap();
            let nature = NATURES[usize::try_from(number % 4).unwrap()];
            let entity = v1::SubjectEntity::Domestic;
            let company = organisation(9, number, nature, entity, province, province);
            let code = &company.certificate.number;
            well_formed(CertificateKind::UnifiedSocialCreditCode, code);
            assert_eq!(code.get(8..10), Some("YY"));
            let old = with_organisation_code(company.clone()).certificate.number;
            well_formed(CertificateKind::OrganisationCode, &old);
            let person = person(9, number, province);
            let id = &person.certificate.number;
            well_formed(CertificateKind::ResidentId, id);
            let born: u16 = id.get(6..10).unwrap().parse().unwrap();
            assert!(born < 1860, "{id}");
            let passport = with_passport(person.clone(), number).certificate.number;
            well_formed(CertificateKind::Passport, &passport);
            for name in [&company.name, &person.name] {
                assert!(name.contains("虚构"), "{name}");
            }
            for unique in [company.name, person.name, code.clone(), id.clone(), old] {
                assert!(seen.insert(unique.clone()), "{unique} twice");
            }
        }
    }

    #[test]
    fn offices_and_bodies_are_named_for_what_they_are() {
        let named = |nature, entity| {
            organisation(1, 5, nature, entity, Province::Sichuan, Province::Sichuan).name
        };
        let company = v1::SubjectNature::Enterprise;
        let branch = named(company, v1::SubjectEntity::BranchOffice);
        assert!(
            branch.ends_with("分公司") && branch.contains("四川"),
            "{branch}"
        );
        let office = named(company, v1::SubjectEntity::RepresentativeOffice);
        assert!(office.ends_with("代表处"), "{office}");
        let body = named(v1::SubjectNature::Government, v1::SubjectEntity::Domestic);
        assert!(!body.contains("公司"), "{body}");
    }
}
