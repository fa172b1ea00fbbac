//! Screening: batches on one stream, in order, at the caller's pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use icpgate::proto::v1;
use tokio::time::timeout;

use super::harness::{Server, ask, bad_fields, decided, failed};

const PATIENCE: Duration = Duration::from_secs(30);

fn batch(sequence: u64, size: u64) -> v1::ScreenDomainsRequest {
    let requests = (0..size)
        .map(|at| ask(&format!("s{sequence}-{at}.sample-shop.cn")))
        .collect();
    v1::ScreenDomainsRequest { sequence, requests }
}

#[tokio::test]
async fn batches_are_answered_in_order_with_their_sequence() {
    let server = Server::sample().await;
    let mut client = server.provisioning().await;
    let sequences = [7, 7, 0, u64::MAX, 3];
    let batches = futures::stream::iter(sequences.map(|sequence| batch(sequence, 20)));
    let mut responses = client.screen_domains(batches).await.unwrap().into_inner();
    for sequence in sequences {
        let response = responses
            .message()
            .await
            .unwrap()
            .expect("an answer for each batch");
        assert_eq!(response.sequence, sequence);
        for (at, result) in response.results.into_iter().enumerate() {
            let name = format!("s{sequence}-{at}.sample-shop.cn");
            assert_eq!(decided(result).domain.unwrap().input, name);
        }
    }
    assert!(
        responses.message().await.unwrap().is_none(),
        "the stream ends with its last batch"
    );
}

/// An answer comes before the next batch is sent: nothing is held back for the end.
#[tokio::test]
async fn a_conversation_goes_back_and_forth() {
    let server = Server::sample().await;
    let mut client = server.provisioning().await;
    let (batches, incoming) = tokio::sync::mpsc::channel(1);
    let incoming = tokio_stream::wrappers::ReceiverStream::new(incoming);
    let mut responses = client.screen_domains(incoming).await.unwrap().into_inner();
    for sequence in 0..5 {
        batches.send(batch(sequence, 3)).await.unwrap();
        let response = timeout(PATIENCE, responses.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!((response.sequence, response.results.len()), (sequence, 3));
    }
    drop(batches);
    assert!(
        timeout(PATIENCE, responses.message())
            .await
            .unwrap()
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_bad_item_fails_alone_and_a_bad_batch_ends_the_stream() {
    let server = Server::sample().await;
    let mut client = server.provisioning().await;
    let mixed = v1::ScreenDomainsRequest {
        sequence: 1,
        requests: vec![ask("sample-shop.cn"), ask(""), ask("sample-held.cn")],
    };
    let batches = futures::stream::iter([mixed, batch(2, 0), batch(3, 1)]);
    let mut responses = client.screen_domains(batches).await.unwrap().into_inner();
    let response = responses.message().await.unwrap().unwrap();
    assert_eq!(
        failed(&response.results[1]).code,
        tonic::Code::InvalidArgument as i32
    );
    assert_eq!(
        decided(response.results[0].clone()).verdict(),
        v1::Verdict::Allow
    );
    assert_eq!(
        decided(response.results[2].clone()).verdict(),
        v1::Verdict::Deny
    );
    let status = responses.message().await.unwrap_err();
    assert_eq!(bad_fields(&status), ["requests"]);
}

/// A caller who sends and does not read is stopped by flow control: what the server takes in is
/// bounded by windows, not by the caller's supply.
#[tokio::test]
async fn a_caller_who_does_not_read_is_not_buffered() {
    let server = Server::sample().await;
    let mut client = server.provisioning().await;
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let batches = futures::stream::iter(0..5_000).map(move |sequence| {
        counted.fetch_add(1, Ordering::Relaxed);
        batch(sequence, 200)
    });
    let mut responses = client.screen_domains(batches).await.unwrap().into_inner();
    // Until nothing has moved for a while.
    let mut last = (u64::MAX, 0);
    for _ in 0..600 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let now = sent.load(Ordering::Relaxed);
        last = if now == last.0 {
            (now, last.1 + 1)
        } else {
            (now, 0)
        };
        if last.1 == 15 {
            break;
        }
    }
    let stuck_at = sent.load(Ordering::Relaxed);
    assert!(
        stuck_at < 600,
        "{stuck_at} batches were taken in and none of the answers was read"
    );
    // Reading sets it going again, and nothing was lost.
    for sequence in 0..20 {
        let response = timeout(PATIENCE, responses.message())
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(response.sequence, sequence);
        assert_eq!(response.results.len(), 200);
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_a_server_that_serves() {
    let server = Server::sample().await;
    for _ in 0..5 {
        let mut client = server.provisioning().await;
        let batches = futures::stream::iter(0..1000).map(|sequence| batch(sequence, 100));
        let mut responses = client.screen_domains(batches).await.unwrap().into_inner();
        responses.message().await.unwrap().unwrap();
        drop(responses);
    }
    assert_eq!(
        server.check(ask("sample-shop.cn")).await.verdict(),
        v1::Verdict::Allow
    );
    timeout(PATIENCE, server.stop())
        .await
        .expect("no stream is left behind");
}
