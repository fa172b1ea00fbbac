//! Recorded decisions are pruned by the program, beside a running server, on both engines.

#![expect(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test stops at the first surprise"
)]

#[cfg(test)]
#[expect(dead_code, reason = "the tests of the store use more of it")]
#[path = "servers/postgres.rs"]
mod postgres;

#[cfg(test)]
#[expect(dead_code, reason = "the tests of keys use more of it")]
#[path = "servers/place.rs"]
mod place;

use std::time::Instant;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use sqlx::Connection as _;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use tonic::{Code, Status};

use place::{LOOK, PATIENCE, Place, Serving};

/// Makes a decision one that was recorded a hundred days before.
const AGE: &str = "
UPDATE decision SET recorded_at = recorded_at - 8640000000000 WHERE decision_id = $1";

impl Place {
    fn prune(&self, more: &[&str]) -> serde_json::Value {
        self.json(&[&["decisions", "prune"], more].concat())
    }

    async fn age(&self, decision_id: &str) {
        let aged = if let Some(url) = &self.url {
            let mut raw = PgConnection::connect(url).await.unwrap();
            let query = sqlx::query(AGE).bind(decision_id);
            query.execute(&mut raw).await.unwrap().rows_affected()
        } else {
            let file = self.folder.path().join("icpgate-data/icpgate.sqlite");
            let options = SqliteConnectOptions::new().filename(file);
            let mut raw = SqliteConnection::connect_with(&options).await.unwrap();
            let query = sqlx::query(AGE).bind(decision_id);
            query.execute(&mut raw).await.unwrap().rows_affected()
        };
        assert_eq!(aged, 1);
    }
}

impl Serving {
    async fn client(&self) -> ProvisioningServiceClient<tonic::transport::Channel> {
        let client = ProvisioningServiceClient::connect(self.url.clone()).await;
        client.unwrap()
    }

    /// Asks, and waits until the decision is recorded; its identifier.
    async fn ask(&self, domain: &str) -> String {
        let question = v1::CheckProvisioningRequest {
            domain: domain.to_owned(),
            product: v1::Product::Cdn.into(),
            service_area: v1::ServiceArea::Mainland.into(),
            order_id: format!("order of {domain}"),
            ..Default::default()
        };
        let answer = self.client().await.check_provisioning(question).await;
        let decision_id = answer.unwrap().into_inner().decision.unwrap().decision_id;
        let started = Instant::now();
        while let Err(status) = self.recorded(&decision_id).await {
            assert_eq!(status.code(), Code::NotFound, "{status:?}");
            assert!(started.elapsed() < PATIENCE, "it is not recorded");
            tokio::time::sleep(LOOK).await;
        }
        decision_id
    }

    async fn recorded(&self, decision_id: &str) -> Result<v1::Decision, Status> {
        let request = v1::GetDecisionRequest {
            decision_id: decision_id.to_owned(),
        };
        let answer = self.client().await.get_decision(request).await?;
        Ok(answer.into_inner().decision.unwrap())
    }
}

async fn decisions_are_pruned(place: &Place) {
    let serving = Serving::start(place, &["--sample"]);
    let unknown = serving.recorded(&"0".repeat(32)).await.unwrap_err();
    let old = serving.ask("sample-shop.cn").await;
    let young = serving.ask("sample-blog.cn").await;
    place.age(&old).await;

    let (code, said) = place.run(&["decisions", "prune", "--older-than", "60d"]);
    assert_eq!(code, Some(0), "{said}");
    for part in ["would remove", "1 decisions", "about ", "say --yes"] {
        assert!(said.contains(part), "{said}");
    }
    let told = place.prune(&["--older-than", "60d", "--dry-run"]);
    assert_eq!(told["pruned"], false, "{told}");
    assert_eq!(told["decisions"], 1, "{told}");
    assert_eq!(told["firstRecordedAt"], told["lastRecordedAt"]);
    assert!(told["aboutBytes"].as_u64().unwrap() > 1000, "{told}");
    let none = place.prune(&["--before", "2020-01-01"]);
    assert_eq!(none["before"], "2019-12-31T16:00:00Z");
    assert_eq!(none["decisions"], 0, "{none}");
    serving.recorded(&old).await.unwrap();

    // Beside the running server.
    let done = place.prune(&["--older-than", "60d", "--yes"]);
    assert_eq!(done["pruned"], true, "{done}");
    assert_eq!(done["firstRecordedAt"], told["firstRecordedAt"]);
    for part in ["decisions", "orders", "contents"] {
        assert_eq!(done[part], 1, "{part}: {done}");
    }
    assert_eq!(done["callers"], 0, "nobody has a name");
    let gone = serving.recorded(&old).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    assert_eq!(
        gone.message().replace(&old, "X"),
        unknown.message().replace(&"0".repeat(32), "X")
    );
    serving.recorded(&young).await.unwrap();

    let args = ["decisions", "prune", "--older-than", "60d", "--yes"];
    let (code, said) = place.run(&args);
    assert_eq!(code, Some(0), "nothing to do is no failure: {said}");
    assert!(said.contains("no decision was recorded before"), "{said}");
    serving.ask("sample-expired.cn").await;
    serving.stop();

    // The rest of the upkeep goes on.
    place.json(&["keys", "add"]);
    let rotated = place.json(&["keys", "rotate"]);
    assert!(rotated["decisions"].as_u64().unwrap() > 0, "{rotated}");
    let erased = place.json(&["erase", "--domain", "sample-moving.cn", "--yes"]);
    assert_eq!(erased["erased"], true, "{erased}");
    place.age(&young).await;
    let (code, said) = place.run(&args);
    assert_eq!(code, Some(0), "{said}");
    for part in ["removed", "1 decisions", "1 orders", "RETENTION.md"] {
        assert!(said.contains(part), "{said}");
    }
    let (code, said) = place.run(&["doctor"]);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_pruned_in_sqlite() {
    decisions_are_pruned(&Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn decisions_are_pruned_in_postgres() {
    decisions_are_pruned(&Place::postgres().await).await;
}

#[test]
fn what_may_not_be_pruned_is_refused_and_nothing_is_opened() {
    let place = Place::sqlite();
    for (args, told) in [
        (
            &["--older-than", "20d"][..],
            ["`--older-than 20d`", "`30d` or more"],
        ),
        (
            &["--older-than", "20d", "--dry-run"],
            ["`--older-than 20d`", "`30d` or more"],
        ),
        (
            &["--before", "2999-01-01", "--yes"],
            ["`--before 2999-01-01`", "or an earlier day"],
        ),
        (&["--before", "2026-02-30"], ["--before", "2026-11-22"]),
        (
            &["--before", "2026-01-01T00:00:00Z"],
            ["--before", "2026-11-22"],
        ),
        (&["--older-than", "1y"], ["--older-than", "`7d`"]),
        (&["--older-than", "0d"], ["--older-than", "`7d`"]),
        (
            &["--older-than", "60d", "--before", "2026-01-01"],
            ["--before", "--older-than"],
        ),
        (
            &["--older-than", "60d", "--yes", "--dry-run"],
            ["--yes", "--dry-run"],
        ),
        (&[], ["--before", "--older-than"]),
    ] {
        let (code, said) = place.run(&[&["decisions", "prune"], args].concat());
        assert_eq!(code, Some(64), "{args:?}: {said}");
        for part in told {
            assert!(said.contains(part), "{args:?}: {said}");
        }
    }
    assert_eq!(std::fs::read_dir(place.folder.path()).unwrap().count(), 0);
    let (code, said) = place.run(&["decisions", "prune", "--older-than", "60d"]);
    assert!(code == Some(74) && said.contains("migrate"), "{said}");
}
