//! Keys and values as they stand in Redis.
//!
//! ```text
//! value   form (1 octet) · revision (8, big-endian) · tag (32) · as of (8, microseconds) · facts
//! marker  form (1 octet) · revision (8, big-endian)
//! ```
//!
//! The revision stands where the scripts find it, in every form. A marker says that facts older
//! than its revision are no longer right, and nothing else.
//! **Invariant:** a value is taken only if its tag is that of its key and its contents under the
//! secret of this installation. What was damaged, moved to another key, or made by somebody else
//! is no value. **Absent on purpose:** compression; a set of facts is about a kilobyte.

use std::fmt::Write as _;

use icpgate_policy::codes::RecordKind;
use icpgate_policy::facts::{Fact, Revision};
use icpgate_policy::records::Record;
use jiff::Timestamp;
use zeroize::{Zeroize as _, Zeroizing};

use crate::cache::{SetKey, Snapshot};

/// First octet of what this version writes. Another arrangement, or another encoding of a record,
/// takes the next number.
const FORM: u8 = 1;

/// Octets up to the end of the revision.
const HEAD: usize = 9;

/// Octets of the tag.
const TAG: usize = blake3::OUT_LEN;

/// Most octets of a value: what is larger is left to the store, so that one name with thousands of
/// records does not use up the time-out of a batch.
const LARGEST: usize = 1 << 20;

/// Purposes for which keys are derived, as BLAKE3 wants them: fixed, and unlike any other's.
const NAMESPACE: &str = "icpgate shared cache 1: namespace";
const SECRET: &str = "icpgate shared cache 1: tags of values";

/// Whose values these are: what keeps two installations on one Redis apart.
#[derive(Clone)]
pub struct SharedIdentity {
    /// Part of every key; tells nothing about the secret.
    namespace: String,
    secret: Zeroizing<[u8; 32]>,
}

/// What stands behind the instant of a value, in postcard's wire format.
type Facts = (Vec<Fact<Record>>, Vec<(RecordKind, Timestamp)>);

/// Why something in Redis is not a set of facts.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub enum NoFacts {
    /// It is damaged, or nothing of this installation.
    #[error("damaged, or of another installation")]
    Damaged,
    /// A marker: the facts were invalidated.
    #[error("invalidated")]
    Invalidated,
    /// Another version wrote it.
    #[error("written by another version")]
    OtherForm,
}

impl SharedIdentity {
    /// Derives the identity from the privacy key and from what tells this store from others.
    /// Replicas of one installation give the same, and nobody else does.
    #[must_use]
    pub fn derive(privacy_key: &[u8], store: &str) -> Self {
        let mut material = Vec::with_capacity(privacy_key.len() + store.len() + 8);
        material.extend_from_slice(&(privacy_key.len() as u64).to_le_bytes());
        material.extend_from_slice(privacy_key);
        material.extend_from_slice(store.as_bytes());
        let namespace = blake3::derive_key(NAMESPACE, &material);
        let secret = Zeroizing::new(blake3::derive_key(SECRET, &material));
        material.zeroize();
        let namespace = namespace.iter().take(8).copied();
        Self {
            namespace: hex(namespace),
            secret,
        }
    }

    /// The value of a set of facts; `None` where it is too large to be shared.
    #[must_use]
    pub fn value(&self, key: &SetKey, snapshot: &Snapshot) -> Option<Vec<u8>> {
        let mut value = marker(snapshot.revision);
        value.resize(HEAD + TAG, 0);
        // Microseconds round towards the past: never younger than it is.
        let as_of = snapshot.as_of.as_nanosecond().div_euclid(1000);
        let as_of = i64::try_from(as_of).unwrap_or(i64::MIN);
        value.extend_from_slice(&as_of.to_be_bytes());
        let body = (&snapshot.records, &snapshot.synced_at);
        let mut value = postcard::to_extend(&body, value).ok()?;
        if value.len() > LARGEST {
            return None;
        }
        let (head, rest) = value.split_at_mut_checked(HEAD)?;
        let (tag, body) = rest.split_at_mut_checked(TAG)?;
        tag.copy_from_slice(self.tag(key, head, body).as_bytes());
        Some(value)
    }

    /// The facts of a value, whoever wrote it: any bytes may stand in Redis.
    ///
    /// # Errors
    ///
    /// [`NoFacts`] where it is not what this version of this installation wrote under the key.
    pub fn facts(&self, key: &SetKey, value: &[u8]) -> Result<Snapshot, NoFacts> {
        match value.first() {
            Some(&FORM) => {}
            Some(_) => return Err(NoFacts::OtherForm),
            None => return Err(NoFacts::Damaged),
        }
        let (head, rest) = value.split_first_chunk::<HEAD>().ok_or(NoFacts::Damaged)?;
        if rest.is_empty() {
            return Err(NoFacts::Invalidated);
        }
        let (tag, body) = rest.split_first_chunk::<TAG>().ok_or(NoFacts::Damaged)?;
        if self.tag(key, head, body) != blake3::Hash::from_bytes(*tag) {
            return Err(NoFacts::Damaged);
        }
        read(head, body).ok_or(NoFacts::Damaged)
    }

    /// The key in Redis. The braces hold what a cluster places the key by: one octet of the
    /// digest, so that keys spread over 256 of its slots and a batch asks each of those once.
    pub(super) fn key(&self, key: &SetKey) -> String {
        let digest = hex(key.as_bytes().iter().copied());
        let bucket = Self::bucket(Self::bucket_of(key));
        format!("icpgate:1:{}:{{{bucket}}}:{digest}", self.namespace)
    }

    /// What stands between the braces for a bucket.
    pub(super) fn bucket(bucket: u8) -> String {
        hex(std::iter::once(bucket))
    }

    /// The bucket of a key.
    pub(super) fn bucket_of(key: &SetKey) -> u8 {
        key.as_bytes().first().copied().unwrap_or_default()
    }

    /// A key of a bucket that holds no facts, for looking after a server.
    pub(super) fn probe_key(&self, bucket: u8) -> String {
        let bucket = Self::bucket(bucket);
        format!("icpgate:1:{}:{{{bucket}}}:probe", self.namespace)
    }

    /// The channel on which new revisions are told.
    pub(super) fn channel(&self) -> String {
        format!("icpgate:1:{}:revisions", self.namespace)
    }

    fn tag(&self, key: &SetKey, head: &[u8], body: &[u8]) -> blake3::Hash {
        // Key and head have a fixed length: nothing can move from one to the other.
        let mut hasher = blake3::Hasher::new_keyed(&self.secret);
        hasher.update(key.as_bytes());
        hasher.update(head);
        hasher.update(body);
        hasher.finalize()
    }
}

impl std::fmt::Debug for SharedIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SharedIdentity({})", self.namespace)
    }
}

/// What is left where facts were invalidated.
pub(super) fn marker(revision: Revision) -> Vec<u8> {
    let mut value = Vec::with_capacity(1024);
    value.push(FORM);
    value.extend_from_slice(&revision.0.to_be_bytes());
    value
}

fn read(head: &[u8; HEAD], body: &[u8]) -> Option<Snapshot> {
    let (_, revision) = head.split_last_chunk::<8>()?;
    let (as_of, facts) = body.split_first_chunk::<8>()?;
    let as_of = Timestamp::from_microsecond(i64::from_be_bytes(*as_of)).ok()?;
    let (facts, more): (Facts, &[u8]) = postcard::take_from_bytes(facts).ok()?;
    let (records, synced_at) = facts;
    more.is_empty().then_some(Snapshot {
        records,
        synced_at,
        revision: Revision(u64::from_be_bytes(*revision)),
        as_of,
    })
}

fn hex(bytes: impl Iterator<Item = u8>) -> String {
    bytes.fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use icpgate_policy::codes::AccessStatus;
    use icpgate_policy::facts::Provenance;
    use icpgate_policy::numbers::ServiceNumber;
    use icpgate_policy::records::{Access, Handle};
    use proptest::prelude::*;

    use super::*;

    fn identity() -> SharedIdentity {
        SharedIdentity::derive(b"a key for tests, known to all", "store")
    }

    fn snapshot() -> Snapshot {
        let at = Timestamp::from_microsecond(1_767_225_600_000_001).unwrap();
        let record = Record::Access(Access {
            service_number: ServiceNumber::parse("京ICP备10046444号-1", 2026).unwrap(),
            provider_id: "self".into(),
            status: AccessStatus::Active,
            since: Some(at),
        });
        let provenance = Provenance {
            source: "filing department".into(),
            observed_at: at,
            revision: Revision(7),
            committed_at: at,
        };
        Snapshot {
            records: vec![Fact {
                value: record,
                provenance,
            }],
            synced_at: vec![(RecordKind::Access, at)],
            revision: Revision(9),
            as_of: at,
        }
    }

    fn key() -> SetKey {
        SetKey::of(&[Handle::name("example.cn")])
    }

    #[test]
    fn a_value_reads_back() {
        let (identity, key) = (identity(), key());
        let value = identity.value(&key, &snapshot()).unwrap();
        assert_eq!(identity.facts(&key, &value), Ok(snapshot()));
        assert_eq!(value.first(), Some(&FORM));
        assert_eq!(value.get(1..HEAD), Some(&9_u64.to_be_bytes()[..]));
    }

    #[test]
    fn an_instant_between_microseconds_is_not_made_younger() {
        for nanosecond in [1_i128, -1, 1_767_225_600_000_000_999] {
            let mut young = snapshot();
            young.as_of = Timestamp::from_nanosecond(nanosecond).unwrap();
            let value = identity().value(&key(), &young).unwrap();
            let read = identity().facts(&key(), &value).unwrap();
            assert!(read.as_of <= young.as_of, "{nanosecond}");
        }
    }

    #[test]
    fn a_marker_is_no_facts() {
        let marker = marker(Revision(3));
        assert_eq!(marker.len(), HEAD);
        let read = identity().facts(&key(), &marker);
        assert_eq!(read, Err(NoFacts::Invalidated));
    }

    #[test]
    fn a_value_of_another_key_or_installation_is_none() {
        let value = identity().value(&key(), &snapshot()).unwrap();
        let other = SetKey::of(&[Handle::name("example.com")]);
        assert_eq!(identity().facts(&other, &value), Err(NoFacts::Damaged));
        for stranger in [
            SharedIdentity::derive(b"another key for tests", "store"),
            SharedIdentity::derive(b"a key for tests, known to all", "another store"),
            SharedIdentity::derive(b"a key for tests, known to alls", "tore"),
        ] {
            assert_eq!(stranger.facts(&key(), &value), Err(NoFacts::Damaged));
            assert_ne!(stranger.key(&key()), identity().key(&key()));
            assert_ne!(stranger.channel(), identity().channel());
        }
    }

    #[test]
    fn facts_that_are_too_large_are_not_shared() {
        let mut large = snapshot();
        let record = large.records[0].clone();
        large.records = vec![record; 20_000];
        assert_eq!(identity().value(&key(), &large), None);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let shown = format!("{:?}", identity());
        assert_eq!(shown.len(), "SharedIdentity()".len() + 16, "{shown}");
        let key = identity().key(&key());
        assert!(key.starts_with("icpgate:1:"), "{key}");
        assert!(!key.contains("example"), "{key}");
    }

    proptest! {
        /// Also what a later version wrote and what was cut: anything but the value itself is none.
        #[test]
        fn behaviour_22_a_damaged_value_is_no_facts(
            flips in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4),
            cut in any::<prop::sample::Index>(),
            more in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let (identity, key) = (identity(), key());
            let whole = identity.value(&key, &snapshot()).unwrap();
            let mut value = whole.clone();
            for (place, flip) in flips {
                let place = place.index(value.len());
                value[place] ^= flip;
            }
            if value != whole {
                prop_assert!(identity.facts(&key, &value).is_err());
            }
            let cut = cut.index(whole.len());
            prop_assert!(identity.facts(&key, &whole[..cut]).is_err());
            if !more.is_empty() {
                let longer = [&whole[..], &more].concat();
                prop_assert!(identity.facts(&key, &longer).is_err());
            }
        }

        #[test]
        fn behaviour_22_garbage_is_no_facts(
            garbage in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            prop_assert!(identity().facts(&key(), &garbage).is_err());
        }

        /// Even under a right tag, as an old version may have set it, garbage does not become
        /// facts by accident, and never a panic.
        #[test]
        fn behaviour_22_a_tagged_garbage_is_read_without_panic(
            body in proptest::collection::vec(any::<u8>(), 0..300),
        ) {
            let (identity, key) = (identity(), key());
            let head = marker(Revision(1));
            let tag = identity.tag(&key, &head, &body);
            let value = [&head[..], tag.as_bytes(), &body].concat();
            if let Ok(snapshot) = identity.facts(&key, &value) {
                prop_assert_eq!(snapshot.revision, Revision(1));
            }
        }
    }
}
