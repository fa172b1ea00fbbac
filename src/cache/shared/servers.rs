//! Where Redis is and how it is reached, in its three arrangements.
//!
//! **Invariant:** nothing here waits without an end: whoever opens a line sets one around it.
//! **Absent on purpose:** reconnecting. The driver's own attempts would be paced by it and not by
//! the breaker, and in Sentinel mode would go to a master that is none any more; so a line that
//! breaks is thrown away, and the next one is looked up from the start.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _,
    RedisError, TlsCertificates, TlsMode,
};
use tokio_util::task::TaskTracker;

use super::link::Link;
use super::shards::Shards;
use super::{SharedError, SharedIdentity, SharedMode};

/// Requests that wait for one connection to take them; more wait in front of it.
const BUFFERED: usize = 256;

/// Where Redis is.
pub(super) enum Servers {
    Standalone(Client),
    Sentinel {
        sentinels: Vec<ConnectionInfo>,
        service: String,
        certificates: Option<TlsCertificates>,
    },
    Cluster {
        client: Box<ClusterClient>,
        nodes: Vec<Client>,
    },
}

impl Servers {
    /// Reads the addresses; reaches out to none.
    pub(super) fn new(
        urls: &[String],
        mode: &SharedMode,
        ca_file: Option<&Path>,
        timeout: Duration,
    ) -> Result<Self, SharedError> {
        let mut infos = Vec::with_capacity(urls.len());
        for (place, url) in urls.iter().enumerate() {
            infos.push(address(place, url)?);
        }
        let (Some(first), Some(place)) = (infos.first(), infos.len().checked_sub(1)) else {
            return Err(refused(0, "no address is given"));
        };
        let encrypted =
            |info: &ConnectionInfo| matches!(info.addr(), ConnectionAddr::TcpTls { .. });
        if infos.iter().any(|info| encrypted(info) != encrypted(first)) {
            return Err(refused(
                place,
                "some addresses are `rediss://` and some are not",
            ));
        }
        let certificates = match ca_file {
            Some(_) if !encrypted(first) => {
                return Err(refused(0, "redis.ca_file is of use with `rediss://` only"));
            }
            Some(file) => Some(authorities(file)?),
            None => None,
        };
        let unfit = |_: RedisError| refused(place, "the addresses do not fit together");
        match mode {
            SharedMode::Standalone => {
                if infos.len() > 1 {
                    let problem = "redis.mode `standalone` takes one address; several are those \
                                   of `sentinel` or of `cluster`";
                    return Err(refused(place, problem));
                }
                client(first.clone(), certificates.as_ref())
                    .map(Self::Standalone)
                    .map_err(unfit)
            }
            SharedMode::Sentinel { service } => {
                let same = |info: &ConnectionInfo| {
                    let (a, b) = (info.redis_settings(), first.redis_settings());
                    (a.username(), a.password(), a.db()) == (b.username(), b.password(), b.db())
                };
                if !infos.iter().all(same) {
                    let problem = "user, password and database must be the same in all addresses";
                    return Err(refused(place, problem));
                }
                Ok(Self::Sentinel {
                    sentinels: infos,
                    service: service.clone(),
                    certificates,
                })
            }
            SharedMode::Cluster => {
                let nodes: Result<Vec<Client>, RedisError> = infos
                    .iter()
                    .map(|info| client(info.clone(), certificates.as_ref()))
                    .collect();
                let mut builder = ClusterClientBuilder::new(infos.clone())
                    .connection_timeout(timeout.saturating_mul(10))
                    .response_timeout(timeout)
                    .tcp_settings(tcp())
                    // For a key that moved to another node; the time-out bounds them all.
                    .retries(2)
                    .min_retry_wait(1)
                    .max_retry_wait(5);
                if let Some(certificates) = certificates {
                    builder = builder.certs(certificates);
                }
                Ok(Self::Cluster {
                    client: Box::new(builder.build().map_err(unfit)?),
                    nodes: nodes.map_err(unfit)?,
                })
            }
        }
    }

    /// Opens a line for requests.
    pub(super) async fn connect(
        &self,
        identity: &SharedIdentity,
        tasks: &TaskTracker,
        jitter: u64,
    ) -> Result<Link, RedisError> {
        let client = match self {
            Self::Standalone(client) => client.clone(),
            Self::Sentinel { .. } => self.master().await?,
            Self::Cluster { client, .. } => {
                let line = client.get_async_connection().await?;
                let shards = Shards::ask(line, identity.clone(), tasks.clone(), jitter).await?;
                return Ok(Link::Cluster(Arc::new(shards)));
            }
        };
        // Who waits sets the time: for opening as for each request.
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(None)
            .set_response_timeout(None)
            .set_pipeline_buffer_size(BUFFERED);
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map(Link::Single)
    }

    /// Opens a line for announcements. In a cluster any node will do: they tell each other.
    pub(super) async fn listen(&self, channel: &str) -> Result<redis::aio::PubSub, RedisError> {
        match self {
            Self::Standalone(client) => listen(client, channel).await,
            Self::Sentinel { .. } => listen(&self.master().await?, channel).await,
            Self::Cluster { nodes, .. } => {
                let tried = nodes.iter().map(|node| Box::pin(listen(node, channel)));
                // All at once: a node that does not answer would use up the time of the others.
                futures::future::select_ok(tried)
                    .await
                    .map(|(line, _)| line)
            }
        }
    }

    /// The addresses, without users and passwords.
    pub(super) fn shown(&self) -> String {
        let addresses: Vec<String> = match self {
            Self::Standalone(client) => vec![client.get_connection_info().addr().to_string()],
            Self::Sentinel { sentinels, .. } => sentinels
                .iter()
                .map(|info| info.addr().to_string())
                .collect(),
            Self::Cluster { nodes, .. } => nodes
                .iter()
                .map(|node| node.get_connection_info().addr().to_string())
                .collect(),
        };
        addresses.join(", ")
    }

    /// Asks the Sentinels for the master. User and password are those of the servers; Sentinels
    /// often have none and refuse them, so they are asked once more without.
    async fn master(&self) -> Result<Client, RedisError> {
        match self.ask_sentinels(true).await {
            Err(_) if self.has_credentials() => self.ask_sentinels(false).await,
            asked => asked,
        }
    }

    async fn ask_sentinels(&self, credentials: bool) -> Result<Client, RedisError> {
        let Self::Sentinel {
            sentinels,
            service,
            certificates,
        } = self
        else {
            return Err(RedisError::from((
                redis::ErrorKind::EmptySentinelList,
                "no Sentinels",
            )));
        };
        let addresses = sentinels.iter().map(|info| info.addr().clone());
        let mut builder =
            SentinelClientBuilder::new(addresses, service, SentinelServerType::Master)?
                .set_client_to_redis_tcp_settings(tcp());
        if let Some(info) = sentinels.first() {
            if matches!(info.addr(), ConnectionAddr::TcpTls { .. }) {
                builder = builder
                    .set_client_to_redis_tls_mode(TlsMode::Secure)
                    .set_client_to_sentinel_tls_mode(TlsMode::Secure);
            }
            if let Some(certificates) = certificates {
                builder = builder
                    .set_client_to_redis_certificates(certificates.clone())
                    .set_client_to_sentinel_certificates(certificates.clone());
            }
            let settings = info.redis_settings();
            builder = builder.set_client_to_redis_db(settings.db());
            if let Some(user) = settings.username() {
                builder = builder.set_client_to_redis_username(user);
                if credentials {
                    builder = builder.set_client_to_sentinel_username(user);
                }
            }
            if let Some(password) = settings.password() {
                builder = builder.set_client_to_redis_password(password);
                if credentials {
                    builder = builder.set_client_to_sentinel_password(password);
                }
            }
        }
        builder.build()?.async_get_client().await
    }

    fn has_credentials(&self) -> bool {
        match self {
            Self::Sentinel { sentinels, .. } => sentinels
                .iter()
                .any(|info| info.redis_settings().password().is_some()),
            Self::Standalone(_) | Self::Cluster { .. } => false,
        }
    }
}

/// Reads one address. What is wrong with it is said without repeating it: it may hold a password.
fn address(place: usize, url: &str) -> Result<ConnectionInfo, SharedError> {
    let info = url.into_connection_info().map_err(|_| {
        refused(
            place,
            "write `redis://user:password@host:port/database`, or `rediss://…` for TLS; signs of \
             a password other than letters and digits as `%` and two hexadecimal digits",
        )
    })?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
        let problem = "`#insecure` would take any server for Redis; name the authority in \
                       redis.ca_file instead";
        return Err(refused(place, problem));
    }
    Ok(info.set_tcp_settings(tcp()))
}

/// Requests are sent at once. The driver's default holds a small one back until what was sent
/// before it is acknowledged, which may take longer than the time-out.
fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true)
}

fn authorities(file: &Path) -> Result<TlsCertificates, SharedError> {
    let unusable = |problem: String| SharedError::Authorities {
        file: file.display().to_string(),
        problem,
    };
    let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
    // The driver takes a file without certificates for one that trusts nobody.
    let begins = b"-----BEGIN CERTIFICATE-----";
    if !pem.windows(begins.len()).any(|window| window == begins) {
        return Err(unusable("it holds no certificate in PEM form".to_owned()));
    }
    let certificates = TlsCertificates {
        client_tls: None,
        root_cert: Some(pem),
    };
    let tried = Client::build_with_tls("rediss://localhost", certificates.clone());
    match tried {
        Ok(_) => Ok(certificates),
        Err(error) => Err(unusable(error.to_string())),
    }
}

fn client(
    info: ConnectionInfo,
    certificates: Option<&TlsCertificates>,
) -> Result<Client, RedisError> {
    match certificates {
        Some(certificates) => Client::build_with_tls(info, certificates.clone()),
        None => Client::open(info),
    }
}

async fn listen(client: &Client, channel: &str) -> Result<redis::aio::PubSub, RedisError> {
    let mut line = client.get_async_pubsub().await?;
    line.subscribe(channel).await?;
    Ok(line)
}

fn refused(place: usize, problem: &'static str) -> SharedError {
    SharedError::Address {
        place: place + 1,
        problem,
    }
}
