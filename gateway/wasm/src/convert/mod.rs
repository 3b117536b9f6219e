//! Converts the types generated for each version of the contract (`bindings`) to
//! those of this crate.

pub(crate) mod v0_1;

use crate::failure::FailureKind;
use crate::rules::Violation;
use crate::said::shown;

/// For how long a verdict may be reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    Never,
    UntilReload,
    Seconds(u32),
}

/// Why a verdict cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It breaks a rule of the contract.
    Violation(Violation),
    /// It contains an effect that is not supported, not granted or not allowed in the
    /// phase.
    Effect(Violation),
}

impl From<Violation> for Unusable {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<Unusable> for FailureKind {
    fn from(unusable: Unusable) -> Self {
        match unusable {
            Unusable::Violation(why) => Self::BadVerdict(shown(&why)),
            Unusable::Effect(why) => Self::EffectRefused(shown(&why)),
        }
    }
}

/// A policy's subscription to one phase, as converted and before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawPhase {
    pub(crate) inputs: Vec<crate::input::Input>,
    pub(crate) references: Vec<crate::input::Input>,
    pub(crate) sensitive: Vec<u32>,
}

/// A policy's subscription to all phases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawSubscription {
    pub(crate) request: Option<RawPhase>,
    pub(crate) fetched: Option<RawPhase>,
    pub(crate) missing: Option<RawPhase>,
    pub(crate) response: Option<RawPhase>,
}
