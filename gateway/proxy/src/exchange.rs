//! The state of one request and its response. [`crate::life`] tells what happens to them.

use std::rc::Rc;
use std::sync::Arc;

use janua_compress::Coding;
use janua_http::grpc_web;
use janua_wasm::Place;
use tokio::time::Instant;

use crate::caching::{Caching, Report};
use crate::clean::Hop;
use crate::client::{Origin, Peer};
use crate::client_limits::Share;
use crate::clock::Moment;
use crate::facts::{AnsweredBy, Ended, Held, Original, View};
use crate::heads::Heads;
use crate::record::Record;
use crate::request_id::RequestId;
use crate::session::Session;
use crate::snapshot::{Chosen, LocalSnapshot, LocalTerms, Route, Site};
use crate::stats::RouteStats;
use crate::variables::Variables;
use crate::verdict::ResponseEdits;
use crate::worker::Worker;

/// The route of a request, in the snapshot with which the request is processed.
#[derive(Clone)]
pub(crate) struct Matched {
    pub(crate) local: Rc<LocalSnapshot>,
    pub(crate) site: usize,
    pub(crate) route: usize,
}

/// One request and its response.
pub(crate) struct Exchange {
    pub(crate) worker: Rc<Worker>,
    pub(crate) heads: Box<Heads>,
    pub(crate) peer: Rc<Peer>,
    pub(crate) origin: Origin,
    pub(crate) hop: Hop,
    /// When the head of the request was complete; while it is being received, when it began.
    pub(crate) now: Moment,
    pub(crate) request_id: RequestId,
    pub(crate) original: Option<Original>,
    /// The route. Dropped after the last policy was asked, so that a long response does not
    /// keep an old snapshot alive.
    pub(crate) matched: Option<Matched>,
    /// The upstream of the route that the request goes to, once it was chosen among several.
    pub(crate) chosen: Option<Chosen>,
    /// What the request, the route and the policies require of the cache.
    pub(crate) caching: Caching,
    /// What the cache did.
    pub(crate) report: Report,
    /// Edits that policies of the phases `request` and `missing` make to the response that
    /// is delivered.
    pub(crate) response_edits: Vec<ResponseEdits>,
    /// What counts it for limits of concurrency, until it has ended, and so has the fetch that
    /// it has started.
    pub(crate) places: Vec<Rc<Place>>,
    /// The variables that policies have set.
    pub(crate) variables: Variables,
    /// The policies of the phase `missing` have been asked. They are asked once, so that the
    /// paths they choose cannot form a cycle.
    pub(crate) was_missing: bool,
    /// The policy that failed in the response phase. It is not asked about the response that
    /// reports its failure.
    pub(crate) failed_policy: Option<usize>,
    /// The edits of the route have made the head of a response too large. The response that reports
    /// it goes without them if they would do so again.
    pub(crate) exceeded_by_edits: bool,
    /// The connection is closed after the response, whatever the client wants.
    pub(crate) is_last: bool,
    /// When the connection is too old for further requests.
    pub(crate) expires_at: Option<Instant>,
    /// Counts the request among those of its client, until the end of the exchange.
    pub(crate) client_share: Option<Share>,
    /// The index of the listener that accepted the connection.
    pub(crate) listener: usize,
    /// The counters of the site, if the site has no route for the request.
    pub(crate) site_stats: Option<Arc<RouteStats>>,
    /// The settings of the route that are still needed after `matched` was dropped.
    pub(crate) terms: Option<Rc<LocalTerms>>,
    /// The content coding that the gateway applies to the body of the response.
    pub(crate) coding: Option<Coding>,
    /// The call of gRPC-Web that the request was before its translation.
    pub(crate) grpc_web: Option<grpc_web::Call>,
    /// Translates the body of the response to that call.
    pub(crate) encoder: Option<Box<grpc_web::Encoder>>,
    pub(crate) record: Record,
}

impl Exchange {
    fn new(session: &Session, worker: &Rc<Worker>) -> Self {
        Self {
            heads: worker.take_heads(),
            caching: Caching::default(),
            report: Report::default(),
            response_edits: Vec::new(),
            places: Vec::new(),
            variables: Variables::default(),
            was_missing: false,
            peer: Rc::clone(&session.peer),
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
            chosen: None,
            failed_policy: None,
            exceeded_by_edits: false,
            is_last: false,
            expires_at: None,
            client_share: None,
            listener: session.listener,
            site_stats: None,
            terms: None,
            coding: None,
            grpc_web: None,
            encoder: None,
            record: Record::default(),
            worker: Rc::clone(worker),
        }
    }

    /// An exchange by which the cache fetches the response to this one. It continues even if
    /// this client goes away, because others may wait for the same response.
    pub(crate) fn to_fetch(&self) -> Self {
        let mut heads = self.worker.take_heads();
        heads.request.clone_from(&self.heads.request);
        // The cache stores responses to GET, even if it was a HEAD that found none.
        heads.request.method.clear();
        heads.request.method.extend_from_slice(b"GET");
        let mut caching = self.caching.clone();
        caching.request.is_head = false;
        Self {
            heads,
            worker: Rc::clone(&self.worker),
            peer: Rc::clone(&self.peer),
            origin: self.origin.clone(),
            hop: Hop::default(),
            now: self.worker.clock.now(),
            request_id: self.request_id,
            original: self.original.clone(),
            caching,
            report: self.report.clone(),
            response_edits: Vec::new(),
            // A client that leaves must not be able to start one fetch after another.
            places: self.places.clone(),
            variables: self.variables.clone(),
            was_missing: self.was_missing,
            matched: self.matched.clone(),
            chosen: self.chosen,
            failed_policy: None,
            exceeded_by_edits: false,
            is_last: false,
            expires_at: None,
            client_share: None,
            listener: self.listener,
            site_stats: None,
            terms: self.terms.clone(),
            coding: None,
            grpc_web: None,
            encoder: None,
            record: Record::default(),
        }
    }

    /// The exchange as policies see it; with a response, and what generated it, in the phases
    /// that have one.
    pub(crate) fn view(&self, response: Option<AnsweredBy>) -> View<'_> {
        let terms = self.terms.as_deref();
        View {
            request: &self.heads.request,
            response: response.map(|by| (&self.heads.response, by)),
            ended: None,
            peer: &self.peer,
            origin: &self.origin,
            original: self.original.as_ref(),
            variables: &self.variables,
            datasets: match &self.matched {
                Some(matched) => Held::Of(matched.local.datasets()),
                None => Held::Latest(&self.worker),
            },
            request_id: self.request_id.as_bytes(),
            unix_ms: self.now.unix_ms,
            site: terms.map_or("", |terms| &terms.site),
            route: terms.map_or("", |terms| &terms.label),
        }
    }

    /// The exchange as policies see it when it has ended.
    pub(crate) fn view_at_end<'a>(&'a self, ended: &'a Ended) -> View<'a> {
        View {
            ended: Some(ended),
            ..self.view(self.record.answered_by)
        }
    }

    /// Records a note for the access log, if this request will be logged.
    pub(crate) fn note(&mut self, of: &str, text: &str) {
        if self.is_logged() {
            self.record.notes.push((of.into(), text.into()));
        }
    }

    /// Records that the response begins with this status.
    pub(crate) fn record_begin(&mut self, status: u16) {
        self.record.status = Some(status);
        if self.is_asked_at_end() {
            self.record.began = Some(self.worker.clock.now().instant);
        }
    }

    /// Whether policies are asked about the exchange when it has ended.
    pub(crate) fn is_asked_at_end(&self) -> bool {
        let terms = self.terms.as_ref();
        terms.is_some_and(|terms| !terms.finished.is_empty())
    }

    /// Whether this request will be in the access log.
    pub(crate) fn is_logged(&self) -> bool {
        self.terms.as_ref().is_none_or(|terms| terms.access_log) && self.worker.is_logging.get()
    }
}

impl Matched {
    /// The site.
    #[allow(
        clippy::indexing_slicing,
        reason = "the router was built from this very list and returns its indexes"
    )]
    pub(crate) fn site(&self) -> &Site {
        &self.local.snapshot.sites[self.site]
    }

    /// The route.
    #[allow(
        clippy::indexing_slicing,
        reason = "the router was built from this very list and returns its indexes"
    )]
    pub(crate) fn route(&self) -> &Route {
        &self.site().routes[self.route]
    }
}

/// An exchange of a client, as opposed to a fetch of the cache: it is counted as in flight,
/// and counted and logged when it ends. See [`crate::conclude`].
pub(crate) struct Counted {
    pub(crate) exchange: Exchange,
}

impl Counted {
    /// An exchange on this connection, which begins when a request is expected.
    pub(crate) fn new(session: &Session, worker: &Rc<Worker>) -> Self {
        worker.estate.in_flight.add(worker.index, 1);
        worker.requests.set(worker.requests.get() + 1);
        Self {
            exchange: Exchange::new(session, worker),
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.worker.put_heads(std::mem::take(&mut self.heads));
    }
}
