//! The way to a database: through a proxy, and past every proxy.

use std::net::SocketAddr;
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::servers::gate::until;

/// A connection of the test's own; waits until the server takes it.
pub(crate) async fn connect(url: &str) -> PgConnection {
    let options = PgConnectOptions::from_str(url).unwrap();
    until("the database takes a connection", async || {
        PgConnection::connect_with(&options).await.ok()
    })
    .await
}

/// Where the server of a URL listens.
pub(crate) async fn place(url: &str) -> SocketAddr {
    let options = PgConnectOptions::from_str(url).unwrap();
    let (host, port) = (options.get_host().to_owned(), options.get_port());
    let mut found = tokio::net::lookup_host((host.as_str(), port))
        .await
        .unwrap();
    found.next().expect("the server has an address")
}

/// The URL as it reads through a proxy.
pub(crate) fn through(url: &str, proxy: SocketAddr) -> String {
    let options = PgConnectOptions::from_str(url).unwrap();
    let options = options.host(&proxy.ip().to_string()).port(proxy.port());
    options.to_url_lossy().to_string()
}
