//! Decoding: eight bits at once select the symbol. Nearly all characters of fields have codes of
//! at most eight bits. The tables take a kilobyte, so that they do not displace much else from
//! the processor's cache.

use super::{GROUPS, LENGTHS, LONGEST, SYMBOLS};
use crate::Error;

/// The bits that select an entry of [`SHORT`].
const SHORT_BITS: usize = 8;

/// A symbol and the length of its code, for each sequence of eight bits that begins with such a
/// code. The length is 0 if the code is longer.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a bad index does not compile"
)]
const SHORT: [(u8, u8); 1 << SHORT_BITS] = {
    let mut short = [(0, 0); 1 << SHORT_BITS];
    let mut next = 0;
    let mut rank = 0;
    while rank < BY_CODE.len() {
        let length = LENGTHS[BY_CODE[rank] as usize];
        rank += 1;
        if length as usize > SHORT_BITS {
            break;
        }
        let end = next + (1 << (SHORT_BITS - length as usize));
        while next < end {
            short[next] = (BY_CODE[rank - 1], length);
            next += 1;
        }
    }
    short
};

/// All bytes in the order of their codes. EOS would be the last symbol.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a bad index does not compile"
)]
const BY_CODE: [u8; SYMBOLS - 1] = {
    let mut by_code = [0; SYMBOLS - 1];
    let mut used = [0; LONGEST + 1];
    let mut symbol = 0;
    while symbol < by_code.len() {
        let length = LENGTHS[symbol] as usize;
        by_code[GROUPS[length].before + used[length]] = symbol as u8;
        used[length] += 1;
        symbol += 1;
    }
    by_code
};

/// Decodes `coded`, and appends the result to `out`: at most eight bytes for five.
///
/// # Errors
/// The padding is not valid, or the text contains EOS. `out` has a part of the result then.
#[inline]
pub(crate) fn decode(coded: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    out.reserve(coded.len() / 5 * 8 + 8);
    // The high `count` bits have been read and not been decoded.
    let mut bits = 0_u64;
    let mut count = 0_u32;
    let (words, last) = coded.as_chunks::<4>();
    for word in words {
        // `count` is less than 32.
        bits |= u64::from(u32::from_be_bytes(*word)) << (32 - count);
        count += 32;
        while count >= 32 {
            let (symbol, length) = first_symbol(bits)?;
            out.push(symbol);
            bits <<= length;
            count -= length;
        }
    }
    for &byte in last {
        bits |= u64::from(byte) << (56 - count);
        count += 8;
    }
    decode_last(bits, count, out)
}

/// Decodes the last `count` bits, at most 55, which are the high ones.
fn decode_last(mut bits: u64, mut count: u32, out: &mut Vec<u8>) -> Result<(), Error> {
    // Ones follow, as if the padding had no end.
    bits |= u64::MAX >> count;
    while bits != u64::MAX || count >= 8 {
        let (symbol, length) = match first_symbol(bits) {
            Err(_) if count < LONGEST as u32 => return Err(Error::Padding),
            other => other?,
        };
        count = count.checked_sub(length).ok_or(Error::Padding)?;
        out.push(symbol);
        bits = !(!bits << length);
    }
    Ok(())
}

/// The symbol with whose code the high bits begin, and the length of the code in bits.
#[inline(always)]
fn first_symbol(bits: u64) -> Result<(u8, u32), Error> {
    let high = (bits >> (64 - SHORT_BITS)) as usize;
    match SHORT.get(high) {
        Some(&(symbol, length)) if length > 0 => Ok((symbol, u32::from(length))),
        _ => first_long_symbol((bits >> 32) as u32),
    }
}

/// The same for a code that is longer than [`SHORT_BITS`].
#[cold]
fn first_long_symbol(bits: u32) -> Result<(u8, u32), Error> {
    for (length, group) in GROUPS.iter().enumerate().skip(SHORT_BITS + 1) {
        // The code of a longer one is larger than all codes of this length.
        let place = (bits >> (32 - length)).wrapping_sub(group.first);
        if place < group.count {
            let symbol = BY_CODE.get(group.before + place as usize);
            let symbol = symbol.ok_or(Error::EndOfString)?;
            return Ok((*symbol, length as u32));
        }
    }
    Err(Error::EndOfString)
}
