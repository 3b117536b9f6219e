//! The division of requests among upstreams.

use crate::bindings::janua::policy::effects::{self, Weighted};
use crate::{Request, Value};

/// Divides requests among upstreams by weight. The chosen one joins the cache key. Requires
/// [`may_split`](crate::Phase::may_split), and for each upstream
/// [`crate::Subscription::chooses_upstream`].
///
/// ```
/// # use janua_sdk::Split;
/// Split::between([("stable", 95), ("canary", 5)]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Split(effects::Split);

impl Split {
    /// Upstreams and their weights, of which at least one is above 0. Each request draws
    /// anew.
    #[must_use]
    pub fn between<N: AsRef<str>>(weights: impl IntoIterator<Item = (N, u32)>) -> Self {
        let weights = weights.into_iter().map(|(upstream, weight)| Weighted {
            upstream: upstream.as_ref().to_owned(),
            weight,
        });
        Self(effects::Split {
            weights: weights.collect(),
            sticky: None,
        })
    }

    /// Requests with the same key go to the same upstream. Those without it draw anew.
    #[must_use]
    pub fn sticky(mut self, key: impl Into<Value<Request>>) -> Self {
        self.0.sticky = Some(key.into().into_parts());
        self
    }

    pub(crate) fn into_contract(self) -> effects::Split {
        self.0
    }
}
