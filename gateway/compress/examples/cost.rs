//! Measures the cost of each level: memory per stream, throughput, and the
//! compressed size. The tables in `docs/files.md` and in `levels` come from
//! here.
//!
//! ```sh
//! cargo run --release -p janua-compress --example cost
//! ```

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a measurement that cannot be taken has nothing to go on with"
)]

#[path = "../testing/json.rs"]
mod json;

use std::env;
use std::fs;
use std::process::Command;
use std::time::Instant;

use janua_compress::{Coding, Encoder, Levels, whole};

use json::json;

/// The number of concurrent streams, so that the rest of the process does not
/// matter.
const STREAMS: usize = 24;
/// Larger than every window, in bytes.
const BODY: usize = 3 << 20;
/// The bytes encoded between two readings of the clock.
const SLICE: usize = 32 << 10;

fn main() {
    let body = json(BODY);
    let asked: Vec<String> = env::args().skip(1).collect();
    if let [coding, level] = asked.as_slice() {
        let coding = Coding::of(coding.as_bytes()).expect("a coding");
        let level = level.parse().expect("a level");
        println!("{}", memory(coding, all(level), &body));
        return;
    }
    println!("coding level  KiB/stream  stream MB/s  longest step ms  whole MB/s  left %");
    for coding in [Coding::Gzip, Coding::Brotli, Coding::Zstd] {
        for level in Levels::lowest(coding)..=Levels::highest(coding) {
            let levels = all(level);
            let memory = memory_apart(coding, level);
            let (speed, longest) = stream(coding, levels, &body);
            let begin = Instant::now();
            let coded = whole(coding, levels, &body).expect("it is coded");
            let at_hand = body.len() as f64 / 1e6 / begin.elapsed().as_secs_f64();
            let left = coded.len() as f64 / body.len() as f64 * 100.0;
            println!(
                "{:6} {level:5} {memory:11} {speed:12.1} {longest:16.1} {at_hand:11.1} {left:7.2}",
                coding.token()
            );
        }
    }
}

fn all(level: u8) -> Levels {
    Levels {
        gzip: level,
        br: level,
        zstd: level,
    }
}

/// Measures in a separate process, which reuses no memory freed earlier.
fn memory_apart(coding: Coding, level: u8) -> usize {
    let program = env::current_exe().expect("this program");
    let mut command = Command::new(program);
    let output = command.args([coding.token(), &level.to_string()]).output();
    let text = String::from_utf8(output.expect("it runs").stdout).expect("digits");
    text.trim().parse().expect("a number")
}

/// KiB held by one stream in the middle of a body of unknown length.
fn memory(coding: Coding, levels: Levels, body: &[u8]) -> usize {
    let mut encoders = Vec::with_capacity(STREAMS);
    let mut out = Vec::with_capacity(BODY);
    let before = resident();
    // Past the window, but no longer than necessary.
    let part = body.get(..768 << 10).unwrap_or(body);
    for _ in 0..STREAMS {
        let mut encoder = Encoder::new(coding, levels).expect("it starts");
        for slice in part.chunks(SLICE) {
            out.clear();
            encoder.write(slice, &mut out).expect("it takes all");
        }
        encoders.push(encoder);
    }
    resident().saturating_sub(before) / STREAMS
}

/// Megabytes per second, and the duration of the longest step in milliseconds.
fn stream(coding: Coding, levels: Levels, body: &[u8]) -> (f64, f64) {
    let mut encoder = Encoder::new(coding, levels).expect("it starts");
    let mut out = Vec::with_capacity(BODY);
    let begin = Instant::now();
    let mut longest = 0.0_f64;
    for slice in body.chunks(SLICE) {
        let step = Instant::now();
        encoder.write(slice, &mut out).expect("it takes all");
        longest = longest.max(step.elapsed().as_secs_f64() * 1e3);
    }
    encoder.finish(&mut out).expect("it ends");
    (
        body.len() as f64 / 1e6 / begin.elapsed().as_secs_f64(),
        longest,
    )
}

/// Memory of the process in KiB.
fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_usize) * 4
}
