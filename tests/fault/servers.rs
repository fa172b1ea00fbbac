//! What tests start for themselves, of what all tests share.

#[path = "../servers/gate.rs"]
pub(crate) mod gate;
#[path = "../servers/postgres.rs"]
pub(crate) mod postgres;
#[path = "../servers/proxy.rs"]
pub(crate) mod proxy;
