//! Checks heads that policies edit. The verdict of each policy is bounded, and so is the head that
//! results from several of them.

use janua_http::failure::Kind;
use janua_http::{Failure, Fields};
use janua_wasm::Phase;

use crate::exchange::Exchange;
use crate::head_bounds;
use crate::local_policy::LocalPolicy;

pub(super) use crate::head_bounds::exceed;

/// A head before an edit.
#[derive(Clone, Copy)]
pub(super) struct Before {
    phase: Phase,
    is_within: bool,
}

impl Before {
    pub(super) fn new(exchange: &Exchange, phase: Phase) -> Self {
        let is_within = !exceed(fields(exchange, phase));
        Self { phase, is_within }
    }

    /// Checks the head after the edits of this policy, or after those that were deferred.
    ///
    /// # Errors
    /// The head is too large now.
    pub(super) fn check(
        self,
        exchange: &Exchange,
        policy: Option<&LocalPolicy>,
    ) -> Result<(), Failure> {
        if !self.is_within || !exceed(fields(exchange, self.phase)) {
            return Ok(());
        }
        let by = match policy {
            Some(policy) => format!("the policy `{}`", policy.worker.borrow().policy().name()),
            None => "policies that were asked before there was a response".to_owned(),
        };
        Err(too_large(self.phase, &by))
    }
}

/// The failure of an exchange whose head is too large with the fields of these policies. That
/// of a response is not the client's fault.
pub(super) fn too_large(phase: Phase, by: &str) -> Failure {
    let kind = match phase {
        Phase::Request => Kind::PolicyInput,
        _ => Kind::PolicyFailed,
    };
    Failure::with(kind, head_bounds::words(by))
}

fn fields(exchange: &Exchange, phase: Phase) -> &Fields {
    match phase {
        Phase::Request => &exchange.heads.request.fields,
        _ => &exchange.heads.response.fields,
    }
}
