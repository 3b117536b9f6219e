//! What a typical request of a browser and a typical response cost, each as the first block of a
//! connection and as a later one, whose fields the dynamic table has.

use std::hint::black_box;
use std::ops::ControlFlow;

use divan::Bencher;
use janua_hpack::{DEFAULT_TABLE_SIZE, Decoder, Encoder, Indexing};

fn main() {
    divan::main();
}

const REQUEST: &[(&str, &str)] = &[
    (":method", "GET"),
    (":scheme", "https"),
    (":authority", "www.example.com"),
    (":path", "/assets/application-6b2f0b3c.css?v=3"),
    (
        "sec-ch-ua",
        "\"Chromium\";v=\"142\", \"Not_A Brand\";v=\"99\"",
    ),
    ("sec-ch-ua-mobile", "?0"),
    ("sec-ch-ua-platform", "\"Linux\""),
    (
        "user-agent",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) \
         Chrome/142.0.0.0 Safari/537.36",
    ),
    ("accept", "text/css,*/*;q=0.1"),
    ("sec-fetch-site", "same-origin"),
    ("sec-fetch-mode", "no-cors"),
    ("sec-fetch-dest", "style"),
    ("referer", "https://www.example.com/articles/2026/"),
    ("accept-encoding", "gzip, deflate, br, zstd"),
    ("accept-language", "en-GB,en;q=0.9"),
    ("cookie", "session=0123456789abcdef0123456789abcdef"),
];

const RESPONSE: &[(&str, &str)] = &[
    (":status", "200"),
    ("Date", "Fri, 27 Nov 2026 10:00:00 GMT"),
    ("Content-Type", "text/css; charset=utf-8"),
    ("Content-Length", "18231"),
    ("Last-Modified", "Thu, 26 Nov 2026 12:34:56 GMT"),
    ("ETag", "\"6b2f0b3c-4737\""),
    ("Cache-Control", "public, max-age=31536000, immutable"),
    ("Vary", "accept-encoding"),
    ("Server", "janua"),
];

fn encode(encoder: &mut Encoder, fields: &[(&str, &str)], out: &mut Vec<u8>) {
    encoder.begin(out);
    for (name, value) in fields {
        let (name, value) = (name.as_bytes(), value.as_bytes());
        encoder.field(name, value, Indexing::of(name, value), out);
    }
}

fn decode(decoder: &mut Decoder, block: &[u8], scratch: &mut Vec<u8>) -> usize {
    let mut sum = 0;
    let result = decoder.decode(block, scratch, |field| {
        sum += black_box(field).name.len();
        ControlFlow::Continue(())
    });
    black_box(result.is_ok());
    sum
}

/// The first block and, with the tables after it, a later one.
fn blocks(fields: &[(&str, &str)]) -> [Vec<u8>; 2] {
    let mut encoder = Encoder::new();
    [(); 2].map(|()| {
        let mut block = Vec::new();
        encode(&mut encoder, fields, &mut block);
        block
    })
}

fn bench_encode(bencher: Bencher<'_, '_>, fields: &[(&str, &str)], is_first: bool) {
    let mut out = Vec::with_capacity(4096);
    if is_first {
        bencher
            .with_inputs(Encoder::new)
            .bench_local_refs(|encoder| {
                out.clear();
                encode(encoder, black_box(fields), &mut out);
            });
    } else {
        let mut encoder = Encoder::new();
        bencher.bench_local(|| {
            out.clear();
            encode(&mut encoder, black_box(fields), &mut out);
        });
    }
}

fn bench_decode(bencher: Bencher<'_, '_>, fields: &[(&str, &str)], is_first: bool) {
    let [first, later] = blocks(fields);
    let mut scratch = Vec::with_capacity(4096);
    if is_first {
        bencher
            .with_inputs(|| Decoder::new(DEFAULT_TABLE_SIZE))
            .bench_local_refs(|decoder| decode(decoder, black_box(&first), &mut scratch));
    } else {
        let mut decoder = Decoder::new(DEFAULT_TABLE_SIZE);
        decode(&mut decoder, &first, &mut scratch);
        bencher.bench_local(|| decode(&mut decoder, black_box(&later), &mut scratch));
    }
}

#[divan::bench(args = [true, false])]
fn encode_request(bencher: Bencher<'_, '_>, is_first: bool) {
    bench_encode(bencher, REQUEST, is_first);
}

#[divan::bench(args = [true, false])]
fn encode_response(bencher: Bencher<'_, '_>, is_first: bool) {
    bench_encode(bencher, RESPONSE, is_first);
}

#[divan::bench(args = [true, false])]
fn decode_request(bencher: Bencher<'_, '_>, is_first: bool) {
    bench_decode(bencher, REQUEST, is_first);
}

#[divan::bench(args = [true, false])]
fn decode_response(bencher: Bencher<'_, '_>, is_first: bool) {
    bench_decode(bencher, RESPONSE, is_first);
}
