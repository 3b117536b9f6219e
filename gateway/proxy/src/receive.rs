//! Receives the head of a request.

mod connect;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use janua_http::failure::Kind;
use janua_http::grpc_web::Form;
use janua_http::{Failure, HeadError, Length, grpc};

use crate::body::{Trailers, client_gone};
use crate::course::Course;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::min_rate::{Meter, MinRates};
use crate::session::{Arrived, Session};
use crate::upstream_http2::Protocol;
use crate::wire::ReadError;

/// The first byte of a TLS handshake (RFC 8446 §5.1), which begins no request.
const HANDSHAKE_RECORD: u8 = 22;
/// Why a TLS handshake is refused where a request was expected.
const IS_TLS: HeadError = HeadError::Malformed("a TLS handshake, and this listener is without TLS");

/// What was received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A request's head.
    Request,
    /// The client closed before it sent another request.
    Nothing,
}

/// Reads a head into the exchange.
///
/// # Errors
/// What arrived is not a valid head, or was not complete in time. The connection cannot be
/// used any more.
pub(crate) async fn receive(
    exchange: &mut Exchange,
    session: &mut Session,
) -> Result<Received, Failure> {
    let local = exchange.worker.snapshot();
    let Some(listener) = local.listener(session.listener) else {
        return Ok(Received::Nothing);
    };
    let limits = listener.limits;
    // Counting this one.
    session.requests += 1;
    exchange.is_last = session.is_exhausted(listener);
    exchange.expires_at = session.expires_at(listener);
    let rates = listener.min_rates;
    session.deadline.set_cap(None);
    session
        .deadline
        .set_from(exchange.now.instant, listener.head_timeout);
    drop(local);
    if let Some(arrived) = session.arrived.take() {
        take(exchange, arrived)?;
        begin(exchange, session, rates);
        return Ok(Received::Request);
    }
    let Session {
        incoming, deadline, ..
    } = session;
    let may_be_tls = exchange.peer.tls.is_none();
    let request = &mut exchange.heads.request;
    let parse = &mut |bytes: &[u8]| {
        if may_be_tls && bytes.first() == Some(&HANDSHAKE_RECORD) {
            return Err(IS_TLS);
        }
        request.parse(bytes, limits)
    };
    let mut meter = Meter::new(rates.head);
    let before = incoming.reader.received();
    let mut has_waited = false;
    let read = deadline
        .guard(poll_fn(|context| {
            let polled = incoming
                .reader
                .poll_head(context, limits.bytes, parse)
                .map_err(Some);
            has_waited |= polled.is_pending();
            let received = incoming.reader.received() - before;
            if polled.is_pending() && meter.is_too_slow(received, true) {
                return Poll::Ready(Err(None));
            }
            polled
        }))
        .await;
    match read {
        Ok(Ok(())) => {
            if has_waited {
                // What is true of the request is true when its head is complete: a client must
                // not choose an earlier moment by its first byte.
                exchange.now = exchange.worker.clock.now();
            }
            begin(exchange, session, rates);
            Ok(Received::Request)
        }
        Ok(Err(None)) => Err(Failure::with(
            Kind::RequestTimeout,
            "the head is sent too slowly",
        )),
        Ok(Err(Some(ReadError::Closed))) => Ok(Received::Nothing),
        Ok(Err(Some(ReadError::Incomplete))) => Err(Failure::with(
            Kind::ClientGone,
            "closed in the middle of the head",
        )),
        // A reset where a request may begin: browsers end idle connections so, and it is the
        // end of a client that had not read its last response. That response counts as it was.
        Ok(Err(Some(ReadError::Io(_)))) if incoming.reader.buffered().is_empty() => {
            Ok(Received::Nothing)
        }
        Ok(Err(Some(ReadError::Io(error)))) => Err(client_gone(error)),
        Ok(Err(Some(ReadError::Head(error)))) => {
            if error == IS_TLS {
                report_tls(exchange);
            }
            Err(Failure::of_request_head(error))
        }
        Err(_) if incoming.reader.buffered().is_empty() => Ok(Received::Nothing),
        Err(_) => Err(Kind::RequestTimeout.into()),
    }
}

/// Takes the head of a request of HTTP/2, which has arrived.
fn take(exchange: &mut Exchange, arrived: Arrived) -> Result<(), Failure> {
    let unused = std::mem::replace(&mut exchange.heads, arrived.heads);
    exchange.worker.put_heads(unused);
    arrived.result.map_err(Failure::of_request_head)?;
    let request = &mut exchange.heads.request;
    if request.protocol.is_some() {
        connect::translate(request, exchange.worker.random());
    }
    Ok(())
}

/// Begins the body of the request, and applies the minimum rates.
fn begin(exchange: &Exchange, session: &mut Session, rates: MinRates) {
    session.incoming.begin(exchange.heads.request.framing);
    session.incoming.limit_rate(rates.body);
    session.outgoing.limit_rate(rates.read);
}

/// Applies the route's limits to the request: the length of the body, its trailers, and
/// the timeout of the whole request, which is that of the client for a call of gRPC if it is
/// shorter.
///
/// # Errors
/// The announced length of the body exceeds the limit.
pub(crate) fn check_body(exchange: &Exchange, client: &mut Downstream<'_>) -> Result<(), Failure> {
    let Some(terms) = &exchange.terms else {
        return Ok(());
    };
    let of_route = terms.request_timeout;
    let fields = &exchange.heads.request.fields;
    let of_client = match grpc::is_call(fields) {
        true => grpc::timeout(fields),
        false => None,
    };
    let timeout = of_route.into_iter().chain(of_client).min();
    let cap = timeout.map(|timeout| exchange.now.instant + timeout);
    client.deadline.set_cap(cap);
    let length = client.incoming.length();
    let bytes = length.known().unwrap_or_default();
    if bytes > terms.max_body {
        return Err(Failure::with(
            Kind::RequestBodyTooLarge,
            format!("{bytes} bytes, the limit is {}", terms.max_body),
        ));
    }
    client.incoming.limit(terms.max_body);
    // A trailer must not override a field that the gateway itself sets in the head.
    client.incoming.set_trailers(match length {
        Length::Open if !terms.drops_trailers => {
            Trailers::PassBut(Arc::clone(&terms.refused_trailers))
        }
        _ => Trailers::Drop,
    });
    if let Some(call) = exchange.grpc_web
        && call.request == Form::Text
    {
        client.incoming.decode_text();
    }
    Ok(())
}

/// Lifts the minimum rate of the body of a call of gRPC to an upstream that speaks HTTP/2: in a
/// stream of messages there are pauses, which the idle timeout limits.
pub(crate) fn allow_pauses(exchange: &Exchange, client: &mut Downstream<'_>, course: &Course) {
    if course.forwarding().protocol != Protocol::Http11
        && grpc::is_call(&exchange.heads.request.fields)
    {
        client.incoming.limit_rate(None);
    }
}

/// Logs that a client has sent TLS to a listener without it, since its user sees only that the
/// response is not TLS.
fn report_tls(exchange: &Exchange) {
    let now_ms = exchange.now.monotonic_ms;
    let estate = &exchange.worker.estate;
    if let Some(listener) = estate.report_tls(exchange.listener, now_ms) {
        tracing::warn!(
            listener = &*listener,
            peer = &*exchange.peer.text,
            "a client has sent a TLS handshake to this listener, which has no `tls`; for a minute no further one is logged"
        );
    }
}
