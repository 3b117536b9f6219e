//! Sends copies of requests to other upstreams, and discards what they answer.
//!
//! A copy is sent by a task of its own, and nothing of the request that it is made of waits for
//! it: a body is copied while it passes, and the copy is sent once the body is complete. What
//! happens to it is counted, and no client learns of it.
//!
//! The copy has the head as the first upstream gets it, with all that policies have made of it,
//! and the credentials of the client. No policy is asked about it, and it is not sent again if
//! it fails.

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use bytes::Bytes;
use janua_http::{Failure, Framing, RequestHead, ResponseHead};
use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::timeout;

use crate::affinity::{self, Tie};
use crate::attempts::Attempts;
use crate::body::Trailers;
use crate::body_copy::Copied;
use crate::call::{Call, Caller, UpstreamResponse, call};
use crate::clean::Hop;
use crate::client::Peer;
use crate::compile::MIRROR_FIELD;
use crate::course::Course;
use crate::deadline::Deadline;
use crate::exchange::Exchange;
use crate::incoming::{BodyState, Incoming};
use crate::snapshot::Mirror;
use crate::stats::CopyOutcome;
use crate::upload::UploadState;
use crate::wire::Reader;
use crate::worker::Worker;

/// How many bytes of an answer are read. Behind them the connection is closed: that costs the
/// upstream less than to send the rest of a large one.
const MAX_ANSWER: u64 = 1024 * 1024;

/// Sends copies of the request of an exchange to those who get some of its route, just before the
/// request itself is sent on this course. `incoming` has its body, if it has one.
pub(crate) fn mirror(exchange: &Exchange, course: &Course, incoming: Option<&mut Incoming>) {
    let Some(matched) = &exchange.matched else {
        return;
    };
    let mirrors = &matched.route().mirrors;
    // What is sent in another protocol is no request.
    if mirrors.is_empty() || exchange.hop.upgrade.is_some() {
        return;
    }
    let mut incoming = incoming.filter(|incoming| !incoming.length().is_empty());
    for mirror in mirrors {
        if exchange.worker.random_u64() > mirror.up_to {
            continue;
        }
        let Some(course) = course.of_copy(mirror, matched) else {
            continue;
        };
        if let Err(outcome) = start(exchange, incoming.as_deref_mut(), mirror, course) {
            mirror.stats.count(exchange.worker.index, outcome);
        }
    }
}

/// Starts the task that sends a copy.
///
/// # Errors
/// What becomes of the copy instead.
fn start(
    exchange: &Exchange,
    incoming: Option<&mut Incoming>,
    mirror: &Arc<Mirror>,
    course: Course,
) -> Result<(), CopyOutcome> {
    let length = incoming.as_ref().map(|incoming| incoming.length().known());
    if length.flatten() > Some(mirror.body as u64) {
        return Err(CopyOutcome::TooLarge);
    }
    let place = Place::take(mirror).ok_or(CopyOutcome::Dropped)?;
    let body = match incoming {
        None => None,
        // Its beginning has gone by.
        Some(incoming) if incoming.state() != BodyState::Untouched => {
            return Err(CopyOutcome::Aborted);
        }
        Some(incoming) => Some(incoming.copy(mirror.body)),
    };
    let tie = affinity::of(exchange, course.forwarding());
    let mut head = exchange.heads.request.clone();
    head.fields.set(MIRROR_FIELD.as_bytes(), b"1");
    let copy = Copy {
        worker: Rc::clone(&exchange.worker),
        mirror: Arc::clone(mirror),
        course,
        head,
        hop: exchange.hop.clone(),
        peer: Rc::clone(&exchange.peer),
        tie,
    };
    spawn_local(async move {
        let outcome = copy.run(body).await;
        copy.mirror.stats.count(copy.worker.index, outcome);
        drop(place);
    });
    Ok(())
}

/// A copy of a request.
struct Copy {
    worker: Rc<Worker>,
    mirror: Arc<Mirror>,
    course: Course,
    head: RequestHead,
    hop: Hop,
    peer: Rc<Peer>,
    tie: Tie,
}

impl Copy {
    async fn run(&self, body: Option<oneshot::Receiver<Copied>>) -> CopyOutcome {
        let patience = self.mirror.timeout;
        let body = match body {
            None => None,
            Some(body) => match timeout(patience, body).await {
                Ok(Ok(Copied::Whole(body))) => Some(body),
                Ok(Ok(Copied::TooLarge)) => return CopyOutcome::TooLarge,
                Ok(Err(_)) | Err(_) => return CopyOutcome::Aborted,
            },
        };
        match timeout(patience, Box::pin(self.send(body, patience))).await {
            Ok(Ok(())) => CopyOutcome::Answered,
            Ok(Err(_)) => CopyOutcome::Failed,
            Err(_) => CopyOutcome::Timeout,
        }
    }

    /// Sends the copy, and reads what is answered to its end.
    async fn send(&self, body: Option<Bytes>, patience: Duration) -> Result<(), Failure> {
        let mut with_length;
        let mut head = &self.head;
        let mut incoming = None;
        if let Some(body) = body {
            // However the client has sent it, its length is known now.
            with_length = self.head.clone();
            let length = itoa::Buffer::new().format(body.len()).to_owned();
            with_length.fields.set(b"Content-Length", length.as_bytes());
            with_length.fields.remove(b"trailer");
            head = &with_length;
            incoming = Some(incoming_of(&body));
        }
        let mut deadline = Deadline::new(patience);
        let mut caller = Caller {
            incoming: incoming.as_mut(),
            responder: None,
            deadline: &mut deadline,
        };
        let request = Call {
            worker: &self.worker,
            course: &self.course,
            head,
            hop: &self.hop,
            client: Some(&self.peer),
            tie: self.tie,
            now_ms: self.worker.clock.now().monotonic_ms,
        };
        let mut response = ResponseHead::default();
        let mut attempts = Attempts::default();
        let called = call(&request, &mut caller, &mut response, &mut attempts).await?;
        self.discard(called, &response, patience).await;
        Ok(())
    }

    /// Reads the body of the answer, so that the connection can be used again.
    async fn discard(
        &self,
        mut called: UpstreamResponse,
        response: &ResponseHead,
        patience: Duration,
    ) {
        // It has answered before it had the whole request.
        if !matches!(called.upload, UploadState::Sent | UploadState::HalfClosed) {
            return;
        }
        let mut deadline = Deadline::new(patience);
        let body = &mut called.connection.incoming;
        if body.discard(MAX_ANSWER, patience, &mut deadline).await {
            let now = self.worker.clock.now();
            called.put_back(&self.worker, response, now);
        }
    }
}

/// A body as clients send it, all of which has come.
fn incoming_of(body: &[u8]) -> Incoming {
    let mut incoming = Incoming::new(Reader::holding(body));
    incoming.begin(Framing::Length(body.len() as u64));
    incoming.set_trailers(Trailers::Drop);
    incoming
}

/// One of the places for copies that are in progress, which is given back when it is dropped.
struct Place(Arc<Mirror>);

impl Place {
    fn take(mirror: &Arc<Mirror>) -> Option<Self> {
        let one_more = |taken: usize| (taken < mirror.most).then_some(taken + 1);
        let taken = mirror.in_progress.fetch_update(Relaxed, Relaxed, one_more);
        taken.is_ok().then(|| Self(Arc::clone(mirror)))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken: &AtomicUsize = &self.0.in_progress;
        taken.fetch_sub(1, Relaxed);
    }
}
