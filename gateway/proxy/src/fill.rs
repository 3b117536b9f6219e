//! Fills the cache: fetches a response in a task of its own on behalf of all requests
//! that wait for it, and stores it if that is allowed.

mod store;

use std::sync::Arc;

use janua_cache::rules::Detail;
use janua_cache::rules::judge::is_failure;
use janua_cache::rules::may_serve_on_error;
use janua_cache::rules::update::identifies;
use janua_cache::rules::validate::{remove_conditions, set_validators};
use janua_cache::{Entry, Lead};
use janua_http::accept_encoding::Accepted;
use janua_http::failure::Kind;
use janua_http::{Failure, Fields, ResponseHead};
use tokio::sync::oneshot;

use crate::call::{Caller, UpstreamResponse};
use crate::course::Course;
use crate::deadline::Deadline;
use crate::exchange::Exchange;
use crate::forward;
use crate::record::Fetched;
use crate::representation::Held;
use crate::verdict::Made;

/// For how long requests for a response that proved uncacheable are not collapsed, in
/// milliseconds ("hit-for-pass").
const PASS_MS: u64 = 10_000;

/// The result of a fetch for the request that started it.
pub(crate) enum FillResult {
    /// The response is stored; its body may still be arriving.
    Entry(Held, Fetched),
    /// The response is not stored; its body is still to be read.
    NotStored(Box<UnstoredResponse>),
    /// A policy replaced the response.
    Made(Made, Fetched),
    /// There is no response.
    Failed(Failure),
}

/// A response that is not stored.
pub(crate) struct UnstoredResponse {
    pub(crate) response: ResponseHead,
    pub(crate) called: UpstreamResponse,
    pub(crate) fetched: Fetched,
}

/// Starts the fetch. `stale` is the stored response that is to be validated.
pub(crate) fn start(
    exchange: &Exchange,
    course: &Course,
    lead: Lead<Failure>,
    stale: Option<Arc<Entry>>,
    sender: oneshot::Sender<FillResult>,
) {
    let fetching = exchange.to_fetch();
    let course = course.clone();
    tokio::task::spawn_local(async move {
        run(fetching, course, lead, stale, sender).await;
    });
}

async fn run(
    mut exchange: Exchange,
    course: Course,
    lead: Lead<Failure>,
    stale: Option<Arc<Entry>>,
    sender: oneshot::Sender<FillResult>,
) {
    let mut stale = stale;
    let asked_ms = exchange.now.unix_ms;
    // A stale response now is better than a fresh one after the wait.
    let request = &exchange.caching.request;
    let is_spare = |stale: &Arc<Entry>| may_serve_on_error(&stale.terms(), request, asked_ms);
    let course = match !course.retries().hold.is_zero() && stale.as_ref().is_some_and(is_spare) {
        true => course.without_hold(),
        false => course,
    };
    let called = match ask(&mut exchange, &course, &mut stale).await {
        Ok(called) => called,
        Err(failure) => {
            lead.fail(failure.clone());
            let _ = sender.send(FillResult::Failed(failure));
            return;
        }
    };
    exchange.now = exchange.worker.clock.now();
    let status = exchange.heads.response.status;
    if let Some(stale) = &stale {
        if status == 304 {
            return store::revalidated(exchange, lead, stale, called, sender, asked_ms);
        }
        let request = &exchange.caching.request;
        if is_failure(status) && may_serve_on_error(&stale.terms(), request, exchange.now.unix_ms) {
            let failure = answered_with(status);
            lead.fail(failure.clone());
            let _ = sender.send(FillResult::Failed(failure));
            return;
        }
    }
    match store::fetched(&mut exchange, asked_ms) {
        Ok(store::Decision::Store(terms)) => {
            store::store(exchange, lead, called, sender, terms).await;
        }
        Ok(store::Decision::Pass(why)) => {
            // An error response does not remove a stored response: that may still be
            // served stale, or be fresh and this client demanded validation.
            if stale.is_some() && is_failure(status) {
                lead.fail(answered_with(status));
            } else if why == Detail::Authorization {
                lead.leader_only();
            } else {
                lead.pass(PASS_MS, exchange.now.unix_ms);
            }
            exchange.report.detail(why);
            pass(exchange, called, sender);
        }
        Ok(store::Decision::Made(made)) => {
            lead.pass(0, exchange.now.unix_ms);
            let fetched = exchange.fetched();
            let _ = sender.send(FillResult::Made(made, fetched));
        }
        // A policy failed, perhaps because of what this client has sent. Those who wait ask
        // once more, each for itself or for the next.
        Err(failure) => {
            drop(lead);
            let _ = sender.send(FillResult::Failed(failure));
        }
    }
}

/// The upstream's error status as a failure, for requests that may be served a stale
/// response instead.
fn answered_with(status: u16) -> Failure {
    Failure::with(Kind::ResponseStatus, status.to_string())
}

/// Validates the stored response, or fetches the whole if there is none. If a 304
/// identifies another response than the stored one, the whole is fetched as well.
async fn ask(
    exchange: &mut Exchange,
    course: &Course,
    stale: &mut Option<Arc<Entry>>,
) -> Result<UpstreamResponse, Failure> {
    // The device token that `max-age=60;janua` targets (W3C Edge Architecture).
    let request = &mut exchange.heads.request;
    let name = b"Surrogate-Capability";
    request.fields.append(name, b"janua=\"Surrogate/1.0\"");
    if let Some(query) = exchange.caching.keyed_query.take() {
        request.query = (!query.is_empty()).then_some(query);
    }
    loop {
        let mut stored = Fields::default();
        if let Some(stale) = stale {
            // Its validators are the upstream's, and not what policies have made of them.
            stale.write_received_into(&mut stored);
        }
        prepare(exchange, &stored);
        let called = fetch(exchange, course).await?;
        let response = &exchange.heads.response;
        if stale.is_some() && response.status == 304 && !identifies(&stored, &response.fields) {
            *stale = None;
            let now = exchange.worker.clock.now();
            called.put_back(&exchange.worker, response, now);
            continue;
        }
        return Ok(called);
    }
}

/// Sends the request of the exchange, which has no body. No client takes part in it
/// that could delay or abort it.
async fn fetch(exchange: &mut Exchange, course: &Course) -> Result<UpstreamResponse, Failure> {
    let mut caller = Caller {
        incoming: None,
        responder: None,
        deadline: &mut Deadline::new(course.forwarding().response_head_timeout),
    };
    forward::call(exchange, course, &mut caller).await
}

/// Edits the request so that its response can be stored for all clients: without
/// this client's conditions, and with those that validate the stored response.
fn prepare(exchange: &mut Exchange, stored: &Fields) {
    let gateway_compresses = exchange
        .terms
        .as_ref()
        .is_some_and(|terms| terms.compression.is_some());
    let fields = &mut exchange.heads.request.fields;
    remove_conditions(fields);
    if gateway_compresses {
        // The gateway compresses: one stored body serves all clients.
        fields.remove(b"accept-encoding");
    } else if fields.get(b"accept-encoding").is_some() {
        // Only the codings that select the variant: a client that accepts `gzip` alone
        // shares it with one that also accepts `deflate`, and could not decode that.
        let mut normalised = Vec::new();
        Accepted::of(fields).write_normalised(&mut normalised);
        fields.set(b"Accept-Encoding", &normalised);
    }
    set_validators(stored, fields);
}

/// Passes the response to the request that started the fetch. If that is gone, the
/// response is dropped.
pub(super) fn pass(
    mut exchange: Exchange,
    called: UpstreamResponse,
    sender: oneshot::Sender<FillResult>,
) {
    let response = std::mem::take(&mut exchange.heads.response);
    let fetched = exchange.fetched();
    let _ = sender.send(FillResult::NotStored(Box::new(UnstoredResponse {
        response,
        called,
        fetched,
    })));
}

impl Exchange {
    fn fetched(&mut self) -> Fetched {
        if let Some(rule) = self.caching.rule() {
            self.report.decided_by(&rule.name);
        }
        Fetched {
            record: std::mem::take(&mut self.record),
            report: std::mem::take(&mut self.report),
            variables: std::mem::take(&mut self.variables),
        }
    }
}

#[cfg(test)]
mod tests;
