//! The reasons for what the cache did: the fixed list of words for `detail` in
//! `Cache-Status` (RFC 9211 §2.8), in the access log and in the metrics.

/// A reason for what the cache did; [`meaning`](Self::meaning) explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(
    missing_docs,
    reason = "`meaning` documents each, also in the reference documentation"
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
    PolicyFailed,
    TooLarge,
    NoSpace,
    Uncacheable,
    UpstreamError,
}

impl Detail {
    /// All reasons, in the order in which a request is checked.
    pub const ALL: [Self; 29] = [
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
        Self::PolicyFailed,
        Self::TooLarge,
        Self::NoSpace,
        Self::Uncacheable,
        Self::UpstreamError,
    ];

    /// The word for the reason. It never changes once released.
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
            Self::PolicyFailed => "policy-failed",
            Self::TooLarge => "too-large",
            Self::NoSpace => "no-space",
            Self::Uncacheable => "uncacheable",
            Self::UpstreamError => "upstream-error",
        }
    }

    /// What the word means: one sentence for the reference documentation.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Off => "The route has no cache.",
            Self::Upgrade => "The request asks to switch to another protocol (Upgrade).",
            Self::Method => {
                "Only GET and HEAD are answered from the cache, and only responses to GET are stored."
            }
            Self::RequestBody => "The request has a body.",
            Self::Precondition => {
                "The request has If-Match or If-Unmodified-Since, which only the origin can evaluate."
            }
            Self::Range => {
                "The response is a part of a representation (206) or rejects the requested range (416), which is not stored."
            }
            Self::RequestNoStore => "The request says no-store.",
            Self::RequestNoCache => {
                "The request says no-cache, so the stored response had to be validated."
            }
            Self::RequestMaxAge => "The stored response is older than the request's max-age.",
            Self::RequestMinFresh => {
                "The stored response is not fresh for as long as the request's min-fresh."
            }
            Self::OnlyIfCached => {
                "The request says only-if-cached, and no stored response may be served: 504."
            }
            Self::Bypass => {
                "A policy told the cache to neither look up nor store; its reason follows."
            }
            Self::Expired => "The stored response is stale.",
            Self::Purged => "A soft purge made the stored response stale.",
            Self::NoCache => {
                "The response says no-cache: it is validated each time, or, without a validator, not stored."
            }
            Self::NoStore => "The response says no-store.",
            Self::Private => "The response says private.",
            Self::Authorization => {
                "The request has Authorization, and the response does not say that it may be shared."
            }
            Self::SetCookie => "The response sets a cookie and does not say that it may be shared.",
            Self::VaryStar => "The response says Vary: *, or its Vary is invalid or too long.",
            Self::Status => "Responses with this status code are not stored.",
            Self::NoFreshness => "The response does not say how long it is fresh.",
            Self::Stale => {
                "A stale response was served; or the response from the upstream was already stale, has no validator and was not stored."
            }
            Self::RuleNever => "A cache rule forbids storing the response.",
            Self::PolicyFailed => {
                "A policy failed that is asked about what is stored, and the response was delivered without its edits."
            }
            Self::TooLarge => "The body is larger than max_object.",
            Self::NoSpace => {
                "The store refused the response: it has no memory left for bodies being received, is switched off, or the head, key or Vary is too large."
            }
            Self::Uncacheable => {
                "The request could not share the response of another request, and was forwarded itself."
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
