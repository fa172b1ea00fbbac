//! What operators look at, with a real Prometheus: rules and dashboards held against replicas that
//! have traffic, and alerts that fire when something breaks and clear when it is mended.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "all of it is test; what is cut is cut where ASCII was found"
)]
#![expect(dead_code, reason = "helpers that other tests use too")]

mod alerts;
mod prometheus;
mod shown;
mod site;
mod traffic;

#[path = "../servers"]
mod servers {
    pub(crate) mod gate;
    pub(crate) mod postgres;
    pub(crate) mod redis;
}

#[path = "../metrics/web.rs"]
mod web;

#[path = "../fault/world.rs"]
mod world;
