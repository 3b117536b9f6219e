//! The field `Cache-Status` (RFC 9211), which tells what the cache did with a request.

use std::io::Write;

use super::Detail;

/// Why a request went to the upstream (RFC 9211 §2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forward {
    /// The cache was configured or told not to handle the request.
    Bypass,
    /// The method's semantics require it.
    Method,
    /// Nothing is stored for the URI.
    UriMiss,
    /// Responses are stored for the URI, but `Vary` selects none for this request.
    VaryMiss,
    /// No stored response may be used, and neither of the two above is known to apply.
    Miss,
    /// A fresh response is stored, but the request does not allow its use.
    Request,
    /// The stored response is stale and must be validated.
    Stale,
    /// Only a partial response is available.
    Partial,
}

impl Forward {
    const fn word(self) -> &'static str {
        match self {
            Self::Bypass => "bypass",
            Self::Method => "method",
            Self::UriMiss => "uri-miss",
            Self::VaryMiss => "vary-miss",
            Self::Miss => "miss",
            Self::Request => "request",
            Self::Stale => "stale",
            Self::Partial => "partial",
        }
    }
}

/// The `fwd` of a request that was forwarded for this reason.
impl From<Detail> for Forward {
    fn from(detail: Detail) -> Self {
        match detail {
            Detail::Method => Self::Method,
            Detail::RequestNoStore
            | Detail::RequestNoCache
            | Detail::RequestMaxAge
            | Detail::RequestMinFresh
            | Detail::Precondition
            | Detail::Authorization
            | Detail::RequestBody
            | Detail::Upgrade => Self::Request,
            Detail::Expired | Detail::Purged | Detail::NoCache => Self::Stale,
            Detail::Off | Detail::Bypass => Self::Bypass,
            Detail::Range => Self::Partial,
            _ => Self::Miss,
        }
    }
}

/// A name that follows or replaces the word of the detail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// The cache rule that decided: `rule:NAME`.
    Rule(&'a str),
    /// The reason that a policy gave for a bypass: `bypass:REASON`.
    Bypass(&'a str),
}

/// The `Cache-Status` of one response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStatus<'a> {
    /// Why the request was forwarded; `None` for a hit.
    pub forward: Option<Forward>,
    /// The upstream's status code if the client gets another one, such as after a 304.
    pub forward_status: Option<u16>,
    /// For how many seconds the stored response stays fresh; negative once it is stale.
    pub ttl: Option<i64>,
    /// The upstream's response was stored.
    pub stored: bool,
    /// The request shared the response to another one (request collapsing).
    pub collapsed: bool,
    /// The reason, in one word.
    pub detail: Option<Detail>,
    /// The cache rule or the policy's reason behind it.
    pub named: Option<Named<'a>>,
}

impl CacheStatus<'_> {
    /// Appends the value, as in `janua; fwd=stale; fwd-status=304; stored;
    /// ttl=60; detail="expired rule:assets"`.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"janua");
        match self.forward {
            None => out.extend_from_slice(b"; hit"),
            Some(forward) => {
                out.extend_from_slice(b"; fwd=");
                out.extend_from_slice(forward.word().as_bytes());
                if let Some(status) = self.forward_status {
                    // Writing into memory does not fail.
                    let _ = write!(out, "; fwd-status={status}");
                }
                if self.stored {
                    out.extend_from_slice(b"; stored");
                }
                if self.collapsed {
                    out.extend_from_slice(b"; collapsed");
                }
            }
        }
        if let Some(ttl) = self.ttl {
            let _ = write!(out, "; ttl={ttl}");
        }
        if self.detail.is_some() || self.named.is_some() {
            out.extend_from_slice(b"; detail=\"");
            self.write_detail(out);
            out.push(b'"');
        }
    }

    /// Appends only the detail, as in the access log: `expired`, `rule:assets`,
    /// `rule-never rule:html`, `bypass:session`.
    pub fn write_detail(&self, out: &mut Vec<u8>) {
        // `bypass:REASON` already contains the word.
        let word = self
            .detail
            .filter(|detail| !(*detail == Detail::Bypass && self.named.is_some()));
        if let Some(word) = word {
            out.extend_from_slice(word.word().as_bytes());
        }
        let (kind, name) = match self.named {
            None => return,
            Some(Named::Rule(name)) => ("rule:", name),
            Some(Named::Bypass(reason)) => ("bypass:", reason),
        };
        if word.is_some() {
            out.push(b' ');
        }
        out.extend_from_slice(kind.as_bytes());
        // Bytes that a String (RFC 9651 §3.3.3) cannot hold or has to escape become an
        // underscore, and so do spaces, which separate the words.
        out.extend(name.bytes().map(|byte| match byte {
            b'"' | b'\\' => b'_',
            b'!'..=b'~' => byte,
            _ => b'_',
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values() {
        let hit = CacheStatus {
            ttl: Some(30),
            ..CacheStatus::default()
        };
        let miss = CacheStatus {
            forward: Some(Forward::UriMiss),
            ..CacheStatus::default()
        };
        for (status, value) in [
            (hit, "janua; hit; ttl=30"),
            (
                CacheStatus {
                    ttl: Some(-5),
                    detail: Some(Detail::UpstreamError),
                    ..hit
                },
                r#"janua; hit; ttl=-5; detail="upstream-error""#,
            ),
            (
                CacheStatus {
                    named: Some(Named::Rule("assets")),
                    ..hit
                },
                r#"janua; hit; ttl=30; detail="rule:assets""#,
            ),
            (miss, "janua; fwd=uri-miss"),
            (
                CacheStatus {
                    stored: true,
                    collapsed: true,
                    ttl: Some(60),
                    ..miss
                },
                "janua; fwd=uri-miss; stored; collapsed; ttl=60",
            ),
            (
                CacheStatus {
                    forward: Some(Forward::Stale),
                    forward_status: Some(304),
                    stored: true,
                    detail: Some(Detail::Expired),
                    named: Some(Named::Rule("a \"b\"\\\r\n\u{e9}")),
                    ..miss
                },
                r#"janua; fwd=stale; fwd-status=304; stored; detail="expired rule:a__b______""#,
            ),
            (
                CacheStatus {
                    forward: Some(Forward::Bypass),
                    detail: Some(Detail::Bypass),
                    named: Some(Named::Bypass("session")),
                    ..miss
                },
                r#"janua; fwd=bypass; detail="bypass:session""#,
            ),
            // A hit has none of the parameters of a forwarded request (RFC 9211 §2.1).
            (
                CacheStatus {
                    stored: true,
                    forward_status: Some(200),
                    ..hit
                },
                "janua; hit; ttl=30",
            ),
        ] {
            let mut out = Vec::new();
            status.write(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), value);
        }
    }

    #[test]
    fn forwards() {
        for (detail, word) in [
            (Detail::Method, "method"),
            (Detail::Off, "bypass"),
            (Detail::RequestNoCache, "request"),
            (Detail::Expired, "stale"),
            (Detail::NoCache, "stale"),
            (Detail::Range, "partial"),
            (Detail::OnlyIfCached, "miss"),
        ] {
            assert_eq!(Forward::from(detail).word(), word, "{detail:?}");
        }
    }
}
