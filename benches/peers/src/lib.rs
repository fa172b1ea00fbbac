//! Measures decisions of icpgate beside other engines, in one run on one machine.
//!
//! **Invariant:** nothing is timed before every engine has been seen to give the same answer.
//! **Never** part of the product's build: the peers stay out of its dependencies.

pub mod cedar;
pub mod document;
pub mod measure;
pub mod questions;
pub mod rego;
pub mod table;
