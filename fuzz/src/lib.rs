//! What is tried with hostile input, and what has to hold of every outcome.
//!
//! One module for each target; its `run` takes any bytes and panics where a property is broken.
//! `fuzz_targets` hands them to libFuzzer, and `tests/fuzz_seeds.rs` of the product takes these
//! modules in and runs them on the seeds, so that neither can rot.

pub mod cache_value;
pub mod domain_name;
pub mod frames;
pub mod identity;
pub mod import_lines;
pub mod numbers;
pub mod policy_document;
pub mod request;

mod registry;
