//! The client's side of one exchange.

use crate::deadline::Deadline;
use crate::incoming::Incoming;
use crate::responder::Responder;

/// The source of the request and the destination of the response.
pub(crate) struct Downstream<'c> {
    /// The request's body, and whatever the client sends after it.
    pub(crate) incoming: &'c mut Incoming,
    pub(crate) responder: Responder<'c>,
    pub(crate) deadline: &'c mut Deadline,
}
