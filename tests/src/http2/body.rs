//! Sends bodies by HTTP/2, no faster than the windows of the other side permit.

use std::future::poll_fn;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use tokio::io::AsyncRead;

use super::head::remove_fields_of_connections;
use super::intake::{Fault, Intake, Part, Rest};

/// How the upload of a body ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Uploaded {
    /// It was sent to its end.
    Whole,
    /// The other side wants no more of it, or has reset the stream: the response says which.
    Stopped,
}

/// Sends the body that follows a head of HTTP/1.1.
pub(super) async fn upload<R: AsyncRead + Unpin>(
    intake: &mut Intake<R>,
    rest: &mut Rest,
    stream: &mut SendStream<Bytes>,
) -> Result<Uploaded, Fault> {
    loop {
        let part = tokio::select! {
            biased;
            _ = poll_fn(|context| stream.poll_reset(context)) => return Ok(Uploaded::Stopped),
            part = intake.part(rest) => part?,
        };
        let (sent, is_over) = match part {
            Part::Data(bytes) => {
                let is_over = matches!(rest, Rest::Length(0));
                (send(stream, bytes, is_over).await, is_over)
            }
            Part::End(trailers) if trailers.is_empty() => {
                (stream.send_data(Bytes::new(), true), true)
            }
            Part::End(mut trailers) => {
                remove_fields_of_connections(&mut trailers);
                (send_trailers(stream, trailers), true)
            }
        };
        match sent {
            Err(_) => return Ok(Uploaded::Stopped),
            Ok(()) if is_over => return Ok(Uploaded::Whole),
            Ok(()) => {}
        }
    }
}

/// Sends bytes as the windows of stream and connection open.
pub(super) async fn send(
    stream: &mut SendStream<Bytes>,
    mut bytes: Bytes,
    is_last: bool,
) -> Result<(), h2::Error> {
    if bytes.is_empty() && is_last {
        return stream.send_data(bytes, true);
    }
    while !bytes.is_empty() {
        stream.reserve_capacity(bytes.len());
        while stream.capacity() == 0 {
            match poll_fn(|context| stream.poll_capacity(context)).await {
                Some(granted) => granted?,
                None => return Err(Reason::STREAM_CLOSED.into()),
            };
        }
        let some = bytes.split_to(stream.capacity().min(bytes.len()));
        stream.send_data(some, is_last && bytes.is_empty())?;
    }
    Ok(())
}

/// Sends trailers, which end the stream.
pub(super) fn send_trailers(
    stream: &mut SendStream<Bytes>,
    trailers: HeaderMap,
) -> Result<(), h2::Error> {
    stream.send_trailers(trailers)
}
