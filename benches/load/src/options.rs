//! What is measured, and how thoroughly.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use serde_json::{Value, json};

use crate::registry::Engine;

/// Measures icpgate beside bare servers and databases.
#[derive(Clone, Debug, Parser)]
pub struct Options {
    /// The built program
    #[arg(long, value_name = "FILE")]
    pub program: PathBuf,
    /// Domains of the registry; beyond 60000, P4, P5 and P9 measure with that many as well
    #[arg(long, default_value_t = SMALL, value_parser = clap::value_parser!(u64).range(100..))]
    pub domains: u64,
    /// Engines that hold the larger registry; default: both
    #[arg(long, value_enum, value_name = "ENGINE", value_delimiter = ',')]
    large_engines: Vec<Engine>,
    /// Domains of the registry that P6 imports, in every round
    #[arg(long, value_name = "N", default_value_t = SMALL, value_parser = clap::value_parser!(u64).range(100..))]
    pub import_domains: u64,
    /// Numbers to measure; default: P1 to P9
    #[arg(long, value_enum, value_delimiter = ',', ignore_case = true)]
    only: Vec<Point>,
    /// The program built with `--cfg icpgate_uncounted`, without metrics, for T1
    #[arg(long, value_name = "FILE")]
    pub uncounted: Option<PathBuf>,
    /// Results of P2, as `p2 --json FILE` of benches/peers writes them
    #[arg(long, value_name = "FILE")]
    pub p2: Option<PathBuf>,
    /// Rounds; figures are medians of them
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// How long each thing runs in a round, in milliseconds
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(50..))]
    pub slice_ms: u64,
    /// Folder in which registries and databases are kept for the next run; it takes about 5 KiB a
    /// domain. Default: a temporary folder
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Write the figures of all rounds to a file
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// Domains of the small registry.
pub const SMALL: u64 = 60_000;

/// A number of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Point {
    /// Local hit.
    #[value(name = "P1")]
    P1,
    /// Decision.
    #[value(name = "P2")]
    P2,
    /// Shared hit.
    #[value(name = "P3")]
    P3,
    /// Cold check.
    #[value(name = "P4")]
    P4,
    /// Screening.
    #[value(name = "P5")]
    P5,
    /// Import.
    #[value(name = "P6")]
    P6,
    /// Bytes a domain.
    #[value(name = "P7")]
    P7,
    /// Invalidation.
    #[value(name = "P8")]
    P8,
    /// Start and idle memory.
    #[value(name = "P9")]
    P9,
    /// What telemetry costs.
    #[value(name = "T1")]
    T1,
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Options {
    /// How long each thing runs in a round.
    #[must_use]
    pub const fn slice(&self) -> Duration {
        Duration::from_millis(self.slice_ms)
    }

    /// Numbers to measure. P2 and T1 are among all where what they need is given.
    #[must_use]
    pub fn points(&self) -> Vec<Point> {
        if !self.only.is_empty() {
            return self.only.clone();
        }
        let all = Point::value_variants().iter().copied();
        all.filter(|point| match point {
            Point::P2 => self.p2.is_some(),
            Point::T1 => self.uncounted.is_some(),
            Point::P1
            | Point::P3
            | Point::P4
            | Point::P5
            | Point::P6
            | Point::P7
            | Point::P8
            | Point::P9 => true,
        })
        .collect()
    }

    /// Engines that hold a registry of so many domains.
    #[must_use]
    pub fn engines(&self, domains: u64) -> Vec<Engine> {
        if domains <= SMALL || self.large_engines.is_empty() {
            Engine::ALL.to_vec()
        } else {
            self.large_engines.clone()
        }
    }

    /// What of them bears on the figures.
    #[must_use]
    pub fn json(&self) -> Value {
        json!({
            "domains": self.domains,
            "import_domains": self.import_domains,
            "rounds": self.rounds,
            "slice_ms": self.slice_ms,
        })
    }
}
