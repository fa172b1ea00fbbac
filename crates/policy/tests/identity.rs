//! Certificates: vectors of the standards, comparison, sealed forms, and that nothing leaks.

#![expect(
    clippy::string_slice,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

use std::collections::HashSet;

use icpgate_policy::explain::Language;
use icpgate_policy::explain::identity::{certificate_error, name_error};
use icpgate_policy::identity::{
    Certificate, CertificateError, CertificateKind, CertificateLength, CertificateMatch,
    CheckDigits, ExpectedCharacter, Holder, KeyError, Name, NameError, SealedCertificate,
    SealedName, Sealer, same_certificate,
};
use proptest::prelude::*;

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

/// Codes whose characters at 17 and 18 both fit.
const CREDIT_CODES: [&str; 9] = [
    "91110000600037341L",
    "91440300708461136T",
    "91110000802100433B",
    "91330100799655058B",
    "N2440300MF01234512",
    "Y1310000MA1FL0Q7XA",
    "91440300MA5F4TX27E",
    "92330106MA2GY8K50Q",
    "1211000040000123XG",
];

const RESIDENT_IDS: [&str; 4] = [
    "11010519491231002X",
    "360426199101010071",
    "810000199001010019",
    "830000198506150024",
];

fn sealer() -> Sealer {
    Sealer::new(b"a key of thirty-two octets, or so").unwrap()
}

fn read(kind: CertificateKind, number: &str) -> Result<Certificate, CertificateError> {
    Certificate::parse(kind, number, CheckDigits::Refuse)
}

fn seal(kind: CertificateKind, number: &str) -> SealedCertificate {
    sealer().seal_certificate(&read(kind, number).unwrap())
}

fn seal_name(text: &str, holder: Holder) -> SealedName {
    sealer().seal_name(&Name::parse(text).unwrap(), holder)
}

#[test]
fn credit_codes_of_the_standard_pass() {
    for code in CREDIT_CODES {
        assert!(
            read(CertificateKind::UnifiedSocialCreditCode, code).is_ok(),
            "{code}"
        );
        let part = &code[8..17];
        assert!(
            read(CertificateKind::OrganisationCode, part).is_ok(),
            "{part}"
        );
        let typed = format!(" {} {}\u{3000}", code[..8].to_lowercase(), &code[8..]);
        assert_eq!(
            seal(CertificateKind::UnifiedSocialCreditCode, &typed),
            seal(CertificateKind::UnifiedSocialCreditCode, code)
        );
    }
    let wide: String = CREDIT_CODES[0]
        .chars()
        .map(|c| char::from_u32(c as u32 + 0xfee0).unwrap())
        .collect();
    assert!(read(CertificateKind::UnifiedSocialCreditCode, &wide).is_ok());
}

#[test]
fn every_single_slip_in_a_credit_code_is_found() {
    for code in CREDIT_CODES {
        for at in 0..18 {
            for other in ('0'..='9')
                .chain('A'..='Z')
                .filter(|&c| c != code.as_bytes()[at] as char)
            {
                let mut wrong = code.to_owned();
                wrong.replace_range(at..=at, &other.to_string());
                let error = read(CertificateKind::UnifiedSocialCreditCode, &wrong).unwrap_err();
                let position = at + 1;
                if "SVZIO".contains(other) && !(3..=8).contains(&position) {
                    let expected = ExpectedCharacter::CreditCode;
                    assert_eq!(error, CertificateError::Character { position, expected });
                } else if (3..=8).contains(&position) && other.is_ascii_alphabetic() {
                    let expected = ExpectedCharacter::Digit;
                    assert_eq!(error, CertificateError::Character { position, expected });
                } else {
                    assert_eq!(
                        error,
                        CertificateError::CheckCharacter { position: 18 },
                        "{wrong}"
                    );
                }
            }
        }
    }
}

#[test]
fn organisation_codes_with_and_without_hyphen() {
    let plain = seal(CertificateKind::OrganisationCode, "600037341");
    for typed in ["60003734-1", "60003734－1", "60003734—1", " 6000 3734 1 "] {
        assert_eq!(seal(CertificateKind::OrganisationCode, typed), plain);
    }
    assert_eq!(
        read(CertificateKind::OrganisationCode, "60003734-2").unwrap_err(),
        CertificateError::CheckCharacter { position: 9 }
    );
    assert!(read(CertificateKind::OrganisationCode, "40000123-x").is_ok());
}

#[test]
fn resident_numbers_of_the_standard_pass() {
    for number in RESIDENT_IDS {
        assert!(
            read(CertificateKind::ResidentId, number).is_ok(),
            "{number}"
        );
        assert_eq!(
            seal(CertificateKind::ResidentId, &number.to_lowercase()),
            seal(CertificateKind::ResidentId, number)
        );
    }
    let refused = |number| read(CertificateKind::ResidentId, number).unwrap_err();
    assert_eq!(
        refused("110105194912310021"),
        CertificateError::CheckCharacter { position: 18 }
    );
    assert_eq!(refused("110105194913310020"), CertificateError::BirthDate);
    assert_eq!(refused("110105199002290020"), CertificateError::BirthDate);
    assert_eq!(refused("110105000001010020"), CertificateError::BirthDate);
    assert_eq!(refused("110105490231002"), CertificateError::BirthDate);
    let digit = ExpectedCharacter::Digit;
    assert_eq!(
        refused("1101051949123100XX"),
        CertificateError::Character {
            position: 17,
            expected: digit
        }
    );
    let expected = CertificateLength::Either(15, 18);
    assert_eq!(
        refused("1101051949123100"),
        CertificateError::Length {
            expected,
            found: 16
        }
    );
}

#[test]
fn old_resident_numbers_become_new_ones() {
    let old = read(CertificateKind::ResidentId, "110105491231002").unwrap();
    assert!(old.is_old_form());
    let old = sealer().seal_certificate(&old);
    let new = seal(CertificateKind::ResidentId, RESIDENT_IDS[0]);
    assert!(old.old_form && !new.old_form);
    assert_eq!(old.digest, new.digest);
    assert_eq!(
        same_certificate(&old, &new),
        CertificateMatch::SameByOldForm
    );
    assert_eq!(
        same_certificate(&new, &old),
        CertificateMatch::SameByOldForm
    );
    assert_eq!(
        same_certificate(&old, &old),
        CertificateMatch::SameByOldForm
    );
    assert_eq!(same_certificate(&new, &new), CertificateMatch::Same);
}

#[test]
fn other_kinds_have_their_forms() {
    use CertificateKind::{ForeignPermanentResident, HkMacaoPermit, Other, Passport, TaiwanPermit};
    for (kind, number) in [
        (Passport, "E12345678"),
        (Passport, "ab123"),
        (Passport, "12345678901234567890"),
        (HkMacaoPermit, "H12345678"),
        (HkMacaoPermit, "m1234567801"),
        (TaiwanPermit, "12345678"),
        (ForeignPermanentResident, "USA110088010112"),
        (ForeignPermanentResident, "91184019880101001X"),
        (Other, "军字第 123 号"),
    ] {
        assert!(read(kind, number).is_ok(), "{number}");
    }
    for (kind, number) in [
        (Passport, "E123"),
        (Passport, "123456789012345678901"),
        (Passport, "E12_45678"),
        (HkMacaoPermit, "A12345678"),
        (HkMacaoPermit, "H1234567"),
        (HkMacaoPermit, "H1234567890"[..10].as_ref()),
        (TaiwanPermit, "1234567"),
        (TaiwanPermit, "T2345678"),
        (ForeignPermanentResident, "US1110088010112"),
        (ForeignPermanentResident, "81184019880101001X"),
        (Other, " - "),
        (Other, "a\u{7}b"),
    ] {
        assert!(read(kind, number).is_err(), "{number}");
    }
    let replaced = seal(HkMacaoPermit, "H1234567802");
    assert_eq!(
        same_certificate(&replaced, &seal(HkMacaoPermit, "H12345678")),
        CertificateMatch::Same
    );
}

#[test]
fn accepted_numbers_are_marked() {
    for (kind, number) in [
        (
            CertificateKind::UnifiedSocialCreditCode,
            "911100006000373410",
        ),
        (
            CertificateKind::UnifiedSocialCreditCode,
            "9111000060003734IL",
        ),
        (CertificateKind::UnifiedSocialCreditCode, "9111"),
        (CertificateKind::ResidentId, "110105194912310021"),
        (CertificateKind::OrganisationCode, "统一代码"),
    ] {
        let kept = Certificate::parse(kind, number, CheckDigits::Accept).unwrap();
        assert!(kept.is_unchecked() && sealer().seal_certificate(&kept).unchecked);
        assert_eq!(kept.defect(), read(kind, number).err());
    }
    let good = Certificate::parse(
        CertificateKind::ResidentId,
        RESIDENT_IDS[0],
        CheckDigits::Accept,
    );
    assert!(!good.unwrap().is_unchecked());
    for bad in ["", "  ", "12\u{0}3", &"1".repeat(65), &"九".repeat(100_000)] {
        for kind in KINDS {
            assert!(Certificate::parse(kind, bad, CheckDigits::Accept).is_err());
        }
    }
}

#[test]
fn organisations_match_across_their_two_codes() {
    let credit = seal(CertificateKind::UnifiedSocialCreditCode, CREDIT_CODES[0]);
    let other = seal(CertificateKind::UnifiedSocialCreditCode, CREDIT_CODES[1]);
    let code = seal(CertificateKind::OrganisationCode, "60003734-1");
    assert_eq!(
        same_certificate(&credit, &code),
        CertificateMatch::SameByOrganisationCode
    );
    assert_eq!(
        same_certificate(&code, &credit),
        CertificateMatch::SameByOrganisationCode
    );
    assert_eq!(same_certificate(&code, &code), CertificateMatch::Same);
    assert_eq!(same_certificate(&other, &code), CertificateMatch::Different);
    assert_eq!(
        same_certificate(&credit, &other),
        CertificateMatch::Different
    );
    let short = Certificate::parse(
        CertificateKind::UnifiedSocialCreditCode,
        "9111",
        CheckDigits::Accept,
    )
    .unwrap();
    let short = sealer().seal_certificate(&short);
    assert_eq!(
        same_certificate(&short, &code),
        CertificateMatch::NotComparable
    );
}

#[test]
fn kinds_without_relation_are_not_compared() {
    let number = "12345678";
    let passport = seal(CertificateKind::Passport, number);
    let permit = seal(CertificateKind::TaiwanPermit, number);
    let other = seal(CertificateKind::Other, number);
    let credit = seal(CertificateKind::UnifiedSocialCreditCode, CREDIT_CODES[0]);
    for (a, b) in [
        (&passport, &permit),
        (&passport, &other),
        (&other, &credit),
        (&credit, &permit),
    ] {
        assert_eq!(same_certificate(a, b), CertificateMatch::NotComparable);
        assert_eq!(same_certificate(b, a), CertificateMatch::NotComparable);
    }
    let renewed = seal(CertificateKind::Passport, "87654321");
    assert_eq!(
        same_certificate(&passport, &renewed),
        CertificateMatch::Different
    );
}

#[test]
fn provinces_of_credit_codes() {
    let province = |code| seal(CertificateKind::UnifiedSocialCreditCode, code).province;
    assert_eq!(province("91440300708461136T"), Some(44));
    assert_eq!(province("91110000600037341L"), Some(11));
    assert_eq!(province("N2440300MF01234512"), None);
    assert_eq!(province("Y1310000MA1FL0Q7XA"), None);
    let state = Certificate::parse(
        CertificateKind::UnifiedSocialCreditCode,
        "911000006000373410",
        CheckDigits::Accept,
    );
    assert_eq!(sealer().seal_certificate(&state.unwrap()).province, None);
    assert_eq!(
        seal(CertificateKind::ResidentId, RESIDENT_IDS[0]).province,
        None
    );
}

#[test]
fn masks_show_the_ends_only() {
    let mask = |kind, number| seal(kind, number).mask;
    assert_eq!(
        &*mask(CertificateKind::ResidentId, RESIDENT_IDS[0]),
        "1101**********002X"
    );
    assert_eq!(
        &*mask(CertificateKind::UnifiedSocialCreditCode, CREDIT_CODES[0]),
        "9111**********341L"
    );
    assert_eq!(&*mask(CertificateKind::Passport, "E12345678"), "E1*****78");
    assert_eq!(&*mask(CertificateKind::Passport, "12345"), "1***5");
    assert_eq!(&*mask(CertificateKind::Other, "1234"), "****");
    for (name, shown) in [
        ("张三", "张*"),
        ("张三丰", "张**"),
        ("欧阳小明", "欧阳**"),
        ("歐陽修", "歐陽*"),
        ("欧阳", "欧*"),
        ("张", "*"),
        ("张（）", "*（）"),
        ("张)@", "*）*"),
        ("John  Smith", "J*** S****"),
        ("J. Smith", "* S****"),
        ("买买提·吐尔逊", "买**·***"),
        ("张三（个体工商户）", "张*（*****）"),
        ("Jean-Luc O'Neil", "J***-L** O'****"),
    ] {
        assert_eq!(&*seal_name(name, Holder::Person).display, shown, "{name}");
    }
    let organisation = seal_name("北京 某某(集团)有限公司", Holder::Organisation);
    assert_eq!(&*organisation.display, "北京某某（集团）有限公司");
}

#[test]
fn holders_are_people_when_in_doubt() {
    assert_eq!(Holder::of(None), Holder::Person);
    for kind in KINDS {
        let expected = if kind.is_organisation() {
            Holder::Organisation
        } else {
            Holder::Person
        };
        assert_eq!(Holder::of(Some(kind)), expected);
    }
    let (person, organisation) = (
        seal_name("张三", Holder::Person),
        seal_name("张三", Holder::Organisation),
    );
    assert_eq!(
        (person.exact, person.folded),
        (organisation.exact, organisation.folded)
    );
}

#[test]
fn digests_differ_across_keys_kinds_and_purposes() {
    let other = Sealer::new(b"another key of many octets").unwrap();
    assert_eq!(sealer().key_id(), sealer().key_id());
    assert_ne!(sealer().key_id(), other.key_id());
    let text = "12345678";
    let mut digests = HashSet::new();
    for sealer in [sealer(), other] {
        for kind in KINDS {
            let certificate = Certificate::parse(kind, text, CheckDigits::Accept).unwrap();
            assert!(
                digests.insert(sealer.seal_certificate(&certificate).digest),
                "{kind:?}"
            );
        }
        let name = sealer.seal_name(&Name::parse(text).unwrap(), Holder::Person);
        assert!(digests.insert(name.exact) && digests.insert(name.folded));
    }
    let code = seal(CertificateKind::OrganisationCode, "600037341");
    assert_ne!(Some(code.digest), code.organisation);
    assert_eq!(Sealer::new(b"short").unwrap_err(), KeyError { found: 5 });
}

/// Stored digests must not change from one version to the next. Computed with another program.
#[test]
fn digests_are_stable() {
    let digest = |certificate: &SealedCertificate| {
        format!("{:032x}", u128::from_be_bytes(certificate.digest))
    };
    assert_eq!(
        digest(&seal(CertificateKind::ResidentId, RESIDENT_IDS[0])),
        "1b033033577904ffa2e47e49b5a82310"
    );
    assert_eq!(
        digest(&seal(
            CertificateKind::UnifiedSocialCreditCode,
            CREDIT_CODES[0]
        )),
        "bf8cb0db896e5418f355e549677a2ebf"
    );
}

#[test]
fn nothing_shows_raw_values() {
    let number = RESIDENT_IDS[0];
    let person = "张小明";
    let certificate = read(CertificateKind::ResidentId, number).unwrap();
    let name = Name::parse(person).unwrap();
    let key = "a key that must not be seen at all";
    let sealer = Sealer::new(key.as_bytes()).unwrap();
    let hidden = sealer.seal_certificate(&certificate);
    let hidden_name = sealer.seal_name(&name, Holder::Person);
    let serialised = toml::to_string(&hidden).unwrap() + &toml::to_string(&hidden_name).unwrap();
    let error = read(CertificateKind::ResidentId, "110105194912310021").unwrap_err();
    let shown = format!(
        "{certificate:?} {certificate:#?} {name:?} {sealer:?} {hidden:?} {hidden_name:?} \
         {error:?} {error} {} {} {serialised}",
        certificate_error(&error, Language::English),
        certificate_error(&error, Language::Chinese),
    );
    for secret in [
        number,
        &number[6..14],
        "小明",
        "must not be seen",
        "194912310021",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    let back: SealedCertificate = toml::from_str(&toml::to_string(&hidden).unwrap()).unwrap();
    assert_eq!(back, hidden);
}

#[test]
fn every_error_is_worded_in_both_languages() {
    let mut certificates = vec![
        CertificateError::BirthDate,
        CertificateError::CheckCharacter { position: 18 },
        CertificateError::Control,
        CertificateError::Empty,
    ];
    for expected in [
        ExpectedCharacter::CheckDigit,
        ExpectedCharacter::CreditCode,
        ExpectedCharacter::Digit,
        ExpectedCharacter::DigitNotZero,
        ExpectedCharacter::HkOrMacao,
        ExpectedCharacter::Letter,
        ExpectedCharacter::LetterOrDigit,
        ExpectedCharacter::Nine,
    ] {
        certificates.push(CertificateError::Character {
            position: 3,
            expected,
        });
    }
    for expected in [
        CertificateLength::AtMost(64),
        CertificateLength::Either(15, 18),
        CertificateLength::Exactly(18),
        CertificateLength::Range(5, 20),
    ] {
        certificates.push(CertificateError::Length { expected, found: 3 });
    }
    let names = [
        NameError::Control { position: 2 },
        NameError::Damaged { position: 2 },
        NameError::Empty,
        NameError::NoLetters,
        NameError::TooLong { found: 201 },
    ];
    let texts = |language| -> Vec<String> {
        certificates
            .iter()
            .map(|error| certificate_error(error, language))
            .chain(names.iter().map(|error| name_error(error, language)))
            .collect()
    };
    for text in texts(Language::English) {
        assert!(
            !text.ends_with('.') && text.contains("; ") && !text.contains("  "),
            "{text}"
        );
    }
    for text in texts(Language::Chinese) {
        assert!(!text.ends_with('。') && text.contains('；'), "{text}");
    }
    let all: HashSet<String> = texts(Language::English).into_iter().collect();
    assert_eq!(all.len(), certificates.len() + names.len());
}

fn any_kind() -> impl Strategy<Value = CertificateKind> {
    prop::sample::select(&KINDS[..])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_number_is_read_or_refused(kind in any_kind(), text in "(?s).{0,30}|[0-9A-Zx -]{8,22}") {
        let kept = Certificate::parse(kind, &text, CheckDigits::Accept);
        match Certificate::parse(kind, &text, CheckDigits::Refuse) {
            Ok(certificate) => {
                let sealed = sealer().seal_certificate(&certificate);
                prop_assert_eq!(sealer().seal_certificate(&kept.unwrap()), sealed);
            }
            Err(error) => {
                prop_assert!(!certificate_error(&error, Language::English).is_empty());
                if let Ok(kept) = kept {
                    prop_assert_eq!(kept.defect(), Some(error));
                }
            }
        }
    }

    #[test]
    fn resident_numbers_with_one_wrong_digit_are_refused(
        index in 0..RESIDENT_IDS.len(), at in 0_usize..17, digit in 0_u8..10,
    ) {
        let number = RESIDENT_IDS[index];
        let digit = char::from(b'0' + digit);
        prop_assume!(number.as_bytes()[at] != digit as u8);
        let mut wrong = number.to_owned();
        wrong.replace_range(at..=at, &digit.to_string());
        prop_assert!(read(CertificateKind::ResidentId, &wrong).is_err());
    }
}
