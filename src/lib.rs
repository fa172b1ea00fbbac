//! icpgate: may this domain be provisioned in mainland China?

pub mod clock;
pub mod config;
pub mod intake;
pub mod proto;
pub mod store;
