//! Receives the final head of a response and forwards interim responses.

use std::task::{Context, Poll, ready};

use janua_http::failure::Kind;
use janua_http::fields::Known;
use janua_http::{Failure, Framing, ResponseHead, chunked};

use super::{Call, websocket};
use crate::body::TransferError;
use crate::clean;
use crate::incoming::Incoming;
use crate::responder::Responder;
use crate::upstream_stream::StreamError;
use crate::upstream_tls;
use crate::wire::ReadError;

/// The most heads that an upstream may send for one request, including those of
/// interim responses.
const MAX_HEADS: usize = 16;

/// Receives heads until the final one.
#[derive(Default)]
pub(super) struct FinalHead {
    /// How many heads have been received.
    heads: usize,
    /// An interim response is being written to the client.
    is_forwarding: bool,
    /// The protocol that a `101` switches the connection to.
    pub(super) protocol: Option<Vec<u8>>,
}

impl FinalHead {
    /// Whether nothing more is read because the client does not read an interim response.
    pub(super) fn awaits_client(&self) -> bool {
        self.is_forwarding
    }

    /// Reads heads until `response` holds the final one, and prepares `incoming`
    /// for the body. Interim responses are forwarded to clients that support them.
    pub(super) fn poll(
        &mut self,
        context: &mut Context<'_>,
        call: &Call<'_>,
        incoming: &mut Incoming,
        response: &mut ResponseHead,
        mut responder: Option<&mut Responder<'_>>,
    ) -> Poll<Result<(), Failure>> {
        let limits = call.course.forwarding().response_limits;
        let answers_head = call.head.method == b"HEAD";
        loop {
            if self.is_forwarding
                && let Some(responder) = &mut responder
            {
                ready!(responder.poll_flush(context))?;
                self.is_forwarding = false;
            }
            if self.heads == MAX_HEADS {
                let words = "too many interim responses";
                return Poll::Ready(Err(Failure::with(Kind::ResponseMalformed, words)));
            }
            if let Some(stream) = incoming.reader.upstream() {
                let polled = stream.poll_head(context, response, limits, answers_head);
                ready!(polled).map_err(StreamError::failure)?;
                if response.status == 101 {
                    let words = "101 in HTTP/2";
                    return Poll::Ready(Err(Failure::with(Kind::ResponseMalformed, words)));
                }
                if (200..300).contains(&response.status) && websocket::is_asked_for(call) {
                    websocket::accept(call.head, response);
                }
            } else {
                let parse = &mut |bytes: &[u8]| response.parse(bytes, limits, answers_head);
                let reader = &mut incoming.reader;
                ready!(reader.poll_head(context, limits.bytes, parse)).map_err(failure)?;
            }
            self.heads += 1;
            match response.status {
                101 if call.hop.upgrade.is_some() => {
                    let named = response.fields.known(Known::Upgrade).next();
                    let named = named.map(<[u8]>::to_vec);
                    self.protocol = named.or_else(|| call.hop.upgrade.clone());
                    clean::clean_response(response);
                    break;
                }
                101 => {
                    let words = "101 although no upgrade was requested";
                    return Poll::Ready(Err(Failure::with(Kind::ResponseMalformed, words)));
                }
                // The gateway has already sent its own `100 Continue`.
                100 => {}
                102..=199 => {
                    if let Some(responder) = &mut responder {
                        clean::clean_response(response);
                        self.is_forwarding = responder.interim(response);
                    }
                }
                _ => {
                    clean::clean_response(response);
                    break;
                }
            }
        }
        // Nothing has been sent to the client yet, so that an error in the chunked
        // coding can still be reported with a status code.
        if response.framing == Framing::Chunked {
            chunked::check(incoming.reader.buffered())
                .map_err(|bad| TransferError::Malformed(bad.0).of_response())?;
        }
        incoming.begin_response(response.framing);
        Poll::Ready(Ok(()))
    }
}

fn failure(error: ReadError) -> Failure {
    match error {
        ReadError::Closed => Kind::ConnectionReset.into(),
        ReadError::Incomplete => {
            Failure::with(Kind::ConnectionReset, "closed in the middle of the head")
        }
        ReadError::Io(error) => upstream_tls::refusal(&error)
            .unwrap_or_else(|| Failure::with(Kind::ConnectionReset, error.kind().to_string())),
        ReadError::Head(error) => Failure::of_response_head(error),
    }
}
