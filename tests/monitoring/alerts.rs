//! Something breaks, the alert fires; it is mended as the runbook says, and the alert clears.

use super::servers::redis::Signal;
use super::site::Site;

/// Alerts that are tried here; none of them may fire before.
const TRIED: [&str; 8] = [
    "IcpgateAbsent",
    "IcpgateBreakerOpen",
    "IcpgateDecisionLogFails",
    "IcpgateDown",
    "IcpgateFactsMissing",
    "IcpgatePolicyRejected",
    "IcpgateReplicaDown",
    "IcpgateStoreLost",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_fire_when_something_breaks_and_clear_when_it_is_mended() {
    let mut site = Site::start().await;
    site.is_seen().await;

    // Redis is gone, although nobody asks for anything, and comes back empty.
    site.redis.signal(Signal::Kill);
    site.fires("IcpgateBreakerOpen").await;
    site.redis.run();
    site.clears("IcpgateBreakerOpen").await;

    site.with_traffic(async {
        // Long enough for whatever would fire without a reason.
        site.holds("count_over_time((icpgate:checks:rate5m > 1)[10s:500ms]) >= 19")
            .await;
        for alert in TRIED {
            let firing = site.prometheus.firing(alert).await;
            assert!(firing.is_empty(), "{firing:?}");
        }

        // A policy that cannot be used.
        site.edit_policy(|text| text + "\nnonsense = [");
        site.fires("IcpgatePolicyRejected").await;
        site.edit_policy(|text| text.replace("\nnonsense = [", ""));
        site.clears("IcpgatePolicyRejected").await;

        // The database stands still.
        if let Some(postgres) = &site.postgres {
            postgres.freeze();
            site.fires("IcpgateStoreLost").await;
            site.fires("IcpgateFactsMissing").await;
            site.fires("IcpgateDecisionLogFails").await;
            postgres.thaw();
            site.clears("IcpgateStoreLost").await;
            site.clears("IcpgateFactsMissing").await;
            site.clears("IcpgateDecisionLogFails").await;
        }
    })
    .await;

    // One replica goes, then the other.
    site.gates[0].process().kill().await;
    site.with_traffic(site.fires("IcpgateReplicaDown")).await;
    site.clears("IcpgateDown").await;
    site.gates[1].process().kill().await;
    site.fires("IcpgateDown").await;
    for gate in &mut site.gates {
        gate.restart().await;
    }
    site.look_at_gates();
    site.with_traffic(async {
        site.clears("IcpgateDown").await;
        site.clears("IcpgateReplicaDown").await;
        site.is_seen().await;
    })
    .await;

    // Nobody looks at the replicas.
    site.prometheus.scrape(&[]);
    site.fires("IcpgateAbsent").await;
    site.look_at_gates();
    site.clears("IcpgateAbsent").await;
}
