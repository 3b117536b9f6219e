//! Each limit, with a healthy stream beside the abuse that must not notice.

use std::task::Poll;

use janua_h2::{Abuse, Code, ConnectionError, Limits, Settings, StreamError};

use crate::kit::*;

/// Abuse of a kind: its limit, and the frames of the n-th time.
struct Row {
    abuse: Abuse,
    limit: u32,
    frames: Box<dyn Fn(u32) -> Vec<Vec<u8>>>,
}

fn row(abuse: Abuse, limit: u32, frames: impl Fn(u32) -> Vec<Vec<u8>> + 'static) -> Row {
    let frames = Box::new(frames);
    Row {
        abuse,
        limit,
        frames,
    }
}

/// The stream of the n-th time: 1 is the healthy one.
fn id(time: u32) -> u32 {
    3 + 2 * time
}

fn rows() -> Vec<Row> {
    let limits = Limits::default();
    let malformed = |time| vec![headers(id(time), WHOLE, &GET[1..])];
    let empty = |time| {
        let last = frame(9, END_HEADERS, id(time), &section(&GET));
        vec![frame(1, END_STREAM, id(time), &[]), last, reset(id(time))]
    };
    let large = |time| {
        vec![
            headers(id(time), WHOLE, &[("x", "1"); 101]),
            reset(id(time)),
        ]
    };
    let gone = |time| match time {
        0 => vec![
            post(3),
            data(3, END_STREAM, b""),
            data(3, 0, b"x"),
            data(3, 0, b"x"),
        ],
        _ => vec![data(3, 0, b"x")],
    };
    vec![
        row(Abuse::RapidResets, limits.rapid_resets, |time| {
            vec![get(id(time)), reset(id(time))]
        }),
        row(Abuse::Resets, limits.resets, |time| match time {
            0 => vec![get(3), reset(3)],
            _ => vec![reset(3)],
        }),
        row(Abuse::ProvokedResets, limits.provoked_resets, malformed),
        row(Abuse::ProvokedResets, limits.provoked_resets, |time| {
            vec![get(id(time)), window_update(id(time), 0)]
        }),
        row(Abuse::EmptyHeaders, limits.empty_headers, empty),
        row(Abuse::LargeHeads, limits.large_heads, large),
        row(Abuse::EmptyData, limits.empty_data, |time| match time {
            0 => vec![post(3), data(3, 0, b"")],
            _ => vec![data(3, PADDED, b"\x01\0")],
        }),
        // The settings of the kit count too.
        row(Abuse::Settings, limits.settings - 2, |_| {
            vec![settings(&[(4, 65_535)])]
        }),
        row(Abuse::Pings, limits.pings, |_| vec![ping()]),
        row(Abuse::Priorities, limits.priorities, |time| {
            vec![match time % 2 {
                0 => frame(2, 0, 3, &[0; 5]),
                _ => frame(16, 0, 0, b"\0\0\0\x03u=1"),
            }]
        }),
        // Two are allowed for the request.
        row(Abuse::WindowUpdates, limits.window_updates + 2, |_| {
            vec![window_update(0, 1)]
        }),
        row(Abuse::UnknownFrames, limits.unknown_frames, |_| {
            vec![frame(0x42, 0, 0, b"x")]
        }),
        row(Abuse::ClosedFrames, limits.closed_frames, gone),
    ]
}

#[test]
fn abuse_ends_the_connection_only_above_its_limit() {
    for Row {
        abuse,
        limit,
        frames,
    } in rows()
    {
        let name = abuse.name();
        for exceeds in [false, true] {
            let mut client = Client::new();
            client.send(&get(1)).unwrap();
            client.take();
            let mut times = 0..limit;
            let sent = times.try_for_each(|time| {
                let sent = client.send_all(&frames(time));
                for (key, ..) in client.requests.all.split_off(1) {
                    if client.connection.is_received(key) {
                        client.connection.release(key);
                    }
                }
                client.bytes();
                sent
            });
            assert_eq!(sent, Ok(()), "{name} up to the limit");
            if !exceeds {
                client.check_healthy(1);
                // The next window begins anew.
                client.now += Limits::default().window_ms;
                assert_eq!(client.send_all(&frames(limit)), Ok(()), "{name} later");
                continue;
            }
            let error = client.send_all(&frames(limit));
            assert_eq!(error, Err(ConnectionError::Abuse(abuse)), "{name}");
            let last = client.take().pop().unwrap();
            assert!(last.ends_with("ENHANCE_YOUR_CALM"), "{name}: {last}");
            let counts: Vec<_> = client.connection.take_counts().collect();
            assert!(counts.iter().any(|count| count.0 == abuse), "{counts:?}");
        }
    }
}

#[test]
fn refused_streams() {
    let settings = Settings {
        max_concurrent_streams: 2,
        ..Settings::default()
    };
    let mut client = Client::with(settings, Limits::default());
    client.send_all(&[get(1), get(3), get(5)]).unwrap();
    assert_eq!(client.take(), ["RST_STREAM 5 REFUSED_STREAM"]);
    client.check_healthy(1);
    client.send(&get(7)).unwrap();
    // Those that the client has reset do not count, but as many again may be held at most.
    client
        .send_all(&[reset(3), reset(7), get(9), get(11)])
        .unwrap();
    client.send_all(&[reset(9), reset(11)]).unwrap();
    client.send(&get(13)).unwrap();
    assert_eq!(client.take(), ["RST_STREAM 13 REFUSED_STREAM"]);
    assert_eq!(client.connection.held_streams(), 4);
    for stream in [3, 7, 9, 11] {
        let key = client.key(stream);
        client.connection.release(key);
    }
    client.send(&get(15)).unwrap();
    client.send(&get(17)).unwrap();
    let frames: Vec<_> = (0..999).map(|time| get(19 + 2 * time)).collect();
    let refused = client.send_all(&frames);
    assert_eq!(refused, Err(ConnectionError::Abuse(Abuse::Refused)));
}

#[test]
fn continuations() {
    let block = section(&GET);
    for (count, expected) in [(20, Ok(())), (21, Err(Abuse::Continuations))] {
        let mut client = Client::new();
        client.send(&get(1)).unwrap();
        let mut frames = vec![frame(1, END_STREAM, 3, &block[..10])];
        frames.extend((0..count - 1).map(|at| frame(9, 0, 3, &block[10 + at..11 + at])));
        frames.push(frame(9, END_HEADERS, 3, &block[9 + count..]));
        let sent = client.send_all(&frames);
        assert_eq!(sent, expected.map_err(ConnectionError::Abuse));
        if expected.is_ok() {
            client.check_healthy(1);
            client.check_healthy(3);
        }
    }
}

#[test]
fn the_bytes_of_a_section() {
    let mut client = Client::new();
    client.send(&frame(1, END_STREAM, 1, &[0; 16_384])).unwrap();
    for _ in 0..3 {
        client.send(&frame(9, 0, 1, &[0; 16_384])).unwrap();
    }
    let error = client.send(&frame(9, 0, 1, &[0]));
    assert_eq!(error, Err(ConnectionError::Abuse(Abuse::HeaderBlock)));
}

/// A large field in the table, and references to it of a byte each (CVE-2026-49975).
#[test]
fn a_bomb_is_not_unpacked() {
    let mut client = Client::new();
    client.send(&get(1)).unwrap();
    for (name, refused) in [("x", 50), ("cookie", 50), ("cookie", 8), ("x", 4_000)] {
        let mut block = section(&GET);
        block.extend([0x40, name.len() as u8]);
        block.extend(name.as_bytes());
        block.extend([127, 0x81, 0x1e]);
        block.extend([b'v'; 127 + 0x1e * 128 + 1]);
        block.extend(vec![0x80 | 62; refused]);
        let stream = client.requests.all.len() as u32 * 2 + 1;
        let sent = client.send(&frame(1, WHOLE, stream, &block));
        if refused > 1_000 {
            assert_eq!(sent, Err(ConnectionError::Abuse(Abuse::UnpackedHead)));
            return;
        }
        let (key, head, received) = client.requests.all.pop().unwrap();
        assert!(received.is_err());
        assert!(
            head.fields.capacity() <= 128 * 1024,
            "{}",
            head.fields.capacity()
        );
        client.requests.all.push((key, head, received));
    }
    panic!("the last is a bomb");
}

#[test]
fn an_incomplete_frame_has_a_deadline() {
    let opening = frame(1, END_STREAM, 3, &section(&GET));
    for part in [&opening[..], &opening[..20], &opening[..4]] {
        let mut client = Client::new();
        client.now = 5;
        client.send(&[&get(1)[..], part].concat()).unwrap();
        assert_eq!(client.connection.deadline(7), Some(10_005));
        client.connection.on_timer(10_004).unwrap();
        let error = client.connection.on_timer(10_005);
        assert_eq!(error, Err(ConnectionError::Abuse(Abuse::SlowHead)));
    }
    // A part of a body has none.
    let mut client = Client::new();
    client
        .send_all(&[post(1), data(1, 0, b"xyz")[..10].to_vec()])
        .unwrap();
    assert_eq!(client.connection.deadline(7), None);
}

#[test]
fn settings_have_to_be_acknowledged() {
    let mut client = Client::unsettled(Settings::default(), Limits::default());
    client.send(janua_h2::PREFACE).unwrap();
    client.send(&settings(&[])).unwrap();
    assert_eq!(client.connection.deadline(0), Some(10_000));
    assert!(client.connection.on_timer(10_000).is_err());
    assert!(client.take().pop().unwrap().ends_with("SETTINGS_TIMEOUT"));
}

#[test]
fn a_closed_window_has_a_deadline() {
    let mut client = Client::new();
    client.send(&settings(&[(4, 10)])).unwrap();
    let (stalled, healthy) = (client.open(1), client.open(3));
    assert_eq!(client.respond(stalled, 20), Poll::Ready(Ok(10)));
    assert_eq!(client.respond(stalled, 10), Poll::Pending);
    assert_eq!(client.connection.deadline(100), Some(30_100));
    assert!(client.connection.is_blocked(stalled));
    client.connection.on_timer(30_099).unwrap();
    client.take();
    client.connection.on_timer(30_100).unwrap();
    assert_eq!(client.take(), ["RST_STREAM 1 ENHANCE_YOUR_CALM"]);
    let error = Poll::Ready(Err(StreamError::Stalled));
    assert_eq!(client.respond(stalled, 1), error);
    assert_eq!(client.respond(healthy, 10), Poll::Ready(Ok(10)));
    assert_eq!(
        client.connection.take_counts().last(),
        Some((Abuse::Stalls, 1))
    );
}

#[test]
fn tiny_windows() {
    let mut client = Client::new();
    client.send(&get(1)).unwrap();
    let key = client.open(3);
    client.send(&settings(&[(4, 1)])).unwrap();
    // The first byte is of the window that the stream has begun with.
    for _ in 0..=Limits::default().tiny_windows {
        assert_eq!(client.respond(key, 100), Poll::Ready(Ok(1)));
        assert_eq!(client.respond(key, 99), Poll::Pending);
        client.send(&window_update(3, 1)).unwrap();
    }
    client.take();
    client.send(&window_update(1, 10)).unwrap();
    client.check_healthy(1);
    let error = Poll::Ready(Err(StreamError::Disconnected));
    assert_eq!(client.respond(key, 100), error);
    let error = client.send(&ping());
    assert_eq!(error, Err(ConnectionError::Abuse(Abuse::TinyWindows)));
}

/// What is left of a window may be tiny.
#[test]
fn a_download_may_leave_little_of_a_window() {
    let mut client = Client::new();
    client.send(&settings(&[(4, 16_384 + 7)])).unwrap();
    let key = client.open(1);
    for _ in 0..2_000 {
        assert_eq!(client.respond(key, 50_000), Poll::Ready(Ok(16_384 + 7)));
        assert_eq!(client.respond(key, 30_000), Poll::Pending);
        client.bytes();
        client.send(&window_update(1, 16_384 + 7)).unwrap();
        client.send(&window_update(0, 16_384 + 7)).unwrap();
    }
}

#[test]
fn a_download_may_open_windows_often() {
    let mut client = Client::new();
    let key = client.open(1);
    for _ in 0..2_000 {
        assert_eq!(client.respond(key, 8_000), Poll::Ready(Ok(8_000)));
        client.bytes();
        client.send(&window_update(1, 8_000)).unwrap();
        client.send(&window_update(0, 8_000)).unwrap();
    }
}

/// A client that sends, and never reads: the output stays within its bounds.
#[test]
fn output_that_nobody_reads() {
    let limits = Limits {
        pings: u32::MAX,
        ..Limits::default()
    };
    let mut client = Client::with(Settings::default(), limits);
    let key = client.open(1);
    while client.respond(key, 100_000).is_ready() {}
    let data = client.connection.output().len();
    assert!(data <= 64 * 1024 + 16 * 1024 + 64, "{data}");
    while client.connection.wants_input() {
        client.send(&ping()).unwrap();
    }
    let output = client.connection.output().len();
    assert!(output <= 128 * 1024 + 64, "{output}");
}

#[test]
fn a_connection_ends_after_many_requests_or_resets() {
    let limits = Limits {
        max_requests: 3,
        max_resets: 2,
        ..Limits::default()
    };
    let mut client = Client::with(Settings::default(), limits);
    client.send_all(&[get(1), get(3)]).unwrap();
    assert_eq!(client.take(), [""; 0]);
    client.send(&get(5)).unwrap();
    assert_eq!(client.take(), ["GOAWAY 2147483647 NO_ERROR", "PING"]);
    client.check_healthy(5);
    let mut client = Client::with(Settings::default(), limits);
    client
        .send_all(&[get(1), reset(1), get(3), reset(3)])
        .unwrap();
    assert!(client.connection.is_draining());
    client.connection.go_away(Code::NO_ERROR, "bye");
    assert_eq!(client.take().last().unwrap(), "GOAWAY 3 NO_ERROR");
}

#[test]
fn a_stream_that_waits_for_others_is_not_stalled() {
    let mut client = Client::new();
    client.send(&settings(&[(4, 1 << 20)])).unwrap();
    let (busy, waiting) = (client.open(1), client.open(3));
    while client.respond(busy, 100_000).is_ready() {
        client.bytes();
    }
    assert_eq!(client.respond(waiting, 10), Poll::Pending);
    client.connection.deadline(0).unwrap();
    client.connection.on_timer(1_000).unwrap();
    client.now = 20_000;
    client.send(&window_update(0, 10)).unwrap();
    assert_eq!(client.respond(busy, 10), Poll::Ready(Ok(10)));
    client.connection.deadline(20_000);
    client.connection.on_timer(30_000).unwrap();
    let error = Poll::Ready(Err(StreamError::Stalled));
    assert_ne!(client.respond(waiting, 10), error, "the window was opened");
    let end = client.connection.deadline(30_000).unwrap();
    client.connection.on_timer(end).unwrap();
    client.connection.on_timer(60_000).unwrap();
    client.connection.on_timer(90_000).unwrap();
    assert_eq!(client.respond(waiting, 10), error, "and then no more");
}

/// A client does not know our limit of streams when it begins.
#[test]
fn bodies_of_refused_streams_are_ignored() {
    let mut client = Client::new();
    let streams = (0..900).map(|time| 2 * time + 1);
    for stream in streams.clone() {
        client.send(&post(stream)).unwrap();
    }
    for stream in streams.skip(100) {
        client.send(&data(stream, END_STREAM, b"x")).unwrap();
    }
    client.check_healthy(1);
}
