//! Explains how a request was routed: lists every route of its site, with the
//! reason why it was or was not chosen. For operators; not used to serve
//! requests.

use crate::pattern::{Methods, Of};
use crate::router::{Match, Request, Router};
use crate::site::Route;

/// The result of [`Router::explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The result of [`Router::route`].
    pub answer: Match,
    /// Every route of the site, in the order of the file; empty if no site was
    /// found.
    pub candidates: Vec<Candidate>,
}

/// One route, and why it was or was not chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Index of the route within the site.
    pub route: usize,
    /// Why it was or was not chosen.
    pub reason: Reason,
}

/// Why a route was or was not chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It was chosen.
    Chosen,
    /// It matches, but the chosen route has precedence.
    LessSpecific,
    /// Its path does not match.
    Path,
    /// Its path matches, but its method does not.
    Method {
        /// The methods that it takes, as in `Allow`.
        allow: String,
    },
    /// Path and method match, but a condition on a header field does not hold.
    Header {
        /// Index of the condition in the route's `headers`.
        condition: usize,
    },
    /// Path, method and header fields match, but a condition on a query
    /// parameter does not hold.
    Query {
        /// Index of the condition in the route's `query`.
        condition: usize,
    },
}

impl Router {
    /// Routes the request and explains for each route of its site why it was or
    /// was not chosen. Costs a scan over all of them.
    pub fn explain(&self, request: &impl Request) -> Explanation {
        let answer = self.route(request);
        let (site, chosen) = match answer {
            Match::Route { site, route } => (Some(site), Some(route)),
            Match::MethodNotAllowed { site, .. } | Match::NoRoute { site } => (Some(site), None),
            Match::NoSite => (None, None),
        };
        let routes = site.and_then(|site| self.sites.get(site));
        let candidates = routes.map_or_else(Vec::new, |site| {
            let each = site.routes.iter().enumerate();
            each.map(|(number, route)| Candidate {
                route: number,
                reason: if chosen == Some(number) {
                    Reason::Chosen
                } else {
                    self.reason(route, request)
                },
            })
            .collect()
        });
        Explanation { answer, candidates }
    }

    fn reason(&self, route: &Route, request: &impl Request) -> Reason {
        if !route.takes_path(request.path(), &self.regexes) {
            return Reason::Path;
        }
        if !route.methods.take(request.method()) {
            let allow = Methods::allow(&route.methods);
            return Reason::Method { allow };
        }
        let mut failed = route.conditions.iter().enumerate();
        let Some((place, failed)) = failed.find(|(_, it)| !it.holds(request, &self.regexes)) else {
            return Reason::LessSpecific;
        };
        let headers = route.conditions.iter();
        let headers = headers
            .take_while(|it| matches!(it.of, Of::Header(_)))
            .count();
        match failed.of {
            Of::Header(_) => Reason::Header { condition: place },
            Of::Query(_) => Reason::Query {
                condition: place - headers,
            },
        }
    }
}
