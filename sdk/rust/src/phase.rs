//! The four phases as types, so that a value of one phase cannot be used in another, and
//! an effect can be added only in the phases that allow it.

use std::fmt::Debug;

/// A phase: [`Request`], [`Fetched`], [`Missing`] or [`Response`].
pub trait Kind: sealed::Sealed + Clone + Copy + Debug + PartialEq + 'static {
    /// Its name in the contract.
    const NAME: &'static str;
    /// Whether there is a response in the phase.
    const HAS_RESPONSE: bool;
}

/// A phase in which there is a response: [`Fetched`], [`Missing`], [`Response`].
pub trait WithResponse: Kind {}

/// A phase that runs for each exchange, so that its verdict may ban or purge:
/// [`Request`] and [`Response`].
pub trait PerExchange: Kind {}

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
    Request, "request", false: PerExchange;
    /// Once for each response of the target (a response or revalidation of an upstream,
    /// or a file), before the cache stores it.
    Fetched, "fetched", true: WithResponse;
    /// When the target does not have the resource: no file, or an upstream's 404 if the
    /// route has `missing = true`.
    Missing, "missing", true: WithResponse;
    /// Before each response is delivered, whatever its source.
    Response, "response", true: WithResponse PerExchange;
}

mod sealed {
    pub trait Sealed {}
}
