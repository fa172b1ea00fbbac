//! Looks whether the policy's file has changed, and puts the new policy in force.
//!
//! **Invariant:** a document is taken whole or not at all. One that cannot be used leaves the last good
//! one in force and is told once, with everything that is wrong with it. Calls wait for none of this.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::gate::{ActivePolicy, Gate};
use crate::lifecycle::Hangups;

/// A file that is written while it is read may be a policy at every length, and at most lengths one
/// that nobody wanted. So new contents have to be the same for so long.
const STANDS_FOR: Duration = Duration::from_millis(200);

/// Where the policy comes from.
#[derive(Clone, Debug)]
pub struct PolicyFile {
    /// The document.
    pub path: PathBuf,
    /// This provider in access and application records.
    pub provider_id: String,
    /// How often the file is looked at; at SIGHUP it is at once.
    pub every: Duration,
}

/// Looks at the file every so often and when the process is told to, until `stop`.
pub async fn follow_policy(gate: Arc<Gate>, file: PolicyFile, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(file.every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hangups = Hangups::new();
    let mut follower = Follower {
        gate,
        file,
        refused: None,
        trouble: String::new(),
    };
    let following = async {
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = hangups.next() => {
                    tracing::info!("looking at the policy: told to by SIGHUP");
                }
            }
            follower.look().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = following => {}
    }
}

struct Follower {
    gate: Arc<Gate>,
    file: PolicyFile,
    /// A document that cannot be used, so that it is not tried again and again.
    refused: Option<String>,
    /// What kept the file from being read, so that it is told once.
    trouble: String,
}

impl Follower {
    async fn look(&mut self) {
        let Some(text) = self.read().await else {
            return;
        };
        if self.refused.as_ref() == Some(&text) {
            return;
        }
        let before = self.gate.policy();
        if before.document() == text {
            if self.gate.is_policy_refused() {
                let version = &*before.policy.version;
                tracing::info!(policy = %version, "the file holds the policy in force again: {version}");
            }
            self.refused = None;
            self.gate.note_policy_refused(false);
            return;
        }
        drop(before);
        tokio::time::sleep(STANDS_FOR).await;
        if self.read().await.as_ref() == Some(&text) {
            self.take(text).await;
        }
    }

    /// The text of the file; `None`, told once, where it cannot be read.
    async fn read(&mut self) -> Option<String> {
        match tokio::fs::read_to_string(&self.file.path).await {
            Ok(text) => {
                self.trouble.clear();
                Some(text)
            }
            Err(error) => {
                let trouble = error.to_string();
                if trouble != self.trouble {
                    let (path, version) = (self.file.path.display(), self.gate.policy_version());
                    tracing::error!(
                        %error,
                        policy = %version,
                        "the policy `{path}` (key policy.file) cannot be read; {version} stays in force"
                    );
                    self.trouble = trouble;
                }
                self.gate.note_policy_refused(true);
                None
            }
        }
    }

    async fn take(&mut self, text: String) {
        let provider_id = self.file.provider_id.clone();
        let compiling = tokio::task::spawn_blocking(move || {
            let policy = ActivePolicy::compile(&text, &provider_id);
            (policy, text)
        });
        // It does not panic; where it did, the next look tries again.
        let Ok((compiled, text)) = compiling.await else {
            self.gate.note_policy_refused(true);
            return;
        };
        match compiled {
            Ok(policy) => {
                let to = Arc::clone(&policy.policy.version);
                let before = self.gate.put_in_force(policy);
                let from = &*before.policy.version;
                tracing::info!(from = %from, to = %to, "the policy has changed: {from} -> {to}");
                self.refused = None;
                self.gate.note_policy_refused(false);
            }
            Err(error) => {
                let (path, version) = (self.file.path.display(), self.gate.policy_version());
                tracing::error!(
                    policy = %version,
                    "the policy `{path}` (key policy.file) cannot be used; {version} stays in \
                     force: {error}"
                );
                self.refused = Some(text);
                self.gate.note_policy_refused(true);
            }
        }
    }
}
