//! Starting and stopping: who tells whom to stop, in what order, and when patience ends.
//!
//! The soft token says "take no more work, finish what runs"; the hard token says "drop what
//! runs". The soft token is a child of the hard one, so that a hard stop is a soft stop too.
//! **Invariant:** every background task is awaited; one that fails stops the process, which then
//! ends with failure. **Absent on purpose:** restarting a task that failed; whatever started the
//! process restarts it, with a clean state.
//! Start at [`Lifecycle::run`].

mod hangups;

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt as _, Stream, StreamExt as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::telemetry::metrics::label::Panicked;
use crate::telemetry::metrics::list::PANICS;
pub use hangups::Hangups;

/// Longest time between the hard stop and the end of the process.
const HARD_STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Stops a process in order.
#[derive(Clone, Debug)]
pub struct Lifecycle {
    hard: CancellationToken,
    soft: CancellationToken,
    tasks: TaskTracker,
    failure: Arc<Mutex<Option<LifecycleError>>>,
    drain_timeout: Duration,
}

/// A signal that asks the process to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// From the keyboard: SIGINT.
    Interrupt,
    /// From a supervisor: SIGTERM.
    Terminate,
}

/// The process did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// Calls or tasks were still running at the end of the patience and were dropped.
    #[error("dropped {tasks} tasks that were unfinished after {}s", after.as_secs())]
    Dropped {
        /// How many tasks.
        tasks: usize,
        /// How long they were waited for.
        after: Duration,
    },
    /// A background task ended with an error.
    #[error("run {task}")]
    TaskFailed {
        /// The task.
        task: &'static str,
        /// Why.
        #[source]
        source: anyhow::Error,
    },
    /// A background task panicked, which is a defect of this program.
    #[error("run {task}: it panicked; the log tells where")]
    TaskPanicked {
        /// The task.
        task: &'static str,
    },
    /// Signals cannot be received.
    #[error("listen for signals")]
    Signals(#[source] std::io::Error),
}

impl Lifecycle {
    /// A process whose running work gets `drain_timeout` to finish once it is told to stop.
    #[must_use]
    pub fn new(drain_timeout: Duration) -> Self {
        let hard = CancellationToken::new();
        Self {
            soft: hard.child_token(),
            hard,
            tasks: TaskTracker::new(),
            failure: Arc::default(),
            drain_timeout,
        }
    }

    /// Cancelled when no more work is to be taken.
    #[must_use]
    pub fn soft(&self) -> CancellationToken {
        self.soft.clone()
    }

    /// Cancelled when running work is to be dropped.
    #[must_use]
    pub fn hard(&self) -> CancellationToken {
        self.hard.clone()
    }

    /// Asks the process to end, as a signal would.
    pub fn stop(&self) {
        self.soft.cancel();
    }

    /// Runs a background task that is awaited at the end. If it fails or panics, the process
    /// stops and ends with failure; the first failure is the one that is told.
    pub fn spawn<F>(&self, task: &'static str, future: F)
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let this = self.clone();
        self.tasks.spawn(async move {
            let failure = match AssertUnwindSafe(future).catch_unwind().await {
                Ok(Ok(())) => return,
                Ok(Err(source)) => LifecycleError::TaskFailed { task, source },
                Err(_panic) => {
                    PANICS.inc((Panicked::Task,));
                    LifecycleError::TaskPanicked { task }
                }
            };
            this.fail(failure);
        });
    }

    /// As [`Lifecycle::spawn`], of what has no error of its own; a panic is one all the same.
    pub fn spawn_infallible<F>(&self, task: &'static str, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.spawn(task, async move {
            future.await;
            Ok(())
        });
    }

    /// Waits until the process is to end, by SIGINT, SIGTERM, [`Lifecycle::stop`] or a failed
    /// task, and ends it: running work finishes, a second signal or the end of the patience drops
    /// it.
    ///
    /// # Errors
    ///
    /// A task failed, or work had to be dropped.
    pub async fn run(self) -> Result<(), LifecycleError> {
        let signals = signals().map_err(LifecycleError::Signals)?;
        self.run_with(signals).await
    }

    /// As [`Lifecycle::run`], with signals from elsewhere.
    async fn run_with(self, signals: impl Stream<Item = Signal>) -> Result<(), LifecycleError> {
        let mut signals = pin!(signals.chain(futures::stream::pending()));
        tokio::select! {
            () = self.soft.cancelled() => {}
            signal = signals.next() => {
                tracing::info!(?signal, "stopping: running calls may finish");
                self.soft.cancel();
            }
        }
        self.tasks.close();
        let stopping = tokio::time::Instant::now();
        let finished = tokio::select! {
            () = self.tasks.wait() => true,
            () = self.hard.cancelled() => false,
            signal = signals.next() => {
                tracing::warn!(?signal, "stopping at once: running calls are dropped");
                false
            }
            () = tokio::time::sleep(self.drain_timeout) => {
                tracing::warn!(
                    after_s = self.drain_timeout.as_secs(),
                    "running calls did not finish in time and are dropped"
                );
                false
            }
        };
        if !finished {
            let tasks = self.tasks.len();
            let after = stopping.elapsed();
            self.hard.cancel();
            // Tasks that do not listen end with the runtime.
            let _ = tokio::time::timeout(HARD_STOP_TIMEOUT, self.tasks.wait()).await;
            self.fail(LifecycleError::Dropped { tasks, after });
        }
        let failure = self
            .failure
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        failure.map_or(Ok(()), Err)
    }

    fn fail(&self, failure: LifecycleError) {
        let mut first = self.failure.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(failure);
        drop(first);
        self.soft.cancel();
    }
}

#[cfg(unix)]
fn signals() -> std::io::Result<impl Stream<Item = Signal>> {
    use tokio::signal::unix::{SignalKind, signal};
    let interrupt = signal(SignalKind::interrupt())?;
    let terminate = signal(SignalKind::terminate())?;
    let interrupts = futures::stream::unfold(interrupt, |mut source| async {
        source.recv().await.map(|()| (Signal::Interrupt, source))
    });
    let terminates = futures::stream::unfold(terminate, |mut source| async {
        source.recv().await.map(|()| (Signal::Terminate, source))
    });
    Ok(futures::stream::select(
        interrupts.boxed(),
        terminates.boxed(),
    ))
}

#[cfg(not(unix))]
#[expect(clippy::unnecessary_wraps, reason = "other systems can fail here")]
fn signals() -> std::io::Result<impl Stream<Item = Signal>> {
    Ok(futures::stream::unfold((), |()| async {
        tokio::signal::ctrl_c()
            .await
            .ok()
            .map(|()| (Signal::Interrupt, ()))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_hours(1);

    fn no_signals() -> impl Stream<Item = Signal> {
        futures::stream::pending()
    }

    #[tokio::test(start_paused = true)]
    async fn running_work_finishes_after_a_signal() {
        let lifecycle = Lifecycle::new(LONG);
        let (soft, hard) = (lifecycle.soft(), lifecycle.hard());
        lifecycle.spawn("work", async move {
            soft.cancelled().await;
            tokio::time::sleep(Duration::from_mins(1)).await;
            anyhow::ensure!(!hard.is_cancelled(), "dropped");
            Ok(())
        });
        let signals = futures::stream::iter([Signal::Terminate]);
        lifecycle.run_with(signals).await.expect("an orderly end");
    }

    #[tokio::test(start_paused = true)]
    async fn a_second_signal_drops_running_work() {
        let lifecycle = Lifecycle::new(LONG);
        let hard = lifecycle.hard();
        lifecycle.spawn("work", async move {
            hard.cancelled().await;
            Ok(())
        });
        let signals = futures::stream::iter([Signal::Interrupt, Signal::Interrupt]);
        let started = tokio::time::Instant::now();
        let end = lifecycle.run_with(signals).await;
        assert!(
            matches!(end, Err(LifecycleError::Dropped { tasks: 1, .. })),
            "{end:?}"
        );
        assert!(started.elapsed() < Duration::from_secs(1));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let lifecycle = Lifecycle::new(Duration::from_secs(30));
        lifecycle.spawn("deaf work", async {
            std::future::pending::<()>().await;
            Ok(())
        });
        lifecycle.stop();
        let started = tokio::time::Instant::now();
        let end = lifecycle.run_with(no_signals()).await;
        assert!(
            matches!(end, Err(LifecycleError::Dropped { tasks: 1, .. })),
            "{end:?}"
        );
        assert_eq!(started.elapsed().as_secs(), 32);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_task_stops_the_others_and_is_told() {
        let lifecycle = Lifecycle::new(LONG);
        let soft = lifecycle.soft();
        lifecycle.spawn("other", async move {
            soft.cancelled().await;
            anyhow::bail!("later failure")
        });
        lifecycle.spawn("sync", async { anyhow::bail!("disk is full") });
        let end = lifecycle.run_with(no_signals()).await;
        let Err(LifecycleError::TaskFailed { task, source }) = end else {
            panic!("{end:?}");
        };
        assert_eq!(
            (task, source.to_string().as_str()),
            ("sync", "disk is full")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_panics_stops_the_process() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn("broken", async { panic!("a defect") });
        let end = lifecycle.run_with(no_signals()).await;
        assert!(
            matches!(end, Err(LifecycleError::TaskPanicked { task: "broken" })),
            "{end:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_is_done_stops_nothing() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn("short", async { Ok(()) });
        let end = tokio::time::timeout(LONG, lifecycle.clone().run_with(no_signals())).await;
        assert!(end.is_err(), "{end:?}");
        lifecycle.stop();
        lifecycle
            .run_with(no_signals())
            .await
            .expect("an orderly end");
    }
}
