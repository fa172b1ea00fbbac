//! What an input says of a connection: frames with true lengths, unless it asks for others.
//!
//! The first octet tells how the connection begins and ends, each of the others what is sent next,
//! with arguments behind it. Every input means something; one that ends early means what stands
//! there.

use std::collections::BTreeSet;

use icpgate::proto::v1;
use prost::Message as _;

pub(super) const DATA: u8 = 0;
pub(super) const HEADERS: u8 = 1;
pub(super) const PRIORITY: u8 = 2;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PUSH_PROMISE: u8 = 5;
pub(super) const PING: u8 = 6;
pub(super) const GOAWAY: u8 = 7;
pub(super) const WINDOW_UPDATE: u8 = 8;
pub(super) const CONTINUATION: u8 = 9;

pub(super) const END_STREAM: u8 = 1;
pub(super) const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// What a client says first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Most octets that one input sends; the machine is not to be filled, the bounds are to be found.
const MOST_OCTETS: usize = 512 * 1024;

/// Most pauses, each of a millisecond.
const MOST_PAUSES: usize = 4;

/// Most fields that wait for their headers, in octets.
const MOST_FIELDS: usize = 64 * 1024;

/// Payload of the ping that is sent last.
pub(super) const LAST_PING: [u8; 8] = *b"the last";

/// Octets of answers that are taken, beyond those that every connection begins with.
const ROOM: u32 = 1 << 30;

/// Names of fields that mean something to somebody on the way.
const NAMES: [&str; 16] = [
    "grpc-timeout",
    "authorization",
    "content-type",
    "te",
    "grpc-encoding",
    "grpc-accept-encoding",
    "content-length",
    ":path",
    ":method",
    ":authority",
    "host",
    "traceparent",
    "cookie",
    "connection",
    "x-fuzz",
    "grpc-trace-bin",
];

/// What is sent over one connection.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) pieces: Vec<Piece>,
    pub(super) ending: Ending,
    /// Calls that have to be answered, where nothing was sent but whole calls.
    pub(super) owed: Option<BTreeSet<u32>>,
}

/// One step.
#[derive(Debug)]
pub(super) enum Piece {
    /// Time for the server to read.
    Pause,
    /// Octets.
    Send(Vec<u8>),
}

/// How the connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// The peer is gone, without a word.
    Abrupt,
    /// The peer stays and says no more.
    Hold,
    /// The peer says that it sends no more, wherever in a frame it stands.
    Mute,
    /// The peer asks for a sign of life, waits for it, and says then that it sends no more.
    Polite,
}

impl Script {
    pub(super) fn read(input: &[u8]) -> Self {
        let (&mode, said) = input.split_first().unwrap_or((&0, &[]));
        let ending = match mode & 3 {
            0 => Ending::Polite,
            1 => Ending::Abrupt,
            2 => Ending::Mute,
            _ => Ending::Hold,
        };
        let mut writer = Writer::new();
        let greets = mode & 4 == 0;
        if greets {
            writer.out.extend(PREFACE);
        }
        let has_settings = mode & 8 == 0;
        if has_settings {
            writer.frame(SETTINGS, 0, 0, &[]);
        }
        writer.orderly = greets && has_settings && ending == Ending::Polite;
        writer.follow(said, true);
        if writer.orderly {
            // Room for every answer, as a library makes it while it reads.
            writer.frame(WINDOW_UPDATE, 0, 0, &ROOM.to_be_bytes());
        }
        if ending == Ending::Polite {
            writer.frame(PING, 0, 0, &LAST_PING);
        }
        writer.cut();
        Self {
            pieces: writer.pieces,
            ending,
            owed: writer.orderly.then_some(writer.owed),
        }
    }
}

struct Writer {
    pieces: Vec<Piece>,
    out: Vec<u8>,
    sent: usize,
    pauses: usize,
    fields: Vec<u8>,
    /// The stream that was opened last.
    stream: u32,
    orderly: bool,
    owed: BTreeSet<u32>,
}

impl Writer {
    fn new() -> Self {
        Self {
            pieces: Vec::new(),
            out: Vec::new(),
            sent: 0,
            pauses: 0,
            fields: Vec::new(),
            stream: 0,
            orderly: true,
            owed: BTreeSet::new(),
        }
    }

    /// Writes what is said; `outer` unless this is what is said again.
    fn follow(&mut self, said: &[u8], outer: bool) {
        let mut reader = Reader(said);
        let mut starts = Vec::new();
        while !reader.0.is_empty() && self.sent + self.out.len() < MOST_OCTETS {
            let start = said.len() - reader.0.len();
            match reader.octet() % 16 {
                0 => self.whole_call(reader.octet()),
                1 => self.frame(PING, 0, 0, b"sequence"),
                2 => self.pause(),
                13 => {
                    let (steps, times) = (reader.octet() % 8 + 1, reader.octet());
                    let from = starts.len().saturating_sub(steps.into());
                    if let Some(&from) = starts.get(from).filter(|_| outer) {
                        for _ in 0..=times {
                            self.follow(&said[from..start], false);
                        }
                    }
                }
                step => {
                    self.orderly = false;
                    self.odd(step, &mut reader);
                }
            }
            starts.push(start);
        }
    }

    /// A step that no caller takes who only asks.
    fn odd(&mut self, step: u8, reader: &mut Reader) {
        match step {
            3 => {
                let name = NAMES[usize::from(reader.octet()) % NAMES.len()];
                let value = reader.short();
                if self.fields.len() < MOST_FIELDS {
                    field(&mut self.fields, name.as_bytes(), value);
                }
            }
            4 => {
                let path = CALLS[usize::from(reader.octet()) % CALLS.len()].0;
                let mut block = call(path);
                block.append(&mut self.fields);
                self.open();
                self.frame(HEADERS, reader.octet(), self.stream, &block);
            }
            5 => {
                let (stream, flags) = (self.chosen(reader.octet()), reader.octet());
                let block = std::mem::take(&mut self.fields);
                self.frame(CONTINUATION, flags, stream, &block);
            }
            6 => {
                let (stream, flags) = (self.chosen(reader.octet()), reader.octet());
                let (_, message) = CALLS[usize::from(reader.octet()) % CALLS.len()];
                self.frame(DATA, flags, stream, &prefixed(0, &message()));
            }
            7 => {
                let (stream, flags) = (self.chosen(reader.octet()), reader.octet());
                self.frame(DATA, flags, stream, reader.long());
            }
            8 => {
                let (stream, flags) = (self.chosen(reader.octet()), reader.octet());
                let compressed = reader.octet();
                let message = prefixed(compressed, reader.long());
                self.frame(DATA, flags, stream, &message);
            }
            9 => {
                self.open();
                let flags = reader.octet();
                self.frame(HEADERS, flags, self.stream, reader.long());
            }
            10 => {
                let (kind, flags) = (reader.octet(), reader.octet());
                let stream = self.chosen(reader.octet());
                self.frame(kind, flags, stream, reader.long());
            }
            11 => {
                let (kind, flags) = (reader.octet(), reader.octet());
                let stream = self.chosen(reader.octet());
                let length = [reader.octet(), reader.octet(), reader.octet()];
                self.head(length, kind, flags, stream);
                self.out.extend(reader.short());
            }
            12 => self.out.extend(reader.long()),
            14 => {
                let settings = usize::from(reader.octet() % 8) * 6;
                let mut payload = Vec::new();
                for place in 0..settings {
                    // Numbers of settings are small.
                    let high = place % 6 == 0;
                    payload.push(if high { 0 } else { reader.octet() });
                }
                self.frame(SETTINGS, 0, 0, &payload);
            }
            _ => {
                let kind = [RST_STREAM, WINDOW_UPDATE, GOAWAY, PRIORITY, PUSH_PROMISE];
                let kind = kind[usize::from(reader.octet()) % kind.len()];
                let stream = self.chosen(reader.octet());
                let number = [0; 4].map(|_: u8| reader.octet());
                match kind {
                    GOAWAY => self.frame(kind, 0, 0, &[[0; 4], number].concat()),
                    PRIORITY => self.frame(kind, 0, stream, &[&number[..], &[16]].concat()),
                    PUSH_PROMISE => self.frame(kind, END_HEADERS, stream, &number),
                    _ => self.frame(kind, 0, stream, &number),
                }
            }
        }
    }

    /// A call as a library makes it.
    fn whole_call(&mut self, which: u8) {
        let (path, message) = CALLS[usize::from(which) % CALLS.len()];
        self.open();
        self.owed.insert(self.stream);
        let stream = self.stream;
        self.frame(HEADERS, END_HEADERS, stream, &call(path));
        self.frame(DATA, END_STREAM, stream, &prefixed(0, &message()));
    }

    fn open(&mut self) {
        self.stream = match self.stream {
            0 => 1,
            stream => (stream + 2) & 0x7fff_ffff,
        };
    }

    fn chosen(&self, octet: u8) -> u32 {
        match octet {
            0 => self.stream,
            1 => 0,
            // The bit that means nothing, and the last stream there is.
            254 => 0x8000_0001,
            255 => 0x7fff_ffff,
            number => u32::from(number - 1),
        }
    }

    fn pause(&mut self) {
        self.cut();
        if self.pauses < MOST_PAUSES {
            self.pauses += 1;
            self.pieces.push(Piece::Pause);
        }
    }

    fn cut(&mut self) {
        let out = std::mem::take(&mut self.out);
        self.sent += out.len();
        if !out.is_empty() {
            self.pieces.push(Piece::Send(out));
        }
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("inputs are short");
        let [_, length @ ..] = length.to_be_bytes();
        self.head(length, kind, flags, stream);
        self.out.extend(payload);
    }

    fn head(&mut self, length: [u8; 3], kind: u8, flags: u8, stream: u32) {
        self.out.extend(length);
        self.out.extend([kind, flags]);
        self.out.extend(stream.to_be_bytes());
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> u8 {
        let Some((&octet, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        octet
    }

    /// Up to 255 octets, with their number before them.
    fn short(&mut self) -> &'a [u8] {
        let length = self.octet();
        self.take(length.into())
    }

    /// The same with a number of two octets.
    fn long(&mut self) -> &'a [u8] {
        let length = u16::from_be_bytes([self.octet(), self.octet()]);
        self.take(length.into())
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        taken
    }
}

type Call = (&'static str, fn() -> Vec<u8>);

/// Every method of the port but those whose answers do not end, with a message for each.
const CALLS: [Call; 14] = [
    ("/icpgate.v1.ProvisioningService/CheckProvisioning", || {
        question("sample-shop.cn").encode_to_vec()
    }),
    (
        "/icpgate.v1.ProvisioningService/CheckProvisioning",
        Vec::new,
    ),
    (
        "/icpgate.v1.ProvisioningService/BatchCheckProvisioning",
        || {
            let requests = ["sample-shop.cn", "sample-blog.cn", ""].map(question);
            v1::BatchCheckProvisioningRequest {
                requests: requests.into(),
            }
            .encode_to_vec()
        },
    ),
    ("/icpgate.v1.ProvisioningService/ScreenDomains", || {
        v1::ScreenDomainsRequest {
            sequence: 7,
            requests: vec![question("sample-blog.cn")],
        }
        .encode_to_vec()
    }),
    ("/icpgate.v1.ProvisioningService/GetDecision", || {
        v1::GetDecisionRequest {
            decision_id: "0123456789abcdef0123456789abcdef".to_owned(),
        }
        .encode_to_vec()
    }),
    ("/icpgate.v1.RecordService/PutRecords", || {
        v1::PutRecordsRequest {
            records: vec![block()],
        }
        .encode_to_vec()
    }),
    ("/icpgate.v1.RecordService/ImportRecords", || {
        v1::ImportRecordsRequest {
            record: Some(block()),
            line: 1,
        }
        .encode_to_vec()
    }),
    ("/icpgate.v1.RecordService/GetDomain", || {
        v1::GetDomainRequest {
            domain: "sample-blog.cn".to_owned(),
        }
        .encode_to_vec()
    }),
    ("/icpgate.v1.RecordService/ListChanges", || {
        v1::ListChangesRequest {
            page_size: 3,
            ..Default::default()
        }
        .encode_to_vec()
    }),
    ("/grpc.health.v1.Health/Check", Vec::new),
    (
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        // `list_services`, empty.
        || vec![0x3a, 0],
    ),
    ("/icpgate.v1.RecordService/Unknown", Vec::new),
    ("", Vec::new),
    ("*", Vec::new),
];

/// A question for an order in the mainland.
pub(super) fn question(domain: &str) -> v1::CheckProvisioningRequest {
    v1::CheckProvisioningRequest {
        domain: domain.to_owned(),
        product: v1::Product::Cdn as i32,
        service_area: v1::ServiceArea::Mainland as i32,
        ..Default::default()
    }
}

/// A record that says nothing of the names that are asked for.
fn block() -> v1::Record {
    let json = r#"{"block":{"list":"BLOCK_LIST_AUTHORITY","domain":"blocked-frames.cn"}}"#;
    serde_json::from_str(json).expect("a record in its JSON form")
}

/// Headers of a call, none of which is taken into the table of the connection.
fn call(path: &str) -> Vec<u8> {
    // `:method POST` and `:scheme http` have places in the table that is always there, and so has
    // the name `:path`.
    let mut block = vec![0x83, 0x86, 0x04];
    text(&mut block, path.as_bytes());
    field(&mut block, b"content-type", b"application/grpc");
    field(&mut block, b"te", b"trailers");
    block
}

fn field(block: &mut Vec<u8>, name: &[u8], value: &[u8]) {
    block.push(0);
    text(block, name);
    text(block, value);
}

/// Text with its length before it: seven bits, and what is beyond in two further octets of seven.
fn text(block: &mut Vec<u8>, text: &[u8]) {
    match text.len().checked_sub(127) {
        None => block.push(u8::try_from(text.len()).expect("it is below 127")),
        Some(rest) => {
            let rest = u16::try_from(rest).expect("inputs are short");
            block.push(127);
            block.push(u8::try_from(rest % 128).expect("seven bits") | 128);
            block.push(u8::try_from(rest / 128).expect("inputs are short"));
        }
    }
    block.extend(text);
}

/// A message as it stands on the wire of gRPC.
fn prefixed(compressed: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("inputs are short");
    [&[compressed], &length.to_be_bytes()[..], message].concat()
}
