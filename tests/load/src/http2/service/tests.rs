//! Calls of the measurements' own client, and what others may send.

use std::time::Instant;

use super::super::{Conversation, Payload, call_block};
use super::*;
use crate::generator::Failure;

/// What becomes of so many calls at the same time, whose bytes arrive in pieces of this length.
fn outcome(messages: u8, calls: usize, step: usize) -> Vec<Option<Failure>> {
    let mut client = Conversation::new(Payload::Call(messages));
    let mut service = Service::new();
    for _ in 0..calls {
        client.ask(&call_block("/a.B/C", false), Instant::now());
    }
    let mut finished = Vec::new();
    while !client.out.is_empty() {
        let sent = std::mem::take(&mut client.out);
        for piece in sent.chunks(step) {
            let answer = service.take(piece).unwrap();
            client.take(&answer, &mut finished).unwrap();
        }
    }
    assert_eq!((client.busy(), service.calls.len()), (0, 0));
    finished.into_iter().map(|one| one.wrong).collect()
}

#[test]
fn calls_of_our_client_are_answered() {
    for step in [1, 97, 100_000] {
        assert_eq!(outcome(1, 3, step), [None; 3], "{step}");
        assert_eq!(outcome(100, 5, step), [None; 5], "{step}");
    }
}

fn begun() -> Service {
    let mut service = Service::new();
    service.take(PREFACE).unwrap();
    service
}

fn frames(all: &[(u8, u8, u32, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    for (kind, flags, stream, payload) in all {
        frame::write(&mut out, *kind, *flags, *stream, payload);
    }
    out
}

#[test]
fn the_last_message_is_answered_together_with_the_status() {
    let mut service = begun();
    let message = b"\0\0\0\0\x02\0m";
    let begin = [
        (frame::HEADERS, frame::END_HEADERS, 1, &b"\x83"[..]),
        (frame::DATA, 0, 1, message),
    ];
    assert_eq!(service.take(&frames(&begin)).unwrap(), b"");
    let end = [(frame::DATA, frame::END_STREAM, 1, &b""[..])];
    let ends = frame::END_HEADERS | frame::END_STREAM;
    let expected = [
        (frame::HEADERS, frame::END_HEADERS, 1, fields::CALL_HEAD),
        (frame::DATA, 0, 1, message),
        (frame::HEADERS, ends, 1, &fields::call_end(OK)),
    ];
    assert_eq!(service.take(&frames(&end)).unwrap(), frames(&expected));
}

#[test]
fn a_message_that_is_cut_is_an_error_of_the_call() {
    let ends = frame::END_HEADERS | frame::END_STREAM;
    let cut = [
        (frame::HEADERS, frame::END_HEADERS, 1, &b"\x83"[..]),
        (frame::DATA, frame::END_STREAM, 1, b"\0\0\0\0\x02\0"),
    ];
    let expected = [
        (frame::HEADERS, frame::END_HEADERS, 1, fields::CALL_HEAD),
        (frame::HEADERS, ends, 1, &fields::call_end(INVALID_ARGUMENT)),
    ];
    let answer = begun().take(&frames(&cut)).unwrap();
    assert_eq!(answer, frames(&expected));
}

#[test]
fn violations_end_the_connection() {
    assert!(
        Service::new()
            .take(b"PRI * HTTP/2.0\r\n\r\nMS\r\n\r\n")
            .is_err()
    );
    let long = [
        (frame::HEADERS, frame::END_HEADERS, 1, &b"\x83"[..]),
        (frame::DATA, 0, 1, b"\0\x01\0\0\0"),
    ];
    assert!(begun().take(&frames(&long)).is_err());
    assert!(begun().take(b"\x01\0\0\0\0\0\0\0\0").is_err());
    let padding = [(frame::HEADERS, 0x0c, 1, &b"\x09\x83"[..])];
    assert!(begun().take(&frames(&padding)).is_err());
}
