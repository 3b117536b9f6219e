use std::future::poll_fn;

use janua_http::failure::Kind;
use janua_http::{Framing, Length};

use super::*;
use crate::testing::{connection, run, settle};

/// Polls an upload once: what it failed with, if it did.
async fn poll(upload: &mut Upload<'_>) -> Option<Failure> {
    poll_fn(|context| {
        Poll::Ready(match upload.poll(context) {
            Poll::Ready(failure) => Some(failure),
            Poll::Pending => None,
        })
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_request_that_no_client_waits_for_is_sent() {
    let (_, mut outgoing, mut upstream) = connection(1024);
    outgoing.writer.pending().extend_from_slice(b"head");
    let mut state = UploadState::Sending;
    let mut upload = Upload::new(None, &mut outgoing, &mut state);
    assert_eq!(poll(&mut upload).await, None);
    assert!(upload.is_done());
    upstream.expect("head").await;
}

#[tokio::test(start_paused = true)]
async fn a_body_is_sent_as_the_upstream_takes_it() {
    let (mut incoming, _, mut client) = connection(1024);
    let (_, mut outgoing, mut upstream) = connection(4);
    incoming.begin(Framing::Length(10));
    client.send("0123456789").await;
    outgoing.writer.pending().extend_from_slice(b"head");
    let mut state = UploadState::Sending;
    let mut upload = Upload::new(Some(&mut incoming), &mut outgoing, &mut state);
    assert_eq!(poll(&mut upload).await, None);
    assert!(upload.is_stalled() && !upload.is_done());
    for piece in ["head", "0123", "4567"] {
        upstream.expect(piece).await;
        assert_eq!(poll(&mut upload).await, None);
    }
    assert!(!upload.is_stalled() && upload.is_done());
    // Ten bytes read, and fourteen sent.
    assert_eq!(upload.progress(), 24);
    upstream.expect("89").await;
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_takes_no_more_may_have_answered() {
    let (mut incoming, _, mut client) = connection(1024);
    let (_, mut outgoing, mut upstream) = connection(1024);
    incoming.begin(Framing::Length(10));
    client.send("0123").await;
    upstream.stop_reading();
    let mut state = UploadState::Sending;
    let mut upload = Upload::new(Some(&mut incoming), &mut outgoing, &mut state);
    assert_eq!(poll(&mut upload).await, None);
    assert!(!upload.is_done() && !upload.is_half_closed());
    // It stays so, whatever the client goes on to do.
    client.send("456789").await;
    client.close();
    assert_eq!(poll(&mut upload).await, None);
    assert!(!upload.is_done());
    assert_eq!(state, UploadState::Broken);
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_the_request_is_said() {
    let faults = [
        (Framing::Length(10), "0123", Kind::ClientGone),
        (Framing::Length(10), "0123456789", Kind::RequestBodyTooLarge),
        (Framing::Chunked, "zz\r\n", Kind::BadRequest),
        (Framing::Chunked, "2\r\n01\r\n", Kind::ClientGone),
    ];
    for (framing, body, kind) in faults {
        let (mut incoming, _, mut client) = connection(1024);
        let (_, mut outgoing, _upstream) = connection(1024);
        incoming.begin(framing);
        incoming.limit(9);
        client.send(body).await;
        client.close();
        let mut state = UploadState::Sending;
        let mut upload = Upload::new(Some(&mut incoming), &mut outgoing, &mut state);
        let failure = poll(&mut upload).await;
        assert_eq!(failure.map(|failure| failure.kind), Some(kind), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_closes_its_side_afterwards_is_no_failure() {
    let (mut incoming, _, mut client) = connection(1024);
    let (_, mut outgoing, _upstream) = connection(1024);
    assert_eq!(incoming.length(), Length::None);
    let mut state = UploadState::Sending;
    let mut upload = Upload::new(Some(&mut incoming), &mut outgoing, &mut state);
    assert_eq!(poll(&mut upload).await, None);
    assert!(upload.is_done() && !upload.is_half_closed());
    client.close();
    assert_eq!(poll(&mut upload).await, None);
    assert!(upload.is_done() && upload.is_half_closed());
}

#[tokio::test(start_paused = true)]
async fn one_that_resets_is_gone() {
    let (mut incoming, _, client) = connection(1024);
    let (_, mut outgoing, _upstream) = connection(1024);
    let mut state = UploadState::Sending;
    let mut upload = Upload::new(Some(&mut incoming), &mut outgoing, &mut state);
    client.reset();
    let failure = poll(&mut upload).await;
    assert_eq!(failure.map(|failure| failure.kind), Some(Kind::ClientGone));
}

/// What a client sends before its turn waits with the client, all but a part.
#[tokio::test(start_paused = true)]
async fn little_of_what_follows_a_request_is_read_ahead() {
    run(async {
        let (mut incoming, _, mut client) = connection(16 * 1024);
        let (_, mut outgoing, _upstream) = connection(1024);
        let sending = tokio::task::spawn_local(async move {
            client.send(vec![b'x'; 1 << 20]).await;
        });
        let mut state = UploadState::Sending;
        let mut upload = Upload::new(Some(&mut incoming), &mut outgoing, &mut state);
        for _ in 0..20 {
            assert_eq!(poll(&mut upload).await, None);
            settle().await;
        }
        // It is no progress either.
        assert_eq!(upload.progress(), 0);
        let ahead = incoming.reader.buffered().len();
        assert!(
            (READ_AHEAD..READ_AHEAD + 16 * 1024).contains(&ahead),
            "{ahead}"
        );
        assert!(!sending.is_finished());
        sending.abort();
    })
    .await;
}
