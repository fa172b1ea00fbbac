//! Metrics in the form of OpenTelemetry, over a real line to a collector.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use icpgate::clock::SystemClock;
use icpgate::telemetry::metrics::label::Handed;
use icpgate::telemetry::metrics::list::HANDED_IN;
use icpgate::telemetry::metrics::{Observers, otlp};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{
    ExportMetricsServiceRequest, ExportMetricsServiceResponse,
};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value;
use opentelemetry_proto::tonic::resource::v1::Resource;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

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

/// The count of records that were accepted, as a collector got it.
fn accepted(request: &ExportMetricsServiceRequest) -> i64 {
    let metrics = &request.resource_metrics[0].scope_metrics[0].metrics;
    let handed = metrics
        .iter()
        .find(|one| one.name == "icpgate_records_handed_in");
    let Some(Data::Sum(sum)) = &handed.unwrap().data else {
        panic!("{handed:?}");
    };
    assert!(sum.is_monotonic);
    let point = sum.data_points.iter().find(|point| {
        let value = point.attributes[0].value.clone().unwrap().value;
        format!("{value:?}").contains("accepted")
    });
    let Some(Value::AsInt(count)) = point.unwrap().value else {
        panic!("{point:?}");
    };
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_gets_sums_and_a_last_time_at_the_end() {
    let collector = Collector::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (stop, closed) = (CancellationToken::new(), CancellationToken::new());
    let serving = tonic::transport::Server::builder()
        .add_service(MetricsServiceServer::new(collector.clone()))
        .serve_with_incoming_shutdown(
            TcpListenerStream::new(listener),
            closed.clone().cancelled_owned(),
        );
    let client = MetricsServiceClient::connect(url);
    let collecting = async {
        let client = client.await.unwrap();
        let send = async |request| {
            client.clone().export(request).await.unwrap();
        };
        let every = Duration::from_millis(20);
        let observers = Observers::default().and(|| HANDED_IN.inc((Handed::Accepted,)));
        let clock = SystemClock;
        otlp::push(
            Resource::default(),
            observers,
            every,
            &clock,
            stop.clone(),
            send,
        )
        .await;
        closed.cancel();
    };
    let watching = async {
        // Until some were sent; then it is told to end.
        let enough = async {
            while collector.0.lock().unwrap().len() < 3 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let enough = tokio::time::timeout(Duration::from_mins(1), enough);
        enough.await.expect("they are sent");
        stop.cancel();
    };
    let (served, (), ()) = tokio::join!(serving, collecting, watching);
    served.unwrap();
    let got = collector.0.lock().unwrap();
    let counts: Vec<i64> = got.iter().map(accepted).collect();
    assert!(counts.len() >= 4, "{counts:?}");
    // Each was observed once, just before it was sent.
    assert!(
        counts.windows(2).all(|pair| pair[1] == pair[0] + 1),
        "{counts:?}"
    );
    let names: Vec<&str> = got[0].resource_metrics[0].scope_metrics[0]
        .metrics
        .iter()
        .map(|metric| metric.name.as_str())
        .collect();
    assert!(names.contains(&"process.memory.usage"), "{names:?}");
}
