//! The target `upstream` with the shared cache before it (RFC 9111).
//!
//! What is stored and fresh is delivered. Else the first who misses leads: what
//! it asks of the upstream is asked in a task of its own ([`crate::fill`]), so
//! that no client can end it, and all who miss the same meanwhile wait for what
//! comes of it, on any worker.

pub(crate) mod key;

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
use crate::fill::{self, Handed, Passed};
use crate::forward;
use crate::heads::Heads;
use crate::race;
use crate::representation::Held;

/// How often a request looks again, because a flight landed just before it
/// joined or its leader went away, until it goes to the upstream by itself.
const LOOKS: usize = 8;

/// Answers from the cache, or has the upstream asked.
///
/// # Errors
/// The upstream's failure where nothing stored may stand in.
pub(crate) async fn cached(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
) -> Result<Answer, Failure> {
    if let Some(why) = key::bypass(exchange) {
        exchange.report = Report::bypass(why);
        return forward::forward(exchange, client, course).await;
    }
    key::write(exchange, course);
    for _ in 0..LOOKS {
        let (stale, waits) = match look(exchange).await {
            Look::Fresh(held) => {
                exchange.report = Report::hit(&held.entry, exchange.now.unix_ms);
                return Ok(deliver(exchange, held));
            }
            Look::AsAsked(held) => {
                exchange.report = Report::as_asked(&held.entry, exchange.now.unix_ms);
                return Ok(deliver(exchange, held));
            }
            Look::Updating(held) => {
                refresh(exchange, course, &held.entry);
                exchange.report = Report::updating(&held.entry, exchange.now.unix_ms);
                return Ok(deliver(exchange, held));
            }
            Look::Unfit(why) => {
                exchange.report = Report::stale(why);
                return forward::forward(exchange, client, course).await;
            }
            Look::Unsatisfiable => {
                exchange.report = Report::stale(Detail::OnlyIfCached);
                return Err(Kind::NotStored.into());
            }
            Look::Stale(entry, why) => {
                exchange.report = Report::stale(why);
                (Some(entry), true)
            }
            Look::Nothing { vary } => {
                exchange.report = Report::miss(vary);
                (None, true)
            }
            Look::Pass => {
                exchange.report = Report::miss(false);
                if exchange.heads.request.fields.get(b"range").is_some() {
                    // Nothing is likely to be stored: the part alone will do.
                    return forward::forward(exchange, client, course).await;
                }
                (None, false)
            }
        };
        if exchange.caching.asked.only_if_cached {
            exchange.report.detail(Detail::OnlyIfCached);
            return Err(Kind::NotStored.into());
        }
        if exchange.caching.asked.is_head {
            exchange.report.detail(Detail::Method);
            return forward::forward(exchange, client, course).await;
        }
        match exchange.worker.estate.cache.join(&exchange.heads.key) {
            Joined::Again => {}
            Joined::Leader(lead) => {
                let (hand, handed) = oneshot::channel();
                fill::start(exchange, course, lead, stale.clone(), hand);
                let handed = race::watched(client.incoming, client.deadline, handed).await?;
                let handed = handed.unwrap_or(Handed::Failed(Kind::Internal.into()));
                return lead_on(exchange, client, course, handed, stale).await;
            }
            Joined::Follower(_) if !waits => {
                exchange.report.detail(Detail::Uncacheable);
                return forward::forward(exchange, client, course).await;
            }
            Joined::Follower(follow) => {
                let waiting = wait(exchange, follow);
                match race::watched(client.incoming, client.deadline, waiting).await? {
                    Landing::Retry => {}
                    // The leader's credentials are its own; the next who has
                    // none leads for all of those.
                    Landing::Own if !exchange.caching.asked.is_authorized => {}
                    Landing::Pass | Landing::Own => {
                        exchange.report.detail(Detail::Uncacheable);
                        return forward::forward(exchange, client, course).await;
                    }
                    Landing::Failed(failure) => {
                        return instead_of(exchange, client, course, failure, stale).await;
                    }
                    Landing::Entry(entry) => {
                        exchange.report.collapse();
                        if !may_share(exchange, &entry) {
                            exchange.report.detail(Detail::Uncacheable);
                            return forward::forward(exchange, client, course).await;
                        }
                        let Some(held) = Held::of(entry) else {
                            exchange.report.detail(Detail::TooLarge);
                            return forward::forward(exchange, client, course).await;
                        };
                        exchange.report.stored(&held.entry, exchange.now.unix_ms);
                        return Ok(deliver(exchange, held));
                    }
                }
            }
        }
    }
    forward::forward(exchange, client, course).await
}

/// What a look-up came to.
enum Look {
    Fresh(Held),
    /// Stale, and the request allows that.
    AsAsked(Held),
    /// Stale, and served while it is validated.
    Updating(Held),
    Stale(Arc<Entry>, Detail),
    Nothing {
        vary: bool,
    },
    /// Known not to be storable: nobody waits for anybody.
    Pass,
    /// What is stored is not for this request.
    Unfit(Detail),
    /// The upstream would have to be asked, and the request forbids it.
    Unsatisfiable,
}

async fn look(exchange: &mut Exchange) -> Look {
    let mut vary = false;
    for _ in 0..2 {
        match key::find(exchange) {
            Found::Entry(entry) => return judge(exchange, entry),
            Found::Pass => return Look::Pass,
            Found::Miss { vary } => return Look::Nothing { vary },
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
    Look::Nothing { vary }
}

fn judge(exchange: &Exchange, entry: Arc<Entry>) -> Look {
    let purged = entry.is_purged_softly();
    let asked = &exchange.caching.asked;
    // What proves too large on its way is as good as not there.
    let or_nothing = |look: fn(Held) -> Look, entry| match Held::of(entry) {
        Some(held) => look(held),
        None => Look::Nothing { vary: false },
    };
    match rules::judge(&entry.terms(), asked, exchange.now.unix_ms) {
        Judgement::Fresh => or_nothing(Look::Fresh, entry),
        Judgement::StaleAsAsked => or_nothing(Look::AsAsked, entry),
        Judgement::Pass(why) => Look::Unfit(why),
        Judgement::Unsatisfiable => Look::Unsatisfiable,
        Judgement::StaleWhileRevalidate => or_nothing(Look::Updating, entry),
        Judgement::Validate(_) if purged => Look::Stale(entry, Detail::Purged),
        Judgement::Validate(why) => Look::Stale(entry, why),
    }
}

/// Has a stale response validated while it is served.
fn refresh(exchange: &Exchange, course: &Course, entry: &Arc<Entry>) {
    if let Joined::Leader(lead) = exchange.worker.estate.cache.join(&exchange.heads.key) {
        let (hand, _) = oneshot::channel();
        fill::start(exchange, course, lead, Some(Arc::clone(entry)), hand);
    }
}

async fn wait(exchange: &mut Exchange, follow: Follow<Failure>) -> Landing<Failure> {
    let Heads { request, key, .. } = &mut *exchange.heads;
    let personal = Personal::of(&exchange.caching);
    follow.landing(key, &mut personal.variant(request)).await
}

/// Whether what another request fetched may answer this one too: only what
/// could be served without asking (RFC 9111 §4).
fn may_share(exchange: &Exchange, entry: &Arc<Entry>) -> bool {
    let now = exchange.worker.clock.now();
    matches!(
        rules::judge(&entry.terms(), &exchange.caching.asked, now.unix_ms),
        Judgement::Fresh | Judgement::StaleAsAsked | Judgement::StaleWhileRevalidate
    )
}

/// What the leader does with what its errand came to.
async fn lead_on(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
    handed: Handed,
    stale: Option<Arc<Entry>>,
) -> Result<Answer, Failure> {
    match handed {
        Handed::Entry(held, fetched) => {
            exchange.take_fetched(fetched);
            Ok(deliver(exchange, held))
        }
        Handed::Made(made, fetched) => {
            exchange.take_fetched(fetched);
            exchange.take_made(&made);
            let content = Body::Content(made.body.into());
            Ok(Answer::settled(AnsweredBy::Policy, content))
        }
        Handed::Failed(failure) => instead_of(exchange, client, course, failure, stale).await,
        Handed::Response(passed) => {
            let Passed {
                response,
                called,
                fetched,
            } = *passed;
            exchange.take_fetched(fetched);
            if exchange.heads.request.fields.get(b"range").is_some() && response.status == 200 {
                // All of it was asked for, to be stored; this client wants a part.
                drop(called);
                return forward::forward(exchange, client, course).await;
            }
            exchange.heads.response = response;
            let passing = Body::Passing(called);
            Ok(Answer::settled(AnsweredBy::Upstream, passing))
        }
    }
}

/// Where the upstream failed, what is stored may stand in (RFC 5861 §4).
async fn instead_of(
    exchange: &mut Exchange,
    client: &mut Downstream<'_>,
    course: &Course,
    failure: Failure,
    stale: Option<Arc<Entry>>,
) -> Result<Answer, Failure> {
    let now_ms = exchange.worker.clock.now().unix_ms;
    let asked = &exchange.caching.asked;
    let may_serve = |entry: &Arc<Entry>| rules::may_serve_on_error(&entry.terms(), asked, now_ms);
    match stale.filter(may_serve).and_then(Held::of) {
        Some(held) => {
            exchange.record.fail(&failure);
            exchange.report = Report::on_error(&held.entry, now_ms);
            Ok(deliver(exchange, held))
        }
        // An answer of the upstream's own: who may not have what is stored gets
        // one too.
        None if failure.kind == Kind::ResponseStatus => {
            exchange.report.detail(Detail::Uncacheable);
            forward::forward(exchange, client, course).await
        }
        None => Err(failure),
    }
}

/// Answers with a stored response, whole or still on its way.
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
