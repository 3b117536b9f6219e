//! One request and its response: what is known of them. What happens to them
//! stands in [`crate::life`].

use std::rc::Rc;
use std::sync::Arc;

use janua_compress::Coding;
use janua_wasm::Edit;

use crate::caching::{Caching, Report};
use crate::clean::Hop;
use crate::client::{Client, Origin, Peer};
use crate::clock::Moment;
use crate::facts::{AnsweredBy, Original, View};
use crate::heads::Heads;
use crate::record::Record;
use crate::request_id::RequestId;
use crate::snapshot::{LocalSnapshot, LocalTerms, Route, Site};
use crate::stats::RouteStats;
use crate::worker::Worker;

/// What becomes of the client's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It waits for the next request.
    KeepAlive,
    /// It is closed in good order.
    Close,
    /// It is reset, so that the client cannot take a fragment for the whole:
    /// to HTTP/1.0 an orderly end of the connection is the end of the message.
    Abort,
}

/// How much of the request's body has been read from the client. Whoever wants
/// to read on must know, or would take the next request for the rest of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// Nothing of it.
    Untouched,
    /// Some of it; nobody knows any more where it ends.
    Begun,
    /// All of it.
    Read,
}

/// The route that takes a request, in the snapshot that it is held to.
#[derive(Clone)]
pub(crate) struct Matched {
    pub(crate) local: Rc<LocalSnapshot>,
    pub(crate) site: usize,
    pub(crate) route: usize,
}

/// What became of a try to answer.
pub(crate) enum Turn {
    /// It is answered.
    Done(Fate),
    /// The target has no such thing and a policy named another path, which
    /// stands in the request's head now: once more.
    Instead,
}

/// Whose an exchange is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A client's: counted and logged.
    Client,
    /// The cache's own: it fetches what clients wait for.
    Fetch,
}

/// One request and its response.
pub(crate) struct Exchange {
    pub(crate) worker: Rc<Worker>,
    pub(crate) heads: Box<Heads>,
    pub(crate) peer: Rc<Peer>,
    pub(crate) origin: Origin,
    pub(crate) hop: Hop,
    pub(crate) now: Moment,
    pub(crate) request_id: RequestId,
    pub(crate) original: Option<Original>,
    /// The snapshot; let go after the last policy hook.
    pub(crate) matched: Option<Matched>,
    pub(crate) role: Role,
    /// What the cache has to know.
    pub(crate) caching: Caching,
    /// What the cache did.
    pub(crate) report: Report,
    /// Edits that wait for the response: those of the phase `missing`.
    pub(crate) settled: Vec<Edit>,
    /// The phase `missing` was asked: what it names is not asked about again.
    pub(crate) was_missing: bool,
    /// The policy whose failure in the response phase is being answered.
    pub(crate) failed_policy: Option<usize>,
    /// Where it came in.
    pub(crate) listener: usize,
    /// The counters of the site, if it has no route for this.
    pub(crate) site_stats: Option<Arc<RouteStats>>,
    /// What is kept of the route beyond that.
    pub(crate) terms: Option<Rc<LocalTerms>>,
    pub(crate) body: Body,
    /// The coding that the gateway puts the response's body in.
    pub(crate) coding: Option<Coding>,
    /// True once a byte of the final response may have gone out.
    pub(crate) has_begun: bool,
    pub(crate) record: Record,
}

impl Exchange {
    pub(crate) fn new(client: &Client, worker: &Rc<Worker>) -> Self {
        worker.estate.in_flight.add(worker.index, 1);
        worker.requests.set(worker.requests.get() + 1);
        Self {
            heads: worker.take_heads(),
            role: Role::Client,
            caching: Caching::default(),
            report: Report::default(),
            settled: Vec::new(),
            was_missing: false,
            peer: Rc::clone(&client.peer),
            origin: Origin {
                client: None,
                is_trusted: false,
                is_https: false,
            },
            hop: Hop::default(),
            now: worker.clock.now(),
            request_id: RequestId::default(),
            original: None,
            matched: None,
            failed_policy: None,
            listener: client.listener,
            site_stats: None,
            terms: None,
            body: Body::Untouched,
            coding: None,
            has_begun: false,
            record: Record::default(),
            worker: Rc::clone(worker),
        }
    }

    /// An exchange of the cache's own, which asks the upstream what this one
    /// asks, whoever waits for it.
    pub(crate) fn to_fetch(&self) -> Self {
        let mut heads = self.worker.take_heads();
        heads.request.clone_from(&self.heads.request);
        // What is stored is the answer to a GET, also where a HEAD found it stale.
        heads.request.method.clear();
        heads.request.method.extend_from_slice(b"GET");
        let mut caching = self.caching.clone();
        caching.asked.is_head = false;
        Self {
            heads,
            role: Role::Fetch,
            worker: Rc::clone(&self.worker),
            peer: Rc::clone(&self.peer),
            origin: self.origin.clone(),
            hop: Hop::default(),
            now: self.worker.clock.now(),
            request_id: self.request_id,
            original: self.original.clone(),
            caching,
            report: self.report.clone(),
            settled: Vec::new(),
            was_missing: self.was_missing,
            matched: self.matched.clone(),
            failed_policy: None,
            listener: self.listener,
            site_stats: None,
            terms: self.terms.clone(),
            body: Body::Read,
            coding: None,
            has_begun: false,
            record: Record::default(),
        }
    }

    /// The exchange as policies see it.
    pub(crate) fn view<'a>(
        &'a self,
        matched: &'a Matched,
        response: Option<AnsweredBy>,
    ) -> View<'a> {
        View {
            request: &self.heads.request,
            response: response.map(|by| (&self.heads.response, by)),
            peer: &self.peer,
            origin: &self.origin,
            original: self.original.as_ref(),
            request_id: self.request_id.as_bytes(),
            unix_seconds: self.now.unix_ms / 1000,
            site: &matched.site().name,
            route: &matched.route().terms.label,
        }
    }

    /// Keeps what a policy wants said about this request.
    pub(crate) fn note(&mut self, policy: &str, text: &str) {
        self.record.notes.push((policy.into(), text.into()));
    }
}

impl Matched {
    /// The site. The router only gives places that there are.
    #[allow(
        clippy::indexing_slicing,
        reason = "the router was built from these very lists"
    )]
    pub(crate) fn site(&self) -> &Site {
        &self.local.snapshot.sites[self.site]
    }

    /// The route.
    #[allow(
        clippy::indexing_slicing,
        reason = "the router was built from these very lists"
    )]
    pub(crate) fn route(&self) -> &Route {
        &self.site().routes[self.route]
    }
}
