//! What a server sends over a connection, frame by frame, and what has to hold of it.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex};

use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::OwnedReadHalf;
use tokio::sync::Notify;

use super::script::{
    ACK, CONTINUATION, DATA, END_STREAM, GOAWAY, HEADERS, LAST_PING, PING, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};

/// What came over a connection.
#[derive(Clone, Default)]
pub(super) struct Seen(Arc<(Mutex<State>, Notify)>);

#[derive(Clone, Debug, Default)]
pub(super) struct State {
    pub(super) ended: BTreeSet<u32>,
    pub(super) reset: BTreeSet<u32>,
    pub(super) goaway: Option<u32>,
    sign: bool,
}

impl State {
    /// Whether calls have their answers, or will have none.
    pub(super) fn is_answered(&self, owed: &BTreeSet<u32>) -> bool {
        self.goaway.is_some()
            || owed
                .iter()
                .all(|call| self.ended.contains(call) || self.reset.contains(call))
    }
}

impl Seen {
    pub(super) fn state(&self) -> State {
        self.0.0.lock().expect("nobody panicked").clone()
    }

    pub(super) async fn answers(&self, owed: &BTreeSet<u32>) {
        self.until(|state| state.is_answered(owed)).await;
    }

    pub(super) async fn sign(&self) {
        self.until(|state| state.sign || state.goaway.is_some())
            .await;
    }

    async fn until(&self, so: impl Fn(&State) -> bool) {
        while !so(&self.state()) {
            self.0.1.notified().await;
        }
    }

    /// Reads frames until the connection ends.
    pub(super) async fn read(self, mut reader: OwnedReadHalf) {
        loop {
            let mut head = [0; 9];
            let mut payload = Vec::new();
            let frame = async {
                reader.read_exact(&mut head).await?;
                payload.resize(Frame::new(head).length, 0);
                reader.read_exact(&mut payload).await
            };
            match frame.await {
                Ok(_) => self.take(Frame::new(head), &payload),
                Err(error) if is_gone(&error) => return,
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    fn take(&self, frame: Frame, payload: &[u8]) {
        let mut state = self.0.0.lock().expect("nobody panicked");
        let of_a_call = matches!(frame.kind, DATA | HEADERS | CONTINUATION | RST_STREAM);
        let of_all = matches!(frame.kind, SETTINGS | PING | GOAWAY);
        assert!(
            of_a_call || of_all || frame.kind == WINDOW_UPDATE,
            "{frame:?}"
        );
        // Servers open no streams here.
        assert!(!of_a_call || frame.stream % 2 == 1, "{frame:?}");
        assert!(!of_all || frame.stream == 0, "{frame:?}");
        match frame.kind {
            DATA | HEADERS => {
                let over = state.ended.contains(&frame.stream);
                assert!(!over, "after the end of its answer: {frame:?}");
                if frame.flags & END_STREAM != 0 {
                    state.ended.insert(frame.stream);
                }
            }
            RST_STREAM => {
                state.reset.insert(frame.stream);
            }
            GOAWAY => {
                let code = payload.get(4..8).and_then(|code| code.try_into().ok());
                state.goaway = code.map(u32::from_be_bytes);
                assert!(state.goaway.is_some(), "{frame:?}");
            }
            PING => state.sign |= frame.flags & ACK != 0 && payload == LAST_PING,
            _ => {}
        }
        drop(state);
        self.0.1.notify_one();
    }
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) length: usize,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
}

impl Frame {
    pub(super) fn new(head: [u8; 9]) -> Self {
        let [high, middle, low, kind, flags, stream @ ..] = head;
        let length = u32::from_be_bytes([0, high, middle, low]);
        Self {
            length: usize::try_from(length).expect("three octets"),
            kind,
            flags,
            stream: u32::from_be_bytes(stream),
        }
    }
}

/// Whether the other side has hung up.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe
    )
}
