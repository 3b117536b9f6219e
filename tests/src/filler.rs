//! Large bodies that can be checked without a second copy.

/// `size` bytes of an endless pseudo-random sequence, from `offset` on. No two
/// parts of the sequence are alike, so that lost or repeated bytes are
/// detected.
#[must_use]
pub fn filler(offset: usize, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    let mut word = offset / 8;
    bytes.extend_from_slice(&mixed(word)[offset % 8..]);
    while bytes.len() < size {
        word += 1;
        bytes.extend_from_slice(&mixed(word));
    }
    bytes.truncate(size);
    bytes
}

/// The first position at which `bytes` differs from the sequence that starts at
/// `offset`.
#[must_use]
pub fn filler_difference(offset: usize, bytes: &[u8]) -> Option<usize> {
    let expected = filler(offset, bytes.len());
    (0..bytes.len()).find(|&at| bytes[at] != expected[at])
}

/// The finaliser of splitmix64.
fn mixed(word: usize) -> [u8; 8] {
    let mut z = (word as u64).wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_fit_together() {
        let whole = filler(0, 100);
        for (offset, size) in [(0, 100), (1, 99), (8, 8), (13, 50), (100, 0)] {
            assert_eq!(filler(offset, size), whole[offset..offset + size]);
        }
        assert_eq!(filler_difference(3, &whole[3..]), None);
        assert_eq!(filler_difference(4, &whole[3..]), Some(0));
    }
}
