//! What the cache did with a request, in one word: the field `cache` of the
//! access log and the label of the metrics. The words are those of nginx's
//! `$upstream_cache_status` in lower case, and `collapsed`, which nginx counts
//! as a hit.

/// What the cache did with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Answered from what is stored, fresh.
    Hit,
    /// Nothing was stored: the upstream answered.
    Miss,
    /// What was stored had ended: the upstream sent a new one.
    Expired,
    /// What was stored had ended, or had to be asked about: the upstream said
    /// that it still holds.
    Revalidated,
    /// Answered with what had ended, while it is renewed.
    Updating,
    /// Answered with what had ended, since the upstream failed or the request
    /// allows it.
    Stale,
    /// Answered with what another request was just fetching.
    Collapsed,
    /// The cache took no part.
    Bypass,
}

impl Outcome {
    /// All of them.
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

    /// The word.
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

    /// What the word means, in a sentence for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Hit => "Answered with what is stored, without asking the upstream.",
            Self::Miss => "Nothing was stored for the request: the upstream answered.",
            Self::Expired => {
                "Something was stored but would not do unasked, as the detail says: the upstream answered."
            }
            Self::Revalidated => "The upstream said that what is stored still holds (304).",
            Self::Updating => "Answered with what had ended, while the upstream is asked.",
            Self::Stale => "Answered with what had ended, since the upstream failed.",
            Self::Collapsed => "Waited for what another request was just fetching.",
            Self::Bypass => "The request passed the cache by.",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_is_there_once() {
        for (place, outcome) in Outcome::ALL.iter().enumerate() {
            assert_eq!(*outcome as usize, place);
            let same = Outcome::ALL
                .iter()
                .filter(|other| other.word() == outcome.word());
            assert_eq!(same.count(), 1);
            assert!(outcome.meaning().ends_with('.'), "{outcome:?}");
        }
    }
}
