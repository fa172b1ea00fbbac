//! The shared cache against real Redis servers, whole, slow, broken and gone.

#[cfg(test)]
mod arrangements;
#[cfg(test)]
mod failures;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod listening;
#[cfg(test)]
mod options;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod standalone;

#[cfg(test)]
#[path = "../servers"]
mod servers {
    pub(crate) mod redis;
}
