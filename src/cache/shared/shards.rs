//! A cluster of which a part may be gone while the rest serves.
//!
//! Each part of the cluster, a master with its replicas, has a breaker of its own: without it,
//! every question that happens to lie with a dead master would wait for the time-out until the
//! cluster has a new one.
//! **Invariant:** which part a key belongs to decides only whom a failure is counted against; where
//! a request goes is the driver's business. So what is known of the parts may grow old.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use redis::cluster_async::ClusterConnection;
use redis::{Cmd, FromRedisValue, RedisError, Value};
use tokio_util::task::TaskTracker;

use super::breaker::{Breaker, Look, Permit, Severity};
use super::link::{Failure, request};
use super::value::SharedIdentity;

/// Slots of a cluster, by the specification of Redis Cluster.
const SLOTS: u16 = 16_384;

/// Failures in a row that open the breaker of a part: fewer than those of the whole, or a part
/// would take the whole with it.
const FAILURES: u32 = 3;

/// Longest time for looking after a part.
const LOOK: Duration = Duration::from_secs(3);

/// The parts of a cluster, and the line to all of them.
pub(super) struct Shards {
    line: ClusterConnection,
    identity: SharedIdentity,
    tasks: TaskTracker,
    parts: Vec<Part>,
    /// Place of the part of each bucket.
    of_bucket: Vec<usize>,
}

struct Part {
    /// The master when the line was opened, for log lines.
    name: String,
    breaker: Breaker<()>,
    /// One of its buckets.
    bucket: u8,
}

impl Shards {
    /// Asks the cluster for its parts.
    pub(super) async fn ask(
        mut line: ClusterConnection,
        identity: SharedIdentity,
        tasks: TaskTracker,
        jitter: u64,
    ) -> Result<Self, RedisError> {
        let ranges: Vec<Vec<Value>> = redis::cmd("CLUSTER")
            .arg("SLOTS")
            .query_async(&mut line)
            .await?;
        let mut parts: Vec<Part> = Vec::new();
        let mut places = BTreeMap::new();
        let of_bucket = (0..=u8::MAX)
            .map(|bucket| {
                let slot = i64::from(slot(&SharedIdentity::bucket(bucket)));
                let name = ranges
                    .iter()
                    .find_map(|range| master_of(range, slot))
                    .unwrap_or_else(|| "nobody".to_owned());
                *places.entry(name.clone()).or_insert_with(|| {
                    let breaker = Breaker::new(LOOK, jitter ^ u64::from(bucket), FAILURES);
                    breaker.close(());
                    parts.push(Part {
                        name,
                        breaker,
                        bucket,
                    });
                    parts.len() - 1
                })
            })
            .collect();
        Ok(Self {
            line,
            identity,
            tasks,
            parts,
            of_bucket,
        })
    }

    /// The line, for what concerns no key.
    pub(super) fn line(&self) -> ClusterConnection {
        self.line.clone()
    }

    /// Makes a request for keys of a bucket, unless their part is out of use.
    pub(super) async fn request<T: FromRedisValue>(
        self: &Arc<Self>,
        bucket: u8,
        command: &Cmd,
        timeout: Duration,
    ) -> Result<T, Failure> {
        let place = self.of_bucket.get(usize::from(bucket)).copied();
        let Some((place, part)) = place.and_then(|place| Some((place, self.parts.get(place)?)))
        else {
            return request(&mut self.line(), command, timeout).await;
        };
        let generation = match part.breaker.ask() {
            Permit::Use((), generation) => generation,
            Permit::Look(look) => {
                let shards = Arc::clone(self);
                self.tasks
                    .spawn(async move { shards.look(place, look).await });
                return Err(Failure::Skipped);
            }
            Permit::Pass | Permit::Starting(_) => return Err(Failure::Skipped),
        };
        let answer = request(&mut self.line(), command, timeout).await;
        match &answer {
            Err(failure) if !failure.is_unknown_script() => {
                if part.breaker.failed(generation, Severity::Transient) {
                    tracing::warn!(
                        part = %part.name,
                        "doing without the part of the Redis cluster at {} until it can be used: \
                         {failure}",
                        part.name
                    );
                }
            }
            Ok(_) | Err(_) => part.breaker.succeeded(generation),
        }
        answer
    }

    async fn look(&self, place: usize, look: Look) {
        let Some(part) = self.parts.get(place) else {
            return;
        };
        let key = self.identity.probe_key(part.bucket);
        let answer = request::<Value>(&mut self.line(), &probe(&key), LOOK).await;
        let of_use = answer.is_ok();
        if part.breaker.settle(&look, of_use.then_some(())) && of_use {
            tracing::info!(
                part = %part.name,
                "using the part of the Redis cluster that was at {}",
                part.name
            );
        }
    }
}

/// A write that leaves nothing behind.
pub(super) fn probe(key: &str) -> Cmd {
    let mut set = redis::cmd("SET");
    set.arg(key).arg(1).arg("PX").arg(1000);
    set
}

/// Slot of what stands between the braces of a key.
fn slot(tag: &str) -> u16 {
    crc16::State::<crc16::XMODEM>::calculate(tag.as_bytes()) % SLOTS
}

/// The master of a range of slots, if a slot lies in it.
fn master_of(range: &[Value], slot: i64) -> Option<String> {
    let [
        Value::Int(first),
        Value::Int(last),
        Value::Array(master),
        ..,
    ] = range
    else {
        return None;
    };
    if !(*first..=*last).contains(&slot) {
        return None;
    }
    match &master[..] {
        [Value::BulkString(host), Value::Int(port), ..] => {
            Some(format!("{}:{port}", String::from_utf8_lossy(host)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_those_of_the_specification() {
        // Examples of the specification of Redis Cluster and of `CLUSTER KEYSLOT`.
        assert_eq!(slot("123456789"), 0x31c3);
        assert_eq!(slot("somekey"), 11058);
        assert_eq!(slot("foo"), 12182);
    }

    #[test]
    fn a_slot_finds_its_master() {
        let node = Value::Array(vec![
            Value::BulkString(b"10.0.0.1".to_vec()),
            Value::Int(6379),
            Value::BulkString(b"id".to_vec()),
        ]);
        let range = [Value::Int(5), Value::Int(9), node];
        for (slot, found) in [
            (4, None),
            (5, Some("10.0.0.1:6379")),
            (9, Some("10.0.0.1:6379")),
            (10, None),
        ] {
            assert_eq!(master_of(&range, slot).as_deref(), found, "{slot}");
        }
        assert_eq!(master_of(&[], 1), None);
        assert_eq!(master_of(&[Value::Int(0), Value::Int(9)], 1), None);
    }
}
