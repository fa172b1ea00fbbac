//! P1: one call whose facts are in the local cache, beside `Health/Check` of a bare tonic server.

use anyhow::ensure;

use crate::bench::Bench;
use crate::load::{self, CONNECTIONS, STREAMS, Target, one_by_one, saturate};
use crate::report::{Goal, Outcome, Unit, micros, rate};
use crate::servers::Server;
use crate::wire::{self, Purpose, ServedFrom, Verdict, v1};

/// The part of saturation at which the open loop asks.
const PART: f64 = 0.5;

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let slice = bench.options.slice();
    let folder = bench.folder("p1")?;
    let bare = Server::bare(&folder).await?;
    let store = folder.join("records.sqlite").display().to_string();
    let key = folder.join("privacy.key").display().to_string();
    let settings = [("store.path", store), ("privacy.key_file", key)];
    let own = bench.product(&settings, &["--sample"]).await?;
    let asked = load::learn(own.address, ["www.sample-shop.cn"], shop).await?;
    let allow = i32::from(Verdict::Allow);
    ensure!(
        asked.iter().all(|asked| asked.verdict == allow),
        "the sample's shop is not allowed"
    );
    let health = Target::health(bare.address);
    let check = Target::check(own.address, asked, ServedFrom::LocalCache);
    let mut outcome = Outcome::default();
    let mut slowest = f64::INFINITY;
    for target in [&health, &check] {
        slowest = slowest.min(saturate(target, slice).await?.rate());
    }
    let half = slowest * PART;
    for _ in 0..bench.options.rounds {
        for (name, target) in [("health", &health), ("check", &check)] {
            let busy = saturate(target, slice).await?;
            outcome.note(format!("{name}, calls a second"), busy.rate());
            let alone = one_by_one(target, slice).await?;
            outcome.p50(name, &alone);
            outcome.note(format!("{name}, p99 ns"), alone.quantile(0.99));
            let open = load::open(target, half, slice).await?;
            outcome.note(format!("{name}, open loop, p50 ns"), open.quantile(0.5));
            outcome.note(format!("{name}, open loop, p99 ns"), open.quantile(0.99));
            outcome.level("the local cache", &[&busy, &alone, &open]);
        }
    }
    let of = |outcome: &Outcome, what: &str| {
        let figure = |name: &str| outcome.median(&format!("{name}, {what}"));
        (figure("health"), figure("check"))
    };
    let (bare, own) = of(&outcome, "calls a second");
    outcome.row(
        format!("local hit, {CONNECTIONS} × {STREAMS}, calls a second"),
        format!("bare tonic health {}", rate(bare)),
        rate(own),
        (own / bare, Unit::Ratio),
        Goal::AtLeast(0.85),
    );
    for (what, series, most) in [
        ("local hit, 1 × 1, p50", "p50 ns", Goal::AtMost(1.15)),
        ("local hit, 1 × 1, p99", "p99 ns", Goal::AtMost(1.25)),
        ("local hit, open loop, p50", "open loop, p50 ns", Goal::None),
        ("local hit, open loop, p99", "open loop, p99 ns", Goal::None),
    ] {
        let (bare, own) = of(&outcome, series);
        let reference = format!("bare tonic health {}", micros(bare));
        outcome.row(
            what,
            reference,
            micros(own),
            (own / bare, Unit::Ratio),
            most,
        );
    }
    outcome
        .notes
        .push("without a credential; metrics are counted".to_owned());
    outcome.notes.push(format!(
        "open loop: {half:.0} calls a second to each, half of what the slower one takes; context, \
         no target"
    ));
    Ok(outcome)
}

/// A CDN order of the sample's shop, which takes payments.
pub(super) fn shop(domain: &str) -> v1::CheckProvisioningRequest {
    let mut question = wire::question(domain, Purpose::Order);
    question.site = Some(v1::Site {
        payment_enabled: true,
        ..Default::default()
    });
    question
}
