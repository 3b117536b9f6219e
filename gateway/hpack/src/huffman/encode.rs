//! Encoding.

use super::{GROUPS, LENGTHS, LONGEST};

/// The code of each byte, in the low bits.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a bad index does not compile"
)]
const CODES: [u32; 256] = {
    let mut codes = [0; 256];
    let mut used = [0; LONGEST + 1];
    let mut symbol = 0;
    while symbol < codes.len() {
        let length = LENGTHS[symbol] as usize;
        codes[symbol] = GROUPS[length].first + used[length];
        used[length] += 1;
        symbol += 1;
    }
    codes
};

/// The length of `text` once it is encoded, in bytes.
#[inline]
pub(crate) fn encoded_len(text: &[u8]) -> usize {
    let bits: usize = text
        .iter()
        .map(|&byte| usize::from(LENGTHS.get(usize::from(byte)).copied().unwrap_or(0)))
        .sum();
    bits.div_ceil(8)
}

/// Appends `text`, encoded, and padded with ones.
#[inline]
pub(crate) fn encode(text: &[u8], out: &mut Vec<u8>) {
    // The low `count` bits are to be written; there are less than 32 between two bytes of the
    // text, so that no code is too long.
    let mut bits = 0_u64;
    let mut count = 0_u32;
    for &byte in text {
        let symbol = usize::from(byte);
        let code = CODES.get(symbol).copied().unwrap_or(0);
        let length = u32::from(LENGTHS.get(symbol).copied().unwrap_or(0));
        bits = bits << length | u64::from(code);
        count += length;
        if count >= 32 {
            count -= 32;
            out.extend_from_slice(&((bits >> count) as u32).to_be_bytes());
        }
    }
    while count > 0 {
        let byte = match count.checked_sub(8) {
            Some(after) => {
                count = after;
                (bits >> after) as u8
            }
            None => {
                let padding = 8 - count;
                count = 0;
                (bits << padding) as u8 | ((1 << padding) - 1) as u8
            }
        };
        out.push(byte);
    }
}
