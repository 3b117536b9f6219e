//! The bounds of a head that policies edit.
//!
//! The verdict of each policy is bounded, and so is the head that results from several of
//! them. `max_head` and `max_fields` are about what clients and upstreams send. A head that
//! exceeds the bounds as it was received, because those allow it, is not checked: it grows
//! by no more than the verdicts.

use janua_http::failure::Kind;
use janua_http::{Failure, Fields};
use janua_wasm::Phase;

use crate::exchange::Exchange;
use crate::local_policy::LocalPolicy;

/// The largest size of an edited head, in bytes.
const MAX_BYTES: usize = 256 * 1024;
/// The largest number of fields of an edited head.
const MAX_FIELDS: usize = 512;

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
    let words = format!(
        "with the fields of {by}, a head has more than {MAX_FIELDS} fields or {} KiB",
        MAX_BYTES / 1024
    );
    let kind = match phase {
        Phase::Request => Kind::PolicyInput,
        _ => Kind::PolicyFailed,
    };
    Failure::with(kind, words)
}

fn fields(exchange: &Exchange, phase: Phase) -> &Fields {
    match phase {
        Phase::Request => &exchange.heads.request.fields,
        _ => &exchange.heads.response.fields,
    }
}

/// Whether a head is too large.
pub(super) fn exceed(fields: &Fields) -> bool {
    fields.exceed(MAX_BYTES, MAX_FIELDS)
}
