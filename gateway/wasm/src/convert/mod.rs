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
    /// Until this moment, in Unix seconds.
    Until(u64),
}

/// Why a verdict cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unusable {
    /// It breaks a rule of the contract.
    Violation(Violation),
    /// It contains an effect that is not supported, not declared or not allowed in the
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

/// A policy's declaration for one phase, as converted and before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawPhase {
    pub(crate) name: String,
    pub(crate) inputs: Vec<crate::input::Input>,
    pub(crate) references: Vec<crate::input::Input>,
    pub(crate) sensitive: Vec<u32>,
    pub(crate) may: Vec<String>,
}

/// A policy's declaration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RawSubscription {
    pub(crate) phases: Vec<RawPhase>,
    pub(crate) owns: Vec<String>,
    pub(crate) variables: Vec<String>,
    pub(crate) uses: Vec<String>,
    /// The names of declarations that this version does not know.
    pub(crate) more: Vec<String>,
}
