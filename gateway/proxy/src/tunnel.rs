//! After `101`: bytes both ways until either side is done (P5).
//!
//! A tunnel keeps its route's terms and its endpoint, and no snapshot: it may
//! live for a day through any number of reloads.

use std::task::Poll;
use std::time::Duration;

use janua_http::Framing;
use janua_http::failure::Kind;

use crate::attempt::Upstreamed;
use crate::body::Transfer;
use crate::client::Client;
use crate::exchange::{Exchange, Fate};
use crate::wire;

/// Passes bytes both ways. When one side has closed, the other may go on for
/// as long as the idle timeout allows.
pub(crate) async fn tunnel(
    exchange: &mut Exchange,
    client: &mut Client,
    mut upstream: Upstreamed,
    idle: Duration,
) -> Fate {
    let mut up = Transfer::new(Framing::UntilClose, Framing::UntilClose, u64::MAX);
    let mut down = Transfer::new(Framing::UntilClose, Framing::UntilClose, u64::MAX);
    let (mut up_open, mut down_open) = (true, true);
    client.deadline.set_cap(None);
    client.deadline.set(idle);
    let Client {
        reader,
        writer,
        deadline,
        ..
    } = client;
    let ended = std::future::poll_fn(|context| {
        let moved = wire::moved();
        if up_open && let Poll::Ready(passed) = up.poll(context, reader, &mut upstream.writer) {
            if passed.is_err() {
                return Poll::Ready(Ok(()));
            }
            up_open = false;
        }
        if down_open && let Poll::Ready(passed) = down.poll(context, &mut upstream.reader, writer) {
            if passed.is_err() {
                return Poll::Ready(Ok(()));
            }
            down_open = false;
        }
        if !up_open {
            let _ = upstream.writer.poll_shutdown(context);
        }
        if !down_open {
            let _ = writer.poll_shutdown(context);
        }
        if !up_open && !down_open {
            return Poll::Ready(Ok(()));
        }
        if moved != wire::moved() {
            deadline.set(idle);
        }
        deadline.poll(context).map(|_| Err(()))
    })
    .await;
    exchange.record.bytes_in = up.size();
    exchange.record.bytes_out = down.size();
    if ended.is_err() {
        exchange.record.fail(&Kind::ResponseTimeout.into());
    }
    Fate::Close
}
