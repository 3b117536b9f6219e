//! The chunked transfer coding: [`Decoder`], and what writes it.

use janua_http::chunked::{BadChunk, Decoder, Piece, check, write_end, write_size};
use janua_http::path::hex;
use janua_http::{Fields, Known};

use super::head::check_fields;

pub(crate) const WORDS: &[&str] = &[
    "\r\n",
    "0\r\n\r\n",
    "5\r\nhello\r\n",
    "00A\r\n, world...\r\n",
    "ffffffffffffffff",
    "10000000000000000",
    ";a=b",
    " ; a = \"b;c\"",
    "\\\"",
    "X-T: 1\r\n",
    "Content-Length: 9\r\n",
    "Set-Cookie: a=b\r\n",
];

/// How far an endless body is followed, in bytes.
const ENDLESS: usize = 96 * 1024;
/// The most bytes that the decoder may take that are neither data nor the shortest framing of
/// it: as much of extensions and zeros, and of trailers, as the module documents, and a line.
const SURPLUS: usize = 2 * 16 * 1024 + 64;

pub(crate) fn run(input: &[u8]) {
    let whole = decode(input, usize::MAX);
    for step in [1, 2, 3, 7, 64] {
        assert_eq!(decode(input, step), whole, "{step} bytes at a time");
    }
    check_front(input, &whole);
    if let Ok(End::At(end, trailers)) = &whole.end {
        let expected = Some((whole.data.clone(), *end));
        assert_eq!(reference(input), expected, "reference");
        check_written_again(&whole.data, trailers);
    }
    check_round_trip(input);
    check_endless(input);
}

/// What decoding a body gives, up to its end or the first violation.
#[derive(Debug, PartialEq, Eq)]
struct Decoded {
    data: Vec<u8>,
    end: Result<End, BadChunk>,
}

#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The body goes on.
    Open,
    /// The body takes this many bytes, and has these trailers.
    At(usize, Result<Lines, BadChunk>),
}

/// The names and values of trailers.
type Lines = Vec<(Vec<u8>, Vec<u8>)>;

/// Decodes with at most `step` bytes at a time.
fn decode(input: &[u8], step: usize) -> Decoded {
    let mut decoder = Decoder::default();
    let (mut data, mut at) = (Vec::new(), 0_usize);
    let end = loop {
        let window = &input[at..at.saturating_add(step).min(input.len())];
        if window.is_empty() {
            break Ok(End::Open);
        }
        match decoder.next(window) {
            Ok(Piece::Syntax(count)) => at += checked(count, window),
            Ok(Piece::Data(count)) => {
                data.extend_from_slice(&window[..checked(count, window)]);
                at += count;
            }
            Ok(Piece::End(count)) => {
                at += checked(count, window);
                break Ok(End::At(at, trailers(&decoder)));
            }
            Err(bad) => break Err(bad),
        }
    };
    Decoded { data, end }
}

/// The decoder takes something each time, and no more than it was given.
fn checked(count: usize, window: &[u8]) -> usize {
    assert!((1..=window.len()).contains(&count), "{count} bytes taken");
    count
}

fn trailers(decoder: &Decoder) -> Result<Lines, BadChunk> {
    let mut fields = Fields::default();
    decoder.trailers(&mut fields)?;
    check_fields(&fields);
    let lines = fields.iter().map(|(known, name, value)| {
        assert_eq!(known, Known::Other, "a trailer that the gateway acts on");
        (name.to_vec(), value.to_vec())
    });
    Ok(lines.collect())
}

/// The check of a body that has only begun agrees with decoding it.
fn check_front(input: &[u8], whole: &Decoded) {
    let is_good = match &whole.end {
        Ok(End::Open) => true,
        Ok(End::At(_, trailers)) => trailers.is_ok(),
        Err(_) => false,
    };
    assert_eq!(check(input).is_ok(), is_good, "check");
}

/// Body and end of a valid body, found in the simplest way: a line up to its CRLF, of which
/// only the leading digits count, and as many bytes as they say.
fn reference(input: &[u8]) -> Option<(Vec<u8>, usize)> {
    let (mut data, mut at) = (Vec::new(), 0);
    loop {
        let line = line(input, at)?;
        let digits = line.iter().map_while(|&byte| hex(byte));
        let size = digits.fold(0_usize, |size, digit| size << 4 | usize::from(digit));
        at += line.len() + 2;
        if size == 0 {
            break;
        }
        data.extend_from_slice(input.get(at..at + size)?);
        at += size + 2;
    }
    loop {
        let line = line(input, at)?;
        at += line.len() + 2;
        if line.is_empty() {
            return Some((data, at));
        }
    }
}

fn line(input: &[u8], start: usize) -> Option<&[u8]> {
    let rest = input.get(start..)?;
    let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let line = &rest[..length];
    let is_one = !line.iter().any(|byte| matches!(byte, b'\r' | b'\n'));
    assert!(
        is_one,
        "CR or LF alone in a line of a body that was accepted"
    );
    Some(line)
}

/// A body that was read can be written, and is then read as the same.
fn check_written_again(data: &[u8], trailers: &Result<Lines, BadChunk>) {
    let Ok(lines) = trailers else {
        return;
    };
    let mut fields = Fields::default();
    for (name, value) in lines {
        fields.append(name, value);
    }
    let written = encode(data, |_| data.len().max(1), &fields);
    let decoded = decode(&written, 5);
    assert_eq!(decoded.data, data, "data written again");
    let end = End::At(written.len(), Ok(lines.clone()));
    assert_eq!(decoded.end, Ok(end), "its end");
}

/// Any bytes in chunks of any sizes are read as they were written, and nothing of what follows.
fn check_round_trip(input: &[u8]) {
    let size = |at: usize| usize::from(input[at] % 37) + 1;
    let mut written = encode(input, size, &Fields::default());
    let end = written.len();
    written.extend_from_slice(b"GET / HTTP/1.1\r\n");
    let decoded = decode(&written, 11);
    assert_eq!(decoded.data, input, "data that was encoded");
    assert_eq!(decoded.end, Ok(End::At(end, Ok(Vec::new()))), "its end");
}

/// Encodes with a chunk of `size(at)` bytes at each place.
fn encode(data: &[u8], size: impl Fn(usize) -> usize, trailers: &Fields) -> Vec<u8> {
    let (mut out, mut at) = (Vec::new(), 0);
    while at < data.len() {
        let chunk = &data[at..(at + size(at)).min(data.len())];
        write_size(&mut out, chunk.len());
        out.extend_from_slice(chunk);
        out.extend_from_slice(b"\r\n");
        at += chunk.len();
    }
    write_end(&mut out, trailers);
    out
}

/// A sender cannot have the gateway read, or keep, framing without end: over a body that
/// repeats the input, what is not data stays within the limits.
fn check_endless(input: &[u8]) {
    let mut decoder = Decoder::default();
    let (mut syntax, mut chunks, mut is_data) = (0, 1, false);
    let mut rest: &[u8] = &[];
    let mut taken = 0;
    while taken < ENDLESS && !input.is_empty() {
        if rest.is_empty() {
            rest = input;
        }
        let count = match decoder.next(rest) {
            Ok(Piece::Syntax(count)) => {
                is_data = false;
                syntax += count;
                count
            }
            Ok(Piece::Data(count)) => {
                chunks += usize::from(!is_data);
                is_data = true;
                count
            }
            Ok(Piece::End(_)) | Err(_) => return,
        };
        taken += count;
        rest = &rest[count..];
        // CRLF, up to 16 digits and CRLF: the rest is surplus.
        assert!(syntax <= SURPLUS + 20 * chunks, "{syntax} bytes of framing");
    }
}
