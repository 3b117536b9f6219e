//! The life of a request.
//!
//! [`Exchange::run`] reads from top to bottom as what happens to a request;
//! each step is a call into the file that bears its name, and none of them
//! calls back up.

use std::rc::Rc;

use janua_cache::rules::Asked;
use janua_http::Failure;
use janua_http::failure::Kind;

use crate::answer;
use crate::cached;
use crate::clean;
use crate::client::{self, Client};
use crate::course::Course;
use crate::exchange::{Exchange, Fate, Matched, Turn};
use crate::facts::AnsweredBy;
use crate::files;
use crate::forward;
use crate::policies;
use crate::receive;
use crate::redirect;
use crate::request_id::RequestId;
use crate::route::{self, Unrouted};
use crate::snapshot::{LocalSnapshot, Target, Tree};
use crate::verdict::Made;
use crate::worker::Worker;

/// What was decided about a request.
enum Step {
    Forward(Course),
    Cached(Course),
    Files(Tree),
    Answer(Made, AnsweredBy),
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
}
