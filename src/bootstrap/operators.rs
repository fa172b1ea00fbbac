//! What operators see: the HTTP listener and the states that metrics show.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::door::is_loopback;
use crate::clock::Clock;
use crate::config::Config;
use crate::gate::Gate;
use crate::http::Pages;
use crate::store::{Store, observe_pools};
use crate::telemetry::metrics::Observers;
use crate::telemetry::metrics::label::SpanEnd;
use crate::telemetry::metrics::list::{DRAIN_LIMIT, SPANS, STARTED_AT};
use crate::telemetry::span_counts;

/// Refuses to listen where strangers could read what is meant for operators.
///
/// # Errors
///
/// Where they could, with the remedy.
pub fn permitted(config: &Config) -> anyhow::Result<()> {
    let http = &config.http;
    if is_loopback(http.listen) || http.insecure {
        return Ok(());
    }
    anyhow::bail!(
        "listen on {} (key http.listen): whoever reaches it could read metrics, in which names of \
         callers stand, and nothing asks who it is; listen on 127.0.0.1, or set `http.insecure` \
         where the network lets only monitoring in",
        http.listen
    )
}

/// Takes the address for HTTP.
///
/// # Errors
///
/// Where it is taken, or may not be listened on.
pub(super) async fn listen(config: &Config) -> anyhow::Result<(TcpListener, SocketAddr)> {
    permitted(config)?;
    let listen = config.http.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!(
            "listen on {listen} for HTTP (key http.listen); another address is given with \
             `--http-listen`, port 0 takes any free port"
        )
    })?;
    let address = listener
        .local_addr()
        .context("ask for the address of the HTTP listener")?;
    Ok((listener, address))
}

/// Notes when the process started, that it counts, and how long it may take to end.
pub(super) fn started(config: &Config, clock: &dyn Clock) {
    STARTED_AT.set((), clock.now().as_duration().as_secs_f64());
    DRAIN_LIMIT.set((), config.limits.drain_timeout.as_secs_f64());
}

/// What is shown over HTTP. From `soft` on the replica is not ready.
pub(super) fn pages(gate: &Arc<Gate>, store: &Arc<dyn Store>, soft: &CancellationToken) -> Pages {
    Pages {
        readiness: gate.readiness(soft.clone()),
        observers: observers(gate, store, soft),
        gate: Arc::clone(gate),
    }
}

/// Reads the states of all parts.
pub(super) fn observers(
    gate: &Arc<Gate>,
    store: &Arc<dyn Store>,
    soft: &CancellationToken,
) -> Observers {
    let (seen, soft) = (Arc::clone(gate), soft.clone());
    let pools = Arc::clone(store);
    Observers::default()
        .and(move || seen.observe(&soft))
        .and(move || observe_pools(&pools.pools()))
        .and(|| {
            let spans = span_counts();
            SPANS.set((SpanEnd::Sent,), count(spans.sent));
            SPANS.set((SpanEnd::Dropped,), count(spans.dropped));
        })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "exact up to 2^53, and then close enough"
)]
fn count(spans: u64) -> f64 {
    spans as f64
}
