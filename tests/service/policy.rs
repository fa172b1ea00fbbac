//! The policy is changed while the service runs.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate_policy::policy::Policy;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;

use super::harness::{
    NAMES, Server, Start, answers, ask, bad_fields, decided, full, record, wherever,
};

/// How often the policy is flipped under load.
const FLIPS: usize = 10;

/// Longest wait for a file to be taken; long, because a machine may be busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at a condition.
const LOOK: Duration = Duration::from_millis(2);

/// How long contents have to stand before they are taken.
const STANDS_FOR: Duration = Duration::from_millis(200);

/// Every payment needs a licence.
const STRICT: &str = r#"
extends = "mainland-strict"
name = "flip"
version = "strict"
"#;

/// The declared business model decides, and there is one suffix more.
const BY_MODEL: &str = r#"
extends = "mainland-business-model"
name = "flip"
version = "by-model"

[names]
extra_suffixes = ["own-suffix.cn"]

[customer]
undeclared_real_name = "review"
"#;

/// What is answered under each version of a policy, by the place of the question.
type Expected = BTreeMap<String, Vec<v1::Decision>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behaviour_19_answers_under_a_policy_that_flips_are_those_of_the_version_they_name() {
    let server = start(STRICT).await;
    let questions = Arc::new(questions());
    let mut expected = Expected::new();
    for document in [STRICT, BY_MODEL] {
        let version = put(&server, document).await;
        let all = answers(&server, &questions).await;
        assert!(all.iter().all(|one| *one.policy_version == version));
        expected.insert(version, all.into_iter().map(wherever).collect());
    }
    let [strict, by_model] = expected.values().collect::<Vec<_>>()[..] else {
        panic!("two versions")
    };
    let differ = strict.iter().zip(by_model);
    let differ = differ.filter(|(one, other)| one.verdict != other.verdict);
    assert!(differ.count() > 10, "the policies can be told apart");

    let expected = Arc::new(expected);
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = JoinSet::new();
    for caller in 0..6 {
        let client = server.provisioning().await;
        let load = Load {
            questions: Arc::clone(&questions),
            expected: Arc::clone(&expected),
            stop: Arc::clone(&stop),
        };
        match caller {
            0..3 => callers.spawn(load.singly(client, caller)),
            3..5 => callers.spawn(load.in_batches(client)),
            _ => callers.spawn(load.by_screening(client)),
        };
    }
    for flip in 0..FLIPS {
        put(&server, [STRICT, BY_MODEL][flip % 2]).await;
    }
    stop.store(true, Ordering::Relaxed);
    while let Some(seen) = callers.join_next().await {
        let seen = seen.unwrap();
        // Each caller saw both.
        assert_eq!(seen.len(), 2, "{seen:?}");
    }
    // What was decided under either is in the log, whole.
    for decisions in expected.values() {
        let recorded = server.logged(&decisions[0].decision_id).await;
        assert_eq!(recorded.policy_version, decisions[0].policy_version);
        assert_eq!(recorded.verdict, decisions[0].verdict);
    }
}

/// Records and names follow the suffixes of the policy.
#[tokio::test]
async fn suffixes_follow_the_policy() {
    let server = start(STRICT).await;
    let registered = || {
        record(
            r#"{"registration":{"domain":"own-suffix.cn","registrar":"r","expires_at":"2040-01-01T00:00:00Z"}}"#,
        )
    };
    let registrable = async || {
        let request = v1::GetDomainRequest {
            domain: "www.shop.own-suffix.cn".to_owned(),
        };
        let known = server.records().await.get_domain(request).await;
        known.unwrap().into_inner().registrable
    };
    assert_eq!(registrable().await, "own-suffix.cn");
    server.put(vec![registered()]).await;
    put(&server, BY_MODEL).await;
    assert_eq!(registrable().await, "shop.own-suffix.cn");
    let decision = server.check(ask("www.shop.own-suffix.cn")).await;
    assert_eq!(decision.domain.unwrap().registrable, "shop.own-suffix.cn");
    let status = server.try_put(vec![registered()]).await.unwrap_err();
    assert_eq!(bad_fields(&status), ["records[0].registration.domain"]);
    put(&server, STRICT).await;
    server.put(vec![registered()]).await;
    assert_eq!(registrable().await, "own-suffix.cn");
}

/// A document may be a policy before it is written to its end. What has not stood for a while is
/// left alone.
#[tokio::test]
async fn a_document_that_is_still_written_is_left_alone() {
    let server = start(STRICT).await;
    let file = server.folder.path().join("policy.toml");
    // Each version, with the instants before and after it was written.
    let mut written: Vec<(String, Instant, Instant)> = Vec::new();
    let mut taken = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < STANDS_FOR * 8 {
        let version = format!("v{}", written.len());
        let document = STRICT.replace("\"strict\"", &format!("\"{version}\""));
        let before = Instant::now();
        // In place, as an editor may do it.
        std::fs::write(&file, document).unwrap();
        written.push((format!("flip@{version}+"), before, Instant::now()));
        tokio::time::sleep(STANDS_FOR / 8).await;
        taken.push(server.gate.policy_version());
    }
    for pair in written.windows(2) {
        let [(version, before, _), (_, _, after)] = pair else {
            panic!("two versions")
        };
        if taken.iter().any(|taken| taken.starts_with(version)) {
            let stood = *after - *before;
            assert!(stood >= STANDS_FOR, "{version} stood for {stood:?}");
        }
    }
    // And the last one is taken.
    let (last, _, _) = written.last().unwrap();
    in_force(&server, |version| version.starts_with(last)).await;
}

/// A document that is good, wrong, and away: what held before holds, and it is known.
#[tokio::test]
async fn a_document_that_cannot_be_used_is_known() {
    let server = start(STRICT).await;
    let version = server.gate.policy_version();
    let file = server.folder.path().join("policy.toml");
    let wrongs: [&dyn Fn(); 3] = [
        &|| replace(&file, "no policy"),
        &|| replace(&file, &STRICT.replace("version", "vresion")),
        &|| std::fs::remove_file(&file).unwrap(),
    ];
    for wrong in wrongs {
        assert!(!server.gate.is_policy_refused());
        wrong();
        until(|| server.gate.is_policy_refused()).await;
        let decision = server.check(ask("sample-shop.cn")).await;
        assert_eq!(*decision.policy_version, *version);
        replace(&file, STRICT);
        until(|| !server.gate.is_policy_refused()).await;
        assert_eq!(server.gate.policy_version(), version);
    }
}

struct Load {
    questions: Arc<Vec<v1::CheckProvisioningRequest>>,
    expected: Arc<Expected>,
    stop: Arc<AtomicBool>,
}

type Client = ProvisioningServiceClient<Channel>;

impl Load {
    /// Asks one question after the other; tells how many answers came under each version.
    async fn singly(self, mut client: Client, begin: usize) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        for at in begin.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let at = at % self.questions.len();
            let answer = client.check_provisioning(self.questions[at].clone()).await;
            let decision = answer.unwrap().into_inner().decision.unwrap();
            self.hold(at, decision, &mut seen);
        }
        seen
    }

    /// Asks all questions at once, over and over.
    async fn in_batches(self, mut client: Client) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        while !self.stop.load(Ordering::Relaxed) {
            let requests = self.questions.to_vec();
            let request = v1::BatchCheckProvisioningRequest { requests };
            let answer = client.batch_check_provisioning(request).await;
            self.hold_all(answer.unwrap().into_inner().results, &mut seen);
        }
        seen
    }

    /// The same in the messages of one stream.
    async fn by_screening(self, mut client: Client) -> BTreeMap<String, usize> {
        let mut seen = BTreeMap::new();
        let (sender, batches) = tokio::sync::mpsc::channel(1);
        let batches = tokio_stream::wrappers::ReceiverStream::new(batches);
        let mut stream = client.screen_domains(batches).await.unwrap().into_inner();
        for sequence in 1.. {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let requests = self.questions.to_vec();
            let batch = v1::ScreenDomainsRequest { sequence, requests };
            sender.send(batch).await.unwrap();
            let answer = stream.message().await.unwrap().unwrap();
            self.hold_all(answer.results, &mut seen);
        }
        seen
    }

    /// A batch is answered under one policy.
    fn hold_all(
        &self,
        results: Vec<v1::CheckProvisioningResult>,
        seen: &mut BTreeMap<String, usize>,
    ) {
        assert_eq!(results.len(), self.questions.len());
        let mut versions = BTreeMap::new();
        for (at, result) in results.into_iter().enumerate() {
            self.hold(at, decided(result), &mut versions);
        }
        assert_eq!(versions.len(), 1, "{versions:?}");
        for (version, count) in versions {
            *seen.entry(version).or_default() += count;
        }
    }

    /// Holds an answer against what the version says that it names.
    fn hold(&self, at: usize, decision: v1::Decision, seen: &mut BTreeMap<String, usize>) {
        let version = decision.policy_version.clone();
        let expected = self.expected.get(&version);
        let expected = expected.unwrap_or_else(|| panic!("nobody put {version} in force"));
        assert_eq!(wherever(decision), expected[at], "question {at}");
        *seen.entry(version).or_default() += 1;
    }
}

/// Orders that the policies see in different ways, and some that they do not.
fn questions() -> Vec<v1::CheckProvisioningRequest> {
    let mut questions = Vec::new();
    for name in NAMES {
        for payment_enabled in [false, true] {
            questions.push(v1::CheckProvisioningRequest {
                site: Some(v1::Site {
                    payment_enabled,
                    business_model: v1::BusinessModel::SelfOperated as i32,
                    ..v1::Site::default()
                }),
                ..full(ask(name))
            });
        }
    }
    questions
}

async fn start(document: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.toml");
    replace(&file, document);
    Server::start(Start {
        settings: vec![
            ("policy.file", file.display().to_string().leak()),
            ("auth.reload_interval", "10ms"),
        ],
        folder,
        ..Start::default()
    })
    .await
}

/// Puts a document in place and waits until it is in force; returns its version.
async fn put(server: &Server, document: &str) -> String {
    replace(&server.folder.path().join("policy.toml"), document);
    let policy = Policy::compile(document, "self").unwrap();
    in_force(server, |version| *version == *policy.version).await;
    policy.version.to_string()
}

async fn in_force(server: &Server, is: impl Fn(&str) -> bool) {
    until(|| is(&server.gate.policy_version())).await;
}

async fn until(is: impl Fn() -> bool) {
    let waiting = async {
        while !is() {
            tokio::time::sleep(LOOK).await;
        }
    };
    timeout(PATIENCE, waiting).await.expect("it becomes so");
}

/// As operators are told to: a new file in the place of the old one.
fn replace(file: &Path, document: &str) {
    let new = file.with_extension("new");
    std::fs::write(&new, document).unwrap();
    std::fs::rename(new, file).unwrap();
}
