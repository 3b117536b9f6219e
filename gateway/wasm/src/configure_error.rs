//! Why a policy cannot be configured.

use std::fmt;

use crate::failure::PolicyFailure;
use crate::grants::MissingGrants;
use crate::input::Phase;

/// Why a policy cannot be configured. Shown to the operator with the file and line of
/// the policy's use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigureError {
    /// The policy refused its configuration, with this message.
    Refused(String),
    /// It lacks grants.
    Grant(MissingGrants),
    /// It asks for something that this version does not support.
    NotSupported(String),
    /// It trapped, exceeded its time or memory limit, or broke the contract.
    Failed(String),
    /// It has no inputs in a phase, so every request gets the same verdict, which is not
    /// valid.
    Constant {
        /// The phase.
        phase: Phase,
        /// Why not.
        why: String,
    },
}

impl ConfigureError {
    pub(crate) fn failed(failure: PolicyFailure) -> Self {
        Self::Failed(failure.to_string())
    }
}

impl fmt::Display for ConfigureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(message) => f.write_str(message),
            Self::Grant(missing) => missing.fmt(f),
            Self::NotSupported(what) => write!(
                f,
                "the policy asks for {what}, which is not supported by this version"
            ),
            Self::Failed(why) => write!(f, "the policy could not be configured: {why}"),
            Self::Constant { phase, why } => write!(
                f,
                "in the phase `{}` it gives every request the same verdict, which fails: {why}",
                phase.name()
            ),
        }
    }
}

impl std::error::Error for ConfigureError {}
