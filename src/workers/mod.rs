//! What runs beside the calls.
//!
//! **Invariant:** a worker ends when it is told to, and holds nothing that a call needs.

mod follow;
mod policy;
mod survey;

pub use follow::follow;
pub use policy::{PolicyFile, follow_policy};
pub use survey::survey;
