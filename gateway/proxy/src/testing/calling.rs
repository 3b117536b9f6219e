//! A call that a test makes as `forward` does, for a client that the test plays.

use janua_http::head::Limits;
use janua_http::{Failure, RequestHead, ResponseHead};

use super::{Kit, Peer};
use crate::affinity::Tie;
use crate::attempts::Attempts;
use crate::call::{self, Call, Caller, UpstreamResponse};
use crate::clean::{Hop, clean};
use crate::client::Origin;
use crate::course::Course;
use crate::responder::Responder;
use crate::route;
use crate::session::Session;
use crate::snapshot::Target;

/// A request that was received, and all that a call of it fills in.
pub(crate) struct Calling<'k> {
    kit: &'k Kit,
    pub(crate) session: Session,
    head: RequestHead,
    hop: Hop,
    course: Course,
    pub(crate) tie: Tie,
    pub(crate) response: ResponseHead,
    pub(crate) attempts: Attempts,
}

impl<'k> Calling<'k> {
    /// Of a request with this head; the client's connection.
    pub(crate) fn new(kit: &'k Kit, head: &str) -> (Self, Peer) {
        Self::of(kit, head, kit.session())
    }

    /// Of a client that takes few bytes until it reads them.
    pub(crate) fn slow(kit: &'k Kit, head: &str) -> (Self, Peer) {
        Self::of(kit, head, kit.session_with(8))
    }

    fn of(kit: &'k Kit, head: &str, (mut session, client): (Session, Peer)) -> (Self, Peer) {
        let limits = Limits {
            bytes: 32 * 1024,
            fields: 100,
        };
        let text = head;
        let mut head = RequestHead::default();
        let size = head.parse(text.as_bytes(), limits).expect("a head");
        assert_eq!(size, Some(text.len()), "the whole head, and nothing else");
        session.incoming.begin(head.framing);
        let local = kit.worker.snapshot();
        let origin = Origin {
            client: None,
            is_trusted: false,
            is_https: false,
        };
        let hop =
            clean(&mut head, &session.peer, &origin, &[]).expect("a method that is forwarded");
        let matched = route::route(&head, &local, session.listener).ok();
        let matched = matched.expect("a route");
        let Target::Upstream(to) = &matched.route().target else {
            panic!("a route to an upstream");
        };
        let course = Course::new(to, &matched).expect("an upstream");
        let calling = Self {
            kit,
            session,
            head,
            hop,
            course,
            tie: Tie::default(),
            response: ResponseHead::default(),
            attempts: Attempts::default(),
        };
        (calling, client)
    }

    /// Makes the call.
    pub(crate) async fn run(&mut self) -> Result<UpstreamResponse, Failure> {
        let call = Call {
            worker: &self.kit.worker,
            course: &self.course,
            head: &self.head,
            hop: &self.hop,
            client: None,
            tie: self.tie,
            now_ms: self.kit.worker.clock.now().monotonic_ms,
        };
        let mut responder = Responder::new(&mut self.session.outgoing, &self.head);
        let mut caller = Caller {
            incoming: Some(&mut self.session.incoming),
            responder: Some(&mut responder),
            deadline: &mut self.session.deadline,
        };
        call::call(&call, &mut caller, &mut self.response, &mut self.attempts).await
    }

    /// Makes it for nobody, as the cache does.
    pub(crate) async fn run_for_nobody(&mut self) -> Result<UpstreamResponse, Failure> {
        let call = Call {
            worker: &self.kit.worker,
            course: &self.course,
            head: &self.head,
            hop: &self.hop,
            client: None,
            tie: self.tie,
            now_ms: self.kit.worker.clock.now().monotonic_ms,
        };
        let mut caller = Caller {
            incoming: None,
            responder: None,
            deadline: &mut self.session.deadline,
        };
        call::call(&call, &mut caller, &mut self.response, &mut self.attempts).await
    }

    /// What was tried: each endpoint's address, and why that failed.
    pub(crate) fn tried(&self) -> Vec<(String, Option<&'static str>)> {
        let attempts = self.attempts.iter();
        attempts
            .map(|attempt| {
                let stats = &attempt.upstream.forwarding.stats;
                let endpoint = stats.endpoint(attempt.endpoint).to_owned();
                (endpoint, attempt.failure.map(|kind| kind.word()))
            })
            .collect()
    }

    /// Keeps the connection of a response that has come to its end.
    pub(crate) fn put_back(&self, called: UpstreamResponse) {
        let now = self.kit.worker.clock.now();
        called.put_back(&self.kit.worker, &self.response, now);
    }
}
