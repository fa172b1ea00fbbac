//! Puts the parts together; the only place that knows concrete types of all rooms.

mod backup;
mod door;
mod keys;
mod operators;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use icpgate_policy::codes::RecordKind;
use icpgate_policy::explain::Language;
use icpgate_policy::facts::Revision;
use icpgate_policy::identity::CheckDigits;
use icpgate_policy::policy::{Policy, shipped};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use backup::backup;
pub use door::open as open_door;
pub use keys::Keys;
pub use operators::permitted as permit_http;

use crate::auth::Watch;
use crate::cache::{Applied, LocalCache, SharedCache, SharedIdentity, SharedMode, SharedOptions};
use crate::clock::Clock;
use crate::config::{
    ByteSize, CacheSize, CertificateCheck, Config, Every, MaxAge, RedisMode, ServerUrl,
};
use crate::gate::{
    ActivePolicy, CacheBounds, Caches, Completeness, Gate, LogWorker, keep_for, problems,
};
use crate::grpc::{self, Door};
use crate::http;
use crate::intake::{self, Intake, Line};
use crate::lifecycle::{Hangups, Lifecycle};
use crate::sample;
use crate::store::{
    MeteredStore, PostgresOptions, PostgresStore, SqliteOptions, SqliteStore, Store, StoreError,
    Upkeep,
};
use crate::telemetry::{self, metrics::label::Dependency};
use crate::workers;

/// Handles of the change log that are remembered as touched, at least: a few MiB.
const REMEMBERED: usize = 65_536;

/// The parts of a process that decides or imports.
pub struct Parts {
    /// The store.
    pub store: Arc<dyn Store>,
    /// The edge for records and questions.
    pub intake: Arc<Intake>,
    /// The policy in force.
    pub policy: Policy,
    /// The cache of all replicas; `None` where none is configured.
    pub shared: Option<SharedCache>,
    /// What is started for calls and outlives them.
    pub tasks: TaskTracker,
}

/// Opens the store and prepares the edge and the policy.
///
/// # Errors
///
/// What stands in the way, with the remedy.
pub async fn open(config: &Config, migrate: bool) -> anyhow::Result<Parts> {
    let policy = policy(config)?;
    let keys = Keys::read(&config.privacy.key_file)?;
    let (store, in_force) = open_store(config, migrate, &keys).await?;
    let engine = match &config.store.url {
        Some(_) => Dependency::Postgres,
        None => Dependency::Sqlite,
    };
    let store: Arc<dyn Store> = Arc::new(MeteredStore::new(store, engine));
    if in_force < keys.count() {
        let more = keys.count() - in_force;
        tracing::info!("{more} keys of the ring are not in force; `icpgate keys rotate` takes one");
    }
    let sealer = keys.sealer(in_force)?;
    let check_digits = match config.records.certificate_check {
        CertificateCheck::Accept => CheckDigits::Accept,
        CertificateCheck::Refuse => CheckDigits::Refuse,
    };
    let suffixes = Arc::new(policy.suffixes.clone());
    let intake = Arc::new(Intake {
        sealer,
        suffixes,
        check_digits,
    });
    let tasks = TaskTracker::new();
    let shared = if config.redis.urls.as_slice().is_empty() {
        None
    } else {
        let id = store.id().await.context("open the store")?;
        let identity = SharedIdentity::derive(&keys.material(in_force), &id);
        Some(shared(config, &policy, identity, tasks.clone())?)
    };
    Ok(Parts {
        store,
        intake,
        policy,
        shared,
        tasks,
    })
}

fn shared(
    config: &Config,
    policy: &Policy,
    identity: SharedIdentity,
    tasks: TaskTracker,
) -> anyhow::Result<SharedCache> {
    let redis = &config.redis;
    let options = SharedOptions {
        urls: redis.urls.as_slice().to_vec(),
        mode: match redis.mode {
            RedisMode::Standalone => SharedMode::Standalone,
            RedisMode::Cluster => SharedMode::Cluster,
            RedisMode::Sentinel => SharedMode::Sentinel {
                service: redis.sentinel_service.as_str().to_owned(),
            },
        },
        timeout: redis.timeout,
        ca_file: redis.ca_file.clone(),
        keep_for: keep_for(policy, config.cache.ttl),
        identity,
    };
    Ok(SharedCache::new(options, tasks)?)
}

/// Makes the gate from its parts; the worker writes the log of decisions.
///
/// # Errors
///
/// The policy cannot be encoded for the log.
pub fn gate(
    parts: Parts,
    config: &Config,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<(Gate, LogWorker)> {
    let completeness = Completeness {
        complete_for: RecordKind::ALL
            .iter()
            .copied()
            .filter(|kind| config.records.complete_for.0.contains(kind))
            .collect(),
        max_sync_age: match config.records.max_sync_age {
            MaxAge::Unlimited => None,
            MaxAge::Within(age) => Some(age.try_into().context("read records.max_sync_age")?),
        },
    };
    let policy = ActivePolicy::new(parts.policy).context("encode the policy")?;
    let cache = &config.cache;
    let caches = Caches {
        local: match cache.local_bytes {
            CacheSize::Off => None,
            CacheSize::Bytes(size) => Some(LocalCache::new(size.0)),
        },
        shared: parts.shared,
        answers: match cache.answer_bytes {
            CacheSize::Off => None,
            CacheSize::Bytes(size) => Some(size.0),
        },
        applied: Applied::new(cache.max_lag, REMEMBERED),
        bounds: CacheBounds {
            ttl: cache.ttl,
            absent_ttl: cache.absent_ttl,
            load_timeout: cache.load_timeout,
            max_loads: cache.max_loads as usize,
        },
        completeness,
    };
    Ok(Gate::new(
        parts.store,
        policy,
        parts.intake,
        clock,
        caches,
        parts.tasks,
    ))
}

/// Loads the sample records.
///
/// # Errors
///
/// The store fails, or a record of the sample is refused, which is a defect.
pub async fn load_sample(
    parts: &Parts,
    provider_id: &str,
    clock: &dyn Clock,
) -> anyhow::Result<u64> {
    let text = sample::records(clock.now(), provider_id);
    let numbered = (1..).zip(text.lines());
    let lines = numbered.map(|(number, line)| Ok((number, Line::Text(line.as_bytes().into()))));
    let now = || clock.now();
    let report = intake::import(
        futures::stream::iter(lines),
        &parts.intake,
        &*parts.store,
        |_| {},
        now,
    )
    .await?;
    if let Some((line, violations)) = report.rejected.first() {
        let what: Vec<String> = violations
            .iter()
            .map(|found| format!("{}: {}", found.field, found.description(Language::English)))
            .collect();
        anyhow::bail!("sample line {line}: {}", what.join("; "));
    }
    Ok(report.lines)
}

/// Serves until the process is told to end.
///
/// # Errors
///
/// What kept it from starting, or what broke.
pub async fn serve(
    config: &Config,
    sample: bool,
    migrate: bool,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<()> {
    // Before anything is made: whoever may not listen shall not have changed a store.
    operators::permitted(config)?;
    let opened = open_door(config, Arc::clone(&clock)).await?;
    let parts = open(config, migrate).await?;
    if sample {
        let records = load_sample(&parts, config.provider.id.as_str(), &*clock).await?;
        tracing::info!(records, "loaded {records} sample records");
    }
    serve_parts(parts, opened, config, clock).await
}

/// Serves from parts, behind a door that was opened, until the process is told to end.
///
/// # Errors
///
/// What kept it from starting, or what broke.
pub async fn serve_parts(
    parts: Parts,
    (door, watch): (Door, Option<Watch>),
    config: &Config,
    clock: Arc<dyn Clock>,
) -> anyhow::Result<()> {
    // Whether files are watched or not, the signal that asks to look at them ends nothing.
    let _hangups = Hangups::new();
    let traces = telemetry::observe(config, Arc::clone(&clock)).context("send traces")?;
    let metrics = telemetry::metrics_worker(config, Arc::clone(&clock)).context("send metrics")?;
    let store = Arc::clone(&parts.store);
    let (gate, worker) = gate(parts, config, Arc::clone(&clock))?;
    let gate = Arc::new(gate);
    let listener = TcpListener::bind(config.grpc.listen)
        .await
        .with_context(|| format!("listen on {} (key grpc.listen)", config.grpc.listen))?;
    let address = listener
        .local_addr()
        .context("ask for the address of the listener")?;
    let (http_listener, http_address) = operators::listen(config).await?;
    operators::started(config, &*clock);
    let lifecycle = Lifecycle::new(config.limits.drain_timeout);
    let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
    // The log outlives the calls: it is stopped when the last of them has gone, or when they are
    // dropped. Callers who keep a silent connection open do not keep it.
    let served = hard.child_token();
    let last_call = served.clone();
    // The last to end, so that probes and scrapes are answered until then.
    let recorded = hard.child_token();
    let last_decision = recorded.clone().drop_guard();
    lifecycle.spawn("the decision log", async move {
        worker.run(async move { last_call.cancelled().await }).await;
        drop(last_decision);
        Ok(())
    });
    let pages = operators::pages(&gate, &store, &soft);
    let listening = http::serve(http_listener, pages, recorded);
    lifecycle.spawn_infallible("the HTTP listener", listening);
    tracing::info!(address = %http_address, "serving HTTP on {http_address}");
    // Beside the tasks of the lifecycle: that a collector is away drops no work. It ends by itself
    // soon after the calls.
    let sending = TaskTracker::new();
    if let Some(worker) = traces {
        sending.spawn(worker.run(served.clone().cancelled_owned()));
    }
    if let Some(worker) = metrics {
        let observers = operators::observers(&gate, &store, &soft);
        sending.spawn(worker.run(observers, served.clone()));
    }
    sending.close();
    let version = gate.policy_version();
    // Whoever asks as soon as he can finds a replica that is ready. Where this fails, the follower
    // goes on trying, and says so.
    let _ = gate.follow().await;
    let follower = workers::follow(
        Arc::clone(&gate),
        config.cache.poll_interval,
        served.clone(),
    );
    lifecycle.spawn("the follower of the change log", async move {
        Ok(follower.await?)
    });
    let whole = match config.metrics.survey_interval {
        Every::Off => None,
        Every::Interval(interval) => Some(interval),
    };
    let every = config.metrics.data_interval;
    let surveying = workers::survey(Arc::clone(&gate), every, whole, served.clone());
    lifecycle.spawn_infallible("the counts of the registry", surveying);
    let looking = workers::look_after_caches(Arc::clone(&gate), served.clone());
    lifecycle.spawn_infallible("the look after the shared cache", looking);
    if let Some(watch) = watch {
        let watching = watch.run(served.clone());
        lifecycle.spawn_infallible("the watch over certificates, callers and keys", watching);
    }
    if let Some(following) = follow_policy(config, &gate, served.clone()) {
        lifecycle.spawn_infallible("the follower of the policy", following);
    }
    let protection = door.protection();
    let limits = limits(config);
    let serving = Arc::clone(&gate);
    let stop = grpc::Stop { soft, hard };
    lifecycle.spawn("the gRPC server", async move {
        let ended = grpc::serve(listener, door, serving, limits, stop).await;
        served.cancel();
        Ok(ended?)
    });
    tracing::info!(
        address = %address,
        policy = %version,
        protection,
        "serving gRPC on {address} ({protection})"
    );
    let ended = lifecycle.run().await;
    gate.settle().await;
    store.close().await;
    sending.wait().await;
    ended?;
    Ok(())
}

/// Follows the policy's file until `stop`; `None` where a shipped policy is in force, which cannot
/// change.
pub fn follow_policy(
    config: &Config,
    gate: &Arc<Gate>,
    stop: CancellationToken,
) -> Option<impl Future<Output = ()> + Send + 'static> {
    let file = workers::PolicyFile {
        path: config.policy.file.clone()?,
        provider_id: config.provider.id.as_str().to_owned(),
        every: config.auth.reload_interval,
    };
    Some(workers::follow_policy(Arc::clone(gate), file, stop))
}

/// The configured bounds on what callers may use up.
#[must_use]
pub fn limits(config: &Config) -> grpc::Limits {
    let limits = &config.limits;
    let octets = |size: ByteSize| usize::try_from(size.0).unwrap_or(usize::MAX);
    grpc::Limits {
        load: grpc::LoadLimits {
            calls: limits.max_concurrent_calls as usize,
            batches: limits.max_concurrent_batches as usize,
            streams: limits.max_concurrent_streams as usize,
            others: limits.max_concurrent_others as usize,
            queued: limits.max_queued_calls as usize,
            patience: limits.queue_timeout,
        },
        request: octets(limits.max_request_bytes),
        question: octets(limits.max_question_bytes),
        timeout: limits.call_timeout,
        stream: limits.stream_age,
        // Something has to be left for the calls that run.
        lame_duck: limits.lame_duck.min(limits.drain_timeout / 2),
        connections: grpc::ConnectionLimits {
            connections: limits.max_connections as usize,
            per_address: limits.max_connections_per_address as usize,
            streams: limits.max_streams_per_connection,
            headers: u32::try_from(limits.max_header_bytes.0).unwrap_or(u32::MAX),
            frame: limits.max_frame_bytes.0,
            resets: limits.max_pending_resets as usize,
            handshake: limits.handshake_timeout,
            idle: limits.idle_timeout,
            age: limits.connection_age,
            keepalive_every: limits.keepalive_interval,
            keepalive_within: limits.keepalive_timeout,
            call: limits.call_timeout,
        },
    }
}

/// The configured policy.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn policy(config: &Config) -> anyhow::Result<Policy> {
    let (name, text) = match &config.policy.file {
        Some(file) => (file.display().to_string(), read(file)?),
        None => {
            let name = config.policy.name.as_str();
            let text = shipped(name).with_context(|| format!("no policy `{name}` is shipped"))?;
            (name.to_owned(), text.to_owned())
        }
    };
    Policy::compile(&text, config.provider.id.as_str()).map_err(|error| {
        let problems = problems(&error).join("\n  ");
        anyhow::anyhow!("compile policy `{name}`:\n  {problems}")
    })
}

/// Newest revision that the read replica has; `None` where none is configured.
///
/// # Errors
///
/// Why it does not answer.
pub async fn replica(config: &Config) -> anyhow::Result<Option<Revision>> {
    let (Some(url), Some(_)) = (&config.store.url, &config.store.read_url) else {
        return Ok(None);
    };
    let keys = Keys::read(&config.privacy.key_file)?;
    let opening = keys.open(&config.privacy.key_file, async |key_id| {
        postgres(config, url, false, key_id).await
    });
    let (store, _) = opening.await.context(OPEN_DATABASE)?;
    let revision = store.replica_revision().await.transpose();
    store.close().await;
    revision.context("ask the replica of store.read_url")
}

/// Opens the configured store; returns how many of the keys it is sealed under, too.
///
/// # Errors
///
/// It does not open, or is sealed under other keys.
pub async fn open_store(
    config: &Config,
    migrate: bool,
    keys: &Keys,
) -> anyhow::Result<(Arc<dyn Upkeep>, usize)> {
    let file = &config.privacy.key_file;
    if let Some(url) = &config.store.url {
        let opening = keys.open(file, async |key_id| {
            postgres(config, url, migrate, key_id).await
        });
        // The address may hold a password; what may be shown of it is in the error.
        let (store, count) = opening.await.context(OPEN_DATABASE)?;
        return Ok((Arc::new(store), count));
    }
    let path = &config.store.path;
    let opening = keys.open(file, async |key_id| {
        let key_id = key_id.to_owned();
        SqliteStore::open(path, SqliteOptions { migrate, key_id }).await
    });
    let opened = opening.await;
    let (store, count) = opened.with_context(|| format!("open the store `{}`", path.display()))?;
    Ok((Arc::new(store), count))
}

const OPEN_DATABASE: &str = "open the store of store.url";

async fn postgres(
    config: &Config,
    url: &ServerUrl,
    migrate: bool,
    key_id: &str,
) -> Result<PostgresStore, StoreError> {
    let read_url = config.store.read_url.as_ref();
    let options = PostgresOptions {
        migrate,
        key_id: key_id.to_owned(),
        read_url: read_url.map(|url| url.as_str().to_owned()),
        connections: config.store.connections,
    };
    PostgresStore::open(url.as_str(), options).await
}

fn read(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file)
        .with_context(|| format!("read the policy `{}` (key policy.file)", file.display()))
}
