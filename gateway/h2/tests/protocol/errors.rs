//! What violates the protocol, and the code that each violation gets.

use crate::kit::*;
use janua_h2::{Limits, PREFACE, Settings};

/// A name, what is sent, and what comes back at the end.
type Row = (&'static str, Vec<Vec<u8>>, &'static str);

fn continuation(stream: u32, flags: u8, payload: &[u8]) -> Vec<u8> {
    frame(9, flags, stream, payload)
}

fn connection_errors() -> Vec<Row> {
    let block = section(&GET);
    let (front, back) = block.split_at(5);
    let opening = frame(1, END_STREAM, 1, front);
    vec![
        (
            "a frame above the maximum size",
            vec![data(1, 0, &[0; 16_385])],
            "FRAME_SIZE_ERROR",
        ),
        ("DATA on stream 0", vec![data(0, 0, b"x")], "PROTOCOL_ERROR"),
        (
            "DATA on an idle stream",
            vec![data(1, 0, b"x")],
            "PROTOCOL_ERROR",
        ),
        (
            "DATA on an idle stream of the server",
            vec![data(2, 0, b"x")],
            "PROTOCOL_ERROR",
        ),
        (
            "DATA with more padding than payload",
            vec![post(1), data(1, PADDED, &[3, 0, 0])],
            "PROTOCOL_ERROR",
        ),
        (
            "padded DATA of nothing",
            vec![post(1), data(1, PADDED, &[])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "DATA after RST_STREAM",
            vec![post(1), reset(1), data(1, 0, b"x")],
            "STREAM_CLOSED",
        ),
        ("HEADERS on stream 0", vec![get(0)], "PROTOCOL_ERROR"),
        ("HEADERS on an even stream", vec![get(2)], "PROTOCOL_ERROR"),
        (
            "a smaller identifier",
            vec![get(5), get(3)],
            "PROTOCOL_ERROR",
        ),
        (
            "HEADERS after RST_STREAM",
            vec![post(1), reset(1), get(1)],
            "STREAM_CLOSED",
        ),
        (
            "HEADERS with more padding than payload",
            vec![frame(1, WHOLE | PADDED, 1, &[9, 0])],
            "PROTOCOL_ERROR",
        ),
        (
            "padded HEADERS of nothing",
            vec![frame(1, WHOLE | PADDED, 1, &[])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "HEADERS without its priority",
            vec![frame(1, WHOLE | PRIORITY, 1, &[0; 4])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "a section that cannot be decoded",
            vec![frame(1, WHOLE, 1, &[0x80])],
            "COMPRESSION_ERROR",
        ),
        (
            "an index beyond the table",
            vec![frame(1, WHOLE, 1, &[0xff, 0x10])],
            "COMPRESSION_ERROR",
        ),
        (
            "a section that is cut off",
            vec![frame(1, WHOLE, 1, &[0, 5, b'a'])],
            "COMPRESSION_ERROR",
        ),
        (
            "a table above the maximum",
            vec![frame(1, WHOLE, 1, &[0x3f, 0xe2, 0x1f])],
            "COMPRESSION_ERROR",
        ),
        (
            "a bad section on a stream that was reset",
            vec![
                post(1),
                data(1, 0, b"x"),
                post(1),
                frame(1, WHOLE, 1, &[0x80]),
            ],
            "COMPRESSION_ERROR",
        ),
        (
            "PRIORITY on stream 0",
            vec![frame(2, 0, 0, &[0; 5])],
            "PROTOCOL_ERROR",
        ),
        (
            "PRIORITY of a wrong size, idle",
            vec![frame(2, 0, 1, &[0; 4])],
            "FRAME_SIZE_ERROR",
        ),
        ("RST_STREAM on stream 0", vec![reset(0)], "PROTOCOL_ERROR"),
        (
            "RST_STREAM on an idle stream",
            vec![reset(1)],
            "PROTOCOL_ERROR",
        ),
        (
            "RST_STREAM of a wrong size",
            vec![get(1), frame(3, 0, 1, &[0; 3])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "SETTINGS on a stream",
            vec![frame(4, 0, 1, &[])],
            "PROTOCOL_ERROR",
        ),
        (
            "SETTINGS of a wrong size",
            vec![frame(4, 0, 0, &[0; 5])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "SETTINGS ack with a payload",
            vec![frame(4, ACK, 0, &[0; 6])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "ENABLE_PUSH of 2",
            vec![settings(&[(2, 2)])],
            "PROTOCOL_ERROR",
        ),
        (
            "INITIAL_WINDOW_SIZE above the maximum",
            vec![settings(&[(4, 1 << 31)])],
            "FLOW_CONTROL_ERROR",
        ),
        (
            "MAX_FRAME_SIZE below the minimum",
            vec![settings(&[(5, 16_383)])],
            "PROTOCOL_ERROR",
        ),
        (
            "MAX_FRAME_SIZE above the maximum",
            vec![settings(&[(5, 1 << 24)])],
            "PROTOCOL_ERROR",
        ),
        (
            "INITIAL_WINDOW_SIZE that makes a window overflow",
            vec![
                get(1),
                window_update(1, (1 << 31) - 1 - 65_535),
                settings(&[(4, 65_536)]),
            ],
            "FLOW_CONTROL_ERROR",
        ),
        (
            "PUSH_PROMISE",
            vec![get(1), frame(5, END_HEADERS, 1, &[0; 4])],
            "PROTOCOL_ERROR",
        ),
        (
            "PING on a stream",
            vec![frame(6, 0, 1, &[0; 8])],
            "PROTOCOL_ERROR",
        ),
        (
            "PING of a wrong size",
            vec![frame(6, 0, 0, &[0; 7])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "GOAWAY on a stream",
            vec![frame(7, 0, 1, &[0; 8])],
            "PROTOCOL_ERROR",
        ),
        (
            "GOAWAY of a wrong size",
            vec![frame(7, 0, 0, &[0; 7])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "WINDOW_UPDATE of nothing",
            vec![window_update(0, 0)],
            "PROTOCOL_ERROR",
        ),
        (
            "WINDOW_UPDATE of a wrong size",
            vec![frame(8, 0, 0, &[0; 3])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "WINDOW_UPDATE on an idle stream",
            vec![window_update(1, 1)],
            "PROTOCOL_ERROR",
        ),
        (
            "WINDOW_UPDATE beyond the maximum",
            vec![window_update(0, (1 << 31) - 1)],
            "FLOW_CONTROL_ERROR",
        ),
        (
            "CONTINUATION alone",
            vec![continuation(1, END_HEADERS, &[])],
            "PROTOCOL_ERROR",
        ),
        (
            "CONTINUATION after a whole section",
            vec![get(1), continuation(1, END_HEADERS, &[])],
            "PROTOCOL_ERROR",
        ),
        (
            "CONTINUATION on stream 0",
            vec![opening.clone(), continuation(0, END_HEADERS, back)],
            "PROTOCOL_ERROR",
        ),
        (
            "CONTINUATION on another stream",
            vec![opening.clone(), continuation(3, END_HEADERS, back)],
            "PROTOCOL_ERROR",
        ),
        (
            "another frame within a section",
            vec![opening.clone(), ping()],
            "PROTOCOL_ERROR",
        ),
        (
            "an unknown frame within a section",
            vec![opening.clone(), frame(0x42, 0, 1, b"x")],
            "PROTOCOL_ERROR",
        ),
        (
            "HEADERS within a section",
            vec![opening, get(3)],
            "PROTOCOL_ERROR",
        ),
        (
            "PRIORITY_UPDATE on a stream",
            vec![frame(16, 0, 1, &[0; 4])],
            "PROTOCOL_ERROR",
        ),
        (
            "PRIORITY_UPDATE of a wrong size",
            vec![frame(16, 0, 0, &[0; 3])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "PRIORITY_UPDATE for stream 0",
            vec![frame(16, 0, 0, &[0; 4])],
            "PROTOCOL_ERROR",
        ),
        (
            "more DATA than the connection's window",
            (0..17)
                .map(|at| post(1 + 2 * at))
                .chain((0..34).map(|at| data(1 + 2 * (at / 2), 0, &[0; 16_384])))
                .collect(),
            "FLOW_CONTROL_ERROR",
        ),
    ]
}

fn stream_errors() -> Vec<Row> {
    let trailers = |flags, fields: &[(&str, &str)]| headers(1, flags, fields);
    vec![
        (
            "DATA after the end",
            vec![get(1), data(1, 0, b"x")],
            "STREAM_CLOSED",
        ),
        (
            "HEADERS after the end",
            vec![get(1), get(1)],
            "STREAM_CLOSED",
        ),
        (
            "trailers that are not the end",
            vec![post(1), trailers(END_HEADERS, &[("a", "1")])],
            "PROTOCOL_ERROR",
        ),
        (
            "a pseudo-field in trailers",
            vec![post(1), trailers(WHOLE, &[(":path", "/")])],
            "PROTOCOL_ERROR",
        ),
        (
            "a connection-specific trailer",
            vec![post(1), trailers(WHOLE, &[("connection", "x")])],
            "PROTOCOL_ERROR",
        ),
        (
            "too many trailers",
            vec![post(1), trailers(WHOLE, &[("a", "1"); 65])],
            "ENHANCE_YOUR_CALM",
        ),
        (
            "an upper-case name",
            vec![post_with(1, &[("A", "1")])],
            "PROTOCOL_ERROR",
        ),
        (
            "a connection-specific field",
            vec![post_with(1, &[("transfer-encoding", "chunked")])],
            "PROTOCOL_ERROR",
        ),
        (
            "te",
            vec![post_with(1, &[("te", "gzip")])],
            "PROTOCOL_ERROR",
        ),
        ("no fields", vec![frame(1, WHOLE, 1, &[])], "PROTOCOL_ERROR"),
        (
            "a pseudo-field twice",
            vec![headers(1, WHOLE, &[&GET[..], &GET[..1]].concat())],
            "PROTOCOL_ERROR",
        ),
        (
            "an unknown pseudo-field",
            vec![post_with(1, &[(":x", "1")])],
            "PROTOCOL_ERROR",
        ),
        (
            "extended CONNECT that is not enabled",
            vec![headers(
                1,
                END_HEADERS,
                &[
                    (":method", "CONNECT"),
                    (":protocol", "websocket"),
                    GET[1],
                    GET[2],
                    GET[3],
                ],
            )],
            "PROTOCOL_ERROR",
        ),
        (
            "a body longer than its length",
            vec![
                post_with(1, &[("content-length", "3")]),
                data(1, 0, b"1234"),
            ],
            "PROTOCOL_ERROR",
        ),
        (
            "a body shorter than its length",
            vec![
                post_with(1, &[("content-length", "3")]),
                data(1, END_STREAM, b"12"),
            ],
            "PROTOCOL_ERROR",
        ),
        (
            "a length without body",
            vec![headers(
                1,
                WHOLE,
                &[&GET[..], &[("content-length", "3")]].concat(),
            )],
            "PROTOCOL_ERROR",
        ),
        (
            "trailers before the length",
            vec![
                post_with(1, &[("content-length", "3")]),
                trailers(WHOLE, &[("a", "1")]),
            ],
            "PROTOCOL_ERROR",
        ),
        (
            "PRIORITY of a wrong size",
            vec![get(1), frame(2, 0, 1, &[0; 4])],
            "FRAME_SIZE_ERROR",
        ),
        (
            "a second violation",
            vec![get(1), get(1), frame(2, 0, 1, &[0; 4])],
            "STREAM_CLOSED",
        ),
        (
            "WINDOW_UPDATE of nothing",
            vec![get(1), window_update(1, 0)],
            "PROTOCOL_ERROR",
        ),
        (
            "WINDOW_UPDATE beyond the maximum",
            vec![get(1), window_update(1, (1 << 31) - 1)],
            "FLOW_CONTROL_ERROR",
        ),
        (
            "more DATA than the stream's window",
            std::iter::once(post(1))
                .chain((0..9).map(|_| data(1, 0, &[0; 16_384])))
                .collect(),
            "FLOW_CONTROL_ERROR",
        ),
    ]
}

#[test]
fn connection_errors_end_the_connection() {
    for (name, frames, code) in connection_errors() {
        let mut client = Client::new();
        let error = client.send_all(&frames);
        assert!(error.is_err(), "{name}");
        let last = client.take().pop().unwrap_or_default();
        assert!(last.starts_with("GOAWAY"), "{name}: {last}");
        assert!(last.ends_with(&format!(" {code}")), "{name}: {last}");
        assert!(client.connection.is_finished(), "{name}");
        assert_eq!(client.send(&ping()), error, "{name}: it is over");
        assert_eq!(client.take(), [""; 0], "{name}: and silent");
    }
}

#[test]
fn stream_errors_end_the_stream() {
    for (name, frames, code) in stream_errors() {
        let mut client = Client::new();
        assert_eq!(client.send_all(&frames), Ok(()), "{name}");
        let resets: Vec<_> = client.take();
        let expected = format!("RST_STREAM 1 {code}");
        assert_eq!(resets, [expected], "{name}");
        for (key, ..) in std::mem::take(&mut client.requests.all) {
            client.connection.release(key);
        }
        assert_eq!(client.take(), [""; 0], "{name}: reset once");
        // What was on its way is ignored, and the connection goes on.
        client.send(&data(1, 0, b"x")).unwrap();
        client.send(&window_update(1, 1)).unwrap();
        client.send(&reset(1)).unwrap();
        client.send(&headers(1, WHOLE, &[("a", "1")])).unwrap();
        client.send(&get(3)).unwrap();
        client.check_healthy(3);
        assert_eq!(client.connection.open_streams(), 0, "{name}");
    }
}

#[test]
fn what_is_allowed_is_accepted() {
    for (name, frames) in [
        (
            "PRIORITY on an idle stream",
            vec![frame(2, 0, 9, &[0; 5]), get(1)],
        ),
        (
            "a stream that depends on itself",
            vec![frame(2, 0, 1, &[0, 0, 0, 1, 0]), get(1)],
        ),
        (
            "HEADERS with a priority",
            vec![frame(
                1,
                WHOLE | PRIORITY,
                1,
                &[&[0, 0, 0, 1, 0][..], &section(&GET)].concat(),
            )],
        ),
        (
            "padded HEADERS",
            vec![frame(
                1,
                WHOLE | PADDED,
                1,
                &[&[2][..], &section(&GET), &[0, 0]].concat(),
            )],
        ),
        (
            "unknown frames and flags",
            vec![
                frame(0x42, 0xff, 0x8000_0007, b"x"),
                frame(6, 0xfe, 0, &[0; 8]),
                get(1),
            ],
        ),
        (
            "unknown settings",
            vec![settings(&[(0x99, 7), (8, 1)]), get(1)],
        ),
        (
            "reserved bits",
            vec![
                frame(1, WHOLE, 0x8000_0001, &section(&GET)),
                window_update(1, 0x8000_0001),
            ],
        ),
        ("skipped identifiers", vec![get(1)]),
        (
            "an empty CONTINUATION",
            vec![
                frame(1, END_STREAM, 1, &section(&GET)),
                continuation(1, END_HEADERS, &[]),
            ],
        ),
        (
            "an unexpected acknowledgement",
            vec![frame(4, ACK, 0, &[]), frame(6, ACK, 0, &[0; 8]), get(1)],
        ),
        (
            "PRIORITY_UPDATE",
            vec![
                frame(16, 0, 0, b"\0\0\0\x01u=1"),
                get(1),
                frame(16, 0, 0, b"\0\0\0\x01u=9, ?"),
            ],
        ),
    ] {
        let mut client = Client::new();
        assert_eq!(client.send_all(&frames), Ok(()), "{name}");
        client.check_healthy(1);
    }
}

#[test]
fn the_preface_comes_first() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"PRI * HTTP/1", b"\x16\x03\x01"] {
        let mut client = Client::unsettled(Settings::default(), Limits::default());
        let error = client.send(bytes).unwrap_err();
        assert_eq!(error, janua_h2::ConnectionError::NotHttp2);
        assert_eq!(client.bytes(), b"");
    }
    for first in [
        ping(),
        get(1),
        frame(4, ACK, 0, &[]),
        frame(0x42, 0, 0, &[]),
    ] {
        let mut client = Client::unsettled(Settings::default(), Limits::default());
        client.send(PREFACE).unwrap();
        assert!(client.send(&first).is_err());
        assert_eq!(client.take()[2..], ["GOAWAY 0 PROTOCOL_ERROR"]);
    }
}
