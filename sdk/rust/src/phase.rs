//! The phases as types, so that a value of one phase cannot be used in another, and an
//! edit or effect can be added only in the phases that allow it.

use std::fmt::Debug;

/// A phase: [`Request`], [`Fetched`], [`Missing`], [`Response`] or [`Finished`].
pub trait Kind: sealed::Sealed + Clone + Copy + Debug + PartialEq + 'static {
    /// Its name in the contract.
    const NAME: &'static str;
}

/// A phase in which a policy may end the exchange with a response of its own: all but
/// [`Finished`].
pub trait Answering: Kind {}

/// A phase in which there is a response: all but [`Request`].
pub trait WithResponse: Kind {}

/// A phase with a head to edit: [`Request`], [`Fetched`], [`Response`].
pub trait WithHead: Kind {
    /// The permission to edit a field of it, without the field's name.
    const EDIT: &'static str;
}

/// A phase in which the head is that of the response: [`Fetched`], [`Response`].
pub trait ResponseHead: WithHead {}

/// A phase before the final response, which a verdict may edit in advance: [`Request`],
/// [`Missing`].
pub trait BeforeResponse: Kind {}

/// A phase that runs for each exchange, so that its verdict may ban or purge:
/// [`Request`], [`Response`] and [`Finished`].
pub trait PerExchange: Kind {}

macro_rules! phases {
    ($($(#[$doc:meta])* $name:ident, $word:literal: $($also:ident)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name;
            impl Kind for $name {
                const NAME: &'static str = $word;
            }
            impl sealed::Sealed for $name {}
            $(impl $also for $name {})*
        )*
    };
}

phases! {
    /// Once for each request, before the cache.
    Request, "request": Answering BeforeResponse PerExchange;
    /// Once for each response of the target (a response or revalidation of an upstream,
    /// or a file), before the cache stores it.
    Fetched, "fetched": Answering WithResponse ResponseHead;
    /// When the target does not have the resource: no file, or an upstream's 404 if the
    /// route has `missing = true`.
    Missing, "missing": Answering WithResponse BeforeResponse;
    /// Before each response is delivered, whatever its source.
    Response, "response": Answering WithResponse ResponseHead PerExchange;
    /// After the last byte of the response, before the line of the access log. The client
    /// does not wait for it.
    Finished, "finished": WithResponse PerExchange;
}

impl WithHead for Request {
    const EDIT: &'static str = "edit:header:";
}

impl WithHead for Fetched {
    const EDIT: &'static str = "edit:response-header:";
}

impl WithHead for Response {
    const EDIT: &'static str = "edit:response-header:";
}

mod sealed {
    pub trait Sealed {}
}
