//! What one request costs in this layer: its frames received, its head made, and its response
//! queued.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark that cannot go on has nothing to measure"
)]

use std::task::{Context, Poll, Waker};

use divan::{Bencher, black_box};
use janua_h2::{Accept, Connection, Limits, PREFACE, Settings, StreamKey};
use janua_hpack::{Encoder, Indexing};
use janua_http::{Fields, HeadError, RequestHead};

fn main() {
    divan::main();
}

/// How many requests arrive at once.
const STREAMS: u32 = 16;
const BODY: [u8; 1024] = [b'x'; 1024];

#[derive(Default)]
struct Requests {
    head: RequestHead,
    keys: Vec<StreamKey>,
}

impl Accept for Requests {
    fn head(&mut self) -> &mut RequestHead {
        &mut self.head
    }

    fn request(&mut self, key: StreamKey, received: Result<(), HeadError>) {
        received.unwrap();
        self.keys.push(key);
    }
}

/// A client that sends the same request again and again.
struct Client {
    encoder: Encoder,
    next: u32,
    bytes: Vec<u8>,
}

impl Client {
    fn write_requests(&mut self) {
        self.bytes.clear();
        for _ in 0..STREAMS {
            let start = self.bytes.len();
            self.bytes.extend([0; 9]);
            self.encoder.begin(&mut self.bytes);
            for (name, value) in [
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "127.0.0.1:8080"),
                (":path", "/"),
                ("user-agent", "h2load nghttp2/1.52.0"),
                ("accept", "*/*"),
            ] {
                let (name, value) = (name.as_bytes(), value.as_bytes());
                let out = &mut self.bytes;
                self.encoder.field(name, value, Indexing::Add, out);
            }
            let length = (self.bytes.len() - start - 9) as u8;
            let stream = self.next.to_be_bytes();
            let head = [&[0, 0, length, 1, 5][..], &stream].concat();
            self.bytes
                .get_mut(start..start + 9)
                .unwrap()
                .copy_from_slice(&head);
            self.next += 2;
        }
        // What a client sends after it has read this much.
        self.bytes.extend([0, 0, 4, 8, 0, 0, 0, 0, 0]);
        self.bytes.extend((STREAMS * 1024).to_be_bytes());
    }
}

struct Server {
    connection: Connection,
    requests: Requests,
    client: Client,
    fields: Fields,
}

impl Server {
    fn new() -> Self {
        let limits = Limits {
            max_requests: u32::MAX,
            ..Limits::default()
        };
        let mut server = Self {
            connection: Connection::new(Settings::default(), limits, 0),
            requests: Requests::default(),
            client: Client {
                encoder: Encoder::new(),
                next: 1,
                bytes: Vec::new(),
            },
            fields: Fields::default(),
        };
        for (name, value) in [
            ("Content-Type", "text/plain"),
            ("Content-Length", "1024"),
            ("Server", "janua"),
            ("Date", "Fri, 27 Nov 2026 21:48:57 GMT"),
        ] {
            server.fields.append(name.as_bytes(), value.as_bytes());
        }
        server.receive(PREFACE);
        server.receive(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        server.receive(&[0, 0, 0, 4, 1, 0, 0, 0, 0]);
        server
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.connection
            .receive(bytes, 0, &mut self.requests)
            .unwrap();
    }

    /// Answers all requests.
    fn answer(&mut self) {
        let context = Context::from_waker(Waker::noop());
        let connection = &mut self.connection;
        for key in self.requests.keys.drain(..) {
            let end = connection.poll_data(key, &context, &mut [0; 1]);
            assert_eq!(end, Poll::Ready(Ok(0)));
            let waits = connection.poll_data(key, &context, &mut [0; 1]);
            assert_eq!(waits, Poll::Pending);
            connection
                .send_head(key, 200, self.fields.iter(), false)
                .unwrap();
            connection.expect_length(key, BODY.len() as u64);
            let sent = connection.poll_send(key, &context, &BODY, &[]);
            assert_eq!(sent, Poll::Ready(Ok(BODY.len())));
            connection.release(key);
        }
        let count = black_box(connection.output()).len();
        connection.advance(count);
    }
}

/// 16 requests, each with a response of 1 KiB; the time is that of all of them.
#[divan::bench]
fn sixteen_requests(bencher: Bencher<'_, '_>) {
    let mut server = Server::new();
    bencher.bench_local(|| {
        server.client.write_requests();
        let bytes = std::mem::take(&mut server.client.bytes);
        server.receive(&bytes);
        server.client.bytes = bytes;
        server.answer();
    });
}

/// Of that, what the client costs.
#[divan::bench]
fn their_client(bencher: Bencher<'_, '_>) {
    let mut server = Server::new();
    bencher.bench_local(|| server.client.write_requests());
}
