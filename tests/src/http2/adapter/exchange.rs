//! One request and its response, translated.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::ResponseFuture;
use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use super::super::body::{Uploaded, upload};
use super::super::head::{Outgoing, http1, write_fields};
use super::super::intake::{Intake, Part, Rest};
use super::{Adapter, Ending};
use crate::message::Framing;

/// How long the rest of a body that nobody wants may take.
const MOMENT: Duration = Duration::from_millis(100);

/// Sends a request and writes its response, both at the same time. Returns whether another may
/// follow on the connection of HTTP/1.1.
pub(super) async fn exchange(adapter: &mut Adapter, outgoing: Outgoing) -> Result<bool, Ending> {
    let Outgoing {
        request,
        mut body,
        is_last,
    } = outgoing;
    let method = request.method().clone();
    let client = adapter.client.clone().ready().await;
    let mut client = client.map_err(|error| Ending::of(&error))?;
    let sent = client.send_request(request, body.is_none());
    let (mut response, mut stream) = sent.map_err(|error| Ending::of(&error))?;
    drop(client);

    let (intake, outlet) = (&mut adapter.intake, &mut adapter.outlet);
    let up = async {
        match &mut body {
            None => Ok(Uploaded::Whole),
            Some(rest) => match upload(intake, rest, &mut stream).await? {
                Uploaded::Whole => Ok(Uploaded::Whole),
                Uploaded::Stopped => Ok(discard(intake, rest).await),
            },
        }
    };
    let down = download(&mut response, outlet, &method);
    let both = async { tokio::try_join!(up, down) };
    let ended = tokio::select! {
        ended = both => ended,
        () = adapter.far.dropped() => Err(Ending::Gone),
    };
    if matches!(ended, Err(Ending::Gone)) && !adapter.far.is_aborted() {
        adapter.settle().await;
    }
    // A stream that is not complete is reset with CANCEL once nobody has it any more.
    drop((response, stream));
    let (uploaded, ()) = ended?;
    Ok(uploaded == Uploaded::Whole && !is_last)
}

/// Reads what nobody wants of a body, for a moment, as servers of HTTP/1.1 do. If its end comes,
/// the next request may follow.
async fn discard(intake: &mut Intake<impl AsyncRead + Unpin>, rest: &mut Rest) -> Uploaded {
    let to_the_end = async {
        loop {
            match intake.part(rest).await {
                Ok(Part::Data(_)) => {}
                Ok(Part::End(_)) => return Uploaded::Whole,
                Err(_) => return Uploaded::Stopped,
            }
        }
    };
    let read = timeout(MOMENT, to_the_end).await;
    read.unwrap_or(Uploaded::Stopped)
}

/// Writes interim and final responses as they arrive.
async fn download(
    response: &mut ResponseFuture,
    outlet: &mut (impl AsyncWrite + Unpin),
    method: &Method,
) -> Result<(), Ending> {
    let received = loop {
        match next_head(response)
            .await
            .map_err(|error| Ending::of(&error))?
        {
            Head::Interim(interim) => {
                let (parts, ()) = interim.into_parts();
                write(outlet, &http1(&parts, method).0).await?;
            }
            Head::Final(received) => break received,
        }
    };
    let (parts, mut body) = received.into_parts();
    let (head, framing) = http1(&parts, method);
    write(outlet, &head).await?;
    while let Some(bytes) = next_data(&mut body).await? {
        match framing {
            Framing::Chunked => write(outlet, &chunk(&bytes)).await?,
            Framing::Length(_) => write(outlet, &bytes).await?,
            _ if bytes.is_empty() => {}
            _ => return Err(Ending::Reset("a body where none may be".to_owned())),
        }
        // Not before the wire has taken it: that is what slows the gateway down.
        let _ = body.flow_control().release_capacity(bytes.len());
    }
    let trailers = body.trailers().await;
    let trailers = trailers.map_err(|error| Ending::of(&error))?;
    if framing == Framing::Chunked {
        let mut end = b"0\r\n".to_vec();
        write_fields(&mut end, &trailers.unwrap_or_default());
        end.extend_from_slice(b"\r\n");
        write(outlet, &end).await?;
    }
    Ok(())
}

/// A head that was received.
enum Head {
    Interim(http::Response<()>),
    Final(http::Response<RecvStream>),
}

async fn next_head(response: &mut ResponseFuture) -> Result<Head, h2::Error> {
    poll_fn(|context| {
        if let Poll::Ready(Some(interim)) = response.poll_informational(context) {
            return Poll::Ready(interim.map(Head::Interim));
        }
        let polled = Pin::new(&mut *response).poll(context);
        polled.map(|received| received.map(Head::Final))
    })
    .await
}

/// The next bytes of a body; none at its end. Empty frames would end a chunked body.
async fn next_data(body: &mut RecvStream) -> Result<Option<Bytes>, Ending> {
    loop {
        match body.data().await {
            Some(Ok(bytes)) if bytes.is_empty() => {}
            Some(Ok(bytes)) => return Ok(Some(bytes)),
            Some(Err(error)) => return Err(Ending::of(&error)),
            None => return Ok(None),
        }
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

async fn write(outlet: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> Result<(), Ending> {
    let written = outlet.write_all(bytes).await;
    written.map_err(|_| Ending::Gone)
}
