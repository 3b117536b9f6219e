//! Bytes in, bytes out.

use std::task::Poll;

use crate::kit::*;
use janua_h2::{Code, Limits, PREFACE, Settings, StreamError};
use janua_http::head::Version;
use janua_http::{Fields, Framing, HeadError, Known};

#[test]
fn a_connection_begins_with_our_settings() {
    let mut client = Client::unsettled(Settings::default(), Limits::default());
    let mut expected = settings(&[
        (1, 4_096),
        (3, 100),
        (4, 131_072),
        (5, 16_384),
        (6, 32_768),
        (9, 1),
    ]);
    expected.extend(window_update(0, 524_288 - 65_535));
    assert_eq!(client.bytes(), expected);
    client.send(PREFACE).unwrap();
    client.send(&settings(&[(3, 5)])).unwrap();
    assert_eq!(client.take(), ["SETTINGS ack"]);
    client.send(&ping()).unwrap();
    assert_eq!(client.bytes(), frame(6, ACK, 0, &[7; 8]));
}

#[test]
fn a_request_and_its_response() {
    let mut client = Client::new();
    client
        .send(&post_with(
            1,
            &[("content-length", "5"), ("cookie", "a"), ("cookie", "b")],
        ))
        .unwrap();
    client.send(&data(1, 0, b"he")).unwrap();
    client
        .send(&data(1, END_STREAM | PADDED, b"\x02llo\0\0"))
        .unwrap();
    let (key, head, received) = client.requests.all.pop().unwrap();
    assert_eq!(
        (received, head.version, head.framing),
        (Ok(()), Version::Http2, Framing::Stream(Some(5)))
    );
    assert_eq!(head.fields.get(b"cookie"), Some(&b"a; b"[..]));
    assert_eq!(client.read(key), Poll::Ready(Ok(b"hello".to_vec())));
    assert_eq!(client.read(key), Poll::Ready(Ok(Vec::new())));
    assert_eq!(client.read(key), Poll::Pending, "the end is told once");
    let mut fields = Fields::default();
    fields.append(b"X-A", b"1");
    fields.append(b"Transfer-Encoding", b"chunked");
    client
        .connection
        .send_head(key, 200, fields.iter(), false)
        .unwrap();
    client.connection.expect_length(key, 3);
    assert_eq!(client.respond(key, 3), Poll::Ready(Ok(3)));
    assert!(client.connection.is_blocked(key));
    let bytes = client.bytes();
    assert!(!client.connection.is_blocked(key));
    // A table of 1,024 bytes, and `:status: 200`.
    assert_eq!(bytes[9..13], [0x3f, 0xe1, 0x07, 0x88]);
    assert_eq!(describe(&bytes), ["HEADERS 1", "DATA 1 3 end"]);
    let mut decoder = janua_hpack::Decoder::new(4_096);
    let mut fields = Vec::new();
    let length = usize::from(bytes[2]);
    let take = |field: janua_hpack::Field<'_>| {
        fields.push((field.name.to_vec(), field.value.to_vec()));
        std::ops::ControlFlow::Continue(())
    };
    decoder
        .decode(&bytes[9..9 + length], &mut Vec::new(), take)
        .unwrap();
    let field = |name: &str, value: &str| (name.as_bytes().to_vec(), value.as_bytes().to_vec());
    assert_eq!(fields, [field(":status", "200"), field("x-a", "1")]);
    assert_eq!(
        client.connection.poll_finish(key, None),
        Poll::Ready(Ok(()))
    );
    assert_eq!(client.connection.open_streams(), 0);
    client.connection.release(key);
    assert_eq!(client.take(), [""; 0]);
}

#[test]
fn ends_of_responses() {
    let mut client = Client::new();
    for stream in [1, 3, 5, 7, 9] {
        client.send(&get(stream)).unwrap();
    }
    let none = std::iter::empty;
    let connection = &mut client.connection;
    let key = |stream: usize| client.requests.all[stream / 2].0;
    connection.send_head(key(1), 204, none(), true).unwrap();
    assert_eq!(
        connection.send_head(key(1), 200, none(), true),
        Err(StreamError::Ended)
    );
    connection.send_head(key(3), 103, none(), true).unwrap();
    connection.send_head(key(3), 200, none(), false).unwrap();
    let mut trailers = Fields::default();
    trailers.append(b"Grpc-Status", b"0");
    assert_eq!(
        connection.poll_finish(key(3), Some(&trailers)),
        Poll::Ready(Ok(()))
    );
    connection.send_head(key(5), 200, none(), false).unwrap();
    connection.set_ending(key(5));
    connection.send_head(key(7), 200, none(), false).unwrap();
    connection.expect_length(key(7), 5);
    assert!(connection.poll_finish(key(7), None).is_ready());
    connection.release(key(9));
    let five = key(5);
    assert_eq!(client.respond(five, 20_000), Poll::Ready(Ok(20_000)));
    assert_eq!(
        client.respond(five, 1),
        Poll::Ready(Err(StreamError::Ended))
    );
    let expected = [
        "HEADERS 1 end",
        "HEADERS 3",
        "HEADERS 3",
        "HEADERS 3 end",
        "HEADERS 5",
        "HEADERS 7",
        "RST_STREAM 7 INTERNAL_ERROR",
        "RST_STREAM 9 INTERNAL_ERROR",
        "DATA 5 16384",
        "DATA 5 3616 end",
    ];
    assert_eq!(client.take(), expected);
}

#[test]
fn a_request_that_is_not_read_to_its_end() {
    let mut client = Client::new();
    client.send(&post(1)).unwrap();
    client.send(&data(1, 0, &[0; 10])).unwrap();
    let key = client.key(1);
    client
        .connection
        .send_head(key, 413, std::iter::empty(), true)
        .unwrap();
    client.connection.release(key);
    assert_eq!(client.take(), ["HEADERS 1 end", "RST_STREAM 1 NO_ERROR"]);
    client.send(&data(1, END_STREAM, &[0; 10])).unwrap();
    assert_eq!(client.take(), [""; 0]);
}

#[test]
fn refused_heads_are_answered() {
    let mut client = Client::new();
    let long = "x".repeat(16_000);
    client.send(&post_with(1, &[("a", &long)])).unwrap();
    client.send(&post_with(3, &[("a", "1"); 101])).unwrap();
    client
        .send(&headers(
            5,
            WHOLE,
            &[GET[0], GET[1], GET[2], (":path", "x")],
        ))
        .unwrap();
    let block = section(&[&GET[..], &[("a", &*long), ("b", &*long), ("c", &*long)]].concat());
    let parts: Vec<_> = block.chunks(16_384).collect();
    client.send(&frame(1, END_STREAM, 7, parts[0])).unwrap();
    client.send(&frame(9, 0, 7, parts[1])).unwrap();
    client.send(&frame(9, END_HEADERS, 7, parts[2])).unwrap();
    let received: Vec<_> = client
        .requests
        .all
        .iter()
        .map(|request| request.2)
        .collect();
    let expected = [
        Ok(()),
        Err(HeadError::TooManyFields),
        Err(HeadError::Malformed("bad request target")),
        Err(HeadError::TooLarge),
    ];
    assert_eq!(received, expected);
    client.check_healthy(5);
}

#[test]
fn a_large_head_takes_several_frames() {
    let mut client = Client::new();
    client.send(&get(1)).unwrap();
    let long = vec![b'x'; 40_000];
    let fields = [(Known::Other, &b"a"[..], &long[..])];
    let key = client.key(1);
    client
        .connection
        .send_head(key, 200, fields.into_iter(), true)
        .unwrap();
    let frames = client.take();
    assert_eq!(frames[0], "HEADERS 1 end ...");
    assert!(
        frames.len() >= 2 && frames.last().unwrap() == "CONTINUATION 1",
        "{frames:?}"
    );
}

#[test]
fn trailers_of_a_request() {
    let mut client = Client::new();
    client.send(&post(1)).unwrap();
    client
        .send(&headers(1, WHOLE, &[("x", "1"), ("host", "b")]))
        .unwrap();
    let key = client.key(1);
    assert_eq!(client.read(key), Poll::Ready(Ok(Vec::new())));
    let trailers = client.connection.take_trailers(key).unwrap();
    assert_eq!((trailers.get(b"x"), trailers.len()), (Some(&b"1"[..]), 1));
    assert!(client.connection.take_trailers(key).is_none());
}

#[test]
fn a_reset_wakes_and_fails_both_directions() {
    let mut client = Client::new();
    let key = client.open(1);
    assert_eq!(client.read(key), Poll::Ready(Ok(Vec::new())));
    assert_eq!(client.read(key), Poll::Pending);
    client.send(&reset(1)).unwrap();
    let error = StreamError::Reset(Code::CANCEL);
    assert_eq!(client.read(key), Poll::Ready(Err(error)));
    assert_eq!(client.respond(key, 1), Poll::Ready(Err(error)));
    client.connection.release(key);
    assert_eq!(client.take(), ["HEADERS 1"]);
    assert_eq!(
        client.read(key),
        Poll::Ready(Err(StreamError::Ended)),
        "released"
    );
    client.send(&get(3)).unwrap();
    client.connection.end_of_input();
    let key = client.key(3);
    assert_eq!(
        client.read(key),
        Poll::Ready(Err(StreamError::Disconnected))
    );
}

#[test]
fn draining_takes_two_steps() {
    let mut client = Client::new();
    client.send(&get(1)).unwrap();
    client.connection.start_drain();
    assert_eq!(client.take(), ["GOAWAY 2147483647 NO_ERROR", "PING"]);
    client.send(&get(3)).unwrap();
    client.send(&frame(6, ACK, 0, b"draining")).unwrap();
    assert_eq!(client.take(), ["GOAWAY 3 NO_ERROR"]);
    client.send(&get(5)).unwrap();
    assert_eq!(client.take(), ["RST_STREAM 5 REFUSED_STREAM"]);
    client.check_healthy(1);
    assert!(!client.connection.is_finished());
    client.check_healthy(3);
    assert!(client.connection.is_finished());
}

#[test]
fn draining_does_not_wait_for_a_client_that_is_silent() {
    let mut client = Client::new();
    client.connection.start_drain();
    client.take();
    assert_eq!(client.connection.deadline(5), Some(1_005));
    client.connection.on_timer(1_005).unwrap();
    assert_eq!(client.take(), ["GOAWAY 0 NO_ERROR"]);
    assert!(client.connection.is_finished());
}

/// After requests of a browser, whose fields are in the tables.
#[test]
fn an_idle_connection_is_small() {
    let mut client = Client::new();
    let mut encoder = janua_hpack::Encoder::new();
    let mut fields = Fields::default();
    for (name, value) in [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Cache-Control", "public, max-age=600"),
        ("Vary", "accept-encoding"),
        ("Server", "janua"),
    ] {
        fields.append(name.as_bytes(), value.as_bytes());
    }
    for time in 0..50 {
        let mut block = Vec::new();
        encoder.begin(&mut block);
        for (name, value) in [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "www.example.com"),
            (":path", "/index.html"),
            (
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            ),
            (
                "accept",
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            ),
            ("accept-language", "en-US,en;q=0.5"),
            ("accept-encoding", "gzip, deflate, br, zstd"),
        ] {
            let (name, value) = (name.as_bytes(), value.as_bytes());
            let indexing = janua_hpack::Indexing::of(name, value);
            encoder.field(name, value, indexing, &mut block);
        }
        let stream = 2 * time + 1;
        client.send(&frame(1, WHOLE, stream, &block)).unwrap();
        let (key, ..) = client.requests.all.pop().unwrap();
        let date = format!("Fri, 27 Nov 2026 21:48:{time:02} GMT");
        fields.set(b"Date", date.as_bytes());
        client
            .connection
            .send_head(key, 200, fields.iter(), false)
            .unwrap();
        client.connection.set_ending(key);
        assert_eq!(client.respond(key, 1_000), Poll::Ready(Ok(1_000)));
        client.connection.release(key);
        client.bytes();
    }
    let memory = client.connection.memory();
    assert!(memory <= 4 * 1024, "{memory} bytes");
}

/// A WebSocket (RFC 8441): both directions stay open after the response's head.
#[test]
fn another_protocol_on_a_stream() {
    let ours = Settings {
        enable_connect_protocol: true,
        ..Settings::default()
    };
    let mut client = Client::unsettled(ours, Limits::default());
    let bytes = client.bytes();
    assert!(bytes.windows(6).any(|entry| entry == [0, 8, 0, 0, 0, 1]));
    let mut client = Client::with(ours, Limits::default());
    let fields = [
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        GET[1],
        GET[2],
        GET[3],
    ];
    client.send(&headers(1, END_HEADERS, &fields)).unwrap();
    let head = &client.requests.all[0].1;
    assert_eq!(head.protocol.as_deref(), Some(&b"websocket"[..]));
    let key = client.begin(1);
    client.send(&data(1, 0, b"ping")).unwrap();
    assert_eq!(client.read(key), Poll::Ready(Ok(b"ping".to_vec())));
    assert_eq!(client.respond(key, 4), Poll::Ready(Ok(4)));
    client.send(&data(1, END_STREAM, b"")).unwrap();
    assert_eq!(client.read(key), Poll::Ready(Ok(Vec::new())));
    assert_eq!(
        client.connection.poll_finish(key, None),
        Poll::Ready(Ok(()))
    );
    assert_eq!(client.take(), ["HEADERS 1", "DATA 1 4", "DATA 1 0 end"]);
}
