//! What is asked, and what it is asked about.

use icpgate::proto::v1;

use crate::servers::gate::{Gate, Settings};

/// A name with a filing, and one with none.
pub(crate) const FILED: &str = "www.planted-probe.cn";
pub(crate) const UNFILED: &str = "planted-nowhere.cn";

/// An order, which is nobody's business but the caller's.
pub(crate) const ORDER: &str = "order-planted-77";

/// What stands in records and questions and in no trace. In small letters.
pub(crate) const PLANTED: [&str; 8] = [
    "planted",
    "欧阳探针甲",
    "上官探针丁",
    "11010519491231002x",
    "110105194912310038",
    "2024998001",
    "京icp",
    "127.0.0.1",
];

pub(crate) const CHECK: &str = "icpgate.v1.ProvisioningService/CheckProvisioning";
pub(crate) const BATCH: &str = "icpgate.v1.ProvisioningService/BatchCheckProvisioning";
pub(crate) const SCREEN: &str = "icpgate.v1.ProvisioningService/ScreenDomains";

/// A server with records, with settings of its own.
pub(crate) async fn gate(settings: Settings) -> Gate {
    let gate = Gate::start(settings).await;
    gate.put(records()).await.unwrap();
    gate
}

pub(crate) fn question(domain: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn as i32,
        service_area: v1::ServiceArea::Mainland as i32,
        order_id: ORDER.to_owned(),
        applicant: Some(v1::Applicant {
            nature: v1::SubjectNature::Individual as i32,
            name: "上官探针丁".to_owned(),
            certificate: Some(v1::Certificate {
                kind: v1::CertificateKind::ResidentId as i32,
                number: "110105194912310038".to_owned(),
            }),
            province: "11".to_owned(),
            ..v1::Applicant::default()
        }),
        ..v1::CheckProvisioningRequest::default()
    }
}

/// A question with headers of the caller.
pub(crate) fn with_headers<T>(message: T, headers: &[(&'static str, &str)]) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}

fn records() -> Vec<v1::Record> {
    [
        r#"{"source":"t","subject":{"subject_number":"京ICP备2024998001号","name":"欧阳探针甲","nature":"SUBJECT_NATURE_INDIVIDUAL","status":"SUBJECT_STATUS_ACTIVE","certificate":{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"11010519491231002X"}}}"#,
        r#"{"source":"t","service":{"service_number":"京ICP备2024998001号-1","subject_number":"京ICP备2024998001号","kind":"SERVICE_KIND_WEBSITE","status":"SERVICE_STATUS_ACTIVE","domains":["planted-probe.cn"]}}"#,
        r#"{"source":"t","access":{"service_number":"京ICP备2024998001号-1","provider_id":"self","status":"ACCESS_STATUS_ACTIVE"}}"#,
    ]
    .iter()
    .map(|json| serde_json::from_str(json).unwrap())
    .collect()
}
