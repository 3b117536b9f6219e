//! One request and its response: what is known of them. What happens to them
//! stands in [`crate::life`].

use std::rc::Rc;
use std::sync::Arc;

use janua_compress::Coding;
use janua_wasm::Edit;

use crate::caching::{Caching, Report};
use crate::clean::Hop;
use crate::client::{Origin, Peer};
use crate::clock::Moment;
use crate::facts::{AnsweredBy, Original, View};
use crate::heads::Heads;
use crate::record::Record;
use crate::request_id::RequestId;
use crate::session::Session;
use crate::snapshot::{LocalSnapshot, LocalTerms, Route, Site};
use crate::stats::RouteStats;
use crate::worker::Worker;

/// The route that takes a request, in the snapshot that it is held to.
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
    pub(crate) now: Moment,
    pub(crate) request_id: RequestId,
    pub(crate) original: Option<Original>,
    /// The snapshot; let go after the last policy hook.
    pub(crate) matched: Option<Matched>,
    /// What the cache has to know.
    pub(crate) caching: Caching,
    /// What the cache did.
    pub(crate) report: Report,
    /// Edits that wait for the response: those of the phase `missing`.
    pub(crate) deferred_edits: Vec<Edit>,
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
    /// The coding that the gateway puts the response's body in.
    pub(crate) coding: Option<Coding>,
    pub(crate) record: Record,
}

impl Exchange {
    fn new(session: &Session, worker: &Rc<Worker>) -> Self {
        Self {
            heads: worker.take_heads(),
            caching: Caching::default(),
            report: Report::default(),
            deferred_edits: Vec::new(),
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
            failed_policy: None,
            listener: session.listener,
            site_stats: None,
            terms: None,
            coding: None,
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
            worker: Rc::clone(&self.worker),
            peer: Rc::clone(&self.peer),
            origin: self.origin.clone(),
            hop: Hop::default(),
            now: self.worker.clock.now(),
            request_id: self.request_id,
            original: self.original.clone(),
            caching,
            report: self.report.clone(),
            deferred_edits: Vec::new(),
            was_missing: self.was_missing,
            matched: self.matched.clone(),
            failed_policy: None,
            listener: self.listener,
            site_stats: None,
            terms: self.terms.clone(),
            coding: None,
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

    /// Keeps what a policy wants said about this request, if there is a log that
    /// it can be said in.
    pub(crate) fn note(&mut self, policy: &str, text: &str) {
        let is_logged = self.terms.as_ref().is_none_or(|terms| terms.access_log);
        if !is_logged || !self.worker.is_logging.get() {
            return;
        }
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

/// An exchange of a client's: counted among those that are worked on, and at its
/// end counted and logged. See [`crate::conclude`].
pub(crate) struct Counted {
    pub(crate) exchange: Exchange,
}

impl Counted {
    /// A request of this client is awaited.
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
