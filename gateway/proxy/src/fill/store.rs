//! What becomes of a response that the errand brought.

use std::sync::Arc;

use janua_cache::rules::stored::retain_storable;
use janua_cache::rules::update::renew;
use janua_cache::rules::{self, Detail, Rule, Storage, Terms, Times, Vary};
use janua_cache::{Entry, Fill, Lead, NewEntry, Refused, Variance};
use janua_http::failure::Kind;
use janua_http::fields::Known;
use janua_http::{Failure, Fields};
use janua_wasm as wasm;
use tokio::sync::oneshot;

use super::{Handed, pass};
use crate::body::{Receiver, Turn};
use crate::caching::Personal;
use crate::call::UpstreamResponse;
use crate::deadline::Deadline;
use crate::exchange::Exchange;
use crate::facts::AnsweredBy;
use crate::policies;
use crate::race::{self, Progress};
use crate::representation::Held;
use crate::verdict::Made;

/// What is to be done with a response.
pub(super) enum Verdict {
    Store(Terms),
    Pass(Detail),
    /// A policy's response took its place; that is not stored.
    Made(Made),
}

/// Asks the policies of the phase `fetched`, and the rules. Afterwards the head
/// is as it is stored and delivered.
pub(super) fn fetched(exchange: &mut Exchange, asked_ms: u64) -> Result<Verdict, Failure> {
    let fields = &mut exchange.heads.response.fields;
    if fields.known(Known::Date).next().is_none() {
        // Later it would be dated by its delivery (RFC 9110 §6.6.1).
        let mut date = Vec::new();
        exchange.worker.clock.write_date(exchange.now, &mut date);
        fields.append(b"Date", &date);
    }
    if let Some(made) = policies::fetched_phase(exchange, AnsweredBy::Upstream)? {
        return Ok(Verdict::Made(made));
    }
    exchange.matched = None;
    let verdict = match admit(exchange, asked_ms) {
        Ok(terms) => Verdict::Store(terms),
        Err(why) => Verdict::Pass(why),
    };
    exchange.write_lifetimes();
    if matches!(verdict, Verdict::Store(_)) {
        retain_storable(&mut exchange.heads.response.fields);
    }
    Ok(verdict)
}

fn admit(exchange: &Exchange, asked_ms: u64) -> Result<Terms, Detail> {
    let rule = exchange.caching.rule().map(rule);
    if exchange.caching.edited_for_one && !rule.as_ref().is_some_and(|rule| rule.shared) {
        return Err(Detail::Private);
    }
    let response = &exchange.heads.response;
    rules::admit(
        &exchange.caching.asked,
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

/// Stores the response, and hands it on while its body comes.
pub(super) async fn store(
    mut exchange: Exchange,
    lead: Lead<Failure>,
    mut called: UpstreamResponse,
    hand: oneshot::Sender<Handed>,
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
                Refused::Full | Refused::Off | Refused::Unreasonable => Detail::NoSpace,
            });
            return pass(exchange, called, hand);
        }
    };
    exchange.report.stored(fill.entry(), exchange.now.unix_ms);
    // Before the first byte is taken in: nobody else may be reading yet.
    if let Some(held) = Held::of(Arc::clone(fill.entry())) {
        let _ = hand.send(Handed::Entry(held, exchange.fetched()));
    }
    if pump(&mut called, fill).await && exchange.heads.response.keep_alive {
        let now = exchange.worker.clock.now();
        called.put_back(&exchange.worker, &exchange.heads.response, now);
    }
}

/// A 304: what is stored goes on under a head that is up to date.
pub(super) fn revalidated(
    mut exchange: Exchange,
    lead: Lead<Failure>,
    stale: &Arc<Entry>,
    called: UpstreamResponse,
    hand: oneshot::Sender<Handed>,
    asked_ms: u64,
) {
    let news = std::mem::take(&mut exchange.heads.response.fields);
    let response = &mut exchange.heads.response;
    response.status = stale.status();
    stale.write_into(&mut response.fields);
    renew(&mut response.fields, &news, stale.terms().shares_cookies);
    let says_lifetime = [
        &b"cache-control"[..],
        b"expires",
        b"cdn-cache-control",
        b"surrogate-control",
    ]
    .into_iter()
    .any(|name| news.get(name).is_some());
    let verdict = match fetched(&mut exchange, asked_ms) {
        Ok(verdict) => verdict,
        Err(failure) => {
            lead.fail(failure.clone());
            let _ = hand.send(Handed::Failed(failure));
            return;
        }
    };
    let is_one_clients =
        exchange.caching.edited_for_one || matches!(verdict, Verdict::Pass(Detail::VaryStar));
    let (terms, is_storable) = match verdict {
        Verdict::Made(made) => {
            drop(lead);
            let _ = hand.send(Handed::Made(made, exchange.fetched()));
            return;
        }
        // What is stored may be a policy's `Cache-Control`, for browsers: the
        // upstream's own is what it said the last time.
        _ if !says_lifetime
            && !is_one_clients
            && exchange.caching.rule().is_none_or(is_by_fields) =>
        {
            let renewed = Terms {
                received_ms: exchange.now.unix_ms,
                initial_age: 0,
                ..*stale.stored_terms()
            };
            (renewed, true)
        }
        Verdict::Store(terms) => (terms, true),
        Verdict::Pass(_) => {
            let spent = Terms {
                received_ms: exchange.now.unix_ms,
                no_cache: true,
                ..Terms::default()
            };
            (spent, false)
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
    let _ = hand.send(match Held::of(entry) {
        Some(held) => Handed::Entry(held, exchange.fetched()),
        None => Handed::Failed(Kind::Internal.into()),
    });
}

fn is_by_fields(rule: &wasm::CacheRule) -> bool {
    matches!(
        rule.store,
        wasm::Storage::ByFields | wasm::Storage::ByFieldsOrHeuristic
    )
}

/// What the response varies on: the fields that it names, and its user unless
/// the rule says that users share it.
fn variance(exchange: &Exchange) -> Variance {
    let shared = exchange.caching.rule().is_some_and(|rule| rule.shared);
    let by_user = Personal::of(&exchange.caching).is_some() && !shared;
    let fields = &exchange.heads.response.fields;
    // What the upstream was not told it cannot have gone by: see `prepare`.
    let is_coded = fields.get(b"content-encoding").is_some();
    let terms = exchange.terms.as_ref();
    let codes_itself = terms.is_some_and(|terms| terms.compression.is_some()) && !is_coded;
    let counts = |name: &&[u8]| !(codes_itself && name.eq_ignore_ascii_case(b"accept-encoding"));
    Variance::new(Vary::of(fields).names().filter(counts), by_user)
}

fn with_entry<T>(exchange: &Exchange, terms: Terms, store: impl FnOnce(NewEntry<'_>) -> T) -> T {
    let response = &exchange.heads.response;
    let tags: Vec<&[u8]> = exchange
        .caching
        .tags
        .iter()
        .map(|tag| tag.as_bytes())
        .collect();
    store(NewEntry {
        status: response.status,
        head: &response.fields,
        terms,
        tags: &tags,
        rule: exchange.caching.rule().map(|rule| Arc::from(&*rule.name)),
    })
}

/// Takes the body in; true if it came to its end.
async fn pump(called: &mut UpstreamResponse, mut fill: Fill) -> bool {
    let patience = called.idle_timeout;
    let incoming = &mut called.connection.incoming;
    let mut deadline = Deadline::new(patience);
    let progress = Progress::default();
    let taking = std::future::poll_fn(|context| {
        let turn = Turn::begin(&incoming.reader);
        while !incoming.is_done() {
            std::task::ready!(turn.poll(context, &incoming.reader));
            std::task::ready!(fill.poll_ready(context));
            if !fill.is_wanted() {
                return std::task::Poll::Ready(false);
            }
            let taken = incoming.poll_piece(context, &mut Into(&mut fill));
            progress.set(incoming.reader.received());
            if std::task::ready!(taken).is_err() {
                return std::task::Poll::Ready(false);
            }
        }
        std::task::Poll::Ready(true)
    });
    let is_whole = race::paced(&mut deadline, patience, &progress, taking).await;
    let is_whole = matches!(is_whole, Ok(true));
    if is_whole {
        fill.finish();
    }
    is_whole
}

/// A body that is stored.
struct Into<'a>(&'a mut Fill);

impl Receiver for Into<'_> {
    fn data(&mut self, _: &mut std::task::Context<'_>, data: &[u8]) -> std::io::Result<()> {
        self.0.write(data);
        Ok(())
    }

    fn end(&mut self, _: &Fields) {}
}
