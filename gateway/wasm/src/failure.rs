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
    /// Its verdict is to answer instead of the target, and breaks the contract in this way.
    BadAnswer(String),
    /// Its verdict contains an effect that cannot be carried out, for this reason: it is
    /// not supported by this version, not granted, or not allowed in the phase.
    EffectRefused(String),
    /// It was not called: it is suspended, because it recently failed for too many clients.
    BreakerOpen,
    /// It was not called: its CPU time is short, and this client has used much of it.
    Throttled,
    /// It was not called: its CPU time is used up.
    Overloaded,
}

impl FailureKind {
    /// The name of the kind in metrics and `Proxy-Status`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Error(_) => "error",
            Self::BadVerdict(_) | Self::BadAnswer(_) | Self::EffectRefused(_) => "bad_verdict",
            Self::BreakerOpen => "breaker_open",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
        }
    }

    /// Whether the policy was not called at all.
    pub fn is_shed(&self) -> bool {
        matches!(self, Self::BreakerOpen | Self::Throttled | Self::Overloaded)
    }

    /// Whether the request is refused even if `on_error` is `skip`.
    ///
    /// `skip` covers the failure of a single call. An effect that cannot be carried out
    /// fails on every request: if the policy were skipped, a signature check or a ban
    /// would never take place. A verdict that is not valid may be a refusal: if it were
    /// skipped, a client whose text gets into the refusal could have itself let through. And
    /// if a call that is not made were skipped, any client could turn a check off by making
    /// it expensive. Only a policy that cannot respond (`may_respond`) checks nothing.
    pub fn always_denies(&self, may_respond: bool) -> bool {
        match self {
            Self::EffectRefused(_) | Self::BadAnswer(_) => true,
            Self::BadVerdict(_) => may_respond,
            _ => may_respond && self.is_shed(),
        }
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
            FailureKind::BadVerdict(why) | FailureKind::BadAnswer(why) => {
                write!(f, "the policy's verdict is not valid: {why}")?;
            }
            FailureKind::EffectRefused(why) => {
                write!(f, "the policy's verdict cannot be carried out: {why}")?;
            }
            FailureKind::BreakerOpen => {
                f.write_str("the policy recently failed for too many clients and is suspended")?;
            }
            FailureKind::Throttled => {
                f.write_str("the client has used too much of the policy's CPU time")?;
            }
            FailureKind::Overloaded => f.write_str("the policy's CPU time is used up")?,
        }
        if self.detail.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.detail)
        }
    }
}

impl std::error::Error for PolicyFailure {}
