//! T1: what telemetry costs, with the call of P1: the program without any of it, as it comes, and
//! with all of it.

use anyhow::{Context as _, ensure};

use crate::bench::Bench;
use crate::collector::{Readers, read_metrics};
use crate::load::{self, CONNECTIONS, STREAMS, Target, one_by_one, saturate};
use crate::process::free_address;
use crate::report::{Goal, Outcome, Unit, micros, rate};
use crate::servers::Server;
use crate::wire::{ServedFrom, Verdict};

use super::p1::shop;

/// The program without metrics, and with no notes about calls.
const NONE: &str = "none";
/// Metrics that are read every second, and lines about calls that fail.
const USUAL: &str = "as it comes";
/// As before; metrics go to a collector, and of every hundredth call a trace.
const FULL: &str = "full";

pub(super) async fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let slice = bench.options.slice();
    let uncounted = bench.options.uncounted.as_ref();
    let uncounted = uncounted.context("`--uncounted FILE` names the program without metrics")?;
    let uncounted = uncounted.canonicalize()?;
    let folder = bench.folder("t1")?;
    let mut readers = Readers::start().await?;
    let collector = format!("http://{}", readers.collector);
    let mut servers = Vec::new();
    for (name, program, settings) in [
        (NONE, &uncounted, vec![("log.requests", "off".to_owned())]),
        (USUAL, &bench.program, vec![]),
        (
            FULL,
            &bench.program,
            vec![
                ("otlp.endpoint", collector),
                ("otlp.metrics_interval", "10s".to_owned()),
            ],
        ),
    ] {
        let place = folder.join(name.replace(' ', "-"));
        std::fs::create_dir_all(&place)?;
        let http = free_address().await?;
        let mut all = vec![
            (
                "store.path",
                place.join("records.sqlite").display().to_string(),
            ),
            (
                "privacy.key_file",
                place.join("privacy.key").display().to_string(),
            ),
            ("http.listen", http.to_string()),
        ];
        all.extend(settings);
        let server = Server::product(program, &place, &all, &["--sample"]).await?;
        let asked = load::learn(server.address, ["www.sample-shop.cn"], shop).await?;
        let allow = i32::from(Verdict::Allow);
        ensure!(
            asked.iter().all(|asked| asked.verdict == allow),
            "the sample's shop is not allowed"
        );
        let target = Target::check(server.address, asked, ServedFrom::LocalCache);
        if name != NONE {
            readers.scrape(http);
        }
        servers.push((name, server, http, target));
    }
    for (_, _, _, target) in &servers {
        saturate(target, slice).await?;
    }
    let mut outcome = Outcome::default();
    for _ in 0..bench.options.rounds {
        for (name, _, _, target) in &servers {
            let busy = saturate(target, slice).await?;
            outcome.note(format!("{name}, calls a second"), busy.rate());
            let alone = one_by_one(target, slice).await?;
            outcome.p50(name, &alone);
            outcome.level("the local cache", &[&busy, &alone]);
        }
    }
    for (name, _, http, _) in &servers {
        told(name, &read_metrics(*http).await?)?;
    }
    let loads = format!("{CONNECTIONS} × {STREAMS}, calls a second");
    for (name, least) in [(USUAL, Goal::None), (FULL, Goal::AtLeast(0.9))] {
        for (what, series, shown, goal) in [
            (&*loads, "calls a second", rate as fn(f64) -> String, least),
            ("1 × 1, p50", "p50 ns", micros, Goal::None),
        ] {
            let none = outcome.median(&format!("{NONE}, {series}"));
            let own = outcome.median(&format!("{name}, {series}"));
            outcome.row(
                format!("telemetry {name}, {what}"),
                format!("without {}", shown(none)),
                shown(own),
                (own / none, Unit::Ratio),
                goal,
            );
        }
    }
    outcome.notes.push(
        "metrics are read every second, by this program; the collector is this program too"
            .to_owned(),
    );
    Ok(outcome)
}

/// Holds what a server says of itself against what it is: one that counts by mistake, or sends
/// nothing, would measure nothing.
fn told(name: &str, metrics: &str) -> anyhow::Result<()> {
    let value = |series: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(series));
        line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
            .unwrap_or(0.0)
    };
    let decisions =
        value("icpgate_decisions_total{verdict=\"ALLOW\",purpose=\"ORDER\",product=\"CDN\"}");
    let (sent, lost) = (
        value("icpgate_otlp_spans_total{outcome=\"sent\"}"),
        value("icpgate_otlp_spans_total{outcome=\"dropped\"}"),
    );
    ensure!(
        (decisions > 1e3) == (name != NONE),
        "{name}: {decisions} decisions were counted"
    );
    ensure!(
        (sent > 1e2) == (name == FULL),
        "{name}: {sent} spans were sent"
    );
    ensure!(
        lost * 20.0 <= sent,
        "{name}: {lost} spans of {sent} were left out"
    );
    Ok(())
}
