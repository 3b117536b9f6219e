//! What the cache did with a request, in one word: the field `cache` of the access log
//! and the label `outcome` of the metrics. The words are the values of nginx's
//! `$upstream_cache_status` in lower case, and `collapsed`, which nginx counts as a hit.

/// What the cache did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CacheOutcome {
    /// Served from the cache, fresh.
    Hit,
    /// Nothing was stored for the request, which was forwarded.
    Miss,
    /// The stored response could not be served, and the upstream sent a new one.
    Expired,
    /// The stored response had to be validated, and the upstream confirmed it with a 304.
    Revalidated,
    /// Served stale while it is revalidated.
    Updating,
    /// Served stale, because the upstream failed or the request allows it.
    Stale,
    /// Served with the response to another request that was already being forwarded.
    Collapsed,
    /// The cache was not used.
    Bypass,
}

impl CacheOutcome {
    /// All outcomes, in the order of their discriminants.
    pub const ALL: [Self; 8] = [
        Self::Hit,
        Self::Miss,
        Self::Expired,
        Self::Revalidated,
        Self::Updating,
        Self::Stale,
        Self::Collapsed,
        Self::Bypass,
    ];

    /// The word for the log and the metrics.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Expired => "expired",
            Self::Revalidated => "revalidated",
            Self::Updating => "updating",
            Self::Stale => "stale",
            Self::Collapsed => "collapsed",
            Self::Bypass => "bypass",
        }
    }

    /// What the word means: one sentence for the reference documentation.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Hit => "The stored response was served without contacting the upstream.",
            Self::Miss => "Nothing was stored for the request, so the upstream answered.",
            Self::Expired => {
                "A response was stored but could not be served without validation, for the reason in the detail. The upstream sent a new response."
            }
            Self::Revalidated => {
                "The upstream confirmed with a 304 that the stored response is still valid."
            }
            Self::Updating => "The stored response was served stale while it is revalidated.",
            Self::Stale => {
                "The stored response was served stale, because the upstream failed or the request accepts it."
            }
            Self::Collapsed => {
                "The request waited for another one that was already being forwarded, and shared its response."
            }
            Self::Bypass => "The cache was not used for the request.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_there_once() {
        for (place, outcome) in CacheOutcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, place);
            let same = CacheOutcome::ALL
                .iter()
                .filter(|other| other.word() == outcome.word());
            assert_eq!(same.count(), 1);
            assert!(outcome.meaning().ends_with('.'), "{outcome:?}");
        }
    }
}
