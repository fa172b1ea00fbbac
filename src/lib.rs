//! icpgate: may this domain be provisioned in mainland China?
//!
//! The program is put together in [`bootstrap`]; arrows between rooms point down only, as
//! `ARCHITECTURE.md` tells.

pub mod auth;
pub mod bootstrap;
pub mod cache;
pub mod cli;
pub mod clock;
pub mod config;
pub mod gate;
pub mod generate;
pub mod grpc;
pub mod http;
pub mod intake;
pub mod lifecycle;
pub mod proto;
pub mod sample;
pub mod store;
pub mod telemetry;
pub mod workers;
