//! The bundled policies, embedded in the binary.

/// The names that [`component`] knows.
pub(crate) const NAMES: [&str; 5] = [
    "api-key",
    "cache-rules",
    "headers",
    "rate-limit",
    "spa-fallback",
];

/// The component of this name.
pub(crate) fn component(name: &str) -> Option<&'static [u8]> {
    Some(match name {
        "api-key" => include_bytes!(concat!(env!("OUT_DIR"), "/api_key.wasm")),
        "cache-rules" => include_bytes!(concat!(env!("OUT_DIR"), "/cache_rules.wasm")),
        "headers" => include_bytes!(concat!(env!("OUT_DIR"), "/headers.wasm")),
        "rate-limit" => include_bytes!(concat!(env!("OUT_DIR"), "/rate_limit.wasm")),
        "spa-fallback" => include_bytes!(concat!(env!("OUT_DIR"), "/spa_fallback.wasm")),
        _ => return None,
    })
}
