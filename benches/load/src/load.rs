//! Loads a server: in closed loops, where each stream asks again once it is answered, and in an
//! open loop, where questions leave by a schedule whether or not the earlier ones are answered.
//!
//! **Invariant:** every answer is looked at: another status than OK or a wrong verdict ends the run
//! with an error; an answer that came from another level than the one that is measured, or that is
//! INDETERMINATE where it was not before, is counted.
//! **Coordinated omission:** times of the open loop run from the instant at which the schedule
//! wanted the question to leave, so that a server that stalls is charged for all that it kept
//! waiting. Closed loops serve for throughput, and for one call after the other.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use futures::future::BoxFuture;
use hdrhistogram::Histogram;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::{CHECK, Connection, HEALTH, Method};
use crate::wire::{self, Seen, ServedFrom};

/// Connections at saturation.
pub const CONNECTIONS: usize = 8;
/// Streams of each connection at saturation.
pub const STREAMS: usize = 16;
/// Calls before one stream is timed.
const WARM_UP: usize = 200;
/// Questions that an open loop may have under way: beyond, the server does not keep up.
const UNDER_WAY: usize = 50_000;
/// Longest time that is told apart, in nanoseconds.
const LONGEST: u64 = 120_000_000_000;
/// Digits to which times are kept.
const DIGITS: u8 = 3;

/// A question, with the verdict that its answer has to have.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The name that it asks about.
    pub domain: Arc<str>,
    /// The question, with its frame.
    pub framed: Bytes,
    /// The verdict.
    pub verdict: i32,
}

/// A method of a server and what it is asked.
#[derive(Clone, Debug)]
pub struct Target {
    address: SocketAddr,
    what: What,
}

#[derive(Clone, Debug)]
enum What {
    Health,
    Check {
        asked: Arc<[Asked]>,
        level: ServedFrom,
    },
}

/// What came of a run.
#[derive(Debug)]
pub struct Run {
    /// Times of calls, in nanoseconds.
    pub times: Histogram<u64>,
    /// Answers that came from another level than was expected, or have become INDETERMINATE.
    pub elsewhere: u64,
    /// How long it took.
    pub elapsed: Duration,
}

impl Target {
    /// `Health/Check` of a server.
    #[must_use]
    pub const fn health(address: SocketAddr) -> Self {
        let what = What::Health;
        Self { address, what }
    }

    /// `CheckProvisioning` of a server, one question after the other, whose facts are expected at
    /// `level`.
    #[must_use]
    pub fn check(address: SocketAddr, asked: impl Into<Arc<[Asked]>>, level: ServedFrom) -> Self {
        let asked = asked.into();
        let what = What::Check { asked, level };
        Self { address, what }
    }

    const fn path(&self) -> &'static str {
        match self.what {
            What::Health => HEALTH,
            What::Check { .. } => CHECK,
        }
    }

    fn questions(&self) -> usize {
        match &self.what {
            What::Health => 1,
            What::Check { asked, .. } => asked.len(),
        }
    }

    /// Asks the question at a place, counted around; answers whether another level answered.
    async fn call(
        &self,
        connection: &Connection,
        method: &Method,
        place: usize,
    ) -> anyhow::Result<bool> {
        match &self.what {
            What::Health => {
                let answer = connection
                    .unary(method, Bytes::from_static(&[0; wire::PREFIX]))
                    .await?;
                ensure!(wire::serving(&answer)?, "the server does not say SERVING");
                Ok(false)
            }
            What::Check { asked, level } => {
                let asked = asked.get(place % asked.len()).context("no questions")?;
                let answer = connection.unary(method, asked.framed.clone()).await?;
                let seen = wire::response(&answer)?;
                ensure!(
                    wire::agree(seen.verdict, asked.verdict),
                    "{}: verdict {} where it was {}",
                    asked.domain,
                    seen.verdict,
                    asked.verdict
                );
                let meant = seen.verdict == asked.verdict;
                Ok(!meant || seen.served_from != i32::from(*level))
            }
        }
    }
}

impl Run {
    fn new() -> anyhow::Result<Self> {
        Ok(Self {
            times: Histogram::new_with_bounds(1, LONGEST, DIGITS)?,
            elsewhere: 0,
            elapsed: Duration::ZERO,
        })
    }

    fn note(&mut self, since: Instant, elsewhere: bool) {
        let time = u64::try_from(since.elapsed().as_nanos()).unwrap_or(LONGEST);
        self.times.saturating_record(time.max(1));
        self.elsewhere += u64::from(elsewhere);
    }

    fn add(&mut self, other: &Self) -> anyhow::Result<()> {
        self.times.add(&other.times)?;
        self.elsewhere += other.elsewhere;
        self.elapsed = self.elapsed.max(other.elapsed);
        Ok(())
    }

    /// Calls a second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.times.len() as f64 / self.elapsed.as_secs_f64()
    }

    /// The time below which a part of the calls stayed, in nanoseconds.
    #[must_use]
    pub fn quantile(&self, part: f64) -> f64 {
        self.times.value_at_quantile(part) as f64
    }

    /// The part of the answers that came from another level.
    #[must_use]
    pub fn elsewhere(&self) -> f64 {
        self.elsewhere as f64 / (self.times.len() as f64).max(1.0)
    }
}

/// All connections and streams busy for a while.
///
/// # Errors
///
/// A call fails or its answer is another than expected.
pub async fn saturate(target: &Target, slice: Duration) -> anyhow::Result<Run> {
    closed(target, CONNECTIONS, STREAMS, slice).await
}

/// One call after the other on one connection, warmed up before.
///
/// # Errors
///
/// A call fails or its answer is another than expected.
pub async fn one_by_one(target: &Target, slice: Duration) -> anyhow::Result<Run> {
    closed(target, 1, 1, slice).await
}

async fn closed(
    target: &Target,
    connections: usize,
    streams: usize,
    slice: Duration,
) -> anyhow::Result<Run> {
    let mut opened = Vec::new();
    for _ in 0..connections {
        opened.push(Connection::open(target.address).await?);
    }
    let workers = connections * streams;
    let mut tasks = JoinSet::new();
    for (worker, connection) in opened.iter().cycle().take(workers).enumerate() {
        let (target, connection) = (target.clone(), connection.clone());
        let method = connection.method(target.path())?;
        let mut place = worker * target.questions() / workers;
        tasks.spawn(async move {
            for _ in 0..WARM_UP / workers {
                target.call(&connection, &method, place).await?;
                place += 1;
            }
            let mut run = Run::new()?;
            let start = Instant::now();
            while start.elapsed() < slice {
                let called = Instant::now();
                let elsewhere = target.call(&connection, &method, place).await?;
                run.note(called, elsewhere);
                place += 1;
            }
            run.elapsed = start.elapsed();
            anyhow::Ok(run)
        });
    }
    let mut all = Run::new()?;
    while let Some(run) = tasks.join_next().await {
        all.add(&run??)?;
    }
    Ok(all)
}

/// Questions by a schedule: `rate` of them a second, over eight connections.
///
/// # Errors
///
/// A call fails, its answer is another than expected, or the server falls far behind.
pub async fn open(target: &Target, rate: f64, slice: Duration) -> anyhow::Result<Run> {
    let mut opened = Vec::new();
    for _ in 0..CONNECTIONS {
        let connection = Connection::open(target.address).await?;
        let method = connection.method(target.path())?;
        opened.push((connection, method));
    }
    let (leave, mut schedule) = mpsc::unbounded_channel();
    let pace = std::thread::spawn(move || pace(&leave, rate, slice));
    let under_way = Arc::new(AtomicUsize::new(0));
    let mut all = Run::new()?;
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    let mut ways = opened.iter().cycle();
    let mut place = 0;
    loop {
        tokio::select! {
            due = schedule.recv() => {
                let Some(due) = due else { break };
                let Some((connection, method)) = ways.next() else { break };
                let (target, connection, method) =
                    (target.clone(), connection.clone(), method.clone());
                let under_way = Arc::clone(&under_way);
                let waiting = under_way.fetch_add(1, Ordering::Relaxed);
                ensure!(waiting < UNDER_WAY, "the server does not keep up with {rate:.0} a second");
                tasks.spawn(async move {
                    let elsewhere = target.call(&connection, &method, place).await?;
                    under_way.fetch_sub(1, Ordering::Relaxed);
                    anyhow::Ok((due, Instant::now(), elsewhere))
                });
                place += 1;
            }
            Some(done) = tasks.join_next() => all.answered(done??),
        }
    }
    while let Some(done) = tasks.join_next().await {
        all.answered(done??);
    }
    all.elapsed = start.elapsed();
    ensure!(pace.join().is_ok(), "the schedule broke");
    Ok(all)
}

impl Run {
    fn answered(&mut self, (due, answered, elsewhere): (Instant, Instant, bool)) {
        let time = answered.saturating_duration_since(due).as_nanos();
        let time = u64::try_from(time).unwrap_or(LONGEST);
        self.times.saturating_record(time.max(1));
        self.elsewhere += u64::from(elsewhere);
    }
}

/// Says when each question is to leave. On a thread of its own: the timers of the runtime are no
/// finer than a millisecond.
fn pace(leave: &mpsc::UnboundedSender<Instant>, rate: f64, slice: Duration) {
    let start = Instant::now();
    let step = Duration::from_secs_f64(1.0 / rate.max(1.0));
    let mut due = start;
    while due < start + slice {
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(early);
        }
        if leave.send(due).is_err() {
            return;
        }
        due += step;
    }
}

/// Calls something again and again for a while, on a task of its own as a server's client runs, and
/// not on the thread that waits for all.
///
/// # Errors
///
/// A call fails.
pub async fn repeat<C: Send + 'static>(
    mut context: C,
    slice: Duration,
    call: impl for<'c> Fn(&'c mut C, usize) -> BoxFuture<'c, anyhow::Result<()>> + Send + 'static,
) -> anyhow::Result<Run> {
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for place in 0..WARM_UP {
            call(&mut context, place).await?;
        }
        let mut run = Run::new()?;
        let start = Instant::now();
        let mut place = WARM_UP;
        while start.elapsed() < slice {
            let called = Instant::now();
            call(&mut context, place).await?;
            run.note(called, false);
            place += 1;
        }
        run.elapsed = start.elapsed();
        anyhow::Ok(run)
    });
    tasks.join_next().await.context("the task is gone")??
}

/// Asks once for each name, and keeps the verdicts as those that every later answer has to have.
///
/// # Errors
///
/// A call fails.
pub async fn learn<'n>(
    address: SocketAddr,
    domains: impl IntoIterator<Item = &'n str>,
    question: impl Fn(&str) -> wire::v1::CheckProvisioningRequest,
) -> anyhow::Result<Vec<Asked>> {
    const AT_ONCE: usize = 32;
    let connection = Connection::open(address).await?;
    let method = connection.method(CHECK)?;
    let mut tasks = JoinSet::new();
    let mut asked = Vec::new();
    let mut domains = domains.into_iter().enumerate();
    loop {
        while tasks.len() < AT_ONCE
            && let Some((place, domain)) = domains.next()
        {
            let (connection, method) = (connection.clone(), method.clone());
            let framed = wire::framed(&question(domain));
            let domain: Arc<str> = domain.into();
            tasks.spawn(async move {
                let answer = connection.unary(&method, framed.clone()).await?;
                let Seen { verdict, .. } = wire::response(&answer)?;
                ensure!(verdict != 0, "{domain} has no verdict");
                let asked = Asked {
                    domain,
                    framed,
                    verdict,
                };
                anyhow::Ok((place, asked))
            });
        }
        let Some(done) = tasks.join_next().await else {
            break;
        };
        asked.push(done??);
    }
    asked.sort_by_key(|(place, _)| *place);
    Ok(asked.into_iter().map(|(_, asked)| asked).collect())
}
