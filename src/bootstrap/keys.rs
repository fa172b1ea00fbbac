//! The keys of the configured ring, and which of them the store is sealed under.

use std::path::Path;

use anyhow::Context as _;
use icpgate_policy::identity::{Resealer, Sealer};

use crate::config::{KeyRing, add_key, key_ring};
use crate::store::StoreError;

/// The configured keys, the oldest first, with what seals under the first of them, under the first
/// two, and so on.
#[derive(Debug)]
pub struct Keys {
    ring: KeyRing,
    steps: Vec<Step>,
}

#[derive(Debug)]
struct Step {
    sealer: Sealer,
    /// Fingerprint, as the store keeps it.
    id: String,
}

impl Keys {
    /// Reads the keys; one is made where the file is missing.
    ///
    /// # Errors
    ///
    /// The file cannot be read or made, or holds no keys.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let ring = key_ring(path).context("take the privacy key")?;
        Self::of(ring)
    }

    /// Adds a random key to the file.
    ///
    /// # Errors
    ///
    /// The file cannot be read or written.
    pub fn add(path: &Path) -> anyhow::Result<Self> {
        let ring = add_key(path).context("add a privacy key")?;
        Self::of(ring)
    }

    fn of(ring: KeyRing) -> anyhow::Result<Self> {
        let mut steps: Vec<Step> = Vec::with_capacity(ring.keys().len());
        for key in ring.keys() {
            let key = key.as_bytes();
            let sealer = match steps.last() {
                None => Sealer::new(key),
                Some(step) => Resealer::new(key).map(|next| step.sealer.clone().under(next)),
            };
            let sealer = sealer.context("take the privacy key")?;
            let id = hex(&sealer.key_id());
            steps.push(Step { sealer, id });
        }
        Ok(Self { ring, steps })
    }

    /// How many there are; at least one.
    #[must_use]
    pub fn count(&self) -> usize {
        self.steps.len()
    }

    /// Fingerprints of the first key, of the first two, and so on.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.steps.iter().map(|step| step.id.as_str())
    }

    /// What seals under the first `count` keys.
    ///
    /// # Errors
    ///
    /// There are not so many.
    pub fn sealer(&self, count: usize) -> anyhow::Result<Sealer> {
        self.step(count).map(|step| step.sealer.clone())
    }

    /// What seals under one key more than the first `count`, and the fingerprint of all of them;
    /// `None` where there is no more.
    ///
    /// # Errors
    ///
    /// The key is none.
    pub fn next(&self, count: usize) -> anyhow::Result<Option<(Resealer, &str)>> {
        let (Some(key), Some(step)) = (self.ring.keys().get(count), self.steps.get(count)) else {
            return Ok(None);
        };
        let key = Resealer::new(key.as_bytes()).context("take the privacy key")?;
        Ok(Some((key, &step.id)))
    }

    /// Bytes that nobody has who lacks one of the first `count` keys. Of one key, the key.
    pub(super) fn material(&self, count: usize) -> zeroize::Zeroizing<Vec<u8>> {
        let mut material = zeroize::Zeroizing::new(Vec::new());
        for key in self.ring.keys().iter().take(count) {
            if count > 1 {
                material.extend_from_slice(&(key.as_bytes().len() as u64).to_le_bytes());
            }
            material.extend_from_slice(key.as_bytes());
        }
        material
    }

    /// Opens a store with as many of the keys as it is sealed under: a ring may hold more, for the
    /// next time. A new store takes all of them.
    pub(super) async fn open<S>(
        &self,
        file: &Path,
        mut open: impl AsyncFnMut(&str) -> Result<S, StoreError>,
    ) -> anyhow::Result<(S, usize)> {
        let mut count = self.steps.len();
        // It may be sealed under the next key between two attempts.
        for _ in 0..=self.steps.len() {
            match open(&self.step(count)?.id).await {
                Err(StoreError::KeyChanged { stored, .. }) => {
                    let place = self.ids().position(|id| id == stored);
                    let Some(place) = place else {
                        let ids: Vec<&str> = self.ids().collect();
                        anyhow::bail!(
                            "the store is sealed with key `{stored}`, and the keys of `{}` \
                             (`privacy.key_file`) come to `{}`; give it the keys that the store \
                             is sealed with, in their order",
                            file.display(),
                            ids.join("`, `")
                        );
                    };
                    count = place + 1;
                }
                other => return Ok((other?, count)),
            }
        }
        anyhow::bail!("the store was sealed anew again and again while it was opened; try again")
    }

    fn step(&self, count: usize) -> anyhow::Result<&Step> {
        let step = count.checked_sub(1).and_then(|last| self.steps.get(last));
        step.context("the ring has no such key")
    }
}

/// Fingerprint of the keys as the store keeps it.
fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
