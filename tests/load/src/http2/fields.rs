//! Blocks of fields (HPACK, RFC 7541) without the dynamic table.

use crate::generator::API_KEY;
use crate::tls::HOST;

// Indexes of the static table.
const AUTHORITY: usize = 1;
const GET: usize = 2;
const PATH: usize = 4;
const HTTP: usize = 6;
const HTTPS: usize = 7;
const STATUS: usize = 8;
const ACCEPT: usize = 19;
const USER_AGENT: usize = 58;

/// The pattern of a field that is wholly in a table.
const INDEXED: u8 = 0x80;
/// The length of an index in a literal field that is not added to the table.
const NAME_BITS: u32 = 4;
/// The pattern of a change of the table's size, with which a server confirms that it uses none.
const SIZE: u8 = 0x20;

/// The block of a `GET` request, with the fields that the requests of HTTP/1 have.
pub(crate) fn block(path: &str, secure: bool) -> Vec<u8> {
    let mut block = Vec::new();
    for index in [GET, if secure { HTTPS } else { HTTP }] {
        integer(&mut block, INDEXED, 7, index);
    }
    for (index, value) in [
        (AUTHORITY, HOST),
        (PATH, path),
        (USER_AGENT, "janua-load"),
        (ACCEPT, "*/*"),
    ] {
        integer(&mut block, 0, NAME_BITS, index);
        string(&mut block, value);
    }
    integer(&mut block, 0, NAME_BITS, 0);
    string(&mut block, "x-api-key");
    string(&mut block, API_KEY);
    block
}

/// Appends a number whose first byte has this pattern above `bits` bits of the number.
fn integer(block: &mut Vec<u8>, pattern: u8, bits: u32, number: usize) {
    let most = (1 << bits) - 1;
    if number < most {
        block.push(pattern | number as u8);
        return;
    }
    block.push(pattern | most as u8);
    let mut rest = number - most;
    while rest >= 0x80 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
}

/// Appends a string without Huffman's code.
fn string(block: &mut Vec<u8>, text: &str) {
    integer(block, 0, 7, text.len());
    block.extend_from_slice(text.as_bytes());
}

/// True if the first field of a response's block is `:status` with 200, in any of its forms.
pub(super) fn is_ok(block: &[u8]) -> bool {
    let start = block.iter().position(|byte| byte & 0xe0 != SIZE);
    let block = block.get(start.unwrap_or_default()..).unwrap_or_default();
    let Some((&first, value)) = block.split_first() else {
        return false;
    };
    // Once in the static table; then as a literal with its name from there, which may ask to
    // be added to the table or never to be.
    let literal = [0, 0x10, 0x40].contains(&(first & !0x0f)) && first & 0x0f == STATUS as u8;
    first == INDEXED | STATUS as u8
        || literal && (value.starts_with(b"\x03200") || value.starts_with(b"\x82\x10\x01"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_the_fields_of_a_request() {
        let block = block("/1k", true);
        // The fields before `user-agent`, whose index needs a second byte.
        let expected = b"\x82\x87\x01\x0cload.example\x04\x03/1k\x0f\x2b\x0ajanua-load";
        assert!(block.starts_with(expected), "{block:?}");
        assert!(block.ends_with(b"\x00\x09x-api-key\x0ejanua-load-key"));
    }

    #[test]
    fn numbers_are_those_of_the_standard() {
        for (bits, number, expected) in [
            (5, 10, &[10][..]),
            (5, 1337, &[31, 154, 10]),
            (8, 42, &[42]),
            (7, 127, &[127, 0]),
        ] {
            let mut written = Vec::new();
            integer(&mut written, 0, bits, number);
            assert_eq!(written, expected, "{number}");
        }
    }

    #[test]
    fn a_status_is_recognized() {
        for (block, expected) in [
            (&b"\x88"[..], true),
            (b"\x20\x88\x5f", true),
            (b"\x08\x03200\x88", true),
            (b"\x48\x82\x10\x01", true),
            (b"\x18\x03200", true),
            (b"\x8d", false),
            (b"\x08\x03503", false),
            (b"\x5f\x03200", false),
            (b"\x20", false),
            (b"", false),
        ] {
            assert_eq!(is_ok(block), expected, "{block:?}");
        }
    }
}
