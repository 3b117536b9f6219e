//! The four phases as types, so that a value made for one cannot be used in
//! another and an effect is offered only where the gateway carries it out.

use std::fmt::Debug;

/// A phase. Only the four below.
pub trait Kind: sealed::Sealed + Clone + Copy + Debug + PartialEq + 'static {
    /// Its name in the contract.
    const NAME: &'static str;
    /// Whether there is a response to ask about.
    const HAS_RESPONSE: bool;
}

/// A phase in which there is a response: [`Fetched`], [`Missing`], [`Response`].
pub trait WithResponse: Kind {}

/// A phase whose verdict may count or purge: [`Request`] and [`Response`].
pub trait AtTheEdge: Kind {}

macro_rules! phases {
    ($($(#[$doc:meta])* $name:ident, $word:literal, $has_response:literal: $($also:ident)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub struct $name;
            impl Kind for $name {
                const NAME: &'static str = $word;
                const HAS_RESPONSE: bool = $has_response;
            }
            impl sealed::Sealed for $name {}
            $(impl $also for $name {})*
        )*
    };
}

phases! {
    /// Once for each request, before the cache.
    Request, "request", false: AtTheEdge;
    /// Once for each answer of the target: an upstream's answer or
    /// revalidation, or a file; before the cache stores it.
    Fetched, "fetched", true: WithResponse;
    /// When the target has no such thing: no file, or an upstream's 404 if asked.
    Missing, "missing", true: WithResponse;
    /// On every delivery, whatever made the response.
    Response, "response", true: WithResponse AtTheEdge;
}

mod sealed {
    pub trait Sealed {}
}
