//! What operators read over HTTP: metrics in both forms, health, readiness, version; asked of real
//! processes.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "all of it is test; what is cut is cut where ASCII was found"
)]
#![expect(dead_code, reason = "helpers that other tests use too")]

mod exposed;
mod listener;
mod page;
mod parse;
mod pushed;
mod registry;
mod web;

#[path = "../servers"]
mod servers {
    pub(crate) mod gate;
}
