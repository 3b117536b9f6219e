//! How a policy can fail. Whether the request is refused or the policy
//! skipped is `on_error`, which the proxy reads from the policy.

use std::fmt;

/// A policy that gave no usable verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyFailure {
    /// What went wrong.
    pub kind: FailureKind,
    /// What is known beyond the kind, for the log: a trap's text, for example.
    /// May be empty. Never holds the value of an input.
    pub detail: String,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FailureKind {
    /// It trapped: a panic, a stack overflow, an exhausted quota.
    Trap,
    /// It used more CPU time than its deadline allows.
    Deadline,
    /// It wanted more memory than its limit allows.
    Memory,
    /// It returned an error; this is its message, cut off at 512 bytes.
    Error(String),
    /// Its verdict breaks the contract; this says how.
    BadVerdict(String),
    /// Its verdict holds an effect that cannot be carried out: this version does
    /// not know how, it was not granted, or it belongs to another phase. This says which.
    EffectRefused(String),
    /// It failed or ran too much of late and is not asked for a while.
    BreakerOpen,
}

impl FailureKind {
    /// A fixed word for metrics and `Proxy-Status`.
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

    /// Whether the request is refused whatever `on_error` says. A policy that asks
    /// for an effect that is never carried out fails each time: if it were
    /// skipped, a signature check or a ban would let everyone through for ever.
    pub fn always_denies(&self) -> bool {
        matches!(self, Self::EffectRefused(_))
    }

    /// Whether the instance is lost with it.
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
            FailureKind::Memory => f.write_str("the policy wanted more memory than its limit")?,
            FailureKind::Error(message) => write!(f, "the policy returned an error: {message}")?,
            FailureKind::BadVerdict(why) => write!(f, "the policy's verdict is not valid: {why}")?,
            FailureKind::EffectRefused(why) => {
                write!(f, "the policy's verdict cannot be carried out: {why}")?;
            }
            FailureKind::BreakerOpen => {
                f.write_str("the policy failed or ran too much of late and is suspended")?;
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
