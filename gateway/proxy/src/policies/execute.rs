//! Carries out a verdict: first its values are rendered, then its edits are made, its
//! effects carried out, and its outcome returned. This is the same in all phases; which
//! edits, effects and outcomes a phase allows was checked when the verdict was compiled.

use std::rc::Rc;

use janua_http::Failure;
use janua_http::fields::ConstantEdits;
use janua_wasm::{AbsentKey, Effect, Outcome, Phase, Verdict};

use super::effects::{self, Rendering};
use super::{Carry, Decided, Instead, Question};
use crate::exchange::Exchange;
use crate::quotas::Quota;
use crate::render::Rendered;
use crate::verdict::{self, Made, ResponseEdits, Taking};

/// The longest word in the access log, in bytes; what exceeds it is cut
/// (`wit/verdicts.wit`).
const MAX_ANNOTATION: usize = 256;

/// Carries out what a policy decided.
///
/// # Errors
/// A value of the request is not valid where the verdict puts it, such as a line end in a
/// field, or the verdict makes too much of it.
pub(super) fn carry_out(
    exchange: &mut Exchange,
    question: Question<'_>,
    decided: Decided<'_>,
) -> Result<Option<Instead>, Failure> {
    let worker = Rc::clone(&exchange.worker);
    let rendered = &mut *worker.rendered.borrow_mut();
    let instead = carry_out_with(exchange, question, decided, rendered);
    rendered.shrink();
    instead
}

fn carry_out_with(
    exchange: &mut Exchange,
    question: Question<'_>,
    decided: Decided<'_>,
    rendered: &mut Rendered,
) -> Result<Option<Instead>, Failure> {
    let Decided { verdict, .. } = decided;
    if decided
        .prepared
        .is_none_or(|prepared| prepared.needs_rendering)
    {
        let view = exchange.view(question.by);
        verdict::render(verdict, decided.plan, &view, rendered)
            .map_err(|unfit| verdict::unrendered(&unfit, decided.policy))?;
    }
    if decided.decides_for_one {
        match question.phase {
            Phase::Request => effects::keep_decision(decided.policy, &mut exchange.caching),
            _ => exchange.caching.edited_for_one = true,
        }
    }
    if !verdict.edits.is_empty() {
        edit(exchange, question, decided, rendered)?;
    }
    if !verdict.response_edits.is_empty() {
        exchange.response_edits.push(ResponseEdits {
            policy: decided.place,
            edits: verdict::response_edits(verdict, rendered)?,
        });
    }
    annotate(exchange, decided.policy, verdict, rendered);
    if !verdict.effects.is_empty()
        && let Some(refusal) = affect(exchange, question, decided, rendered)?
    {
        return Ok(Some(Instead::Made(refusal)));
    }
    let place = || verdict.outcome_value_index();
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
            let rules = question.matched.site().path_rules;
            let path = verdict::new_path(value, target, rules)?;
            Ok(Some(Instead::Path(path)))
        }
    }
}

fn edit(
    exchange: &mut Exchange,
    question: Question<'_>,
    decided: Decided<'_>,
    rendered: &Rendered,
) -> Result<(), Failure> {
    let Decided { verdict, .. } = decided;
    let constant = decided
        .prepared
        .and_then(|prepared| prepared.edits.as_ref());
    match question.phase {
        Phase::Request => {
            let request = &mut exchange.heads.request;
            match constant {
                Some(constant) => request.fields.edit(constant),
                None => {
                    let original = &mut exchange.original;
                    let rules = question.matched.site().path_rules;
                    verdict::edit_request(verdict, rendered, rules, request, original)?;
                }
            }
            if question.matched.route().caches {
                effects::keep_edits(decided, rendered, &mut exchange.caching);
            }
        }
        Phase::Fetched => {
            edit_response(exchange, verdict, constant, rendered)?;
            exchange.caching.edited_for_one |=
                effects::has_outside(&decided.plan.references, question.matched);
        }
        Phase::Response => {
            edit_response(exchange, verdict, constant, rendered)?;
        }
        // There is no head to edit.
        Phase::Missing | Phase::Finished => {}
    }
    if constant.is_none() {
        let variables = &mut exchange.variables;
        variables.edit(decided.policy, verdict, rendered)?;
    }
    Ok(())
}

/// Records the words of a verdict for the access log.
pub(super) fn annotate(
    exchange: &mut Exchange,
    policy: &str,
    verdict: &Verdict,
    rendered: &Rendered,
) {
    if verdict.annotations.is_empty() || !exchange.is_logged() {
        return;
    }
    for (name, value) in annotations(policy, verdict, rendered) {
        exchange.record.annotate(name.into(), value.into());
    }
}

/// The words of a verdict for the access log, each with its name. One that is made of a variable
/// with a secret is left out, as that variable is.
pub(super) fn annotations<'a>(
    policy: &'a str,
    verdict: &'a Verdict,
    rendered: &'a Rendered,
) -> impl Iterator<Item = (String, &'a [u8])> {
    let first = verdict.annotations_value_index();
    let annotations = (first..).zip(&verdict.annotations);
    let shown = annotations.filter(|(place, _)| !rendered.is_secret(*place));
    shown.filter_map(move |(place, annotation)| {
        let value = rendered.get(place, &annotation.value)?;
        let value = value.get(..MAX_ANNOTATION).unwrap_or(value);
        Some((format!("{policy}.{}", annotation.name), value))
    })
}

fn edit_response(
    exchange: &mut Exchange,
    verdict: &Verdict,
    constant: Option<&ConstantEdits>,
    rendered: &Rendered,
) -> Result<(), Failure> {
    let response = &mut exchange.heads.response;
    match constant {
        Some(constant) => response.fields.edit(constant),
        None => verdict::edit_response(&verdict.edits, rendered, response)?,
    }
    Ok(())
}

/// Carries out the effects in their order. `Some` is the response to a request for which a
/// bucket has too few tokens; later effects are not carried out then.
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
    let mut quotas = decided.prepared.map(|prepared| prepared.quotas.iter());
    for (place, effect) in verdict.indexed_effects() {
        match effect {
            Effect::Take(take) if is_carried_out => {
                let unprepared;
                let quota = match quotas.as_mut().and_then(Iterator::next) {
                    Some(quota) => quota,
                    None => {
                        unprepared = Quota::new(decided.policy, &take.bucket, &estate.buckets);
                        &unprepared
                    }
                };
                let mut taking = Taking {
                    buckets: &estate.buckets,
                    now_ms: exchange.now.monotonic_ms,
                    quotas: &mut exchange.heads.quotas,
                };
                if let Some(refusal) = taking.take(take, quota, place, rendered)? {
                    return Ok(Some(refusal));
                }
            }
            Effect::Charge(charge) if is_carried_out => {
                let now_ms = exchange.now.monotonic_ms;
                verdict::charge(
                    charge,
                    decided.policy,
                    place,
                    rendered,
                    (&estate.buckets, now_ms),
                );
            }
            Effect::Concurrency(limit) if is_carried_out => {
                let key = rendered.get(place, &limit.key);
                let taken = match (key, limit.absent) {
                    (None, AbsentKey::Skip) => continue,
                    (None, AbsentKey::Refuse) => None,
                    _ => {
                        let places = &estate.places;
                        places.take(decided.policy, &limit.name, key, limit.most)
                    }
                };
                match taken {
                    Some(taken) => exchange.places.push(Rc::new(taken)),
                    None => {
                        let refusal = verdict::reply(&limit.otherwise, place + 1, rendered)?;
                        return Ok(Some(refusal));
                    }
                }
            }
            Effect::Purge(purge) if is_carried_out => {
                let view = exchange.view(question.by);
                let rendering = Rendering {
                    plan,
                    view,
                    rendered,
                };
                rendering.purge(purge, place, &estate.cache);
            }
            Effect::Take(_) | Effect::Charge(_) | Effect::Concurrency(_) | Effect::Purge(_) => {}
            Effect::ChooseUpstream(upstream) => {
                effects::choose(exchange, question.matched, decided.place, upstream);
            }
            Effect::Split(split) => {
                let key = split.sticky.as_ref();
                let key = key.and_then(|key| rendered.get(place, key));
                effects::divide(exchange, question.matched, decided.place, split, key);
            }
            Effect::CacheLookup(lookup) => {
                let mut caching = std::mem::take(&mut exchange.caching);
                let view = exchange.view(question.by);
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
            Effect::CacheTag(value) => {
                let tags = effects::tags(rendered.get(place, value).unwrap_or_default());
                exchange.caching.tags.extend(tags);
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
