//! A TCP proxy on loopback that fails on command: it stands between a replica and a server that
//! the replica depends on.
//!
//! What it can do to connections is what networks and peers do: refuse, stall, answer late, lose
//! the rest of a stream, reset, or go half open. It never changes a byte and never leaves a gap
//! within a stream: TCP does not either, and a client could not notice.
//! Start at [`Proxy::start`]; [`schedule`] makes faults at random from a seed.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// What the proxy does with bytes and connections from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Bytes from the server come this much later.
    Delay(Duration),
    /// Connections are taken and kept, and nothing passes in either direction. What was held
    /// passes when the mode ends.
    Hang,
    /// Everything passes.
    Pass,
    /// Nobody listens, as where the server is down: connections that exist are reset, new ones
    /// refused.
    Refuse,
    /// On each connection this many more bytes from the server pass, then nothing in either
    /// direction, whatever the mode is later; new connections fare alike while the mode lasts.
    Truncate(usize),
}

/// Something that is done to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Resets the connections that exist; new ones are as the mode says.
    Cut,
    /// Nothing passes any more on the connections that exist, and nobody is told, as where a
    /// machine between forgot them; new ones are as the mode says.
    HalfOpen,
    /// Changes the mode.
    Set(Mode),
}

/// A running proxy; ends when it is dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    thread: Option<std::thread::JoinHandle<()>>,
}

struct Shared {
    mode: watch::Sender<Mode>,
    /// Cancelled and replaced when connections are to be reset.
    cut: Mutex<CancellationToken>,
    /// Cancelled and replaced when connections are to go silent.
    silent: Mutex<CancellationToken>,
    listening: AtomicBool,
    accepted: AtomicU64,
    open: AtomicU64,
}

impl Proxy {
    /// Listens on a free port and passes everything on to `target`.
    pub(crate) fn start(target: SocketAddr) -> Self {
        let shared = Arc::new(Shared {
            mode: watch::Sender::new(Mode::Pass),
            cut: Mutex::default(),
            silent: Mutex::default(),
            listening: AtomicBool::new(false),
            accepted: AtomicU64::new(0),
            open: AtomicU64::new(0),
        });
        let stop = CancellationToken::new();
        let (say, said) = mpsc::channel();
        // A thread of its own: a test that blocks must not stall what it tests.
        let thread = {
            let (shared, stop) = (Arc::clone(&shared), stop.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()
                    .unwrap();
                runtime.block_on(async {
                    let port = Port::take().unwrap();
                    say.send(port.address).unwrap();
                    tokio::select! {
                        () = serve(&port, target, &shared) => {}
                        () = stop.cancelled() => {}
                    }
                });
            })
        };
        let proxy = Self {
            address: said.recv().unwrap(),
            shared,
            stop,
            thread: Some(thread),
        };
        proxy.set(Mode::Pass);
        proxy
    }

    /// Where it listens, or would.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Changes what is done from now on.
    pub(crate) fn set(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
        let listens = mode != Mode::Refuse;
        // The proxy's own thread opens and closes the listener.
        while self.shared.listening.load(Ordering::Acquire) != listens
            && *self.shared.mode.borrow() == mode
        {
            assert!(
                !self
                    .thread
                    .as_ref()
                    .is_some_and(std::thread::JoinHandle::is_finished)
            );
            std::thread::yield_now();
        }
        if !listens {
            self.cut();
        }
    }

    /// Resets the connections that exist.
    pub(crate) fn cut(&self) {
        std::mem::take(&mut *self.shared.cut.lock().unwrap()).cancel();
    }

    /// Makes the connections that exist go silent for good.
    pub(crate) fn half_open(&self) {
        std::mem::take(&mut *self.shared.silent.lock().unwrap()).cancel();
    }

    /// Does one thing.
    pub(crate) fn apply(&self, fault: Fault) {
        match fault {
            Fault::Cut => self.cut(),
            Fault::HalfOpen => self.half_open(),
            Fault::Set(mode) => self.set(mode),
        }
    }

    /// Does one thing after the other, each at its time after now.
    pub(crate) async fn run(&self, steps: &[(Duration, Fault)]) {
        let begin = tokio::time::Instant::now();
        for (at, fault) in steps {
            tokio::time::sleep_until(begin + *at).await;
            self.apply(*fault);
        }
    }

    /// Connections taken so far.
    pub(crate) fn accepted(&self) -> u64 {
        self.shared.accepted.load(Ordering::Relaxed)
    }

    /// Connections that exist.
    pub(crate) fn open(&self) -> u64 {
        self.shared.open.load(Ordering::Relaxed)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Faults at random for as long as `length`, each followed by a while without; in order, and at
/// the end everything passes. The same seed gives the same faults.
pub(crate) fn schedule(seed: u64, length: Duration) -> Vec<(Duration, Fault)> {
    const CALM_MS: std::ops::Range<u64> = 1_000..6_000;
    const TROUBLE_MS: std::ops::Range<u64> = 200..4_000;
    let mut dice = StdRng::seed_from_u64(seed);
    let mut steps = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        at += Duration::from_millis(dice.random_range(CALM_MS));
        let trouble = Duration::from_millis(dice.random_range(TROUBLE_MS));
        if at + trouble >= length {
            steps.push((length, Fault::Set(Mode::Pass)));
            return steps;
        }
        let fault = match dice.random_range(0..7) {
            0 => Fault::Cut,
            1 => Fault::HalfOpen,
            2 => Fault::Set(Mode::Delay(Duration::from_millis(
                dice.random_range(1..400),
            ))),
            3 => Fault::Set(Mode::Truncate(dice.random_range(0..2_000))),
            4 | 5 => Fault::Set(Mode::Hang),
            _ => Fault::Set(Mode::Refuse),
        };
        steps.push((at, fault));
        at += trouble;
        if matches!(fault, Fault::Set(_)) {
            steps.push((at, Fault::Set(Mode::Pass)));
        }
    }
}

/// A port of our own, whether we listen on it or not.
struct Port {
    address: SocketAddr,
    /// Bound and not listening: nobody else gets the port, and connections are refused.
    _kept: TcpSocket,
}

impl Port {
    fn take() -> io::Result<Self> {
        let kept = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self {
            address: kept.local_addr()?,
            _kept: kept,
        })
    }

    fn listen(&self) -> io::Result<TcpListener> {
        bind(self.address)?.listen(1024)
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn serve(port: &Port, target: SocketAddr, shared: &Arc<Shared>) {
    let mut connections = JoinSet::new();
    let mut mode = shared.mode.subscribe();
    loop {
        let _ = mode.wait_for(|mode| *mode != Mode::Refuse).await;
        let listener = port.listen().unwrap();
        shared.listening.store(true, Ordering::Release);
        loop {
            let taken = tokio::select! {
                biased;
                _ = mode.wait_for(|mode| *mode == Mode::Refuse) => break,
                taken = listener.accept() => taken,
                Some(_) = connections.join_next() => continue,
            };
            if let Ok((client, _)) = taken {
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connection(client, target, Arc::clone(shared)));
            }
        }
        drop(listener);
        shared.listening.store(false, Ordering::Release);
    }
}

async fn connection(mut client: TcpStream, target: SocketAddr, shared: Arc<Shared>) {
    let cut = shared.cut.lock().unwrap().clone();
    let silent = shared.silent.lock().unwrap().child_token();
    // The mode may have changed since it was taken.
    if *shared.mode.borrow() == Mode::Refuse {
        let _ = client.set_zero_linger();
        return;
    }
    shared.open.fetch_add(1, Ordering::Relaxed);
    let whole = match TcpStream::connect(target).await {
        Ok(mut server) => {
            let _ = client.set_nodelay(true);
            let _ = server.set_nodelay(true);
            let line = |from_server| Line {
                mode: shared.mode.subscribe(),
                silent: silent.clone(),
                from_server,
            };
            let whole = {
                let (from_client, to_client) = client.split();
                let (from_server, to_server) = server.split();
                let passing = async {
                    tokio::try_join!(
                        pump(from_client, to_server, line(false)),
                        pump(from_server, to_client, line(true)),
                    )
                };
                tokio::select! {
                    ended = passing => ended.is_ok(),
                    () = cut.cancelled() => false,
                }
            };
            if !whole {
                let _ = server.set_zero_linger();
            }
            whole
        }
        Err(_) => false,
    };
    if !whole {
        let _ = client.set_zero_linger();
    }
    shared.open.fetch_sub(1, Ordering::Relaxed);
}

/// One direction of a connection.
struct Line {
    mode: watch::Receiver<Mode>,
    /// Of the connection: nothing passes once it is cancelled.
    silent: CancellationToken,
    from_server: bool,
}

/// Passes bytes on until their sender ends; an error where either side is gone.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut line: Line) -> io::Result<()> {
    let silent = line.silent.clone();
    let passing = async {
        let mut bytes = vec![0; 16 * 1024];
        // Of a stream that is to be truncated.
        let mut left = None;
        loop {
            let length = from.read(&mut bytes).await;
            let mode = line.mode.wait_for(|mode| *mode != Mode::Hang).await;
            let mode = mode.map_or(Mode::Pass, |mode| *mode);
            let length = length?;
            if length == 0 {
                return to.shutdown().await;
            }
            match mode {
                Mode::Delay(late) if line.from_server => tokio::time::sleep(late).await,
                Mode::Truncate(_) | Mode::Delay(_) | Mode::Hang | Mode::Pass | Mode::Refuse => {}
            }
            match mode {
                Mode::Truncate(after) if line.from_server => {
                    let left = left.get_or_insert(after);
                    if length > *left {
                        to.write_all(&bytes[..*left]).await?;
                        line.silent.cancel();
                        return std::future::pending().await;
                    }
                    *left -= length;
                }
                Mode::Truncate(_) | Mode::Delay(_) | Mode::Hang | Mode::Pass | Mode::Refuse => {
                    left = None;
                }
            }
            to.write_all(&bytes[..length]).await?;
        }
    };
    tokio::select! {
        biased;
        () = silent.cancelled() => std::future::pending().await,
        ended = passing => ended,
    }
}
