//! Personal data and secrets, and everything through which they may enter.

use icpgate::proto::v1;

use crate::search::{Place, Planted};

/// Password of the database. The server asks for none.
pub(crate) const DATABASE_PASSWORD: &str = "probeDb7Qx93Lm";

/// Password of Redis.
pub(crate) const REDIS_PASSWORD: &str = "probeRedis5Tz81Wk";

/// A password in an address that nothing listens at.
pub(crate) const WRONG_PASSWORD: &str = "probeWrong4Hd26Yn";

/// The caller's own names for its customer and its order: kept with decisions, and told nowhere.
pub(crate) const ACCOUNT: &str = "probe-account-70815";
pub(crate) const ORDER: &str = "probe-order-70816";

/// A name of an organisation, which is public in the filing system.
pub(crate) const ORGANISATION: &str = "北京探针科技有限公司";

/// Names of persons, and numbers of certificates of every kind. None is part of another, of a mask,
/// or of a key of the records.
const PERSONAL: [(&str, &str); 21] = [
    ("the name of a subject", "欧阳探针甲"),
    ("the name of a registrant", "司马探针乙"),
    ("the name of a manager", "诸葛探针丙"),
    ("the name of somebody refused", "上官探针丁"),
    ("the name of an applicant", "夏侯探针戊"),
    ("a foreign name", "ADELHEID PROBESON"),
    ("an identity number", "11010519491231002X"),
    ("an identity number", "110105194912310038"),
    ("an identity number", "110105194912310046"),
    ("an identity number of 15 digits", "110105570823773"),
    (
        "what an identity number of 15 digits becomes",
        "110105195708237739",
    ),
    (
        "an identity number with a wrong check digit",
        "110105194912310021",
    ),
    ("a credit code", "91110105MA8800017U"),
    ("a credit code", "91110105MA8800033H"),
    ("a credit code", "91110105MA8800041C"),
    (
        "a credit code with a wrong check character",
        "91110105MA8800017X",
    ),
    ("an organisation code", "PB773456X"),
    ("a passport", "PROBE77345"),
    ("a permit of Hong Kong", "H77345612"),
    ("a card of permanent residence", "PRB110077345612"),
    ("another certificate", "PROBEZJ884412"),
];

const TAIWAN: &str = "77345618";

/// What is searched for.
pub(crate) fn planted(key: &[u8], tokens: &[String]) -> Vec<Planted> {
    const OF_THE_CALLER: &[Place] = &[Place::Answers, Place::Store];
    const ASKED_ABOUT: &[Place] = &[Place::Answers, Place::Commands, Place::Redis, Place::Store];
    const EVERYWHERE: &[Place] = &[
        Place::Answers,
        Place::Commands,
        Place::Log,
        Place::Pages,
        Place::Redis,
        Place::Store,
        Place::Traces,
    ];
    let mut planted: Vec<Planted> = PERSONAL
        .iter()
        .map(|(what, value)| Planted::new(what, *value, &[]))
        .collect();
    planted.extend([
        Planted::new("a permit of Taiwan", TAIWAN, &[]),
        Planted::new("the privacy key", key, &[]),
        Planted::new("the password of the database", DATABASE_PASSWORD, &[]),
        Planted::new("the password of Redis", REDIS_PASSWORD, &[]),
        Planted::new("a password that is wrong", WRONG_PASSWORD, &[]),
        Planted::new("an account of a customer", ACCOUNT, OF_THE_CALLER),
        Planted::new("an order", ORDER, OF_THE_CALLER),
        // What is asked about is told to whoever asks, and stands in no log and no label.
        Planted::new("a domain", "probe-org.cn", ASKED_ABOUT),
        Planted::new("a filing number", "京ICP备2024998002号", ASKED_ABOUT),
        // Not secret: what is read is read rightly if these are found.
        Planted::new("an organisation", ORGANISATION, ASKED_ABOUT),
        Planted::new("a service", "ProvisioningService", EVERYWHERE),
    ]);
    for token in tokens {
        for part in token.split('.').skip(1) {
            planted.push(Planted::new("a part of a token", part, &[]));
        }
    }
    planted
}

/// Records that are taken, with every personal value that a record may have.
pub(crate) fn records() -> Vec<v1::Record> {
    let card = certificate("RESIDENT_ID", "11010519491231002X");
    let registrant = certificate("RESIDENT_ID", "110105194912310038");
    let company = certificate("UNIFIED_SOCIAL_CREDIT_CODE", "91110105MA8800017U");
    let parent = certificate("UNIFIED_SOCIAL_CREDIT_CODE", "91110105MA8800033H");
    let blocked = certificate("UNIFIED_SOCIAL_CREDIT_CODE", "91110105MA8800041C");
    let old = certificate("ORGANISATION_CODE", "PB773456X");
    let people = [
        (
            "诸葛探针丙",
            certificate("RESIDENT_ID", "110105194912310046"),
        ),
        ("欧阳探针甲", certificate("RESIDENT_ID", "110105570823773")),
        ("ADELHEID PROBESON", certificate("PASSPORT", "PROBE77345")),
        ("司马探针乙", certificate("HK_MACAO_PERMIT", "H77345612")),
        ("欧阳探针甲", certificate("TAIWAN_PERMIT", TAIWAN)),
        (
            "Adelheid  Probeson",
            certificate("FOREIGN_PERMANENT_RESIDENT", "PRB110077345612"),
        ),
        ("诸葛探针丙", certificate("OTHER", "PROBE-ZJ 884412")),
    ];
    let people: Vec<String> = people
        .iter()
        .map(|(name, certificate)| {
            format!(
                r#"{{"role":"PERSON_ROLE_SENIOR_MANAGER","name":"{name}","certificate":{certificate}}}"#
            )
        })
        .collect();
    let people = people.join(",");
    [
        format!(
            r#"{{"subject":{{"subject_number":"京ICP备2024998001号","name":"欧阳探针甲","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{card}}}}}"#
        ),
        r#"{"service":{"service_number":"京ICP备2024998001号-1","kind":"SERVICE_KIND_WEBSITE","domains":["probe-person.cn"]}}"#.to_owned(),
        format!(
            r#"{{"registration":{{"domain":"probe-person.cn","registrant":{{"name":"司马探针乙","certificate":{registrant}}},"real_name":"REAL_NAME_VERIFIED"}}}}"#
        ),
        format!(
            r#"{{"subject":{{"subject_number":"京ICP备2024998002号","name":"{ORGANISATION}","nature":"SUBJECT_NATURE_ENTERPRISE","certificate":{company},"people":[{people}],"parents":[{{"certificate":{parent},"share_percent":60}}]}}}}"#
        ),
        r#"{"service":{"service_number":"京ICP备2024998002号-1","kind":"SERVICE_KIND_WEBSITE","domains":["probe-org.cn"]}}"#.to_owned(),
        format!(
            r#"{{"licence":{{"licence_number":"京B2-20248999","holder_name":"{ORGANISATION}","holder_certificate":{parent}}}}}"#
        ),
        format!(r#"{{"block":{{"list":"BLOCK_LIST_AUTHORITY","certificate":{blocked}}}}}"#),
        format!(r#"{{"block":{{"list":"BLOCK_LIST_AUTHORITY","certificate":{old}}}}}"#),
        format!(
            r#"{{"block":{{"list":"BLOCK_LIST_AUTHORITY","certificate":{}}}}}"#,
            certificate("PASSPORT", "PROBE77345")
        ),
        format!(
            r#"{{"approval":{{"sector":"SECTOR_NEWS","approval_number":"探针新闻1号","holder_certificate":{company}}}}}"#
        ),
    ]
    .iter()
    .map(|json| record(json))
    .collect()
}

/// Records that are refused, each for another reason.
pub(crate) fn refused() -> Vec<v1::Record> {
    let number = certificate("RESIDENT_ID", "110105194912310021");
    let code = certificate("UNIFIED_SOCIAL_CREDIT_CODE", "91110105MA8800017X");
    let passport = certificate("PASSPORT", "PROBE77345");
    let wrong_kind = certificate("ORGANISATION_CODE", "11010519491231002X");
    [
        format!(
            r#"{{"subject":{{"subject_number":"京ICP备2024998003号","name":"上官探针丁","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{number}}}}}"#
        ),
        format!(
            r#"{{"subject":{{"subject_number":"京ICP备2024998003号","name":"上官探针丁","nature":"SUBJECT_NATURE_ENTERPRISE","certificate":{code}}}}}"#
        ),
        format!(
            r#"{{"registration":{{"domain":"cn","registrant":{{"name":"上官探针丁","certificate":{passport}}}}}}}"#
        ),
        format!(
            r#"{{"registration":{{"domain":"probe-none.cn","registrant":{{"name":"上官探针丁\u0007","certificate":{wrong_kind}}}}}}}"#
        ),
    ]
    .iter()
    .map(|json| record(json))
    .collect()
}

/// Lines of a file that are no records, or not quite, with what the reader may trip over at any
/// place of them.
pub(crate) fn broken_lines() -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = [
        r#"{"subject":{"name":"上官探针丁","certificate":{"number":"110105194912310021"#,
        r#"{"subject":{"name":"上官探针丁","nature":"欧阳探针甲"}}"#,
        r#"{"subject":{"name":"上官探针丁","certificate":{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":110105194912310021}}}"#,
        r#"{"subject":{"name":"上官探针丁","certificate":"91110105MA8800017X"}}"#,
        r#"{"subject":{"name":"上官探针丁","people":"诸葛探针丙"}}"#,
        r#"{"subject":{"上官探针丁":"11010519491231002X"}}"#,
        r#"{"11010519491231002X":"上官探针丁"}"#,
        r#"{"subject":{"name":["上官探针丁"]}}"#,
        r#"["上官探针丁","11010519491231002X"]"#,
        r#""上官探针丁 11010519491231002X""#,
        "上官探针丁,11010519491231002X,PROBE77345",
        r#"{"registration":{"domain":"probe-none.cn","expires_at":"上官探针丁"}}"#,
        r#"{"registration":{"domain":"probe-none.cn","registrant":{"name":"上官探针丁","certificate":{"kind":"PROBE77345"}}}}"#,
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect();
    lines.push(
        "{\"subject\":{\"name\":\"上官探针丁\u{feff}\u{0}\"}}"
            .as_bytes()
            .to_vec(),
    );
    lines.push(b"{\"subject\":{\"name\":\"\xe4\xb8PROBE77345\xff\"}}".to_vec());
    lines
}

/// Questions with every personal value that a question may have.
pub(crate) fn questions() -> Vec<v1::CheckProvisioningRequest> {
    let applicant = applicant("11010519491231002X");
    let mut questions = Vec::new();
    for name in ["probe-person.cn", "probe-org.cn", "probe-none.cn"] {
        for language in ["en", "zh"] {
            for purpose in [
                v1::Purpose::Order,
                v1::Purpose::Activation,
                v1::Purpose::PreFiling,
                v1::Purpose::Recheck,
            ] {
                questions.push(v1::CheckProvisioningRequest {
                    purpose: purpose as i32,
                    language: language.into(),
                    applicant: Some(applicant.clone()),
                    site: Some(v1::Site {
                        payment_enabled: true,
                        sectors: vec![v1::Sector::News as i32],
                        ..Default::default()
                    }),
                    ..question(name)
                });
            }
        }
    }
    questions
}

/// A question that is refused, because a number in it is wrong.
pub(crate) fn refused_question() -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        purpose: v1::Purpose::PreFiling as i32,
        applicant: Some(applicant("110105194912310021")),
        ..question("probe-none.cn")
    }
}

/// A CDN order in the mainland, of a customer.
pub(crate) fn question(domain: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn as i32,
        service_area: v1::ServiceArea::Mainland as i32,
        view: v1::View::Full as i32,
        order_id: ORDER.to_owned(),
        customer: Some(v1::Customer {
            account_id: ACCOUNT.to_owned(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn applicant(number: &str) -> v1::Applicant {
    v1::Applicant {
        nature: v1::SubjectNature::Enterprise as i32,
        name: ORGANISATION.to_owned(),
        certificate: Some(v1::Certificate {
            kind: v1::CertificateKind::UnifiedSocialCreditCode as i32,
            number: "91110105MA8800017U".to_owned(),
        }),
        province: "11".to_owned(),
        people: vec![v1::Person {
            role: v1::PersonRole::LegalRepresentative as i32,
            name: "夏侯探针戊".to_owned(),
            certificate: Some(v1::Certificate {
                kind: v1::CertificateKind::ResidentId as i32,
                number: number.to_owned(),
            }),
        }],
        ..Default::default()
    }
}

fn certificate(kind: &str, number: &str) -> String {
    format!(r#"{{"kind":"CERTIFICATE_KIND_{kind}","number":"{number}"}}"#)
}

fn record(json: &str) -> v1::Record {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}
