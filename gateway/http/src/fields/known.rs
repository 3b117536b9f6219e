//! The fields that the gateway itself interprets.

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

impl Known {
    /// The known field with this name, in any letter case.
    #[must_use]
    pub fn of(name: &[u8]) -> Self {
        // Comparing the last letter first rejects nearly all other names at little cost.
        let last = name.last().map(u8::to_ascii_lowercase);
        let is = |known: &str| {
            known.as_bytes().last().copied() == last && name.eq_ignore_ascii_case(known.as_bytes())
        };
        match name.len() {
            2 if is("te") => Self::Te,
            4 if is("host") => Self::Host,
            4 if is("date") => Self::Date,
            6 if is("expect") => Self::Expect,
            7 if is("trailer") => Self::Trailer,
            7 if is("upgrade") => Self::Upgrade,
            9 if is("x-real-ip") => Self::XRealIp,
            9 if is("forwarded") => Self::Forwarded,
            10 if is("connection") => Self::Connection,
            10 if is("keep-alive") => Self::KeepAlive,
            14 if is("content-length") => Self::ContentLength,
            15 if is("x-forwarded-for") => Self::XForwardedFor,
            16 if is("proxy-connection") => Self::ProxyConnection,
            16 if is("x-forwarded-host") => Self::XForwardedHost,
            17 if is("transfer-encoding") => Self::TransferEncoding,
            17 if is("x-forwarded-proto") => Self::XForwardedProto,
            _ => Self::Other,
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
