//! The product as its callers meet it: a real server, real sockets, a real store, real clients,
//! held against the contract line by line.

#[cfg(target_os = "linux")]
#[cfg(test)]
mod abuse;
#[cfg(test)]
mod batch;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod check;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod freshness;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod import;
#[cfg(test)]
mod operation;
#[cfg(test)]
mod outage;
#[cfg(target_os = "linux")]
#[cfg(test)]
mod overload;
#[cfg(test)]
mod policy;
#[cfg(test)]
mod program;
#[cfg(test)]
mod put;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod sample;
#[cfg(test)]
mod screen;
