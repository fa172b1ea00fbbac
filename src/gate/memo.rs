//! Answers that equal questions share while they stay equal.
//!
//! **Invariant:** an answer is found under all that it depends on, its profile, its facts and its
//! policy by content, and only before the first instant at which it would come out otherwise. So
//! nothing has to be taken back: after a write, a change of policy or the end of a window the same
//! question leads elsewhere.
//! **Absent on purpose:** answers from stale facts, or from facts that could not be had; they
//! depend on more than that.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;
use quick_cache::sync::Cache;
use quick_cache::{DefaultHashBuilder, Equivalent, Lifecycle, Weighter};

use super::ActivePolicy;
use super::answer::Answer;
use crate::cache::FactsDigest;
use crate::telemetry::metrics::label::Level;
use crate::telemetry::metrics::list::CACHE_EVICTIONS;

/// Octets of a typical answer, from which the table takes its first size.
const TYPICAL: u64 = 8 * 1024;

/// Answers by what they depend on.
pub(super) struct Memo {
    answers: Cache<Key, Kept, Size, DefaultHashBuilder, Evictions>,
}

/// What an answer depends on beside the clock.
#[derive(Clone, Copy)]
pub(super) struct Basis<'a> {
    /// The question: its profile, encoded.
    pub(super) profile: &'a [u8],
    /// Digest of the facts.
    pub(super) facts: &'a FactsDigest,
    /// The policy.
    pub(super) policy: &'a ActivePolicy,
}

/// An answer stands for its basis.
#[derive(Clone)]
struct Key(Arc<Answer>);

#[derive(Clone)]
struct Kept {
    answer: Arc<Answer>,
    /// When it is the answer.
    same: Range<Timestamp>,
}

#[derive(Clone)]
struct Size;

/// Counts answers that are pushed out.
#[derive(Clone)]
struct Evictions;

impl Lifecycle<Key, Kept> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Key, _: Kept) {
        CACHE_EVICTIONS.inc((Level::Answers,));
    }
}

impl Memo {
    /// Room for answers of so many octets.
    pub(super) fn new(most_octets: u64) -> Self {
        let typical = usize::try_from(most_octets / TYPICAL).unwrap_or(usize::MAX);
        Self {
            answers: Cache::with(
                typical.max(1),
                most_octets,
                Size,
                DefaultHashBuilder::default(),
                Evictions,
            ),
        }
    }

    /// The answer from a basis at an instant, if it is kept.
    pub(super) fn get(&self, basis: Basis<'_>, now: Timestamp) -> Option<Arc<Answer>> {
        let kept = self.answers.get(&basis)?;
        kept.same.contains(&now).then_some(kept.answer)
    }

    /// How many answers there are, how many octets they take, and how many they may.
    pub(super) fn state(&self) -> (u64, u64, u64) {
        let answers = &self.answers;
        (answers.len() as u64, answers.weight(), answers.capacity())
    }

    /// Keeps an answer that was worked out at `now`.
    pub(super) fn put(&self, answer: &Arc<Answer>, now: Timestamp) {
        let same = now..answer.decision.same_until;
        if !same.is_empty() {
            let answer = Arc::clone(answer);
            self.answers
                .insert(Key(Arc::clone(&answer)), Kept { answer, same });
        }
    }
}

impl Weighter<Key, Kept> for Size {
    fn weight(&self, _: &Key, kept: &Kept) -> u64 {
        kept.answer.size() as u64
    }
}

impl Key {
    fn basis(&self) -> Basis<'_> {
        self.0.basis()
    }
}

impl PartialEq for Basis<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.profile == other.profile
            && self.facts == other.facts
            && self.policy.digest() == other.policy.digest()
    }
}

impl Eq for Basis<'_> {}

impl Hash for Basis<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.profile.hash(state);
        self.facts.hash(state);
        self.policy.digest().hash(state);
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.basis() == other.basis()
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.basis().hash(state);
    }
}

impl Equivalent<Key> for Basis<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self == key.basis()
    }
}
