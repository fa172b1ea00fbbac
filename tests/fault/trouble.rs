//! Kinds of trouble that a Redis can be in, each with its end.

use std::time::Duration;

use super::redis::Redis;
use super::servers::gate::Signal;
use super::servers::proxy::{Mode, Proxy};

/// What is wrong with Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The machine takes connections and says nothing.
    BlackHole,
    /// Everything that it held is gone.
    Flushed,
    /// The process stands still.
    Frozen,
    /// It reads its data in and answers nothing else.
    Loading,
    /// Its memory is full and it takes nothing more.
    OutOfMemory,
    /// Another password holds than the configured one.
    PasswordChanged,
    /// It became somebody's replica.
    ReadOnly,
    /// Nobody listens.
    Refused,
    /// It was killed and came back empty.
    Restarted,
    /// Answers take longer than the time-out.
    Slow,
    /// Connections stop in the middle of an answer.
    Truncated,
}

/// All of them.
pub(crate) const TROUBLES: &[Trouble] = &[
    Trouble::BlackHole,
    Trouble::Flushed,
    Trouble::Frozen,
    Trouble::Loading,
    Trouble::OutOfMemory,
    Trouble::PasswordChanged,
    Trouble::ReadOnly,
    Trouble::Refused,
    Trouble::Restarted,
    Trouble::Slow,
    Trouble::Truncated,
];

impl Trouble {
    pub(crate) async fn begin(self, redis: &mut Redis, proxy: &Proxy) {
        match self {
            Self::BlackHole => proxy.set(Mode::Hang),
            Self::Flushed => tell(redis, &["FLUSHALL"]),
            Self::Frozen => redis.process().signal(Signal::Stop),
            Self::Loading => {
                tell(redis, &["SAVE"]);
                redis.process().kill().await;
                // A second for each key, and a moment for callers between two keys.
                redis.restart(&[
                    "--key-load-delay",
                    "1000000",
                    "--loading-process-events-interval-bytes",
                    "1024",
                ]);
            }
            Self::OutOfMemory => tell(redis, &["CONFIG", "SET", "maxmemory", "1"]),
            Self::PasswordChanged => {
                tell(redis, &["CONFIG", "SET", "requirepass", "another"]);
                proxy.cut();
            }
            Self::ReadOnly => tell(redis, &["REPLICAOF", "127.0.0.1", "1"]),
            Self::Refused => proxy.set(Mode::Refuse),
            Self::Restarted => {
                redis.process().kill().await;
                redis.restart(&[]);
                redis.answers().await;
            }
            Self::Slow => proxy.set(Mode::Delay(Duration::from_secs(2))),
            Self::Truncated => proxy.set(Mode::Truncate(3)),
        }
    }

    pub(crate) async fn end(self, redis: &mut Redis, proxy: &Proxy) {
        match self {
            Self::BlackHole | Self::Refused | Self::Slow | Self::Truncated => {
                proxy.set(Mode::Pass);
            }
            Self::Flushed | Self::Restarted => {}
            Self::Frozen => redis.process().signal(Signal::Continue),
            Self::Loading => {
                redis.process().kill().await;
                redis.restart(&[]);
                redis.answers().await;
            }
            Self::OutOfMemory => tell(redis, &["CONFIG", "SET", "maxmemory", "0"]),
            Self::PasswordChanged => {
                tell(
                    redis,
                    &["-a", "another", "CONFIG", "SET", "requirepass", ""],
                );
            }
            Self::ReadOnly => tell(redis, &["REPLICAOF", "NO", "ONE"]),
        }
    }
}

/// Runs a command that has to be obeyed.
fn tell(redis: &Redis, command: &[&str]) {
    let said = redis.run(command);
    assert!(said.contains("OK"), "{command:?}: {said}");
}
