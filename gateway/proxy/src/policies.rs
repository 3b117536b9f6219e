//! Asks the policies of a route: forward for the request, backward for
//! everything about the response.

mod effects;
mod execute;
mod failures;

use std::rc::Rc;

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_wasm::{Decision, OnError, Phase, Plan, Verdict};

use crate::exchange::{Exchange, Matched};
use crate::facts::AnsweredBy;
use crate::local_policy::{LocalPolicy, Prepared};
use crate::snapshot::Use;
use crate::verdict::{self, Made};

/// Whether the effects of verdicts reach anything beyond the exchange itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carry {
    /// Buckets are taken from and the cache is purged.
    Out,
    /// No bucket and no stored response is touched, so that a request can be
    /// decided about without being made. A bucket counts as full.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "explaining and shadow runs will construct it")
    )]
    Nothing,
}

/// What takes the place of a response.
pub(crate) enum Instead {
    /// A policy's own response.
    Made(Made),
    /// What this path of the same target gives, normalised.
    Path(Vec<u8>),
}

/// What the policies are asked about.
#[derive(Clone, Copy)]
struct Question<'a> {
    matched: &'a Matched,
    phase: Phase,
    /// What made the response, in the phases that have one.
    by: Option<AnsweredBy>,
    carry: Carry,
}

/// What a policy decided.
#[derive(Clone, Copy)]
struct Decided<'a> {
    /// The policy's name.
    policy: &'a str,
    plan: &'a Plan,
    verdict: &'a Rc<Verdict>,
    /// What of it comes to the same for every request, where that is known.
    prepared: Option<&'a Prepared>,
}

/// Asks the policies of the request phase in order, each seeing the head as
/// edited so far. `Some` is a policy's own response.
///
/// # Errors
/// A policy that failed where `on_error` says deny, or a value that a policy
/// cannot take.
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

/// Asks the policies of the phase `fetched` about the head of an answer, once,
/// before the cache stores it: the last of the file first, so that the rule of
/// a route comes before that of its site. `Some` replaces the response. Otherwise
/// the lifetimes that a rule gives stand in the head afterwards.
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

/// Asks the policies of the phase `missing` about a 404 in the exchange's
/// response, once for a request, the last of the file first. The edits of a
/// verdict are carried out on the response that is delivered in the end,
/// whatever that is.
///
/// # Errors
/// A policy that failed where `on_error` says deny.
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
    let mut question = Question {
        matched,
        phase: Phase::Response,
        by: Some(by),
        carry: Carry::Out,
    };
    edit_deferred(exchange)?;
    for policy_use in &matched.route().response {
        if exchange.failed_policy == Some(policy_use.policy) {
            continue;
        }
        match ask(exchange, question, *policy_use) {
            Ok(None | Some(Instead::Path(_))) => {}
            Ok(Some(Instead::Made(made))) => {
                exchange.take_made(&made);
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

/// Carries out the edits that the phase `missing` left for the response.
fn edit_deferred(exchange: &mut Exchange) -> Result<(), Failure> {
    if exchange.deferred_edits.is_empty() {
        return Ok(());
    }
    let edits = std::mem::take(&mut exchange.deferred_edits);
    let rendered = &*exchange.worker.rendered.borrow();
    verdict::edit_response(&edits, rendered, &mut exchange.heads.response)
}

/// Asks one policy after another, until one has something else to say than to
/// go on.
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

/// Asks one policy, and carries out what it decided.
fn ask(
    exchange: &mut Exchange,
    question: Question<'_>,
    policy_use: Use,
) -> Result<Option<Instead>, Failure> {
    let matched = question.matched;
    let Some(local) = matched.local.policies.get(policy_use.policy) else {
        return Ok(None);
    };
    let Some(verdict) = decide(exchange, question, policy_use, local)? else {
        return Ok(None);
    };
    let prepared = local.prepared(question.phase, &verdict);
    let worker_policy = local.worker.borrow();
    let policy = worker_policy.policy();
    let Some(plan) = policy.plan(question.phase) else {
        return Ok(None);
    };
    let decided = Decided {
        policy: policy.name(),
        plan,
        verdict: &verdict,
        prepared: prepared.as_deref(),
    };
    let instead = execute::carry_out(exchange, question, decided)?;
    if let Some(Instead::Made(_)) = &instead
        && let Some(answers) = matched.local.snapshot.answers.get(policy_use.policy)
    {
        answers.increment(exchange.worker.index);
    }
    Ok(instead)
}

/// What a policy decides. None if it failed where `on_error` says skip.
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
        let view = exchange.view(matched, by);
        local
            .worker
            .borrow_mut()
            .decide(phase, &view, exchange.now.for_policies())
    };
    match decision {
        Decision::Verdict { verdict, .. } => {
            if let Some(note) = &verdict.note {
                exchange.note(local.worker.borrow().policy().name(), note);
            }
            Ok(Some(verdict))
        }
        Decision::NotUtf8(input) => Err(Failure::with(
            Kind::PolicyInput,
            format!("{input} is not UTF-8"),
        )),
        Decision::Failed(failure) => {
            let worker_policy = local.worker.borrow();
            let policy = worker_policy.policy();
            let name = policy.name();
            exchange.note(name, failure.kind.word());
            let is_denied = policy_use.on_error == OnError::Deny || failure.kind.always_denies();
            let worker = &exchange.worker;
            failures::log(policy, &failure, phase, matched, is_denied, worker);
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

impl Instead {
    /// The response; a path is named in the phase `missing` alone.
    fn made(self) -> Option<Made> {
        match self {
            Self::Made(made) => Some(made),
            Self::Path(_) => None,
        }
    }
}
