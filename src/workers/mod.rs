//! What runs beside the calls.
//!
//! **Invariant:** a worker ends when it is told to, and holds nothing that a call needs.

mod caches;
mod follow;
mod policy;
mod survey;

pub use caches::look_after_caches;
pub use follow::follow;
pub use policy::{PolicyFile, follow_policy};
pub use survey::survey;
