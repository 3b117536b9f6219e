//! Routing: which site and which route a request belongs to.
//!
//! Routing is a pure decision: it uses no socket, no clock and no file. A
//! request is routed after its head has been cleaned and before the first
//! policy runs. [`Router::new`] compiles the configured sites and routes into
//! lookup tables, or returns every error in them; [`Router::route`] routes one
//! request.
//!
//! # Which rule wins
//!
//! **Site, by host.** An exact name wins over a wildcard; among wildcards the
//! longest wins (`*.qa.example.com` before `*.example.com`). The default site
//! (`*`) takes all other hosts, and requests without a host. `*.example.com`
//! matches one or more labels and does not match `example.com` itself. The
//! choice of the site is final: if it has no matching route, the default site
//! is not searched for one.
//!
//! **Route, by path**, most specific first:
//!
//! 1. an exact path;
//! 2. regular expressions and suffixes, in the order of the file;
//! 3. prefixes, the longest first. At the same length a segment prefix comes
//!    before a raw prefix, and a route for `/api/` that also takes the bare
//!    path `/api` comes last;
//! 4. any path.
//!
//! A suffix such as `.css` therefore wins over the prefix `/`, and also over
//! the prefix `/api/`, as a regular expression does in nginx.
//!
//! **Among routes with the same path**, the first in the file whose methods and
//! conditions on header fields and query parameters match.
//!
//! A route matches as a whole or not at all: if its path matches but its
//! methods or conditions do not, the next less specific route is tried. If no
//! route matches and at least one failed only because of its method, the
//! response is 405, and its `Allow` field lists the methods of all such routes.
//!
//! A route for `GET` also takes `HEAD`, because a resource that supports `GET`
//! supports `HEAD` (RFC 9110, section 9.1). To route `HEAD` elsewhere, name it
//! in a route above.
//!
//! # What it costs
//!
//! Finding the site costs one hash lookup, and one more for each distinct
//! wildcard length that fits the host. An exact path costs one hash lookup.
//! Prefixes and suffixes cost one walk down a trie, bounded by the length of
//! the path and not by the number of routes. `benches/route.rs` measures this:
//! between 10 and 10,000 routes, exact paths and suffixes cost the same, and
//! prefixes cost about 45 ns more because the trie is deeper.
//!
//! Two things do grow with the number of routes: regular expressions are tried
//! one after another, each in time linear in the path's length, and so are
//! routes with the same path.

mod build;
mod explain;
mod order;
mod pattern;
mod router;
mod shadow;
mod site;
mod spec;
mod trie;

pub use build::{BuildError, Part};
pub use explain::{Candidate, Explanation, Reason};
pub use order::{host_order, route_order};
pub use router::{Match, Request, Router};
pub use shadow::{Shadowed, shadowed};
pub use spec::{
    HeaderPattern, HostPattern, PathPattern, QueryPattern, RouteSpec, SiteSpec, ValuePattern,
};
