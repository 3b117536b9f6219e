//! The phases of an exchange.

/// The moments at which a policy can be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Once for each request, before the cache.
    Request,
    /// Once for each response of the target (a response or revalidation of an upstream,
    /// or a file), before the cache stores it.
    Fetched,
    /// When the target does not have the resource: no file, or an upstream's 404 if the
    /// route says so.
    Missing,
    /// Before each response is delivered, whatever its source.
    Response,
    /// Once for each exchange, after its last byte and before its line in the access log.
    Finished,
}

impl Phase {
    /// All of them, in the order of an exchange.
    pub const ALL: [Self; 5] = [
        Self::Request,
        Self::Fetched,
        Self::Missing,
        Self::Response,
        Self::Finished,
    ];

    /// The phase of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.name() == name)
    }

    /// Its name in the contract.
    pub fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Fetched => "fetched",
            Self::Missing => "missing",
            Self::Response => "response",
            Self::Finished => "finished",
        }
    }
}
