//! Decodes content codings with the codec crates.

use std::io::Read as _;

use janua_tests::Response;
use zstd_safe::{DCtx, InBuffer, OutBuffer};

/// The decoded body of a response; fails if the coding is not complete.
pub(crate) fn body_of(response: &Response) -> Vec<u8> {
    let coding = response.header("content-encoding").unwrap_or_default();
    let (body, is_whole) = decode(coding, &response.body);
    assert!(is_whole, "the {coding} body has no end");
    body
}

/// What can be decoded of the start of a coded body.
pub(crate) fn so_far(coding: &str, bytes: &[u8]) -> Vec<u8> {
    decode(coding, bytes).0
}

/// What can be decoded, and whether it is complete.
pub(crate) fn decode(coding: &str, bytes: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let is_whole = match coding {
        "" => {
            out.extend_from_slice(bytes);
            true
        }
        "gzip" => {
            let mut decoder = flate2::bufread::GzDecoder::new(bytes);
            decoder.read_to_end(&mut out).is_ok() && decoder.into_inner().is_empty()
        }
        "br" => brotli::Decompressor::new(bytes, 4096)
            .read_to_end(&mut out)
            .is_ok(),
        "zstd" => zstd(bytes, &mut out),
        coding => panic!("no coding of ours: {coding}"),
    };
    (out, is_whole)
}

fn zstd(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let mut context = DCtx::create();
    let mut input = InBuffer::around(bytes);
    let mut room = vec![0; 128 * 1024];
    loop {
        let mut output = OutBuffer::around(room.as_mut_slice());
        let left = context.decompress_stream(&mut output, &mut input);
        let written = output.pos();
        out.extend_from_slice(&room[..written]);
        match left {
            Err(_) => return false,
            Ok(0) => return input.pos() == bytes.len(),
            Ok(_) if written == 0 && input.pos() == bytes.len() => return false,
            Ok(_) => {}
        }
    }
}

/// This many bytes of text that repeats itself, as real text does.
pub(crate) fn text(size: usize) -> String {
    let lines =
        (0..).map(|n: usize| format!("line {n} of {} is {}\n", n * 7919 % 1000, n * n % 97));
    let mut text = String::with_capacity(size + 64);
    for line in lines {
        if text.len() >= size {
            break;
        }
        text.push_str(&line);
    }
    text.truncate(size);
    text
}
