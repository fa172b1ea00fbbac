//! Raw frames of HTTP/2 at the port, beside a caller who only asks.
//!
//! The server is the product's own, on a loopback port, over the sample in SQLite. It runs on the
//! thread of whoever runs this, so that a panic in any of its tasks is seen here.
//! **Held of every input:** the server takes the connection and greets; frames that it sends make
//! sense; whole calls are answered; the caller beside it gets his answer; the connection ends when
//! its peer has gone, and within the configured bounds where the peer stays and says nothing; no
//! task panics. Every so many inputs: no task and no place of a connection is left behind.

mod script;
mod seen;

use std::cell::{Cell, RefCell};
use std::mem::ManuallyDrop;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Once};
use std::time::Duration;

use icpgate::bootstrap;
use icpgate::clock::FixedClock;
use icpgate::config::{Config, Flag, Inputs, load};
use icpgate::grpc;
use icpgate::proto::v1;
use icpgate::proto::v1::provisioning_service_client::ProvisioningServiceClient;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Handle, Runtime};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::transport::{Channel, Endpoint};

use script::{Ending, Piece, SETTINGS, Script};
use seen::{Frame, Seen, is_gone};

use super::registry::{NOW, PROVIDER};

/// Bounds of the server, so short that they are met while inputs are tried.
const BOUNDS: [(&str, &str); 12] = [
    ("limits.max_connections", "48"),
    ("limits.max_connections_per_address", "48"),
    ("limits.max_streams_per_connection", "64"),
    ("limits.handshake_timeout", "300ms"),
    ("limits.idle_timeout", "500ms"),
    ("limits.call_timeout", "1s"),
    ("limits.stream_age", "1s"),
    ("limits.connection_age", "3s"),
    ("limits.keepalive_interval", "500ms"),
    ("limits.keepalive_timeout", "500ms"),
    ("limits.lame_duck", "1ms"),
    ("provider.id", PROVIDER),
];

/// Connections that stay open beside those that are tried, at most: fewer than there are places.
const MOST_HELD: usize = 32;

/// Inputs until it is looked whether anything was left behind.
const SETTLE_EVERY: u32 = 4096;

/// One step of waiting, and how many are waited. Steps and not a time, so that a machine that
/// stands still breaks no property; what is waited for takes a third of it at most.
const STEP: Duration = Duration::from_millis(100);
const STEPS: usize = 200;

/// How long the last sign of life is waited for. One that is lost in a frame that was cut off
/// never comes.
const SIGN_WITHIN: Duration = Duration::from_millis(3);

/// How often the caller beside asks again. Connections age and come to an end, as everywhere.
const ASKED: usize = 5;

thread_local! {
    // Never dropped with its thread, where a runtime cannot end any more: see `finish`.
    static WORLD: RefCell<Option<ManuallyDrop<World>>> = const { RefCell::new(None) };
    /// Where the store is; removed with the thread.
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
    static PANICS: Cell<u32> = const { Cell::new(0) };
}

/// What came back over the connection of an input.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Calls whose answers came to their end, well or not.
    pub answered: usize,
    /// Calls that the server broke off.
    pub broken: usize,
    /// The error code of the last GOAWAY.
    pub goaway: Option<u32>,
    /// Whether the server closed the connection before its peer did.
    pub hung_up: bool,
}

/// Sends what the input says over a connection of its own.
///
/// # Panics
///
/// Where a property is broken.
pub fn run(input: &[u8]) {
    let _ = outcome(input);
}

/// As [`run`], and tells what came back.
///
/// # Panics
///
/// Where a property is broken.
#[must_use = "whoever wants no outcome runs `run`"]
pub fn outcome(input: &[u8]) -> Outcome {
    WORLD.with_borrow_mut(|world| {
        let world = world.get_or_insert_with(|| ManuallyDrop::new(World::new()));
        let panics = PANICS.get();
        let outcome = world.meet(input);
        assert_eq!(PANICS.get(), panics, "a task panicked");
        outcome
    })
}

/// Ends the server of this thread, and holds that it comes to its end with nothing left behind.
///
/// # Panics
///
/// Where it does not.
pub fn finish() {
    let Some(world) = WORLD.take() else {
        return;
    };
    let mut world = ManuallyDrop::into_inner(world);
    world.settle();
    world.stop.cancel();
    let World {
        runtime,
        mut serving,
        ..
    } = world;
    runtime.block_on(async {
        let ended = within(async { while serving.join_next().await.is_some() {} }).await;
        assert!(ended.is_some(), "the server does not end");
    });
}

/// The server and what is beside it.
struct World {
    runtime: Runtime,
    address: SocketAddr,
    beside: ProvisioningServiceClient<Channel>,
    held: Vec<Held>,
    /// Tasks when nobody was connected but the caller beside.
    tasks: usize,
    runs: u32,
    serving: JoinSet<()>,
    stop: CancellationToken,
}

/// A connection whose peer stays and says nothing.
struct Held {
    input: Vec<u8>,
    /// Whether it ended in time.
    waiting: JoinHandle<bool>,
}

impl World {
    fn new() -> Self {
        watch_panics();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime is built");
        let folder = tempfile::tempdir().expect("a folder is made");
        let stop = CancellationToken::new();
        let (address, serving) = runtime.block_on(serve(folder.path(), &stop));
        FOLDER.set(Some(folder));
        let beside = runtime.block_on(async {
            let endpoint = Endpoint::from_shared(format!("http://{address}"));
            ProvisioningServiceClient::new(endpoint.expect("an address").connect_lazy())
        });
        let mut world = Self {
            runtime,
            address,
            beside,
            held: Vec::new(),
            tasks: 0,
            runs: 0,
            serving,
            stop,
        };
        world.runtime.block_on(ask(&mut world.beside));
        world.tasks = world.runtime.metrics().num_alive_tasks();
        world
    }

    fn meet(&mut self, input: &[u8]) -> Outcome {
        let script = Script::read(input);
        let Self {
            runtime,
            address,
            beside,
            held,
            ..
        } = self;
        let outcome = runtime.block_on(async {
            end_held(held).await;
            let room = held.len() < MOST_HELD;
            let (outcome, kept) = meet(*address, beside, &script, room).await;
            if let Some(waiting) = kept {
                let input = input.to_vec();
                held.push(Held { input, waiting });
            }
            outcome
        });
        self.runs += 1;
        if self.runs.is_multiple_of(SETTLE_EVERY) {
            self.settle();
        }
        outcome
    }

    /// Waits until nobody is connected but the caller beside, and holds that nothing is left.
    fn settle(&mut self) {
        let Self {
            runtime,
            beside,
            held,
            tasks,
            ..
        } = self;
        let left = runtime.block_on(async {
            for connection in held.drain(..) {
                connection.end().await;
            }
            for _ in 0..STEPS {
                // He has a connection again if he lost his.
                ask(beside).await;
                let left = Handle::current().metrics().num_alive_tasks();
                if left <= *tasks {
                    return None;
                }
                tokio::time::sleep(STEP).await;
            }
            Some(Handle::current().metrics().num_alive_tasks())
        });
        assert_eq!(left, None, "of {tasks} tasks");
    }
}

impl Held {
    async fn end(self) {
        let ended = self.waiting.await.expect("a task that reads");
        assert!(ended, "a connection stays for ever: {:?}", self.input);
    }
}

async fn end_held(held: &mut Vec<Held>) {
    let mut place = 0;
    while let Some(connection) = held.get(place) {
        if connection.waiting.is_finished() {
            held.swap_remove(place).end().await;
        } else {
            place += 1;
        }
    }
}

async fn serve(folder: &Path, stop: &CancellationToken) -> (SocketAddr, JoinSet<()>) {
    let config = config(folder);
    let clock = Arc::new(FixedClock::new(*NOW));
    let parts = bootstrap::open(&config, true).await.expect("a store");
    bootstrap::load_sample(&parts, PROVIDER, &*clock)
        .await
        .expect("the sample");
    let (gate, worker) = bootstrap::gate(parts, &config, clock).expect("a gate");
    let gate = Arc::new(gate);
    gate.follow().await.expect("the store answers");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("a port has an address");
    let limits = bootstrap::limits(&config);
    let mut serving = JoinSet::new();
    let soft = stop.clone();
    serving.spawn(async move {
        let hard = CancellationToken::new();
        let ended = grpc::serve(
            listener,
            grpc::Door::wide_open(),
            gate,
            limits,
            grpc::Stop { soft, hard },
        );
        ended.await.expect("it serves");
    });
    let stop = stop.clone();
    serving.spawn(worker.run(async move { stop.cancelled().await }));
    (address, serving)
}

fn config(folder: &Path) -> Config {
    let paths = [("store.path", "store"), ("privacy.key_file", "key")]
        .map(|(key, name)| (key, folder.join(name).display().to_string()));
    let bounds = BOUNDS.map(|(key, value)| (key, value.to_owned()));
    let flags = paths.into_iter().chain(bounds);
    let inputs = Inputs {
        directory: folder.to_owned(),
        flags: flags
            .map(|(key, value)| Flag {
                name: format!("--set {key}"),
                key: key.to_owned(),
                value,
            })
            .collect(),
        ..Inputs::default()
    };
    load(&inputs).expect("a configuration").config
}

/// Counts what panics on this thread, before whatever else is done about it.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let next = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.set(PANICS.get() + 1);
            next(panic);
        }));
    });
}

/// The caller beside is answered, and rightly.
async fn ask(beside: &mut ProvisioningServiceClient<Channel>) {
    let mut refused = Vec::new();
    for _ in 0..ASKED {
        let question = script::question("sample-shop.cn");
        match within(beside.check_provisioning(question)).await {
            Some(Ok(answer)) => {
                let decision = answer.into_inner().decision.expect("an answer decides");
                assert_eq!(decision.verdict(), v1::Verdict::Allow, "{decision:?}");
                return;
            }
            Some(Err(status)) => refused.push(status),
            None => break,
        }
    }
    panic!("the caller beside is not answered: {refused:?}");
}

/// Waits for something, for long.
async fn within<T>(waited: impl Future<Output = T>) -> Option<T> {
    tokio::pin!(waited);
    for _ in 0..STEPS {
        tokio::select! {
            value = &mut waited => return Some(value),
            () = tokio::time::sleep(STEP) => {}
        }
    }
    None
}

/// Does what the script says. Where the connection is kept, there is room and the script says so.
async fn meet(
    address: SocketAddr,
    beside: &mut ProvisioningServiceClient<Channel>,
    script: &Script,
    room: bool,
) -> (Outcome, Option<JoinHandle<bool>>) {
    let (stream, seen) = taken(address).await;
    let (reader, mut writer) = stream.into_split();
    let mut reading = Box::pin(seen.clone().read(reader));
    let acting = async {
        for piece in &script.pieces {
            match piece {
                Piece::Pause => tokio::time::sleep(Duration::from_millis(1)).await,
                Piece::Send(octets) => {
                    if writer.write_all(octets).await.is_err() {
                        return;
                    }
                }
            }
        }
        if let Some(owed) = &script.owed {
            let answered = within(seen.answers(owed)).await;
            assert!(answered.is_some(), "of {owed:?}: {:?}", seen.state());
        } else if script.ending == Ending::Polite {
            let _ = tokio::time::timeout(SIGN_WITHIN, seen.sign()).await;
        }
    };
    let hung_up = tokio::select! {
        () = &mut reading => true,
        () = acting => false,
    };
    ask(beside).await;
    let mut kept = None;
    if !hung_up {
        match script.ending {
            Ending::Hold if room => {
                kept = Some(Handle::current().spawn(async move {
                    let _open = writer;
                    within(reading).await.is_some()
                }));
            }
            Ending::Abrupt => {
                let _ = writer.as_ref().set_zero_linger();
            }
            Ending::Hold | Ending::Mute | Ending::Polite => {
                let _ = writer.shutdown().await;
                let ended = within(reading).await;
                assert!(ended.is_some(), "the peer has gone: {:?}", seen.state());
            }
        }
    } else if let Some(owed) = &script.owed {
        let state = seen.state();
        assert!(state.is_answered(owed), "{owed:?}: {state:?}");
    }
    let state = seen.state();
    let outcome = Outcome {
        answered: state.ended.len(),
        broken: state.reset.len(),
        goaway: state.goaway,
        hung_up,
    };
    (outcome, kept)
}

/// A connection that the server took: it greets at once. One that finds no place is closed without
/// a word, and those that ended just now give theirs back in a moment.
async fn taken(address: SocketAddr) -> (TcpStream, Seen) {
    let taking = within(async {
        loop {
            let mut stream = TcpStream::connect(address).await.expect("the port is open");
            stream.set_nodelay(true).expect("a socket");
            let mut head = [0; 9];
            match stream.read_exact(&mut head).await {
                Ok(_) => break (stream, head),
                Err(error) if is_gone(&error) => {}
                Err(error) => panic!("{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
    let (mut stream, head) = taking.await.expect("places are left behind");
    let frame = Frame::new(head);
    assert_eq!((frame.kind, frame.flags, frame.stream), (SETTINGS, 0, 0));
    let mut payload = vec![0; frame.length];
    let reading = within(stream.read_exact(&mut payload)).await;
    reading.expect("a greeting comes whole").expect("it comes");
    (stream, Seen::default())
}
