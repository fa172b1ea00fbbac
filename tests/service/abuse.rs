//! Callers who mean harm, at the level of frames: others are answered meanwhile, and memory stays
//! within bounds.

use std::time::Duration;

use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::frames::{
    ACK, CONTINUATION, DATA, END_HEADERS, END_STREAM, HEADERS, PATIENCE, PING, PREFACE, RST_STREAM,
    Raw, SETTINGS, call, encoded, field,
};
use super::harness::ask;
use super::program::Program;

const CHECK: &str = "/icpgate.v1.ProvisioningService/CheckProvisioning";

/// What one harmful caller sends, at most.
const TORRENT: usize = 16 * 1024 * 1024;

/// How long one may go on.
const LASTS: Duration = Duration::from_secs(2);

/// Harmful callers at once.
const CALLERS: usize = 4;

/// How much the process may grow. What is sent is several times as much.
const GROWTH_KIB: u64 = 64 * 1024;

/// A way to do harm: what is sent, over and over; the number counts from zero.
type Harm = fn(u32) -> Vec<u8>;

const HARMS: [(&str, Harm); 12] = [
    ("rapid reset", rapid_reset),
    ("headers that never end", endless_headers),
    ("headers of a megabyte", large_headers),
    ("headers that grow when they are read", growing_headers),
    ("calls that are never finished", unfinished_calls),
    (
        "messages that are announced and never come",
        announced_messages,
    ),
    ("frames that are too long", long_frames),
    ("empty frames", empty_frames),
    ("settings", settings),
    ("pings", pings),
    ("windows that are opened for nothing", windows),
    ("noise", noise),
];

#[tokio::test]
async fn harmful_callers_keep_nobody_from_being_answered() {
    let mut program = Program::start(&[
        "--sample",
        "--set",
        "limits.handshake_timeout=1s",
        "--set",
        "limits.call_timeout=2s",
        "--set",
        "limits.idle_timeout=1s",
        // An open call takes some 45 KiB without optimisation: those that are allowed take a third of
        // what the process may grow, however fast the machine is.
        "--set",
        "limits.max_streams_per_connection=128",
    ])
    .await;
    // Everything is in place before memory is looked at.
    let mut client = program.provisioning().await;
    for at in 0..200 {
        let question = ask(&format!("w{at}.sample-shop.cn"));
        client.check_provisioning(question).await.unwrap();
    }
    let before = program.resident();
    for (name, harm) in HARMS {
        let mut harmful = JoinSet::new();
        for _ in 0..CALLERS {
            let address = program.address;
            harmful.spawn(async move {
                let mut raw = Raw::silent(address).await;
                let _ = raw.write(PREFACE).await;
                let _ = raw.frame(SETTINGS, 0, 0, &[]).await;
                let mut sent = 0;
                let mut turn = 0;
                let begin = Instant::now();
                // Whoever is hung up on comes back.
                while sent < TORRENT && begin.elapsed() < LASTS {
                    let octets = harm(turn);
                    sent += octets.len();
                    turn = turn.wrapping_add(1);
                    match timeout(LASTS, raw.write(&octets)).await {
                        // He is not listened to.
                        Err(_) => break,
                        Ok(Ok(())) => {}
                        Ok(Err(_)) => {
                            raw = Raw::silent(address).await;
                            let _ = raw.write(PREFACE).await;
                            let _ = raw.frame(SETTINGS, 0, 0, &[]).await;
                            turn = 0;
                        }
                    }
                }
                raw
            });
        }
        let others = async {
            let mut answered = 0;
            let mut lost = false;
            let begin = Instant::now();
            while begin.elapsed() < LASTS {
                let question = client.check_provisioning(ask("sample-shop.cn"));
                let answer = timeout(PATIENCE, question).await;
                let answer = answer.unwrap_or_else(|_| panic!("{name}: nobody is answered"));
                match answer {
                    Ok(answer) => {
                        let decision = answer.into_inner().decision.unwrap();
                        assert_eq!(decision.verdict(), v1::Verdict::Allow, "{name}");
                        answered += 1;
                        lost = false;
                    }
                    // Whoever is told to come back does.
                    Err(status) if status.code() == Code::ResourceExhausted => lost = false,
                    // Between two harms, and where the machine is busy, nothing may be asked for so
                    // long that the connection ends (`limits.idle_timeout`). Asked again, it is
                    // answered.
                    Err(status) => {
                        assert!(!lost, "{name}: lost twice: {status:?}");
                        lost = true;
                    }
                }
            }
            answered
        };
        let answered = others.await;
        let held = harmful.join_all().await;
        let now = program.resident();
        assert!(answered > 0, "{name}: nobody else is answered");
        assert!(
            now < before + GROWTH_KIB,
            "{name}: from {before} KiB to {now} KiB"
        );
        assert!(program.ended().is_none(), "{name}: {}", program.output());
        drop(held);
    }
    let log = program.output();
    assert!(!log.contains("panicked"), "{log}");
    drop(client);
    program.stop().await;
}

/// Connections on which nobody says anything, many more than callers.
#[tokio::test]
async fn half_open_connections_keep_nobody_out() {
    let mut program = Program::start(&[
        "--sample",
        "--set",
        "limits.max_connections=300",
        "--set",
        "limits.max_connections_per_address=300",
        "--set",
        "limits.handshake_timeout=500ms",
    ])
    .await;
    let stop = CancellationToken::new();
    let mut harmful = JoinSet::new();
    for _ in 0..3 {
        let (address, stop) = (program.address, stop.clone());
        harmful.spawn(async move {
            let mut held = Vec::new();
            while !stop.is_cancelled() && held.len() < 2000 {
                held.push(Raw::silent(address).await);
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        });
    }
    // A caller who is turned away comes again.
    let mut answered = 0;
    let begin = Instant::now();
    while answered < 5 {
        assert!(begin.elapsed() < PATIENCE * 2, "nobody gets in");
        let url = format!("http://{}", program.address);
        let endpoint = tonic::transport::Channel::from_shared(url).unwrap();
        let Ok(channel) = endpoint.connect().await else {
            continue;
        };
        let mut client = ProvisioningServiceClient::new(channel);
        answered += usize::from(
            client
                .check_provisioning(ask("sample-shop.cn"))
                .await
                .is_ok(),
        );
    }
    stop.cancel();
    harmful.join_all().await;
    program.stop().await;
}

fn rapid_reset(turn: u32) -> Vec<u8> {
    let mut octets = Vec::new();
    for at in 0..100 {
        let stream = (turn * 100 + at) * 2 + 1;
        octets.extend(encoded(HEADERS, END_HEADERS, stream, &call(CHECK)));
        octets.extend(encoded(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
    }
    octets
}

fn endless_headers(turn: u32) -> Vec<u8> {
    if turn == 0 {
        return encoded(HEADERS, 0, 1, &call(CHECK));
    }
    let mut block = Vec::new();
    for at in 0..8 {
        field(&mut block, &format!("x-{turn}-{at}"), &"v".repeat(1800));
    }
    encoded(CONTINUATION, 0, 1, &block)
}

fn large_headers(turn: u32) -> Vec<u8> {
    let stream = turn * 2 + 1;
    let mut octets = encoded(HEADERS, 0, stream, &call(CHECK));
    for frame in 0..64 {
        let mut block = Vec::new();
        field(&mut block, &format!("x-{frame}"), &"v".repeat(16_000));
        let flags = if frame == 63 { END_HEADERS } else { 0 };
        octets.extend(encoded(CONTINUATION, flags, stream, &block));
    }
    octets
}

/// A long header is put into the table of the connection once, and then named by one octet.
fn growing_headers(turn: u32) -> Vec<u8> {
    let stream = turn * 2 + 1;
    let mut block = call(CHECK);
    // To be kept in the table, under a new name.
    block.push(0x40);
    block.extend([1, b'x']);
    // 127 and 3873 in octets of seven bits.
    block.extend([127, 0xa1, 0x1e]);
    block.extend([b'v'; 4000]);
    block.extend([0xbe; 10_000]);
    encoded(HEADERS, END_HEADERS | END_STREAM, stream, &block)
}

fn unfinished_calls(turn: u32) -> Vec<u8> {
    encoded(HEADERS, END_HEADERS, turn * 2 + 1, &call(CHECK))
}

fn announced_messages(turn: u32) -> Vec<u8> {
    let stream = turn * 2 + 1;
    let mut octets = encoded(HEADERS, END_HEADERS, stream, &call(CHECK));
    octets.extend(encoded(DATA, 0, stream, &[0, 0, 0x0f, 0xff, 0xff, 1, 2, 3]));
    octets
}

fn long_frames(_: u32) -> Vec<u8> {
    let mut octets = vec![0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1];
    octets.resize(64 * 1024, 0);
    octets
}

fn empty_frames(turn: u32) -> Vec<u8> {
    if turn == 0 {
        return encoded(HEADERS, END_HEADERS, 1, &call(CHECK));
    }
    encoded(DATA, 0, 1, &[]).repeat(1000)
}

fn settings(_: u32) -> Vec<u8> {
    // The size of the table of headers, over and over.
    encoded(SETTINGS, 0, 0, &[0, 1, 0, 0, 16, 0]).repeat(500)
}

fn pings(turn: u32) -> Vec<u8> {
    let flags = if turn.is_multiple_of(2) { 0 } else { ACK };
    encoded(PING, flags, 0, &[7; 8]).repeat(500)
}

fn windows(_: u32) -> Vec<u8> {
    const WINDOW_UPDATE: u8 = 8;
    encoded(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes()).repeat(500)
}

fn noise(turn: u32) -> Vec<u8> {
    let mut dice = StdRng::seed_from_u64(turn.into());
    let mut payload = vec![0; 1000];
    dice.fill_bytes(&mut payload);
    let mut octets = Vec::new();
    for piece in payload.chunks(50) {
        octets.extend(encoded(
            piece[0] % 11,
            piece[1],
            u32::from(piece[2] % 8),
            piece,
        ));
    }
    octets
}
