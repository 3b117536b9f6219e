//! From each version's generated types to our own: the hand-written half of
//! `bindings`.

pub(crate) mod v0_1;

use crate::failure::FailureKind;
use crate::rules::Violation;

/// For how long a verdict may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reuse {
    Never,
    UntilReload,
    Seconds(u32),
}

/// Why a verdict cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It breaks the contract.
    Violation(Violation),
    /// It holds an effect that cannot be carried out at all.
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
            Unusable::Violation(why) => Self::BadVerdict(why),
            Unusable::Effect(why) => Self::EffectRefused(why),
        }
    }
}

/// What the guest said about its subscription, before it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawPhase {
    pub(crate) inputs: Vec<crate::input::Input>,
    pub(crate) references: Vec<crate::input::Input>,
    pub(crate) sensitive: Vec<u32>,
}

/// All phases, as the guest gave them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawSubscription {
    pub(crate) request: Option<RawPhase>,
    pub(crate) fetched: Option<RawPhase>,
    pub(crate) missing: Option<RawPhase>,
    pub(crate) response: Option<RawPhase>,
}
