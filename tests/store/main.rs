//! The store: one suite for every engine, and what is peculiar to each.

#[cfg(test)]
mod bulk;
#[cfg(test)]
mod chain;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod samples;
#[cfg(test)]
#[path = "../servers"]
mod servers {
    pub(crate) mod postgres;
}
#[cfg(test)]
mod sqlite;
