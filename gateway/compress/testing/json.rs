//! A typical compressible body, for tests, benchmarks and measurements.

use std::fmt::Write as _;

/// A JSON list of distinct objects, as an API returns.
pub(crate) fn json(size: usize) -> Vec<u8> {
    let mut text = String::from("[");
    let mut n = 0_u64;
    while text.len() < size {
        let noise = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let _ = write!(
            text,
            r#"{{"id":{n},"token":"{noise:016x}","name":"user {}","active":{}}},"#,
            noise % 1000,
            n.is_multiple_of(3)
        );
        n += 1;
    }
    text.truncate(size);
    text.into_bytes()
}
