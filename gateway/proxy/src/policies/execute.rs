//! Carries out a verdict: its values are worked out first, then come its edits,
//! its effects, and its outcome. The same for all phases; which edits, effects and
//! outcomes a phase may have was checked when the verdict was compiled.

use std::rc::Rc;

use janua_http::failure::Kind;
use janua_http::fields::ConstantLines;
use janua_http::{Failure, path};
use janua_wasm::{Effect, Outcome, Phase, Verdict};

use super::effects::{self, Rendering};
use super::{Carry, Decided, Instead, Question};
use crate::exchange::Exchange;
use crate::render::Rendered;
use crate::verdict::{self, Made, Taking};

/// Carries out what a policy decided.
///
/// # Errors
/// A value of the request that cannot stand where the verdict puts it.
pub(super) fn carry_out(
    exchange: &mut Exchange,
    question: Question<'_>,
    decided: Decided<'_>,
) -> Result<Option<Instead>, Failure> {
    let Decided { verdict, .. } = decided;
    let worker = Rc::clone(&exchange.worker);
    let rendered = &mut *worker.rendered.borrow_mut();
    // Literals stand in the verdict itself.
    if decided
        .prepared
        .is_none_or(|prepared| prepared.has_variables)
    {
        let view = exchange.view(question.matched, question.by);
        verdict::render(verdict, decided.plan, &view, rendered);
    }
    if !verdict.edits.is_empty() {
        edit(exchange, question, decided, rendered)?;
    }
    if !verdict.effects.is_empty()
        && let Some(refusal) = affect(exchange, question, decided, rendered)?
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
    decided: Decided<'_>,
    rendered: &Rendered,
) -> Result<(), Failure> {
    let Decided { plan, verdict, .. } = decided;
    let lines = decided
        .prepared
        .and_then(|prepared| prepared.lines.as_ref());
    match question.phase {
        Phase::Request => {
            let request = &mut exchange.heads.request;
            match lines {
                Some(lines) => request.fields.set_all(lines),
                None => {
                    let original = &mut exchange.original;
                    verdict::edit_request(verdict, rendered, request, original)?;
                }
            }
            if question.matched.route().caches {
                effects::keep_edits(verdict, plan, rendered, &mut exchange.caching);
            }
        }
        Phase::Fetched => {
            edit_response(exchange, verdict, lines, rendered)?;
            exchange.caching.edited_for_one |= effects::depends_on_requester(verdict, plan);
        }
        Phase::Response => {
            edit_response(exchange, verdict, lines, rendered)?;
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

fn edit_response(
    exchange: &mut Exchange,
    verdict: &Verdict,
    lines: Option<&ConstantLines>,
    rendered: &Rendered,
) -> Result<(), Failure> {
    let response = &mut exchange.heads.response;
    match lines {
        Some(lines) => response.fields.set_all(lines),
        None => verdict::edit_response(&verdict.edits, rendered, response)?,
    }
    Ok(())
}

/// Carries out the effects, in their order. `Some` is the refusal of a bucket that
/// is empty; what comes after it is not carried out.
fn affect(
    exchange: &mut Exchange,
    question: Question<'_>,
    decided: Decided<'_>,
    rendered: &Rendered,
) -> Result<Option<Made>, Failure> {
    let Decided { plan, verdict, .. } = decided;
    let is_carried_out = question.carry == Carry::Out;
    let worker = Rc::clone(&exchange.worker);
    let estate = &worker.estate;
    for (place, effect) in verdict.placed_effects() {
        match effect {
            Effect::Take(take) if is_carried_out => {
                let mut taking = Taking {
                    policy: decided.policy,
                    buckets: &estate.buckets,
                    now_ms: exchange.now.monotonic_ms,
                    quotas: &mut exchange.heads.quotas,
                };
                if let Some(refusal) = taking.take(take, place, rendered)? {
                    return Ok(Some(refusal));
                }
            }
            Effect::Purge(purge) if is_carried_out => {
                let view = exchange.view(question.matched, question.by);
                let rendering = Rendering {
                    plan,
                    view,
                    rendered,
                };
                rendering.purge(purge, place, &estate.cache);
            }
            Effect::Take(_) | Effect::Purge(_) => {}
            Effect::CacheLookup(lookup) => {
                let mut caching = std::mem::take(&mut exchange.caching);
                let view = exchange.view(question.matched, question.by);
                let rendering = Rendering {
                    plan,
                    view,
                    rendered,
                };
                rendering.lookup(lookup, place, verdict, &mut caching);
                exchange.caching = caching;
            }
            Effect::CacheRule(_) => {
                let rule = &mut exchange.caching.rule;
                rule.get_or_insert_with(|| Rc::clone(verdict));
            }
            Effect::Tag(value) => {
                let tags = effects::tags(rendered.get(place, value).unwrap_or_default());
                exchange.caching.tags.extend(tags);
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
