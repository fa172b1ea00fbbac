//! icpgate: may this domain be provisioned in mainland China?

pub mod proto;
