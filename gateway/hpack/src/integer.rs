//! Integers, which begin in the low bits of a byte and go on in further bytes if they do not
//! fit there (RFC 7541 §5.1).

use crate::Error;

/// The most bytes that follow the first one. They hold 28 bits, which is more than the length of
/// a block or the size of a table can be. A limit is needed, because zeros may follow without
/// end (RFC 7541 §7.4).
const MAX_FURTHER_BYTES: u32 = 4;

/// Reads an integer from the front of `block`, the first byte of which holds `prefix` bits of it
/// (1 to 8), and moves `block` beyond it.
///
/// # Errors
/// The block ends within the integer, or that has more than five bytes.
#[inline]
pub(crate) fn read(block: &mut &[u8], prefix: u32) -> Result<usize, Error> {
    let (&first, rest) = block.split_first().ok_or(Error::Truncated)?;
    let mask = (1 << prefix) - 1;
    let start = usize::from(first) & mask;
    *block = rest;
    if start < mask {
        return Ok(start);
    }
    read_further(block, start)
}

fn read_further(block: &mut &[u8], start: usize) -> Result<usize, Error> {
    let mut value = start;
    for place in 0..MAX_FURTHER_BYTES {
        let (&byte, rest) = block.split_first().ok_or(Error::Truncated)?;
        *block = rest;
        value += usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(Error::IntegerTooLarge)
}

/// Appends an integer, the first byte of which holds `prefix` bits of it (1 to 8), beside the
/// other bits of `first`.
#[inline]
pub(crate) fn write(value: usize, prefix: u32, first: u8, out: &mut Vec<u8>) {
    let mask = (1 << prefix) - 1;
    if value < mask {
        out.push(first | value as u8);
        return;
    }
    out.push(first | mask as u8);
    let mut rest = value - mask;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541, appendix C.1, and the limits.
    #[test]
    fn examples_are_read_and_written() {
        let table: [(usize, u32, &[u8]); 8] = [
            (10, 5, &[0x0a]),
            (1337, 5, &[0x1f, 0x9a, 0x0a]),
            (42, 8, &[0x2a]),
            (30, 5, &[0x1e]),
            (31, 5, &[0x1f, 0x00]),
            (127, 7, &[0x7f, 0x00]),
            (255, 7, &[0x7f, 0x80, 0x01]),
            ((1 << 28) - 1 + 15, 4, &[0x0f, 0xff, 0xff, 0xff, 0x7f]),
        ];
        for (value, prefix, bytes) in table {
            let mut written = Vec::new();
            write(value, prefix, 0, &mut written);
            assert_eq!(written, bytes, "{value}");
            written.push(7);
            let mut rest = &*written;
            assert_eq!(read(&mut rest, prefix), Ok(value));
            assert_eq!(rest, [7]);
            for cut in 0..bytes.len() {
                assert_eq!(read(&mut &bytes[..cut], prefix), Err(Error::Truncated));
            }
        }
    }

    #[test]
    fn zeros_may_follow_up_to_the_limit() {
        let mut block: &[u8] = &[0x1f, 0x81, 0x80, 0x80, 0x00];
        assert_eq!(read(&mut block, 5), Ok(32));
        for last in [0x00, 0x01, 0x7f] {
            let mut block: &[u8] = &[0x1f, 0x80, 0x80, 0x80, 0x80, last];
            assert_eq!(read(&mut block, 5), Err(Error::IntegerTooLarge));
        }
    }

    #[test]
    fn other_bits_of_the_first_byte_are_kept() {
        let mut written = Vec::new();
        write(2, 7, 0x80, &mut written);
        write(64, 6, 0x40, &mut written);
        assert_eq!(written, [0x82, 0x7f, 0x01]);
        let mut block = &*written;
        assert_eq!(read(&mut block, 7), Ok(2));
        assert_eq!(read(&mut block, 6), Ok(64));
    }
}
