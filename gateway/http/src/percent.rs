//! Percent-encoding (RFC 3986 §2.1).

/// Appends `value`; bytes of which `is_plain` is false are percent-encoded.
pub(crate) fn encode(value: &[u8], is_plain: impl Fn(u8) -> bool, out: &mut Vec<u8>) {
    for &byte in value {
        match is_plain(byte) {
            true => out.push(byte),
            false => escape(byte, out),
        }
    }
}

/// Appends a byte percent-encoded, in upper case.
pub(crate) fn escape(byte: u8, out: &mut Vec<u8>) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
    out.extend_from_slice(&[b'%', digit(byte >> 4), digit(byte & 15)]);
}

/// The value of a hexadecimal digit.
#[must_use]
pub fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}
