//! Writes a response to the client.

pub(crate) mod content;

use std::future::poll_fn;
use std::io;
use std::time::Duration;

use janua_http::Framing;
use janua_http::fields::{Known, write_field};
use janua_http::head::Version;
use janua_http::status::reason;

use crate::body::{Transfer, TransferError};
use crate::client::Client;
use crate::exchange::{Exchange, Fate};
use crate::wire::Writer;

/// How long a client may take for what is only read to be dropped.
const DRAIN_PATIENCE: Duration = Duration::from_secs(2);

impl Exchange {
    /// Whether the client's connection can be used again.
    pub(crate) fn fate(&self) -> Fate {
        if self.heads.request.keep_alive && !self.worker.draining.get() {
            Fate::KeepAlive
        } else {
            Fate::Close
        }
    }
}

/// How the body goes out, if it comes in as `from`: chunked for clients that
/// know it, otherwise until the connection closes.
pub(crate) fn outgoing(from: Framing, client: Version) -> Framing {
    match (from, client) {
        (Framing::None | Framing::Length(_), _) => from,
        (Framing::Chunked | Framing::UntilClose, Version::Http11) => Framing::Chunked,
        (Framing::Chunked | Framing::UntilClose, Version::Http10) => Framing::UntilClose,
    }
}

/// Makes the response's head pending.
pub(crate) fn begin(exchange: &mut Exchange, writer: &mut Writer, fate: Fate) {
    exchange.has_begun = true;
    let response = &exchange.heads.response;
    exchange.record.status = Some(response.status);
    let out = writer.pending();
    write_status_line(response.status, &response.reason, out);
    response.fields.write_to(out);
    if response.fields.known(Known::Date).next().is_none() {
        out.extend_from_slice(b"Date: ");
        exchange.worker.clock.write_date(exchange.now, out);
        out.extend_from_slice(b"\r\n");
    }
    let version = exchange.heads.request.version;
    if outgoing(response.framing, version) == Framing::Chunked {
        write_field(out, b"Transfer-Encoding", b"chunked");
    }
    match (fate, version) {
        (Fate::KeepAlive, Version::Http11) => {}
        (Fate::KeepAlive, Version::Http10) => write_field(out, b"Connection", b"keep-alive"),
        (Fate::Close | Fate::Abort, _) => write_field(out, b"Connection", b"close"),
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a status line.
pub(crate) fn write_status_line(status: u16, phrase: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
    out.push(b' ');
    out.extend_from_slice(if phrase.is_empty() {
        reason(status).as_bytes()
    } else {
        phrase
    });
    out.extend_from_slice(b"\r\n");
}

/// Writes what is pending, as long as the client takes some of it in time.
pub(crate) async fn flush(client: &mut Client) -> io::Result<()> {
    let Client {
        writer, deadline, ..
    } = client;
    deadline.set(Duration::from_secs(60));
    match deadline.guard(writer.flush()).await {
        Ok(flushed) => flushed,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Reads the rest of a request's body and drops it; true if it came to its end.
pub(crate) async fn drain(exchange: &Exchange, client: &mut Client, limit: u64) -> bool {
    let framing = exchange.heads.request.framing;
    if framing.is_empty() {
        return true;
    }
    let mut rest = Transfer::new(framing, Framing::UntilClose, limit);
    let Client {
        reader, deadline, ..
    } = client;
    deadline.set(DRAIN_PATIENCE);
    let drained = deadline
        .guard(poll_fn(|context| rest.poll_drop(context, reader)))
        .await;
    matches!(drained, Ok(Ok::<(), TransferError>(())))
}

/// Says that nothing more will come, and reads on for a moment: to close
/// while data of the client is on its way would reset the connection, and the
/// client could lose the response that it has not read yet (RFC 9112 §9.6).
pub(crate) async fn linger(client: &mut Client) {
    const BYTES: u64 = 1024 * 1024;
    let Client {
        reader,
        writer,
        deadline,
        ..
    } = client;
    if writer.shutdown().await.is_err() {
        return;
    }
    let end = reader.received() + BYTES;
    deadline.set_cap(None);
    deadline.set(DRAIN_PATIENCE);
    let rest = poll_fn(|context| {
        loop {
            let take =
                |_: &mut std::task::Context<'_>, bytes: &[u8]| (bytes.len(), bytes.is_empty());
            match std::task::ready!(reader.poll_take(context, take)) {
                Ok(false) if reader.received() < end => {}
                _ => return std::task::Poll::Ready(()),
            }
        }
    });
    let _ = deadline.guard(rest).await;
}
