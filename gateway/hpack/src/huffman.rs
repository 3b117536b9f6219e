//! The Huffman code of strings (RFC 7541 §5.2 and appendix B).
//!
//! The code is canonical: ordered by length, and by symbol among those of one length, the codes
//! are consecutive numbers. So the lengths alone define it, and all tables are computed from
//! them at compile time.

mod decode;
mod encode;

pub(crate) use decode::decode;
pub(crate) use encode::{encode, encoded_len};

/// The number of symbols: all bytes, and the end of the string (EOS).
const SYMBOLS: usize = 257;

/// The length of the longest code, in bits.
const LONGEST: usize = 30;

/// The length of the code of each symbol, in bits.
#[rustfmt::skip]
const LENGTHS: [u8; SYMBOLS] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];

/// The codes of one length.
#[derive(Clone, Copy)]
struct Group {
    /// The first code, in the low bits.
    first: u32,
    /// How many codes there are.
    count: u32,
    /// The symbols of shorter codes.
    before: usize,
}

/// The codes of each length in bits, from 0.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, where a bad index does not compile"
)]
const GROUPS: [Group; LONGEST + 1] = {
    let none = Group {
        first: 0,
        count: 0,
        before: 0,
    };
    let mut groups = [none; LONGEST + 1];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        groups[LENGTHS[symbol] as usize].count += 1;
        symbol += 1;
    }
    let mut length = 1;
    while length <= LONGEST {
        let shorter = groups[length - 1];
        groups[length].first = (shorter.first + shorter.count) << 1;
        groups[length].before = shorter.before + shorter.count as usize;
        length += 1;
    }
    // The code is complete: the last one is all ones, and it is that of EOS.
    let last = groups[LONGEST];
    assert!(last.first + last.count == 1 << LONGEST);
    groups
};

#[cfg(test)]
mod tests;
