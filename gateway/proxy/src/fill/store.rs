//! Stores the response of a fetch, or decides that it is not stored.

use std::cell::Cell;
use std::sync::Arc;

use janua_cache::rules::stored::retain_storable;
use janua_cache::rules::update::renew;
use janua_cache::rules::{self, Detail, Rule, Storage, Terms, Times, Vary};
use janua_cache::{Entry, Fill, Lead, NewEntry, Received, Refused, Variance};
use janua_http::failure::Kind;
use janua_http::fields::Known;
use janua_http::{Failure, Fields};
use janua_wasm as wasm;
use tokio::sync::oneshot;

use super::{FillResult, pass};
use crate::body::{Receiver, Turn};
use crate::caching::{Personal, ReceivedHead};
use crate::call::{UpstreamResponse, attempt_over};
use crate::deadline::Deadline;
use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::policies;
use crate::race::{self, Progress};
use crate::representation::Held;
use crate::verdict::Made;

/// What to do with a response.
pub(super) enum Decision {
    Store(Terms),
    Pass(Detail),
    /// A policy replaced the response; the replacement is not stored.
    Made(Made),
}

/// Runs the policies of the phase `fetched` and applies the caching rules. Afterwards
/// the head is the one that is stored and delivered.
pub(super) fn fetched(exchange: &mut Exchange, asked_ms: u64) -> Result<Decision, Failure> {
    let fields = &mut exchange.heads.response.fields;
    if fields.known(Known::Date).next().is_none() {
        // The date is when the response was received, not when it is delivered
        // (RFC 9110 §6.6.1).
        let mut date = Vec::new();
        exchange.worker.clock.write_date(exchange.now, &mut date);
        fields.append(b"Date", &date);
    }
    exchange.keep_received();
    if let Some(made) = policies::fetched_phase(exchange, AnsweredBy::Upstream)? {
        return Ok(Decision::Made(made));
    }
    exchange.matched = None;
    let decision = match admit(exchange, asked_ms) {
        Ok(terms) => Decision::Store(terms),
        Err(why) => Decision::Pass(why),
    };
    exchange.write_lifetimes();
    if matches!(decision, Decision::Store(_)) {
        retain_storable(&mut exchange.heads.response.fields);
    }
    Ok(decision)
}

impl Exchange {
    /// Keeps the head as it was received, if policies are about to edit it: at the next 304,
    /// they edit this one again.
    fn keep_received(&mut self) {
        let edits = |matched: &Matched| !matched.route().fetched.is_empty();
        self.caching.received = self.matched.as_ref().is_some_and(edits).then(|| {
            let response = &self.heads.response;
            let mut fields = response.fields.clone();
            retain_storable(&mut fields);
            Box::new(ReceivedHead {
                status: response.status,
                fields,
            })
        });
    }
}

fn admit(exchange: &Exchange, asked_ms: u64) -> Result<Terms, Detail> {
    let rule = exchange.caching.rule().map(rule);
    if exchange.caching.lacks_edits {
        return Err(Detail::PolicyFailed);
    }
    if exchange.caching.edited_for_one && !rule.as_ref().is_some_and(|rule| rule.shared) {
        return Err(Detail::Private);
    }
    let response = &exchange.heads.response;
    rules::admit(
        &exchange.caching.request,
        response.status,
        &response.fields,
        rule.as_ref(),
        Times {
            requested_ms: asked_ms,
            received_ms: exchange.now.unix_ms,
        },
    )
}

fn rule(rule: &wasm::CacheRule) -> Rule<'_> {
    Rule {
        name: &rule.name,
        store: match rule.store {
            wasm::Storage::ByFields => Storage::ByFields,
            wasm::Storage::ByFieldsOrHeuristic => Storage::ByFieldsOrHeuristic,
            wasm::Storage::Never => Storage::Never,
            wasm::Storage::Seconds(seconds) => Storage::Seconds(seconds),
        },
        stale_while_revalidate: rule.stale_while_revalidate,
        stale_if_error: rule.stale_if_error,
        shared: rule.shared,
    }
}

/// Stores the response, and passes it on while its body is being received.
pub(super) async fn store(
    mut exchange: Exchange,
    lead: Lead<Failure>,
    mut called: UpstreamResponse,
    sender: oneshot::Sender<FillResult>,
    terms: Terms,
) {
    let length = called.connection.incoming.length();
    let variance = variance(&exchange);
    let stored = with_entry(&exchange, terms, |new| {
        let personal = Personal::of(&exchange.caching);
        let mut variant = personal.variant(&exchange.heads.request);
        lead.store(new, &variance, &mut variant, length.known())
    });
    let fill = match stored {
        Ok(fill) => fill,
        Err(refused) => {
            exchange.report.detail(match refused {
                Refused::TooLarge => Detail::TooLarge,
                Refused::Full | Refused::Off | Refused::OverLimit => Detail::NoSpace,
            });
            return pass(exchange, called, sender);
        }
    };
    exchange.report.stored(fill.entry(), exchange.now.unix_ms);
    // Before the first byte of the body is stored: no other request may be reading
    // yet, and without a reader the beginning of the body could be dropped.
    if let Some(held) = Held::of(Arc::clone(fill.entry())) {
        let _ = sender.send(FillResult::Entry(held, exchange.fetched()));
    }
    match pump(&mut called, fill).await {
        Ok(true) if exchange.heads.response.keep_alive => {
            let now = exchange.worker.clock.now();
            called.put_back(&exchange.worker, &exchange.heads.response, now);
        }
        Ok(_) => {}
        Err(failure) => called.fail(&exchange.worker, &failure),
    }
}

/// Handles a 304: the stored body is kept under an updated head (RFC 9111 §4.3.4).
pub(super) fn revalidated(
    mut exchange: Exchange,
    lead: Lead<Failure>,
    stale: &Arc<Entry>,
    called: UpstreamResponse,
    sender: oneshot::Sender<FillResult>,
    asked_ms: u64,
) {
    let received = std::mem::take(&mut exchange.heads.response.fields);
    let response = &mut exchange.heads.response;
    // What was stored, before policies edited it: they are about to edit it again.
    response.status = stale.write_received_into(&mut response.fields);
    renew(
        &mut response.fields,
        &received,
        stale.terms().shares_cookies,
    );
    let states_lifetime = [
        &b"cache-control"[..],
        b"expires",
        b"cdn-cache-control",
        b"surrogate-control",
    ]
    .into_iter()
    .any(|name| received.get(name).is_some());
    let decision = match fetched(&mut exchange, asked_ms) {
        Ok(decision) => decision,
        // See `run`.
        Err(failure) => {
            drop(lead);
            let _ = sender.send(FillResult::Failed(failure));
            return;
        }
    };
    let is_for_one_client = exchange.caching.edited_for_one
        || matches!(
            decision,
            Decision::Pass(Detail::VaryStar | Detail::PolicyFailed)
        );
    let (terms, is_storable) = match decision {
        Decision::Made(made) => {
            drop(lead);
            let _ = sender.send(FillResult::Made(made, exchange.fetched()));
            return;
        }
        // The stored `Cache-Control` may be a policy's, meant for browsers. So the
        // lifetime is the one that the upstream stated earlier.
        _ if !states_lifetime
            && !is_for_one_client
            && exchange.caching.rule().is_none_or(is_by_fields) =>
        {
            let renewed = Terms {
                received_ms: exchange.now.unix_ms,
                initial_age: 0,
                ..*stale.stored_terms()
            };
            (renewed, true)
        }
        Decision::Store(terms) => (terms, true),
        Decision::Pass(_) => {
            let expired = Terms {
                received_ms: exchange.now.unix_ms,
                no_cache: true,
                ..Terms::default()
            };
            (expired, false)
        }
    };
    let variance = variance(&exchange);
    let entry = with_entry(&exchange, terms, |new| {
        let personal = Personal::of(&exchange.caching);
        let mut variant = personal.variant(&exchange.heads.request);
        lead.revalidated(stale, new, &variance, &mut variant)
    });
    if !is_storable && let Some(address) = entry.address() {
        let cache = &exchange.worker.estate.cache;
        cache.invalidate(address.scheme, address.host, address.path, address.query);
    }
    exchange.report.revalidated(&entry, exchange.now.unix_ms);
    if exchange.heads.response.keep_alive {
        let now = exchange.worker.clock.now();
        called.put_back(&exchange.worker, &exchange.heads.response, now);
    }
    let _ = sender.send(match Held::of(entry) {
        Some(held) => FillResult::Entry(held, exchange.fetched()),
        None => FillResult::Failed(Kind::Internal.into()),
    });
}

fn is_by_fields(rule: &wasm::CacheRule) -> bool {
    matches!(
        rule.store,
        wasm::Storage::ByFields | wasm::Storage::ByFieldsOrHeuristic
    )
}

/// What the response varies on: the fields that its `Vary` lists, and the user, unless
/// the rule states that users share it.
fn variance(exchange: &Exchange) -> Variance {
    let shared = exchange.caching.rule().is_some_and(|rule| rule.shared);
    let by_user = Personal::of(&exchange.caching).is_some() && !shared;
    let fields = &exchange.heads.response.fields;
    // The upstream cannot have varied on a field that `prepare` removed.
    let is_encoded = fields.get(b"content-encoding").is_some();
    let terms = exchange.terms.as_ref();
    let gateway_compresses = terms.is_some_and(|terms| terms.compression.is_some()) && !is_encoded;
    let counts =
        |name: &&[u8]| !(gateway_compresses && name.eq_ignore_ascii_case(b"accept-encoding"));
    Variance::new(Vary::of(fields).names().filter(counts), by_user)
}

fn with_entry<T>(exchange: &Exchange, terms: Terms, store: impl FnOnce(NewEntry<'_>) -> T) -> T {
    let response = &exchange.heads.response;
    let received = exchange.caching.received.as_ref();
    let tags: Vec<&[u8]> = exchange
        .caching
        .tags
        .iter()
        .map(|tag| tag.as_bytes())
        .collect();
    store(NewEntry {
        status: response.status,
        head: &response.fields,
        received: received.map(|received| Received {
            status: received.status,
            fields: &received.fields,
        }),
        terms,
        tags: &tags,
        rule: exchange.caching.rule().map(|rule| Arc::from(&*rule.name)),
    })
}

/// Stores the body; true if all of it was received, and false if nobody wants the rest.
///
/// # Errors
/// The upstream has broken off, or takes too long.
async fn pump(called: &mut UpstreamResponse, mut fill: Fill) -> Result<bool, Failure> {
    let patience = called.idle_timeout;
    let incoming = &mut called.connection.incoming;
    let mut deadline = Deadline::new(patience);
    deadline.set_attempt(called.ends_at);
    let progress = Progress::default();
    // Slow readers hold up what is not stored for them.
    let (waits, has_waited) = (Cell::new(false), Cell::new(false));
    let taking = std::future::poll_fn(|context| {
        let turn = Turn::begin(&incoming.reader);
        while !incoming.is_done() {
            std::task::ready!(turn.poll(context, &incoming.reader));
            let ready = fill.poll_ready(context);
            waits.set(ready.is_pending());
            has_waited.set(has_waited.get() || ready.is_pending());
            std::task::ready!(ready);
            if !fill.is_wanted() {
                return std::task::Poll::Ready(Ok(false));
            }
            let taken = incoming.poll_piece(context, &mut StoredBody(&mut fill));
            progress.set(incoming.reader.received());
            if let Err(error) = std::task::ready!(taken) {
                return std::task::Poll::Ready(Err(error.of_response()));
            }
        }
        std::task::Poll::Ready(Ok(true))
    });
    let taken = match race::paced(&mut deadline, patience, &progress, taking).await {
        Ok(taken) => taken?,
        Err(_) if deadline.ends_attempt() => return Err(attempt_over(has_waited.get())),
        Err(_) if waits.get() => false,
        Err(_) => {
            let words = "no progress with the response body";
            return Err(Failure::with(Kind::ResponseTimeout, words));
        }
    };
    if taken {
        fill.finish();
    }
    Ok(taken)
}

/// Receives a body that is being stored.
struct StoredBody<'a>(&'a mut Fill);

impl Receiver for StoredBody<'_> {
    fn data(&mut self, _: &mut std::task::Context<'_>, data: &[u8]) -> std::io::Result<()> {
        self.0.write(data);
        Ok(())
    }

    fn end(&mut self, _: &Fields) {}
}
