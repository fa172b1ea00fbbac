//! Personal data, planted everywhere it may enter, is found nowhere that it could leave.

use std::fmt::Write as _;
use std::path::Path;

use icpgate::proto::v1;
use tonic_types::StatusExt as _;

use super::harness::{ask, full};
use super::program::Program;

/// Planted: names of persons and numbers of certificates of persons and organisations. None is
/// part of another value, a mask or a key of the records.
const PLANTED: [&str; 13] = [
    "欧阳探针甲",
    "司马探针乙",
    "诸葛探针丙",
    "上官探针丁",
    "11010519491231002X",
    "110105194912310038",
    "110105194912310046",
    "91110105MA8800017U",
    "91110105MA8800033H",
    "91110105MA8800041C",
    "PROBE77345",
    "110105194912310021",
    "91110105MA8800017X",
];

fn records() -> Vec<v1::Record> {
    let person = |name: &str, number: &str| {
        format!(
            r#"{{"role":"PERSON_ROLE_SENIOR_MANAGER","name":"{name}","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{number}"}}}}"#
        )
    };
    let credit = |number: &str| {
        format!(r#"{{"kind":"CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"{number}"}}"#)
    };
    let card =
        |number: &str| format!(r#"{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{number}"}}"#);
    [
        format!(r#"{{"subject":{{"subject_number":"京ICP备2024998001号","name":"欧阳探针甲","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{}}}}}"#, card("11010519491231002X")),
        r#"{"service":{"service_number":"京ICP备2024998001号-1","kind":"SERVICE_KIND_WEBSITE","domains":["probe-person.cn"]}}"#.to_owned(),
        format!(r#"{{"registration":{{"domain":"probe-person.cn","registrant":{{"name":"司马探针乙","certificate":{}}},"real_name":"REAL_NAME_VERIFIED"}}}}"#, card("110105194912310038")),
        format!(
            r#"{{"subject":{{"subject_number":"京ICP备2024998002号","name":"北京探针科技有限公司","nature":"SUBJECT_NATURE_ENTERPRISE","certificate":{},"people":[{}],"parents":[{{"certificate":{},"share_percent":60}}]}}}}"#,
            credit("91110105MA8800017U"), person("诸葛探针丙", "110105194912310046"), credit("91110105MA8800033H")
        ),
        r#"{"service":{"service_number":"京ICP备2024998002号-1","kind":"SERVICE_KIND_WEBSITE","domains":["probe-org.cn"]}}"#.to_owned(),
        format!(r#"{{"licence":{{"licence_number":"京B2-20248999","holder_name":"北京探针科技有限公司","holder_certificate":{}}}}}"#, credit("91110105MA8800033H")),
        format!(r#"{{"block":{{"list":"BLOCK_LIST_AUTHORITY","certificate":{}}}}}"#, credit("91110105MA8800041C")),
        r#"{"block":{"list":"BLOCK_LIST_AUTHORITY","certificate":{"kind":"CERTIFICATE_KIND_PASSPORT","number":"PROBE77345"}}}"#.to_owned(),
        format!(r#"{{"approval":{{"sector":"SECTOR_NEWS","approval_number":"探针新闻1号","holder_certificate":{}}}}}"#, credit("91110105MA8800017U")),
    ]
    .iter()
    .map(|json| super::harness::record(json))
    .collect()
}

fn refused() -> Vec<v1::Record> {
    [
        r#"{"subject":{"subject_number":"京ICP备2024998003号","name":"上官探针丁","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"110105194912310021"}}}"#,
        r#"{"subject":{"subject_number":"京ICP备2024998003号","name":"上官探针丁","nature":"SUBJECT_NATURE_ENTERPRISE","certificate":{"kind":"CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"91110105MA8800017X"}}}"#,
        r#"{"registration":{"domain":"cn","registrant":{"name":"上官探针丁","certificate":{"kind":"CERTIFICATE_KIND_PASSPORT","number":"PROBE77345"}}}}"#,
    ]
    .iter()
    .map(|json| super::harness::record(json))
    .collect()
}

fn questions() -> Vec<v1::CheckProvisioningRequest> {
    let applicant = v1::Applicant {
        nature: v1::SubjectNature::Enterprise as i32,
        name: "北京探针科技有限公司".into(),
        certificate: Some(v1::Certificate {
            kind: v1::CertificateKind::UnifiedSocialCreditCode as i32,
            number: "91110105MA8800017U".into(),
        }),
        province: "11".into(),
        people: vec![v1::Person {
            role: v1::PersonRole::LegalRepresentative as i32,
            name: "上官探针丁".into(),
            certificate: Some(v1::Certificate {
                kind: v1::CertificateKind::ResidentId as i32,
                number: "11010519491231002X".into(),
            }),
        }],
        ..Default::default()
    };
    let mut questions = Vec::new();
    for name in ["probe-person.cn", "probe-org.cn", "probe-none.cn"] {
        for language in ["en", "zh"] {
            for purpose in [
                v1::Purpose::Order,
                v1::Purpose::Activation,
                v1::Purpose::PreFiling,
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
                    ..full(ask(name))
                });
            }
        }
    }
    // A wrong number of an applicant is told without the number.
    let mut bad = applicant;
    bad.people[0].certificate.as_mut().unwrap().number = "110105194912310021".into();
    questions.push(v1::CheckProvisioningRequest {
        purpose: v1::Purpose::PreFiling as i32,
        applicant: Some(bad),
        ..ask("probe-none.cn")
    });
    questions
}

fn telltale(what: &str, text: &[u8]) -> Option<String> {
    for planted in PLANTED {
        let forms = [
            planted.as_bytes().to_vec(),
            planted.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            planted.to_ascii_lowercase().into_bytes(),
            // As a debug form or JSON may escape it.
            planted.escape_unicode().to_string().into_bytes(),
            planted
                .bytes()
                .fold(String::new(), |mut text, byte| {
                    let _ = write!(text, "\\x{byte:02x}");
                    text
                })
                .into_bytes(),
        ];
        for form in forms {
            if text.windows(form.len()).any(|window| window == form) {
                return Some(format!("{planted} in {what}"));
            }
        }
    }
    None
}

fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else {
            found.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
}

#[tokio::test]
#[expect(
    clippy::too_many_lines,
    reason = "one walk through everything that lets data out"
)]
async fn planted_personal_data_is_found_nowhere() {
    let mut program = Program::start(&["--log-level", "trace"]).await;
    let mut client = program.provisioning().await;
    let mut importer = program.records().await;
    let mut told = String::new();
    importer
        .put_records(v1::PutRecordsRequest { records: records() })
        .await
        .unwrap();
    for record in refused() {
        let request = v1::PutRecordsRequest {
            records: vec![record.clone()],
        };
        let status = importer.put_records(request).await.unwrap_err();
        let _ = write!(
            told,
            "{status:?} {} {:?}",
            status.message(),
            status.get_error_details()
        );
    }
    let mut lines = records();
    lines.extend(refused());
    let lines = lines.into_iter().map(|record| v1::ImportRecordsRequest {
        record: Some(record),
        line: 0,
    });
    let lines: Vec<_> = lines.collect();
    let response = importer
        .import_records(futures::stream::iter(lines))
        .await
        .unwrap();
    let response = response.into_inner();
    assert_eq!((response.unchanged, response.rejected_count), (9, 3));
    let _ = write!(told, "{response:?}");
    for question in questions() {
        match client.check_provisioning(question).await {
            Ok(response) => {
                let decision = response.into_inner().decision.unwrap();
                let _ = write!(told, "{decision:?}");
                let request = v1::GetDecisionRequest {
                    decision_id: decision.decision_id,
                };
                if let Ok(recorded) = client.get_decision(request).await {
                    let _ = write!(told, "{recorded:?}");
                }
            }
            Err(status) => {
                let _ = write!(
                    told,
                    "{status:?} {} {:?}",
                    status.message(),
                    status.get_error_details()
                );
            }
        }
    }
    for domain in ["probe-person.cn", "probe-org.cn"] {
        let request = v1::GetDomainRequest {
            domain: domain.into(),
        };
        let known = importer.get_domain(request).await.unwrap().into_inner();
        assert!(known.records.len() > 1, "{known:?}");
        let _ = write!(told, "{known:?}");
    }
    let changes = importer
        .list_changes(v1::ListChangesRequest::default())
        .await
        .unwrap();
    let _ = write!(told, "{changes:?}");
    assert_eq!(telltale("an answer", told.as_bytes()), None, "{told}");
    assert!(
        told.contains("北京探针科技有限公司"),
        "names of organisations stay readable"
    );
    drop((client, importer));
    // While it runs, with the write-ahead log beside the store, and after its end.
    for moment in ["running", "ended"] {
        let mut found = Vec::new();
        files(program.folder.path(), &mut found);
        let stores = found
            .iter()
            .filter(|(path, _)| path.contains("icpgate.sqlite"))
            .count();
        assert!(stores >= 1);
        if moment == "running" {
            assert!(
                found
                    .iter()
                    .any(|(path, bytes)| path.ends_with("-wal") && !bytes.is_empty())
            );
        }
        for (path, bytes) in &found {
            assert_eq!(telltale(path, bytes), None, "{moment}");
        }
        if moment == "running" {
            program.stop().await;
        }
    }
    let log = program.output();
    assert!(
        log.contains("TRACE") || log.contains("DEBUG"),
        "the log is talkative: {log}"
    );
    // The key seals; it is as secret as what it seals.
    let key =
        std::fs::read_to_string(program.folder.path().join("icpgate-data/privacy.key")).unwrap();
    assert!(!log.contains(key.trim()) && !told.contains(key.trim()));
}
