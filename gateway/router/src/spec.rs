//! What a router is built from: sites and routes as plain data.

/// Which hosts a site answers for.
///
/// Names are lower-case ASCII (an internationalised name in its `xn--` form),
/// without port and without a trailing dot. An IPv6 literal keeps its brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This name and no other.
    Exact(String),
    /// `example.com` for `*.example.com`: one or more labels in front of it.
    Wildcard(String),
    /// Every host that no other site names, and requests without one.
    Default,
}

/// Which paths a route answers for. Matched against the normalised path,
/// without its query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// Every request target, also `*`.
    Any,
    /// This path and no other.
    Exact(String),
    /// Whole segments: `/api` takes `/api` and `/api/x`, not `/apix`;
    /// `/api/` takes `/api/` and `/api/x`, not `/api`.
    Segment(String),
    /// Raw bytes, as an nginx `location` does: `/api` takes `/apix` too.
    Prefix(String),
    /// Ends in one of these, ASCII case ignored: `.js`, `.css`.
    Suffix(Vec<String>),
    /// A regular expression that is found anywhere in the path; anchor it with
    /// `^` and `$`. Without look-around and back-references, so that it runs in
    /// linear time.
    Regex(String),
}

/// One condition on a head field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderPattern {
    /// The field's name, in any case.
    pub name: String,
    /// What its value must be.
    pub value: ValuePattern,
}

/// What the value of a head field must be. Several lines of one field count
/// as one value, joined with `", "`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ValuePattern {
    /// These bytes exactly.
    Equals(String),
    /// There, with any value, also an empty one.
    Present,
    /// Not there.
    Absent,
    /// The expression is found anywhere in the value.
    Regex(String),
}

/// One route of a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteSpec {
    /// The paths it takes.
    pub path: PathPattern,
    /// For a prefix `/api/` that ends in a slash: it takes `/api` too, unless
    /// another route takes it as an exact path, by an expression or a suffix, or
    /// by a prefix of just that. Other paths are not concerned.
    pub bare: bool,
    /// The methods it takes, upper-case; none means all. `GET` brings `HEAD`.
    pub methods: Vec<String>,
    /// Conditions on the head; all must hold.
    pub headers: Vec<HeaderPattern>,
}

/// One site: the hosts it answers for and its routes in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SiteSpec {
    /// The hosts; a site without one is never chosen.
    pub hosts: Vec<HostPattern>,
    /// The routes, in the order of the file.
    pub routes: Vec<RouteSpec>,
}
