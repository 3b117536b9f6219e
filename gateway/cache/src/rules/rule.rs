//! What a policy decided about the storing of a response.

/// How long to store a response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// As its own fields say.
    #[default]
    ByFields,
    /// As its own fields say, and by the heuristic of RFC 9111 §4.2.2 if they
    /// say nothing.
    ByFieldsOrHeuristic,
    /// Not at all.
    Never,
    /// For this many seconds from when it was received, whatever
    /// `Cache-Control`, `CDN-Cache-Control`, `Expires` and `Age` say. `Vary`,
    /// `Authorization` and `Set-Cookie` still count.
    Seconds(u32),
}

/// A cache rule: what the policies of the phase `fetched` decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rule<'a> {
    /// Names the rule in `Cache-Status` and the log.
    pub name: &'a str,
    /// How long to store it.
    pub store: Storage,
    /// Seconds after its end that it may be served while it is revalidated,
    /// instead of what the response says (RFC 5861 §3).
    pub stale_while_revalidate: Option<u32>,
    /// Seconds after its end that it may be served when the upstream fails,
    /// instead of what the response says (RFC 5861 §4).
    pub stale_if_error: Option<u32>,
    /// Users may share it, also one that answers a request with `Authorization`
    /// or sets a cookie.
    pub shared: bool,
}
