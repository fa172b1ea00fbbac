//! What the numbers share: folders, the database server, the registries. Made when first needed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::load::{self, Asked};
use crate::options::{Options, SMALL};
use crate::postgres::Postgres;
use crate::registry::{Engine, Registry};
use crate::servers::Server;
use crate::wire::{self, Purpose, Verdict};

/// Removes a folder once the pipe to its standard input closes, which it does however the process
/// at the other end ends. What writes there is ending at the same time.
const JANITOR: &str = r#"
trap '' INT HUP TERM
cat >/dev/null
for _ in 1 2 3 4 5 6 7 8 9; do rm -rf "$1" 2>/dev/null && exit; sleep 1; done
"#;

/// What the numbers share.
#[derive(Debug)]
pub struct Bench {
    /// What is measured.
    pub options: Options,
    /// The built program.
    pub program: PathBuf,
    // In the order in which they are put away.
    postgres: OnceCell<Postgres>,
    small: OnceCell<Registry>,
    big: OnceCell<Registry>,
    temporary: TempDir,
    _janitor: Janitor,
}

#[derive(Debug)]
struct Janitor(Child);

impl Drop for Janitor {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

impl Bench {
    /// Prepares to measure.
    ///
    /// # Errors
    ///
    /// The program is not there, or no folder can be made.
    pub fn new(options: Options) -> anyhow::Result<Self> {
        let program = options.program.canonicalize();
        let program = program.with_context(|| format!("{}", options.program.display()))?;
        let temporary = tempfile::Builder::new()
            .prefix("icpgate-bench-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir()?;
        let janitor = Command::new("sh")
            .args(["-c", JANITOR, "janitor"])
            .arg(temporary.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("start sh")?;
        Ok(Self {
            options,
            program,
            postgres: OnceCell::new(),
            small: OnceCell::new(),
            big: OnceCell::new(),
            temporary,
            _janitor: Janitor(janitor),
        })
    }

    /// A folder of this run's own.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub fn folder(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.temporary.path().join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The database server.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn postgres(&self) -> anyhow::Result<&Postgres> {
        let start = || async { Postgres::start(&self.kept()?.join("postgres")).await };
        self.postgres.get_or_try_init(start).await
    }

    /// The small registry.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub async fn small(&self) -> anyhow::Result<&Registry> {
        let domains = self.options.domains.min(SMALL);
        let make = || self.registry(domains);
        self.small.get_or_try_init(make).await
    }

    /// The registry of the size that was asked for, where that is more than the small one.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub async fn big(&self) -> anyhow::Result<Option<&Registry>> {
        if self.options.domains <= SMALL {
            return Ok(None);
        }
        let make = || self.registry(self.options.domains);
        Ok(Some(self.big.get_or_try_init(make).await?))
    }

    /// The largest registry that there is.
    ///
    /// # Errors
    ///
    /// It cannot be made.
    pub async fn largest(&self) -> anyhow::Result<&Registry> {
        match self.big().await? {
            Some(big) => Ok(big),
            None => self.small().await,
        }
    }

    /// Starts the product on a registry.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn server(
        &self,
        registry: &Registry,
        engine: Engine,
        settings: &[(&'static str, String)],
    ) -> anyhow::Result<Server> {
        let mut all = registry.settings(engine);
        all.extend_from_slice(settings);
        self.product(&all, &[]).await
    }

    /// Starts the product with settings and arguments.
    ///
    /// # Errors
    ///
    /// It does not start.
    pub async fn product(
        &self,
        settings: &[(&'static str, String)],
        arguments: &[&str],
    ) -> anyhow::Result<Server> {
        let folder = self.folder("servers")?;
        Server::product(&self.program, &folder, settings, arguments).await
    }

    /// Ends what has to end in order.
    ///
    /// # Errors
    ///
    /// It does not.
    pub async fn end(mut self) -> anyhow::Result<()> {
        match self.postgres.take() {
            Some(postgres) if self.options.data.is_some() => postgres.end().await,
            _ => Ok(()),
        }
    }

    async fn registry(&self, domains: u64) -> anyhow::Result<Registry> {
        let folder = self.kept()?.join(domains.to_string());
        let postgres = self.postgres().await?;
        let engines = self.options.engines(domains);
        Registry::make(&self.program, folder, postgres, domains, engines).await
    }

    fn kept(&self) -> anyhow::Result<PathBuf> {
        let kept: &Path = match &self.options.data {
            Some(folder) => folder,
            None => self.temporary.path(),
        };
        std::fs::create_dir_all(kept)?;
        Ok(kept.canonicalize()?)
    }
}

/// Asks for the first names of a registry as orders do, and keeps the verdicts.
///
/// # Errors
///
/// A call fails, or too few are allowed to tell a registry from an empty one.
pub async fn learn(
    server: &Server,
    registry: &Registry,
    most: usize,
) -> anyhow::Result<Vec<Asked>> {
    let question = |domain: &str| wire::question(domain, Purpose::Order);
    let asked = load::learn(server.address, registry.names(most), question).await?;
    let allowed = allowed(&asked).count();
    anyhow::ensure!(
        allowed * 4 > asked.len(),
        "{allowed} of {} filed names are allowed",
        asked.len()
    );
    Ok(asked)
}

/// Those of the questions that are answered with an allowance.
pub fn allowed(asked: &[Asked]) -> impl Iterator<Item = &Asked> {
    let allow = i32::from(Verdict::Allow);
    asked.iter().filter(move |asked| asked.verdict == allow)
}
