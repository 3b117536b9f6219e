//! The phase `finished`: policies are asked about an exchange after its last byte, and before
//! it is written to the access log.
//!
//! The client has its response by then, so nothing can fail for it: a failure is logged, and
//! what the policy would have counted is not counted. What a client sends must not make it
//! fail: a value that a policy or its verdict cannot take is absent.

use std::rc::Rc;

use janua_wasm::{Decision, Effect, Phase, Plan, Policy, Verdict};

use super::effects::Rendering;
use super::failures;
use crate::exchange::Exchange;
use crate::facts::Ended;
use crate::local_policy::LocalPolicy;
use crate::render::Rendered;
use crate::snapshot::LocalTerms;
use crate::verdict;

/// Asks the policies of the phase `finished`, in reverse order.
pub(crate) fn finished_phase(exchange: &mut Exchange, ended: &Ended) {
    let Some(terms) = exchange.terms.clone() else {
        return;
    };
    for local in &terms.finished {
        ask(exchange, ended, local, &terms);
    }
}

fn ask(exchange: &mut Exchange, ended: &Ended, local: &LocalPolicy, terms: &LocalTerms) {
    let worker = Rc::clone(&exchange.worker);
    let now = worker.clock.now().for_policies();
    let decision = {
        let view = exchange.view_at_end(ended);
        local
            .worker
            .borrow_mut()
            .decide(Phase::Finished, &view, now)
    };
    let worker_policy = local.worker.borrow();
    let policy = worker_policy.policy();
    match decision {
        Decision::Verdict { verdict, .. } => {
            if let Some(plan) = policy.plan(Phase::Finished) {
                carry_out(exchange, ended, policy, plan, &verdict);
            }
        }
        Decision::Failed(failure) => {
            exchange.note(policy.name(), failure.kind.word());
            let of = (&*terms.site, &*terms.label);
            failures::log(policy, &failure, Phase::Finished, of, false, &worker);
        }
        // In this phase such an input is absent instead.
        Decision::BadInput(bad) => exchange.note(policy.name(), &bad.to_string()),
    }
}

fn carry_out(
    exchange: &mut Exchange,
    ended: &Ended,
    policy: &Policy,
    plan: &Plan,
    verdict: &Verdict,
) {
    let worker = Rc::clone(&exchange.worker);
    let now_ms = worker.clock.now().monotonic_ms;
    let rendered: &mut Rendered = &mut worker.rendered.borrow_mut();
    let view = exchange.view_at_end(ended);
    if let Err(lost) = verdict::render_at_end(verdict, plan, &view, rendered) {
        let failure = verdict::unrendered(&lost, policy.name());
        policy.log_lost(&failure.detail, now_ms);
        exchange.note(policy.name(), &failure.detail);
    }
    super::execute::annotate(exchange, policy.name(), verdict, rendered);
    for (place, effect) in verdict.indexed_effects() {
        match effect {
            Effect::Charge(charge) => {
                let buckets = (&worker.estate.buckets, now_ms);
                verdict::charge(charge, policy.name(), place, rendered, buckets);
            }
            Effect::Purge(purge) => {
                let rendering = Rendering {
                    plan,
                    view: exchange.view_at_end(ended),
                    rendered,
                };
                rendering.purge(purge, place, &worker.estate.cache);
            }
            // The others belong to other phases.
            _ => {}
        }
    }
    rendered.shrink();
}
