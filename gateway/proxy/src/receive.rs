//! Receives the head of a request.

use std::future::poll_fn;

use janua_http::failure::Kind;
use janua_http::{Failure, HeadError};

use crate::client::Client;
use crate::exchange::Exchange;
use crate::wire::ReadError;

/// What came.
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
/// Something that is no head, or not in time. The connection is of no more use.
pub(crate) async fn receive(
    exchange: &mut Exchange,
    client: &mut Client,
) -> Result<Received, Failure> {
    let local = exchange.worker.snapshot();
    let Some(listener) = local.listener(client.listener) else {
        return Ok(Received::Nothing);
    };
    let limits = listener.limits;
    client.deadline.set_cap(None);
    client
        .deadline
        .set_from(exchange.now.instant, listener.head_timeout);
    drop(local);
    let Client {
        reader, deadline, ..
    } = client;
    let request = &mut exchange.heads.request;
    let parse = &mut |bytes: &[u8]| request.parse(bytes, limits);
    let read = deadline
        .guard(poll_fn(|context| {
            reader.poll_head(context, limits.bytes, parse)
        }))
        .await;
    match read {
        Ok(Ok(())) => {
            client.requests += 1;
            Ok(Received::Request)
        }
        Ok(Err(ReadError::Closed)) => Ok(Received::Nothing),
        Ok(Err(ReadError::Incomplete)) => Err(Failure::with(
            Kind::ClientGone,
            "closed in the middle of the head",
        )),
        Ok(Err(ReadError::Io(error))) => {
            Err(Failure::with(Kind::ClientGone, error.kind().to_string()))
        }
        Ok(Err(ReadError::Head(error))) => Err(refusal(error)),
        Err(_) if reader.buffered().is_empty() => Ok(Received::Nothing),
        Err(_) => Err(Kind::RequestTimeout.into()),
    }
}

/// Refuses a body that says that it is larger than the route allows.
pub(crate) fn check_body(exchange: &Exchange, client: &mut Client) -> Result<(), Failure> {
    let Some(terms) = &exchange.terms else {
        return Ok(());
    };
    let cap = terms
        .request_timeout
        .map(|timeout| exchange.now.instant + timeout);
    client.deadline.set_cap(cap);
    let length = exchange.heads.request.framing.length().unwrap_or_default();
    if length > terms.max_body {
        return Err(Failure::with(
            Kind::RequestBodyTooLarge,
            format!("{length} bytes, the limit is {}", terms.max_body),
        ));
    }
    Ok(())
}

fn refusal(error: HeadError) -> Failure {
    let kind = match error {
        HeadError::TooLarge | HeadError::TooManyFields => Kind::RequestHeadTooLarge,
        HeadError::Malformed(_) => Kind::BadRequest,
        HeadError::TransferCoding => Kind::TransferCoding,
        HeadError::Version => Kind::HttpVersion,
    };
    Failure::with(kind, error.words())
}
