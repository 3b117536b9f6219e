//! After `101`: bytes both ways until either side is done.
//!
//! A tunnel keeps its route's terms and its endpoint, and no snapshot: it may
//! live for a day through any number of reloads.

use std::task::{Context, Poll};
use std::time::Duration;

use janua_http::Framing;
use janua_http::failure::Kind;

use crate::body::{Transfer, TransferError};
use crate::client::Client;
use crate::exchange::{Exchange, Fate};
use crate::upstreamed::Upstreamed;
use crate::wire::{self, Reader, Writer};

/// One direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Open,
    /// All has been passed on; the receiver has not been told yet.
    Ended,
    /// The receiver knows that nothing more comes.
    Closed,
}

impl Side {
    /// Passes on what there is, and tells the receiver of the end, once.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        transfer: &mut Transfer,
        reader: &mut Reader,
        writer: &mut Writer,
    ) -> Result<(), TransferError> {
        if *self == Self::Open
            && let Poll::Ready(passed) = transfer.poll(context, reader, writer)
        {
            passed?;
            *self = Self::Ended;
        }
        if *self == Self::Ended && writer.poll_shutdown(context).is_ready() {
            *self = Self::Closed;
        }
        Ok(())
    }
}

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
    let (mut up_side, mut down_side) = (Side::Open, Side::Open);
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
        let up_polled = up_side.poll(context, &mut up, reader, &mut upstream.writer);
        let down_polled = down_side.poll(context, &mut down, &mut upstream.reader, writer);
        if up_polled.is_err() || down_polled.is_err() {
            return Poll::Ready(Ok(()));
        }
        if up_side == Side::Closed && down_side == Side::Closed {
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
