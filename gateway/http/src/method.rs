//! Properties of methods (RFC 9110 §9).

/// True if the method is idempotent (RFC 9110 §9.2.2), so that a request may be retried after
/// its connection was lost before the first byte of the response.
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
