//! The router: finds the site and route of a request.

use std::borrow::Cow;
use std::sync::Arc;

use ahash::HashMap;
use regex::bytes::Regex;

use crate::build::{BuildError, build};
use crate::site::Site;
use crate::spec::SiteSpec;

/// The parts of a request that routing reads. Each part is read only when it is
/// needed: no header and no parameter is read for a request whose routes have
/// no conditions on them.
pub trait Request {
    /// The host: lower-case, without port and trailing dot; empty if there is
    /// none.
    fn host(&self) -> &str;
    /// The normalised path, without query.
    fn path(&self) -> &[u8];
    /// The method, as received: methods are case-sensitive (RFC 9110, 9.1).
    fn method(&self) -> &[u8];
    /// The value of a head field; `name` is lower-case. Several lines are
    /// joined with `", "`.
    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>>;
    /// The value of the first query parameter with this name, decoded.
    fn query_parameter(&self, name: &str) -> Option<Cow<'_, [u8]>>;
}

/// The result of routing. Sites and routes are identified by their index in the
/// list given to [`Router::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// This route takes the request.
    Route {
        /// Index of the site.
        site: usize,
        /// Index of the route within the site.
        route: usize,
    },
    /// Respond with 405: routes of this site match except for the method.
    MethodNotAllowed {
        /// Index of the site.
        site: usize,
        /// The value for `Allow`: the methods of all those routes, in the order
        /// in which the routes were tried.
        allow: String,
    },
    /// No route of the site matches.
    NoRoute {
        /// Index of the site.
        site: usize,
    },
    /// No site has this host, and there is no default site.
    NoSite,
}

/// Compiled sites and routes.
///
/// A clone shares the tables and has its own scratch space for regular
/// expressions. Give each thread a clone: threads that share one contend for
/// the scratch space.
#[derive(Debug, Clone)]
pub struct Router {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) sites: Arc<[Site]>,
    /// All regular expressions; routes refer to them by index.
    pub(crate) regexes: Vec<Regex>,
}

/// Finds the site of a host.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    pub(crate) exact: HashMap<Box<str>, usize>,
    /// Keyed by the part after `*.`.
    pub(crate) wildcard: HashMap<Box<str>, usize>,
    /// The distinct lengths of the keys of `wildcard`, longest first.
    pub(crate) wildcard_lengths: Vec<usize>,
    pub(crate) default: Option<usize>,
}

impl Router {
    /// Compiles the sites.
    ///
    /// # Errors
    /// All errors at once: malformed or repeated hosts, paths that do not begin
    /// with `/`, malformed methods, regular expressions that do not compile or
    /// exceed 1 MiB, and routes that repeat another route's path, methods and
    /// conditions.
    pub fn new(sites: &[SiteSpec]) -> Result<Self, Vec<BuildError>> {
        build(sites)
    }

    /// The site and route of a request.
    pub fn route(&self, request: &impl Request) -> Match {
        let Some(index) = self.hosts.site(request.host()) else {
            return Match::NoSite;
        };
        let Some(site) = self.sites.get(index) else {
            return Match::NoSite;
        };
        if let Some(route) = site.route(request, &self.regexes) {
            return Match::Route { site: index, route };
        }
        match site.allow(request, &self.regexes) {
            Some(allow) => Match::MethodNotAllowed { site: index, allow },
            None => Match::NoRoute { site: index },
        }
    }
}

impl Hosts {
    pub(crate) fn site(&self, host: &str) -> Option<usize> {
        if let Some(&site) = self.exact.get(host) {
            return Some(site);
        }
        for &len in &self.wildcard_lengths {
            // A wildcard needs at least one byte and a dot before the rest of
            // the name.
            let Some((front, tail)) = host
                .len()
                .checked_sub(len)
                .and_then(|cut| host.split_at_checked(cut))
            else {
                continue;
            };
            if front.len() >= 2
                && front.ends_with('.')
                && let Some(&site) = self.wildcard.get(tail)
            {
                return Some(site);
            }
        }
        self.default
    }
}

#[cfg(test)]
pub(crate) mod tests;
