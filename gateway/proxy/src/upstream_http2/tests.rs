//! Connections as requests see them: with an upstream that is played frame by frame.

#![allow(
    clippy::large_futures,
    reason = "each test is one future, of both sides"
)]

use janua_http::failure::Kind;

use crate::testing::frames::{ACK, END, Http2Peer, OK, WHOLE, kind, literal};
use crate::testing::{Calling, Kit, listen, run};

const APP: &str = "endpoints = [\"127.0.0.1:3000\"]\nhttp = \"2\"";
/// The first is chosen first.
const TWO: &str = "endpoints = [{ address = \"127.0.0.1:3000\", weight = 1000000 }, \"127.0.0.1:3001\"]\nhttp = \"2\"\n\
                   passive_health = { max_fails = 0 }";
const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const POST: &str = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn first_requests_wait_for_the_same_connection() {
    run(async {
        let kit = Kit::new(APP, "");
        let endpoint = listen("127.0.0.1:3000");
        let (mut one, _first) = Calling::new(&kit, GET);
        let (mut two, _second) = Calling::new(&kit, GET);
        let upstream = async {
            let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
            for stream in [1, 3] {
                let head = peer.next(kind::HEADERS).await;
                assert_eq!((head.stream, head.flags & END), (stream, END));
            }
            peer.respond(3).await;
            peer.respond(1).await;
            peer
        };
        let (one, two, _peer) = tokio::join!(one.run(), two.run(), upstream);
        assert!(one.is_ok() && two.is_ok());
        assert!(!endpoint.has_come());
        assert_eq!(kit.shared(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_stalled_handshake_holds_nobody_up() {
    run(async {
        let kit = Kit::new(APP, "");
        let endpoint = listen("127.0.0.1:3000");
        let (mut early, _first) = Calling::new(&kit, GET);
        let (mut late, _second) = Calling::new(&kit, GET);
        let late = async {
            kit.pass(2).await;
            late.run().await
        };
        let upstream = async {
            let stalled = endpoint.accept().await;
            let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
            let head = peer.next(kind::HEADERS).await;
            peer.respond(head.stream).await;
            (stalled, peer)
        };
        let (early, late, _peers) = tokio::join!(early.run(), late, upstream);
        assert_eq!(
            early.err().map(|failure| failure.kind),
            Some(Kind::ConnectTimeout)
        );
        assert!(late.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_behind_the_last_of_goaway_is_repeated() {
    run(async {
        let kit = Kit::new(APP, "");
        let endpoint = listen("127.0.0.1:3000");
        let (mut one, _first) = Calling::new(&kit, GET);
        let (mut two, _second) = Calling::new(&kit, POST);
        let upstream = async {
            let mut old = Http2Peer::begin(endpoint.accept().await, &[]).await;
            old.next(kind::HEADERS).await;
            assert_eq!(old.next(kind::HEADERS).await.stream, 3);
            old.go_away(1).await;
            let mut new = Http2Peer::begin(endpoint.accept().await, &[]).await;
            new.next(kind::HEADERS).await;
            new.respond(1).await;
            old.respond(1).await;
            (old, new)
        };
        let (first, second, _peers) = tokio::join!(one.run(), two.run(), upstream);
        assert!(first.is_ok() && second.is_ok());
        let endpoint = "127.0.0.1:3000".to_owned();
        assert_eq!(one.tried(), [(endpoint.clone(), None)]);
        assert_eq!(
            two.tried(),
            [(endpoint.clone(), Some("reset")), (endpoint, None)]
        );
    })
    .await;
}

/// Its body has been read from the client by then, in part or as a whole.
#[tokio::test(start_paused = true)]
async fn a_body_that_was_sent_in_vain_is_sent_again() {
    for (before, after) in [("hello", ""), ("he", "llo")] {
        run(async {
            let kit = Kit::new(APP, "");
            let endpoint = listen("127.0.0.1:3000");
            let (mut calling, mut client) = Calling::new(&kit, POST);
            client.send(before).await;
            let upstream = async {
                let mut old = Http2Peer::begin(endpoint.accept().await, &[]).await;
                let data = old.next(kind::DATA).await;
                assert_eq!(data.payload, before.as_bytes());
                old.go_away(0).await;
                let mut new = Http2Peer::begin(endpoint.accept().await, &[]).await;
                client.send(after).await;
                let (mut body, mut flags) = (Vec::new(), 0);
                while flags & END == 0 {
                    let data = new.next(kind::DATA).await;
                    body.extend(data.payload);
                    flags = data.flags;
                }
                assert_eq!(body, b"hello");
                new.respond(1).await;
                (old, new)
            };
            let (called, _peers) = tokio::join!(calling.run(), upstream);
            assert!(called.is_ok(), "{before}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_is_repeated_elsewhere() {
    run(async {
        let kit = Kit::new(TWO, "");
        let (refuses, serves) = (listen("127.0.0.1:3000"), listen("127.0.0.1:3001"));
        let (mut calling, _client) = Calling::new(&kit, POST);
        let refuses = async {
            let mut peer = Http2Peer::begin(refuses.accept().await, &[]).await;
            let head = peer.next(kind::HEADERS).await;
            peer.reset(head.stream, 7).await;
            peer
        };
        let serves = async {
            let mut peer = Http2Peer::begin(serves.accept().await, &[]).await;
            peer.next(kind::HEADERS).await;
            peer.respond(1).await;
            peer
        };
        let (called, _one, _other) = tokio::join!(calling.run(), refuses, serves);
        assert!(called.is_ok());
        assert_eq!(calling.tried()[0].1, Some("reset"));
        assert_eq!(calling.tried()[1], ("127.0.0.1:3001".to_owned(), None));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn other_resets_are_failures_of_requests_that_may_not_be_repeated() {
    run(async {
        let kit = Kit::new(TWO, "");
        let endpoint = listen("127.0.0.1:3000");
        let (mut calling, _client) = Calling::new(&kit, POST);
        let upstream = async {
            let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
            let head = peer.next(kind::HEADERS).await;
            peer.reset(head.stream, 2).await;
            peer
        };
        let (called, _peer) = tokio::join!(calling.run(), upstream);
        let failure = called.err().expect("a failure");
        assert_eq!(failure.kind, Kind::ConnectionReset);
        assert_eq!(calling.tried().len(), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_does_not_answer_is_dead() {
    run(async {
        let kit = Kit::new(TWO, "");
        let (dead, alive) = (listen("127.0.0.1:3000"), listen("127.0.0.1:3001"));
        let (mut calling, _client) = Calling::new(&kit, GET);
        let dead = async {
            let mut peer = Http2Peer::begin(dead.accept().await, &[]).await;
            peer.next(kind::HEADERS).await;
            peer.next(kind::PING).await;
            peer
        };
        let alive = async {
            let mut peer = Http2Peer::begin(alive.accept().await, &[]).await;
            peer.next(kind::HEADERS).await;
            peer.respond(1).await;
            peer
        };
        let (called, _dead, _alive, ()) = tokio::join!(calling.run(), dead, alive, kit.pass(20));
        assert!(called.is_ok());
        assert_eq!(calling.tried()[0].1, Some("reset"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_answers_is_alive() {
    run(async {
        let kit = Kit::new(APP, "");
        let endpoint = listen("127.0.0.1:3000");
        let (mut calling, _client) = Calling::new(&kit, GET);
        let upstream = async {
            let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
            peer.next(kind::HEADERS).await;
            let ping = peer.next(kind::PING).await;
            peer.send(kind::PING, ACK, 0, &ping.payload).await;
            kit.pass(20).await;
            peer.respond(1).await;
            peer
        };
        let (called, _peer, ()) = tokio::join!(calling.run(), upstream, kit.pass(12));
        assert!(called.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_without_streams_is_closed_after_its_time() {
    run(async {
        let kit = Kit::new(&format!("{APP}\nkeepalive_timeout = \"5s\""), "");
        let endpoint = listen("127.0.0.1:3000");
        let (mut calling, _client) = Calling::new(&kit, GET);
        let upstream = async {
            let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
            peer.next(kind::HEADERS).await;
            peer.respond(1).await;
            peer
        };
        let (called, mut peer) = tokio::join!(calling.run(), upstream);
        kit.pass(8).await;
        assert_eq!(kit.shared(), 1, "it is in use");
        drop(called);
        kit.pass(4).await;
        assert_eq!(kit.shared(), 1);
        kit.pass(2).await;
        assert_eq!(kit.shared(), 0);
        peer.next(kind::GOAWAY).await;
        peer.ends().await;
    })
    .await;
}

/// What is late for streams that clients have cancelled is no reason to give up the connection.
#[tokio::test(start_paused = true)]
async fn many_cancelled_streams_do_no_harm() {
    run(async {
        let kit = Kit::new(APP, "");
        let endpoint = listen("127.0.0.1:3000");
        let mut peer = None;
        let mut streams = Vec::new();
        for _ in 0..2200 {
            let (mut calling, _client) = Calling::new(&kit, GET);
            let upstream = async {
                let mut open = match peer.take() {
                    None => Http2Peer::begin(endpoint.accept().await, &[]).await,
                    Some(open) => open,
                };
                let head = open.next(kind::HEADERS).await;
                open.send(kind::HEADERS, WHOLE, head.stream, OK).await;
                streams.push(head.stream);
                open
            };
            let (called, open) = tokio::join!(calling.run(), upstream);
            assert!(called.is_ok());
            peer = Some(open);
        }
        let mut peer = peer.expect("a connection");
        for _ in 0..2 {
            for stream in &streams {
                peer.send(kind::DATA, 0, *stream, b"late").await;
            }
        }
        let (mut calling, _client) = Calling::new(&kit, GET);
        let upstream = async {
            let head = peer.next(kind::HEADERS).await;
            peer.respond(head.stream).await;
            peer
        };
        let (called, _peer) = tokio::join!(calling.run(), upstream);
        assert!(called.is_ok());
        assert!(!endpoint.has_come());
    })
    .await;
}

/// What HTTP/2 allows to nobody must not become a response of HTTP/1.
#[tokio::test(start_paused = true)]
async fn malformed_responses_are_refused() {
    let field = |name: &str, value: &[u8]| [OK.to_vec(), literal(name, value)].concat();
    let twice = [
        field("content-length", b"5"),
        literal("content-length", b"5"),
    ];
    for (case, block) in [
        ("upper case", field("X-Upper", b"1")),
        ("CR and LF", field("x", b"a\r\nSet-Cookie: b")),
        ("LF", field("x", b"a\nb")),
        ("NUL", field("x", b"a\0b")),
        ("a space in a name", field("x y", b"1")),
        ("a colon in a name", field("x:y", b"1")),
        ("an empty name", field("", b"1")),
        ("connection", field("connection", b"x-a")),
        ("transfer-encoding", field("transfer-encoding", b"chunked")),
        ("upgrade", field("upgrade", b"websocket")),
        ("keep-alive", field("keep-alive", b"timeout=5")),
        ("two lengths", twice.concat()),
        ("a length with a sign", field("content-length", b"+5")),
        ("a list of lengths", field("content-length", b"5, 5")),
        ("a pseudo-field at the end", field(":status", b"200")),
        ("no status", literal("x", b"1")),
        ("101", literal(":status", b"101")),
        ("no number", literal(":status", b"2x0")),
        ("a request", literal(":path", b"/")),
    ] {
        run(async {
            let kit = Kit::new(APP, "");
            let endpoint = listen("127.0.0.1:3000");
            let (mut calling, _client) = Calling::new(&kit, GET);
            let upstream = async {
                let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
                peer.next(kind::HEADERS).await;
                peer.send(kind::HEADERS, WHOLE, 1, &block).await;
                peer
            };
            let waiting = async { tokio::join!(calling.run(), upstream) };
            let waited = tokio::time::timeout(std::time::Duration::from_secs(50), waiting).await;
            let (called, _peer) = waited.unwrap_or_else(|_| panic!("{case}: no end"));
            let failure = called.err().unwrap_or_else(|| panic!("{case}: accepted"));
            let malformed = [Kind::ResponseMalformed, Kind::ConnectionReset];
            assert!(malformed.contains(&failure.kind), "{case}: {failure}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_has_the_length_that_was_announced() {
    let cases: [(&[&[u8]], bool); 6] = [
        (&[b"hello"], true),
        (&[b"he", b"llo"], true),
        (&[b"hell"], false),
        (&[b"hello!"], false),
        (&[b"hello", b"!"], false),
        (&[b""], false),
    ];
    for (data, is_whole) in cases {
        run(async {
            let kit = Kit::new(APP, "");
            let endpoint = listen("127.0.0.1:3000");
            let (mut client, _serving) = kit.client();
            client.send(GET).await;
            let mut peer = Http2Peer::begin(endpoint.accept().await, &[]).await;
            peer.next(kind::HEADERS).await;
            let block = [OK.to_vec(), literal("content-length", b"5")].concat();
            peer.send(kind::HEADERS, WHOLE, 1, &block).await;
            for data in data {
                peer.send(kind::DATA, 0, 1, data).await;
            }
            peer.send(kind::DATA, END, 1, b"").await;
            if is_whole {
                client.head().await;
                client.expect("hello").await;
            } else {
                client.until_reset().await;
            }
        })
        .await;
    }
}
