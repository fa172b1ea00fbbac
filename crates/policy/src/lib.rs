//! The pure core of icpgate: facts in, decision out.
//!
//! **Invariant:** nothing here does input or output, reads a clock, draws a random number or
//! panics; everything a decision depends on is a parameter.

pub mod calendar;
pub mod cases;
pub mod codes;
pub mod decision;
pub mod domain_name;
pub mod explain;
pub mod facts;
pub mod field;
pub mod identity;
pub mod numbers;
pub mod personal;
pub mod policy;
pub mod records;
pub mod request;
pub mod rules;

mod script;
mod size;
