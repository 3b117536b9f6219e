//! Bans.

use std::marker::PhantomData;

use crate::Value;
use crate::bindings::janua::policy::effects;

/// Bans a subject for some time, in phase `P`. Requires
/// [`may_ban`](crate::Phase::may_ban).
#[derive(Clone, Debug, PartialEq)]
pub struct Ban<P> {
    ban: effects::Ban,
    kind: PhantomData<P>,
}

impl<P> Ban<P> {
    /// Bans at once, for `for_seconds` seconds. The reason is a short text for the log.
    #[must_use]
    pub fn new(subject: impl Into<Value<P>>, for_seconds: u32, reason: &str) -> Self {
        Self {
            ban: effects::Ban {
                subject: subject.into().into_parts(),
                after: 1,
                within_seconds: 1,
                for_seconds,
                reason: reason.to_owned(),
            },
            kind: PhantomData,
        }
    }

    /// Bans only after this many such verdicts within this many seconds.
    #[must_use]
    pub fn after(mut self, times: u32, within_seconds: u32) -> Self {
        self.ban.after = times;
        self.ban.within_seconds = within_seconds;
        self
    }

    pub(crate) fn into_contract(self) -> effects::Ban {
        self.ban
    }
}
