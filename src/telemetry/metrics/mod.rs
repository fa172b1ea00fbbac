//! Metrics: what is counted, where it is shown, and the page that explains it.
//!
//! One set for the process, in statics: a handle such as [`list::DECISIONS`] is an array of atomics,
//! found without a look-up. What is a state rather than an event (sizes of caches, pools, memory) is
//! read when somebody asks, by [`Observers`].
//! **Invariant:** the number of series is bounded by [`list`]; nothing that a caller sends makes one,
//! but for the source of records, up to a bound.
//! Start at [`list`].

pub mod kinds;
pub mod label;
pub mod list;
pub mod names;
pub(crate) mod otlp;
mod process;
mod reference;
mod text;

use std::sync::Arc;

pub use list::LIST;
pub use reference::{REFERENCE_PATH, reference};
pub use text::{Format, exposition};

/// Reads states into gauges before they are shown. Each reads memory only: no store, no Redis.
#[derive(Clone, Default)]
pub struct Observers(Vec<Arc<dyn Fn() + Send + Sync>>);

impl Observers {
    /// Adds one.
    #[must_use]
    pub fn and(mut self, observe: impl Fn() + Send + Sync + 'static) -> Self {
        self.0.push(Arc::new(observe));
        self
    }

    /// Reads everything, that of the process too.
    pub fn observe(&self) {
        process::observe();
        for observe in &self.0 {
            observe();
        }
    }
}
