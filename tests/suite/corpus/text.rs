//! Messages as lines of text: escaped, shortened, and without what differs from run
//! to run.

use sha2::{Digest as _, Sha256};

use super::inbox::{Body, Framing, Head};

/// Longer lines are given by their beginning, their length and a digest.
const LINE: usize = 240;
const BEGINNING: usize = 60;

/// Appends a message: each of its lines behind `mark`.
pub(crate) fn write(text: &mut String, mark: &str, head: &Head, framing: Framing, body: &Body) {
    for line in &head.0 {
        write_line(text, mark, &stable(line));
    }
    let framing = match framing {
        Framing::None => "",
        Framing::Length(_) => "body by length",
        Framing::Chunked => "body in chunks",
        Framing::UntilClose => "body until the end of the connection",
    };
    if !framing.is_empty() {
        write_line(text, &format!("{mark}{framing}: "), &stable(&body.content));
    }
    for line in &body.trailers {
        write_line(text, &format!("{mark}trailer: "), line);
    }
    if let Some(fault) = body.fault {
        write_line(
            text,
            &format!("{mark}body is not whole: "),
            fault.as_bytes(),
        );
    }
}

/// Appends bytes in one line.
pub(crate) fn write_line(text: &mut String, mark: &str, bytes: &[u8]) {
    *text += mark;
    *text += &escaped(bytes);
    *text += "\n";
}

fn escaped(bytes: &[u8]) -> String {
    if bytes.len() <= LINE {
        return bytes.escape_ascii().to_string();
    }
    let digest = Sha256::digest(bytes);
    let digest: String = digest[..8]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let beginning = bytes[..BEGINNING].escape_ascii();
    format!("{beginning}... ({} bytes, {digest})", bytes.len())
}

/// Bytes without what differs from run to run: dates of now, identifiers of requests,
/// ports, and seconds that pass meanwhile.
fn stable(bytes: &[u8]) -> Vec<u8> {
    let lower = bytes.to_ascii_lowercase();
    if lower.starts_with(b"date: ") && lower.ends_with(b" gmt") {
        return b"Date: (now)".to_vec();
    }
    if lower.starts_with(b"age: ") {
        return b"Age: (seconds)".to_vec();
    }
    let bytes = replace_run(bytes, b"", 32, u8::is_ascii_hexdigit, b"(id)");
    let bytes = replace_run(&bytes, b"127.0.0.1:", 4, u8::is_ascii_digit, b"(port)");
    if lower.starts_with(b"cache-status: ") {
        return replace_run(&bytes, b"ttl=", 1, u8::is_ascii_digit, b"(seconds)");
    }
    bytes
}

/// Replaces runs of at least `least` bytes of a kind that follow `before`.
fn replace_run(
    bytes: &[u8],
    before: &[u8],
    least: usize,
    is_of_kind: impl Fn(&u8) -> bool,
    by: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let run = bytes[at..]
            .iter()
            .take_while(|byte| is_of_kind(byte))
            .count();
        if run >= least && run <= least.max(5) && out.ends_with(before) {
            out.extend_from_slice(by);
            at += run;
        } else {
            let count = run.max(1);
            out.extend_from_slice(&bytes[at..at + count]);
            at += count;
        }
    }
    out
}
