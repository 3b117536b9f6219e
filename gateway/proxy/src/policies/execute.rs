//! Carries out a verdict: its values are worked out first, then come its edits,
//! its effects, and its outcome. The same for all phases; which edits, effects and
//! outcomes a phase may have was checked when the verdict was compiled.

use std::rc::Rc;

use janua_http::failure::Kind;
use janua_http::{Failure, path};
use janua_wasm::{Effect, Outcome, Phase, Plan, Verdict};

use super::effects::{self, Rendering};
use super::{Carry, Instead, Question};
use crate::exchange::Exchange;
use crate::render::Rendered;
use crate::verdict::{self, Made, Taking};

/// Carries out a verdict of the policy with this name and plan.
///
/// # Errors
/// A value of the request that cannot stand where the verdict puts it.
pub(super) fn carry_out(
    exchange: &mut Exchange,
    question: Question<'_>,
    policy: (&str, &Plan),
    verdict: &Rc<Verdict>,
) -> Result<Option<Instead>, Failure> {
    let worker = Rc::clone(&exchange.worker);
    let rendered = &mut *worker.rendered.borrow_mut();
    let view = exchange.view(question.matched, question.by);
    verdict::render(verdict, policy.1, &view, rendered);
    if !verdict.edits.is_empty() {
        edit(exchange, question, policy.1, verdict, rendered)?;
    }
    if !verdict.effects.is_empty()
        && let Some(refusal) = affect(exchange, question, policy, verdict, rendered)?
    {
        return Ok(Some(Instead::Made(refusal)));
    }
    let place = || verdict.outcome_place();
    match &verdict.outcome {
        Outcome::Proceed => Ok(None),
        Outcome::Respond(reply) => {
            let made = verdict::reply(reply, place(), rendered)?;
            Ok(Some(Instead::Made(made)))
        }
        Outcome::Serve(value) => {
            let Some(target) = rendered.get(place(), value) else {
                return Ok(None);
            };
            let mut normalised = Vec::new();
            path::normalise(target, &mut normalised)
                .map_err(|error| Failure::with(Kind::PolicyInput, error.words()))?;
            Ok(Some(Instead::Path(normalised)))
        }
    }
}

fn edit(
    exchange: &mut Exchange,
    question: Question<'_>,
    plan: &Plan,
    verdict: &Verdict,
    rendered: &Rendered,
) -> Result<(), Failure> {
    match question.phase {
        Phase::Request => {
            let request = &mut exchange.heads.request;
            verdict::edit_request(verdict, rendered, request, &mut exchange.original)?;
            if question.matched.route().caches {
                effects::keep_edits(verdict, plan, rendered, &mut exchange.caching);
            }
        }
        Phase::Fetched => {
            let response = &mut exchange.heads.response;
            verdict::edit_response(&verdict.edits, rendered, response)?;
            exchange.caching.edited_for_one |= effects::depends_on_requester(verdict, plan);
        }
        Phase::Response => {
            let response = &mut exchange.heads.response;
            verdict::edit_response(&verdict.edits, rendered, response)?;
        }
        // A reply is sent with the fields that it brings itself.
        Phase::Missing => {
            if !matches!(verdict.outcome, Outcome::Respond(_)) {
                verdict::resolve(verdict, rendered, &mut exchange.deferred_edits);
            }
        }
    }
    Ok(())
}

/// Carries out the effects, in their order. `Some` is the refusal of a bucket that
/// is empty; what comes after it is not carried out.
fn affect(
    exchange: &mut Exchange,
    question: Question<'_>,
    (name, plan): (&str, &Plan),
    verdict: &Rc<Verdict>,
    rendered: &Rendered,
) -> Result<Option<Made>, Failure> {
    let is_carried_out = question.carry == Carry::Out;
    let mut quotas = std::mem::take(&mut exchange.heads.quotas);
    let mut caching = std::mem::take(&mut exchange.caching);
    let worker = &exchange.worker;
    let rendering = Rendering {
        plan,
        view: exchange.view(question.matched, question.by),
        rendered,
    };
    let mut taking = Taking {
        policy: name,
        buckets: &worker.estate.buckets,
        now_ms: exchange.now.monotonic_ms,
        quotas: &mut quotas,
    };
    let mut refusal = Ok(None);
    for (place, effect) in verdict.placed_effects() {
        match effect {
            Effect::Take(take) if is_carried_out => {
                refusal = taking.take(take, place, rendered);
                if !matches!(refusal, Ok(None)) {
                    break;
                }
            }
            Effect::Purge(purge) if is_carried_out => {
                rendering.purge(purge, place, &worker.estate.cache);
            }
            Effect::Take(_) | Effect::Purge(_) => {}
            Effect::CacheLookup(lookup) => rendering.lookup(lookup, place, verdict, &mut caching),
            Effect::CacheRule(_) if caching.rule.is_none() => {
                caching.rule = Some(Rc::clone(verdict));
            }
            Effect::CacheRule(_) => {}
            Effect::Tag(value) => {
                let tags = effects::tags(rendered.get(place, value).unwrap_or_default());
                caching.tags.extend(tags);
            }
        }
    }
    exchange.heads.quotas = quotas;
    exchange.caching = caching;
    refusal
}
