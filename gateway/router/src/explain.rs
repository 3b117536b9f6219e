//! Why a request went where it went: every route of its site with the reason
//! for which it was or was not taken. For people; the request path never asks.

use crate::pattern::Methods;
use crate::router::{Match, Request, Router};
use crate::site::Route;

/// The answer of [`Router::explain`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// What [`Router::route`] answers.
    pub answer: Match,
    /// Every route of the site, in the order of the file; empty without a site.
    pub candidates: Vec<Candidate>,
}

/// One route and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The route's place within the site.
    pub route: usize,
    /// Whether it took the request, or why not.
    pub outcome: Outcome,
}

/// Whether a route took the request, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took the request.
    Chosen,
    /// It would have taken it, but the chosen route wins.
    LessSpecific,
    /// Its path does not match.
    Path,
    /// Its path matches, the method does not.
    Method {
        /// The methods that it takes, as in `Allow`.
        allow: String,
    },
    /// Path and method match; a condition on a head field does not hold.
    Header {
        /// The condition's place in the route's `headers`.
        condition: usize,
    },
}

impl Router {
    /// Routes the request and says of each route of its site why it was or was
    /// not taken. Costs a scan over all of them.
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
                outcome: if chosen == Some(number) {
                    Outcome::Chosen
                } else {
                    self.refusal(route, request)
                },
            })
            .collect()
        });
        Explanation { answer, candidates }
    }

    fn refusal(&self, route: &Route, request: &impl Request) -> Outcome {
        if !route.takes_path(request.path(), &self.regexes) {
            return Outcome::Path;
        }
        if !route.methods.take(request.method()) {
            let allow = Methods::allow(&route.methods);
            return Outcome::Method { allow };
        }
        let mut fields = route.fields.iter();
        match fields.position(|field| !field.holds(request, &self.regexes)) {
            Some(condition) => Outcome::Header { condition },
            None => Outcome::LessSpecific,
        }
    }
}
