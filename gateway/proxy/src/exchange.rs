//! The life of a request.
//!
//! [`Exchange::run`] reads from top to bottom as what happens to a request;
//! each step is a call into the file that bears its name, and none of them
//! calls back up.

mod heads;

use std::rc::Rc;
use std::sync::Arc;

use janua_cache::rules::Asked;
use janua_compress::Coding;
use janua_http::Failure;
use janua_http::failure::Kind;
use janua_wasm::Edit;

pub(crate) use heads::Heads;

use crate::answer;
use crate::cached::{self, Report};
use crate::caching::Caching;
use crate::clean::{self, Hop};
use crate::client::{self, Client, Origin, Peer};
use crate::clock::Moment;
use crate::course::Course;
use crate::facts::{AnsweredBy, Original, View};
use crate::files;
use crate::forward;
use crate::policies;
use crate::receive;
use crate::record::Record;
use crate::redirect;
use crate::request_id::RequestId;
use crate::route::{self, Unrouted};
use crate::snapshot::{LocalSnapshot, LocalTerms, Route, Site, Target, Tree};
use crate::stats::RouteStats;
use crate::verdict::Made;
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

/// What was decided about a request.
enum Step {
    Forward(Course),
    Cached(Course),
    Files(Tree),
    Answer(Made, AnsweredBy),
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
    /// Receives a request and answers it.
    pub(crate) async fn run(client: &mut Client, worker: &Rc<Worker>) -> Fate {
        let mut exchange = Self::new(client, worker);
        match receive::receive(&mut exchange, client).await {
            Ok(receive::Received::Request) => {}
            Ok(receive::Received::Nothing) => return Fate::Close,
            Err(failure) => {
                answer::failure(&mut exchange, client, failure).await;
                return Fate::Close;
            }
        }
        match exchange.respond(client).await {
            Ok(fate) => fate,
            Err(failure) => answer::failure(&mut exchange, client, failure).await,
        }
    }

    /// From the head that was received to the last byte of the response.
    async fn respond(&mut self, client: &mut Client) -> Result<Fate, Failure> {
        match self.decide(client)? {
            Step::Forward(course) => self.pass_on(client, course).await,
            Step::Cached(course) => Box::pin(self.look_up(client, course)).await,
            Step::Files(tree) => Box::pin(files::serve(self, client, tree)).await,
            Step::Answer(made, by) => answer::made(self, client, made, by).await,
        }
    }

    async fn pass_on(&mut self, client: &mut Client, course: Course) -> Result<Fate, Failure> {
        loop {
            if let Turn::Done(fate) = forward::forward(self, client, &course).await? {
                return Ok(fate);
            }
        }
    }

    async fn look_up(&mut self, client: &mut Client, course: Course) -> Result<Fate, Failure> {
        loop {
            if let Turn::Done(fate) = cached::cached(self, client, &course).await? {
                return Ok(fate);
            }
        }
    }

    /// All that is decided before anything is sent. Nothing here waits.
    fn decide(&mut self, client: &mut Client) -> Result<Step, Failure> {
        let local = self.worker.snapshot();
        let listener = local.listener(client.listener).ok_or(Kind::Draining)?;
        self.origin = client::origin(&self.peer, listener, &self.heads.request);
        self.hop = clean::clean(&mut self.heads.request, &self.peer, &self.origin)?;
        self.identify(&local);
        if self.heads.request.path == b"*" {
            return Ok(Step::Answer(answer::to_options(), AnsweredBy::Gateway));
        }
        let matched = route::route(&self.heads.request, &local, client.listener)
            .map_err(|unrouted| self.without_route(unrouted))?;
        self.keep(&matched);
        clean::check_slash(&self.heads.request, matched.site().encoded_slash)?;
        receive::check_body(self, client)?;
        if matched.route().caches {
            self.caching.asked = Asked::of(&self.heads.request, true);
            cached::keep_credentials(self, &matched);
        }
        // As it was routed: what policies make of the path changes no route.
        let bare_path = matched.route().bare_path.as_deref();
        let to_slash = bare_path
            .filter(|bare| *bare == self.heads.request.path)
            .map(|_| files::with_slash(self));
        if let Some(made) = policies::request_phase(self, &matched)? {
            return Ok(Step::Answer(made, AnsweredBy::Policy));
        }
        if let Some(made) = to_slash {
            return Ok(Step::Answer(made, AnsweredBy::Gateway));
        }
        Ok(match &matched.route().target {
            Target::Upstream(to) => {
                let course = Course::new(to, &matched).ok_or(Kind::Internal)?;
                if matched.route().caches {
                    Step::Cached(course)
                } else {
                    Step::Forward(course)
                }
            }
            Target::Files(tree) => Step::Files(tree.clone()),
            Target::Respond(fixed) => Step::Answer(fixed.into(), AnsweredBy::Gateway),
            Target::Redirect { status, to } => {
                let made = redirect::redirect(*status, to, &self.heads.request, &self.origin)?;
                Step::Answer(made, AnsweredBy::Gateway)
            }
        })
    }

    fn new(client: &Client, worker: &Rc<Worker>) -> Self {
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

    /// Gives the request its identifier: that of a trusted proxy, or a new one.
    fn identify(&mut self, local: &LocalSnapshot) {
        let name = local.snapshot.request_id_header.as_bytes();
        let fields = &mut self.heads.request.fields;
        let given = fields.get(name).filter(|_| self.origin.is_trusted);
        if let Some(id) = given.and_then(RequestId::given) {
            self.request_id = id;
            return;
        }
        self.request_id = self.worker.identifier();
        fields.set(name, self.request_id.as_bytes());
    }

    fn without_route(&mut self, unrouted: Unrouted) -> Failure {
        self.site_stats = unrouted.stats;
        unrouted.failure
    }

    fn keep(&mut self, matched: &Matched) {
        self.terms = matched
            .local
            .terms
            .get(matched.site)
            .and_then(|site| site.get(matched.route))
            .cloned();
        self.matched = Some(matched.clone());
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

/// Counted and logged here, so that it happens once, also when the worker
/// ends or the client goes away.
impl Drop for Exchange {
    fn drop(&mut self) {
        if self.role == Role::Client {
            let worker = &self.worker;
            worker.estate.in_flight.add(worker.index, -1);
            worker.requests.set(worker.requests.get().saturating_sub(1));
            self.conclude();
        }
        self.worker.put_heads(std::mem::take(&mut self.heads));
    }
}
