//! Finds the site and the route of a request.

use std::borrow::Cow;
use std::rc::Rc;
use std::sync::Arc;

use janua_http::failure::Kind;
use janua_http::{Failure, RequestHead, query};
use janua_router::{Match, Request};

use crate::exchange::Matched;
use crate::snapshot::LocalSnapshot;
use crate::stats::RouteStats;

/// The head of a request as the router reads it.
struct RoutedHead<'a>(&'a RequestHead);

impl Request for RoutedHead<'_> {
    fn host(&self) -> &str {
        self.0.authority.host()
    }

    fn path(&self) -> &[u8] {
        &self.0.path
    }

    fn method(&self) -> &[u8] {
        &self.0.method
    }

    fn header(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let mut lines = self.0.fields.get_all(name.as_bytes());
        let first = lines.next()?;
        if lines.next().is_none() {
            return Some(Cow::Borrowed(first));
        }
        let mut joined = Vec::new();
        self.0.fields.joined(name.as_bytes(), b", ", &mut joined);
        Some(Cow::Owned(joined))
    }

    fn query_parameter(&self, name: &str) -> Option<Cow<'_, [u8]>> {
        let query = self.0.query.as_deref()?;
        let value = query::parameters(query, name).next()?;
        if !value.iter().any(|byte| matches!(byte, b'%' | b'+')) {
            return Some(Cow::Borrowed(value));
        }
        let mut decoded = Vec::with_capacity(value.len());
        query::decode(value, &mut decoded);
        Some(Cow::Owned(decoded))
    }
}

/// A request without a route: the failure, and the counters of its site.
pub(crate) struct Unrouted {
    pub(crate) failure: Failure,
    /// The index of the site, if one matches.
    pub(crate) site: Option<usize>,
    /// The counters of the site, if one matches. These are the counters themselves and not
    /// the index of the site: a reload may publish other sites before the request is
    /// counted.
    pub(crate) stats: Option<Arc<RouteStats>>,
}

/// Finds the route of a request.
///
/// # Errors
/// No site matches, no route matches, or no route allows the method.
pub(crate) fn route(
    head: &RequestHead,
    local: &Rc<LocalSnapshot>,
    listener: usize,
) -> Result<Matched, Unrouted> {
    let gone = || Unrouted {
        failure: Kind::Draining.into(),
        site: None,
        stats: None,
    };
    let settings = local.listener(listener).ok_or_else(gone)?;
    let router = local.routers.get(listener).and_then(Option::as_ref);
    let of_site = |site: usize| settings.sites.get(site).copied();
    let (failure, site) = match router.ok_or_else(gone)?.route(&RoutedHead(head)) {
        Match::Route { site, route } => match of_site(site) {
            Some(site) => {
                return Ok(Matched {
                    local: Rc::clone(local),
                    site,
                    route,
                });
            }
            None => (Kind::NoSite.into(), None),
        },
        // The detail of this kind of failure is the value of `Allow`.
        Match::MethodNotAllowed { site, allow } => {
            (Failure::with(Kind::MethodNotAllowed, allow), of_site(site))
        }
        Match::NoRoute { site } => (Kind::NoRoute.into(), of_site(site)),
        Match::NoSite => (Kind::NoSite.into(), None),
    };
    let of_site = site.and_then(|site| local.snapshot.sites.get(site));
    Err(Unrouted {
        failure,
        site,
        stats: of_site.map(|site| Arc::clone(&site.stats)),
    })
}
