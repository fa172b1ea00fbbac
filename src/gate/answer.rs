//! An answer with everything that it was made from, and its identifier.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use icpgate_policy::decision::{Decision, Finding};
use icpgate_policy::facts::Facts;
use icpgate_policy::request::Request;
use prost::Message as _;

use super::memo::Basis;
use super::{ActivePolicy, ServedFrom, render};
use crate::cache::FactsDigest;
use crate::intake::View;

/// Octets that a table and the counts of an `Arc` add to an answer.
const OVERHEAD: usize = 128;

/// A question's answer with everything that it was made from.
#[derive(Debug)]
pub struct Answer {
    /// Identifier derived from the inputs.
    pub decision_id: DecisionId,
    /// The decision.
    pub decision: Decision,
    /// The question.
    pub request: Request,
    /// The facts.
    pub facts: Facts,
    /// The policy.
    pub policy: Arc<ActivePolicy>,
    /// Whether the store did not answer and facts from before stand in.
    pub stale: bool,
    /// The encoded profile.
    pub(super) profile: Box<[u8]>,
    /// Digest of the facts.
    pub(super) facts_digest: FactsDigest,
    /// What is sent of it, encoded; see [`Answer::encoded`].
    pub(super) encoded: Encoded,
}

/// The encoded answer for each view, made when it is first asked for.
pub(super) type Encoded = [OnceLock<Bytes>; 2];

/// An answer as it was given to one caller.
#[derive(Clone, Debug)]
pub struct Served {
    /// The answer; equal questions share it.
    pub answer: Arc<Answer>,
    /// Where the facts came from; of several sets, the farthest.
    pub served_from: ServedFrom,
}

/// Identifier of a decision: 128 bits of a digest of everything that the answer depends on. Shown
/// as 32 hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DecisionId([u8; 16]);

impl std::ops::Deref for Served {
    type Target = Answer;

    fn deref(&self) -> &Answer {
        &self.answer
    }
}

impl Answer {
    pub(super) fn basis(&self) -> Basis<'_> {
        Basis {
            profile: &self.profile,
            facts: &self.facts_digest,
            policy: &self.policy,
        }
    }

    /// The answer without what belongs to one call, as the encoded fields of a `Decision`.
    pub(super) fn encoded(&self, view: View) -> Bytes {
        let [basic, full] = &self.encoded;
        let encoded = match view {
            View::Basic => basic,
            View::Full => full,
        };
        let encoded = encoded.get_or_init(|| render::shared(self, view).encode_to_vec().into());
        encoded.clone()
    }

    /// Octets that the answer takes, what is encoded of it and its facts included, about.
    pub(super) fn size(&self) -> usize {
        let facts = [
            Some(&self.facts.name),
            self.facts.origin.as_ref(),
            self.facts.host_header.as_ref(),
            self.facts.applicant.as_ref(),
        ];
        let facts: usize = facts.into_iter().flatten().map(|facts| facts.size()).sum();
        let findings = self.decision.findings.capacity() * size_of::<Finding>();
        // The request holds little more than the profile does, and an encoded answer takes about
        // as much as its findings do.
        size_of::<Self>() + facts + 2 * findings + 3 * self.profile.len() + OVERHEAD
    }
}

impl DecisionId {
    /// The identifier of a decision.
    pub(super) fn new(basis: Basis<'_>, decision: &Decision, stale: bool) -> Self {
        let mut hasher = blake3::Hasher::new();
        let mut part = |bytes: &[u8]| {
            hasher.update(&(bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        part(basis.profile);
        part(basis.facts);
        part(basis.policy.digest());
        part(&decision.decided_at.as_nanosecond().to_le_bytes());
        part(&decision.valid_until.as_nanosecond().to_le_bytes());
        part(&[u8::from(stale)]);
        let mut id = [0; 16];
        hasher.finalize_xof().fill(&mut id);
        Self(id)
    }

    /// The identifier as a number, as which it is shown in hexadecimal digits.
    #[must_use]
    pub const fn number(self) -> u128 {
        u128::from_be_bytes(self.0)
    }

    /// A mark of the decision together with a caller who asked for it.
    pub(super) fn asked_by(self, caller: &str) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.0).update(caller.as_bytes());
        let mut mark = [0; 16];
        hasher.finalize_xof().fill(&mut mark);
        Self(mark)
    }
}

impl std::str::FromStr for DecisionId {
    type Err = std::num::ParseIntError;

    fn from_str(shown: &str) -> Result<Self, Self::Err> {
        u128::from_str_radix(shown, 16).map(|id| Self(id.to_be_bytes()))
    }
}

impl std::fmt::Display for DecisionId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.number())
    }
}

/// Encodes a value of the core. Its types have no map with other keys than texts and no value
/// that refuses to be encoded, so an empty encoding stands for what cannot happen.
pub(super) fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).unwrap_or_default()
}
