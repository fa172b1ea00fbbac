//! What runs beside the calls.
//!
//! **Invariant:** a worker ends when it is told to, and holds nothing that a call needs.

mod follow;

pub use follow::follow;
