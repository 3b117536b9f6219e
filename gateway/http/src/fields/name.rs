//! Compares names of fields, whose letter case does not matter (RFC 9110 §5.1).
//!
//! The names in a head are compared several times for each request, and the comparison of the
//! standard library takes one byte at a time.

/// True if two names differ in the case of ASCII letters at most.
#[inline]
#[must_use]
pub fn is_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    match (one.last_chunk(), other.last_chunk()) {
        (Some(one_end), Some(other_end)) => {
            // The end overlaps the last whole word, unless the length is a multiple of 8.
            let (words, _) = one.as_chunks();
            let (other_words, _) = other.as_chunks();
            let is_end_same = word(one_end) == word(other_end);
            is_end_same
                && words
                    .iter()
                    .zip(other_words)
                    .all(|(one, other)| word(one) == word(other))
        }
        _ => match (short(one), short(other)) {
            (Some(one), Some(other)) => one == other,
            _ => one.eq_ignore_ascii_case(other),
        },
    }
}

/// Eight bytes with their letters in lower case.
#[inline]
fn word(bytes: &[u8; 8]) -> u64 {
    lower_case(u64::from_ne_bytes(*bytes))
}

/// Four to seven bytes with their letters in lower case: the first four and the last four.
#[inline]
fn short(bytes: &[u8]) -> Option<u64> {
    let first = u64::from(u32::from_ne_bytes(*bytes.first_chunk()?));
    let last = u64::from(u32::from_ne_bytes(*bytes.last_chunk()?));
    Some(lower_case(first << 32 | last))
}

/// Makes the upper-case ASCII letters among eight bytes lower-case.
#[inline]
fn lower_case(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * ONES;
    // The additions set the high bit of each byte that is at least `A`, and of each that is
    // above `Z`; without their own high bits the bytes do not carry into each other.
    let low = bytes & !HIGH;
    let from_a = low + (0x80 - b'A' as u64) * ONES;
    let above_z = low + (0x7f - b'Z' as u64) * ONES;
    let is_upper = from_a & !above_z & !bytes & HIGH;
    // From the high bit to the bit by which the cases differ.
    bytes | is_upper >> 2
}

#[cfg(test)]
mod tests {
    use super::is_same;

    /// The same as the standard library says, for each byte at each place of each length.
    #[test]
    fn equals_the_standard_library() {
        for length in 0..20 {
            let base: Vec<u8> = (0..length).map(|at| b'a' + at as u8).collect();
            for at in 0..length {
                for byte in 0..=255 {
                    let mut one = base.clone();
                    one[at] = byte;
                    for byte in [byte ^ 0x20, byte, byte | 0x80, b'A', b'z', b'[', b'@'] {
                        let mut other = base.to_ascii_uppercase();
                        other[at] = byte;
                        let expected = one.eq_ignore_ascii_case(&other);
                        assert_eq!(is_same(&one, &other), expected, "{one:?} {other:?}");
                    }
                }
            }
            assert!(is_same(&base, &base.to_ascii_uppercase()));
            assert!(!is_same(&base, &base[..length.saturating_sub(1)]) || length == 0);
        }
    }
}
