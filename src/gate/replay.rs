//! Replaying a recorded decision from its facts, profile and policy.

use std::sync::Arc;

use icpgate_policy::decision::decide;
use icpgate_policy::facts::Facts;
use icpgate_policy::policy::{Policy, PolicyError, PolicySource};
use icpgate_policy::request::{Profile, Request};
use jiff::Timestamp;
use prost::Message as _;

use super::answer::{Answer, Encoded};
use super::{ActivePolicy, render};
use crate::cache::FactsDigest;
use crate::proto::v1;
use crate::store::RecordedDecision;

/// Why a recorded decision cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The facts were erased, with what they told about a person. The answer is as it was given.
    #[error(
        "the facts of the decision were erased; its answer stands, and cannot be worked out anew"
    )]
    Erased,
    /// Something recorded cannot be decoded by this version.
    #[error("decode the recorded {part}")]
    Decode {
        /// What: profile, facts or policy.
        part: &'static str,
        /// Why.
        #[source]
        source: postcard::Error,
    },
    /// The recorded answer is none of this version.
    #[error("decode the recorded answer")]
    Answer(#[from] prost::DecodeError),
    /// The identifier is none.
    #[error("read the identifier of the decision")]
    Identifier(#[from] std::num::ParseIntError),
    /// The recorded policy does not compile with this version.
    #[error("compile the recorded policy")]
    Policy(#[from] PolicyError),
}

/// Decides anew from what was recorded and encodes the answer; equal to the recorded answer as
/// long as rules and wording are those that made it.
///
/// # Errors
///
/// What was recorded cannot be read.
pub fn replay(recorded: &RecordedDecision, decision_id: &str) -> Result<Vec<u8>, ReplayError> {
    if recorded.facts.is_empty() {
        return Err(ReplayError::Erased);
    }
    let profile: Profile = decode("profile", &recorded.profile)?;
    let facts: Facts = decode("facts", &recorded.facts)?;
    let source: PolicySource = decode("policy", &recorded.policy)?;
    let policy = Policy::from_source(source)?;
    let request = Request::new(profile, &policy.suffixes);
    let before = v1::Decision::decode(recorded.answer.as_slice())?;
    let mut decision = decide(&policy, &request, &facts, decided_at(&before, recorded));
    if before.stale {
        // Shortened by the age of the facts, which is known to the call alone.
        decision.valid_until = timestamp(before.valid_until).unwrap_or(decision.valid_until);
    }
    let policy = ActivePolicy::new(policy).map_err(|source| ReplayError::Decode {
        part: "policy",
        source,
    })?;
    let answer = Answer {
        decision_id: decision_id.parse()?,
        decision,
        request,
        facts,
        policy: Arc::new(policy),
        stale: before.stale,
        profile: recorded.profile.as_slice().into(),
        // Of use for the identifier only, which is given.
        facts_digest: FactsDigest::default(),
        encoded: Encoded::default(),
    };
    Ok(render::recorded(&answer))
}

/// The instant for which the answer was worked out, to the nanosecond: the store keeps its own copy
/// to the microsecond, and a rule may turn between the two.
fn decided_at(before: &v1::Decision, recorded: &RecordedDecision) -> Timestamp {
    timestamp(before.decided_at).unwrap_or(recorded.decided_at)
}

fn timestamp(wire: Option<pbjson_types::Timestamp>) -> Option<Timestamp> {
    wire.and_then(|wire| Timestamp::new(wire.seconds, wire.nanos).ok())
}

fn decode<'a, T: serde::Deserialize<'a>>(
    part: &'static str,
    bytes: &'a [u8],
) -> Result<T, ReplayError> {
    postcard::from_bytes(bytes).map_err(|source| ReplayError::Decode { part, source })
}
