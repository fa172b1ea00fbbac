//! A server in this process on a port of its own, with a store in a temporary folder and a clock
//! that stands still, and what every answer owes its caller.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use icpgate::bootstrap::{self, Parts};
use icpgate::clock::{Clock as _, FixedClock};
use icpgate::config::{Config, Flag, Inputs, load};
use icpgate::gate::Gate;
use icpgate::grpc;
use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate::proto::v1::record_service_client::RecordServiceClient;
use icpgate::store::Store;
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Monday noon in Beijing, no holiday near.
pub(crate) const NOW: &str = "2026-03-16T04:00:00Z";

/// Longest validity of an answer.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A server with its parts in reach.
pub(crate) struct Server {
    pub(crate) folder: TempDir,
    pub(crate) config: Config,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) address: SocketAddr,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// What a server is started with.
pub(crate) struct Start {
    pub(crate) folder: TempDir,
    pub(crate) now: Timestamp,
    pub(crate) sample: bool,
    pub(crate) settings: Vec<(&'static str, &'static str)>,
    /// Puts something between the gate and the store.
    pub(crate) over: fn(Arc<dyn Store>) -> Arc<dyn Store>,
}

impl Default for Start {
    fn default() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            now: NOW.parse().unwrap(),
            sample: true,
            settings: Vec::new(),
            over: |store| store,
        }
    }
}

impl Server {
    /// With the sample.
    pub(crate) async fn sample() -> Self {
        Self::start(Start::default()).await
    }

    /// Without a record.
    pub(crate) async fn empty() -> Self {
        Self::start(Start {
            sample: false,
            ..Start::default()
        })
        .await
    }

    pub(crate) async fn with(settings: &[(&'static str, &'static str)]) -> Self {
        Self::start(Start {
            settings: settings.to_vec(),
            ..Start::default()
        })
        .await
    }

    pub(crate) async fn start(start: Start) -> Self {
        let Start {
            folder,
            now,
            sample,
            settings,
            over,
        } = start;
        let config = config(folder.path(), &settings);
        let clock = Arc::new(FixedClock::new(now));
        let parts = bootstrap::open(&config, true).await.unwrap();
        if sample {
            bootstrap::load_sample(&parts, config.provider.id.as_str(), &*clock)
                .await
                .unwrap();
        }
        let store = Arc::clone(&parts.store);
        let parts = Parts {
            store: over(parts.store),
            ..parts
        };
        let (gate, worker) = bootstrap::gate(parts, &config, clock.clone()).unwrap();
        let gate = Arc::new(gate);
        // Where the store of a test does not answer, the server is not ready, and answers.
        let _ = gate.follow().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
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
            grpc::serve(listener, grpc::Door::wide_open(), serving, limits, stopping)
                .await
                .unwrap();
        });
        let follower =
            icpgate::workers::follow(Arc::clone(&gate), config.cache.poll_interval, stop.clone());
        tasks.spawn(async move { follower.await.expect("the log is followed") });
        if let Some(following) = bootstrap::follow_policy(&config, &gate, stop.clone()) {
            tasks.spawn(following);
        }
        Self {
            folder,
            config,
            clock,
            store,
            gate,
            address,
            stop,
            tasks,
        }
    }

    pub(crate) async fn channel(&self) -> Channel {
        channel(self.address).await
    }

    pub(crate) async fn provisioning(&self) -> ProvisioningServiceClient<Channel> {
        ProvisioningServiceClient::new(self.channel().await)
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX)
    }

    pub(crate) async fn records(&self) -> RecordServiceClient<Channel> {
        RecordServiceClient::new(self.channel().await)
            .max_decoding_message_size(usize::MAX)
            .max_encoding_message_size(usize::MAX)
    }

    /// Asks and holds the answer against what every answer owes.
    pub(crate) async fn check(&self, question: v1::CheckProvisioningRequest) -> v1::Decision {
        let decision = self.try_check(question).await.unwrap();
        sound(&decision, self.clock.now());
        decision
    }

    pub(crate) async fn try_check(
        &self,
        question: v1::CheckProvisioningRequest,
    ) -> Result<v1::Decision, Status> {
        let mut client = self.provisioning().await;
        let response = client.check_provisioning(question).await?.into_inner();
        Ok(response.decision.expect("an answer has a decision"))
    }

    pub(crate) async fn put(&self, records: Vec<v1::Record>) -> String {
        self.try_put(records).await.unwrap()
    }

    pub(crate) async fn try_put(&self, records: Vec<v1::Record>) -> Result<String, Status> {
        let mut client = self.records().await;
        let request = v1::PutRecordsRequest { records };
        Ok(client.put_records(request).await?.into_inner().revision)
    }

    pub(crate) async fn decision(&self, decision_id: &str) -> Result<v1::Decision, Status> {
        let request = v1::GetDecisionRequest {
            decision_id: decision_id.to_owned(),
        };
        let mut client = self.provisioning().await;
        let response = client.get_decision(request).await?.into_inner();
        Ok(response.decision.expect("an answer has a decision"))
    }

    /// Waits until a decision is in the log, which is written behind the answers.
    pub(crate) async fn logged(&self, decision_id: &str) -> v1::Decision {
        for _ in 0..500 {
            match self.decision(decision_id).await {
                Ok(decision) => return decision,
                Err(status) => assert_eq!(status.code(), Code::NotFound, "{status:?}"),
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{decision_id} was not recorded");
    }

    pub(crate) fn store_path(&self) -> PathBuf {
        self.config.store.path.clone()
    }

    /// Stops serving, waits for what runs, and gives the folder back.
    pub(crate) async fn stop(mut self) -> TempDir {
        self.stop.cancel();
        drop(self.gate);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.store.close().await;
        self.folder
    }
}

pub(crate) fn config(folder: &std::path::Path, settings: &[(&str, &str)]) -> Config {
    let flag = |key: &str, value: &str| Flag {
        name: format!("--set {key}"),
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let at = |name: &str| folder.join(name).display().to_string();
    let mut flags = vec![
        flag("store.path", &at("icpgate.sqlite")),
        flag("privacy.key_file", &at("privacy.key")),
        // Nobody balances here.
        flag("limits.lame_duck", "1ms"),
    ];
    flags.extend(settings.iter().map(|(key, value)| flag(key, value)));
    let inputs = Inputs {
        directory: folder.to_owned(),
        flags,
        ..Inputs::default()
    };
    load(&inputs).unwrap().config
}

pub(crate) async fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}"))
        .unwrap()
        .connect()
        .await
        .unwrap()
}

/// An answer without what tells where its facts came from: equal questions may find them in
/// different places.
pub(crate) fn wherever(decision: v1::Decision) -> v1::Decision {
    v1::Decision {
        served_from: 0,
        ..decision
    }
}

/// A CDN order in the mainland.
pub(crate) fn ask(domain: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn as i32,
        service_area: v1::ServiceArea::Mainland as i32,
        ..Default::default()
    }
}

pub(crate) fn hosting(domain: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        product: v1::Product::Hosting as i32,
        ..ask(domain)
    }
}

pub(crate) fn full(question: v1::CheckProvisioningRequest) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        view: v1::View::Full as i32,
        ..question
    }
}

/// A record from its NDJSON form.
pub(crate) fn record(json: &str) -> v1::Record {
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error} in {json}"))
}

/// Records of one filed company site.
pub(crate) fn filed(domain: &str, number: u32) -> Vec<v1::Record> {
    let subject = format!("京ICP备2024{number:06}号");
    [
        format!(
            r#"{{"subject":{{"subject_number":"{subject}","name":"北京示例科技有限公司","nature":"SUBJECT_NATURE_ENTERPRISE","certificate":{{"kind":"CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"91110105MA8800017U"}}}},"source":"test"}}"#
        ),
        format!(
            r#"{{"service":{{"service_number":"{subject}-1","kind":"SERVICE_KIND_WEBSITE","domains":["{domain}"]}},"source":"test"}}"#
        ),
        format!(
            r#"{{"access":{{"service_number":"{subject}-1","provider_id":"self"}},"source":"test"}}"#
        ),
        format!(
            r#"{{"registration":{{"domain":"{domain}","registrar":"r","registrar_approved":true,"registrant":{{"name":"北京示例科技有限公司","certificate":{{"kind":"CERTIFICATE_KIND_UNIFIED_SOCIAL_CREDIT_CODE","number":"91110105MA8800017U"}}}},"real_name":"REAL_NAME_VERIFIED","in_authority_library":true,"statuses":["ok"],"expires_at":"2040-01-01T00:00:00Z"}},"source":"test"}}"#
        ),
    ]
    .iter()
    .map(|json| record(json))
    .collect()
}

pub(crate) fn reasons(decision: &v1::Decision) -> Vec<v1::Reason> {
    decision.reasons().collect()
}

pub(crate) fn obligations(decision: &v1::Decision) -> Vec<v1::Reason> {
    decision
        .obligations
        .iter()
        .map(v1::Obligation::reason)
        .collect()
}

pub(crate) fn instant(wire: Option<pbjson_types::Timestamp>) -> Timestamp {
    let wire = wire.expect("the instant is set");
    Timestamp::new(wire.seconds, wire.nanos).unwrap()
}

pub(crate) fn wire(instant: Timestamp) -> pbjson_types::Timestamp {
    icpgate::intake::instant(instant)
}

/// Fields that google.rpc.BadRequest names, in its order.
pub(crate) fn bad_fields(status: &Status) -> Vec<String> {
    assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
    let details = status.get_error_details();
    let bad = details.bad_request().expect("BadRequest");
    let fields: Vec<String> = bad
        .field_violations
        .iter()
        .inspect(|violation| assert!(!violation.description.is_empty()))
        .map(|violation| violation.field.clone())
        .collect();
    assert!(!fields.is_empty());
    assert!(details.error_info().is_some());
    fields
}

/// What every answer owes its caller, whatever the question.
pub(crate) fn sound(decision: &v1::Decision, now: Timestamp) {
    let told = format!("{decision:?}");
    assert_eq!(decision.decision_id.len(), 32, "{told}");
    assert!(!decision.policy_version.is_empty(), "{told}");
    assert!(!decision.revision.is_empty(), "{told}");
    assert_ne!(decision.served_from(), v1::ServedFrom::Unspecified);
    let decided_at = instant(decision.decided_at);
    let valid_until = instant(decision.valid_until);
    assert!(decided_at <= now, "{told}");
    assert!(valid_until > now, "{told}");
    assert!(valid_until <= now + DAY, "{told}");
    let outcome = match decision.verdict() {
        v1::Verdict::Allow => None,
        v1::Verdict::Deny => Some(v1::Outcome::Deny),
        v1::Verdict::Review => Some(v1::Outcome::Review),
        v1::Verdict::Indeterminate => Some(v1::Outcome::Indeterminate),
        v1::Verdict::Unspecified => panic!("no verdict: {told}"),
    };
    let mut deciding = Vec::new();
    let mut owed = Vec::new();
    for finding in &decision.findings {
        assert!(!finding.rule.is_empty(), "{told}");
        assert!(!finding.message.is_empty(), "{finding:?}");
        match finding.outcome() {
            v1::Outcome::Deny | v1::Outcome::Review | v1::Outcome::Indeterminate => {
                assert_ne!(finding.reason(), v1::Reason::Unspecified, "{finding:?}");
                assert!(!finding.remediation.is_empty(), "{finding:?}");
                if Some(finding.outcome()) == outcome && !deciding.contains(&finding.reason()) {
                    deciding.push(finding.reason());
                }
            }
            v1::Outcome::Pass => {
                if finding.reason() != v1::Reason::Unspecified {
                    owed.push(finding.reason());
                }
            }
            v1::Outcome::NotApplicable => {
                assert_eq!(finding.reason(), v1::Reason::Unspecified, "{finding:?}");
            }
            v1::Outcome::Unspecified => panic!("no outcome: {finding:?}"),
        }
        for evidence in &finding.evidence {
            assert!(!evidence.record.is_empty(), "{finding:?}");
            assert!(!evidence.source.is_empty(), "{finding:?}");
            assert!(!evidence.revision.is_empty(), "{finding:?}");
            assert!(evidence.observed_at.is_some(), "{finding:?}");
        }
    }
    let mut told_reasons = reasons(decision);
    assert!(
        outcome.is_none() == told_reasons.is_empty(),
        "a verdict has reasons unless it is ALLOW: {told}"
    );
    told_reasons.sort_by_key(|reason| *reason as i32);
    deciding.sort_by_key(|reason| *reason as i32);
    assert_eq!(told_reasons, deciding, "{told}");
    assert_eq!(obligations(decision), owed, "{told}");
    assert!(
        decision
            .obligations
            .iter()
            .all(|owed| !owed.message.is_empty())
    );
    match decision.verdict() {
        v1::Verdict::Indeterminate => {
            assert!(instant(decision.retry_after) >= now, "{told}");
        }
        v1::Verdict::Deny => {
            let waits = [v1::Reason::FilingNotFound, v1::Reason::FilingInProgress];
            if decision.retry_after.is_some() {
                assert!(
                    reasons(decision)
                        .iter()
                        .any(|reason| waits.contains(reason)),
                    "{told}"
                );
            }
        }
        v1::Verdict::Allow | v1::Verdict::Review | v1::Verdict::Unspecified => {
            assert!(decision.retry_after.is_none(), "{told}");
        }
    }
    assert!(decision.domain.is_some(), "{told}");
}

/// Everything that an exhaustive walk goes through.
pub(crate) const PRODUCTS: [v1::Product; 6] = [
    v1::Product::Cdn,
    v1::Product::Hosting,
    v1::Product::ReverseProxy,
    v1::Product::AppBackend,
    v1::Product::MiniProgramBackend,
    v1::Product::DnsOnly,
];

pub(crate) const PURPOSES: [v1::Purpose; 4] = [
    v1::Purpose::Order,
    v1::Purpose::Activation,
    v1::Purpose::Recheck,
    v1::Purpose::PreFiling,
];

/// Names of the sample, one below a filed name, and one that nobody filed.
pub(crate) const NAMES: [&str; 27] = [
    "sample-shop.cn",
    "www.sample-shop.cn",
    "sample-blog.cn",
    "sample-elsewhere.cn",
    "sample-moving.cn",
    "sample-expired.cn",
    "sample-expiring.cn",
    "sample-mismatch.cn",
    "sample-redacted.com",
    "sample-syncing.cn",
    "样例.中国",
    "sample-app.cn",
    "api.sample-app.cn",
    "sample-mini.cn",
    "edu.sample-city.gov.cn",
    "sample-city.gov.cn",
    "sample-cancelled.cn",
    "sample-suspended.cn",
    "sample-pending.cn",
    "sample-blocked.cn",
    "sample-news.cn",
    "sample-shell.cn",
    "sample-unlinked.cn",
    "sample-held.cn",
    "qq.com",
    "baidu.com",
    "nowhere-filed.cn",
];

/// Every name of the sample with every product and purpose, with and without payment.
pub(crate) fn every_question() -> Vec<v1::CheckProvisioningRequest> {
    let mut questions = Vec::new();
    for name in NAMES {
        for product in PRODUCTS {
            for purpose in PURPOSES {
                for payment_enabled in [false, true] {
                    questions.push(v1::CheckProvisioningRequest {
                        product: product as i32,
                        purpose: purpose as i32,
                        site: Some(v1::Site {
                            payment_enabled,
                            ..v1::Site::default()
                        }),
                        ..full(ask(name))
                    });
                }
            }
        }
    }
    questions
}

/// A message as it travels: uncompressed, with its length before it.
pub(crate) fn message(message: &impl prost::Message) -> Vec<u8> {
    let encoded = message.encode_to_vec();
    let length = u32::try_from(encoded.len()).unwrap().to_be_bytes();
    [&[0], &length[..], &encoded].concat()
}

/// The answers to a batch, each with a decision.
pub(crate) async fn answers(
    server: &Server,
    questions: &[v1::CheckProvisioningRequest],
) -> Vec<v1::Decision> {
    let mut client = server.provisioning().await;
    let mut answers = Vec::with_capacity(questions.len());
    for group in questions.chunks(1000) {
        let request = v1::BatchCheckProvisioningRequest {
            requests: group.to_vec(),
        };
        let results = client.batch_check_provisioning(request).await.unwrap();
        let results = results.into_inner().results;
        assert_eq!(results.len(), group.len());
        answers.extend(results.into_iter().map(decided));
    }
    answers
}

pub(crate) fn decided(result: v1::CheckProvisioningResult) -> v1::Decision {
    match result.result {
        Some(v1::check_provisioning_result::Result::Decision(decision)) => decision,
        other => panic!("no decision: {other:?}"),
    }
}

pub(crate) fn failed(result: &v1::CheckProvisioningResult) -> &tonic_types::Status {
    match &result.result {
        Some(v1::check_provisioning_result::Result::Error(error)) => error,
        other => panic!("no error: {other:?}"),
    }
}
