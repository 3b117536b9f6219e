//! The cache rule of a policy: whether and for how long a response is stored.

/// How long to store a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// As the response's fields say.
    #[default]
    ByFields,
    /// As the response's fields say, or by the heuristic of RFC 9111 §4.2.2 if they
    /// state no lifetime.
    ByFieldsOrHeuristic,
    /// Not at all.
    Never,
    /// For this many seconds after it was received. Overrides `Cache-Control`,
    /// `CDN-Cache-Control`, `Surrogate-Control`, `Expires` and `Age`, but not the rules
    /// for `Vary`, `Authorization` and `Set-Cookie`.
    Seconds(u32),
}

/// A cache rule, as the policies of the phase `fetched` have set it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Name of the rule in `Cache-Status` and the access log.
    pub name: &'a str,
    /// How long to store the response.
    pub store: Storage,
    /// For how many seconds the response may be served stale while it is revalidated.
    /// Overrides the response's own `stale-while-revalidate` (RFC 5861 §3).
    pub stale_while_revalidate: Option<u32>,
    /// For how many seconds the response may be served stale when the upstream fails.
    /// Overrides the response's own `stale-if-error` (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
    /// The response may be shared between users even if it answers a request with
    /// `Authorization` or sets a cookie.
    pub shared: bool,
}
