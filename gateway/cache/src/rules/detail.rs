//! Why the cache did what it did: the fixed list of words in the `detail` of
//! `Cache-Status` (RFC 9211 §2.8), in the access log and in the metrics.

/// A reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "`meaning` says it, for readers of the reference too"
)]
pub enum Detail {
    Off,
    Upgrade,
    Method,
    RequestBody,
    Precondition,
    Range,
    RequestNoStore,
    RequestNoCache,
    RequestMaxAge,
    RequestMinFresh,
    OnlyIfCached,
    Bypass,
    Expired,
    Purged,
    NoCache,
    NoStore,
    Private,
    Authorization,
    SetCookie,
    VaryStar,
    Status,
    NoFreshness,
    Stale,
    RuleNever,
    TooLarge,
    NoSpace,
    Uncacheable,
    UpstreamError,
}

impl Detail {
    /// All of them, in the order of a request.
    pub const ALL: [Self; 28] = [
        Self::Off,
        Self::Upgrade,
        Self::Method,
        Self::RequestBody,
        Self::Precondition,
        Self::Range,
        Self::RequestNoStore,
        Self::RequestNoCache,
        Self::RequestMaxAge,
        Self::RequestMinFresh,
        Self::OnlyIfCached,
        Self::Bypass,
        Self::Expired,
        Self::Purged,
        Self::NoCache,
        Self::NoStore,
        Self::Private,
        Self::Authorization,
        Self::SetCookie,
        Self::VaryStar,
        Self::Status,
        Self::NoFreshness,
        Self::Stale,
        Self::RuleNever,
        Self::TooLarge,
        Self::NoSpace,
        Self::Uncacheable,
        Self::UpstreamError,
    ];

    /// The word. It never changes once released.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Upgrade => "upgrade",
            Self::Method => "method",
            Self::RequestBody => "request-body",
            Self::Precondition => "precondition",
            Self::Range => "range",
            Self::RequestNoStore => "request-no-store",
            Self::RequestNoCache => "request-no-cache",
            Self::RequestMaxAge => "request-max-age",
            Self::RequestMinFresh => "request-min-fresh",
            Self::OnlyIfCached => "only-if-cached",
            Self::Bypass => "bypass",
            Self::Expired => "expired",
            Self::Purged => "purged",
            Self::NoCache => "no-cache",
            Self::NoStore => "no-store",
            Self::Private => "private",
            Self::Authorization => "authorization",
            Self::SetCookie => "set-cookie",
            Self::VaryStar => "vary-star",
            Self::Status => "status",
            Self::NoFreshness => "no-freshness",
            Self::Stale => "stale",
            Self::RuleNever => "rule-never",
            Self::TooLarge => "too-large",
            Self::NoSpace => "no-space",
            Self::Uncacheable => "uncacheable",
            Self::UpstreamError => "upstream-error",
        }
    }

    /// What the word means, in a sentence for the reference.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Off => "The route has no cache.",
            Self::Upgrade => "The request asks for another protocol.",
            Self::Method => {
                "Only GET and HEAD are answered from the cache, only answers to GET are stored."
            }
            Self::RequestBody => "The request has a body.",
            Self::Precondition => {
                "If-Match or If-Unmodified-Since, which only the origin can evaluate."
            }
            Self::Range => "A part of a representation, which is not stored.",
            Self::RequestNoStore => "The request says no-store.",
            Self::RequestNoCache => "The request says no-cache, so the upstream was asked.",
            Self::RequestMaxAge => "What is stored is older than the request's max-age.",
            Self::RequestMinFresh => "What is stored ends before the request's min-fresh.",
            Self::OnlyIfCached => {
                "The request says only-if-cached and nothing stored will do: 504."
            }
            Self::Bypass => "A policy said to neither look up nor store; its reason follows.",
            Self::Expired => "What is stored is past its end.",
            Self::Purged => "What is stored was purged softly: it is stale.",
            Self::NoCache => {
                "The response says no-cache: the upstream is asked each time, or it has no validator to ask with and is not stored."
            }
            Self::NoStore => "The response says no-store.",
            Self::Private => "The response says private.",
            Self::Authorization => {
                "The request has Authorization and the response does not say that it may be shared."
            }
            Self::SetCookie => "The response sets a cookie and does not say that it is public.",
            Self::VaryStar => "The response says Vary: *, or names fields that cannot be told.",
            Self::Status => "A response with this status is not stored.",
            Self::NoFreshness => "Nothing says how long the response is fresh.",
            Self::Stale => "The response was past its end when it came, and has no validator.",
            Self::RuleNever => "A cache rule says never to store it.",
            Self::TooLarge => "The body is larger than max_object.",
            Self::NoSpace => "The store took it not in: full, or the disk failed.",
            Self::Uncacheable => {
                "A waiting request went to the upstream itself, since the answer it waited for may not be shared."
            }
            Self::UpstreamError => "The upstream failed, and a stale response was served instead.",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_word_is_there_once() {
        let words: HashSet<_> = Detail::ALL.iter().map(|detail| detail.word()).collect();
        assert_eq!(words.len(), Detail::ALL.len());
        for (place, detail) in Detail::ALL.iter().enumerate() {
            assert_eq!(*detail as usize, place, "{detail:?}");
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
            assert!(detail.word().bytes().all(plain), "{detail:?}");
            assert!(detail.meaning().ends_with('.'), "{detail:?}");
        }
    }
}
