//! The answer of a target. Its head is stored in the exchange; the type here tells
//! where its body comes from.

use janua_http::Failure;

use crate::call::UpstreamResponse;
use crate::content::Content;
use crate::exchange::Exchange;
use crate::facts::AnsweredBy;
use crate::representation::{Held, Representation};
use crate::verdict::Made;

/// An answer to a request.
pub(crate) struct Answer {
    pub(crate) by: AnsweredBy,
    pub(crate) body: Body,
    /// The policies of the phase `fetched` are still to be called for it.
    pub(crate) is_fresh: bool,
}

/// The body of an answer.
pub(crate) enum Body {
    /// The gateway holds the body and sends it unchanged.
    Content(Content),
    /// The gateway holds the whole body. Content coding and ranges are still to be
    /// chosen.
    Whole(Representation),
    /// The same for a stored response, whose body may still be arriving.
    Stored(Held),
    /// The body is streamed from the upstream.
    Passing(UpstreamResponse),
    /// There is no body: the connection switches to another protocol.
    Switched(UpstreamResponse),
    /// The target has no such resource. A policy may choose another path.
    Missing(Failure),
}

impl Answer {
    /// A generated response, whose head becomes that of the exchange.
    pub(crate) fn made(exchange: &mut Exchange, made: Made, by: AnsweredBy) -> Self {
        exchange.set_generated_head(&made);
        Self::settled(by, Body::Content(made.body.into()))
    }

    /// An answer that the target made for this request, so that the policies of the
    /// phase `fetched` are to be called for it.
    pub(crate) fn fresh(by: AnsweredBy, body: Body) -> Self {
        Self {
            by,
            body,
            is_fresh: true,
        }
    }

    /// An answer for which the policies of the phase `fetched` have already been
    /// called, or are not to be called.
    pub(crate) fn settled(by: AnsweredBy, body: Body) -> Self {
        Self {
            by,
            body,
            is_fresh: false,
        }
    }
}
