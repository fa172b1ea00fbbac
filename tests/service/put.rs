//! Writing records: all or none, and what is said about a bad one.

use icpgate::proto::v1;
use tonic::Code;
use tonic_types::StatusExt as _;

use super::harness::{Server, ask, bad_fields, filed, reasons, record};

/// A resident identity card with a right check digit, and a name, planted.
const CARD: &str = "11010519491231002X";
const WRONG_CARD: &str = "110105194912310021";
const PERSON: &str = "欧阳探针";

#[tokio::test]
async fn a_put_is_seen_by_the_next_question() {
    let server = Server::empty().await;
    assert_eq!(
        reasons(&server.check(ask("put-example.cn")).await),
        [v1::Reason::FilingNotFound]
    );
    let revision = server.put(filed("put-example.cn", 990_001)).await;
    let decision = server.check(ask("put-example.cn")).await;
    assert_eq!(decision.verdict(), v1::Verdict::Allow, "{decision:?}");
    assert_eq!(decision.revision, revision);
}

#[tokio::test]
async fn a_put_is_all_or_none() {
    let server = Server::empty().await;
    let before = server.store.head().await.unwrap();
    let mut records = filed("atomic-example.cn", 990_001);
    records.push(record(
        r#"{"block":{"list":"BLOCK_LIST_PROVIDER","domain":"com.cn"}}"#,
    ));
    let status = server.try_put(records).await.unwrap_err();
    assert_eq!(bad_fields(&status), ["records[4].block.domain"]);
    assert_eq!(server.store.head().await.unwrap(), before);
    assert_eq!(
        reasons(&server.check(ask("atomic-example.cn")).await),
        [v1::Reason::FilingNotFound]
    );
}

#[tokio::test]
async fn one_to_a_thousand_records_are_taken() {
    let server = Server::empty().await;
    let block = |at: usize| {
        record(&format!(
            r#"{{"block":{{"list":"BLOCK_LIST_PROVIDER","domain":"b{at}.cn"}}}}"#
        ))
    };
    for size in [0, 1001] {
        let status = server
            .try_put((0..size).map(block).collect())
            .await
            .unwrap_err();
        assert_eq!(bad_fields(&status), ["records"], "{size}");
    }
    for size in [1, 1000] {
        server.put((0..size).map(block).collect()).await;
    }
    let counts = server.store.counts().await.unwrap();
    assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 1000);
}

#[tokio::test]
async fn a_bad_record_is_told_by_its_path_and_without_personal_data() {
    let server = Server::empty().await;
    let subject = |certificate: &str, name: &str| {
        record(&format!(
            r#"{{"subject":{{"subject_number":"京ICP备2024990002号","name":"{name}","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{certificate}"}}}}}}"#
        ))
    };
    let fine = || subject(CARD, PERSON);
    let cases: Vec<(&str, v1::Record)> = vec![
        (
            "records[3].subject.certificate.number",
            subject(WRONG_CARD, PERSON),
        ),
        ("records[3].subject.name", subject(CARD, "")),
        (
            "records[3].registration.registrant.certificate.number",
            record(&format!(
                r#"{{"registration":{{"domain":"p.cn","registrant":{{"name":"{PERSON}","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{WRONG_CARD}"}}}}}}}}"#
            )),
        ),
        (
            "records[3].subject.people[1].certificate.number",
            record(&format!(
                r#"{{"subject":{{"subject_number":"京ICP备2024990003号","name":"北京示例科技有限公司","nature":"SUBJECT_NATURE_ENTERPRISE","certificate":{{"kind":"CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"91110105MA8800017U"}},"people":[{{"role":"PERSON_ROLE_PRINCIPAL","name":"{PERSON}"}},{{"role":"PERSON_ROLE_SENIOR_MANAGER","name":"{PERSON}","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{WRONG_CARD}"}}}}]}}}}"#
            )),
        ),
        (
            "records[3].service.service_number",
            record(
                r#"{"service":{"service_number":"粤X备1号-1","kind":"SERVICE_KIND_WEBSITE","domains":["p.cn"]}}"#,
            ),
        ),
        (
            "records[3].licence.expires_on",
            record(
                r#"{"licence":{"licence_number":"京B2-20240001","holder_certificate":{"kind":"CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"91110105MA8800017U"},"issued_on":"2026-01-02","expires_on":"2026-01-01"}}"#,
            ),
        ),
        (
            "records[3].registration.domain",
            record(r#"{"registration":{"domain":"gov.cn"}}"#),
        ),
        (
            "records[3].public_security_filing.number",
            record(
                r#"{"public_security_filing":{"number":"京公网安备44010502088001号","domain":"p.cn"}}"#,
            ),
        ),
    ];
    for (path, bad) in cases {
        let status = server
            .try_put(vec![fine(), fine(), fine(), bad])
            .await
            .unwrap_err();
        assert_eq!(bad_fields(&status), [path], "{status:?}");
        let told = format!(
            "{status:?} {} {:?}",
            status.message(),
            status.get_error_details()
        );
        for planted in [PERSON, CARD, WRONG_CARD, "1949123100"] {
            assert!(!told.contains(planted), "{path}: {told}");
        }
    }
    let none = server
        .try_put(vec![v1::Record::default()])
        .await
        .unwrap_err();
    assert_eq!(none.code(), Code::InvalidArgument);
    assert_eq!(server.store.head().await.unwrap().0, 0);
}

#[tokio::test]
async fn every_bad_record_of_a_put_is_told_at_once() {
    let server = Server::empty().await;
    let bad = || record(r#"{"block":{"list":"BLOCK_LIST_PROVIDER","domain":"cn"}}"#);
    let status = server.try_put(vec![bad(), bad(), bad()]).await.unwrap_err();
    assert_eq!(
        bad_fields(&status),
        [
            "records[0].block.domain",
            "records[1].block.domain",
            "records[2].block.domain"
        ]
    );
    // A thousand of them still fit into the headers that carry a status.
    let status = server
        .try_put((0..1000).map(|_| bad()).collect())
        .await
        .unwrap_err();
    assert!(bad_fields(&status).len() > 3);
}

#[tokio::test]
async fn certificates_with_typing_errors_are_kept_where_that_is_wanted() {
    let server = Server::with(&[("records.certificate_check", "accept")]).await;
    let typo = format!(
        r#"{{"subject":{{"subject_number":"京ICP备2024990004号","name":"{PERSON}","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{WRONG_CARD}"}}}}}}"#
    );
    server.put(vec![record(&typo)]).await;
}

#[tokio::test]
async fn a_name_reads_back_masked_and_an_organisation_in_full() {
    let server = Server::empty().await;
    let person = format!(
        r#"{{"subject":{{"subject_number":"京ICP备2024990005号","name":"{PERSON}","nature":"SUBJECT_NATURE_INDIVIDUAL","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{CARD}"}}}},"source":"feed","observed_at":"2026-03-01T00:00:00Z"}}"#
    );
    let service = r#"{"service":{"service_number":"京ICP备2024990005号-1","kind":"SERVICE_KIND_WEBSITE","domains":["masked-example.cn"]}}"#;
    let mut records = vec![record(&person), record(service)];
    records.extend(filed("org-example.cn", 990_006));
    let revision = server.put(records).await;
    let mut client = server.records().await;
    let request = v1::GetDomainRequest {
        domain: "WWW.Masked-Example.cn.".into(),
    };
    let known = client.get_domain(request).await.unwrap().into_inner();
    assert_eq!(known.ascii, "www.masked-example.cn");
    assert_eq!(known.registrable, "masked-example.cn");
    assert_eq!(known.revision, revision);
    assert_eq!(known.records.len(), 2, "{known:?}");
    let told = serde_json::to_string(&known).unwrap();
    assert!(!told.contains(PERSON) && !told.contains(CARD), "{told}");
    let subject = known.records.iter().find_map(|stored| {
        assert_eq!(stored.revision, revision);
        assert!(stored.committed_at.is_some());
        let record = stored.record.as_ref().unwrap();
        match &record.record {
            Some(v1::record::Record::Subject(subject)) => Some((record, subject)),
            _ => None,
        }
    });
    let (stored, subject) = subject.expect("the subject is led to");
    assert_eq!(stored.source, "feed");
    assert!(stored.observed_at.is_some());
    assert_eq!(subject.subject_number, "京ICP备2024990005号");
    assert!(
        subject.name.contains('*') || subject.name.contains('＊') || subject.name.contains('某'),
        "{}",
        subject.name
    );
    let request = v1::GetDomainRequest {
        domain: "org-example.cn".into(),
    };
    let known = client.get_domain(request).await.unwrap().into_inner();
    let told = serde_json::to_string(&known).unwrap();
    assert_eq!(known.records.len(), 4, "{told}");
    assert!(told.contains("北京示例科技有限公司"), "{told}");
    assert!(
        !told.contains("91110105MA8800017U"),
        "certificate numbers are masked: {told}"
    );
    for bad in [
        "",
        "  ",
        "cn",
        "8.8.8.8",
        "https://x.cn/y",
        &"a".repeat(256),
    ] {
        let request = v1::GetDomainRequest {
            domain: bad.to_owned(),
        };
        let status = client.get_domain(request).await.unwrap_err();
        assert_eq!(bad_fields(&status), ["domain"], "{bad}");
    }
    let request = v1::GetDomainRequest {
        domain: "unheard-of.cn".into(),
    };
    assert!(
        client
            .get_domain(request)
            .await
            .unwrap()
            .into_inner()
            .records
            .is_empty()
    );
}
