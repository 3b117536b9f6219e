//! A change of what operators are told of an endpoint, and its message in the log.

use super::ill::Ill;
use crate::address::Address;

/// A change that is reported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transition {
    /// The name of the upstream.
    pub upstream: Box<str>,
    /// The address of the endpoint, as configured.
    pub endpoint: Address,
    /// What it was.
    pub from: Shown,
    /// Why it is down now; none if it is up.
    pub ill: Option<Ill>,
    /// How long it was what it was before, in milliseconds.
    pub lasted_ms: u64,
    /// How long it has failed already, in milliseconds, if it is down.
    pub failing_ms: u64,
    /// A command has taken it out.
    pub is_draining: bool,
}

/// What operators have been told of an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Shown {
    /// It is new, and nothing is known of it.
    New,
    /// It is up.
    #[default]
    Up,
    /// It is down.
    Down,
}

impl Shown {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Down => "down",
        }
    }
}

impl Transition {
    /// What it is now.
    pub fn to(&self) -> Shown {
        match self.ill {
            Some(_) => Shown::Down,
            None => Shown::Up,
        }
    }

    /// Writes it to the log. What is not worth a message can still be found by who looks for it.
    pub(super) fn log(&self, is_worth_it: bool) {
        let (upstream, endpoint) = (&*self.upstream, &self.endpoint);
        let from = self.from.word();
        let seconds = |ms: u64| ms / 1000;
        let Some(ill) = &self.ill else {
            let lasted_s = seconds(self.lasted_ms);
            match self.from {
                Shown::New => tracing::info!(upstream, %endpoint, from, "endpoint is up"),
                _ if is_worth_it => {
                    tracing::info!(upstream, %endpoint, from, lasted_s, "endpoint is back");
                }
                _ => tracing::debug!(upstream, %endpoint, from, lasted_s, "endpoint is back"),
            }
            return;
        };
        let (failed, failure) = (ill.source(), ill.word());
        let (status, detail) = (ill.status(), Some(ill.detail()).filter(|it| !it.is_empty()));
        let (count, failing_s) = (ill.count(), seconds(self.failing_ms));
        let message = match ill.is_tried() {
            true => "endpoint is down; requests are still sent to it",
            false => "endpoint is down",
        };
        if is_worth_it {
            tracing::warn!(
                upstream, %endpoint, from, failed, failure, status, detail, count, failing_s,
                "{message}"
            );
        } else {
            tracing::debug!(
                upstream, %endpoint, from, failed, failure, status, detail, count, failing_s,
                "{message}"
            );
        }
    }
}
