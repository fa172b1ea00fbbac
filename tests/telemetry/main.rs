//! What operators see of calls: real processes, asked over real sockets, and a real receiver of
//! what they send.

#[cfg(test)]
mod collector;
#[cfg(test)]
mod requests;
#[cfg(test)]
#[expect(dead_code, reason = "other tests use more of it")]
#[path = "../servers"]
mod servers {
    pub(crate) mod gate;
}
#[cfg(test)]
mod traces;
#[cfg(test)]
mod world;
