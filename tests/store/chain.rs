//! Several keys over one another: what is sealed twice equals what was sealed under both at once.

use icpgate_policy::facts::{Entitlement, Fact, Facts, NameFacts, Provenance, Revision};
use icpgate_policy::identity::{
    Certificate, CertificateKind, CheckDigits, Holder, KeyError, Name, Resealer, SealedCertificate,
    SealedName, Sealer,
};
use icpgate_policy::personal;
use icpgate_policy::records::{Handle, Record};
use jiff::Timestamp;
use serde::Serialize;

pub(crate) const FIRST: &[u8] = b"a key of thirty-two octets, or so";
pub(crate) const SECOND: &[u8] = b"another key of thirty-two octets";
pub(crate) const THIRD: &[u8] = b"and yet another one of thirty-two";

fn next(key: &[u8]) -> Resealer {
    Resealer::new(key).unwrap()
}

pub(crate) fn one() -> Sealer {
    Sealer::new(FIRST).unwrap()
}

pub(crate) fn two() -> Sealer {
    one().under(next(SECOND))
}

fn certificate(sealer: &Sealer, kind: CertificateKind, number: &str) -> SealedCertificate {
    sealer.seal_certificate(&Certificate::parse(kind, number, CheckDigits::Accept).unwrap())
}

fn company(sealer: &Sealer) -> SealedCertificate {
    certificate(
        sealer,
        CertificateKind::UnifiedSocialCreditCode,
        "91350100M000100Y43",
    )
}

pub(crate) fn person(sealer: &Sealer) -> SealedCertificate {
    certificate(sealer, CertificateKind::ResidentId, "11010519491231002X")
}

fn name(sealer: &Sealer) -> SealedName {
    sealer.seal_name(&Name::parse("王小明").unwrap(), Holder::Person)
}

fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

pub(crate) fn registration(sealer: &Sealer) -> Record {
    let mut records = records(sealer).into_iter();
    let is = |record: &Record| record.kind() == icpgate_policy::codes::RecordKind::Registration;
    records.find(is).unwrap()
}

/// Records of every kind that holds sealed values.
pub(crate) fn records(sealer: &Sealer) -> Vec<Record> {
    let read = |text: &str| -> Record { serde_json::from_str(text).unwrap() };
    let (person, company, name) = (
        text(&person(sealer)),
        text(&company(sealer)),
        text(&name(sealer)),
    );
    let subject = format!(
        r#"{{"Subject":{{"subject_number":"京ICP备10000001号","name":{name},"nature":"ENTERPRISE",
        "entity":"DOMESTIC","certificate":{company},"status":"ACTIVE",
        "people":[{{"role":"PRINCIPAL","name":{name},"certificate":{person}}},
            {{"role":"WEBMASTER","name":null,"certificate":null}}],
        "parents":[{{"certificate":{company},"share_basis_points":5100}}]}}}}"#
    );
    let licence = format!(
        r#"{{"Licence":{{"licence_number":"京B2-20090001","holder_name":{name},
        "holder_certificate":{company},"businesses":[],"issued_on":null,"expires_on":null,
        "status":"ACTIVE"}}}}"#
    );
    let registration = format!(
        r#"{{"Registration":{{"domain":"a.cn","registrar":"","registrar_approved":null,
        "registrant_name":{name},"registrant_certificate":{person},"redacted":false,
        "real_name":null,"real_name_verified_at":null,"in_authority_library":null,"statuses":[],
        "expires_at":null}}}}"#
    );
    let block = format!(
        r#"{{"Block":{{"list":"AUTHORITY","target":{{"Certificate":{person}}},"reason":"",
        "since":null,"until":null}}}}"#
    );
    let approval = format!(
        r#"{{"Approval":{{"sector":"NEWS","approval_number":"1",
        "holder":{{"Certificate":{company}}},"expires_on":null}}}}"#
    );
    [subject, licence, registration, block, approval]
        .iter()
        .map(|text| read(text))
        .collect()
}

pub(crate) fn facts(sealer: &Sealer) -> Facts {
    let all = records(sealer).into_iter().map(|value| Fact {
        value,
        provenance: Provenance {
            source: "source".into(),
            observed_at: Timestamp::UNIX_EPOCH,
            revision: Revision(1),
            committed_at: Timestamp::UNIX_EPOCH,
        },
    });
    let set = NameFacts::collect(all, Entitlement::complete());
    Facts {
        applicant: Some(std::sync::Arc::new(set.clone())),
        ..Facts::of_name(set)
    }
}

#[test]
fn one_key_seals_as_it_always_did() {
    // Stores that were made with one key go on.
    assert_eq!(one().key_id(), [208, 229, 100, 139, 29, 140, 50, 173]);
}

#[test]
fn what_is_sealed_anew_equals_what_both_keys_seal_at_once() {
    for mut record in records(&one()) {
        personal::in_record(&mut record, &mut |value| next(SECOND).reseal(value));
        let expected = records(&two())
            .into_iter()
            .find(|other| other.kind() == record.kind())
            .unwrap();
        assert_eq!(record, expected);
        assert_eq!(record.key(), expected.key());
        assert_eq!(record.handles(), expected.handles());
        assert_eq!(record.shown_key(), expected.shown_key());
    }
    let mut sealed = facts(&one());
    personal::in_facts(&mut sealed, &mut |value| next(SECOND).reseal(value));
    assert_eq!(sealed, facts(&two()));
}

#[test]
fn no_digest_of_the_first_key_stays() {
    for (before, after) in records(&one()).into_iter().zip(records(&two())) {
        let before = serde_json::to_value(&before).unwrap();
        let after = serde_json::to_string(&after).unwrap();
        let mut digests = Vec::new();
        digests_of(&before, &mut digests);
        assert!(!digests.is_empty(), "{before}");
        for digest in digests {
            assert!(!after.contains(&digest), "{digest} is in {after}");
        }
    }
}

/// Arrays of sixteen numbers are digests.
fn digests_of(value: &serde_json::Value, digests: &mut Vec<String>) {
    match value {
        serde_json::Value::Array(items) if items.len() == 16 && items[0].is_number() => {
            digests.push(value.to_string());
        }
        serde_json::Value::Array(items) => {
            for item in items {
                digests_of(item, digests);
            }
        }
        serde_json::Value::Object(fields) => {
            for field in fields.values() {
                digests_of(field, digests);
            }
        }
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

#[test]
fn every_key_and_their_order_matter() {
    let sealers = [
        one(),
        two(),
        Sealer::new(SECOND).unwrap(),
        Sealer::new(SECOND).unwrap().under(next(FIRST)),
        one().under(next(FIRST)),
        two().under(next(THIRD)),
        one().under(next(THIRD)).under(next(SECOND)),
    ];
    for (place, a) in sealers.iter().enumerate() {
        for b in sealers.iter().skip(place + 1) {
            assert_ne!(a.key_id(), b.key_id());
            assert_ne!(person(a).digest, person(b).digest);
            assert_ne!(name(a).exact, name(b).exact);
        }
        // What is shown, and what is equal, stays.
        assert_eq!(person(a).mask, person(&one()).mask);
        assert_eq!(name(a).display, name(&one()).display);
        let code = certificate(a, CertificateKind::OrganisationCode, "M000100Y4");
        assert_eq!(code.organisation, company(a).organisation);
    }
    assert_eq!(
        next(THIRD).key_id(two().key_id()),
        two().under(next(THIRD)).key_id()
    );
}

#[test]
fn a_digest_sealed_anew_is_the_digest_of_nothing_else() {
    // A name whose text is a digest is no way to have it sealed anew.
    let inner = name(&one()).exact;
    assert_ne!(next(SECOND).digest(&inner), inner);
    assert_ne!(
        next(SECOND).digest(&inner)[..8],
        next(SECOND).key_id(one().key_id())
    );
    assert_eq!(Resealer::new(b"short").unwrap_err(), KeyError { found: 5 });
    assert_eq!(format!("{:?}", next(SECOND)), "Resealer(..)");
}

#[test]
fn handles_of_holders_are_told_from_others() {
    let person = person(&one());
    assert!(Handle::holder(&person).iter().all(Handle::is_of_holder));
    for other in [
        Handle::name("h.cn"),
        Handle::name("o.cn"),
        Handle::licence("h"),
    ] {
        assert!(!other.is_of_holder());
    }
}
