//! Connections: how many, how long, how slow, and what of them is told.

use std::time::Duration;

use icpgate::proto::v1;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt as _;

use super::frames::{
    ACK, ENHANCE_YOUR_CALM, GOAWAY, NO_ERROR, PATIENCE, PING, PREFACE, Raw, SETTINGS, gone,
};
use super::harness::{Server, ask, message};
use super::program::Program;

/// The kinds of setting that a server announces.
const MAX_CONCURRENT_STREAMS: u16 = 3;
const MAX_FRAME_SIZE: u16 = 5;
const MAX_HEADER_LIST_SIZE: u16 = 6;

async fn answers(server: &Server) {
    let decision = server.check(ask("sample-shop.cn")).await;
    assert_eq!(decision.verdict(), v1::Verdict::Allow);
}

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    let info = details.error_info().expect("ErrorInfo");
    assert_eq!(info.domain, "icpgate");
    info.reason.clone()
}

#[tokio::test]
async fn whoever_does_not_greet_is_hung_up_on() {
    let server = Server::with(&[("limits.handshake_timeout", "300ms")]).await;
    let begin = Instant::now();
    let mut silent = Raw::silent(server.address).await;
    let mut slow = Raw::silent(server.address).await;
    slow.write(&PREFACE[..10]).await.unwrap();
    let mut wordless = Raw::silent(server.address).await;
    wordless.write(PREFACE).await.unwrap();
    answers(&server).await;
    for raw in [&mut silent, &mut slow, &mut wordless] {
        raw.ended().await;
    }
    assert!(begin.elapsed() >= Duration::from_millis(300));
    answers(&server).await;
}

#[tokio::test]
async fn connections_are_bounded_in_all_and_by_address() {
    for key in [
        "limits.max_connections",
        "limits.max_connections_per_address",
    ] {
        let server = Server::with(&[(key, "3")]).await;
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut raw = Raw::greeted(server.address).await;
            raw.until(SETTINGS).await.unwrap();
            held.push(raw);
        }
        let mut beyond = Raw::silent(server.address).await;
        let error = beyond.next().await.unwrap_err();
        assert!(gone(&error), "{key}: {error:?}");
        drop(held);
        // Places come back.
        let begin = Instant::now();
        loop {
            let mut raw = Raw::greeted(server.address).await;
            if raw.until(SETTINGS).await.is_ok() {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{key}");
        }
    }
}

#[tokio::test]
async fn bounds_on_a_connection_are_announced() {
    let server = Server::with(&[
        ("limits.max_streams_per_connection", "7"),
        ("limits.max_frame_bytes", "32KiB"),
        ("limits.max_header_bytes", "4KiB"),
    ])
    .await;
    let mut raw = Raw::greeted(server.address).await;
    let settings = raw.until(SETTINGS).await.unwrap();
    let told: Vec<(u16, u32)> = settings
        .payload
        .chunks(6)
        .map(|setting| {
            (
                u16::from_be_bytes([setting[0], setting[1]]),
                u32::from_be_bytes(setting[2..6].try_into().unwrap()),
            )
        })
        .collect();
    for expected in [
        (MAX_CONCURRENT_STREAMS, 7),
        (MAX_FRAME_SIZE, 32 * 1024),
        (MAX_HEADER_LIST_SIZE, 4 * 1024),
    ] {
        assert!(told.contains(&expected), "{told:?}");
    }
}

/// A caller who asks nothing is asked to leave, and one who listens finds his way back.
#[tokio::test]
async fn an_idle_connection_ends() {
    let server = Server::with(&[("limits.idle_timeout", "300ms")]).await;
    let mut client = server.provisioning().await;
    client
        .check_provisioning(ask("sample-shop.cn"))
        .await
        .unwrap();
    let mut raw = Raw::greeted(server.address).await;
    let goaway = raw.until(GOAWAY).await.unwrap();
    assert_eq!(goaway.goaway(), NO_ERROR);
    // Whoever answers the server's last question is let go at once, others after a while.
    let ping = raw.until(PING).await.unwrap();
    raw.frame(PING, ACK, 0, &ping.payload).await.unwrap();
    assert_eq!(raw.ended().await, Some(NO_ERROR));
    let again = client.check_provisioning(ask("sample-shop.cn")).await;
    again.unwrap();
}

/// Headers that come byte by byte keep a connection no longer than silence does.
#[tokio::test]
async fn slow_headers_do_not_keep_a_connection() {
    let server = Server::with(&[("limits.idle_timeout", "300ms")]).await;
    let mut raw = Raw::greeted(server.address).await;
    // A frame of headers is announced, and comes a byte at a time.
    raw.write(&[0, 0, 200, 1, 4, 0, 0, 0, 1]).await.unwrap();
    let trickling = async {
        while raw.write(&[0x83]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    // It is closed a few seconds after it was asked to leave, long before the frame is whole.
    timeout(PATIENCE, trickling).await.expect("it is closed");
    answers(&server).await;
}

/// Callers on connections that age lose nothing, if they ask again once what was not taken.
#[tokio::test]
async fn connections_age_without_a_lost_call() {
    let server = Server::with(&[("limits.connection_age", "250ms")]).await;
    let mut callers = JoinSet::new();
    let end = Instant::now() + Duration::from_secs(3);
    for caller in 0..8 {
        let mut client = server.provisioning().await;
        callers.spawn(async move {
            let (mut calls, mut again) = (0, 0);
            while Instant::now() < end {
                let question = ask(&format!("w{caller}.sample-shop.cn"));
                calls += 1;
                let Err(first) = client.check_provisioning(question.clone()).await else {
                    continue;
                };
                assert!(untaken(&first), "{first:?}");
                again += 1;
                client.check_provisioning(question).await.unwrap();
            }
            (calls, again)
        });
    }
    // One who stays on his connection sees that it ends.
    let mut raw = Raw::greeted(server.address).await;
    assert_eq!(raw.until(GOAWAY).await.unwrap().goaway(), NO_ERROR);
    let counts = callers.join_all().await;
    let calls: usize = counts.iter().map(|(calls, _)| calls).sum();
    let again: usize = counts.iter().map(|(_, again)| again).sum();
    assert!(calls > 0 && again * 10 <= calls, "{again} of {calls}");
}

/// Whether a call was not taken because its connection was about to end. Libraries that ask again
/// by themselves do so then; this one says so in several ways.
fn untaken(status: &Status) -> bool {
    use std::error::Error as _;
    let told = status.source().map(|source| format!("{source:?}"));
    let told_to_leave =
        told.is_some_and(|told| told.contains("GoAway") && told.contains("NO_ERROR"));
    told_to_leave || [Code::Unavailable, Code::Cancelled].contains(&status.code())
}

/// Streams of answers are ended in order when they are old, between two answers.
#[tokio::test]
async fn streams_do_not_stay_open_for_ever() {
    let server = Server::with(&[("limits.stream_age", "700ms")]).await;
    let mut client = server.provisioning().await;
    let (batches, incoming) = tokio::sync::mpsc::channel(1);
    let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
    let mut screen = client.screen_domains(incoming).await.unwrap().into_inner();
    let request = v1::ScreenDomainsRequest {
        sequence: 1,
        requests: vec![ask("sample-shop.cn")],
    };
    batches.send(request).await.unwrap();
    assert_eq!(screen.message().await.unwrap().unwrap().sequence, 1);
    let mut health = HealthClient::new(server.channel().await);
    let request = HealthCheckRequest::default();
    let mut watch = health.watch(request).await.unwrap().into_inner();
    assert!(watch.message().await.unwrap().is_some());
    let screened = timeout(PATIENCE, screen.message()).await.expect("ends");
    let watched = timeout(PATIENCE, watch.message()).await.expect("ends");
    for status in [
        screened.map(drop).unwrap_err(),
        watched.map(drop).unwrap_err(),
    ] {
        assert_eq!(status.code(), Code::Unavailable, "{status:?}");
        assert_eq!(reason(&status), "STREAM_AGE");
        assert!(status.get_error_details().retry_info().is_some());
    }
    drop(batches);
    answers(&server).await;
}

/// An answer that nobody takes does not keep its connection.
#[tokio::test]
async fn whoever_does_not_take_his_answers_is_hung_up_on() {
    let server = Server::with(&[("limits.call_timeout", "300ms")]).await;
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(0)
        .handshake::<_, tonic::codegen::Bytes>(
            tokio::net::TcpStream::connect(server.address)
                .await
                .unwrap(),
        )
        .await
        .unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(connection);
    let mut client = client.ready().await.unwrap();
    let uri = "http://localhost/icpgate.v1.ProvisioningService/CheckProvisioning";
    let request = http::Request::post(uri)
        .header("content-type", "application/grpc")
        .body(())
        .unwrap();
    let (answer, mut body) = client.send_request(request, false).unwrap();
    body.send_data(message(&ask("sample-shop.cn")).into(), true)
        .unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    let ended = timeout(PATIENCE, tasks.join_next()).await.expect("ends");
    drop(ended);
    answers(&server).await;
}

/// Where files run out, connections wait for those that are closed, and nothing else happens.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn running_out_of_files_ends_nothing() {
    let mut program = Program::start_with(&["--sample"], Some(64)).await;
    let mut held = Vec::new();
    for _ in 0..100 {
        held.push(Raw::silent(program.address).await);
    }
    let begin = Instant::now();
    while !program.output().contains("connections cannot be taken") {
        assert!(begin.elapsed() < PATIENCE, "{}", program.output());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(held);
    let mut client = program.provisioning().await;
    client
        .check_provisioning(ask("sample-shop.cn"))
        .await
        .unwrap();
    let told = program
        .output()
        .matches("connections cannot be taken")
        .count();
    assert!(told <= 5, "the log is not flooded: {told}");
    drop(client);
    program.stop().await;
}

/// Many withdrawn calls at once, as in CVE-2023-44487.
#[tokio::test]
async fn calls_that_are_withdrawn_at_once_end_the_connection() {
    use super::frames::{END_HEADERS, END_STREAM, HEADERS, RST_STREAM, call, encoded};
    let server = Server::with(&[("limits.max_pending_resets", "10")]).await;
    let mut raw = Raw::greeted(server.address).await;
    let block = call("/icpgate.v1.ProvisioningService/CheckProvisioning");
    let mut burst = Vec::new();
    for stream in (1..4000).step_by(2) {
        burst.extend(encoded(HEADERS, END_HEADERS | END_STREAM, stream, &block));
        burst.extend(encoded(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    let _ = raw.write(&burst).await;
    assert_eq!(raw.ended().await, Some(ENHANCE_YOUR_CALM));
    answers(&server).await;
}
