//! Behaviour 24: personal data and secrets that are planted wherever they may enter are found
//! nowhere that data leaves the process, neither as they are nor turned.

#[cfg(test)]
#[expect(dead_code, reason = "the tests of traces use more of it")]
#[path = "../telemetry/collector.rs"]
mod collector;
#[cfg(test)]
#[expect(dead_code, reason = "the tests of callers use more of it")]
#[path = "../auth/pki.rs"]
mod pki;
#[cfg(test)]
mod places;
#[cfg(test)]
mod planted;
#[cfg(test)]
mod search;
#[cfg(test)]
#[expect(dead_code, reason = "other tests use more of them")]
#[path = "../servers"]
mod servers {
    pub(crate) mod gate;
    pub(crate) mod postgres;
    pub(crate) mod redis;
}
#[cfg(test)]
mod walk;
