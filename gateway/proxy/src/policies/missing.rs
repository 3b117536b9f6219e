//! The phase `missing`: the target has no such thing, and a policy may know
//! what to serve instead.

use std::cell::RefCell;
use std::rc::Rc;

use janua_http::failure::Kind;
use janua_http::{Failure, path};
use janua_wasm::{Outcome, Phase, Verdict, WorkerPolicy};

use super::{ask, count_answer};
use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::verdict::{self, Made};

/// What is served where there is nothing.
pub(crate) enum Instead {
    /// A policy's own response.
    Made(Made),
    /// This path of the same target, normalised.
    Path(Vec<u8>),
}

/// Asks them about a 404 in the exchange's response, once for a request.
///
/// # Errors
/// A policy that failed where `on_error` says deny.
pub(crate) fn instead(exchange: &mut Exchange, by: AnsweredBy) -> Result<Option<Instead>, Failure> {
    if exchange.heads.response.status != 404 || exchange.was_missing {
        return Ok(None);
    }
    let Some(matched) = exchange.matched.clone() else {
        return Ok(None);
    };
    if by != AnsweredBy::Files && !matched.route().asks_missing {
        return Ok(None);
    }
    exchange.was_missing = true;
    missing_phase(exchange, &matched, by)
}

/// Asks the policies what to serve instead, the last of the file first. The
/// edits of a verdict are carried out on the response that is delivered in the
/// end, whatever that is.
///
/// # Errors
/// A policy that failed where `on_error` says deny.
fn missing_phase(
    exchange: &mut Exchange,
    matched: &Matched,
    by: AnsweredBy,
) -> Result<Option<Instead>, Failure> {
    for policy_use in &matched.route().missing {
        let Some((local, verdict)) = ask(exchange, matched, *policy_use, Phase::Missing, Some(by))?
        else {
            continue;
        };
        if let Some(instead) = carry_out(exchange, matched, local, &verdict, by)? {
            if matches!(instead, Instead::Made(_)) {
                count_answer(exchange, matched, *policy_use);
            }
            return Ok(Some(instead));
        }
    }
    Ok(None)
}

fn carry_out(
    exchange: &mut Exchange,
    matched: &Matched,
    local: &Rc<RefCell<WorkerPolicy>>,
    verdict: &Verdict,
    by: AnsweredBy,
) -> Result<Option<Instead>, Failure> {
    let worker_policy = local.borrow();
    let Some(plan) = worker_policy.policy().plan(Phase::Missing) else {
        return Ok(None);
    };
    let worker = Rc::clone(&exchange.worker);
    let rendered = &mut *worker.rendered.borrow_mut();
    // A reply is sent with the fields that it brings itself.
    let is_reply = matches!(verdict.outcome, Outcome::Respond(_));
    verdict::render(verdict, plan, &exchange.view(matched, Some(by)), rendered);
    if !is_reply {
        verdict::settle(verdict, rendered, &mut exchange.settled);
    }
    let place = verdict.outcome_place();
    match &verdict.outcome {
        Outcome::Proceed => Ok(None),
        Outcome::Respond(reply) => {
            let made = verdict::reply(reply, place, rendered)?;
            Ok(Some(Instead::Made(made)))
        }
        Outcome::Serve(value) => {
            let Some(target) = rendered.get(place, value) else {
                return Ok(None);
            };
            let mut normalised = Vec::new();
            path::normalise(target, &mut normalised)
                .map_err(|error| Failure::with(Kind::PolicyInput, error.words()))?;
            Ok(Some(Instead::Path(normalised)))
        }
    }
}

/// Carries out the edits that the phase left behind.
pub(super) fn edit(exchange: &mut Exchange) -> Result<(), Failure> {
    if exchange.settled.is_empty() {
        return Ok(());
    }
    let settled = std::mem::take(&mut exchange.settled);
    let worker = Rc::clone(&exchange.worker);
    let rendered = &*worker.rendered.borrow();
    verdict::edit_response(&settled, rendered, &mut exchange.heads.response)
}
