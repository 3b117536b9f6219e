//! The router: from a request to its site and route.

use std::borrow::Cow;
use std::sync::Arc;

use ahash::HashMap;
use regex::bytes::Regex;

use crate::build::{BuildError, build};
use crate::site::Site;
use crate::spec::SiteSpec;

/// What routing reads of a request. Everything is asked for lazily; a request
/// whose routes have no header conditions is never asked for a header.
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
}

/// Where a request belongs. Sites and routes are named by their place in what
/// [`Router::new`] was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Match {
    /// This route takes it.
    Route {
        /// The site.
        site: usize,
        /// The route within the site.
        route: usize,
    },
    /// Answer 405: routes of this site would take it, if not for its method.
    MethodNotAllowed {
        /// The site.
        site: usize,
        /// The value for `Allow`: the methods of all those routes, in the
        /// order in which the routes were tried.
        allow: String,
    },
    /// The site has no route for it.
    NoRoute {
        /// The site.
        site: usize,
    },
    /// No site answers for the host, and there is no default site.
    NoSite,
}

/// Compiled sites and routes.
///
/// A clone shares the tables and brings scratch space of its own for the
/// regular expressions. Give each thread a clone: threads that share one
/// contend for that scratch space.
#[derive(Debug, Clone)]
pub struct Router {
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) sites: Arc<[Site]>,
    /// All regular expressions; routes name them by their place.
    pub(crate) regexes: Vec<Regex>,
}

/// From a host to its site.
#[derive(Debug, Default)]
pub(crate) struct Hosts {
    pub(crate) exact: HashMap<Box<str>, usize>,
    /// By what follows `*.`.
    pub(crate) wildcard: HashMap<Box<str>, usize>,
    /// The lengths of the keys of `wildcard`, longest first, each once.
    pub(crate) wildcard_lengths: Vec<usize>,
    pub(crate) default: Option<usize>,
}

impl Router {
    /// Compiles the sites.
    ///
    /// # Errors
    /// Everything that is wrong, all at once: malformed or repeated hosts,
    /// paths that do not begin with `/`, unknown spellings of methods, regular
    /// expressions that do not compile or grow beyond 1 MiB, and routes that
    /// repeat another one's path, methods and headers.
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
            // At least one byte and a dot must stand in front.
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
