//! The throughput of each coding at the default levels, in bytes of JSON per
//! second: for a streamed body, for a body that is complete, and for a small
//! one, where most of the cost is starting the encoder.

#![allow(
    clippy::expect_used,
    reason = "a benchmark whose encoder does not start has nothing to measure"
)]

#[path = "../testing/json.rs"]
mod json;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use janua_compress::{Coding, Encoder, Levels, whole};

use json::json;

const SIZES: [usize; 2] = [2_000, 100_000];

/// The size of one read from a connection.
const PIECE: usize = 16 << 10;

fn main() {
    divan::main();
}

fn stream(bencher: Bencher<'_, '_>, coding: Coding, size: usize) {
    let body = json(size);
    let mut out = Vec::new();
    bencher.counter(BytesCount::new(size)).bench_local(move || {
        out.clear();
        let mut encoder = Encoder::new(coding, Levels::default()).expect("starts");
        for piece in black_box(&body).chunks(PIECE) {
            encoder.write(piece, &mut out).expect("takes it");
        }
        encoder.finish(&mut out).expect("ends");
        out.len()
    });
}

fn at_hand(bencher: Bencher<'_, '_>, coding: Coding, size: usize) {
    let body = json(size);
    bencher
        .counter(BytesCount::new(size))
        .bench_local(move || whole(coding, Levels::default(), black_box(&body)));
}

#[divan::bench(args = SIZES)]
fn stream_gzip(bencher: Bencher<'_, '_>, size: usize) {
    stream(bencher, Coding::Gzip, size);
}

#[divan::bench(args = SIZES)]
fn stream_br(bencher: Bencher<'_, '_>, size: usize) {
    stream(bencher, Coding::Brotli, size);
}

#[divan::bench(args = SIZES)]
fn stream_zstd(bencher: Bencher<'_, '_>, size: usize) {
    stream(bencher, Coding::Zstd, size);
}

#[divan::bench(args = SIZES)]
fn whole_gzip(bencher: Bencher<'_, '_>, size: usize) {
    at_hand(bencher, Coding::Gzip, size);
}

#[divan::bench(args = SIZES)]
fn whole_br(bencher: Bencher<'_, '_>, size: usize) {
    at_hand(bencher, Coding::Brotli, size);
}

#[divan::bench(args = SIZES)]
fn whole_zstd(bencher: Bencher<'_, '_>, size: usize) {
    at_hand(bencher, Coding::Zstd, size);
}
