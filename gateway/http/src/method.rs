//! What the gateway needs to know of a method (RFC 9110 §9).

/// True if the method is idempotent (RFC 9110 §9.2.2), so that a request may
/// be sent again when its connection died before a byte of the answer came.
#[must_use]
pub fn is_idempotent(method: &[u8]) -> bool {
    matches!(
        method,
        b"GET" | b"HEAD" | b"OPTIONS" | b"PUT" | b"DELETE" | b"TRACE"
    )
}

/// True for methods that a gateway does not forward: `CONNECT` would open a
/// tunnel to anywhere, `TRACE` would show the fields that the gateway adds.
#[must_use]
pub fn is_refused(method: &[u8]) -> bool {
    matches!(method, b"CONNECT" | b"TRACE")
}
