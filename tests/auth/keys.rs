//! Keys of tokens that change, at a file and at a URL.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::Code;

use crate::pki::{Authority, Signer, jwks};
use crate::server::{CHECK, Place, Server, call, reason, try_call, until};

const CALLERS: &str = "[[caller]]\nname = \"shop\"\nroles = [\"checker\"]\nsubjects = [\"shop\"]\n";

/// A server of key sets.
pub(crate) struct Issuer {
    answer: Arc<Mutex<String>>,
    asked: Arc<AtomicUsize>,
    pub(crate) port: u16,
    _tasks: JoinSet<()>,
}

impl Issuer {
    pub(crate) async fn new(keys: &str, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let answer = Arc::new(Mutex::new(ok(keys)));
        let asked = Arc::new(AtomicUsize::new(0));
        let mut tasks = JoinSet::new();
        let (text, count) = (Arc::clone(&answer), Arc::clone(&asked));
        tasks.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let text = text.lock().unwrap().clone();
                match &tls {
                    Some(tls) => {
                        if let Ok(mut stream) = tls.accept(stream).await {
                            let _ = serve(&mut stream, &text).await;
                        }
                    }
                    None => {
                        let mut stream: TcpStream = stream;
                        let _ = serve(&mut stream, &text).await;
                    }
                }
            }
        });
        Self {
            answer,
            asked,
            port,
            _tasks: tasks,
        }
    }

    pub(crate) fn answer(&self, text: String) {
        *self.answer.lock().unwrap() = text;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(
    stream: &mut (impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin),
    text: &str,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let octet = stream.read_u8().await?;
        request.push(octet);
    }
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}

pub(crate) fn ok(keys: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{keys}",
        keys.len()
    )
}

async fn server(url: &str, cooldown: &str, ca_file: Option<&str>) -> Server {
    let mut place = Place::new();
    place.set("auth.jwks_url", url);
    place.issuer();
    place.set("auth.jwks_cooldown", cooldown);
    place.set("auth.jwks_timeout", "2s");
    if let Some(pem) = ca_file {
        let path = place.write("jwks-ca.pem", pem);
        place.set("auth.jwks_ca_file", &path);
    }
    place.callers(CALLERS);
    place.start().await
}

#[tokio::test]
async fn keys_in_a_file_are_exchanged() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let mut place = Place::new();
    place.tokens(&[&old]);
    place.callers(CALLERS);
    let server = place.start().await;
    let channel = server.channel(None).await;
    let claims = server.claims("shop");
    let (of_old, of_new) = (old.token(&claims), new.token(&claims));
    let codes = async || {
        [
            call(&channel, CHECK, Some(&of_old)).await,
            call(&channel, CHECK, Some(&of_new)).await,
        ]
    };
    let (known, unknown) = (Code::InvalidArgument, Code::Unauthenticated);
    assert_eq!(codes().await, [known, unknown]);
    let write = |text: &str| server.place.write("jwks.json", text);
    write(&jwks(&[&old, &new]));
    until("both keys", async || codes().await == [known, known]).await;
    write("{\"keys\": []}");
    assert_eq!(codes().await, [known, known], "the last good ones stay");
    write(&jwks(&[&new]));
    until("only the new key", async || {
        codes().await == [unknown, known]
    })
    .await;
    // A key of the same name that is another one.
    write(&jwks(&[&Signer::ec("new")]));
    until("no key", async || codes().await == [unknown, unknown]).await;
    server.stop().await;
}

#[tokio::test]
async fn an_unknown_key_is_looked_for_at_the_url() {
    let (old, new) = (Signer::ec("old"), Signer::ec("new"));
    let issuer = Issuer::new(&jwks(&[&old]), None).await;
    let url = format!("http://127.0.0.1:{}/jwks", issuer.port);
    let server = server(&url, "1ms", None).await;
    let channel = server.channel(None).await;
    let claims = server.claims("shop");
    assert_eq!(issuer.asked(), 1);
    for _ in 0..5 {
        assert_eq!(
            call(&channel, CHECK, Some(&old.token(&claims))).await,
            Code::InvalidArgument
        );
    }
    assert_eq!(issuer.asked(), 1, "known keys ask nobody");
    issuer.answer(ok(&jwks(&[&new])));
    // The very call that brings the new key is let in.
    assert_eq!(
        call(&channel, CHECK, Some(&new.token(&claims))).await,
        Code::InvalidArgument
    );
    assert_eq!(issuer.asked(), 2);
    assert_eq!(
        call(&channel, CHECK, Some(&old.token(&claims))).await,
        Code::Unauthenticated
    );
    server.stop().await;
}

#[tokio::test]
async fn made_up_keys_do_not_make_the_server_ask_again_and_again() {
    let signer = Signer::ec("k");
    let issuer = Issuer::new(&jwks(&[&signer]), None).await;
    let url = format!("http://127.0.0.1:{}/jwks", issuer.port);
    let server = server(&url, "1h", None).await;
    let channel = server.channel(None).await;
    let claims = server.claims("shop");
    let made_up: Vec<String> = ["a", "b", "c", "d"]
        .map(|id| Signer::ec(id).token(&claims))
        .into();
    let calls = (0..40).map(|at| call(&channel, CHECK, Some(&made_up[at % made_up.len()])));
    for code in futures::future::join_all(calls).await {
        assert_eq!(code, Code::Unauthenticated);
    }
    assert_eq!(issuer.asked(), 1, "the look at the start counts");
    server.stop().await;
}

#[tokio::test]
async fn the_last_good_keys_hold_while_the_url_is_away() {
    let signer = Signer::ec("k");
    let issuer = Issuer::new(&jwks(&[&signer]), None).await;
    let url = format!("http://127.0.0.1:{}/jwks", issuer.port);
    let server = server(&url, "1ms", None).await;
    let channel = server.channel(None).await;
    let claims = server.claims("shop");
    let other = Signer::ec("other").token(&claims);
    for answer in [
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n".to_owned(),
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
            .to_owned(),
        ok("{\"keys\":[]}"),
        ok("<html>"),
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999\r\n\r\n".to_owned() + &"x".repeat(2_000_000),
        String::new(),
    ] {
        let before = issuer.asked();
        issuer.answer(answer);
        until("a look", async || {
            assert_eq!(
                call(&channel, CHECK, Some(&other)).await,
                Code::Unauthenticated
            );
            issuer.asked() > before
        })
        .await;
        assert_eq!(
            call(&channel, CHECK, Some(&signer.token(&claims))).await,
            Code::InvalidArgument
        );
    }
    server.stop().await;
}

/// Nobody is told to be refused because the issuer is away when the server starts.
#[tokio::test]
async fn without_keys_callers_are_told_to_come_back() {
    let signer = Signer::ec("k");
    let issuer = Issuer::new("", None).await;
    let url = format!("http://127.0.0.1:{}/jwks", issuer.port);
    let server = server(&url, "1ms", None).await;
    let channel = server.channel(None).await;
    let token = signer.token(&server.claims("shop"));
    let status = try_call(&channel, CHECK, Some(&token)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert_eq!(reason(&status), "CREDENTIAL_UNCHECKED");
    assert_eq!(call(&channel, CHECK, None).await, Code::Unauthenticated);
    issuer.answer(ok(&jwks(&[&signer])));
    until("keys", async || {
        call(&channel, CHECK, Some(&token)).await == Code::InvalidArgument
    })
    .await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_with_tls_is_verified() {
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let signer = Signer::ec("k");
    let authority = Authority::new();
    let pair = authority.server();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let settings = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(pair.cert.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap(),
        )
        .unwrap();
    let tls = TlsAcceptor::from(Arc::new(settings));
    let issuer = Issuer::new(&jwks(&[&signer]), Some(tls)).await;
    let url = format!("https://localhost:{}/jwks", issuer.port);
    let (right, wrong) = (authority.pem(), Authority::new().pem());
    for (pem, code) in [(right, Code::InvalidArgument), (wrong, Code::Unavailable)] {
        let server = server(&url, "1ms", Some(&pem)).await;
        let channel = server.channel(None).await;
        let token = signer.token(&server.claims("shop"));
        assert_eq!(call(&channel, CHECK, Some(&token)).await, code);
        server.stop().await;
    }
}

/// A URL that takes connections and says nothing keeps nobody waiting for long.
#[tokio::test]
async fn a_silent_url_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    let mut place = Place::new();
    place.set("auth.jwks_url", &url);
    place.issuer();
    place.set("auth.jwks_timeout", "50ms");
    place.callers(CALLERS);
    let server = tokio::time::timeout(Duration::from_secs(30), place.start())
        .await
        .unwrap();
    let channel = server.channel(None).await;
    let token = Signer::ec("k").token(&server.claims("shop"));
    assert_eq!(call(&channel, CHECK, Some(&token)).await, Code::Unavailable);
    server.stop().await;
}
