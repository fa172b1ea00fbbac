//! The walk through everything that lets data in, and the search of everything that lets it out.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use icpgate::proto;
use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate::proto::v1::record_service_client::RecordServiceClient;
use prost::Message;
use prost_types::FileDescriptorSet;
use serde_json::json;
use tempfile::TempDir;
use tonic::metadata::AsciiMetadataValue;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Code, Request, Response, Status};
use tonic_types::StatusExt as _;

use crate::collector::Collector;
use crate::pki::{Signer, jwks};
use crate::places::{self, Monitor, Read};
use crate::planted::{
    self, DATABASE_PASSWORD, REDIS_PASSWORD, WRONG_PASSWORD, broken_lines, questions, records,
    refused, refused_question,
};
use crate::search::{Place, Search, Searcher};
use crate::servers::gate::{Gate, Settings, Signal, until};
use crate::servers::postgres;
use crate::servers::redis::{Redis, free_port};

const CALLERS: &str = r#"
[[caller]]
name = "probe"
roles = ["checker", "importer", "auditor", "operator"]
subjects = ["probe"]

[[caller]]
name = "nobody"
roles = []
subjects = ["nobody"]
"#;

/// Shows the token of a caller with every call.
#[derive(Clone)]
struct Bearer(Option<AsciiMetadataValue>);

type Provisioning = ProvisioningServiceClient<InterceptedService<Channel, Bearer>>;
type Records = RecordServiceClient<InterceptedService<Channel, Bearer>>;

#[tokio::test]
async fn behaviour_24_sqlite() {
    walk(None, "text").await;
}

#[tokio::test]
async fn behaviour_24_postgres() {
    walk(Some(postgres::database().await), "json").await;
}

/// A program on a store and Redis, and what was told so far.
struct World {
    folder: TempDir,
    /// Address of the database; without one, the store is a file.
    url: Option<String>,
    redis: Redis,
    settings: Settings,
    tokens: Tokens,
    told: Told,
}

/// Tokens of callers.
struct Tokens {
    good: String,
    /// Of a caller who may nothing.
    idle: String,
    /// With a key that nobody knows.
    strange: String,
}

/// What callers were told, and which methods they called.
#[derive(Default)]
struct Told {
    octets: Vec<u8>,
    methods: BTreeSet<&'static str>,
}

async fn walk(url: Option<String>, form: &str) {
    let mut world = World::new(url, form);
    let collector = Collector::grpc().await;
    world.settings.extend([
        ("otlp.endpoint", collector.url()),
        ("otlp.sample_ratio", "1".to_owned()),
        ("log.requests", "all".to_owned()),
    ]);
    let monitor = Monitor::start(world.redis.port(), REDIS_PASSWORD);
    let mut gate = Gate::start(world.settings.clone()).await;
    world.call(&gate).await;
    assert_eq!(world.told.methods, methods(), "a method was not called");

    let key = std::fs::read_to_string(world.folder.path().join("privacy.key")).unwrap();
    let key = octets(key.trim());
    let Tokens {
        good,
        idle,
        strange,
    } = &world.tokens;
    let tokens = [good.clone(), idle.clone(), strange.clone()];
    let searcher = Searcher::new(planted::planted(&key, &tokens));
    let mut search = Search::new(&searcher);

    search.look(Place::Answers, "an answer", &world.told.octets);
    search.saw(&["an organisation"]);
    for (what, printed) in world.commands(&gate) {
        search.look(Place::Commands, &what, &printed);
    }
    search.saw(&["an organisation"]);
    let address = pages_address(&gate.log()).expect("pages are served");
    for (what, page) in places::pages(address) {
        search.look(Place::Pages, &what, &page);
    }
    search.saw(&["a service"]);
    for (what, value) in places::redis(&world.redis) {
        search.look(Place::Redis, &what, &value);
    }
    search.saw(&["an organisation"]);
    // While it runs, with what the store keeps beside its file, and after its end.
    world.look_at_store(&mut search).await;
    gate.process().signal(Signal::Terminate);
    assert_eq!(gate.process().wait().await.code(), Some(0));
    let traces = collector.received.text();
    search.look(Place::Traces, "a trace", traces.as_bytes());
    search.saw(&["a service"]);
    world.look_at_store(&mut search).await;
    let heard = monitor.heard();
    search.look(Place::Redis, "a command for Redis", &heard);
    search.saw(&["an organisation"]);
    let log = gate.log();
    assert!(log.contains("TRACE"), "the log is talkative");
    search.look(Place::Log, "the log", log.as_bytes());
    search.saw(&["a service"]);
    search.end();
}

impl World {
    fn new(url: Option<String>, form: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let port = free_port();
        let admin = format!("redis://:{REDIS_PASSWORD}@127.0.0.1:{port}");
        let lines = format!("port {port}\nrequirepass {REDIS_PASSWORD}");
        let client = redis::Client::open(admin.as_str()).unwrap();
        let redis = Redis::start_at(port, &lines, &[], client);

        let (signer, stranger) = (Signer::ec("known"), Signer::ec("known"));
        let claims = |subject: &str| {
            json!({"iss": "https://id.example", "aud": "icpgate", "sub": subject,
                // The year 2100.
                "exp": 4_102_444_800_u64})
        };
        let tokens = Tokens {
            good: signer.token(&claims("probe")),
            idle: signer.token(&claims("nobody")),
            strange: stranger.token(&claims("probe")),
        };
        for (name, text) in [
            ("jwks.json", jwks(&[&signer])),
            ("callers.toml", CALLERS.to_owned()),
            ("token", tokens.good.clone()),
        ] {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut settings = vec![
            ("privacy.key_file", at("privacy.key")),
            ("redis.urls", admin),
            // A busy machine does without Redis, and then nothing stands there.
            ("redis.timeout", "5s".to_owned()),
            ("auth.callers_file", at("callers.toml")),
            ("auth.jwks_file", at("jwks.json")),
            ("auth.jwt_issuer", "https://id.example".to_owned()),
            ("auth.jwt_audience", "icpgate".to_owned()),
            ("client.token_file", at("token")),
            ("limits.lame_duck", "1ms".to_owned()),
            ("log.level", "trace".to_owned()),
            ("log.format", form.to_owned()),
        ];
        let url = url.map(|url| url.replace("icpgate@", &format!("icpgate:{DATABASE_PASSWORD}@")));
        settings.push(match &url {
            Some(url) => ("store.url", url.clone()),
            None => ("store.path", at("store/icpgate.sqlite")),
        });
        Self {
            folder,
            url,
            redis,
            settings,
            tokens,
            told: Told::default(),
        }
    }

    /// Calls every method, with what is taken and what is refused.
    async fn call(&mut self, gate: &Gate) {
        let (mut checks, mut writes) = clients(gate, Some(&self.tokens.good));
        let told = &mut self.told;
        let put = v1::PutRecordsRequest { records: records() };
        told.taken("PutRecords", writes.put_records(put).await);
        for record in refused() {
            let put = v1::PutRecordsRequest {
                records: vec![record],
            };
            told.refused(Code::InvalidArgument, writes.put_records(put).await);
        }
        let lines = records().into_iter().chain(refused());
        let lines: Vec<_> = (1..)
            .zip(lines)
            .map(|(line, record)| v1::ImportRecordsRequest {
                record: Some(record),
                line,
            })
            .collect();
        let lines = futures::stream::iter(lines);
        let import = told.taken("ImportRecords", writes.import_records(lines).await);
        assert_eq!((import.unchanged, import.rejected_count), (10, 4));
        for question in questions() {
            let answer = checks.check_provisioning(question).await;
            told.taken("CheckProvisioning", answer);
        }
        let answer = checks.check_provisioning(refused_question()).await;
        told.refused(Code::InvalidArgument, answer);
        let mut all = questions();
        all.push(refused_question());
        let batch = v1::BatchCheckProvisioningRequest {
            requests: all.clone(),
        };
        let batch = checks.batch_check_provisioning(batch).await;
        told.taken("BatchCheckProvisioning", batch);
        let screened = v1::ScreenDomainsRequest {
            sequence: 1,
            requests: all,
        };
        let screened = futures::stream::iter([screened]);
        let mut screened = checks.screen_domains(screened).await.unwrap().into_inner();
        while let Some(answer) = screened.message().await.transpose() {
            told.taken("ScreenDomains", answer.map(Response::new));
        }
        let asked = questions().pop().unwrap();
        let decided = told.taken("CheckProvisioning", checks.check_provisioning(asked).await);
        let decision_id = decided.decision.unwrap().decision_id;
        // It is written behind the answer.
        let recorded = until("the decision is recorded", async || {
            let request = v1::GetDecisionRequest {
                decision_id: decision_id.clone(),
            };
            checks.clone().get_decision(request).await.ok()
        });
        told.taken("GetDecision", Ok(recorded.await));
        let unknown = v1::GetDecisionRequest {
            decision_id: "0".repeat(32),
        };
        told.refused(Code::NotFound, checks.get_decision(unknown).await);
        for domain in ["probe-person.cn", "probe-org.cn"] {
            let request = v1::GetDomainRequest {
                domain: domain.to_owned(),
            };
            let known = told.taken("GetDomain", writes.get_domain(request).await);
            assert!(known.records.len() > 1, "{known:?}");
        }
        let changes = v1::ListChangesRequest::default();
        told.taken("ListChanges", writes.list_changes(changes).await);

        for (token, code) in [
            (None, Code::Unauthenticated),
            (Some(&self.tokens.strange), Code::Unauthenticated),
            (Some(&self.tokens.idle), Code::PermissionDenied),
        ] {
            let (mut checks, mut writes) = clients(gate, token);
            let asked = questions().pop().unwrap();
            told.refused(code, checks.check_provisioning(asked).await);
            let put = v1::PutRecordsRequest { records: records() };
            told.refused(code, writes.put_records(put).await);
        }
    }

    /// Runs the commands that read the configuration, the store or records; what they print, and
    /// what they write to files.
    fn commands(&self, gate: &Gate) -> Vec<Read> {
        let server = format!("http://{}", gate.address());
        let file = self.folder.path().join("records.ndjson");
        let lines = records().into_iter().chain(refused());
        let lines = lines.map(|record| serde_json::to_vec(&record).unwrap());
        let lines: Vec<Vec<u8>> = lines.chain(broken_lines()).collect();
        std::fs::write(&file, lines.join(&b'\n')).unwrap();

        let mut printed = Vec::new();
        for form in ["table", "json"] {
            // A check that a person must judge ends with 2.
            for (code, arguments) in [
                (0, format!("config print --output {form}")),
                (0, format!("keys list --output {form}")),
                (
                    0,
                    format!("decisions prune --older-than 400d --output {form}"),
                ),
                (
                    0,
                    format!("erase --subject-number 京ICP备2024998001号 --output {form}"),
                ),
                (
                    0,
                    format!(
                        "canary --expect review probe-org.cn --product cdn --area mainland \
                         --output {form} --server {server}"
                    ),
                ),
                (0, format!("doctor --output {form}")),
                (
                    1,
                    format!("import records.ndjson --output {form} --rejected rejected-{form}"),
                ),
                (
                    1,
                    format!("import records.ndjson --output {form} --server {server}"),
                ),
                (
                    2,
                    format!(
                        "check probe-org.cn --product cdn --area mainland --output {form} --server {server}"
                    ),
                ),
            ] {
                printed.push(self.run(&arguments, &[], Some(code)));
            }
        }
        for (key, value) in wrong_addresses() {
            for arguments in ["config print", "doctor", "migrate"] {
                printed.push(self.run(arguments, &[(key, &value)], None));
            }
        }
        for (path, octets) in places::files(self.folder.path()) {
            if path.contains("rejected-") {
                assert!(!octets.is_empty(), "{path}");
                printed.push((path, octets));
            }
        }
        std::fs::remove_file(file).unwrap();
        printed
    }

    /// What a command prints; it ends with the code, if one is given.
    fn run(&self, arguments: &str, settings: &[(&str, &str)], code: Option<i32>) -> Read {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icpgate"));
        command
            .current_dir(self.folder.path())
            .args(arguments.split_whitespace())
            .env_clear()
            .stdin(Stdio::null());
        let own = self.settings.iter();
        let own = own.map(|(key, value)| (*key, value.as_str()));
        for (key, value) in own.chain(settings.iter().copied()) {
            let name = format!("ICPGATE_{}", key.to_uppercase().replace('.', "__"));
            command.env(name, value);
        }
        let output = command.output().unwrap();
        let told = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&told);
        assert!(!told.is_empty(), "{arguments}");
        if code.is_some() {
            assert_eq!(output.status.code(), code, "{arguments}: {text}");
        }
        (format!("`icpgate {arguments}`"), told)
    }

    async fn look_at_store(&self, search: &mut Search<'_>) {
        let mut read = match &self.url {
            Some(url) => places::postgres(url).await,
            None => places::sqlite(&self.folder.path().join("store/icpgate.sqlite")).await,
        };
        assert!(read.len() > 100);
        if self.url.is_none() {
            read.extend(places::files(&self.folder.path().join("store")));
        }
        for (what, value) in read {
            search.look(Place::Store, &what, &value);
        }
        search.saw(&["an organisation", "an account of a customer", "an order"]);
    }
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request
                .metadata_mut()
                .insert("authorization", token.clone());
        }
        Ok(request)
    }
}

impl Told {
    /// An answer of a method.
    fn taken<M: Message + Debug>(
        &mut self,
        method: &'static str,
        answer: Result<Response<M>, Status>,
    ) -> M {
        self.methods.insert(method);
        let answer = answer.unwrap_or_else(|status| panic!("{method}: {status:?}"));
        self.note(answer.metadata());
        let message = answer.into_inner();
        self.note(&message);
        self.octets.extend(message.encode_to_vec());
        message
    }

    /// A refusal.
    fn refused<M: Debug>(&mut self, code: Code, answer: Result<Response<M>, Status>) {
        let status = answer.unwrap_err();
        assert_eq!(status.code(), code, "{status:?}");
        self.note(&status);
        self.note(status.message());
        self.note(status.metadata());
        self.note(status.get_error_details());
        self.octets.extend(status.details());
    }

    fn note(&mut self, told: impl Debug) {
        self.octets.extend(format!("{told:?}\n").bytes());
    }
}

/// Addresses that nothing listens at, and addresses that are none.
fn wrong_addresses() -> Vec<(&'static str, String)> {
    [
        (
            "store.url",
            "postgres://icpgate:PASSWORD@127.0.0.1:1/icpgate",
        ),
        (
            "store.url",
            "postgres://icpgate:PASSWORD@127.0.0.1:port/icpgate",
        ),
        (
            "store.url",
            "postgres://icpgate@127.0.0.1:1/icpgate?password=PASSWORD",
        ),
        ("store.url", "PASSWORD"),
        ("redis.urls", "redis://:PASSWORD@127.0.0.1:1"),
        ("redis.urls", "redis://:PASSWORD@127.0.0.1:port"),
        ("redis.urls", "PASSWORD"),
    ]
    .map(|(key, value)| (key, value.replace("PASSWORD", WRONG_PASSWORD)))
    .into()
}

fn clients(gate: &Gate, token: Option<&String>) -> (Provisioning, Records) {
    let bearer = Bearer(token.map(|token| format!("Bearer {token}").parse().unwrap()));
    (
        ProvisioningServiceClient::with_interceptor(gate.channel(), bearer.clone())
            .max_decoding_message_size(usize::MAX),
        RecordServiceClient::with_interceptor(gate.channel(), bearer)
            .max_decoding_message_size(usize::MAX),
    )
}

/// Where pages are served, by what the log says of it.
fn pages_address(log: &str) -> Option<SocketAddr> {
    let (_, behind) = log.split_once("serving HTTP on ")?;
    let end = behind.find(|char: char| char.is_whitespace() || char == '"');
    behind.get(..end?)?.parse().ok()
}

/// The methods of this program's services.
fn methods() -> BTreeSet<&'static str> {
    let set = FileDescriptorSet::decode(proto::DESCRIPTORS).unwrap();
    let methods: Vec<String> = set
        .file
        .into_iter()
        .flat_map(|file| file.service)
        .flat_map(|service| service.method)
        .map(|method| method.name.unwrap())
        .collect();
    methods.into_iter().map(|name| &*name.leak()).collect()
}

/// The octets of a key, which stands in its file in hexadecimal digits.
fn octets(digits: &str) -> Vec<u8> {
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
