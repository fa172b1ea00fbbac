//! The product while what it depends on fails: real servers, real processes, faults on command.

#[cfg(test)]
mod caches;
#[cfg(test)]
mod cells;
#[cfg(test)]
mod crowd;
#[cfg(test)]
mod database;
#[cfg(test)]
mod fleet;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod inside;
#[cfg(test)]
mod killed;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod processes;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod random;
#[cfg(test)]
mod redis;
#[cfg(test)]
mod rolling;
#[cfg(test)]
#[path = "../servers"]
mod servers {
    pub(crate) mod gate;
    pub(crate) mod postgres;
    pub(crate) mod proxy;
}
#[cfg(test)]
mod trouble;
#[cfg(test)]
mod world;
