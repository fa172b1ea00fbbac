//! Metrics in the form of OpenTelemetry, from a real process over a real line to a collector.

use std::sync::{Arc, Mutex};

use icpgate::proto::v1;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::Metric;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{Request, Response, Status};

use super::servers::gate::{Gate, Signal, until};
use super::web::{address, get};

/// Keeps what is sent.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<ExportMetricsServiceRequest>>>);

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.0.lock().unwrap().push(request.into_inner());
        Ok(Response::new(ExportMetricsServiceResponse::default()))
    }
}

impl Collector {
    /// A metric of what was sent last.
    fn last(&self, name: &str) -> Option<Metric> {
        let sent = self.0.lock().unwrap();
        let metrics = &sent.last()?.resource_metrics[0].scope_metrics[0].metrics;
        metrics.iter().find(|metric| metric.name == name).cloned()
    }
}

/// Calls that were answered with `OK`, by method, as the last message says.
fn answered(collector: &Collector, method: &str) -> u64 {
    let Some(Metric {
        data: Some(Data::Histogram(calls)),
        unit,
        ..
    }) = collector.last("rpc.server.call.duration")
    else {
        return 0;
    };
    assert_eq!(unit, "s");
    let point = calls.data_points.iter().find(|point| {
        let is = |key: &str, expected: &str| {
            let found = point.attributes.iter().find(|one| one.key == key);
            let value = found.and_then(|one| one.value.clone()?.value);
            matches!(value, Some(Value::StringValue(text)) if text == expected)
        };
        is("rpc.method", method)
            && is("rpc.response.status_code", "OK")
            && is("rpc.system.name", "grpc")
    });
    point.map_or(0, |point| {
        assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
        assert_eq!(point.count, point.bucket_counts.iter().sum::<u64>());
        assert!(point.start_time_unix_nano < point.time_unix_nano);
        point.count
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_the_list_and_the_last_counts() {
    const CHECK: &str = "icpgate.v1.ProvisioningService/CheckProvisioning";
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serving = tonic::transport::Server::builder()
        .add_service(MetricsServiceServer::new(collector.clone()))
        .serve_with_incoming(TcpListenerStream::new(listener));
    let asking = async {
        let settings = vec![
            ("otlp.endpoint", endpoint),
            ("otlp.metrics_interval", "50ms".to_owned()),
        ];
        let mut gate = Gate::start(settings).await;
        let question = v1::CheckProvisioningRequest {
            domain: "shop.example.cn".to_owned(),
            product: v1::Product::Cdn.into(),
            service_area: v1::ServiceArea::Mainland.into(),
            ..Default::default()
        };
        gate.check(question.clone()).await.unwrap();
        until("the collector has the call", async || {
            (answered(&collector, CHECK) == 1).then_some(())
        })
        .await;
        assert!(collector.last("process.memory.usage").is_some());
        assert!(collector.last("db.client.operation.duration").is_some());
        let metrics = get(address(&gate), "/metrics").await.body;
        assert!(metrics.contains("icpgate_otlp_metrics_pushes_total{outcome=\"failed\"} 0"));
        // What is counted last is sent at the end.
        gate.check(question).await.unwrap();
        gate.process().signal(Signal::Terminate);
        assert!(gate.process().wait().await.success());
        assert_eq!(answered(&collector, CHECK), 2);
    };
    tokio::select! {
        served = serving => panic!("{served:?}"),
        () = asking => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_holds_nothing_up() {
    let closed = {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        taken.local_addr().unwrap()
    };
    let settings = vec![
        ("otlp.endpoint", format!("http://{closed}")),
        ("otlp.metrics_interval", "50ms".to_owned()),
    ];
    let mut gate = Gate::start(settings).await;
    let at = address(&gate);
    until("it was tried in vain", async || {
        let metrics = get(at, "/metrics").await.body;
        let line = metrics
            .lines()
            .find(|line| line.starts_with("icpgate_otlp_metrics_pushes_total{outcome=\"failed\"}"))
            .unwrap()
            .to_owned();
        let failed: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        (failed >= 2.0).then_some(())
    })
    .await;
    assert_eq!(gate.log().matches("metrics cannot be sent").count(), 1);
    gate.process().signal(Signal::Terminate);
    assert!(gate.process().wait().await.success());
}
