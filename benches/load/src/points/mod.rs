//! The numbers of the table, each in a module of its own: what runs beside what, and what is
//! demanded.

mod p1;
mod p2;
mod p3;
mod p4;
mod p5;
mod p6;
mod p6_raw;
mod p7;
mod p8;
mod p9;
mod t1;

use anyhow::bail;

use crate::bench::Bench;
use crate::options::Point;
use crate::report::Outcome;

/// Measures one number.
///
/// # Errors
///
/// A server does not start, or an answer is wrong.
pub async fn measure(point: Point, bench: &Bench) -> anyhow::Result<Outcome> {
    match point {
        Point::P1 => p1::measure(bench).await,
        Point::P2 => match &bench.options.p2 {
            Some(file) => p2::read(file),
            None => bail!("measured by `p2` of benches/peers; `--p2 FILE` takes its results in"),
        },
        Point::P3 => p3::measure(bench).await,
        Point::P4 => p4::measure(bench).await,
        Point::P5 => p5::measure(bench).await,
        Point::P6 => p6::measure(bench).await,
        Point::P7 => p7::measure(bench).await,
        Point::P8 => p8::measure(bench).await,
        Point::P9 => p9::measure(bench).await,
        Point::T1 => t1::measure(bench).await,
    }
}

/// Room for one name in the local cache, in bytes; more than it takes.
const ROOM: usize = 4 << 10;

/// The setting that turns the local cache off.
fn no_local_cache() -> (&'static str, String) {
    ("cache.local_bytes", "off".to_owned())
}

/// The setting that gives the local cache room for so many names.
fn local_cache(names: usize) -> (&'static str, String) {
    let room = (names * ROOM).div_ceil(1 << 20).max(16);
    ("cache.local_bytes", format!("{room}MiB"))
}
