//! What a target answers with: a head, which stands in the exchange, and a
//! body, wherever that is.

use janua_http::Failure;

use crate::call::UpstreamResponse;
use crate::content::Content;
use crate::facts::AnsweredBy;
use crate::representation::{Held, Representation};

/// An answer to a request.
pub(crate) struct Answer {
    pub(crate) by: AnsweredBy,
    pub(crate) body: Body,
    /// The policies of the phase `fetched` have not seen it yet, and are to.
    pub(crate) is_fresh: bool,
}

/// The body of an answer.
pub(crate) enum Body {
    /// The gateway holds it, and it is sent as it is.
    Content(Content),
    /// The gateway holds the whole of it: in which form the client gets it is
    /// still to be chosen.
    Whole(Representation),
    /// The same, of a stored response, which may still be on its way.
    Stored(Held),
    /// It passes through.
    Passing(UpstreamResponse),
    /// There is none: from now on the connection speaks another protocol.
    Switched(UpstreamResponse),
    /// The target has no such thing, unless a policy knows what to serve instead.
    Missing(Failure),
}

impl Answer {
    /// An answer that the target made for this request, and that the phase
    /// `fetched` is asked about.
    pub(crate) fn fresh(by: AnsweredBy, body: Body) -> Self {
        Self {
            by,
            body,
            is_fresh: true,
        }
    }

    /// An answer that the phase `fetched` is not asked about (any more).
    pub(crate) fn settled(by: AnsweredBy, body: Body) -> Self {
        Self {
            by,
            body,
            is_fresh: false,
        }
    }
}
