//! Asks the policies of a route: forward for the request, backward for
//! everything about the response.

mod effects;
mod failures;
mod fetched;
mod missing;

pub(crate) use fetched::fetched_phase;
pub(crate) use missing::{Instead, instead};

use std::cell::RefCell;
use std::rc::Rc;

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_wasm::{Decision, Effect, OnError, Outcome, Phase, Verdict, WorkerPolicy};

use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::snapshot::Use;
use crate::verdict::{self, Made, Taking};
use effects::Rendering;

/// Asks the policies of the request phase in order, each seeing the head as
/// edited so far. `Some` is a policy's own response.
///
/// # Errors
/// A policy that failed where `on_error` says deny, or a value that a policy
/// cannot take.
pub(crate) fn request_phase(
    exchange: &mut Exchange,
    matched: &Matched,
) -> Result<Option<Made>, Failure> {
    for policy_use in &matched.route().request {
        let Some((local, verdict)) = ask(exchange, matched, *policy_use, Phase::Request, None)?
        else {
            continue;
        };
        if let Some(made) = carry_out_request(exchange, matched, local, &verdict)? {
            count_answer(exchange, matched, *policy_use);
            return Ok(Some(made));
        }
    }
    Ok(None)
}

/// Asks the policies of the response phase, the last of the file first. `Some`
/// replaces the response; the policies that are left see the replacement.
///
/// # Errors
/// The first policy that fails where `on_error` says deny. The failure is then
/// answered, through this phase again but without that policy, and nothing
/// that fails on the way is an error any more: the other policies' fields
/// still stand on the answer.
pub(crate) fn response_phase(
    exchange: &mut Exchange,
    matched: &Matched,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    let mut replacement = None;
    let mut by = by;
    missing::edit(exchange)?;
    for policy_use in &matched.route().response {
        if exchange.failed_policy == Some(policy_use.policy) {
            continue;
        }
        match ask_response(exchange, matched, *policy_use, by) {
            Ok(None) => {}
            Ok(Some(made)) => {
                count_answer(exchange, matched, *policy_use);
                exchange.take_made(&made);
                exchange.write_additions();
                by = AnsweredBy::Policy;
                replacement = Some(made);
            }
            Err(_) if exchange.failed_policy.is_some() => {}
            Err(failure) => {
                exchange.failed_policy = Some(policy_use.policy);
                return Err(failure);
            }
        }
    }
    Ok(replacement)
}

fn ask_response(
    exchange: &mut Exchange,
    matched: &Matched,
    policy_use: Use,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    match ask(exchange, matched, policy_use, Phase::Response, Some(by))? {
        Some((local, verdict)) => carry_out_response(exchange, matched, local, &verdict, by),
        None => Ok(None),
    }
}

fn count_answer(exchange: &Exchange, matched: &Matched, policy_use: Use) {
    if let Some(answers) = matched.local.snapshot.answers.get(policy_use.policy) {
        answers.increment(exchange.worker.index);
    }
}

/// A policy and what it decided.
type Decided<'a> = (&'a Rc<RefCell<WorkerPolicy>>, Rc<Verdict>);

/// Asks one policy. None if it failed where `on_error` says skip.
fn ask<'a>(
    exchange: &mut Exchange,
    matched: &'a Matched,
    policy_use: Use,
    phase: Phase,
    by: Option<AnsweredBy>,
) -> Result<Option<Decided<'a>>, Failure> {
    let Some(local) = matched.local.policies.get(policy_use.policy) else {
        return Ok(None);
    };
    let decision = {
        let view = exchange.view(matched, by);
        local
            .borrow_mut()
            .decide(phase, &view, exchange.now.for_policies())
    };
    match decision {
        Decision::Verdict { verdict, .. } => {
            if let Some(note) = &verdict.note {
                exchange.note(local.borrow().policy().name(), note);
            }
            Ok(Some((local, verdict)))
        }
        Decision::NotUtf8(input) => Err(Failure::with(
            Kind::PolicyInput,
            format!("{input} is not UTF-8"),
        )),
        Decision::Failed(failure) => {
            let worker_policy = local.borrow();
            let policy = worker_policy.policy();
            let name = policy.name();
            exchange.note(name, failure.kind.word());
            let is_denied = policy_use.on_error == OnError::Deny || failure.kind.always_denies();
            failures::log(
                policy,
                &failure,
                phase,
                matched,
                is_denied,
                &exchange.worker,
            );
            if !is_denied {
                return Ok(None);
            }
            Err(Failure::with(
                Kind::PolicyFailed,
                format!("{name}: {}", failure.kind.word()),
            ))
        }
    }
}

fn carry_out_request(
    exchange: &mut Exchange,
    matched: &Matched,
    local: &Rc<RefCell<WorkerPolicy>>,
    verdict: &Rc<Verdict>,
) -> Result<Option<Made>, Failure> {
    let worker_policy = local.borrow();
    let policy = worker_policy.policy();
    let Some(plan) = policy.plan(Phase::Request) else {
        return Ok(None);
    };
    let worker = Rc::clone(&exchange.worker);
    let rendered = &mut *worker.rendered.borrow_mut();
    verdict::render(verdict, plan, &exchange.view(matched, None), rendered);
    if !verdict.edits.is_empty() {
        verdict::edit_request(
            verdict,
            rendered,
            &mut exchange.heads.request,
            &mut exchange.original,
        )?;
        if matched.route().caches {
            effects::keep_edits(verdict, plan, rendered, &mut exchange.caching);
        }
    }
    let mut quotas = std::mem::take(&mut exchange.heads.quotas);
    let mut caching = std::mem::take(&mut exchange.caching);
    let rendering = Rendering {
        plan,
        view: exchange.view(matched, None),
        rendered,
    };
    let mut taking = Taking {
        policy: policy.name(),
        buckets: &worker.estate.buckets,
        now_ms: exchange.now.monotonic_ms,
        quotas: &mut quotas,
    };
    let mut refusal = Ok(None);
    for (place, effect) in verdict.placed_effects() {
        match effect {
            Effect::Take(take) => refusal = taking.take(take, place, rendering.rendered),
            Effect::CacheLookup(lookup) => {
                rendering.lookup(lookup, place, verdict, &mut caching);
            }
            Effect::Purge(purge) => rendering.purge(purge, place, &worker.estate.cache),
            Effect::CacheRule(_) | Effect::Tag(_) => {}
        }
        if !matches!(refusal, Ok(None)) {
            break;
        }
    }
    let made = match (refusal, &verdict.outcome) {
        (Ok(None), Outcome::Respond(reply)) => {
            verdict::reply(reply, verdict.outcome_place(), rendering.rendered).map(Some)
        }
        (refusal, _) => refusal,
    };
    exchange.heads.quotas = quotas;
    exchange.caching = caching;
    made
}

fn carry_out_response(
    exchange: &mut Exchange,
    matched: &Matched,
    local: &Rc<RefCell<WorkerPolicy>>,
    verdict: &Verdict,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    let worker_policy = local.borrow();
    let Some(plan) = worker_policy.policy().plan(Phase::Response) else {
        return Ok(None);
    };
    let worker = Rc::clone(&exchange.worker);
    let rendered = &mut *worker.rendered.borrow_mut();
    verdict::render(verdict, plan, &exchange.view(matched, Some(by)), rendered);
    verdict::edit_response(&verdict.edits, rendered, &mut exchange.heads.response)?;
    let rendering = Rendering {
        plan,
        view: exchange.view(matched, Some(by)),
        rendered,
    };
    for (place, effect) in verdict.placed_effects() {
        if let Effect::Purge(purge) = effect {
            rendering.purge(purge, place, &worker.estate.cache);
        }
    }
    match &verdict.outcome {
        Outcome::Proceed | Outcome::Serve(_) => Ok(None),
        Outcome::Respond(reply) => {
            verdict::reply(reply, verdict.outcome_place(), rendering.rendered).map(Some)
        }
    }
}
