//! Closes a client's connection without losing its last response.

use std::future::poll_fn;
use std::time::Duration;

use crate::session::Session;

/// How long the gateway reads on and discards what the client sends.
const PATIENCE: Duration = Duration::from_secs(2);
/// How many bytes are read and discarded at most.
const BYTES: u64 = 1024 * 1024;

/// Closes the sending side, and reads and discards what still arrives for a moment.
/// To close the socket while data of the client is arriving would reset the
/// connection, and the client could lose a response that it has not read yet
/// (RFC 9112 §9.6).
pub(crate) async fn close(session: &mut Session) {
    let Session {
        incoming,
        outgoing,
        deadline,
        ..
    } = session;
    let (reader, writer) = (&mut incoming.reader, &mut outgoing.writer);
    if writer.shutdown().await.is_err() {
        return;
    }
    let end = reader.received() + BYTES;
    deadline.set_cap(None);
    deadline.set(PATIENCE);
    let rest = poll_fn(|context| {
        loop {
            let take =
                |_: &mut std::task::Context<'_>, bytes: &[u8]| (bytes.len(), bytes.is_empty());
            match std::task::ready!(reader.poll_take(context, usize::MAX, take)) {
                Ok(false) if reader.received() < end => {}
                _ => return std::task::Poll::Ready(()),
            }
        }
    });
    let _ = deadline.guard(rest).await;
}
