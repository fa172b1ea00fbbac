//! Files that unpack to much more than they are, handed to the program itself.

use std::fs::File;
use std::process::{Command, Stdio};
use std::time::Duration;

use async_compression::tokio::write::ZstdEncoder;
use tokio::io::AsyncWriteExt as _;

/// What the files unpack to, in octets.
const UNPACKED: usize = 256 << 20;

/// Memory that the program may take meanwhile, in KiB: well below that, and well above what it takes
/// for small files.
const MOST_MEMORY: u64 = 128 << 10;

async fn bomb(octet: u8) -> Vec<u8> {
    let mut encoder = ZstdEncoder::new(Vec::new());
    let piece = vec![octet; 1 << 20];
    for _ in 0..UNPACKED / piece.len() {
        encoder.write_all(&piece).await.unwrap();
    }
    encoder.shutdown().await.unwrap();
    encoder.into_inner()
}

/// One line that does not end, and lines without end.
#[tokio::test]
async fn a_bomb_ends_the_import_and_takes_no_memory() {
    let folder = tempfile::tempdir().unwrap();
    for (octet, limit) in [(b'x', "200MiB"), (b'\n', "8MiB")] {
        let bomb = bomb(octet).await;
        assert!(bomb.len() < UNPACKED / 1000);
        std::fs::write(folder.path().join("bomb.ndjson.zst"), bomb).unwrap();
        let told = folder.path().join("told");
        let mut child = Command::new(env!("CARGO_BIN_EXE_icpgate"))
            .current_dir(folder.path())
            .args(["import", "bomb.ndjson.zst", "--set"])
            .arg(format!("import.max_decompressed_bytes={limit}"))
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&told).unwrap())
            .spawn()
            .unwrap();
        let mut most = 0;
        let status = loop {
            most = most.max(memory(child.id()));
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let told = std::fs::read_to_string(told).unwrap();
        assert_eq!(status.code(), Some(65), "{told}");
        assert!(told.contains("decompresses to more than"), "{told}");
        assert!((1..MOST_MEMORY).contains(&most), "{most} KiB");
    }
}

/// The most memory that a process has had so far, in KiB; 0 where it has ended.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB"));
    number.map_or(0, |number| number.trim().parse().unwrap())
}
