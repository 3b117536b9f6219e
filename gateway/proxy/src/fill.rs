//! The leader's errand: asks the upstream for all who wait, in a task of its
//! own, and stores what may be stored.

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

use crate::call::{self, Call, Caller, UpstreamResponse};
use crate::course::Course;
use crate::deadline::Deadline;
use crate::exchange::Exchange;
use crate::heads::Heads;
use crate::record::Fetched;
use crate::representation::Held;
use crate::verdict::Made;

/// For how long those who ask for what proved not to be storable do not wait
/// for each other, in milliseconds.
const PASS_MS: u64 = 10_000;

/// What the one who led is told.
pub(crate) enum Handed {
    /// Stored; its body may still be on its way.
    Entry(Held, Fetched),
    /// Not stored: here it is, with its body still to be read.
    Response(Box<Passed>),
    /// A policy's response took its place.
    Made(Made, Fetched),
    /// There is none.
    Failed(Failure),
}

/// A response that is not stored.
pub(crate) struct Passed {
    pub(crate) response: ResponseHead,
    pub(crate) called: UpstreamResponse,
    pub(crate) fetched: Fetched,
}

/// Sends the errand out. `stale` is what is stored already and to be validated.
pub(crate) fn start(
    exchange: &Exchange,
    course: &Course,
    lead: Lead<Failure>,
    stale: Option<Arc<Entry>>,
    hand: oneshot::Sender<Handed>,
) {
    let errand = exchange.to_fetch();
    let course = course.clone();
    tokio::task::spawn_local(async move {
        run(errand, course, lead, stale, hand).await;
    });
}

async fn run(
    mut exchange: Exchange,
    course: Course,
    lead: Lead<Failure>,
    stale: Option<Arc<Entry>>,
    hand: oneshot::Sender<Handed>,
) {
    let mut stale = stale;
    let asked_ms = exchange.now.unix_ms;
    let called = match ask(&mut exchange, &course, &mut stale).await {
        Ok(called) => called,
        Err(failure) => {
            lead.fail(failure.clone());
            let _ = hand.send(Handed::Failed(failure));
            return;
        }
    };
    exchange.now = exchange.worker.clock.now();
    let status = exchange.heads.response.status;
    if let Some(stale) = &stale {
        if status == 304 {
            return store::revalidated(exchange, lead, stale, called, hand, asked_ms);
        }
        let asked = &exchange.caching.asked;
        if is_failure(status) && may_serve_on_error(&stale.terms(), asked, exchange.now.unix_ms) {
            let failure = answered_with(status);
            lead.fail(failure.clone());
            let _ = hand.send(Handed::Failed(failure));
            return;
        }
    }
    match store::fetched(&mut exchange, asked_ms) {
        Ok(store::Verdict::Store(terms)) => {
            store::store(exchange, lead, called, hand, terms).await;
        }
        Ok(store::Verdict::Pass(why)) => {
            // A failing upstream takes nothing away that is stored: it may yet
            // be served stale, or be fresh and only this client asked anew.
            if stale.is_some() && is_failure(status) {
                lead.fail(answered_with(status));
            } else if why == Detail::Authorization {
                lead.own();
            } else {
                lead.pass(PASS_MS, exchange.now.unix_ms);
            }
            exchange.report.detail(why);
            pass(exchange, called, hand);
        }
        Ok(store::Verdict::Made(made)) => {
            lead.pass(0, exchange.now.unix_ms);
            let fetched = exchange.fetched();
            let _ = hand.send(Handed::Made(made, fetched));
        }
        Err(failure) => {
            lead.fail(failure.clone());
            let _ = hand.send(Handed::Failed(failure));
        }
    }
}

/// The upstream's answer as a failure, for those who may be served what is
/// stored instead.
fn answered_with(status: u16) -> Failure {
    Failure::with(Kind::ResponseStatus, status.to_string())
}

/// Asks whether what is stored still holds, or for the whole if nothing is; so
/// too, a second time, if a 304 speaks of something else than what was named.
async fn ask(
    exchange: &mut Exchange,
    course: &Course,
    stale: &mut Option<Arc<Entry>>,
) -> Result<UpstreamResponse, Failure> {
    // Names the device that `max-age=60;janua` is for (W3C Edge Architecture).
    let request = &mut exchange.heads.request;
    let name = b"Surrogate-Capability";
    request.fields.append(name, b"janua=\"Surrogate/1.0\"");
    if let Some(query) = exchange.caching.keyed_query.take() {
        request.query = (!query.is_empty()).then_some(query);
    }
    loop {
        let mut stored = Fields::default();
        if let Some(stale) = stale {
            stale.write_into(&mut stored);
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

/// Sends the request that stands in the exchange, which has no body. No client
/// takes part, so none can hold it up or end it.
async fn fetch(exchange: &mut Exchange, course: &Course) -> Result<UpstreamResponse, Failure> {
    let Heads {
        request, response, ..
    } = &mut *exchange.heads;
    let call = Call {
        worker: &exchange.worker,
        course,
        head: request,
        hop: &exchange.hop,
        now_ms: exchange.now.monotonic_ms,
    };
    let mut caller = Caller {
        incoming: None,
        responder: None,
        deadline: &mut Deadline::new(course.forwarding().response_head_timeout),
    };
    call::call(&call, &mut caller, response, &mut exchange.record.attempts).await
}

/// Makes the request one for the whole of it, whatever this client asked for.
fn prepare(exchange: &mut Exchange, stored: &Fields) {
    let codes_itself = exchange
        .terms
        .as_ref()
        .is_some_and(|terms| terms.compression.is_some());
    let fields = &mut exchange.heads.request.fields;
    remove_conditions(fields);
    if codes_itself {
        // One body serves all.
        fields.remove(b"accept-encoding");
    } else if fields.get(b"accept-encoding").is_some() {
        // Only what the variant says: who takes `gzip` alone shares it with who
        // takes `deflate` too, and could not read an answer in that.
        let mut normalised = Vec::new();
        Accepted::of(fields).write_normalised(&mut normalised);
        fields.set(b"Accept-Encoding", &normalised);
    }
    set_validators(stored, fields);
}

/// Hands the response to the one who led; if that one is gone, nobody wants it.
pub(super) fn pass(
    mut exchange: Exchange,
    called: UpstreamResponse,
    hand: oneshot::Sender<Handed>,
) {
    let response = std::mem::take(&mut exchange.heads.response);
    let fetched = exchange.fetched();
    let _ = hand.send(Handed::Response(Box::new(Passed {
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
        }
    }
}

#[cfg(test)]
mod tests;
