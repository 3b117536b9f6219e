//! Whether an endpoint is up, for the operator, and what is said when that changes.
//!
//! The gateway knows of an endpoint what its checks say ([`crate::check`]), whether requests
//! ejected it ([`crate::health`]), and whether all of its requests fail
//! ([`crate::failure_streak`]). [`Ill`] is the one conclusion, which status, metrics, log and
//! webhooks share. It is not the same as whether the endpoint gets requests: the only endpoint of
//! an upstream gets them although they all fail, and is not up.

mod ill;
mod none_up;
mod observer;
mod told;
mod transition;

pub use ill::{FailingRequests, Ill};
pub(crate) use observer::Observed;
pub use observer::Observer;
pub(crate) use told::{ConditionCell, review};
pub use transition::{Shown, Transition};

use crate::upstream::{Member, Upstream};

impl Upstream {
    /// Why an endpoint of this upstream is not up; none if it is.
    pub fn ill(&self, member: &Member) -> Option<Ill> {
        Ill::of(&member.endpoint, self.rule())
    }

    /// Whether an endpoint of this upstream is up.
    pub fn is_up(&self, member: &Member) -> bool {
        self.ill(member).is_none()
    }

    /// Says what has changed about an endpoint, if anything has.
    pub(crate) fn review(&self, member: &Member, now_ms: u64) {
        review(&member.endpoint, self.rule(), now_ms);
    }
}

#[cfg(test)]
mod tests;
