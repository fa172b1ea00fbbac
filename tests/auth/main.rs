//! Who is let in: real servers, real sockets, real handshakes, real tokens.

#[cfg(test)]
mod certificates;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod listening;
#[cfg(test)]
mod logged;
#[cfg(test)]
mod matrix;
#[cfg(test)]
mod pki;
#[cfg(test)]
mod program;
#[cfg(test)]
mod rates;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod server;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod tokens;
