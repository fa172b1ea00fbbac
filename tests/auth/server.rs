//! A server in this process that lets in whom its files name, with a clock that stands still.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use icpgate::bootstrap;
use icpgate::clock::{Clock as _, FixedClock};
use icpgate::config::{Config, Flag, Inputs, load};
use icpgate::grpc;
use icpgate::proto::v1;
use icpgate::store::Store;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;

use crate::pki::{Authority, Pair, Signer, jwks};

pub(crate) const ISSUER: &str = "https://id.example";
pub(crate) const AUDIENCE: &str = "icpgate";

const NOW: &str = "2026-03-16T04:00:00Z";

/// How long a condition is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder with what a server is configured by.
pub(crate) struct Place {
    pub(crate) folder: TempDir,
    settings: Vec<(&'static str, String)>,
}

/// A server.
pub(crate) struct Server {
    pub(crate) place: Place,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) address: SocketAddr,
    encrypted: Option<String>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Place {
    pub(crate) fn new() -> Self {
        let mut place = Self {
            folder: tempfile::tempdir().unwrap(),
            settings: Vec::new(),
        };
        place.set("store.path", &place.path("icpgate.sqlite"));
        place.set("privacy.key_file", &place.path("privacy.key"));
        place.set("auth.reload_interval", "20ms");
        place.set("limits.lame_duck", "1ms");
        place
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        // Whoever reads meanwhile reads the old one or the new one.
        let new = self.path(&format!("{name}.new"));
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.path(name)).unwrap();
        self.path(name)
    }

    pub(crate) fn set(&mut self, key: &'static str, value: &str) {
        self.settings.push((key, value.to_owned()));
    }

    pub(crate) fn callers(&mut self, text: &str) {
        let path = self.write("callers.toml", text);
        self.set("auth.callers_file", &path);
    }

    /// Tokens of these keys, which stand in a file.
    pub(crate) fn tokens(&mut self, signers: &[&Signer]) {
        let path = self.write("jwks.json", &jwks(signers));
        self.set("auth.jwks_file", &path);
        self.issuer();
    }

    pub(crate) fn issuer(&mut self) {
        self.set("auth.jwt_issuer", ISSUER);
        self.set("auth.jwt_audience", AUDIENCE);
        self.set("auth.jwks_cooldown", "1ms");
    }

    pub(crate) fn tls(&mut self, pair: &Pair) {
        let (cert, key) = (
            self.write("server.pem", &pair.cert),
            self.write("server.key", &pair.key),
        );
        self.set("grpc.tls_cert_file", &cert);
        self.set("grpc.tls_key_file", &key);
    }

    pub(crate) fn client_ca(&mut self, authority: &Authority) {
        let path = self.write("client-ca.pem", &authority.pem());
        self.set("grpc.client_ca_file", &path);
    }

    pub(crate) fn config(&self) -> Config {
        let flags = self.settings.iter().map(|(key, value)| Flag {
            name: format!("--set {key}"),
            key: (*key).to_owned(),
            value: value.clone(),
        });
        let inputs = Inputs {
            directory: self.folder.path().to_owned(),
            flags: flags.collect(),
            ..Inputs::default()
        };
        load(&inputs).unwrap().config
    }

    pub(crate) async fn start(self) -> Server {
        self.try_start().await.unwrap()
    }

    pub(crate) async fn try_start(self) -> anyhow::Result<Server> {
        let config = self.config();
        let clock = Arc::new(FixedClock::new(NOW.parse().unwrap()));
        let (door, watch) = bootstrap::open_door(&config, clock.clone()).await?;
        let parts = bootstrap::open(&config, true).await?;
        bootstrap::load_sample(&parts, config.provider.id.as_str(), &*clock).await?;
        let store = Arc::clone(&parts.store);
        let (gate, worker) = bootstrap::gate(parts, &config, clock.clone())?;
        let gate = Arc::new(gate);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let limits = bootstrap::limits(&config);
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(worker.run(std::future::pending()));
        let (serving, stopping) = (Arc::clone(&gate), stop.clone());
        tasks.spawn(async move {
            let stopping = grpc::Stop {
                soft: stopping,
                hard: CancellationToken::new(),
            };
            grpc::serve(listener, door, serving, limits, stopping)
                .await
                .unwrap();
        });
        let every = config.cache.poll_interval;
        let follower = icpgate::workers::follow(gate, every, stop.clone());
        tasks.spawn(async move { follower.await.unwrap() });
        if let Some(watch) = watch {
            tasks.spawn(watch.run(stop.clone()));
        }
        Ok(Server {
            encrypted: None,
            place: self,
            clock,
            store,
            address,
            stop,
            tasks,
        })
    }
}

impl Server {
    /// As seen by callers that trust this authority.
    pub(crate) fn trusted(mut self, authority: &Authority) -> Self {
        self.encrypted = Some(authority.pem());
        self
    }

    pub(crate) async fn channel(&self, identity: Option<Identity>) -> Channel {
        self.try_channel(identity).await.unwrap()
    }

    pub(crate) async fn try_channel(
        &self,
        identity: Option<Identity>,
    ) -> Result<Channel, tonic::transport::Error> {
        let Some(authority) = &self.encrypted else {
            let url = format!("http://{}", self.address);
            return Channel::from_shared(url).unwrap().connect().await;
        };
        let mut tls = ClientTlsConfig::new()
            .domain_name("localhost")
            .ca_certificate(Certificate::from_pem(authority));
        if let Some(identity) = identity {
            tls = tls.identity(identity);
        }
        let url = format!("https://{}", self.address);
        let endpoint = Channel::from_shared(url).unwrap().tls_config(tls).unwrap();
        endpoint.connect().await
    }

    /// The clock, in seconds.
    pub(crate) fn now(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// Claims of a good token of a caller.
    pub(crate) fn claims(&self, subject: &str) -> Value {
        json!({"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": self.now() + 300})
    }

    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                assert!(error.is_cancelled(), "{error}");
            }
            self.tasks.abort_all();
        }
    }
}

/// Calls a method with an empty message, be it a stream or not, and tells the code of its first
/// answer.
pub(crate) async fn call(channel: &Channel, path: &str, token: Option<&str>) -> Code {
    match try_call(channel, path, token).await {
        Ok(()) => Code::Ok,
        Err(status) => status.code(),
    }
}

pub(crate) async fn try_call(
    channel: &Channel,
    path: &str,
    token: Option<&str>,
) -> Result<(), Status> {
    let header = token.map(|token| format!("Bearer {token}"));
    call_with(channel, path, header.as_deref()).await
}

/// With this `authorization` header.
pub(crate) async fn call_with(
    channel: &Channel,
    path: &str,
    header: Option<&str>,
) -> Result<(), Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let mut request = Request::new(futures::stream::iter([()]));
    if let Some(header) = header {
        let header = header.parse().unwrap();
        request.metadata_mut().insert("authorization", header);
    }
    let path: PathAndQuery = path.parse().unwrap();
    let codec: ProstCodec<(), ()> = ProstCodec::default();
    let answering = async {
        let answer = client.streaming(request, path, codec).await?;
        answer.into_inner().message().await.map(|_| ())
    };
    tokio::time::timeout(PATIENCE, answering).await.unwrap()
}

pub(crate) const CHECK: &str = "/icpgate.v1.ProvisioningService/CheckProvisioning";

/// A question that is answered.
pub(crate) fn question(domain: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn as i32,
        service_area: v1::ServiceArea::Mainland as i32,
        ..Default::default()
    }
}

/// A request with a token.
pub(crate) fn with_token<T>(message: T, token: &str) -> Request<T> {
    let mut request = Request::new(message);
    let header = format!("Bearer {token}").parse().unwrap();
    request.metadata_mut().insert("authorization", header);
    request
}

/// Waits until something holds.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let waited = tokio::time::timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "waited in vain: {what}");
}

/// The parts of `ErrorInfo` that callers go by.
pub(crate) fn reason(status: &Status) -> String {
    use tonic_types::StatusExt as _;
    let info = status.get_details_error_info().expect("ErrorInfo");
    assert_eq!(info.domain, "icpgate");
    assert!(info.metadata.is_empty(), "{info:?}");
    info.reason
}

pub(crate) fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}
