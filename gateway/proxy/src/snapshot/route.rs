//! Sites and their routes: the policies of a request, and what becomes of it.

use std::sync::Arc;
use std::time::Duration;

use janua_compress::Compression;
use janua_wasm::{Input, OnError};

use crate::head_edits::HeadEdits;
use crate::hidden_query::HiddenQuery;
use crate::owned::Owned;
use crate::path_rules::PathRules;
use crate::stats::RouteStats;

use super::choice::{Choices, Chosen};
use super::mirror::Mirror;
use super::target::{Redirect, Target, To};

/// A site and its routes.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) name: Arc<str>,
    pub(crate) path_rules: PathRules,
    /// The request fields that its policies own.
    pub(crate) owned: Owned,
    /// Where requests without TLS are sent; none if they are answered.
    pub(crate) https_redirect: Option<Redirect>,
    pub(crate) routes: Vec<Route>,
    /// Counters of requests that matched the site but none of its routes.
    pub(crate) stats: Arc<RouteStats>,
}

/// A route: its policies and its target.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) request: Box<[Use]>,
    /// In the order in which they run, which is the reverse of the file's order; the same
    /// holds for the phases after it.
    pub(crate) fetched: Box<[Use]>,
    pub(crate) missing: Box<[Use]>,
    pub(crate) response: Box<[Use]>,
    pub(crate) finished: Box<[Use]>,
    pub(crate) target: Target,
    /// What its policies may choose in place of the target's own upstream.
    pub(crate) choices: Choices,
    /// Who gets copies of the requests that are sent to an upstream.
    pub(crate) mirrors: Box<[Arc<Mirror>]>,
    /// Edits of the head that the target gets, after those of policies.
    pub(crate) request_head: Option<Box<HeadEdits>>,
    /// Edits of the head that the client gets, after those of policies.
    pub(crate) response_head: Option<Box<HeadEdits>>,
    /// Responses are stored in the shared cache.
    pub(crate) caches: bool,
    /// On a 404 of the upstream, policies may choose another path (phase `missing`).
    pub(crate) asks_missing: bool,
    /// Calls of gRPC-Web are translated to gRPC.
    pub(crate) translates_grpc_web: bool,
    /// The path, such as `/api`, that is redirected to the same path with a slash.
    pub(crate) bare_path: Option<Box<[u8]>>,
    /// The credentials that the route's policies read, by which users differ.
    pub(crate) credentials: Box<[Input]>,
    pub(crate) terms: Arc<Terms>,
}

impl Route {
    /// How requests are sent to the upstream that was chosen for them. None if the route has none
    /// such, which those who choose rule out.
    pub(crate) fn to(&self, chosen: Chosen) -> Option<&To> {
        match (chosen, &self.target) {
            (Chosen::Member(member), Target::Split(split)) => split.members.get(member),
            (Chosen::Member(_), Target::Upstream(to)) => Some(to),
            (Chosen::Member(_), _) => None,
            (Chosen::ByPolicy(choice), _) => Some(&self.choices.all.get(choice)?.to),
        }
    }

    /// All ways in which requests may be sent to an upstream, but for copies of them.
    pub(crate) fn all_to_mut(&mut self) -> impl Iterator<Item = &mut To> {
        let (one, members) = match &mut self.target {
            Target::Upstream(to) => (Some(to), None),
            Target::Split(split) => (None, Some(&mut split.members)),
            Target::Files(_) | Target::Respond(_) | Target::Redirect { .. } => (None, None),
        };
        let members = members.into_iter().flat_map(|members| members.iter_mut());
        let choices = self.choices.all.iter_mut().map(|choice| &mut choice.to);
        one.into_iter().chain(members).chain(choices)
    }
}

/// The settings of a route that are needed until the end of a request. A tunnel may last
/// for a day: it holds these, and not the snapshot.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) site: Arc<str>,
    pub(crate) label: Box<str>,
    pub(crate) max_body: u64,
    /// The route has policies, so that trailers are dropped: policies do not see trailers,
    /// which could contradict what they removed from the head or added to it. The fields of
    /// interim responses are dropped for the same reason.
    pub(crate) drops_trailers: bool,
    /// Trailers that are not forwarded, because they would override a field of the head that
    /// the gateway sets: that of the identifier, and the internal ones.
    pub(crate) refused_trailers: Arc<[Box<str>]>,
    /// The longest time between two reads or writes.
    pub(crate) idle_timeout: Option<Duration>,
    /// The longest time from the head of the request to the last byte of the response.
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) access_log: bool,
    /// What of a query is not logged.
    pub(crate) hidden_query: HiddenQuery,
    /// How responses are compressed, if they are.
    pub(crate) compression: Option<Arc<Compression>>,
    /// Responses carry `Cache-Status`.
    pub(crate) cache_status: bool,
    pub(crate) stats: Arc<RouteStats>,
}

/// One use of a policy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    /// The index of the policy in the snapshot.
    pub(crate) policy: usize,
    /// What the operator said of a failure, if anything.
    pub(crate) on_error: Option<OnError>,
}
