//! The policy in force, and how another one takes its place while questions are answered.
//!
//! **Invariant:** a question, and every question of a batch, is answered under one policy from
//! beginning to end: the one in force when it came. What is in force was compiled whole.
//! **Absent on purpose:** taking anything back. Facts do not depend on a policy, and an answer that is
//! kept is found under its policy.
//! Start at [`Gate::put_in_force`].

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use icpgate_policy::explain::{self, Language};
use icpgate_policy::policy::{Policy, PolicyError};

use super::{Gate, tally};
use crate::intake::Intake;
use crate::store::Content;

/// A policy with the content under which decisions refer to it.
#[derive(Debug)]
pub struct ActivePolicy {
    /// The policy.
    pub policy: Policy,
    pub(super) content: Content,
}

/// Why a document cannot be put in force.
#[derive(Debug, thiserror::Error)]
pub enum PolicyRefusal {
    /// It is no policy; with everything that is wrong with it.
    #[error("{}", problems(.0).join(" "))]
    Compile(PolicyError),
    /// Its source cannot be encoded for the log of decisions.
    #[error("encode the policy")]
    Encode(#[from] postcard::Error),
}

/// Everything that is wrong with a policy document: each path with what is wrong there, a sentence.
#[must_use]
pub fn problems(error: &PolicyError) -> Vec<String> {
    let problems = error.problems.iter().map(|(path, problem)| {
        let problem = explain::policy_problem(problem, Language::English);
        format!("{path}: {problem}")
    });
    problems.collect()
}

impl ActivePolicy {
    /// Prepares a policy for use.
    ///
    /// # Errors
    ///
    /// If its source cannot be encoded.
    pub fn new(policy: Policy) -> Result<Self, postcard::Error> {
        let content = Content::of(postcard::to_stdvec(&policy.source)?);
        Ok(Self { policy, content })
    }

    /// Compiles a document for the access provider `provider_id` and prepares it for use. Takes
    /// milliseconds of a processor.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with the document.
    pub fn compile(document: &str, provider_id: &str) -> Result<Self, PolicyRefusal> {
        let policy = Policy::compile(document, provider_id).map_err(PolicyRefusal::Compile)?;
        Ok(Self::new(policy)?)
    }

    /// The document itself, without those that it extends.
    #[must_use]
    pub fn document(&self) -> &str {
        let documents = &self.policy.source.documents;
        documents.last().map_or("", String::as_str)
    }

    /// Digest of its content.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.content.digest
    }
}

impl Gate {
    /// The policy in force.
    #[must_use]
    pub fn policy(&self) -> Arc<ActivePolicy> {
        self.policy.load_full()
    }

    /// Name, version and fingerprint of the policy in force.
    #[must_use]
    pub fn policy_version(&self) -> Arc<str> {
        Arc::clone(&self.policy.load().policy.version)
    }

    /// Whether the policy that was last seen could not be used, so that an older one is in force
    /// than an operator wants.
    #[must_use]
    pub fn is_policy_refused(&self) -> bool {
        self.policy_refused.load(Ordering::Relaxed)
    }

    /// Notes whether the policy that was last seen could not be used.
    pub fn note_policy_refused(&self, refused: bool) {
        tally::policy_refused(refused);
        self.policy_refused.store(refused, Ordering::Relaxed);
    }

    /// Puts a policy in force for every question that comes from now on; returns the one that was.
    /// Questions and imports that are worked on keep the one that they began with.
    pub fn put_in_force(&self, policy: ActivePolicy) -> Arc<ActivePolicy> {
        let edge = Intake {
            suffixes: Arc::new(policy.policy.suffixes.clone()),
            ..Intake::clone(&self.intake.load())
        };
        self.intake.store(Arc::new(edge));
        let caches = &self.sources.caches;
        if let Some(shared) = &caches.shared {
            shared.keep_for(keep_for(&policy.policy, caches.bounds.ttl));
        }
        tally::policy_in_force(&policy, self.clock.now());
        self.policy.swap(Arc::new(policy))
    }
}

/// How long facts are of use to replicas that share them: as long as any purpose takes stale ones.
#[must_use]
pub fn keep_for(policy: &Policy, ttl: Duration) -> Duration {
    let stale = Duration::try_from(policy.staleness.max_stale_recheck).unwrap_or_default();
    stale.max(ttl)
}
