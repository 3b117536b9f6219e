//! The fields that the gateway itself interprets.

use super::Tag;
use super::name::is_same;

/// A field that the gateway itself interprets. It is identified once, when the field is
/// stored, so that later steps compare a byte and not a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Any other field.
    Other,
    /// `Connection` (RFC 9110 §7.6.1).
    Connection,
    /// `Content-Length` (RFC 9110 §8.6).
    ContentLength,
    /// `Date` (RFC 9110 §6.6.1).
    Date,
    /// `Expect` (RFC 9110 §10.1.1).
    Expect,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `Host` (RFC 9110 §7.2).
    Host,
    /// `Keep-Alive`, hop-by-hop by convention.
    KeepAlive,
    /// `Proxy-Connection`, hop-by-hop by convention.
    ProxyConnection,
    /// `TE` (RFC 9110 §10.1.4).
    Te,
    /// `Trailer` (RFC 9110 §6.6.2).
    Trailer,
    /// `Transfer-Encoding` (RFC 9112 §6.1).
    TransferEncoding,
    /// `Upgrade` (RFC 9110 §7.8).
    Upgrade,
    /// `X-Forwarded-For`.
    XForwardedFor,
    /// `X-Forwarded-Host`.
    XForwardedHost,
    /// `X-Forwarded-Proto`.
    XForwardedProto,
    /// `X-Real-IP`.
    XRealIp,
}

/// The tags of all known fields.
const TAGS: u64 = {
    let mut tags = 0;
    let mut rest: &[Known] = &Known::ALL;
    while let [known, others @ ..] = rest {
        tags |= Tag::of(known.name()).bit();
        rest = others;
    }
    tags
};

impl Known {
    /// All known fields.
    pub(crate) const ALL: [Self; 16] = [
        Self::Connection,
        Self::ContentLength,
        Self::Date,
        Self::Expect,
        Self::Forwarded,
        Self::Host,
        Self::KeepAlive,
        Self::ProxyConnection,
        Self::Te,
        Self::Trailer,
        Self::TransferEncoding,
        Self::Upgrade,
        Self::XForwardedFor,
        Self::XForwardedHost,
        Self::XForwardedProto,
        Self::XRealIp,
    ];

    /// The known field with this name, in any letter case.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        Self::tagged(name, Tag::of(name))
    }

    /// The same, for a name whose tag is known.
    #[inline]
    pub(super) fn tagged(name: &[u8], tag: Tag) -> Self {
        if tag.bit() & TAGS == 0 {
            return Self::Other;
        }
        Self::find(name)
    }

    fn find(name: &[u8]) -> Self {
        // Length and last letter leave one candidate at most.
        let last = name.last().map_or(0, u8::to_ascii_lowercase);
        let candidate = match (name.len(), last) {
            (2, b'e') => Self::Te,
            (4, b't') => Self::Host,
            (4, b'e') => Self::Date,
            (6, b't') => Self::Expect,
            (7, b'r') => Self::Trailer,
            (7, b'e') => Self::Upgrade,
            (9, b'p') => Self::XRealIp,
            (9, b'd') => Self::Forwarded,
            (10, b'n') => Self::Connection,
            (10, b'e') => Self::KeepAlive,
            (14, b'h') => Self::ContentLength,
            (15, b'r') => Self::XForwardedFor,
            (16, b'n') => Self::ProxyConnection,
            (16, b't') => Self::XForwardedHost,
            (17, b'g') => Self::TransferEncoding,
            (17, b'o') => Self::XForwardedProto,
            _ => return Self::Other,
        };
        if is_same(name, candidate.name()) {
            candidate
        } else {
            Self::Other
        }
    }

    /// The name in its usual spelling; empty for [`Self::Other`].
    #[must_use]
    pub const fn name(self) -> &'static [u8] {
        match self {
            Self::Other => b"",
            Self::Connection => b"Connection",
            Self::ContentLength => b"Content-Length",
            Self::Date => b"Date",
            Self::Expect => b"Expect",
            Self::Forwarded => b"Forwarded",
            Self::Host => b"Host",
            Self::KeepAlive => b"Keep-Alive",
            Self::ProxyConnection => b"Proxy-Connection",
            Self::Te => b"TE",
            Self::Trailer => b"Trailer",
            Self::TransferEncoding => b"Transfer-Encoding",
            Self::Upgrade => b"Upgrade",
            Self::XForwardedFor => b"X-Forwarded-For",
            Self::XForwardedHost => b"X-Forwarded-Host",
            Self::XForwardedProto => b"X-Forwarded-Proto",
            Self::XRealIp => b"X-Real-IP",
        }
    }

    /// True for hop-by-hop fields, including `Transfer-Encoding`: they concern one connection or
    /// the framing of one message, and are never forwarded (RFC 9110 §7.6.1). `Trailer` is not
    /// among them, because it announces fields that are forwarded.
    #[must_use]
    pub fn is_hop_by_hop(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::KeepAlive
                | Self::ProxyConnection
                | Self::Te
                | Self::TransferEncoding
                | Self::Upgrade
        )
    }
}
