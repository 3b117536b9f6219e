//! The failures of a policy. The proxy decides by the policy's `on_error` whether the
//! request is refused or the policy is skipped.

use std::fmt;

/// The reason why a policy gave no usable verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFailure {
    /// The kind of failure.
    pub kind: FailureKind,
    /// Details for the log, for example which trap it was. May be empty. Of calls that
    /// concern a request these are words of the engine and the gateway, and never what the
    /// component wrote, which may contain values of the request.
    pub detail: String,
}

/// The kind of failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// It trapped, for example because of a panic, a stack overflow or too much data in
    /// one call.
    Trap,
    /// It used more CPU time than its deadline allows.
    Deadline,
    /// It requested more memory than its limit allows.
    Memory,
    /// It returned an error with this message, truncated at 512 bytes and escaped. It is for
    /// the operator: clients never see it.
    Error(String),
    /// Its verdict breaks the contract in this way.
    BadVerdict(String),
    /// Its verdict contains an effect that cannot be carried out, for this reason: it is
    /// not supported by this version, not granted, or not allowed in the phase.
    EffectRefused(String),
    /// It is suspended, because it recently failed too often or used too much CPU time.
    BreakerOpen,
}

impl FailureKind {
    /// The name of the kind in metrics and `Proxy-Status`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Error(_) => "error",
            Self::BadVerdict(_) | Self::EffectRefused(_) => "bad_verdict",
            Self::BreakerOpen => "breaker_open",
        }
    }

    /// Whether the request is refused even if `on_error` is `skip`. A policy whose effect
    /// cannot be carried out fails on every request: if it were skipped, a signature
    /// check or a ban would never take place.
    pub fn always_denies(&self) -> bool {
        matches!(self, Self::EffectRefused(_))
    }

    /// Whether the instance must be discarded.
    pub(crate) fn discards_instance(&self) -> bool {
        matches!(self, Self::Trap | Self::Deadline | Self::Memory)
    }
}

impl PolicyFailure {
    pub(crate) fn without_detail(kind: FailureKind) -> Self {
        Self {
            kind,
            detail: String::new(),
        }
    }
}

impl fmt::Display for PolicyFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            FailureKind::Trap => f.write_str("the policy trapped")?,
            FailureKind::Deadline => f.write_str("the policy used up its CPU time")?,
            FailureKind::Memory => f.write_str("the policy exceeded its memory limit")?,
            FailureKind::Error(message) => write!(f, "the policy returned an error: {message}")?,
            FailureKind::BadVerdict(why) => write!(f, "the policy's verdict is not valid: {why}")?,
            FailureKind::EffectRefused(why) => {
                write!(f, "the policy's verdict cannot be carried out: {why}")?;
            }
            FailureKind::BreakerOpen => {
                f.write_str("the policy recently failed too often or used too much CPU time, and is suspended")?;
            }
        }
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.detail)
        }
    }
}

impl std::error::Error for PolicyFailure {}
