//! Everything that is refused, with the field that it is refused for and the remedy.

use icpgate::intake::Intake;
use icpgate::proto::v1;
use icpgate_policy::explain::Language;
use icpgate_policy::field::FieldProblem;
use icpgate_policy::identity::CheckDigits;
use pbjson_types::Timestamp as WireTimestamp;

use super::support::{intake, now, one_refusal, refused, take};

const SUBJECT: &str = r#"{"subject":{"subject_number":"京ICP备10046444号","name":"某公司",
    "nature":"SUBJECT_NATURE_ENTERPRISE","certificate":{"kind":
    "CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"91110108MA00000A1P"}"#;
const SERVICE: &str =
    r#"{"service":{"service_number":"京ICP备10046444号-1","kind":"SERVICE_KIND_WEBSITE""#;
const LICENCE: &str = r#"{"licence":{"licence_number":"粤B2-20090059","holder_certificate":
    {"kind":"CERTIFICATE_KIND_OTHER","number":"7"}"#;
const REGISTRATION: &str = r#"{"registration":{"domain":"example-gate.cn""#;
const BLOCK: &str = r#"{"block":{"list":"BLOCK_LIST_AUTHORITY","domain":"example-gate.cn""#;

/// A record with more fields.
fn with(base: &str, more: &str) -> String {
    format!("{base},{more}}}}}")
}

fn field(line: &str) -> String {
    one_refusal(line).0
}

#[test]
fn the_bases_are_good() {
    for base in [SUBJECT, SERVICE, LICENCE, REGISTRATION, BLOCK] {
        take(&format!("{base}}}}}")).unwrap();
    }
}

#[test]
fn numbers_against_their_grammar() {
    for (number, why) in [
        ("京ICP备1004644号", "digits"),
        ("瑜ICP备10046444号", "province"),
        ("港ICP备10046444号", "mainland"),
        ("京ICP备2027046444号", "2027"),
        ("京ICP备10046444号-1", "service"),
        ("not a number", ""),
    ] {
        let line = SUBJECT.replace("京ICP备10046444号", number) + "}}";
        let (field, text) = one_refusal(&line);
        assert_eq!(field, "subject.subject_number");
        assert!(text.contains(&format!("`{number}`")), "{text}");
        assert!(text.to_lowercase().contains(why), "{number}: {text}");
    }
    let line = SERVICE.replace("号-1", "号") + "}}";
    assert_eq!(field(&line), "service.service_number");
    let line = LICENCE.replace("粤B2-20090059", "京ICP备10046444号") + "}}";
    assert_eq!(field(&line), "licence.licence_number");
}

#[test]
fn a_public_security_number_of_another_province() {
    let line =
        r#"{"public_security_filing":{"number":"京公网安备44010802032137号","domain":"a.cn"}}"#;
    let (field, text) = one_refusal(line);
    assert_eq!(field, "public_security_filing.number");
    assert!(text.contains("11"), "{text}");
}

#[test]
fn a_service_that_is_not_under_its_subject() {
    let line = with(SERVICE, r#""subject_number":"京ICP备10046445号""#);
    let (field, text) = one_refusal(&line);
    assert_eq!(field, "service.subject_number");
    assert!(
        text.contains("京ICP备10046444号") && text.contains("京ICP备10046445号"),
        "{text}"
    );
    take(&with(SERVICE, r#""subject_number":"京icp备10046444号""#)).unwrap();
}

#[test]
fn a_letter_of_another_kind() {
    for (number, kind, fits) in [
        ("", "WEBSITE", true),
        ("A", "APP", true),
        ("X", "MINI_PROGRAM", true),
        ("K", "QUICK_APP", true),
        ("A", "WEBSITE", false),
        ("", "APP", false),
        ("X", "QUICK_APP", false),
        ("K", "MINI_PROGRAM", false),
    ] {
        let line = SERVICE
            .replace("-1", &format!("-1{number}"))
            .replace("WEBSITE", kind)
            + "}}";
        if fits {
            take(&line).unwrap();
        } else {
            let (field, text) = one_refusal(&line);
            assert_eq!(field, "service.service_number");
            assert!(text.contains("letter"), "{text}");
        }
    }
}

#[test]
fn an_end_before_its_start() {
    let line = with(
        LICENCE,
        r#""issued_on":"2025-01-02","expires_on":"2025-01-01""#,
    );
    let (field, text) = one_refusal(&line);
    assert_eq!(field, "licence.expires_on");
    assert!(text.contains("`issued_on`"), "{text}");
    take(&with(
        LICENCE,
        r#""issued_on":"2025-01-01","expires_on":"2025-01-01""#,
    ))
    .unwrap();

    let line = with(
        BLOCK,
        r#""since":"2025-01-01T00:00:01Z","until":"2025-01-01T00:00:00Z""#,
    );
    assert_eq!(one_refusal(&line).0, "block.until");
}

#[test]
fn what_is_no_domain() {
    for (text, why) in [
        ("com.cn", "public suffix"),
        ("cn", "public suffix"),
        ("*.example-gate.cn", "`example-gate.cn`"),
        ("192.0.2.1", "IP address"),
        ("[2001:db8::1]", "IP address"),
        ("https://www.example-gate.cn/x", "`www.example-gate.cn`"),
        ("example-gate.cn:443", "`example-gate.cn`"),
        ("a_b.cn", "underscore"),
        ("localhost", "top-level"),
        ("a..cn", "dot"),
        ("", "required"),
    ] {
        let line = REGISTRATION.replace("example-gate.cn", text) + "}}";
        let (field, description) = one_refusal(&line);
        assert_eq!(field, "registration.domain");
        assert!(description.contains(why), "{text}: {description}");
    }
    let line = with(SERVICE, r#""domains":["a.cn","com.cn","b.cn","*.c.cn"]"#);
    let fields: Vec<_> = refused(&line).into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["service.domains[1]", "service.domains[3]"]);
}

#[test]
fn a_password_before_a_host_is_not_repeated() {
    let line = REGISTRATION.replace("example-gate.cn", "https://user:hunter2@example-gate.cn/");
    let (_, text) = one_refusal(&(line + "}}"));
    assert!(
        !text.contains("hunter2") && text.contains("example-gate.cn"),
        "{text}"
    );
}

#[test]
fn shares_outside_0_to_100() {
    let parent = |share: &str| {
        with(
            SUBJECT,
            &format!(
                r#""parents":[{{"certificate":{{"kind":"CERTIFICATE_KIND_OTHER","number":"7"}},
                "share_percent":{share}}}]"#
            ),
        )
    };
    for share in ["-0.01", "100.01", "1e300", r#""NaN""#, r#""Infinity""#] {
        let (field, text) = one_refusal(&parent(share));
        assert_eq!(field, "subject.parents[0].share_percent");
        assert!(text.contains("0 to 100"), "{text}");
    }
    for share in ["0", "-0.0", "100", "33.333"] {
        take(&parent(share)).unwrap();
    }
}

#[test]
fn certificates_of_wrong_alphabet_length_or_check_digit() {
    for (kind, number) in [
        ("UNIFIED_SOCIAL_CREDIT_CODE", "91110108MA00000A1X"),
        ("UNIFIED_SOCIAL_CREDIT_CODE", "91110108MA00000A1"),
        ("UNIFIED_SOCIAL_CREDIT_CODE", "91110108MA00000I1P"),
        ("ORGANISATION_CODE", "MA00000A8"),
        ("RESIDENT_ID", "110105194912310021"),
        ("RESIDENT_ID", "110105194913310020"),
        ("HK_MACAO_PERMIT", "X12345678"),
        ("TAIWAN_PERMIT", "1234567"),
        ("PASSPORT", "E1"),
        ("FOREIGN_PERMANENT_RESIDENT", "123"),
    ] {
        let line = format!(
            r#"{{"block":{{"list":"BLOCK_LIST_PROVIDER","certificate":
            {{"kind":"CERTIFICATE_KIND_{kind}","number":"{number}"}}}}}}"#
        );
        let (field, text) = one_refusal(&line);
        assert_eq!(field, "block.certificate.number");
        assert!(!text.contains(number), "{text}");
    }
}

#[test]
fn missing_fields_are_all_named() {
    let fields = |line: &str| -> Vec<String> {
        let refused = refused(line);
        for (_, text) in &refused {
            assert!(text.contains("required"), "{text}");
        }
        refused.into_iter().map(|(field, _)| field).collect()
    };
    assert_eq!(fields("{}"), ["record"]);
    assert_eq!(
        fields(r#"{"subject":{}}"#),
        [
            "subject.subject_number",
            "subject.nature",
            "subject.name",
            "subject.certificate"
        ]
    );
    assert_eq!(
        fields(r#"{"subject":{"people":[{}],"parents":[{}]}}"#)[4..],
        ["subject.people[0].role", "subject.parents[0].certificate"]
    );
    assert_eq!(
        fields(r#"{"service":{}}"#),
        ["service.service_number", "service.kind"]
    );
    assert_eq!(
        fields(r#"{"access":{}}"#),
        ["access.service_number", "access.provider_id"]
    );
    assert_eq!(
        fields(r#"{"application":{}}"#),
        [
            "application.application_id",
            "application.domain",
            "application.kind",
            "application.stage"
        ]
    );
    assert_eq!(
        fields(r#"{"licence":{}}"#),
        ["licence.licence_number", "licence.holder_certificate"]
    );
    assert_eq!(fields(r#"{"registration":{}}"#), ["registration.domain"]);
    assert_eq!(fields(r#"{"block":{}}"#), ["block.list", "block.target"]);
    assert_eq!(
        fields(r#"{"approval":{}}"#),
        [
            "approval.sector",
            "approval.approval_number",
            "approval.holder"
        ]
    );
    assert_eq!(
        fields(r#"{"public_security_filing":{}}"#),
        [
            "public_security_filing.number",
            "public_security_filing.domain"
        ]
    );
    assert_eq!(
        fields(r#"{"display_observation":{}}"#),
        ["display_observation.domain"]
    );
    assert_eq!(
        fields(r#"{"block":{"list":1,"certificate":{"number":"7"}}}"#),
        ["block.certificate.kind"]
    );
    assert_eq!(
        fields(r#"{"block":{"list":1,"certificate":{"kind":8}}}"#),
        ["block.certificate.number"]
    );
}

#[test]
fn unknown_codes_of_the_wire() {
    let record = v1::Record {
        record: Some(v1::record::Record::Access(v1::Access {
            service_number: "京ICP备10046444号-1".to_owned(),
            provider_id: "p".to_owned(),
            status: 77,
            since: None,
        })),
        ..v1::Record::default()
    };
    let violations = intake(CheckDigits::Refuse)
        .record(record, now())
        .unwrap_err();
    assert_eq!(violations.len(), 1);
    assert_eq!(violations[0].field, "access.status");
    assert_eq!(
        violations[0].problem,
        FieldProblem::UnknownCode { found: 77 }
    );
}

#[test]
fn long_texts_and_lists() {
    let long = "长".repeat(501);
    for (line, name) in [
        (
            with(SERVICE, &format!(r#""name":"{long}""#)),
            "service.name",
        ),
        (
            with(SERVICE, &format!(r#""content_types":["{long}"]"#)),
            "service.content_types[0]",
        ),
        (
            with(BLOCK, &format!(r#""reason":"{long}""#)),
            "block.reason",
        ),
        (
            with(REGISTRATION, &format!(r#""registrar":"{long}""#)),
            "registration.registrar",
        ),
        (SUBJECT.replace("某公司", &long) + "}}", "subject.name"),
        (
            format!(r#"{SERVICE}}},"source":"{}"}}"#, "s".repeat(65)),
            "source",
        ),
    ] {
        let (field, text) = one_refusal(&line);
        assert_eq!(field, name);
        assert!(text.contains("at most"), "{text}");
    }
    take(&with(BLOCK, &format!(r#""reason":"{}""#, "长".repeat(500)))).unwrap();
    let access = format!(
        r#"{{"access":{{"service_number":"京ICP备10046444号-1","provider_id":"{}"}}}}"#,
        "p".repeat(65)
    );
    assert_eq!(field(&access), "access.provider_id");
    let application = format!(
        r#"{{"application":{{"application_id":"{}","domain":"a.cn","kind":1,"stage":1}}}}"#,
        "p".repeat(129)
    );
    assert_eq!(field(&application), "application.application_id");

    let list = |entry: &str, count: usize| vec![entry; count].join(",");
    let parent = r#"{"certificate":{"kind":8,"number":"7"}}"#;
    for (line, name) in [
        (
            with(
                SUBJECT,
                &format!(r#""people":[{}]"#, list(r#"{"role":1}"#, 201)),
            ),
            "people",
        ),
        (
            with(SUBJECT, &format!(r#""parents":[{}]"#, list(parent, 51))),
            "parents",
        ),
        (
            with(
                SERVICE,
                &format!(r#""domains":[{}]"#, list(r#""a.cn""#, 1001)),
            ),
            "domains",
        ),
        (
            format!(
                r#"{{"display_observation":{{"domain":"a.cn","numbers":[{}]}}}}"#,
                list(r#""x""#, 101)
            ),
            "numbers",
        ),
        (
            with(LICENCE, &format!(r#""businesses":[{}]"#, list("1", 101))),
            "businesses",
        ),
        (
            with(
                REGISTRATION,
                &format!(r#""statuses":[{}]"#, list(r#""ok""#, 101)),
            ),
            "statuses",
        ),
    ] {
        let (field, text) = one_refusal(&line);
        assert!(field.ends_with(name), "{field}");
        assert!(text.contains("entries"), "{text}");
    }
    take(&with(
        SUBJECT,
        &format!(r#""people":[{}]"#, list(r#"{"role":1}"#, 200)),
    ))
    .unwrap();
}

#[test]
fn control_characters() {
    for control in ["\\u0000", "\\n", "\\u202e"] {
        let line = with(BLOCK, &format!(r#""reason":"a{control}b""#));
        let (field, text) = one_refusal(&line);
        assert_eq!(field, "block.reason");
        assert!(text.contains("character 2"), "{text}");
    }
    let line = SUBJECT.replace("某公司", "某\\u0000公司") + "}}";
    assert_eq!(field(&line), "subject.name");
}

#[test]
fn days_and_instants() {
    for (day, why) in [("2025-02-30", "calendar"), ("2025/01/01", "YYYY-MM-DD")] {
        let (field, text) = one_refusal(&with(LICENCE, &format!(r#""issued_on":"{day}""#)));
        assert_eq!(field, "licence.issued_on");
        assert!(text.contains(why) && text.contains(day), "{text}");
    }
    let refuse = |intake: &Intake, seconds, nanos| {
        let record = v1::Record {
            record: Some(v1::record::Record::Access(v1::Access {
                service_number: "京ICP备10046444号-1".to_owned(),
                provider_id: "p".to_owned(),
                status: 0,
                since: Some(WireTimestamp { seconds, nanos }),
            })),
            ..v1::Record::default()
        };
        intake.record(record, now())
    };
    let intake = intake(CheckDigits::Refuse);
    for (seconds, nanos) in [
        (i64::MAX, 0),
        (i64::MIN, 0),
        (0, -1),
        (0, 1_000_000_000),
        (-62_135_596_801, 0),
        (253_402_300_800, 0),
    ] {
        let violations = refuse(&intake, seconds, nanos).unwrap_err();
        assert_eq!(violations[0].field, "access.since");
        assert_eq!(violations[0].problem, FieldProblem::Instant);
    }
    refuse(&intake, 0, 999_999_999).unwrap();
}

#[test]
fn observed_more_than_a_day_ahead() {
    let line = |observed: &str| format!(r#"{SERVICE}}},"observed_at":"{observed}"}}"#);
    take(&line("2026-02-02T00:00:00Z")).unwrap();
    let (field, text) = one_refusal(&line("2026-02-02T00:00:00.001Z"));
    assert_eq!(field, "observed_at");
    assert!(text.contains("2026-02-02T00:00:00Z"), "{text}");
}

#[test]
fn everything_is_reported_at_once_and_nothing_personal() {
    let line = r#"{"subject":{"subject_number":"京ICP备1号","name":"张三丰\u0007",
        "nature":"SUBJECT_NATURE_INDIVIDUAL",
        "certificate":{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"110105194912310021"},
        "people":[{"name":"李四光"},{"role":1,"certificate":{"kind":3,"number":"1101051949123100"}}],
        "parents":[{"share_percent":101}]},"observed_at":"2030-01-01T00:00:00Z",
        "source":"a\u0000b"}"#;
    let violations = take(line).unwrap_err();
    let fields: Vec<_> = violations
        .iter()
        .map(|violation| violation.field.as_str())
        .collect();
    assert_eq!(
        fields,
        [
            "subject.subject_number",
            "subject.name",
            "subject.certificate.number",
            "subject.people[0].role",
            "subject.people[1].certificate.number",
            "subject.parents[0].certificate",
            "subject.parents[0].share_percent",
            "source",
            "observed_at",
        ]
    );
    for violation in &violations {
        for text in [
            violation.description(Language::English),
            violation.description(Language::Chinese),
            format!("{violation:?}"),
        ] {
            for personal in ["三丰", "四光", "19491231", "110105"] {
                assert!(!text.contains(personal), "{text}");
            }
        }
    }
    let inside = violations[0].clone().inside("records[3]");
    assert_eq!(inside.field, "records[3].subject.subject_number");
}
