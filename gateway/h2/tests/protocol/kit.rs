//! A client made of frames, whose connection the tests control step by step.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use janua_h2::{
    Accept, Connection, ConnectionError, Limits, PREFACE, Settings, StreamError, StreamKey,
};
use janua_http::{HeadError, RequestHead};

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const ACK: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;
pub(crate) const PADDED: u8 = 8;
pub(crate) const PRIORITY: u8 = 32;
pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;

/// A frame.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

pub(crate) fn data(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(0, flags, stream, payload)
}

/// A field section without indexing and Huffman coding.
pub(crate) fn section(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            if text.len() < 127 {
                block.push(text.len() as u8);
            } else {
                let rest = text.len() - 127;
                block.extend([127, (rest & 127) as u8 | 128, (rest >> 7) as u8]);
            }
            block.extend(text.as_bytes());
        }
    }
    block
}

pub(crate) const GET: [(&str, &str); 4] = [
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "a"),
    (":path", "/"),
];

pub(crate) fn headers(stream: u32, flags: u8, fields: &[(&str, &str)]) -> Vec<u8> {
    frame(1, flags, stream, &section(fields))
}

/// A request without a body.
pub(crate) fn get(stream: u32) -> Vec<u8> {
    headers(stream, WHOLE, &GET)
}

/// A request whose body follows, with these fields at its end.
pub(crate) fn post_with(stream: u32, fields: &[(&str, &str)]) -> Vec<u8> {
    headers(stream, END_HEADERS, &[&GET[..], fields].concat())
}

pub(crate) fn post(stream: u32) -> Vec<u8> {
    post_with(stream, &[])
}

pub(crate) fn reset(stream: u32) -> Vec<u8> {
    frame(3, 0, stream, &[0, 0, 0, 8])
}

pub(crate) fn settings(entries: &[(u16, u32)]) -> Vec<u8> {
    let mut payload = Vec::new();
    for (id, value) in entries {
        payload.extend(id.to_be_bytes());
        payload.extend(value.to_be_bytes());
    }
    frame(4, 0, 0, &payload)
}

pub(crate) fn ping() -> Vec<u8> {
    frame(6, 0, 0, &[7; 8])
}

pub(crate) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(8, 0, stream, &increment.to_be_bytes())
}

fn code(bytes: &[u8]) -> &'static str {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    NAMES[number(bytes) as usize]
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

/// The frames in `bytes`, as text; panics if they are not whole frames.
pub(crate) fn describe(mut bytes: &[u8]) -> Vec<String> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let length = number(&[&[0], &bytes[..3]].concat()) as usize;
        let (kind, flags, stream) = (bytes[3], bytes[4], number(&bytes[5..]));
        let payload = &bytes[9..9 + length];
        let end = if flags & END_STREAM != 0 { " end" } else { "" };
        frames.push(match kind {
            0 => format!("DATA {stream} {length}{end}"),
            1 if flags & END_HEADERS == 0 => format!("HEADERS {stream}{end} ..."),
            1 => format!("HEADERS {stream}{end}"),
            3 => format!("RST_STREAM {stream} {}", code(payload)),
            4 if flags & ACK != 0 => "SETTINGS ack".to_owned(),
            4 => "SETTINGS".to_owned(),
            6 if flags & ACK != 0 => "PING ack".to_owned(),
            6 => "PING".to_owned(),
            7 => format!("GOAWAY {} {}", number(payload), code(&payload[4..])),
            8 => format!("WINDOW_UPDATE {stream} {}", number(payload)),
            9 if flags & END_HEADERS == 0 => format!("CONTINUATION {stream} ..."),
            9 => format!("CONTINUATION {stream}"),
            kind => panic!("frame of type {kind}"),
        });
        bytes = &bytes[9 + length..];
    }
    frames
}

/// The requests that were accepted.
#[derive(Default)]
pub(crate) struct Requests {
    head: RequestHead,
    pub(crate) all: Vec<(StreamKey, RequestHead, Result<(), HeadError>)>,
}

impl Accept for Requests {
    fn head(&mut self) -> &mut RequestHead {
        &mut self.head
    }

    fn request(&mut self, key: StreamKey, received: Result<(), HeadError>) {
        self.all.push((key, self.head.clone(), received));
    }
}

/// Counts how often it was woken.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Woken {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

pub(crate) struct Client {
    pub(crate) connection: Connection,
    pub(crate) requests: Requests,
    pub(crate) now: u64,
}

impl Client {
    /// A client whose preface and settings have been exchanged.
    pub(crate) fn new() -> Self {
        Self::with(Settings::default(), Limits::default())
    }

    pub(crate) fn with(settings: Settings, limits: Limits) -> Self {
        let mut client = Self::unsettled(settings, limits);
        client.send(PREFACE).unwrap();
        client.send(&self::settings(&[])).unwrap();
        client.send(&frame(4, ACK, 0, &[])).unwrap();
        client.take();
        client
    }

    /// A client that has sent nothing.
    pub(crate) fn unsettled(settings: Settings, limits: Limits) -> Self {
        Self {
            connection: Connection::new(settings, limits, 0),
            requests: Requests::default(),
            now: 0,
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> Result<(), ConnectionError> {
        self.connection.receive(bytes, self.now, &mut self.requests)
    }

    /// Sends all of them, up to the first that ends the connection.
    pub(crate) fn send_all(&mut self, frames: &[Vec<u8>]) -> Result<(), ConnectionError> {
        frames.iter().try_for_each(|frame| self.send(frame))
    }

    /// What the connection writes.
    pub(crate) fn bytes(&mut self) -> Vec<u8> {
        let bytes = self.connection.output().to_vec();
        self.connection.advance(bytes.len());
        bytes
    }

    /// What the connection writes, as text.
    pub(crate) fn take(&mut self) -> Vec<String> {
        describe(&self.bytes())
    }

    /// The key of the request on this stream.
    pub(crate) fn key(&self, stream: u32) -> StreamKey {
        let mut all = self.requests.all.iter();
        all.find(|(key, ..)| key.id() == stream).unwrap().0
    }

    /// Opens a stream, and begins its response.
    pub(crate) fn open(&mut self, stream: u32) -> StreamKey {
        self.send(&get(stream)).unwrap();
        self.begin(stream)
    }

    /// Begins the response.
    pub(crate) fn begin(&mut self, stream: u32) -> StreamKey {
        let key = self.key(stream);
        let fields = std::iter::empty();
        self.connection.send_head(key, 200, fields, false).unwrap();
        key
    }

    pub(crate) fn read(&mut self, key: StreamKey) -> Poll<Result<Vec<u8>, StreamError>> {
        let mut buffer = vec![0; 1 << 20];
        let context = Context::from_waker(Waker::noop());
        let polled = self.connection.poll_data(key, &context, &mut buffer);
        polled.map_ok(|count| buffer[..count].to_vec())
    }

    /// Sends this many bytes of the response's body.
    pub(crate) fn respond(
        &mut self,
        key: StreamKey,
        count: usize,
    ) -> Poll<Result<usize, StreamError>> {
        self.respond_as(key, count, Waker::noop())
    }

    pub(crate) fn respond_as(
        &mut self,
        key: StreamKey,
        count: usize,
        waker: &Waker,
    ) -> Poll<Result<usize, StreamError>> {
        let body = vec![b'x'; count];
        let context = Context::from_waker(waker);
        self.connection.poll_send(key, &context, &body, &[])
    }

    /// Checks that a stream that was opened before is served as if nothing had happened.
    pub(crate) fn check_healthy(&mut self, stream: u32) {
        let key = self.begin(stream);
        assert_eq!(self.respond(key, 10), Poll::Ready(Ok(10)));
        assert_eq!(self.connection.poll_finish(key, None), Poll::Ready(Ok(())));
        let frames = self.take();
        let expected = [
            format!("HEADERS {stream}"),
            format!("DATA {stream} 10"),
            format!("DATA {stream} 0 end"),
        ];
        let of_stream = format!(" {stream}");
        let found = frames.into_iter().filter(|frame| {
            let is_update = frame.starts_with("WINDOW_UPDATE");
            !is_update && (frame.contains(&format!("{of_stream} ")) || frame.ends_with(&of_stream))
        });
        assert_eq!(found.collect::<Vec<_>>(), expected);
        self.connection.release(key);
    }
}
