//! Keys are replaced and persons erased by the program, beside running servers, on both engines.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[cfg(test)]
#[expect(dead_code, reason = "the tests of the store use more of it")]
#[path = "servers/postgres.rs"]
mod postgres;

#[cfg(test)]
#[path = "servers/place.rs"]
mod place;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use icpgate::proto::v1::record_service_client::RecordServiceClient;

use place::{LOOK, PATIENCE, Place, Serving, told};

/// Registrations of the store whose resealing is killed.
const MANY: u32 = 20_000;

/// Of the sample: a natural person with a filing, and somebody with a registration.
const BLOGGER: &str = "110105199001018813";
const APPLICANT: &str = "310104198505058823";

impl Place {
    /// Runs `icpgate erase` for the number of a resident identity card.
    fn erase(&self, number: &str, more: &[&str]) -> serde_json::Value {
        let args = ["erase", "--certificate", "-", "--output", "json"];
        let mut child = self
            .command(&[&args, more].concat())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        writeln!(input, "{number}").unwrap();
        drop(input);
        let (code, said) = told(&child.wait_with_output().unwrap());
        assert_eq!(code, Some(0), "{said}");
        assert!(!said.contains(number), "{said}");
        serde_json::from_str(&said).unwrap()
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("icpgate-data/privacy.key")
    }

    /// Fingerprints of the keys, and how many are in force.
    fn keys(&self) -> (Vec<String>, usize) {
        let listed = self.json(&["keys", "list"]);
        let keys = listed["keys"].as_array().unwrap();
        let ids = keys.iter().map(|key| key["fingerprint"].as_str().unwrap());
        let in_force = keys.iter().filter(|key| key["inForce"] == true);
        (ids.map(str::to_owned).collect(), in_force.count())
    }
}

impl Serving {
    async fn ask(&self, question: v1::CheckProvisioningRequest) -> v1::Decision {
        let mut client = ProvisioningServiceClient::connect(self.url.clone())
            .await
            .unwrap();
        let answer = client.check_provisioning(question).await.unwrap();
        answer.into_inner().decision.unwrap()
    }

    async fn recorded(&self, decision_id: &str) -> v1::Decision {
        let mut client = ProvisioningServiceClient::connect(self.url.clone())
            .await
            .unwrap();
        let request = v1::GetDecisionRequest {
            decision_id: decision_id.to_owned(),
        };
        let answer = client.get_decision(request).await.unwrap();
        answer.into_inner().decision.unwrap()
    }

    async fn put(&self, record: &str) {
        let mut client = RecordServiceClient::connect(self.url.clone())
            .await
            .unwrap();
        let records = vec![serde_json::from_str(record).unwrap()];
        client
            .put_records(v1::PutRecordsRequest { records })
            .await
            .unwrap();
    }

    /// Verdict and reasons for a set of questions, applicants among them.
    async fn answers(&self) -> Vec<(i32, Vec<i32>)> {
        let mut answers = Vec::new();
        for question in questions() {
            let decision = self.ask(question).await;
            answers.push((decision.verdict, decision.reasons));
        }
        answers
    }
}

fn question(domain: &str, product: v1::Product) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: product.into(),
        service_area: v1::ServiceArea::Mainland.into(),
        ..Default::default()
    }
}

fn pre_filing(domain: &str, certificate: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        purpose: v1::Purpose::PreFiling.into(),
        applicant: Some(v1::Applicant {
            nature: v1::SubjectNature::Individual.into(),
            certificate: Some(v1::Certificate {
                kind: v1::CertificateKind::ResidentId.into(),
                number: certificate.to_owned(),
            }),
            ..Default::default()
        }),
        ..question(domain, v1::Product::Hosting)
    }
}

fn questions() -> Vec<v1::CheckProvisioningRequest> {
    let paying = |domain| v1::CheckProvisioningRequest {
        site: Some(v1::Site {
            payment_enabled: true,
            ..Default::default()
        }),
        ..question(domain, v1::Product::Cdn)
    };
    vec![
        question("www.sample-shop.cn", v1::Product::Cdn),
        paying("sample-shop.cn"),
        paying("sample-expired.cn"),
        question("sample-blog.cn", v1::Product::Hosting),
        question("sample-mismatch.cn", v1::Product::Hosting),
        question("nobody.cn", v1::Product::Cdn),
        pre_filing("pre.cn", APPLICANT),
        pre_filing("pre.cn", BLOGGER),
    ]
}

fn registration(domain: &str, certificate: &str) -> String {
    format!(
        r#"{{"registration":{{"domain":"{domain}","registrar":"r","registrar_approved":true,"registrant":{{"name":"样例乙","certificate":{{"kind":"CERTIFICATE_KIND_RESIDENT_ID","number":"{certificate}"}}}},"real_name":"REAL_NAME_VERIFIED","in_authority_library":true,"statuses":["ok"]}},"source":"test","observed_at":"2026-01-01T00:00:00Z"}}"#
    )
}

async fn keys_are_replaced(place: &Place) {
    let serving = Serving::start(place, &["--sample"]);
    serving.put(&registration("pre.cn", APPLICANT)).await;
    let before = serving.answers().await;
    let [.., own, other] = &before[..] else {
        panic!("{before:?}")
    };
    let mismatch = v1::Reason::RegistrantMismatch as i32;
    assert!(!own.1.contains(&mismatch), "{own:?}");
    assert!(other.1.contains(&mismatch), "{other:?}");
    let decision = serving.ask(questions().remove(6)).await;

    // A key more in the ring changes nothing, for replicas that start with it either.
    let short = std::fs::read_to_string(place.key_file()).unwrap();
    let (one, in_force) = place.keys();
    assert_eq!((one.len(), in_force), (1, 1));
    let (code, said) = place.run(&["keys", "rotate"]);
    assert!(code == Some(1) && said.contains("keys add"), "{said}");
    place.json(&["keys", "add"]);
    let (two, in_force) = place.keys();
    assert_eq!((two.len(), in_force), (2, 1));
    assert_eq!(two[0], one[0]);
    let (code, said) = place.run(&["keys", "add"]);
    assert!(code == Some(1) && said.contains("not in force"), "{said}");
    let longer = Serving::start(place, &[]);
    assert_eq!(longer.answers().await, before);

    // Both end by themselves, and say why; one is started again.
    let rotated = place.json(&["keys", "rotate"]);
    assert_eq!(rotated["now"], two[1].as_str());
    assert!(rotated["versions"].as_u64().unwrap() > 10, "{rotated}");
    assert!(rotated["decisions"].as_u64().unwrap() > 0, "{rotated}");
    for gone in [serving, longer] {
        let (code, said) = gone.ended();
        assert_eq!(code, Some(70), "{said}");
        for part in [&*two[0], &*two[1], "start again"] {
            assert!(said.contains(part), "{said}");
        }
    }
    assert_eq!(place.keys().1, 2);
    let serving = Serving::start(place, &[]);
    assert_eq!(serving.answers().await, before);
    let recorded = serving.recorded(&decision.decision_id).await;
    assert_eq!(recorded.verdict, decision.verdict);
    serving.put(&registration("later.cn", APPLICANT)).await;
    let later = serving.ask(pre_filing("later.cn", APPLICANT)).await;
    assert_eq!(later.reasons, own.1);
    serving.stop();

    // A replica that was not given the new key does not start.
    let long = std::fs::read_to_string(place.key_file()).unwrap();
    assert!(long.starts_with(short.trim_end()), "the first key stays");
    std::fs::write(place.key_file(), &short).unwrap();
    let Err(said) = Serving::try_start(place, &[]) else {
        panic!("it serves with the short ring")
    };
    for part in [&*two[0], &*two[1], "privacy.key_file"] {
        assert!(said.contains(part), "{said}");
    }
    std::fs::write(place.key_file(), long).unwrap();
    Serving::start(place, &[]).stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_in_sqlite() {
    keys_are_replaced(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_are_replaced_in_postgres() {
    keys_are_replaced(&Place::postgres().await).await;
}

/// `busy` tells whether the resealing has written something that is not committed.
async fn a_killed_resealing_changes_nothing(place: &Place, busy: impl AsyncFn() -> bool) {
    let mut lines = String::new();
    for number in 0..MANY {
        let _ = writeln!(
            lines,
            "{}",
            registration(&format!("d{number}.cn"), APPLICANT)
        );
    }
    let file = place.folder.path().join("records.ndjson");
    std::fs::write(&file, lines).unwrap();
    place.json(&["import", "records.ndjson"]);
    place.json(&["keys", "add"]);
    let (ids, _) = place.keys();
    let mut rotating = place
        .command(&["keys", "rotate"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while !busy().await {
        assert_eq!(rotating.try_wait().unwrap(), None, "it ended before");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    rotating.kill().unwrap();
    rotating.wait().unwrap();
    assert_eq!(place.keys(), (ids.clone(), 1));
    // What is imported again is known, whatever was written: nothing was sealed anew.
    let again = place.json(&["import", "records.ndjson"]);
    assert_eq!(again["unchanged"], MANY, "{again}");
    let rotated = place.json(&["keys", "rotate"]);
    assert_eq!(rotated["versions"], MANY, "{rotated}");
    assert_eq!(place.keys(), (ids, 2));
    let again = place.json(&["import", "records.ndjson"]);
    assert_eq!(again["unchanged"], MANY, "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_resealing_changes_nothing_in_sqlite() {
    use sqlx::{Connection as _, Executor as _};
    /// Looks at which it holds the lock of the writer, until some of it was written.
    const LOOKS: u32 = 20;
    let place = Place::sqlite();
    let file = place.folder.path().join("icpgate-data/icpgate.sqlite");
    let held = std::cell::Cell::new(0);
    // Written pages are in the memory of the process until it commits; the lock shows before.
    let busy = async || {
        let options = sqlx::sqlite::SqliteConnectOptions::new()
            .filename(&file)
            .busy_timeout(Duration::ZERO);
        let mut raw = sqlx::SqliteConnection::connect_with(&options)
            .await
            .unwrap();
        let free = raw.execute("BEGIN IMMEDIATE").await.is_ok();
        raw.close().await.unwrap();
        held.set(if free { 0 } else { held.get() + 1 });
        held.get() >= LOOKS
    };
    a_killed_resealing_changes_nothing(&place, busy).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_resealing_changes_nothing_in_postgres() {
    use sqlx::Connection as _;
    let place = Place::postgres().await;
    let url = place.url.clone().unwrap();
    let raw = sqlx::postgres::PgConnection::connect(&url).await.unwrap();
    let raw = tokio::sync::Mutex::new(raw);
    let busy = async || {
        let writing = "SELECT count(*) FROM pg_locks
            JOIN pg_class ON pg_class.oid = pg_locks.relation
            WHERE relname = 'record_version' AND mode = 'RowExclusiveLock'";
        let mut raw = raw.lock().await;
        let writing: i64 = sqlx::query_scalar(writing)
            .fetch_one(&mut *raw)
            .await
            .unwrap();
        writing > 0
    };
    a_killed_resealing_changes_nothing(&place, busy).await;
}

async fn a_person_is_erased(place: &Place) {
    let serving = Serving::start(place, &["--sample"]);
    let blog = || question("sample-blog.cn", v1::Product::Hosting);
    let before = serving.ask(blog()).await;
    assert_eq!(before.verdict, v1::Verdict::Allow as i32, "{before:?}");
    let applied = serving.ask(pre_filing("pre.cn", BLOGGER)).await;

    let told = place.erase(BLOGGER, &[]);
    assert_eq!(told["erased"], false);
    assert_eq!(told["subjects"][0], "京ICP备2024880002号");
    assert_eq!(serving.ask(blog()).await.verdict, before.verdict);

    let done = place.erase(BLOGGER, &["--yes"]);
    assert_eq!(done["erased"], true, "{done}");
    for part in [
        "records", "changed", "kept", "subjects", "services", "versions",
    ] {
        assert_eq!(done[part], told[part], "{part}");
    }
    // The running server lets go of what it holds.
    let started = Instant::now();
    loop {
        let now = serving.ask(blog()).await;
        if now.reasons.contains(&(v1::Reason::FilingNotFound as i32)) {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "{now:?}");
        std::thread::sleep(LOOK);
    }
    // Decisions stay, with all that they said.
    for decision in [&before, &applied] {
        let recorded = serving.recorded(&decision.decision_id).await;
        assert_eq!(recorded.reasons, decision.reasons);
        assert_eq!(recorded.verdict, decision.verdict);
    }
    // The company beside goes on.
    let shop = serving
        .ask(question("sample-shop.cn", v1::Product::Cdn))
        .await;
    assert_eq!(shop.verdict, v1::Verdict::Allow as i32);
    serving.stop();

    let (code, said) = place.run(&["erase", "--subject-number", "京ICP备2024880002号"]);
    assert!(code == Some(1) && said.contains("nothing"), "{said}");
    let (code, said) = place.run(&["erase", "--subject-number", "110105199001018813"]);
    assert_eq!(code, Some(64), "{said}");
    let (code, said) = place.run(&["erase"]);
    assert!(code == Some(64) && said.contains("--certificate"), "{said}");
    let domain = place.json(&["erase", "--domain", "sample-moving.cn", "--yes"]);
    assert_eq!(domain["erased"], true, "{domain}");
    let (code, said) = place.run(&["doctor"]);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_erased_from_sqlite() {
    let place = Place::sqlite();
    a_person_is_erased(&place).await;
    // Not only from the tables: nothing of it is left in the octets of the file.
    for file in std::fs::read_dir(place.folder.path().join("icpgate-data")).unwrap() {
        let path = file.unwrap().path();
        let octets = std::fs::read(&path).unwrap();
        let mask = b"1101**********8813";
        let left = octets.windows(mask.len()).any(|here| here == mask);
        assert!(!left, "{} holds the mask", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_is_erased_from_postgres() {
    a_person_is_erased(&Place::postgres().await).await;
}
