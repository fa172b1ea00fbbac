//! Certificates of callers and of the server.

use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::Code;

use crate::pki::{Authority, Pair};
use crate::server::{CHECK, Place, Server, call, question, until};

const CALLERS: &str = "
[[caller]]
name = \"shop\"
roles = [\"checker\"]
certificates = [\"dns:shop.example\", \"spiffe://example.org/ns/shop/sa/orders\"]
[[caller]]
name = \"feed\"
roles = [\"importer\"]
certificates = [\"dns:feed.example\"]
";

async fn server(authority: &Authority) -> Server {
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(authority);
    place.callers(CALLERS);
    place.start().await.trusted(authority)
}

/// The code of a call with this certificate; `None` where there is not even a connection.
async fn code(server: &Server, pair: Option<&Pair>) -> Option<Code> {
    let channel = server.try_channel(pair.map(Pair::identity)).await.ok()?;
    // With TLS 1.3 a client learns with its first call that its certificate was refused.
    let code = call(&channel, CHECK, None).await;
    let broken = [Code::Cancelled, Code::Unavailable, Code::Unknown];
    (!broken.contains(&code)).then_some(code)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_of_certificates_name_callers() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let known = Some(Code::InvalidArgument);
    let nobody = Some(Code::Unauthenticated);
    for (names, expected) in [
        (&["dns:shop.example"][..], known),
        (&["dns:SHOP.example"], known),
        (&["spiffe://example.org/ns/shop/sa/orders"], known),
        (
            &["dns:shop.example", "spiffe://example.org/ns/shop/sa/orders"],
            known,
        ),
        (&["dns:other.example", "dns:shop.example"], known),
        (&["dns:feed.example"], Some(Code::PermissionDenied)),
        // Two callers at once are none.
        (&["dns:shop.example", "dns:feed.example"], nobody),
        (&["dns:a.shop.example"], nobody),
        (&["dns:*.example"], nobody),
        (&["dns:shop.example.evil.example"], nobody),
        (&["spiffe://example.org/ns/shop/sa/order"], nobody),
        (&["spiffe://example.org/ns/shop/sa/orders/x"], nobody),
        (&["https://shop.example"], nobody),
        (&[], nobody),
    ] {
        let pair = authority.caller(names);
        assert_eq!(code(&server, Some(&pair)).await, expected, "{names:?}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_of_other_authorities_get_no_connection() {
    let authority = Authority::new();
    let server = server(&authority).await;
    let wrong = Authority::new().caller(&["dns:shop.example"]);
    assert_eq!(code(&server, Some(&wrong)).await, None);
    assert_eq!(code(&server, None).await, None, "a certificate is required");
    // One for servers is none for callers.
    assert_eq!(code(&server, Some(&authority.server())).await, None);
    // Plain text gets nothing but an end.
    let mut plain = TcpStream::connect(server.address).await.unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .unwrap();
    let mut rest = Vec::new();
    let _ = plain.read_to_end(&mut rest).await;
    assert!(rest.len() < 64, "an alert at most: {rest:?}");
    server.stop().await;
}

/// Who opens a connection and says nothing is sent away, and keeps nobody else from coming in.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_handshakes_end() {
    let authority = Authority::new();
    let mut place = Place::new();
    place.tls(&authority.server());
    place.client_ca(&authority);
    place.callers(CALLERS);
    place.set("limits.handshake_timeout", "200ms");
    let server = place.start().await.trusted(&authority);
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(TcpStream::connect(server.address).await.unwrap());
    }
    let shop = authority.caller(&["dns:shop.example"]);
    assert_eq!(
        code(&server, Some(&shop)).await,
        Some(Code::InvalidArgument)
    );
    for mut stream in silent {
        let ended = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut [0; 64])).await;
        assert!(matches!(ended.unwrap(), Ok(0) | Err(_)));
    }
    server.stop().await;
}

/// New certificates for the server and for callers, under a stream that goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn certificates_are_exchanged_without_dropping_a_call() {
    let (old, new) = (Authority::new(), Authority::new());
    let server = server(&old).await;
    let old_shop = old.caller(&["dns:shop.example"]);
    let channel = server.channel(Some(old_shop.identity())).await;
    let mut client = ProvisioningServiceClient::new(channel.clone());
    let (batches, waiting) = tokio::sync::mpsc::channel(1);
    let requests = tokio_stream::wrappers::ReceiverStream::new(waiting);
    let mut answers = client.screen_domains(requests).await.unwrap().into_inner();
    let batch = |sequence| v1::ScreenDomainsRequest {
        sequence,
        requests: vec![question("sample-shop.cn")],
    };
    batches.send(batch(1)).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().sequence, 1);

    // A certificate without its key, as it is for a moment while both are exchanged.
    let pair = new.server();
    server.place.write("server.pem", &pair.cert);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        code(&server, Some(&old_shop)).await,
        Some(Code::InvalidArgument)
    );
    server.place.write("server.key", &pair.key);
    server.place.write("client-ca.pem", &new.pem());

    let address = server.address;
    let server = server.trusted(&new);
    let shop = new.caller(&["dns:shop.example"]);
    until("the new certificates", async || {
        code(&server, Some(&shop)).await == Some(Code::InvalidArgument)
    })
    .await;
    assert_eq!(code(&server, Some(&old_shop)).await, None, "{address}");
    // What was there before goes on.
    batches.send(batch(2)).await.unwrap();
    assert_eq!(answers.message().await.unwrap().unwrap().sequence, 2);
    assert_eq!(call(&channel, CHECK, None).await, Code::InvalidArgument);
    // What is wrong changes nothing.
    server.place.write("server.pem", "no certificate");
    server.place.write("client-ca.pem", "");
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(
        code(&server, Some(&shop)).await,
        Some(Code::InvalidArgument)
    );
    drop(batches);
    assert!(answers.message().await.unwrap().is_none());
    server.stop().await;
}

/// TLS alone lets everybody in, encrypted; on loopback that may be wanted.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_without_callers_lets_everybody_in() {
    let authority = Authority::new();
    let mut place = Place::new();
    place.tls(&authority.server());
    let server = place.start().await.trusted(&authority);
    assert_eq!(code(&server, None).await, Some(Code::InvalidArgument));
    let other = server.trusted(&Authority::new());
    assert_eq!(code(&other, None).await, None, "callers verify the server");
    other.stop().await;
}
