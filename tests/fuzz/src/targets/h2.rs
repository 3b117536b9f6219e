//! The server side of HTTP/2: [`Connection`], after the preface.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::task::{Context, Poll, Waker};

use janua_h2::{Accept, Connection, Limits, PREFACE, Settings, StreamKey};
use janua_hpack::{DEFAULT_TABLE_SIZE, Decoder};
use janua_http::{Fields, HeadError, Known, RequestHead};

pub(crate) const WORDS: &[&str] = &[
    // SETTINGS, one with a window of 16 bytes, and their acknowledgement.
    "\0\0\0\x04\0\0\0\0\0",
    "\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\x10",
    "\0\0\0\x04\x01\0\0\0\0",
    // A request without and one with a body.
    "\0\0\x10\x01\x05\0\0\0\x01\0\x07:method\x03GET\0",
    "\0\0\0\x01\x04\0\0\0\x03",
    "\0\0\0\x01\0\0\0\0\x05",
    "\0\x07:method\x04POST",
    "\0\x07:scheme\x05https",
    "\0\x05:path\x01/",
    "\0\x0a:authority\x01a",
    "\0\x0econtent-length\x015",
    "\0\x06cookie\x01a",
    "\0\x08priority\x03u=1",
    // CONTINUATION, DATA, padded DATA and its end.
    "\0\0\0\x09\x04\0\0\0\x01",
    "\0\0\x05\0\0\0\0\0\x03hello",
    "\0\0\x05\0\x08\0\0\0\x03\x02lo\0\0",
    "\0\0\0\0\x01\0\0\0\x03",
    // RST_STREAM, PING, GOAWAY, WINDOW_UPDATE, PRIORITY and PRIORITY_UPDATE.
    "\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08",
    "\0\0\x08\x06\0\0\0\0\0draining",
    "\0\0\x08\x07\0\0\0\0\0\0\0\0\0\0\0\0\0",
    "\0\0\x04\x08\0\0\0\0\0\0\0\x40\0",
    "\0\0\x04\x08\0\0\0\0\x01\0\0\x40\0",
    "\0\0\x05\x02\0\0\0\0\x01\0\0\0\0\0",
    "\0\0\x08\x10\0\0\0\0\0\0\0\0\x01u=0,",
];

/// More than any connection may take: the window of the connection, twice since buffers grow by
/// doubling, and the rest.
const MEMORY: usize = 2 * 512 * 1024 + 512 * 1024;

pub(crate) fn run(input: &[u8]) {
    let whole = passive(input, usize::MAX);
    for step in [1, 3, 10, 64] {
        assert_eq!(passive(input, step), whole, "{step} bytes at a time");
    }
    for (step, size) in [(usize::MAX, 100), (40, 70_000), (7, 3)] {
        active(input, step, size);
    }
}

#[derive(Default)]
struct Requests {
    head: RequestHead,
    new: Vec<(StreamKey, RequestHead, Result<(), HeadError>)>,
}

impl Accept for Requests {
    fn head(&mut self) -> &mut RequestHead {
        &mut self.head
    }

    fn request(&mut self, key: StreamKey, received: Result<(), HeadError>) {
        if received.is_ok() {
            check_head(&self.head);
        }
        self.new.push((key, self.head.clone(), received));
    }
}

/// What a head that was accepted has, as in HTTP/1.
fn check_head(head: &RequestHead) {
    let hosts: Vec<_> = head.fields.known(Known::Host).collect();
    let mut host = Vec::new();
    head.authority.write_to(&mut host);
    assert_eq!(hosts, [&host[..]], "one Host, and the authority");
    let is_connect = head.method == b"CONNECT";
    assert!(is_connect || head.path.starts_with(b"/") || head.path == b"*");
    for (known, name, value) in head.fields.iter() {
        let is_forbidden = known.is_hop_by_hop() && known != Known::Te;
        assert!(!is_forbidden, "a connection-specific field");
        let is_lower = !name.iter().any(u8::is_ascii_uppercase);
        assert!(is_lower || known == Known::Host, "an upper-case name");
        assert!(!value.iter().any(|byte| b"\r\n\0".contains(byte)));
    }
    assert!(head.fields.get_all(b"cookie").count() <= 1, "crumbs");
    if !is_connect {
        check_same_in_http1(head);
    }
}

/// Forwarded over HTTP/1, the request is the same.
fn check_same_in_http1(head: &RequestHead) {
    let mut text = [&head.method, &b" "[..], &head.raw_path].concat();
    if let Some(query) = &head.query {
        text.push(b'?');
        text.extend_from_slice(query);
    }
    text.extend_from_slice(b" HTTP/1.1\r\n");
    head.fields.write_to(&mut text);
    text.extend_from_slice(b"\r\n");
    let limits = janua_http::head::Limits {
        bytes: text.len(),
        fields: 256,
    };
    let mut other = RequestHead::default();
    let parsed = other.parse(&text, limits);
    assert_eq!(parsed, Ok(Some(text.len())), "{}", text.escape_ascii());
    assert_eq!(other.method, head.method);
    assert_eq!(
        (other.path, other.query),
        (head.path.clone(), head.query.clone())
    );
    assert_eq!(other.authority, head.authority);
    assert_eq!(other.expects_continue, head.expects_continue);
    assert_eq!(other.fields.len(), head.fields.len());
}

/// What comes of the input if nobody answers: the output, and the requests.
fn passive(input: &[u8], step: usize) -> (Vec<u8>, String) {
    let mut connection = Connection::new(Settings::default(), Limits::default(), 0);
    let mut requests = Requests::default();
    let mut result = connection.receive(PREFACE, 0, &mut requests);
    for part in input.chunks(step.min(input.len()).max(1)) {
        result = result.and_then(|()| connection.receive(part, 0, &mut requests));
    }
    let mut text = format!("{result:?}");
    let context = Context::from_waker(Waker::noop());
    for (key, head, received) in requests.new {
        let mut body = vec![0; 1 << 20];
        let read = connection.poll_data(key, &context, &mut body);
        let end = connection.poll_data(key, &context, &mut [0]);
        let trailers = connection.take_trailers(key);
        text += &format!("{key:?} {head:?} {received:?} {read:?} {end:?} {trailers:?}");
    }
    (connection.output().to_vec(), text)
}

/// Answers all requests while the input arrives, and checks all that is written.
fn active(input: &[u8], step: usize, size: usize) {
    let mut connection = Connection::new(Settings::default(), Limits::default(), 0);
    let mut requests = Requests::default();
    let mut held = Vec::new();
    let mut output = Vec::new();
    let context = Context::from_waker(Waker::noop());
    let body = vec![b'x'; size];
    let mut now = 0;
    let mut parts = input.chunks(step.min(input.len()).max(1));
    let mut part = Some(&PREFACE[..]);
    while let Some(bytes) = part {
        let result = connection.receive(bytes, now, &mut requests);
        held.extend(requests.new.drain(..).map(|(key, ..)| (key, false)));
        held.retain_mut(|(key, has_begun)| {
            let mut buffer = [0; 50];
            while let Poll::Ready(Ok(1..)) = connection.poll_data(*key, &context, &mut buffer) {}
            if !*has_begun {
                *has_begun = true;
                let fields = [(Known::Other, &b"X-A"[..], &b"b"[..])];
                let _ = connection.send_head(*key, 200, fields.into_iter(), false);
                connection.set_ending(*key);
            }
            let sent = connection.poll_send(*key, &context, &body, &[]);
            let goes_on = sent.is_pending() || sent == Poll::Ready(Ok(1));
            if !goes_on {
                let _ = connection.poll_finish(*key, Some(&Fields::default()));
                connection.release(*key);
            }
            goes_on
        });
        now += 3;
        if connection
            .deadline(now)
            .is_some_and(|deadline| deadline <= now)
        {
            let _ = connection.on_timer(now);
        }
        let memory = connection.memory();
        assert!(memory <= MEMORY, "{memory} bytes of memory");
        // The transport takes a part each time.
        let count = connection.output().len().div_ceil(2);
        output.extend_from_slice(&connection.output()[..count]);
        connection.advance(count);
        if result.is_err() {
            break;
        }
        part = parts.next();
    }
    connection.end_of_input();
    for (key, _) in held {
        connection.release(key);
    }
    assert_eq!(
        (connection.open_streams(), connection.held_streams()),
        (0, 0)
    );
    output.extend_from_slice(connection.output());
    connection.advance(usize::MAX);
    assert!(connection.is_finished());
    check_output(&output);
}

/// What is written are valid frames, and streams have a head, data and an end, in this order.
fn check_output(mut output: &[u8]) {
    #[derive(Clone, Copy, PartialEq)]
    enum State {
        Begun,
        Ended,
        Reset,
    }
    let mut streams = HashMap::new();
    let mut decoder = Decoder::new(DEFAULT_TABLE_SIZE);
    while let Some((header, rest)) = output.split_first_chunk::<9>() {
        let [l1, l2, l3, kind, flags, s1, s2, s3, s4] = *header;
        let length = u32::from_be_bytes([0, l1, l2, l3]) as usize;
        let stream = u32::from_be_bytes([s1, s2, s3, s4]);
        let (payload, rest) = rest.split_at(length);
        output = rest;
        assert!(length <= 16_384, "a large frame");
        let state = streams.get(&stream).copied();
        let end = match flags & 1 {
            0 => State::Begun,
            _ => State::Ended,
        };
        match kind {
            0 => {
                assert!(state == Some(State::Begun), "DATA without a head");
                streams.insert(stream, end);
            }
            1 => {
                assert!(
                    matches!(state, None | Some(State::Begun)),
                    "HEADERS after the end"
                );
                let mut count = 0;
                let decoded = decoder.decode(payload, &mut Vec::new(), |_| {
                    count += 1;
                    ControlFlow::Continue(())
                });
                assert_eq!((decoded, count), (Ok(()), 2), "a head");
                streams.insert(stream, end);
            }
            3 => {
                assert_eq!(length, 4);
                assert!(state != Some(State::Reset), "reset twice");
                streams.insert(stream, State::Reset);
            }
            4 => assert!(stream == 0 && length.is_multiple_of(6), "SETTINGS"),
            6 => assert!(stream == 0 && length == 8, "PING"),
            7 => assert!(stream == 0 && length >= 8, "GOAWAY"),
            8 => assert!(length == 4 && payload != [0; 4], "WINDOW_UPDATE"),
            kind => panic!("a frame of type {kind}"),
        }
    }
    assert!(output.is_empty(), "the rest of a frame");
}
