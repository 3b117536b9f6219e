//! The sites and routes from which a router is built, as plain data.

/// The hosts that a site serves.
///
/// Names are lower-case ASCII (an internationalised name in its `xn--` form),
/// without port and without a trailing dot. An IPv6 literal keeps its brackets.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// Exactly this name.
    Exact(String),
    /// `example.com` for `*.example.com`: matches one or more labels before it.
    Wildcard(String),
    /// Every host that no other site has, and requests without a host.
    Default,
}

/// The paths that a route matches. They are matched against the normalised
/// path, without the query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathPattern {
    /// Every request target, including `*`.
    Any,
    /// Exactly this path.
    Exact(String),
    /// Whole segments: `/api` matches `/api` and `/api/x`, not `/apix`; `/api/`
    /// matches `/api/` and `/api/x`, not `/api`.
    Segment(String),
    /// Raw bytes, as in an nginx `location`: `/api` matches `/apix` too.
    Prefix(String),
    /// The path ends in one of these, ignoring ASCII case: `.js`, `.css`.
    Suffix(Vec<String>),
    /// A regular expression that may match anywhere in the path; anchor it with
    /// `^` and `$`. Look-around and back-references are not supported, because
    /// the match must run in linear time.
    Regex(String),
}

/// One condition on a header field.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderPattern {
    /// The field's name, in any case.
    pub name: String,
    /// What its value must be.
    pub value: ValuePattern,
}

/// One condition on a parameter of the query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct QueryPattern {
    /// The parameter's name, decoded. Names are case-sensitive.
    pub name: String,
    /// What its value must be.
    pub value: ValuePattern,
}

/// What the value of a header field or query parameter must be. Several field
/// lines with one name count as one value, joined with `", "`; of several
/// parameters with one name the first counts, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ValuePattern {
    /// Exactly these bytes.
    Equals(String),
    /// It is present, with any value, even an empty one.
    Present,
    /// It is absent.
    Absent,
    /// The expression matches anywhere in the value.
    Regex(String),
}

/// One route of a site.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RouteSpec {
    /// The paths it matches.
    pub path: PathPattern,
    /// For a prefix that ends in a slash, such as `/api/`: the route also takes
    /// the bare path `/api`, unless another route takes that by an exact path,
    /// an expression, a suffix, or a prefix of its own. Ignored for other
    /// paths.
    pub bare: bool,
    /// The methods it accepts, in upper case; empty means all. `GET` includes
    /// `HEAD`.
    pub methods: Vec<String>,
    /// Conditions on header fields; all must hold.
    pub headers: Vec<HeaderPattern>,
    /// Conditions on parameters of the query; all must hold.
    pub query: Vec<QueryPattern>,
}

/// One site: the hosts it answers for and its routes in the order of the file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SiteSpec {
    /// The hosts; a site without hosts is never chosen.
    pub hosts: Vec<HostPattern>,
    /// The routes, in the order of the file.
    pub routes: Vec<RouteSpec>,
}
