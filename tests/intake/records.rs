//! Good records: what becomes of them, and what leaves again.

use icpgate::intake::{UNSPECIFIED_SOURCE, ndjson};
use icpgate::intake::{instant, outgoing};
use icpgate::proto::v1;
use icpgate_policy::facts::{Fact, Provenance, Revision};
use icpgate_policy::identity::{CertificateKind, CheckDigits};
use icpgate_policy::records::{BlockTarget, Record, ShownNumber};
use jiff::Timestamp;

use super::support::{KINDS, data, intake, now, take, take_with};

/// What may not be found in anything that leaves.
const PERSONAL: [&str; 11] = [
    "91110108MA00000A1P",
    "91310000MA1BBBBB26",
    "91440300MA5AAAAA16",
    "11010519491231002X",
    "810000199001010019",
    "MA00000A9",
    "E12345678",
    "三丰",
    "四光",
    "静",
    "小明",
];

fn lines(kind: &str) -> Vec<String> {
    let text = std::fs::read_to_string(data(kind)).unwrap();
    text.lines().map(ToOwned::to_owned).collect()
}

fn fact(line: &str) -> Fact<Record> {
    let new = take(line).unwrap_or_else(|violations| panic!("{line}: {violations:?}"));
    Fact {
        value: new.record,
        provenance: Provenance {
            source: new.source,
            observed_at: new.observed_at,
            revision: Revision(1),
            committed_at: now(),
        },
    }
}

#[test]
fn every_kind_is_taken_and_given_out_masked() {
    for kind in KINDS {
        for line in lines(kind) {
            let fact = fact(&line);
            assert_eq!(fact.value.kind().as_str(), kind);
            let out = outgoing(&fact);
            let json = serde_json::to_string(&out).unwrap();
            let debug = format!("{fact:?}");
            for personal in PERSONAL {
                assert!(!json.contains(personal), "{personal} in {json}");
                assert!(!debug.contains(personal), "{personal} in {debug}");
            }
        }
    }
}

/// With its personal data put back, what leaves is what came.
#[test]
fn all_but_personal_data_survives_the_way_out_and_in() {
    for kind in KINDS {
        for line in lines(kind) {
            let came: v1::Record = serde_json::from_str(&line).unwrap();
            let fact = fact(&line);
            let mut out = outgoing(&fact);
            put_back(out.record.as_mut().unwrap(), came.record.as_ref().unwrap());
            let again = intake(CheckDigits::Refuse).record(out, now()).unwrap();
            assert_eq!(again.record, fact.value, "{line}");
            assert_eq!(again.source, fact.provenance.source);
            assert_eq!(again.observed_at, fact.provenance.observed_at);
        }
    }
}

/// Every number, name and code of the wire form is kept, not only what the core compares.
#[test]
fn normalised_input_leaves_as_it_came() {
    for kind in KINDS {
        let line = lines(kind).remove(0);
        let came: v1::Record = serde_json::from_str(&line).unwrap();
        let mut out = outgoing(&fact(&line));
        put_back(out.record.as_mut().unwrap(), came.record.as_ref().unwrap());
        let expected = match &came.record {
            Some(v1::record::Record::Service(service)) => {
                let domains = [
                    "example-gate.cn",
                    "example-gate.com",
                    "xn--fsqu00a.xn--fiqs8s",
                ];
                let domains = domains.map(ToOwned::to_owned).to_vec();
                let service = v1::Service {
                    domains,
                    ..service.clone()
                };
                v1::Record {
                    record: Some(v1::record::Record::Service(service)),
                    ..came.clone()
                }
            }
            Some(v1::record::Record::Registration(registration)) => {
                let statuses = vec!["clienttransferprohibited".to_owned(), "ok".to_owned()];
                let registration = v1::Registration {
                    statuses,
                    ..registration.clone()
                };
                let record = Some(v1::record::Record::Registration(registration));
                v1::Record {
                    record,
                    ..came.clone()
                }
            }
            Some(v1::record::Record::DisplayObservation(observation)) => {
                let mut observation = observation.clone();
                "京ICP备10046444号".clone_into(&mut observation.numbers[1]);
                let record = Some(v1::record::Record::DisplayObservation(observation));
                v1::Record {
                    record,
                    ..came.clone()
                }
            }
            _ => came.clone(),
        };
        assert_eq!(out, expected, "{kind}");
    }
}

#[test]
fn a_masked_record_is_not_taken_back() {
    let line = &lines("subject")[0];
    let violations = intake(CheckDigits::Accept)
        .record(outgoing(&fact(line)), now())
        .unwrap_err();
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "subject.certificate.number",
            "subject.people[0].certificate.number",
            "subject.people[1].certificate.number",
            "subject.parents[0].certificate.number",
        ]
    );
}

#[test]
fn names_of_organisations_stay_readable_and_those_of_people_do_not() {
    let Record::Subject(subject) = fact(&lines("subject")[0]).value else {
        panic!()
    };
    assert_eq!(&*subject.name.display, "北京示例科技有限公司");
    let shown: Vec<_> = subject
        .people
        .iter()
        .map(|person| &*person.name.as_ref().unwrap().display)
        .collect();
    // Without a certificate nobody says that it is a company: masked.
    assert_eq!(shown, ["张**", "上海示例投资有限公司", "李**"]);
    let Record::Subject(person) = fact(&lines("subject")[2]).value else {
        panic!()
    };
    assert_eq!(&*person.name.display, "欧阳*");
    assert_eq!(person.certificate.kind, CertificateKind::ResidentId);

    let holder = |kind: &str, number: &str| {
        let line = format!(
            r#"{{"licence":{{"licence_number":"粤B2-20090059","holder_name":"张三丰",
            "holder_certificate":{{"kind":"CERTIFICATE_KIND_{kind}","number":"{number}"}}}}}}"#
        );
        let Record::Licence(licence) = take(&line).unwrap().record else {
            panic!()
        };
        licence.holder_name.unwrap().display
    };
    assert_eq!(&*holder("OTHER", "123"), "张三丰");
    assert_eq!(&*holder("RESIDENT_ID", "11010519491231002X"), "张**");
}

#[test]
fn defaults_are_those_of_the_proto() {
    let new = take(&lines("access")[1].replace(r#","status":"ACCESS_STATUS_CANCELLED""#, ""));
    let new = new.unwrap();
    assert_eq!(&*new.source, UNSPECIFIED_SOURCE);
    assert_eq!(new.observed_at, now());
    let Record::Access(access) = new.record else {
        panic!()
    };
    assert_eq!(access.status.as_str(), "ACTIVE");
    let Record::Service(service) = fact(&lines("service")[2]).value else {
        panic!()
    };
    assert_eq!(service.status.as_str(), "ACTIVE");
    let Record::Subject(subject) = fact(&lines("subject")[2]).value else {
        panic!()
    };
    assert_eq!(subject.entity.as_str(), "DOMESTIC");
}

#[test]
fn keys_are_normalised() {
    let key = |line: &str| take(line).unwrap().record.key();
    assert_eq!(
        key(r#"{"access":{"service_number":" 京icp备10046444号－1 ","provider_id":" a  b "}}"#),
        "京ICP备10046444号-1/a b"
    );
    assert_eq!(
        key(
            r#"{"public_security_filing":{"number":"京公网安备 11010802032137号","domain":"a.cn"}}"#
        ),
        "京公网安备11010802032137号"
    );
    assert_eq!(
        key(r#"{"registration":{"domain":" EXAMPLE-gate.中国。 "}}"#),
        "example-gate.xn--fiqs8s"
    );
    assert_eq!(
        key(r#"{"approval":{"sector":"SECTOR_NEWS","approval_number":" 10  1 ","domain":"a.cn"}}"#),
        "NEWS/10 1"
    );
}

#[test]
fn repeated_entries_are_kept_once() {
    let line = r#"{"service":{"service_number":"京ICP备10046444号-1","kind":"SERVICE_KIND_WEBSITE",
        "domains":["b.cn","a.cn","B.CN.","a.cn"]}}"#;
    let Record::Service(service) = take(line).unwrap().record else {
        panic!()
    };
    let names: Vec<_> = service
        .domains
        .iter()
        .map(|domain| domain.ascii().to_owned())
        .collect();
    assert_eq!(names, ["b.cn", "a.cn"]);
}

#[test]
fn statuses_read_in_every_form() {
    let Record::Registration(registration) = fact(&lines("registration")[1]).value else {
        panic!()
    };
    let statuses: Vec<_> = registration
        .statuses
        .iter()
        .map(|status| &**status)
        .collect();
    assert_eq!(statuses, ["clienthold", "pendingdelete"]);
    assert!(registration.redacted);
    // What a registry writes in place of a name is no name.
    assert_eq!(registration.registrant_name, None);
}

#[test]
fn numbers_on_a_page_are_never_refused() {
    let long = "粤".repeat(100);
    let line = format!(
        r#"{{"display_observation":{{"domain":"a.cn","numbers":["京ICP备10046444","粤B2-20090059",
        "京公网安备11010802032137号","京ICP备99999999999号","{long}","\u0007x",""]}}}}"#
    );
    let Record::DisplayObservation(observation) = take(&line).unwrap().record else {
        panic!()
    };
    let read: Vec<String> = observation
        .numbers
        .iter()
        .map(|number| match number {
            ShownNumber::Subject(number) => format!("subject {number}"),
            ShownNumber::Service(number) => format!("service {number}"),
            ShownNumber::Unreadable(text) => format!("text {text}"),
        })
        .collect();
    assert_eq!(
        read,
        [
            "subject 京ICP备10046444号".to_owned(),
            "subject 粤B2-20090059".to_owned(),
            "text 京公网安备11010802032137号".to_owned(),
            "text 京ICP备99999999999号".to_owned(),
            format!("text {}…", "粤".repeat(63)),
            "text \u{fffd}x".to_owned(),
        ]
    );
}

#[test]
fn defective_certificates_are_kept_and_marked_where_they_are_accepted() {
    let line = r#"{"block":{"list":"BLOCK_LIST_PROVIDER","certificate":
        {"kind":"CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"91110108MA00000A1X"}}}"#;
    assert!(take(line).is_err());
    let new = take_with(line, CheckDigits::Accept).unwrap();
    let Record::Block(block) = new.record else {
        panic!()
    };
    let BlockTarget::Certificate(certificate) = block.target else {
        panic!()
    };
    assert!(certificate.unchecked);
}

#[test]
fn nulls_and_both_spellings_of_fields_are_read() {
    let camel = r#"{"licence":{"licenceNumber":"粤B2-20090059","expiresOn":null,"businesses":null,
        "holderCertificate":{"kind":"CERTIFICATE_KIND_OTHER","number":"7"}},"source":null,
        "observedAt":null}"#;
    let snake = r#"{"licence":{"licence_number":"粤B2-20090059",
        "holder_certificate":{"kind":8,"number":"7"}}}"#;
    assert_eq!(
        ndjson::parse(camel.as_bytes()),
        ndjson::parse(snake.as_bytes())
    );
    assert!(take(camel).is_ok());
}

#[test]
fn instants_before_1970_survive() {
    for text in [
        "1969-12-31T23:59:59.25Z",
        "1970-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
    ] {
        let instant_then: Timestamp = text.parse().unwrap();
        let line = format!(
            r#"{{"access":{{"service_number":"京ICP备10046444号-1","provider_id":"p",
            "since":"{text}"}}}}"#
        );
        let fact = fact(&line);
        let Record::Access(access) = &fact.value else {
            panic!()
        };
        assert_eq!(access.since, Some(instant_then));
        let wire = instant(instant_then);
        assert!((0..1_000_000_000).contains(&wire.nanos));
        let Some(v1::record::Record::Access(out)) = outgoing(&fact).record else {
            panic!()
        };
        assert_eq!(out.since, Some(wire));
    }
}

fn put_back(out: &mut v1::record::Record, came: &v1::record::Record) {
    use v1::record::Record as R;
    match (out, came) {
        (R::Subject(out), R::Subject(came)) => {
            out.name.clone_from(&came.name);
            out.certificate.clone_from(&came.certificate);
            for (out, came) in out.people.iter_mut().zip(&came.people) {
                out.name.clone_from(&came.name);
                out.certificate.clone_from(&came.certificate);
            }
            for (out, came) in out.parents.iter_mut().zip(&came.parents) {
                out.certificate.clone_from(&came.certificate);
            }
        }
        (R::Licence(out), R::Licence(came)) => {
            out.holder_name.clone_from(&came.holder_name);
            out.holder_certificate.clone_from(&came.holder_certificate);
        }
        (R::Registration(out), R::Registration(came)) => {
            if let (Some(out), Some(came)) = (&mut out.registrant, &came.registrant) {
                out.name.clone_from(&came.name);
                out.certificate.clone_from(&came.certificate);
            }
        }
        (R::Block(out), R::Block(came)) => {
            if let Some(v1::block::Target::Certificate(_)) = came.target {
                out.target.clone_from(&came.target);
            }
        }
        (R::Approval(out), R::Approval(came)) => {
            if let Some(v1::approval::Holder::HolderCertificate(_)) = came.holder {
                out.holder.clone_from(&came.holder);
            }
        }
        _ => {}
    }
}
