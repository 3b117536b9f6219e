//! Which site and which route a request belongs to.
//!
//! A pure decision: no socket, no clock, no file. On a request's way it stands
//! after the head has been cleaned and before the first policy. [`Router::new`]
//! compiles what the configuration says into tables, or says everything that
//! is wrong with it; [`Router::route`] answers one request out of them.
//!
//! # Which rule wins
//!
//! **Site, by host.** An exact name wins over a wildcard; among wildcards the
//! longest wins (`*.qa.example.com` before `*.example.com`); the default site
//! (`*`) takes the rest, and requests without a host. `*.example.com` stands
//! for one or more labels and does not take `example.com` itself. A site that
//! was chosen is never left again: a route missing there is not looked for in
//! the default site.
//!
//! **Route, by path**, most specific first:
//!
//! 1. an exact path;
//! 2. regular expressions and suffixes, in the order of the file;
//! 3. prefixes, the longest first; at the same length a segment prefix before
//!    a raw prefix. A route for `/api/` that takes the bare `/api` too does so
//!    last among the prefixes `/api`;
//! 4. any path.
//!
//! So a suffix such as `.css` wins over the prefix `/`, and also over the
//! prefix `/api/`, as in nginx.
//!
//! **Among routes of the same path**, the first in the file whose methods and
//! headers match.
//!
//! A route matches as a whole or not at all: where its path matches and its
//! methods or headers do not, the next less specific route is tried. If no
//! route matches and at least one failed by its method alone, the answer is
//! 405 with the methods of all of those.
//!
//! A route for `GET` takes `HEAD` too (RFC 9110, section 9.1: a server that
//! answers one answers the other). To send `HEAD` elsewhere, name it in a
//! route above.
//!
//! # What it costs
//!
//! A host costs a hash lookup, and one more for each different length among
//! the wildcards at whose place the host has a dot. An exact path costs a hash
//! lookup; prefixes and suffixes one walk down a trie, bounded by the length of
//! the path whatever the number of routes. `benches/route.rs` measures it: from
//! 10 routes to 10,000, exact paths and suffixes cost the same, prefixes some
//! 45 ns more, which are the levels that the trie is deeper.
//!
//! What does grow: regular expressions are tried one after another, each in
//! time linear in the path, and routes of one same path are tried one after
//! another.

mod build;
mod explain;
mod pattern;
mod router;
mod shadow;
mod site;
mod spec;
mod trie;

pub use build::BuildError;
pub use explain::{Candidate, Explanation, Outcome};
pub use router::{Match, Request, Router};
pub use shadow::{Shadowed, shadowed};
pub use spec::{HeaderPattern, HostPattern, PathPattern, RouteSpec, SiteSpec, ValuePattern};
