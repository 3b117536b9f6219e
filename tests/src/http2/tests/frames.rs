//! The client of single frames.

use super::super::{Frame, Frames, Http2Habits, Http2Upstream, code, flag, kind, setting};
use crate::message::{ReadError, Reply};
use crate::wire::Wire;

async fn frames(upstream: &Http2Upstream) -> Frames {
    let mut frames = Frames::over(Wire::connect(upstream.address()).await);
    frames.open().await;
    frames
}

#[tokio::test]
async fn requests_in_frames() {
    let habits = Http2Habits {
        streams: Some(7),
        ..Http2Habits::default()
    };
    let upstream = Http2Upstream::http_with(habits, async |request| {
        let status = request.target[1..].parse().unwrap();
        Reply::new(status).body(request.body)
    })
    .await;
    let mut frames = frames(&upstream).await;
    let settings = frames.settle().await;
    assert_eq!(settings.setting(setting::MAX_CONCURRENT_STREAMS), Some(7));
    assert_eq!(settings.setting(setting::ENABLE_PUSH), None);

    frames.send(&Frame::get(1, "/200")).await;
    assert_eq!(frames.expect_status(1).await, 200);
    // A block in two frames, and a body in two, one of them padded.
    let head = Frame::headers(3, &Frame::request("POST", "/431"));
    let (one, two) = head.payload.split_at(5);
    frames
        .send_all(&[
            Frame::header_block(3, one).without(flag::END_HEADERS),
            Frame::continuation(3, two),
            Frame::data(3, "ab").padded(9),
            Frame::data(3, "c").end_stream(),
        ])
        .await;
    assert_eq!(frames.expect_status(3).await, 431);
    let data = frames
        .expect("DATA", |frame| frame.kind == kind::DATA)
        .await;
    assert_eq!(
        (data.payload.as_slice(), data.has(flag::END_STREAM)),
        (&b"abc"[..], true)
    );

    frames.send(&Frame::ping(*b"12345678")).await;
    let pong = frames
        .expect("PONG", |frame| frame.kind == kind::PING)
        .await;
    assert_eq!(
        (pong.has(flag::ACK), pong.payload),
        (true, b"12345678".to_vec())
    );
    frames.send(&Frame::go_away(0, code::NO_ERROR)).await;
    frames.expect_end().await;
}

#[tokio::test]
async fn faults_of_streams() {
    let upstream = Http2Upstream::echo().await;
    let mut frames = frames(&upstream).await;
    let head = [
        Frame::request("POST", "/").as_slice(),
        &[("content-length", "5")],
    ]
    .concat();
    frames
        .send_all(&[Frame::headers(1, &head), Frame::data(1, "abc").end_stream()])
        .await;
    frames.expect_reset(1, code::PROTOCOL_ERROR).await;
    frames.send(&Frame::get(3, "/")).await;
    assert_eq!(
        frames.expect_status(3).await,
        200,
        "the connection is not affected"
    );
}

#[tokio::test]
async fn faults_of_connections() {
    let table: [(&str, Vec<u8>, u32); 5] = [
        (
            "DATA on no stream",
            Frame::data(0, "x").to_bytes(),
            code::PROTOCOL_ERROR,
        ),
        (
            "an even stream",
            Frame::get(2, "/").to_bytes(),
            code::PROTOCOL_ERROR,
        ),
        (
            "CONTINUATION alone",
            Frame::continuation(1, "").to_bytes(),
            code::PROTOCOL_ERROR,
        ),
        (
            "a large frame",
            Frame::data(1, "").to_bytes_of_length(1 << 20),
            code::FRAME_SIZE_ERROR,
        ),
        (
            "a window past 31 bits",
            Frame::window_update(0, 0x7fff_ffff).to_bytes(),
            code::FLOW_CONTROL_ERROR,
        ),
    ];
    for (name, bytes, code) in table {
        let upstream = Http2Upstream::echo().await;
        let mut frames = frames(&upstream).await;
        frames.wire().send(bytes).await;
        let goaway = frames.expect_goaway(code).await;
        assert!(goaway.last_stream().is_some(), "{name}");
        frames.expect_end().await;
    }
}

#[tokio::test]
async fn a_connection_that_ends_between_frames_or_within_one() {
    let upstream = crate::Upstream::raw(async |mut visit: crate::Visit| {
        let head = visit.wire.take_until(b"SM\r\n\r\n").await;
        let _ = head;
        let bytes = Frame::reset(1, code::CANCEL).to_bytes();
        let end = if visit.number == 0 { bytes.len() } else { 11 };
        visit.wire.send(&bytes[..end]).await;
        visit.wire.finish().await;
    })
    .await;
    for is_whole in [true, false] {
        let address = ([127, 0, 0, 1], upstream.port()).into();
        let mut frames = Frames::over(Wire::connect(address).await);
        frames.open().await;
        if is_whole {
            frames.expect_reset(1, code::CANCEL).await;
            assert_eq!(frames.next_frame().await, Err(ReadError::Closed));
        } else {
            let read = frames.next_frame().await;
            assert!(matches!(read, Err(ReadError::Incomplete(_))), "{read:?}");
        }
    }
}

#[test]
fn builders() {
    let table: [(Frame, &[u8]); 5] = [
        (
            Frame::priority(3, 1, 15),
            b"\0\0\x05\x02\0\0\0\0\x03\0\0\0\x01\x0f",
        ),
        (
            Frame::settings(&[(setting::INITIAL_WINDOW_SIZE, 1)]),
            b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\0\x01",
        ),
        (Frame::settings_ack(), b"\0\0\0\x04\x01\0\0\0\0"),
        (
            Frame::push_promise(1, 2, &[]),
            b"\0\0\x04\x05\x04\0\0\0\x01\0\0\0\x02",
        ),
        (
            Frame::data(1, "a").padded(2).end_stream(),
            b"\0\0\x04\0\x09\0\0\0\x01\x02a\0\0",
        ),
    ];
    for (frame, bytes) in table {
        assert_eq!(frame.to_bytes(), bytes, "{frame:?}");
    }
}
