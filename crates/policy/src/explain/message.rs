//! What was found.

mod chinese;
mod english;

pub(super) use chinese::message as chinese;
pub(super) use english::message as english;
