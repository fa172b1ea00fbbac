//! One open line to Redis and the requests that go over it.
//!
//! **Invariant:** every request ends within the time-out, of each node of a cluster by itself, so
//! that one that hangs does not cost the answers of the others.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use futures::future::join_all;
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, Script, ServerErrorKind};

use super::breaker::Severity;
use super::shards::{Shards, probe};

/// A script on one key, with its value and its expiry in milliseconds.
pub(super) struct Text {
    code: &'static str,
    /// For its digest.
    script: Script,
}

/// A script. It compares revisions octet by octet: comparing them as strings would follow the
/// language of the server's environment.
macro_rules! script {
    ($body:literal) => {
        LazyLock::new(|| {
            Text::new(concat!(
                "local function older(a, b)\n",
                "  for i = 1, 8 do\n",
                "    local x, y = string.byte(a, i), string.byte(b, i)\n",
                "    if x ~= y then return x < y end\n",
                "  end\n",
                "  return false\n",
                "end\n",
                "local kept = redis.call('GETRANGE', KEYS[1], 1, 8)\n",
                "local new = string.sub(ARGV[1], 2, 9)\n",
                $body,
                "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])\n",
                "return 1\n",
            ))
        })
    };
}

/// Keeps a value unless what is kept is newer. 1: kept; 0: refused.
pub(super) static PUT: LazyLock<Text> =
    script!("if #kept == 8 and older(new, kept) then return 0 end\n");

/// Leaves a marker unless what is kept is as new. 1: left; 0: not needed.
pub(super) static INVALIDATE: LazyLock<Text> =
    script!("if #kept == 8 and not older(kept, new) then return 0 end\n");

/// Most keys of one request that writes; more go in several, so that each fits the time-out.
const WRITTEN_AT_ONCE: usize = 128;

/// Octets after which such a request takes no further key.
const OCTETS_AT_ONCE: usize = 1 << 18;

/// A line to Redis.
#[derive(Clone)]
pub(super) enum Link {
    Single(MultiplexedConnection),
    Cluster(Arc<Shards>),
}

/// Why a request failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// Not made, because that part of the cluster is out of use.
    Skipped,
    TimedOut,
    Redis(RedisError),
}

/// What came back.
pub(super) struct Answered<T> {
    /// In the order of the question; what failed is the default.
    pub(super) results: Vec<T>,
    /// Whether anything was answered.
    pub(super) any: bool,
    /// The worst that went wrong.
    pub(super) failure: Option<Failure>,
}

/// A key and what is written under it.
pub(super) struct Write {
    /// The key.
    pub(super) key: String,
    /// Its bucket.
    pub(super) bucket: u8,
    /// The value or the marker.
    pub(super) value: Vec<u8>,
}

impl Text {
    fn new(code: &'static str) -> Self {
        Self {
            code,
            script: Script::new(code),
        }
    }
}

impl Failure {
    /// How bad it is.
    pub(super) fn severity(&self, link: &Link) -> Severity {
        // In a cluster one node may fail while the others serve; the driver mends its lines.
        let Link::Single(_) = link else {
            return Severity::Transient;
        };
        match self {
            Self::Skipped | Self::TimedOut => Severity::Transient,
            Self::Redis(error) if error.is_unrecoverable_error() => Severity::Certain,
            Self::Redis(error) if is_of_no_use(error) => Severity::Certain,
            Self::Redis(_) => Severity::Transient,
        }
    }
}

impl Failure {
    /// Whether the server only wants the text of a script.
    pub(super) fn is_unknown_script(&self) -> bool {
        match self {
            Self::Redis(error) => error.kind() == ErrorKind::Server(ServerErrorKind::NoScript),
            Self::Skipped | Self::TimedOut => false,
        }
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Skipped => f.write_str("it is out of use"),
            Self::TimedOut => f.write_str("it did not answer in time"),
            Self::Redis(error) => error.fmt(f),
        }
    }
}

impl<T: Default + Clone> Answered<T> {
    fn nothing(length: usize) -> Self {
        Self {
            results: vec![T::default(); length],
            any: false,
            failure: None,
        }
    }

    fn take(&mut self, place: usize, result: Result<T, Failure>) {
        match result {
            Ok(value) => {
                self.any = true;
                if let Some(slot) = self.results.get_mut(place) {
                    *slot = value;
                }
            }
            Err(Failure::Skipped) => {}
            Err(failure) => self.failure = Some(failure),
        }
    }
}

impl Link {
    /// Whether Redis takes what is written, which includes that it is not loading, not a replica,
    /// not full, and takes our word for who we are.
    pub(super) async fn probe(&self, key: &str) -> Result<(), RedisError> {
        match self {
            Self::Single(line) => probe(key).exec_async(&mut line.clone()).await,
            Self::Cluster(shards) => probe(key).exec_async(&mut shards.line()).await,
        }
    }

    /// The values of keys, all in one round trip, in a cluster one to each bucket, all at once.
    /// `bucket` tells of a key's place which others lie in the same slot.
    pub(super) async fn get(
        &self,
        keys: &[String],
        bucket: impl Fn(usize) -> u8,
        timeout: Duration,
    ) -> Answered<Option<Vec<u8>>> {
        let mut answered = Answered::nothing(keys.len());
        let mut groups: BTreeMap<u8, Vec<usize>> = BTreeMap::new();
        for place in 0..keys.len() {
            let group = match self {
                Self::Single(_) => 0,
                Self::Cluster(_) => bucket(place),
            };
            groups.entry(group).or_default().push(place);
        }
        let asked = groups.into_iter().map(|(bucket, places)| {
            let mut command = redis::cmd("MGET");
            for key in places.iter().filter_map(|place| keys.get(*place)) {
                command.arg(key);
            }
            async move {
                let values: Result<Vec<Option<Vec<u8>>>, Failure> =
                    self.request(bucket, &command, timeout).await;
                (places, values)
            }
        });
        for (places, values) in join_all(asked).await {
            match values {
                Ok(values) => {
                    for (place, value) in places.into_iter().zip(values) {
                        answered.take(place, Ok(value));
                    }
                }
                Err(Failure::Skipped) => {}
                Err(failure) => answered.failure = Some(failure),
            }
        }
        answered
    }

    /// Runs a script on each key. `None` where it could not be run.
    pub(super) async fn run(
        &self,
        script: &Text,
        writes: &[Write],
        expiry: Duration,
        timeout: Duration,
    ) -> Answered<Option<bool>> {
        let mut answered = Answered::nothing(writes.len());
        let (mut start, mut left) = (0, writes);
        while !left.is_empty() {
            let (chunk, rest) = left.split_at(at_once(left));
            let short = chunk
                .iter()
                .map(|write| (write.bucket, evaluate(script, write, expiry, false)));
            let results = self.requests(short.collect(), timeout).await;
            // A server that was restarted, or told to forget its scripts, wants the whole text.
            let forgotten: Vec<usize> = results
                .iter()
                .enumerate()
                .filter(|(_, result)| result.as_ref().is_err_and(Failure::is_unknown_script))
                .map(|(place, _)| place)
                .collect();
            for (place, result) in results.into_iter().enumerate() {
                if !forgotten.contains(&place) {
                    answered.take(start + place, result.map(Some));
                }
            }
            let whole: Vec<(u8, Cmd)> = forgotten
                .iter()
                .filter_map(|place| chunk.get(*place))
                .map(|write| (write.bucket, evaluate(script, write, expiry, true)))
                .collect();
            if !whole.is_empty() {
                let results = self.requests(whole, timeout).await;
                for (place, result) in forgotten.into_iter().zip(results) {
                    answered.take(start + place, result.map(Some));
                }
            }
            if matches!(answered.failure, Some(Failure::TimedOut)) {
                break;
            }
            start += chunk.len();
            left = rest;
        }
        answered
    }

    /// Tells who listens.
    pub(super) async fn publish(
        &self,
        channel: &str,
        text: &str,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let mut publish = redis::cmd("PUBLISH");
        publish.arg(channel).arg(text);
        let _listeners: u64 = match self {
            Self::Single(line) => request(&mut line.clone(), &publish, timeout).await?,
            Self::Cluster(shards) => request(&mut shards.line(), &publish, timeout).await?,
        };
        Ok(())
    }

    async fn request<T: FromRedisValue>(
        &self,
        bucket: u8,
        command: &Cmd,
        timeout: Duration,
    ) -> Result<T, Failure> {
        match self {
            Self::Single(line) => request(&mut line.clone(), command, timeout).await,
            Self::Cluster(shards) => shards.request(bucket, command, timeout).await,
        }
    }

    /// Sends all, each with its bucket, before the first answer.
    async fn requests(
        &self,
        commands: Vec<(u8, Cmd)>,
        timeout: Duration,
    ) -> Vec<Result<bool, Failure>> {
        let Self::Single(line) = self else {
            let asked = commands
                .iter()
                .map(|(bucket, command)| self.request::<bool>(*bucket, command, timeout));
            return join_all(asked).await;
        };
        let count = commands.len();
        let mut pipeline = Pipeline::with_capacity(count);
        for (_, command) in commands {
            pipeline.add_command(command);
        }
        pipeline.ignore_errors();
        let mut line = line.clone();
        let asked = pipeline.query_async::<Vec<Result<bool, RedisError>>>(&mut line);
        match tokio::time::timeout(timeout, asked).await {
            Ok(Ok(results)) => results
                .into_iter()
                .map(|result| result.map_err(Failure::Redis))
                .collect(),
            Ok(Err(error)) => (0..count)
                .map(|_| Err(Failure::Redis(error.clone())))
                .collect(),
            Err(_elapsed) => (0..count).map(|_| Err(Failure::TimedOut)).collect(),
        }
    }
}

/// Makes a request and waits for its answer.
pub(super) async fn request<T: FromRedisValue>(
    line: &mut impl ConnectionLike,
    command: &Cmd,
    timeout: Duration,
) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, command.query_async(line)).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) if error.is_timeout() => Err(Failure::TimedOut),
        Ok(Err(error)) => Err(Failure::Redis(error)),
        Err(_elapsed) => Err(Failure::TimedOut),
    }
}

/// How many of the first writes go in one request; at least one, never more than there are.
fn at_once(writes: &[Write]) -> usize {
    let mut octets = 0;
    let fitting = writes.iter().take(WRITTEN_AT_ONCE).take_while(|write| {
        let fits = octets < OCTETS_AT_ONCE;
        octets += write.value.len();
        fits
    });
    fitting.count()
}

fn evaluate(script: &Text, write: &Write, expiry: Duration, whole: bool) -> Cmd {
    let mut command = if whole {
        let mut command = redis::cmd("EVAL");
        command.arg(script.code);
        command
    } else {
        let mut command = redis::cmd("EVALSHA");
        command.arg(script.script.get_hash());
        command
    };
    let milliseconds = u64::try_from(expiry.as_millis()).unwrap_or(u64::MAX).max(1);
    command
        .arg(1)
        .arg(&write.key)
        .arg(&write.value[..])
        .arg(milliseconds);
    command
}

/// Whether the server says that it cannot be used, or that we may not. By the word that begins the
/// error, since the driver knows only some of them.
fn is_of_no_use(error: &RedisError) -> bool {
    const WORDS: [&str; 12] = [
        "BUSY",
        "CLUSTERDOWN",
        "LOADING",
        "MASTERDOWN",
        "MISCONF",
        "MOVED",
        "NOAUTH",
        "NOPERM",
        "NOREPLICAS",
        "OOM",
        "READONLY",
        "WRONGPASS",
    ];
    error.kind() == ErrorKind::AuthenticationFailed
        || error.code().is_some_and(|code| WORDS.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_write_are_bounded_by_keys_and_by_octets() {
        let writes = |count: usize, octets: usize| -> Vec<Write> {
            (0..count)
                .map(|_| Write {
                    key: String::new(),
                    bucket: 0,
                    value: vec![0; octets],
                })
                .collect()
        };
        assert_eq!(at_once(&writes(1, 1)), 1);
        assert_eq!(at_once(&writes(1000, 1)), WRITTEN_AT_ONCE);
        assert_eq!(at_once(&writes(3, OCTETS_AT_ONCE * 2)), 1);
        assert_eq!(at_once(&writes(9, OCTETS_AT_ONCE / 2)), 2);
    }
}
