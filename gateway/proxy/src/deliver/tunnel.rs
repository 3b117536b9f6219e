//! The tunnel after a `101`: relays bytes in both directions.
//!
//! A tunnel holds its route's terms and its endpoint, but no snapshot: it may last for days
//! and through any number of reloads.

use std::task::{Context, Poll};

use janua_http::failure::Kind;
use janua_http::{Failure, Framing};

use crate::body::{TransferError, client_gone};
use crate::call::UpstreamResponse;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::incoming::Incoming;
use crate::outgoing::Outgoing;
use crate::responder::Fate;

/// One direction of the tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Direction {
    Open,
    /// The sender has closed, and everything has been relayed; the receiving connection
    /// is still to be shut down.
    Ended,
    /// The receiving connection has been shut down.
    Closed,
}

impl Direction {
    /// Relays what is available, and relays the end of the stream once.
    fn poll(
        &mut self,
        context: &mut Context<'_>,
        from: &mut Incoming,
        to: &mut Outgoing,
    ) -> Result<(), TransferError> {
        if *self == Self::Open
            && let Poll::Ready(passed) = from.poll_pass(context, to)
        {
            passed?;
            *self = Self::Ended;
        }
        if *self == Self::Ended && to.writer.poll_shutdown(context).is_ready() {
            *self = Self::Closed;
        }
        Ok(())
    }
}

/// Sends the `101`, and then relays bytes in both directions. After one side has closed,
/// the other may continue as long as the idle timeout allows.
///
/// # Errors
/// The client does not read the `101`.
pub(super) async fn deliver(
    exchange: &mut Exchange,
    client: Downstream<'_>,
    response: UpstreamResponse,
) -> Result<Fate, Failure> {
    let idle = response.idle_timeout;
    let Downstream {
        incoming,
        responder,
        deadline,
    } = client;
    let protocol = response.protocol.as_deref().unwrap_or_default();
    let head = &mut exchange.heads.response;
    let clock = (&exchange.worker.clock, exchange.now);
    let outgoing = responder.upgrade(head, protocol, clock);
    let status = head.status;
    exchange.record_begin(status);
    // `_picked` counts the tunnel as a connection of its endpoint.
    let (mut upstream, _picked) = response.into_parts();
    outgoing.writer.flush().await.map_err(client_gone)?;
    incoming.begin(match incoming.is_of_one_request() {
        true => Framing::Stream(None),
        false => Framing::UntilClose,
    });
    outgoing.begin(false);
    // A tunnel may be silent or slow for as long as its idle timeout allows.
    outgoing.limit_rate(None);
    upstream.incoming.begin(Framing::UntilClose);
    upstream.outgoing.begin(false);
    let (mut up, mut down) = (Direction::Open, Direction::Open);
    deadline.set_cap(None);
    deadline.set(idle);
    let mut moved = 0;
    let ended = std::future::poll_fn(|context| {
        let up_polled = up.poll(context, incoming, &mut upstream.outgoing);
        let down_polled = down.poll(context, &mut upstream.incoming, outgoing);
        if up_polled.is_err() || down_polled.is_err() {
            return Poll::Ready(Ok(()));
        }
        if up == Direction::Closed && down == Direction::Closed {
            return Poll::Ready(Ok(()));
        }
        let received = incoming.reader.received() + upstream.incoming.reader.received();
        let sent = outgoing.writer.sent() + upstream.outgoing.writer.sent();
        if std::mem::replace(&mut moved, received + sent) != moved {
            deadline.set(idle);
        }
        deadline.poll(context).map(|_| Err(()))
    })
    .await;
    exchange.record.bytes_in = incoming.size();
    exchange.record.bytes_out = upstream.incoming.size();
    if ended.is_err() {
        exchange.record.fail(&Kind::ResponseTimeout.into());
    }
    Ok(Fate::Close)
}

#[cfg(test)]
mod tests;
