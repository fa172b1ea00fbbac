//! The fault proxy itself: each mode does what it says, or no other test here means anything.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::servers::proxy::{Fault, Mode, Proxy, schedule};

/// Long enough for anything that passes.
const SOON: Duration = Duration::from_secs(20);

/// Long enough to see that nothing passes.
const WHILE: Duration = Duration::from_millis(150);

/// A server that says what it hears, and a proxy before it.
struct Echo {
    proxy: Proxy,
    _server: JoinSet<()>,
}

impl Echo {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = Proxy::start(listener.local_addr().unwrap());
        let mut server = JoinSet::new();
        server.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                connections.spawn(async move {
                    let (mut from, mut to) = stream.split();
                    let _ = tokio::io::copy(&mut from, &mut to).await;
                });
            }
        });
        Self {
            proxy,
            _server: server,
        }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.proxy.address()).await.unwrap()
    }
}

/// Says something and hears it.
async fn echoed(stream: &mut TcpStream, said: &[u8]) {
    stream.write_all(said).await.unwrap();
    hear(stream, said).await;
}

async fn hear(stream: &mut TcpStream, said: &[u8]) {
    let mut heard = vec![0; said.len()];
    let read = timeout(SOON, stream.read_exact(&mut heard)).await;
    read.expect("it passes").unwrap();
    assert_eq!(heard, said);
}

async fn hears_nothing(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = timeout(WHILE, stream.read(&mut byte)).await;
    assert!(
        read.is_err(),
        "nothing passes, and nobody is told: {read:?}"
    );
}

async fn hears_the_end(stream: &mut TcpStream) {
    let mut byte = [0];
    let read = timeout(SOON, stream.read(&mut byte)).await.unwrap();
    let error = read.expect_err("a reset is no end of a stream");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn everything_passes_and_an_end_is_an_end() {
    let echo = Echo::start().await;
    let mut stream = echo.connect().await;
    echoed(&mut stream, &vec![7; 100_000]).await;
    assert_eq!((echo.proxy.accepted(), echo.proxy.open()), (1, 1));
    stream.shutdown().await.unwrap();
    let mut rest = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut rest)).await.unwrap();
    assert_eq!(read.unwrap(), 0);
    while echo.proxy.open() > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn who_is_refused_is_told_at_once_and_the_port_is_kept() {
    let echo = Echo::start().await;
    let mut old = echo.connect().await;
    echoed(&mut old, b"before").await;
    echo.proxy.set(Mode::Refuse);
    hears_the_end(&mut old).await;
    let error = TcpStream::connect(echo.proxy.address()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    echo.proxy.set(Mode::Pass);
    let mut new = echo.connect().await;
    echoed(&mut new, b"after").await;
}

#[tokio::test]
async fn what_hangs_is_held_and_passes_afterwards() {
    let echo = Echo::start().await;
    let mut old = echo.connect().await;
    echoed(&mut old, b"before").await;
    echo.proxy.set(Mode::Hang);
    let mut new = echo.connect().await;
    old.write_all(b"held").await.unwrap();
    new.write_all(b"held too").await.unwrap();
    hears_nothing(&mut old).await;
    hears_nothing(&mut new).await;
    echo.proxy.set(Mode::Pass);
    hear(&mut old, b"held").await;
    hear(&mut new, b"held too").await;
}

#[tokio::test]
async fn what_is_late_comes() {
    let echo = Echo::start().await;
    let mut stream = echo.connect().await;
    let late = Duration::from_millis(80);
    echo.proxy.set(Mode::Delay(late));
    let begin = Instant::now();
    echoed(&mut stream, b"late").await;
    assert!(begin.elapsed() >= late);
}

#[tokio::test]
async fn a_cut_resets_what_exists_and_nothing_else() {
    let echo = Echo::start().await;
    let mut old = echo.connect().await;
    echoed(&mut old, b"before").await;
    echo.proxy.apply(Fault::Cut);
    hears_the_end(&mut old).await;
    let mut new = echo.connect().await;
    echoed(&mut new, b"after").await;
}

#[tokio::test]
async fn what_is_half_open_stays_silent_for_good() {
    let echo = Echo::start().await;
    let mut old = echo.connect().await;
    echoed(&mut old, b"before").await;
    echo.proxy.apply(Fault::HalfOpen);
    old.write_all(b"lost").await.unwrap();
    hears_nothing(&mut old).await;
    let mut new = echo.connect().await;
    echoed(&mut new, b"after").await;
    hears_nothing(&mut old).await;
    echo.proxy.cut();
    hears_the_end(&mut old).await;
}

#[tokio::test]
async fn a_truncated_stream_stops_in_its_middle_and_never_goes_on() {
    let echo = Echo::start().await;
    let mut old = echo.connect().await;
    let mut idle = echo.connect().await;
    echoed(&mut old, b"before").await;
    echoed(&mut idle, b"before").await;
    echo.proxy.set(Mode::Truncate(4));
    old.write_all(b"abcdefg").await.unwrap();
    hear(&mut old, b"abcd").await;
    hears_nothing(&mut old).await;
    echo.proxy.set(Mode::Pass);
    old.write_all(b"more").await.unwrap();
    hears_nothing(&mut old).await;
    // Where nothing was lost nothing is missing later.
    echoed(&mut idle, b"longer than four").await;
}

#[test]
fn a_seed_gives_its_faults_in_order_and_all_of_them_end() {
    let length = Duration::from_mins(10);
    let steps = schedule(7, length);
    assert_eq!(steps, schedule(7, length));
    assert_ne!(steps, schedule(8, length));
    assert!(steps.is_sorted_by_key(|(at, _)| *at));
    assert_eq!(steps.last(), Some(&(length, Fault::Set(Mode::Pass))));
    let has = |wanted: fn(&Fault) -> bool| steps.iter().any(|(_, fault)| wanted(fault));
    assert!(has(|fault| *fault == Fault::Cut));
    assert!(has(|fault| *fault == Fault::HalfOpen));
    assert!(has(|fault| *fault == Fault::Set(Mode::Hang)));
    assert!(has(|fault| *fault == Fault::Set(Mode::Refuse)));
    assert!(has(|fault| matches!(fault, Fault::Set(Mode::Delay(_)))));
    assert!(has(|fault| matches!(fault, Fault::Set(Mode::Truncate(_)))));
}

#[tokio::test]
async fn a_schedule_is_run_through() {
    let echo = Echo::start().await;
    let step = |at, fault| (Duration::from_millis(at), fault);
    let steps = [
        step(0, Fault::Set(Mode::Hang)),
        step(100, Fault::Cut),
        step(101, Fault::Set(Mode::Pass)),
    ];
    let mut stream = echo.connect().await;
    echo.proxy.run(&steps).await;
    hears_the_end(&mut stream).await;
    let mut stream = echo.connect().await;
    echoed(&mut stream, b"after").await;
}
