//! Blocks of fields (HPACK, RFC 7541) without the dynamic table.

use crate::generator::API_KEY;
use crate::tls::HOST;

// Indexes of the static table.
const AUTHORITY: usize = 1;
const GET: usize = 2;
const POST: usize = 3;
const PATH: usize = 4;
const HTTP: usize = 6;
const HTTPS: usize = 7;
const STATUS: usize = 8;
const ACCEPT: usize = 19;
const CONTENT_TYPE: usize = 31;
const USER_AGENT: usize = 58;

/// The pattern of a field that is wholly in a table.
const INDEXED: u8 = 0x80;
/// The pattern of a literal field that is added to the table.
const ADDED: u8 = 0x40;
/// The length of an index in a literal field that is not added to the table.
const NAME_BITS: u32 = 4;
/// The pattern of a change of the table's size, with which a server confirms that it uses none.
const SIZE: u8 = 0x20;

/// The head of the response to a gRPC call: `:status` and `content-type`.
pub(super) const CALL_HEAD: &[u8] = b"\x88\x0f\x10\x10application/grpc";
/// The field with the status of a gRPC call.
const GRPC_STATUS: &str = "grpc-status";
/// The same, coded by Huffman.
const GRPC_STATUS_CODED: &[u8] = b"\x9a\xca\xc8\xb2\x12\x34\xda\x8f";

/// The block of a `GET` request, with the fields that the requests of HTTP/1 have.
pub(crate) fn block(path: &str, secure: bool) -> Vec<u8> {
    request(GET, path, secure, &[(ACCEPT, "*/*")], &[])
}

/// The block of a gRPC call of this method.
pub(crate) fn call_block(path: &str, secure: bool) -> Vec<u8> {
    let kind = [(CONTENT_TYPE, "application/grpc")];
    request(POST, path, secure, &kind, &[("te", "trailers")])
}

fn request(
    method: usize,
    path: &str,
    secure: bool,
    indexed: &[(usize, &str)],
    named: &[(&str, &str)],
) -> Vec<u8> {
    let mut block = Vec::new();
    for index in [method, if secure { HTTPS } else { HTTP }] {
        integer(&mut block, INDEXED, 7, index);
    }
    let first = [(AUTHORITY, HOST), (PATH, path), (USER_AGENT, "janua-load")];
    for (index, value) in first.iter().chain(indexed) {
        integer(&mut block, 0, NAME_BITS, *index);
        string(&mut block, value);
    }
    for (name, value) in named.iter().chain(&[("x-api-key", API_KEY)]) {
        integer(&mut block, 0, NAME_BITS, 0);
        string(&mut block, name);
        string(&mut block, value);
    }
    block
}

/// The trailers of a gRPC call with this status, which has one digit.
pub(super) fn call_end(status: u8) -> Vec<u8> {
    let mut block = Vec::new();
    integer(&mut block, 0, NAME_BITS, 0);
    string(&mut block, GRPC_STATUS);
    string(&mut block, &status.to_string());
    block
}

/// True if a block has `grpc-status` with 0, in any form without the dynamic table.
pub(super) fn is_call_ok(block: &[u8]) -> bool {
    let mut rest = Rest(block);
    while let Some(&first) = rest.0.first() {
        if first & INDEXED != 0 || first & 0xe0 == SIZE {
            // The field is in the static table, which has no status of a call, or it is none.
            let bits = if first & INDEXED != 0 { 7 } else { 5 };
            if rest.integer(bits).is_none() {
                return false;
            }
            continue;
        }
        let bits = if first & ADDED != 0 { 6 } else { NAME_BITS };
        let name = match rest.integer(bits) {
            Some(0) => rest.string(),
            other => other.map(|_| &[][..]),
        };
        let (Some(name), Some(value)) = (name, rest.string()) else {
            return false;
        };
        if name == GRPC_STATUS.as_bytes() || name == GRPC_STATUS_CODED {
            // As a string, or coded by Huffman, in which it has one byte too.
            return value == b"0" || value == b"\x07";
        }
    }
    false
}

/// The rest of a block that is being read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    /// Reads a number that begins in the last bits of the first byte; `None` if it is cut, or
    /// longer than any that the measurements need.
    fn integer(&mut self, bits: u32) -> Option<usize> {
        let most = (1 << bits) - 1;
        let (&first, mut rest) = self.0.split_first()?;
        let mut number = usize::from(first) & most;
        if number == most {
            for shift in [0, 7, 14] {
                let (&byte, after) = rest.split_first()?;
                rest = after;
                number += usize::from(byte & 0x7f) << shift;
                if byte & 0x80 == 0 {
                    self.0 = rest;
                    return Some(number);
                }
            }
            return None;
        }
        self.0 = rest;
        Some(number)
    }

    /// Reads a string, and leaves it in Huffman's code if it has it.
    fn string(&mut self) -> Option<&'a [u8]> {
        let length = self.integer(7)?;
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }
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
            let mut rest = Rest(&written);
            assert_eq!(rest.integer(bits), Some(number));
            assert_eq!(rest.0, b"");
            let cut = written.len() - 1;
            assert_eq!(Rest(&written[..cut]).integer(bits), None);
        }
        assert_eq!(Rest(&[31, 255, 255, 255, 0]).integer(5), None);
    }

    #[test]
    fn the_block_of_a_call_has_its_fields() {
        let block = call_block("/a.B/C", false);
        let expected = b"\x83\x86\x01\x0cload.example\x04\x06/a.B/C\x0f\x2b\x0ajanua-load\
            \x0f\x10\x10application/grpc\x00\x02te\x08trailers\x00\x09x-api-key";
        assert!(block.starts_with(expected), "{block:?}");
    }

    #[test]
    fn the_status_of_a_call_is_recognized() {
        let coded = |pattern: u8, value: &[u8]| {
            let name = [&[pattern, 0x88], GRPC_STATUS_CODED].concat();
            [&b"\x88\x0f\x10\x10application/grpc"[..], &name, value].concat()
        };
        for (block, expected) in [
            (call_end(0), true),
            (call_end(7), false),
            (b"\x20\x00\x0bgrpc-status\x010\x00\x01a\x01b".to_vec(), true),
            (b"\x40\x0bgrpc-status\x010".to_vec(), true),
            (b"\x00\x0bgrpc-status\x0212".to_vec(), false),
            (b"\x00\x0cgrpc-message\x010".to_vec(), false),
            (b"\x00\x0bgrpc-status".to_vec(), false),
            (coded(0x10, b"\x81\x07"), true),
            (coded(0x40, b"\x010"), true),
            (coded(0x00, b"\x81\x0f"), false),
            (CALL_HEAD.to_vec(), false),
            (b"\xff".to_vec(), false),
            (Vec::new(), false),
        ] {
            assert_eq!(is_call_ok(&block), expected, "{block:?}");
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
