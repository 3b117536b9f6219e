//! The phase `fetched`: once for each answer of the target, before the cache
//! stores it.

use std::cell::RefCell;
use std::rc::Rc;

use janua_http::Failure;
use janua_wasm::{Effect, Outcome, Phase, Verdict, WorkerPolicy};

use super::{ask, count_answer, effects};
use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::verdict::{self, Made};

/// Asks the policies about the response's head, the last of the file first,
/// so that the rule of a route comes before that of its site. `Some` replaces
/// the response. Otherwise the lifetimes that a rule gives stand in the head
/// afterwards.
///
/// # Errors
/// A policy that failed where `on_error` says deny.
pub(crate) fn fetched_phase(
    exchange: &mut Exchange,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    let Some(matched) = exchange.matched.clone() else {
        return Ok(None);
    };
    if matched.route().fetched.is_empty() {
        return Ok(None);
    }
    let made = ask_all(exchange, &matched, by)?;
    if made.is_none() {
        exchange.write_lifetimes();
    }
    Ok(made)
}

fn ask_all(
    exchange: &mut Exchange,
    matched: &Matched,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    for policy_use in &matched.route().fetched {
        let Some((local, verdict)) = ask(exchange, matched, *policy_use, Phase::Fetched, Some(by))?
        else {
            continue;
        };
        if let Some(made) = carry_out(exchange, matched, local, &verdict, by)? {
            count_answer(exchange, matched, *policy_use);
            return Ok(Some(made));
        }
    }
    Ok(None)
}

fn carry_out(
    exchange: &mut Exchange,
    matched: &Matched,
    local: &Rc<RefCell<WorkerPolicy>>,
    verdict: &Rc<Verdict>,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    let worker_policy = local.borrow();
    let Some(plan) = worker_policy.policy().plan(Phase::Fetched) else {
        return Ok(None);
    };
    let worker = Rc::clone(&exchange.worker);
    let rendered = &mut *worker.rendered.borrow_mut();
    verdict::render(verdict, plan, &exchange.view(matched, Some(by)), rendered);
    if !verdict.edits.is_empty() {
        verdict::edit_response(&verdict.edits, rendered, &mut exchange.heads.response)?;
        exchange.caching.edited_for_one |= effects::is_for_one(verdict, plan);
    }
    for (place, effect) in verdict.placed_effects() {
        if let Effect::Tag(value) = effect {
            let tags = split(rendered.get(place, value).unwrap_or_default());
            exchange.caching.tags.extend(tags);
        }
    }
    let outcome = match &verdict.outcome {
        Outcome::Proceed | Outcome::Serve(_) => Ok(None),
        Outcome::Respond(reply) => {
            verdict::reply(reply, verdict.outcome_place(), rendered).map(Some)
        }
    };
    if exchange.caching.rule.is_none() && effects::has_rule(verdict) {
        exchange.caching.rule = Some(Rc::clone(verdict));
    }
    outcome
}

/// Tags are separated by commas or spaces, as CDNs write them.
fn split(value: &[u8]) -> impl Iterator<Item = Box<str>> {
    value
        .split(|byte| matches!(byte, b',' | b' ' | b'\t'))
        .filter(|tag| !tag.is_empty())
        .map(|tag| String::from_utf8_lossy(tag).into())
}
