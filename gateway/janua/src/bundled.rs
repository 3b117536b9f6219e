//! The bundled policies, embedded in the binary.

/// The names that [`component`] knows.
pub(crate) const NAMES: [&str; 3] = ["api-key", "headers", "rate-limit"];

/// The component of this name.
pub(crate) fn component(name: &str) -> Option<&'static [u8]> {
    Some(match name {
        "api-key" => include_bytes!(concat!(env!("OUT_DIR"), "/api_key.wasm")),
        "headers" => include_bytes!(concat!(env!("OUT_DIR"), "/headers.wasm")),
        "rate-limit" => include_bytes!(concat!(env!("OUT_DIR"), "/rate_limit.wasm")),
        _ => return None,
    })
}
