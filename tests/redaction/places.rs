//! Reads what left the process: tables, keys, messages, files.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sqlx::postgres::PgConnection;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection as _};

use crate::servers::redis::Redis;

/// Something that was read, and what it is called.
pub(crate) type Read = (String, Vec<u8>);

/// Every column of every table of a store in SQLite.
pub(crate) async fn sqlite(path: &Path) -> Vec<Read> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut store = SqliteConnection::connect_with(&options).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c \
         WHERE m.type = 'table' ORDER BY 1, c.cid",
    )
    .fetch_all(&mut store)
    .await
    .unwrap();
    let mut read = Vec::new();
    for (table, column) in columns {
        let query = format!(r#"SELECT CAST("{column}" AS BLOB) FROM "{table}""#);
        let values: Vec<Option<Vec<u8>>> = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut store)
            .await
            .unwrap();
        let called = format!("{table}.{column}");
        read.extend(
            values
                .into_iter()
                .map(|value| (called.clone(), value.unwrap_or_default())),
        );
    }
    store.close().await.unwrap();
    read
}

/// Every column of every table of a database of `PostgreSQL`, those of the server aside.
pub(crate) async fn postgres(url: &str) -> Vec<Read> {
    let mut store = PgConnection::connect(url).await.unwrap();
    let columns: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT table_schema::text, table_name::text, column_name::text, data_type::text \
         FROM information_schema.columns \
         WHERE table_schema NOT IN ('information_schema', 'pg_catalog') \
         ORDER BY 1, 2, ordinal_position",
    )
    .fetch_all(&mut store)
    .await
    .unwrap();
    let mut read = Vec::new();
    for (schema, table, column, kind) in columns {
        let value = match kind.as_str() {
            "bytea" => format!(r#""{column}""#),
            _ => format!(r#"convert_to("{column}"::text, 'UTF8')"#),
        };
        let query = format!(r#"SELECT {value} FROM "{schema}"."{table}""#);
        let values: Vec<Option<Vec<u8>>> = sqlx::query_scalar(AssertSqlSafe(query))
            .fetch_all(&mut store)
            .await
            .unwrap();
        let called = format!("{table}.{column}");
        read.extend(
            values
                .into_iter()
                .map(|value| (called.clone(), value.unwrap_or_default())),
        );
    }
    store.close().await.unwrap();
    read
}

/// Every key of Redis with its value.
pub(crate) fn redis(server: &Redis) -> Vec<Read> {
    let keys: Vec<Vec<u8>> = server.ask(redis::cmd("KEYS").arg("*")).unwrap();
    let mut read = Vec::new();
    for key in keys {
        let called = format!("the key {}", key.escape_ascii());
        let kind: String = server.ask(redis::cmd("TYPE").arg(&key)).unwrap();
        if kind != "none" {
            // Another kind wants to be read in another way.
            assert_eq!(kind, "string", "{called}");
            let value: Option<Vec<u8>> = server.ask(redis::cmd("GET").arg(&key)).unwrap();
            read.push((called.clone(), value.unwrap_or_default()));
        }
        read.push((called, key));
    }
    read
}

/// Pages that are served over HTTP, with their headers.
pub(crate) fn pages(address: SocketAddr) -> Vec<Read> {
    let pages = ["/metrics", "/healthz", "/readyz", "/version", "/nothing"];
    pages
        .iter()
        .map(|page| {
            let mut stream = TcpStream::connect(address).unwrap();
            let request =
                format!("GET {page} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).unwrap();
            assert!(answer.starts_with(b"HTTP/1.1 "), "{page}");
            ((*page).to_owned(), answer)
        })
        .collect()
}

/// All files under a folder.
pub(crate) fn files(folder: &Path) -> Vec<Read> {
    let mut read = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read.extend(files(&path));
        } else {
            read.push((path.display().to_string(), std::fs::read(&path).unwrap()));
        }
    }
    read
}

/// Hears every command that is sent to a server of Redis, messages for other replicas too.
pub(crate) struct Monitor {
    heard: Arc<Mutex<Vec<u8>>>,
}

impl Monitor {
    pub(crate) fn start(port: u16, password: &str) -> Self {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        write!(stream, "AUTH {password}\r\nMONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        for _ in 0..2 {
            let mut said = String::new();
            lines.read_line(&mut said).unwrap();
            assert_eq!(said, "+OK\r\n");
        }
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hears = Arc::clone(&heard);
        // Ends when the server does.
        std::thread::spawn(move || {
            for line in lines.split(b'\n').map_while(Result::ok) {
                hears.lock().unwrap().extend(unescaped(&line));
            }
        });
        Self { heard }
    }

    /// Everything so far.
    pub(crate) fn heard(&self) -> Vec<u8> {
        self.heard.lock().unwrap().clone()
    }
}

/// Octets that Redis wrote as `\xhh`; the other escapes it has are of single signs.
fn unescaped(line: &[u8]) -> Vec<u8> {
    let mut octets = Vec::new();
    let mut rest = line;
    while let Some((&first, behind)) = rest.split_first() {
        let escaped = rest.strip_prefix(br"\x").and_then(|digits| digits.get(..2));
        let octet =
            escaped.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        octets.push(octet.unwrap_or(first));
        rest = if octet.is_some() { &rest[4..] } else { behind };
    }
    octets.push(b'\n');
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_redis_escapes_is_read_as_it_was() {
        let line = br#"1.2 [0 127.0.0.1:1] "SET" "k\xe6\xac\xa7" "a\x00\"\\xz""#;
        let expected = "1.2 [0 127.0.0.1:1] \"SET\" \"k欧\" \"a\0\\\"\\\\xz\"\n";
        assert_eq!(unescaped(line), expected.as_bytes());
    }
}
