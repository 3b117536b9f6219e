//! What a server may send, and what has become of the requests then.

use super::super::frame::CONNECTION_WINDOW;
use super::*;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    frame::write(&mut out, kind, flags, stream, payload);
    out
}

/// What has become of two requests, in the order in which they ended, after these bytes have
/// come in pieces of this length.
fn after(came: &[u8], step: usize) -> Result<Vec<Option<Failure>>, Failure> {
    let mut conversation = Conversation::new(Payload::Body(4));
    let now = Instant::now();
    conversation.ask(b"\x82", now);
    conversation.ask(b"\x82", now);
    let mut finished = Vec::new();
    for piece in came.chunks(step) {
        conversation.take(piece, &mut finished)?;
    }
    conversation.give_up(Failure::Reset, &mut finished);
    Ok(finished.into_iter().map(|one| one.wrong).collect())
}

#[test]
fn responses_are_judged() {
    let head = |stream| frame(frame::HEADERS, frame::END_HEADERS, stream, b"\x20\x88");
    let body = |flags, stream, bytes: &[u8]| frame(frame::DATA, flags, stream, bytes);
    let end = frame::END_STREAM;
    let whole = |stream| [head(stream), body(end, stream, b"1234")].concat();
    for (came, expected) in [
        (vec![whole(1), whole(3)], Ok([None, None])),
        (
            vec![
                head(3),
                head(1),
                body(0, 1, b"12"),
                body(0, 3, b"1234"),
                frame(
                    frame::HEADERS,
                    end | frame::END_HEADERS,
                    3,
                    b"\x00\x01a\x01b",
                ),
                body(end, 1, b"34"),
            ],
            Ok([None, None]),
        ),
        (
            vec![head(1), body(end, 1, b"123"), head(3), body(0, 3, b"1")],
            Ok([Some(Failure::Length), Some(Failure::Truncated)]),
        ),
        (
            vec![frame(frame::HEADERS, end, 3, b"\x8d")],
            Ok([Some(Failure::Status), Some(Failure::Reset)]),
        ),
        (
            vec![frame(frame::RST_STREAM, 0, 1, &[0; 4]), whole(3)],
            Ok([Some(Failure::Reset), None]),
        ),
        (
            vec![
                frame(frame::GOAWAY, 0, 0, &[0, 0, 0, 1, 0, 0, 0, 0]),
                whole(1),
            ],
            Ok([Some(Failure::Reset), None]),
        ),
        (vec![body(0, 1, b"12")], Err(Failure::Malformed)),
        (vec![head(5)], Err(Failure::Malformed)),
        (
            vec![frame(frame::GOAWAY, 0, 0, b"")],
            Err(Failure::Malformed),
        ),
    ] {
        let came = came.concat();
        for step in [1, 5, came.len()] {
            let expected = expected.map(Vec::from);
            assert_eq!(after(&came, step), expected, "{came:?} by {step}");
        }
    }
}

#[test]
fn settings_and_pings_are_acknowledged_and_windows_enlarged() {
    let mut conversation = Conversation::new(Payload::Body(4));
    conversation.out.clear();
    let mut finished = Vec::new();
    let came = [
        frame(frame::SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]),
        frame(frame::SETTINGS, frame::ACK, 0, b""),
        frame(frame::PING, 0, 0, b"12345678"),
    ];
    conversation.take(&came.concat(), &mut finished).unwrap();
    let expected = [
        frame(frame::SETTINGS, frame::ACK, 0, b""),
        frame(frame::PING, frame::ACK, 0, b"12345678"),
    ];
    assert_eq!(conversation.out, expected.concat());
    conversation.out.clear();
    conversation.flow.taken = CONNECTION_WINDOW / 2 + 1;
    conversation.take(b"", &mut finished).unwrap();
    assert_eq!(conversation.out.len(), 13);
    assert_eq!(conversation.flow.taken, 0);
}

/// What has become of a call of one message, of which these bytes come back.
fn after_call(echo: impl FnOnce(&[u8]) -> Vec<u8>) -> Result<Vec<Option<Failure>>, Failure> {
    let mut conversation = Conversation::new(Payload::Call(1));
    conversation.out.clear();
    conversation.ask(b"\x83", Instant::now());
    let (head, rest) = Frame::read(&conversation.out).unwrap().unwrap();
    assert_eq!(
        (head.kind, head.flags),
        (frame::HEADERS, frame::END_HEADERS)
    );
    let (data, rest) = Frame::read(rest).unwrap().unwrap();
    assert_eq!((data.kind, data.flags), (frame::DATA, frame::END_STREAM));
    assert!(rest.is_empty());
    let came = echo(data.payload);
    let mut finished = Vec::new();
    conversation.take(&came, &mut finished)?;
    conversation.give_up(Failure::Reset, &mut finished);
    Ok(finished.into_iter().map(|one| one.wrong).collect())
}

#[test]
fn calls_are_judged() {
    let head = frame(frame::HEADERS, frame::END_HEADERS, 1, fields::CALL_HEAD);
    let end = frame::END_HEADERS | frame::END_STREAM;
    let trailers = |status| frame(frame::HEADERS, end, 1, &fields::call_end(status));
    let data = |flags, bytes: &[u8]| frame(frame::DATA, flags, 1, bytes);
    let right = after_call(|sent| [head.clone(), data(0, sent), trailers(0)].concat());
    assert_eq!(right, Ok(vec![None]));
    let refused = after_call(|sent| [head.clone(), data(0, sent), trailers(8)].concat());
    assert_eq!(refused, Ok(vec![Some(Failure::Grpc)]));
    let without = after_call(|sent| [head.clone(), data(frame::END_STREAM, sent)].concat());
    assert_eq!(without, Ok(vec![Some(Failure::Grpc)]));
    let cut = after_call(|sent| [head.clone(), data(0, &sent[1..]), trailers(0)].concat());
    assert_eq!(cut, Err(Failure::Echo));
    let short = after_call(|sent| [head.clone(), data(0, &sent[..9]), trailers(0)].concat());
    assert_eq!(short, Ok(vec![Some(Failure::Length)]));
    let long = after_call(|sent| [head.clone(), data(0, &[sent, b"m"].concat())].concat());
    assert_eq!(long, Err(Failure::Echo));
    // The status of a gateway that cannot reach the server, in the head of the response.
    let at_once = [fields::CALL_HEAD, &fields::call_end(9)].concat();
    let failed = after_call(|_| frame(frame::HEADERS, end, 1, &at_once));
    assert_eq!(failed, Ok(vec![Some(Failure::Grpc)]));
    let unfinished = after_call(|sent| [head.clone(), data(0, sent)].concat());
    assert_eq!(unfinished, Ok(vec![Some(Failure::Truncated)]));
}
