//! The bodies of gRPC-Web: [`Decoder`] of the text form, and [`Encoder`] of responses.

use janua_http::Fields;
use janua_http::grpc_web::{Decoder, Encoder, Form};

pub(crate) const WORDS: &[&str] = &[
    "AAAAAAE=",
    "AAAAAAVoZWxsbw==",
    "aGVs",
    "aA==",
    "aGU=",
    "====",
    "aB==",
    "-_-_",
    "\0\0\0\0\u{1}a",
    "\0\0\0\0\0",
];

const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub(crate) fn run(input: &[u8]) {
    let whole = decode(input, usize::MAX);
    assert_eq!(whole, reference(input), "reference");
    for step in [1, 2, 3, 7, 64] {
        assert_eq!(decode(input, step), whole, "{step} bytes at a time");
    }
    for step in [1, 5, 64, usize::MAX] {
        check_response(input, step);
    }
}

/// Decodes with at most `step` bytes at a time; none if the text is refused.
fn decode(input: &[u8], step: usize) -> Option<Vec<u8>> {
    let mut decoder = Decoder::default();
    let mut data = Vec::new();
    for piece in input.chunks(step) {
        data.extend(decoder.decode(piece).ok()?);
    }
    decoder.finish().ok().map(|()| data)
}

/// What the text stands for, found in the simplest way: group by group.
fn reference(input: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    for group in input.chunks(4) {
        let digits = group.iter().take_while(|&&byte| byte != b'=');
        let digits: Option<Vec<u32>> = digits.map(|&byte| digit(byte)).collect();
        let digits = digits?;
        let is_padded = group[digits.len()..].iter().all(|&byte| byte == b'=');
        if group.len() != 4 || digits.len() < 2 || !is_padded {
            return None;
        }
        let places = [18, 12, 6, 0];
        let bits = digits
            .iter()
            .zip(places)
            .map(|(digit, place)| digit << place);
        let bytes = bits.sum::<u32>().to_be_bytes();
        let (decoded, rest) = bytes[1..].split_at(digits.len() - 1);
        if rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        data.extend_from_slice(decoded);
    }
    Some(data)
}

fn digit(byte: u8) -> Option<u32> {
    let at = ALPHABET.iter().position(|&digit| digit == byte)?;
    u32::try_from(at).ok()
}

/// A response in pieces of any size consists of the same bytes in both forms: those of the server,
/// and behind whole messages a frame.
fn check_response(input: &[u8], step: usize) {
    let binary = encode(Form::Binary, input, step);
    let text = encode(Form::Text, input, step);
    let decoded = text.map(|text| decode(&text, 9).expect("text can be decoded"));
    assert_eq!(decoded, binary, "both forms");
    assert_eq!(binary.is_some(), is_whole(input), "whole messages");
    if let Some(binary) = binary {
        let frame = binary.strip_prefix(input).expect("the server's bytes");
        assert_eq!(frame, b"\x80\0\0\0\x10grpc-status: 0\r\n");
    }
}

fn encode(form: Form, input: &[u8], step: usize) -> Option<Vec<u8>> {
    let mut encoder = Encoder::new(form, &Fields::default());
    let mut body = Vec::new();
    for piece in input.chunks(step) {
        body.extend_from_slice(&encoder.data(piece));
    }
    let mut trailers = Fields::default();
    trailers.append(b"Grpc-Status", b"0");
    assert_eq!(encoder.size(), body.len() as u64, "size");
    body.extend_from_slice(&encoder.end(&trailers)?);
    Some(body)
}

/// True if the bytes are messages, each behind a flag and its length.
fn is_whole(mut input: &[u8]) -> bool {
    while let [_, a, b, c, d, rest @ ..] = input {
        let length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        let Some(rest) = rest.get(length..) else {
            return false;
        };
        input = rest;
    }
    input.is_empty()
}
