//! The target `upstream` with the shared cache before it (RFC 9111).
//!
//! A stored response that is fresh is served. On a miss, the first request starts a
//! fetch in a task of its own ([`crate::fill`]), so that no client can abort it.
//! Requests that miss the same key meanwhile, on any worker, are collapsed: they
//! wait for the result of that fetch.

pub(crate) mod key;

use std::pin::Pin;
use std::sync::Arc;

use janua_cache::rules::{self, Detail, Judgement};
use janua_cache::{Entry, Follow, Found, Joined, Landing, Loaded};
use janua_http::Failure;
use janua_http::failure::Kind;
use tokio::sync::oneshot;

pub(crate) use key::keep_credentials;

use crate::answer::{Answer, Body};
use crate::caching::{Personal, Report};
use crate::course::Course;
use crate::downstream::Downstream;
use crate::exchange::Exchange;
use crate::facts::AnsweredBy;
use crate::fill::{self, FillResult, UnstoredResponse};
use crate::forward;
use crate::heads::Heads;
use crate::race;
use crate::representation::Held;

/// How often a request is looked up, because a fetch ended just before the request
/// joined it or its leader went away, until it is forwarded on its own.
const MAX_LOOKUPS: usize = 8;

/// Answers from the cache, or from the upstream.
///
/// # Errors
/// The upstream's failure, unless a stale response may be served instead.
pub(crate) async fn cached(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
) -> Result<Answer, Failure> {
    if let Some(why) = key::bypass(exchange) {
        exchange.report = Report::bypass(why);
        return forwarded(exchange, client, course).await;
    }
    key::write(exchange, course);
    for _ in 0..MAX_LOOKUPS {
        let (stale, waits) = match look_up(exchange).await {
            LookUp::Fresh(held) => {
                exchange.report = Report::hit(&held.entry, exchange.now.unix_ms);
                return Ok(deliver(exchange, held));
            }
            LookUp::StaleAccepted(held) => {
                exchange.report = Report::stale_accepted(&held.entry, exchange.now.unix_ms);
                return Ok(deliver(exchange, held));
            }
            LookUp::Updating(held) => {
                refresh(exchange, course, &held.entry);
                exchange.report = Report::updating(&held.entry, exchange.now.unix_ms);
                return Ok(deliver(exchange, held));
            }
            LookUp::Unusable(why) => {
                exchange.report = Report::stale(why);
                return forwarded(exchange, client, course).await;
            }
            LookUp::Unsatisfiable => {
                exchange.report = Report::stale(Detail::OnlyIfCached);
                return Err(Kind::NotStored.into());
            }
            LookUp::Stale(entry, why) => {
                exchange.report = Report::stale(why);
                (Some(entry), true)
            }
            LookUp::Nothing { vary } => {
                exchange.report = Report::miss(vary);
                (None, true)
            }
            LookUp::Pass => {
                exchange.report = Report::miss(false);
                if exchange.heads.request.fields.get(b"range").is_some() {
                    // The response will hardly be stored: fetch only the requested range.
                    return forwarded(exchange, client, course).await;
                }
                (None, false)
            }
        };
        if exchange.caching.request.only_if_cached {
            exchange.report.detail(Detail::OnlyIfCached);
            return Err(Kind::NotStored.into());
        }
        if exchange.caching.request.is_head {
            exchange.report.detail(Detail::Method);
            return forwarded(exchange, client, course).await;
        }
        match exchange.worker.estate.cache.join(&exchange.heads.key) {
            Joined::Again => {}
            Joined::Leader(lead) => {
                let (sender, receiver) = oneshot::channel();
                fill::start(exchange, course, lead, stale.clone(), sender);
                let result = race::watched(client.incoming, client.deadline, receiver).await?;
                let result = result.unwrap_or(FillResult::Failed(Kind::Internal.into()));
                return answer_leader(exchange, client, course, result, stale).await;
            }
            Joined::Follower(_) if !waits => {
                exchange.report.detail(Detail::Uncacheable);
                return forwarded(exchange, client, course).await;
            }
            Joined::Follower(follow) => {
                let waiting = wait_for_leader(exchange, follow);
                match race::watched(client.incoming, client.deadline, waiting).await? {
                    Landing::Retry => {}
                    // The response is for the leader's credentials alone. The next
                    // request without credentials leads for the others without.
                    Landing::LeaderOnly if !exchange.caching.request.is_authorized => {}
                    Landing::Pass | Landing::LeaderOnly => {
                        exchange.report.detail(Detail::Uncacheable);
                        return forwarded(exchange, client, course).await;
                    }
                    Landing::Failed(failure) => {
                        return stale_if_error(exchange, client, course, failure, stale).await;
                    }
                    Landing::Entry(entry) => {
                        exchange.report.collapse();
                        if !may_share(exchange, &entry) {
                            exchange.report.detail(Detail::Uncacheable);
                            return forwarded(exchange, client, course).await;
                        }
                        let Some(held) = Held::of(entry) else {
                            exchange.report.detail(Detail::TooLarge);
                            return forwarded(exchange, client, course).await;
                        };
                        exchange.report.stored(&held.entry, exchange.now.unix_ms);
                        return Ok(deliver(exchange, held));
                    }
                }
            }
        }
    }
    forwarded(exchange, client, course).await
}

/// The result of a look-up.
enum LookUp {
    Fresh(Held),
    /// Stale, but the request accepts stale responses (`max-stale`).
    StaleAccepted(Held),
    /// Stale, and served while it is being validated.
    Updating(Held),
    /// Stale: it has to be validated first.
    Stale(Arc<Entry>, Detail),
    Nothing {
        vary: bool,
    },
    /// Known to be uncacheable: requests are not collapsed.
    Pass,
    /// The stored response may not be used for this request.
    Unusable(Detail),
    /// The request would have to be forwarded, but it is `only-if-cached`.
    Unsatisfiable,
}

async fn look_up(exchange: &mut Exchange) -> LookUp {
    let mut vary = false;
    for _ in 0..2 {
        match key::find(exchange) {
            Found::Entry(entry) => return judge(exchange, entry),
            Found::Pass => return LookUp::Pass,
            Found::Miss { vary } => return LookUp::Nothing { vary },
            Found::OnDisk(on_disk) => {
                let pool = exchange.worker.estate.files.pool();
                match pool.run(move || on_disk.load()).await {
                    Ok(Loaded::Entry(entry)) => return judge(exchange, entry),
                    Ok(Loaded::Again) => vary = true,
                    Ok(Loaded::Miss) | Err(_) => break,
                }
            }
        }
    }
    LookUp::Nothing { vary }
}

fn judge(exchange: &Exchange, entry: Arc<Entry>) -> LookUp {
    let purged = entry.is_purged_softly();
    let request = &exchange.caching.request;
    // An entry whose body proves too large while it arrives counts as a miss.
    let or_nothing = |look: fn(Held) -> LookUp, entry| match Held::of(entry) {
        Some(held) => look(held),
        None => LookUp::Nothing { vary: false },
    };
    match rules::judge(&entry.terms(), request, exchange.now.unix_ms) {
        Judgement::Fresh => or_nothing(LookUp::Fresh, entry),
        Judgement::StaleAccepted => or_nothing(LookUp::StaleAccepted, entry),
        Judgement::Pass(why) => LookUp::Unusable(why),
        Judgement::Unsatisfiable => LookUp::Unsatisfiable,
        Judgement::StaleWhileRevalidate => or_nothing(LookUp::Updating, entry),
        Judgement::Validate(_) if purged => LookUp::Stale(entry, Detail::Purged),
        Judgement::Validate(why) => LookUp::Stale(entry, why),
    }
}

/// Starts the validation of a stale response that is served meanwhile.
fn refresh(exchange: &Exchange, course: &Course, entry: &Arc<Entry>) {
    if let Joined::Leader(lead) = exchange.worker.estate.cache.join(&exchange.heads.key) {
        let (sender, _) = oneshot::channel();
        fill::start(exchange, course, lead, Some(Arc::clone(entry)), sender);
    }
}

async fn wait_for_leader(exchange: &mut Exchange, follow: Follow<Failure>) -> Landing<Failure> {
    let Heads { request, key, .. } = &mut *exchange.heads;
    let personal = Personal::of(&exchange.caching);
    follow.landing(key, &mut personal.variant(request)).await
}

/// Whether the response to a collapsed request may be used for this one: only if it
/// could be served without validation (RFC 9111 §4).
fn may_share(exchange: &Exchange, entry: &Arc<Entry>) -> bool {
    let now = exchange.worker.clock.now();
    matches!(
        rules::judge(&entry.terms(), &exchange.caching.request, now.unix_ms),
        Judgement::Fresh | Judgement::StaleAccepted | Judgement::StaleWhileRevalidate
    )
}

/// Answers the request that started a fetch with the result of that fetch.
async fn answer_leader(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
    result: FillResult,
    stale: Option<Arc<Entry>>,
) -> Result<Answer, Failure> {
    match result {
        FillResult::Entry(held, fetched) => {
            exchange.adopt_record(fetched);
            Ok(deliver(exchange, held))
        }
        FillResult::Made(made, fetched) => {
            exchange.adopt_record(fetched);
            Ok(Answer::made(exchange, made, AnsweredBy::Policy))
        }
        FillResult::Failed(failure) => {
            stale_if_error(exchange, client, course, failure, stale).await
        }
        FillResult::NotStored(unstored) => {
            let UnstoredResponse {
                response,
                called,
                fetched,
            } = *unstored;
            exchange.adopt_record(fetched);
            if exchange.heads.request.fields.get(b"range").is_some() && response.status == 200 {
                // The fetch asked for the whole representation in order to store it,
                // but this client wants a range.
                drop(called);
                return forwarded(exchange, client, course).await;
            }
            exchange.heads.response = response;
            let passing = Body::Passing(called);
            Ok(Answer::settled(AnsweredBy::Upstream, passing))
        }
    }
}

/// Serves a stale response if the upstream failed and that is allowed (RFC 5861 §4).
async fn stale_if_error(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
    failure: Failure,
    stale: Option<Arc<Entry>>,
) -> Result<Answer, Failure> {
    let now_ms = exchange.worker.clock.now().unix_ms;
    let request = &exchange.caching.request;
    let may_serve = |entry: &Arc<Entry>| rules::may_serve_on_error(&entry.terms(), request, now_ms);
    match stale.filter(may_serve).and_then(Held::of) {
        Some(held) => {
            exchange.record.fail(&failure);
            exchange.report = Report::on_error(&held.entry, now_ms);
            Ok(deliver(exchange, held))
        }
        // The upstream responded with an error status. A client that must not get the
        // stale response gets such a response, by a request of its own.
        None if failure.kind == Kind::ResponseStatus => {
            exchange.report.detail(Detail::Uncacheable);
            forwarded(exchange, client, course).await
        }
        None => Err(failure),
    }
}

/// Forwards a request that the cache does not answer. Boxed, so that hits do not carry the room
/// that it takes.
fn forwarded<'a>(
    exchange: &'a mut Exchange,
    client: &'a mut Downstream<'_>,
    course: &'a Course,
) -> Pin<Box<impl Future<Output = Result<Answer, Failure>>>> {
    Box::pin(forward::forward(exchange, client, course))
}

/// Answers with a stored response, whose body may still be arriving.
fn deliver(exchange: &mut Exchange, held: Held) -> Answer {
    let entry = Arc::clone(&held.entry);
    let response = &mut exchange.heads.response;
    response.clear();
    response.status = entry.status();
    entry.write_into(&mut response.fields);
    let now_ms = exchange.worker.clock.now().unix_ms;
    let age = entry.terms().age(now_ms);
    if age > 0 || exchange.report.is_hit() {
        let age = itoa::Buffer::new().format(age).to_owned();
        response.fields.set(b"Age", age.as_bytes());
    }
    let by = if exchange.report.is_hit() {
        AnsweredBy::Cache
    } else {
        AnsweredBy::Upstream
    };
    Answer::settled(by, Body::Stored(held))
}
