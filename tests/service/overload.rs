//! A flood of names that nobody asked for before: memory stays within bounds.
//!
//! `ICPGATE_FLOOD_SECONDS` makes it longer.

use std::time::Duration;

use icpgate::proto::v1;
use tokio::time::Instant;

use super::harness::ask;
use super::program::Program;

/// What a server may have: 16 384 answers of up to 8 KiB that wait to be recorded where the store is
/// slow, 72 MiB of marks of recorded ones, 32 MiB of answers, the cache, the program and one batch.
const MOST_KIB: u64 = 320 * 1024;

/// Names that nobody has asked for before, for as long as one likes: memory stays within bounds.
#[expect(clippy::disallowed_methods, reason = "whoever runs the tests decides")]
#[tokio::test]
async fn behaviour_18_a_flood_of_unique_names_stays_within_memory() {
    let seconds = std::env::var("ICPGATE_FLOOD_SECONDS").map_or(6, |text| text.parse().unwrap());
    let mut program = Program::start(&["--sample", "--set", "cache.local_bytes=4MiB"]).await;
    let mut client = program
        .provisioning()
        .await
        .max_decoding_message_size(usize::MAX);
    let mut grown = Vec::new();
    let begin = Instant::now();
    let mut names = 0;
    while begin.elapsed() < Duration::from_secs(seconds) {
        let requests = (0..500)
            .map(|at| ask(&format!("unique{}.cn", names + at)))
            .collect();
        let request = v1::BatchCheckProvisioningRequest { requests };
        let answer = client.batch_check_provisioning(request).await.unwrap();
        assert_eq!(answer.into_inner().results.len(), 500);
        names += 500;
        grown.push(program.resident());
    }
    let (early, last) = (grown[grown.len() / 3], *grown.last().unwrap());
    say(&format!(
        "{names} names; {} MiB after a third, {} MiB at the end",
        early / 1024,
        last / 1024
    ));
    assert!(last < MOST_KIB, "from {early} KiB to {last} KiB");
    drop(client);
    program.stop().await;
}

#[expect(
    clippy::print_stdout,
    reason = "shown where the test fails, and on demand"
)]
fn say(what: &str) {
    println!("{what}");
}
