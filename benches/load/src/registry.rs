//! Registries to measure with: made by the product, imported by the product.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};

use crate::postgres::Postgres;
use crate::process::{Process, command};
use crate::servers::set;

/// Most names that are kept to ask about.
const NAMES: u64 = 1_000_000;
/// What stands in the file of a registry that is ready.
const READY: &str = "registry.json";
/// Its records.
const RECORDS: &str = "records.ndjson";
/// Names that it has, one a line.
const QUESTIONS: &str = "names.txt";
/// Its store.
const STORE: &str = "records.sqlite";
/// Same seed, same registry.
const SEED: &str = "1";

/// An engine of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Engine {
    /// `SQLite`.
    #[value(name = "sqlite")]
    Sqlite,
    /// `PostgreSQL`.
    #[value(name = "postgresql")]
    Postgres,
}

/// A registry in a file and in engines.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Its folder: file, store and key.
    pub folder: PathBuf,
    /// What is known of it.
    pub facts: Facts,
    /// Names of it in no order, at most a million.
    pub names: Vec<Box<str>>,
    /// Address of its database.
    pub url: String,
    /// Engines that hold it.
    pub engines: Vec<Engine>,
}

/// What is known of a registry.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Domains that were asked for.
    pub domains: u64,
    /// Records in the file.
    pub records: u64,
    /// Import into `SQLite`.
    pub sqlite: Import,
    /// Import into `PostgreSQL`.
    pub postgres: Import,
}

/// What came of an import.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Import {
    /// How long it took, in seconds, the start of the program included.
    pub seconds: f64,
    /// Records of the file.
    pub records: u64,
    /// Most memory that it used, in bytes.
    pub peak: u64,
}

impl Engine {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sqlite, Self::Postgres];

    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        }
    }
}

impl Registry {
    /// Makes a registry of so many domains in a folder and in a database, or takes the one that is
    /// there.
    ///
    /// # Errors
    ///
    /// The product cannot make or import it.
    pub async fn make(
        program: &Path,
        folder: PathBuf,
        postgres: &Postgres,
        domains: u64,
        engines: Vec<Engine>,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let database = database(domains);
        let mut registry = Self {
            url: postgres.url(&database),
            names: Vec::new(),
            facts: Facts::default(),
            folder,
            engines,
        };
        let ready = registry.folder.join(READY);
        let in_postgres = registry.engines.contains(&Engine::Postgres);
        if ready.exists() && (!in_postgres || postgres.has(&database).await?) {
            registry.facts = serde_json::from_slice(&std::fs::read(&ready)?)?;
        } else {
            let file = registry.folder.join(RECORDS);
            generate(program, &registry.folder, domains).await?;
            for suffix in ["", "-wal", "-shm"] {
                let _ = std::fs::remove_file(registry.folder.join(format!("{STORE}{suffix}")));
            }
            if in_postgres {
                postgres.create(&database, None).await?;
            }
            registry.facts.domains = domains;
            for engine in registry.engines.clone() {
                let settings = registry.settings(engine);
                let import = import(program, &registry.folder, &file, &settings).await?;
                registry.facts.records = import.records;
                match engine {
                    Engine::Sqlite => registry.facts.sqlite = import,
                    Engine::Postgres => registry.facts.postgres = import,
                }
            }
            // It is in the stores; of millions of domains it is large.
            std::fs::remove_file(file)?;
        }
        registry.names = names(&registry.folder.join(QUESTIONS), domains)?;
        std::fs::write(&ready, serde_json::to_vec(&registry.facts)?)?;
        Ok(registry)
    }

    /// The file of its `SQLite` store.
    #[must_use]
    pub fn sqlite(&self) -> PathBuf {
        self.folder.join(STORE)
    }

    /// Name of its database.
    #[must_use]
    pub fn database(&self) -> String {
        database(self.facts.domains)
    }

    /// Settings of the product with which it uses this registry.
    #[must_use]
    pub fn settings(&self, engine: Engine) -> Vec<(&'static str, String)> {
        match engine {
            Engine::Sqlite => self.on("store.path", self.sqlite().display().to_string()),
            Engine::Postgres => self.on("store.url", self.url.clone()),
        }
    }

    /// Settings of the product with which it uses a store with the key of this registry.
    #[must_use]
    pub fn on(&self, store: &'static str, place: String) -> Vec<(&'static str, String)> {
        let key = self.folder.join("privacy.key").display().to_string();
        vec![(store, place), ("privacy.key_file", key)]
    }

    /// The first names.
    pub fn names(&self, most: usize) -> impl Iterator<Item = &str> {
        self.names.iter().take(most).map(AsRef::as_ref)
    }
}

fn database(domains: u64) -> String {
    format!("registry_{domains}")
}

/// Lets the product write a registry into a folder.
///
/// # Errors
///
/// It does not.
pub async fn generate(program: &Path, folder: &Path, domains: u64) -> anyhow::Result<()> {
    let mut command = command(program, "KILL", None);
    command.args([
        "generate",
        "--domains",
        &domains.to_string(),
        "--seed",
        SEED,
    ]);
    command.args(["--output", RECORDS, "--questions", QUESTIONS]);
    let process = Process::start(command, folder, "generate")?;
    process.finish().await.context("icpgate generate")?;
    Ok(())
}

/// Lets the product import a file.
///
/// # Errors
///
/// It does not, or refuses a record.
pub async fn import(
    program: &Path,
    folder: &Path,
    file: &Path,
    settings: &[(&str, String)],
) -> anyhow::Result<Import> {
    #[derive(Deserialize)]
    struct Summary {
        lines: u64,
        rejected: u64,
    }
    let mut command = command(program, "KILL", None);
    command.arg("import").arg(file).args(["--output", "json"]);
    set(&mut command, "log.level", "error");
    for (name, value) in settings {
        set(&mut command, name, value);
    }
    let start = Instant::now();
    let said = folder.join("import.json");
    let process = Process::start_into(command, folder, "import", Some(&said))?;
    let peak = process.finish().await.context("icpgate import")?;
    let seconds = start.elapsed().as_secs_f64();
    let said = std::fs::read_to_string(&said)?;
    let summary: Summary = serde_json::from_str(&said).context("what icpgate import says")?;
    ensure!(summary.lines > 0, "an empty file of records");
    ensure!(
        summary.rejected == 0,
        "{} records refused",
        summary.rejected
    );
    Ok(Import {
        seconds,
        records: summary.lines,
        peak,
    })
}

/// Waits until a number does not change any more for a second: what the product writes in the
/// background is there.
///
/// # Errors
///
/// The number cannot be had.
pub async fn quiet(look: impl AsyncFn() -> anyhow::Result<i64>) -> anyhow::Result<i64> {
    let start = Instant::now();
    let mut last = look().await?;
    let mut same = 0;
    while same < 5 && start.elapsed() < crate::process::PATIENCE {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = look().await?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    Ok(last)
}

/// Names of a file, one a line, in an order that follows nothing.
fn names(file: &Path, domains: u64) -> anyhow::Result<Vec<Box<str>>> {
    // One of so many is kept.
    let step = usize::try_from(domains.div_ceil(NAMES))?.max(1);
    let lines = BufReader::with_capacity(1 << 20, std::fs::File::open(file)?).lines();
    let names = lines.step_by(step).map(|line| Ok(line?.into_boxed_str()));
    let mut names: Vec<Box<str>> = names.collect::<anyhow::Result<_>>()?;
    ensure!(!names.is_empty(), "{} holds no names", file.display());
    names.sort_unstable();
    names.dedup();
    shuffle(&mut names);
    Ok(names)
}

/// Fisher and Yates, with a generator of 64 bits (Steele, Lea and Flood 2014): same names, same
/// order.
fn shuffle<T>(items: &mut [T]) {
    let mut state: u64 = 0;
    for upper in (1..items.len()).rev() {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let other = mixed % (upper as u64 + 1);
        items.swap(upper, usize::try_from(other).unwrap_or(upper));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spread_over_the_file_and_shuffled() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text: Vec<String> = (0..100).map(|number| format!("d{number}.cn")).collect();
        std::fs::write(file.path(), text.join("\n") + "\nd1.cn\n").unwrap();
        let found = names(file.path(), 101).unwrap();
        assert_eq!(found.len(), 100);
        assert!(!found.is_sorted());
        assert_eq!(found, names(file.path(), 101).unwrap());
        let found = names(file.path(), 2 * NAMES).unwrap();
        assert_eq!(found.len(), 51);
    }
}
