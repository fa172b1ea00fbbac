//! icpgate: may this domain be provisioned in mainland China?

pub mod cli;
pub mod clock;
pub mod config;
pub mod intake;
pub mod lifecycle;
pub mod proto;
pub mod store;
pub mod telemetry;
