//! Asks the policies of a route: about the request in the order of the file, about the
//! response in reverse order.

mod bounds;
mod effects;
mod execute;
mod failures;
mod finished;
pub mod rehearsal;

use std::rc::Rc;

use janua_http::{Failure, Fields};
use janua_wasm::{Decision, Phase, Plan, Verdict};

use self::bounds::Before;
use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::local_policy::{LocalPolicy, Prepared};
use crate::snapshot::Use;
use crate::trailers_only;
use crate::verdict::{self, Made};

pub(crate) use finished::finished_phase;

/// Whether the effects of verdicts on shared state are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// Tokens are taken and the cache is purged.
    Out,
    /// No bucket and no stored response is changed: the gateway only finds out what it would
    /// decide. Buckets count as full.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "explaining and shadow runs will construct it")
    )]
    Nothing,
}

/// What replaces a response.
pub(crate) enum Instead {
    /// A response that a policy generated.
    Made(Made),
    /// The response of the same target to this normalised path.
    Path(Vec<u8>),
}

/// The parameters of one round of questions to the policies.
#[derive(Clone, Copy)]
struct Question<'a> {
    matched: &'a Matched,
    phase: Phase,
    /// What generated the response, in the phases that have one.
    by: Option<AnsweredBy>,
    carry: Carry,
}

/// The decision of a policy.
#[derive(Clone, Copy)]
struct Decided<'a> {
    /// The policy's name.
    policy: &'a str,
    /// The index of the policy in the snapshot.
    place: usize,
    plan: &'a Plan,
    verdict: &'a Rc<Verdict>,
    /// Whether it edits what the cache stores may depend on inputs outside the cache key. A
    /// verdict without edits then says as much about the request as one with edits.
    decides_for_one: bool,
    /// What of the verdict was prepared, if anything.
    prepared: Option<&'a Prepared>,
}

/// Asks the policies of the request phase in the order of the file. Each sees the head as
/// the earlier ones have edited it. `Some` is a response that a policy generated.
///
/// # Errors
/// A policy that is not skipped failed, or cannot be asked about the request (see
/// [`janua_wasm::BadInput`]).
pub(crate) fn request_phase(
    exchange: &mut Exchange,
    matched: &Matched,
    carry: Carry,
) -> Result<Option<Made>, Failure> {
    let question = Question {
        matched,
        phase: Phase::Request,
        by: None,
        carry,
    };
    let instead = ask_in_turn(exchange, question, &matched.route().request)?;
    Ok(instead.and_then(Instead::made))
}

/// Asks the policies of the phase `fetched` about the head of a response, once, before the
/// cache stores it. They are asked in reverse order, so that the cache rule of a route takes
/// precedence over that of its site. `Some` replaces the response; otherwise the lifetimes
/// that a rule states are in the head afterwards.
///
/// # Errors
/// A policy that is not skipped failed.
pub(crate) fn fetched_phase(
    exchange: &mut Exchange,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    let Some(matched) = exchange.matched.clone() else {
        return Ok(None);
    };
    let uses = &matched.route().fetched;
    if uses.is_empty() {
        return Ok(None);
    }
    let question = Question {
        matched: &matched,
        phase: Phase::Fetched,
        by: Some(by),
        carry: Carry::Out,
    };
    let instead = ask_in_turn(exchange, question, uses)?;
    if instead.is_none() {
        exchange.write_lifetimes();
    }
    Ok(instead.and_then(Instead::made))
}

/// Asks the policies of the phase `missing` about a response that is a 404, once per request
/// and in reverse order. The edits of their verdicts are made to the response that is
/// finally delivered, whatever that is.
///
/// # Errors
/// A policy that is not skipped failed.
pub(crate) fn missing_phase(
    exchange: &mut Exchange,
    by: AnsweredBy,
) -> Result<Option<Instead>, Failure> {
    if exchange.heads.response.status != 404 || exchange.was_missing {
        return Ok(None);
    }
    let Some(matched) = exchange.matched.clone() else {
        return Ok(None);
    };
    let route = matched.route();
    if by != AnsweredBy::Files && !route.asks_missing {
        return Ok(None);
    }
    exchange.was_missing = true;
    let question = Question {
        matched: &matched,
        phase: Phase::Missing,
        by: Some(by),
        carry: Carry::Out,
    };
    ask_in_turn(exchange, question, &route.missing)
}

/// Asks the policies of the response phase in reverse order. `Some` replaces the response;
/// the policies asked after it see the replacement.
///
/// # Errors
/// The first failure of a policy that is not skipped. The response that reports it goes
/// through this phase again, without that policy. Further failures are ignored then, so that
/// this response still gets the fields that other policies add.
pub(crate) fn response_phase(
    exchange: &mut Exchange,
    matched: &Matched,
    by: AnsweredBy,
) -> Result<Option<Made>, Failure> {
    let mut replacement = None;
    let mut question = Question {
        matched,
        phase: Phase::Response,
        by: Some(by),
        carry: Carry::Out,
    };
    for policy_use in &matched.route().response {
        edit_delivered(exchange, policy_use.policy)?;
        if exchange.failed_policy == Some(policy_use.policy) {
            continue;
        }
        match ask(exchange, question, *policy_use) {
            Ok(None | Some(Instead::Path(_))) => {}
            Ok(Some(Instead::Made(made))) => {
                exchange.set_generated_head(&made);
                exchange.write_additions();
                question.by = Some(AnsweredBy::Policy);
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

/// Makes the edits to the response that a policy has decided on before there was one.
///
/// # Errors
/// The head is too large with them. The response that reports it goes without them, and it
/// cannot fail in turn: it goes without those of other policies that are too large, too.
fn edit_delivered(exchange: &mut Exchange, policy: usize) -> Result<(), Failure> {
    let mut pending = exchange.response_edits.iter();
    if !pending.any(|pending| pending.policy == policy) {
        return Ok(());
    }
    let is_last = exchange.failed_policy.is_some();
    let head = &exchange.heads.response;
    let unedited = is_last.then(|| (head.status, head.reason.clone(), head.fields.clone()));
    let Err(failure) = try_edit_delivered(exchange, policy) else {
        return Ok(());
    };
    match unedited {
        Some(unedited) => {
            let head = &mut exchange.heads.response;
            (head.status, head.reason, head.fields) = unedited;
            Ok(())
        }
        None => {
            exchange.failed_policy = Some(policy);
            exchange
                .response_edits
                .retain(|pending| pending.policy != policy);
            Err(failure)
        }
    }
}

fn try_edit_delivered(exchange: &mut Exchange, policy: usize) -> Result<(), Failure> {
    let before = Before::new(exchange, Phase::Response);
    let worker = Rc::clone(&exchange.worker);
    let rendered = &*worker.rendered.borrow();
    let response = &mut exchange.heads.response;
    let pending = exchange.response_edits.iter();
    for pending in pending.filter(|pending| pending.policy == policy) {
        verdict::edit_response(&pending.edits, rendered, response)?;
    }
    before.check(exchange, None)
}

/// Asks one policy after another, until one replaces the response.
fn ask_in_turn(
    exchange: &mut Exchange,
    question: Question<'_>,
    uses: &[Use],
) -> Result<Option<Instead>, Failure> {
    for policy_use in uses {
        if let Some(instead) = ask(exchange, question, *policy_use)? {
            return Ok(Some(instead));
        }
    }
    Ok(None)
}

/// Asks one policy, and carries out its verdict.
fn ask(
    exchange: &mut Exchange,
    question: Question<'_>,
    policy_use: Use,
) -> Result<Option<Instead>, Failure> {
    let matched = question.matched;
    let Some(local) = matched.local.policies.get(policy_use.policy) else {
        return Ok(None);
    };
    let before = Before::new(exchange, question.phase);
    if edit_always(exchange, question, local) {
        before.check(exchange, Some(local))?;
        return Ok(None);
    }
    let Some(verdict) = decide(exchange, question, policy_use, local)? else {
        return Ok(None);
    };
    let buckets = &exchange.worker.estate.buckets;
    let prepared = local.prepared(question.phase, &verdict, buckets);
    if let Some(edits) = prepared.as_ref().and_then(|prepared| prepared.only_edits())
        && let Some(fields) = edited_fields(exchange, question)
    {
        fields.edit(edits);
        before.check(exchange, Some(local))?;
        return Ok(None);
    }
    let worker_policy = local.worker.borrow();
    let policy = worker_policy.policy();
    let Some(plan) = policy.plan(question.phase) else {
        return Ok(None);
    };
    let decided = Decided {
        policy: policy.name(),
        place: policy_use.policy,
        plan,
        verdict: &verdict,
        decides_for_one: matched.route().caches
            && effects::has_outside(&plan.inputs, matched)
            && policy.may_change_stored(question.phase),
        prepared: prepared.as_deref(),
    };
    let instead = execute::carry_out(exchange, question, decided)?;
    before.check(exchange, Some(local))?;
    let Some(Instead::Made(made)) = instead else {
        return Ok(instead);
    };
    if let Some(answers) = matched.local.snapshot.answers.get(policy_use.policy) {
        answers.increment(exchange.worker.index);
    }
    let request = &exchange.heads.request;
    let made = trailers_only::answer_of_policy(made, request, exchange.grpc_web);
    Ok(Some(Instead::Made(made)))
}

/// Makes the edits of a policy that makes the same ones to every head and does nothing else.
/// False if it is not such a policy, or has to be asked for another reason.
fn edit_always(exchange: &mut Exchange, question: Question<'_>, local: &LocalPolicy) -> bool {
    let now = exchange.now.for_policies();
    local.is_constant(question.phase)
        && edited_fields(exchange, question).is_some_and(|fields| {
            local.edits_always(question.phase, now, |edits| fields.edit(edits))
        })
}

/// The fields that a verdict of this phase edits, where nothing else has to be known of the
/// edits: what policies make of the request may be part of the cache key.
fn edited_fields<'a>(exchange: &'a mut Exchange, question: Question<'_>) -> Option<&'a mut Fields> {
    match question.phase {
        Phase::Request if !question.matched.route().caches => {
            Some(&mut exchange.heads.request.fields)
        }
        Phase::Response => Some(&mut exchange.heads.response.fields),
        _ => None,
    }
}

/// The verdict of a policy. None if the policy failed and is skipped: because of
/// `on_error = "skip"`, or by default in a phase in which it may not respond.
fn decide(
    exchange: &mut Exchange,
    question: Question<'_>,
    policy_use: Use,
    local: &LocalPolicy,
) -> Result<Option<Rc<Verdict>>, Failure> {
    let Question {
        matched, phase, by, ..
    } = question;
    let decision = {
        let view = exchange.view(by);
        local
            .worker
            .borrow_mut()
            .decide(phase, &view, exchange.now.for_policies())
    };
    match decision {
        Decision::Verdict { verdict, .. } => Ok(Some(verdict)),
        Decision::BadInput(bad) => Err(verdict::bad_input(&bad)),
        Decision::Failed(failure) => {
            let worker_policy = local.worker.borrow();
            let policy = worker_policy.policy();
            let name = policy.name();
            exchange.note(name, failure.kind.word());
            let is_denied = failures::is_denied(policy, &failure, phase, policy_use.on_error);
            // What the policy would have made of it would have been stored.
            exchange.caching.lacks_edits |=
                phase == Phase::Fetched && policy_use.on_error.is_none();
            let worker = &exchange.worker;
            let of = (&*matched.site().name, &*matched.route().terms.label);
            failures::log(policy, &failure, phase, of, is_denied, worker);
            if !is_denied {
                return Ok(None);
            }
            Err(Failure::with(
                failures::kind_of(&failure),
                format!("{name}: {}", failure.kind.word()),
            ))
        }
    }
}

impl Instead {
    /// The response. Only policies of the phase `missing` may choose a path.
    fn made(self) -> Option<Made> {
        match self {
            Self::Made(made) => Some(made),
            Self::Path(_) => None,
        }
    }
}
