//! Loads icpgate beside bare servers and databases, in one run on one machine.
//!
//! **Invariant:** every answer is looked at, and a wrong one ends the run; everything of one
//! comparison runs in turns.
//! **Never** part of the product's build: servers are started as programs, spoken to over their
//! protocols.
//! Start at [`points`]; each number of the table has a module there.

pub mod bench;
pub mod client;
pub mod collector;
pub mod load;
pub mod options;
pub mod points;
pub mod postgres;
pub mod process;
pub mod registry;
pub mod report;
pub mod screen;
pub mod servers;
pub mod wire;
