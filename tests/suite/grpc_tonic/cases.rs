//! The interoperability cases of gRPC (`interop-test-descriptions.md`) with a client of tonic, as
//! far as they are about what passes between client and server.

use std::future::Future;
use std::time::Duration;

use bytes::Bytes;
use janua_tests::PATIENCE;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request, Status};

use super::client::{Client, outcome, read};

/// The message of the cases about large messages.
pub(crate) const LARGE: usize = 271_828;

/// The messages of the cases about streams.
const PARTS: [usize; 4] = [27_182, 8, 1828, 45_904];

/// The text of a status that needs percent-encoding.
const SPECIAL: &str =
    "\t\ntest with whitespace\r\nand Unicode BMP \u{263a} and non-BMP \u{1f608}\t\n";

/// All of them.
pub(crate) async fn all(client: &Client) {
    of_browsers(client).await;
    client_streaming(client).await;
    ping_pong(client).await;
    empty_stream(client).await;
    status_within_a_stream(client).await;
    cancel_after_begin(client).await;
    cancel_after_first_response(client).await;
    timeout_on_sleeping_server(client).await;
    compressed(client).await;
}

/// Those that gRPC-Web has too: one message from the client.
pub(crate) async fn of_browsers(client: &Client) {
    empty_unary(client).await;
    large_unary(client).await;
    server_streaming(client).await;
    custom_metadata(client).await;
    status_code_and_message(client).await;
    special_status_message(client).await;
    unimplemented_method(client).await;
    unimplemented_service(client).await;
    the_deadline_is_forwarded(client).await;
    many_at_once(client).await;
}

async fn empty_unary(client: &Client) {
    let response = client.unary("Unary", Bytes::new()).await.unwrap();
    assert_eq!(response.into_inner(), "");
}

async fn large_unary(client: &Client) {
    let message = part(LARGE);
    let response = client.unary("Unary", message.clone()).await.unwrap();
    assert!(response.into_inner() == message);
}

async fn client_streaming(client: &Client) {
    let parts = PARTS.map(part);
    let messages = tokio_stream::iter(parts.clone());
    let response = client.client_streaming("Collect", messages).await.unwrap();
    assert!(response.into_inner() == parts.concat());
}

async fn server_streaming(client: &Client) {
    let request = Bytes::from("500");
    let response = client.server_streaming("Count", request).await.unwrap();
    let received = read(&mut response.into_inner()).await.unwrap();
    let expected: Vec<_> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(received, expected);
}

async fn ping_pong(client: &Client) {
    let (sender, receiver) = mpsc::channel(1);
    let messages = ReceiverStream::new(receiver);
    // The first message is sent before the call: tonic waits for a head, and a server may wait
    // for a message before it sends one.
    sender.send(part(PARTS[0])).await.unwrap();
    let response = client
        .streaming("Echo", Request::new(messages))
        .await
        .unwrap();
    let mut responses = response.into_inner();
    for (number, size) in PARTS.into_iter().enumerate() {
        if number > 0 {
            sender.send(part(size)).await.unwrap();
        }
        let message = responses.message().await.unwrap();
        assert!(message.expect("an answer") == part(size));
    }
    drop(sender);
    assert_eq!(responses.message().await.unwrap(), None);
}

async fn empty_stream(client: &Client) {
    let response = client
        .streaming("Echo", Request::new(tokio_stream::empty()))
        .await;
    let received = read(&mut response.unwrap().into_inner()).await;
    assert_eq!(received.unwrap(), Vec::<Bytes>::new());
}

async fn custom_metadata(client: &Client) {
    let mut request = Request::new(Bytes::from("x"));
    let data = MetadataValue::from_bytes(b"\xab\xab\xab\x00\xff");
    let text: MetadataValue<_> = "a b".parse().unwrap();
    request.metadata_mut().insert("x-text", text.clone());
    request
        .metadata_mut()
        .insert_bin("x-data-bin", data.clone());
    let response = client.server_streaming("Metadata", request).await.unwrap();
    assert_eq!(response.metadata().get("x-text"), Some(&text));
    assert_eq!(response.metadata().get_bin("x-data-bin"), Some(&data));
    let mut messages = response.into_inner();
    assert_eq!(read(&mut messages).await.unwrap(), ["x"]);
    let trailers = messages.trailers().await.unwrap().expect("trailers");
    assert_eq!(trailers.get("x-text-back"), Some(&text));
    assert_eq!(trailers.get_bin("x-data-back-bin"), Some(&data));
}

async fn status_code_and_message(client: &Client) {
    for code in (1..=16).map(Code::from_i32) {
        let failed = client.unary("Fail", failure(code, "test status")).await;
        let status = failed.expect_err("it fails");
        assert_eq!((status.code(), status.message()), (code, "test status"));
    }
}

async fn status_within_a_stream(client: &Client) {
    let messages = tokio_stream::once(failure(Code::Unknown, "test status"));
    let begun = client.streaming("FailStream", Request::new(messages)).await;
    let seen = failed(outcome(begun).await);
    assert_eq!(seen, (Code::Unknown, "test status".to_owned()));
}

async fn special_status_message(client: &Client) {
    let failed = client.unary("Fail", failure(Code::Unknown, SPECIAL)).await;
    let status = failed.expect_err("it fails");
    assert_eq!((status.code(), status.message()), (Code::Unknown, SPECIAL));
}

async fn unimplemented_method(client: &Client) {
    let failed = client.unary("Nothing", Bytes::new()).await;
    assert_eq!(failed.expect_err("it fails").code(), Code::Unimplemented);
}

async fn unimplemented_service(client: &Client) {
    let failed = client.unary("/nothing.Nothing/Nothing", Bytes::new()).await;
    assert_eq!(failed.expect_err("it fails").code(), Code::Unimplemented);
}

async fn the_deadline_is_forwarded(client: &Client) {
    let mut request = Request::new(Bytes::new());
    request.set_timeout(Duration::from_secs(60));
    let response = client.unary("Remaining", request).await.unwrap();
    let text = String::from_utf8(response.into_inner().to_vec()).unwrap();
    let seconds: u64 = text.parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

async fn many_at_once(client: &Client) {
    let calls = (0..200).map(|number: usize| {
        let client = client.clone();
        tokio::spawn(async move {
            let message = Bytes::from(number.to_string());
            let response = client.unary("Unary", message.clone()).await;
            assert_eq!(response.unwrap().into_inner(), message);
        })
    });
    for call in calls.collect::<Vec<_>>() {
        call.await.unwrap();
    }
}

/// A client of tonic cancels a call by dropping it.
async fn cancel_after_begin(client: &Client) {
    let (sender, receiver) = mpsc::channel(1);
    let messages = ReceiverStream::new(receiver);
    let call = {
        let client = client.clone();
        tokio::spawn(async move { client.client_streaming("Collect", messages).await })
    };
    // The channel has room for one, so the call has begun once it has taken the first.
    for _ in 0..2 {
        sender.send(part(1)).await.unwrap();
    }
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    in_time(sender.closed()).await;
}

async fn cancel_after_first_response(client: &Client) {
    let (sender, receiver) = mpsc::channel(1);
    sender.send(Bytes::from("30")).await.unwrap();
    let mut request = Request::new(ReceiverStream::new(receiver));
    let cancellation = request.cancellation_handle();
    let response = client.streaming("Sleep", request).await;
    let mut responses = response.unwrap().into_inner();
    assert_eq!(responses.message().await.unwrap().unwrap(), "30");
    cancellation.cancel();
    assert_eq!(failed(responses.message().await).0, Code::Cancelled);
    in_time(sender.closed()).await;
}

/// The gateway ends the call: a client of tonic limits nothing but the time until the head. If a
/// busy machine takes longer for that, the call is made again with more time.
pub(crate) async fn timeout_on_sleeping_server(client: &Client) {
    for milliseconds in [300, 2000, 10_000] {
        let (sender, receiver) = mpsc::channel(1);
        sender.send(Bytes::from("60")).await.unwrap();
        let mut request = Request::new(ReceiverStream::new(receiver));
        request.set_timeout(Duration::from_millis(milliseconds));
        let ended = outcome(client.streaming("Sleep", request).await).await;
        let (code, message) = failed(ended);
        if message != "Timeout expired" {
            assert_eq!(code, Code::DeadlineExceeded, "{message}");
            return;
        }
    }
    panic!("the server sends no head in time");
}

/// Each message is compressed by its sender. What passes the gateway is compared by the caller.
async fn compressed(client: &Client) {
    let client = client.clone().compressed();
    let message = part(LARGE);
    let response = client.unary("Compressed", message.clone()).await.unwrap();
    let coding = response.metadata().get("grpc-encoding").cloned();
    assert_eq!(coding.expect("it is compressed"), "gzip");
    assert!(response.into_inner() == message);
    let messages = tokio_stream::iter(PARTS.map(part));
    let response = client
        .streaming("Echo", Request::new(messages))
        .await
        .unwrap();
    let received = read(&mut response.into_inner()).await.unwrap();
    assert!(received == PARTS.map(part));
}

/// A message of this size.
fn part(size: usize) -> Bytes {
    vec![b'a'; size].into()
}

/// A message by which a server fails.
fn failure(code: Code, text: &str) -> Bytes {
    format!("{} {text}", i32::from(code)).into()
}

async fn in_time(waiting: impl Future<Output = ()>) {
    let waited = timeout(PATIENCE, waiting).await;
    waited.expect("the call is cancelled");
}

/// What a call that must fail fails with.
pub(crate) fn failed<T>(result: Result<T, Status>) -> (Code, String) {
    let status = result.err().expect("the call fails");
    (status.code(), status.message().to_owned())
}
