//! The phases of an exchange.

/// The moments at which a policy may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Once for each request, before the cache.
    Request,
    /// Once for each answer of the target (an upstream's answer or
    /// revalidation, or a file), before the cache stores it.
    Fetched,
    /// When the target has no such thing: no file, or an upstream's 404 if asked.
    Missing,
    /// On every delivery, whatever made the response.
    Response,
}

impl Phase {
    /// All of them, in the order of an exchange.
    pub const ALL: [Self; 4] = [Self::Request, Self::Fetched, Self::Missing, Self::Response];

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Fetched => "fetched",
            Self::Missing => "missing",
            Self::Response => "response",
        }
    }
}
