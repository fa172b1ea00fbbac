//! Asks over HTTP/1.1, in octets, so that nothing is smoothed over.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::servers::gate::Gate;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        let header = self.headers.iter().find(|(header, _)| header == name);
        header.map_or("", |(_, value)| value)
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Where a process listens for HTTP: the last that it said.
pub(crate) fn address(gate: &Gate) -> SocketAddr {
    let log = gate.log();
    let (_, rest) = log.rsplit_once("serving HTTP on ").expect(&log);
    rest.split_whitespace().next().unwrap().parse().unwrap()
}

pub(crate) async fn get(at: SocketAddr, path: &str) -> Answer {
    ask(at, "GET", path, "").await.unwrap()
}

/// Asks on a connection of its own. `None`: there was no answer.
pub(crate) async fn ask(at: SocketAddr, method: &str, path: &str, headers: &str) -> Option<Answer> {
    let request =
        format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
    let asking = async {
        let mut stream = TcpStream::connect(at).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut said = Vec::new();
        stream.read_to_end(&mut said).await.ok()?;
        read(&said)
    };
    tokio::time::timeout(Duration::from_mins(1), asking)
        .await
        .expect("an answer or an end")
}

fn read(said: &[u8]) -> Option<Answer> {
    let said = String::from_utf8(said.to_vec()).unwrap();
    let (head, body) = said.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    Some(Answer {
        status,
        headers: headers
            .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
            .collect(),
        body: body.to_owned(),
    })
}
