//! Clients that repeat what costs the gateway more than them. Each kind of abuse has a limit of its own,
//! which ends the connection, is counted and named in the log; other clients notice nothing.

use janua_tests::{
    Frame, Frames, Gateway, Http2Client, Proxy, Reply, Upstream, assert_eventually, code, flag,
    kind, setting,
};

use crate::http2::waiting;

/// How often everything may be done in a second.
const LIMIT: u32 = 8;

/// A gateway that tolerates nothing more often, except for what is listed.
async fn gateway(upstream: &Upstream, others: &str) -> Gateway {
    let mut limits = String::new();
    for name in [
        "resets",
        "rapid_resets",
        "provoked_resets",
        "continuations",
        "empty_headers",
        "large_heads",
        "empty_data",
        "settings",
        "pings",
        "priorities",
        "window_updates",
        "tiny_windows",
        "unknown_frames",
        "closed_frames",
        "refused",
    ] {
        if !others.contains(&format!(" {name} =")) {
            limits += &format!("{name} = {LIMIT}, ");
        }
    }
    let http2 = format!(
        "max_head = \"4KiB\"\n\
         http2 = {{ max_concurrent_streams = 20, limits = {{ {limits}{others} }} }}"
    );
    let config = Proxy::to(upstream.endpoint())
        .listener(&http2)
        .also("/here", "respond = { status = 200, body = \"here\" }");
    Gateway::start(config).await
}

async fn frames(gateway: &Gateway, settings: &[(u16, u32)]) -> Frames {
    let mut frames = Frames::over(gateway.connect().await);
    frames.open_with(settings).await;
    frames.settle().await;
    frames
}

async fn failures(gateway: &Gateway, reason: &str) -> f64 {
    let labels = [("listener", "public"), ("reason", reason)];
    gateway.metric("janua_http2_failures_total", &labels).await
}

/// Repeats `attack`, which gets its number, until the connection is closed, and sees that another
/// client is served all the while.
async fn is_ended(
    gateway: &Gateway,
    mut frames: Frames,
    reason: &str,
    attack: impl Fn(u32) -> Vec<Frame>,
) {
    let healthy = Http2Client::over(gateway.connect().await).await;
    let mut sent = 0;
    for number in 0..20 * LIMIT {
        if number.is_multiple_of(LIMIT) {
            assert_eq!(healthy.get("/here").await.text(), "here");
        }
        let bytes = attack(number);
        for frame in &bytes {
            if frames.try_send(frame).await.is_err() {
                break;
            }
        }
        sent = number;
    }
    assert!(sent > LIMIT, "{reason}: it ended before the limit");
    let goaway = frames.expect_goaway(code::ENHANCE_YOUR_CALM).await;
    let words = String::from_utf8_lossy(&goaway.payload[8..]).into_owned();
    assert_eq!(words, reason);
    frames.expect_end().await;
    assert_eq!(failures(gateway, reason).await, 1.0, "{reason}");
    assert_eq!(healthy.get("/here").await.text(), "here");
}

fn stream(number: u32) -> u32 {
    2 * number + 1
}

#[tokio::test]
async fn floods_of_frames() {
    let upstream = Upstream::echo().await;
    type Attack = fn(u32) -> Vec<Frame>;
    let floods: [(&str, Attack); 6] = [
        ("settings", |_| vec![Frame::settings(&[])]),
        ("pings", |_| vec![Frame::ping([0; 8])]),
        ("priorities", |_| vec![Frame::priority(1, 0, 7)]),
        ("window_updates", |_| vec![Frame::window_update(0, 1)]),
        ("unknown_frames", |_| vec![Frame::new(0x77, 0, 0, [])]),
        ("empty_data", |number| match number {
            0 => vec![Frame::headers(1, &Frame::request("POST", "/"))],
            _ => vec![Frame::data(1, "")],
        }),
    ];
    for (reason, attack) in floods {
        let gateway = gateway(&upstream, "").await;
        let frames = frames(&gateway, &[]).await;
        is_ended(&gateway, frames, reason, attack).await;
        gateway.says(&format!("limit=\"{reason}\"")).await;
    }
}

/// Requests that are cancelled as soon as they are sent (CVE-2023-44487).
#[tokio::test]
async fn rapid_resets() {
    let upstream = waiting().await;
    let gateway = gateway(&upstream, " resets = 1000").await;
    let frames = frames(&gateway, &[]).await;
    let attack = |number| {
        let id = stream(number);
        vec![Frame::get(id, "/"), Frame::reset(id, code::CANCEL)]
    };
    is_ended(&gateway, frames, "rapid_resets", attack).await;
    assert_eventually!(upstream.open() == 0);
    assert!(upstream.request_count() <= LIMIT as usize + 1);
}

/// Requests that the gateway must reset because of a violation (CVE-2025-8671).
#[tokio::test]
async fn provoked_resets() {
    let upstream = waiting().await;
    let gateway = gateway(&upstream, "").await;
    let frames = frames(&gateway, &[]).await;
    let attack = |number| {
        let id = stream(number);
        vec![Frame::get(id, "/"), Frame::window_update(id, 0)]
    };
    is_ended(&gateway, frames, "provoked_resets", attack).await;
    assert_eventually!(upstream.open() == 0);
}

#[tokio::test]
async fn heads_that_do_not_end() {
    let upstream = Upstream::echo().await;
    let begin = || Frame::get(1, "/").without(flag::END_HEADERS);
    let part = |size| Frame::continuation(1, vec![0; size]).without(flag::END_HEADERS);
    for (reason, others, size) in [
        ("continuations", " empty_headers = 1000", 10),
        ("empty_headers", " continuations = 1000", 0),
        (
            "header_block",
            " continuations = 1000, header_block = \"64KiB\"",
            10_000,
        ),
    ] {
        let gateway = gateway(&upstream, others).await;
        let frames = frames(&gateway, &[]).await;
        let attack = |number| match number {
            0 => vec![begin()],
            _ => vec![part(size)],
        };
        is_ended(&gateway, frames, reason, attack).await;
    }
}

/// One large field in the table of HPACK, and references of a byte each to it.
#[tokio::test]
async fn heads_that_expand() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, "").await;
    let frames = frames(&gateway, &[]).await;
    let attack = |number| {
        let id = stream(number);
        let Frame { mut payload, .. } = Frame::get(id, "/");
        if number == 0 {
            // A literal that enters the table: the name `x`, and a value of 3,000 bytes.
            payload.extend([0x40, 1, b'x', 0x7f, 0xb9, 0x16]);
            payload.extend([b'v'; 3000]);
        }
        payload.extend([0x80 | 62; 20]);
        vec![Frame::header_block(id, payload).end_stream()]
    };
    is_ended(&gateway, frames, "large_heads", attack).await;
    assert_eq!(upstream.request_count(), 0);
}

/// The same in one head, which is not even decoded to its end.
#[tokio::test]
async fn a_head_that_explodes() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, "").await;
    let mut frames = frames(&gateway, &[]).await;
    let Frame { mut payload, .. } = Frame::get(1, "/");
    payload.extend([0x40, 1, b'x', 0x7f, 0xb9, 0x16]);
    payload.extend([b'v'; 3000]);
    payload.extend([0x80 | 62; 10_000]);
    frames
        .send(&Frame::header_block(1, payload).end_stream())
        .await;
    let goaway = frames.expect_goaway(code::ENHANCE_YOUR_CALM).await;
    assert_eq!(goaway.payload[8..], *b"unpacked_head");
    frames.expect_end().await;
    assert_eq!(failures(&gateway, "unpacked_head").await, 1.0);
}

#[tokio::test]
async fn more_streams_than_are_allowed() {
    let (upstream, _release) = Upstream::held().await;
    let gateway = gateway(&upstream, "").await;
    let frames = frames(&gateway, &[]).await;
    let attack = |number| vec![Frame::get(stream(number), "/")];
    is_ended(&gateway, frames, "refused", attack).await;
    assert!(upstream.request_count() <= 20);
}

/// Windows that have room for a byte at a time.
#[tokio::test]
async fn windows_of_one_byte() {
    let upstream = Upstream::always(Reply::ok(vec![b'x'; 10_000])).await;
    let gateway = gateway(&upstream, " window_updates = 100000").await;
    let frames = frames(&gateway, &[(setting::INITIAL_WINDOW_SIZE, 0)]).await;
    let attack = |number| match number {
        0 => vec![Frame::get(1, "/large")],
        _ => vec![Frame::window_update(1, 1)],
    };
    is_ended(&gateway, frames, "tiny_windows", attack).await;
}

/// Data for requests that have been refused.
#[tokio::test]
async fn frames_of_streams_that_have_ended() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, "").await;
    let mut frames = frames(&gateway, &[]).await;
    let upper = [Frame::request("POST", "/").as_slice(), &[("X-Upper", "1")]].concat();
    frames.send(&Frame::headers(1, &upper)).await;
    frames.expect_reset(1, code::PROTOCOL_ERROR).await;
    let attack = |_| vec![Frame::data(1, "more")];
    is_ended(&gateway, frames, "closed_frames", attack).await;
}

/// A client that reads none of the answers that it asks for is not read any more.
#[tokio::test]
async fn answers_that_nobody_reads() {
    let upstream = Upstream::echo().await;
    let config = Proxy::to(upstream.endpoint())
        .listener("http2 = { stall_timeout = \"1s\", limits = { pings = 1000000 } }");
    let gateway = Gateway::start(config).await;
    let wire = gateway.connect().await;
    wire.set_receive_buffer(4096);
    let mut frames = Frames::over(wire);
    frames.open().await;
    let pings = vec![Frame::ping([7; 8]); 1000];
    let before = gateway.rss_kib();
    for _ in 0..100 {
        let bytes: Vec<u8> = pings.iter().flat_map(Frame::to_bytes).collect();
        let sent = frames.wire().try_send(bytes);
        if tokio::time::timeout(std::time::Duration::from_millis(200), sent)
            .await
            .is_err()
        {
            break;
        }
    }
    assert!(gateway.rss_kib() < before + 8192);
    assert_eventually!(gateway.status().await["connections"] == 0);
}

/// The connection as a whole has limits too, and ends in good order.
#[tokio::test]
async fn the_requests_of_a_connection() {
    let upstream = Upstream::echo().await;
    let gateway = gateway(&upstream, " total_requests = 3").await;
    let mut frames = frames(&gateway, &[]).await;
    for id in [1, 3, 5] {
        frames.send(&Frame::get(id, "/here")).await;
        assert_eq!(frames.expect_status(id).await, 200);
    }
    let goaway = frames.expect_goaway(code::NO_ERROR).await;
    assert_eq!(goaway.kind, kind::GOAWAY);
    frames.expect_end().await;
}
