//! Seeds from `tests/corpus`, where the end-to-end suite has recorded some two thousand
//! ordinary and hostile messages. They are read there rather than copied.

use std::fs;
use std::path::Path;

use crate::corpus::Seed;

/// A part of the recorded messages.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Recorded {
    /// What clients send.
    Requests,
    /// What follows the heads of these messages.
    RequestBodies,
    /// The request targets.
    RequestTargets,
    /// What upstreams send.
    Responses,
    /// The values of the lines of this field, in messages of both.
    Values(&'static str),
}

impl Recorded {
    pub(crate) fn seeds(self) -> Vec<Seed> {
        match self {
            Self::Requests => messages("requests.txt"),
            Self::Responses => messages("answers.txt"),
            Self::RequestBodies => parts("requests.txt", |message| {
                let (_, body) = split_once(message, b"\r\n\r\n").unwrap_or_default();
                vec![body]
            }),
            Self::RequestTargets => parts("requests.txt", |message| {
                let words = message.split(|&byte| byte == b' ');
                words.skip(1).take(1).collect()
            }),
            Self::Values(name) => {
                let mut seeds = parts("requests.txt", |message| values(message, name));
                seeds.extend(parts("answers.txt", |message| values(message, name)));
                seeds
            }
        }
    }
}

/// The messages of a file: all lines behind `> ` in a row, which are escaped.
fn messages(file: &str) -> Vec<Seed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../corpus")
        .join(file);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let cases = text.split("== ").filter_map(|case| {
        let (name, transcript) = case.split_once('\n')?;
        let lines = transcript
            .lines()
            .filter_map(|line| line.strip_prefix("> "));
        let escaped: String = lines.collect();
        // Only the beginning of a long line was recorded.
        let is_whole = !escaped.is_empty() && !escaped.contains(" bytes, ");
        is_whole.then(|| Seed {
            name: name.to_owned(),
            bytes: unescaped(escaped.as_bytes()),
        })
    });
    cases.collect()
}

/// Seeds made of parts of the messages.
fn parts(file: &str, of: impl Fn(&[u8]) -> Vec<&[u8]>) -> Vec<Seed> {
    let mut seeds = Vec::new();
    for message in messages(file) {
        seeds.extend(of(&message.bytes).into_iter().map(|part| Seed {
            name: message.name.clone(),
            bytes: part.to_vec(),
        }));
    }
    seeds
}

/// The values of all lines of a field in a message.
fn values<'m>(message: &'m [u8], name: &str) -> Vec<&'m [u8]> {
    let lines = message.split(|&byte| byte == b'\n');
    let values = lines.filter_map(|line| {
        let (field, value) = split_once(line.trim_ascii(), b":")?;
        let is_named = field.eq_ignore_ascii_case(name.as_bytes());
        is_named.then(|| value.trim_ascii())
    });
    values.collect()
}

fn split_once<'m>(text: &'m [u8], separator: &[u8]) -> Option<(&'m [u8], &'m [u8])> {
    let place = text
        .windows(separator.len())
        .position(|window| window == separator)?;
    Some((&text[..place], &text[place + separator.len()..]))
}

/// Undoes `escape_ascii`.
fn unescaped(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((&byte, tail)) = rest.split_first() {
        let (byte, tail) = match (byte, tail) {
            (b'\\', [b'r', tail @ ..]) => (b'\r', tail),
            (b'\\', [b'n', tail @ ..]) => (b'\n', tail),
            (b'\\', [b't', tail @ ..]) => (b'\t', tail),
            (b'\\', [b'x', high, low, tail @ ..]) => {
                let digits = std::str::from_utf8(&[*high, *low]).map(str::to_owned);
                (u8::from_str_radix(&digits.unwrap(), 16).unwrap(), tail)
            }
            (b'\\', [escaped, tail @ ..]) => (*escaped, tail),
            other => other,
        };
        out.push(byte);
        rest = tail;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_were_sent() {
        let requests = messages("requests.txt");
        assert!(requests.len() > 500, "{}", requests.len());
        assert_eq!(
            requests[0].bytes.escape_ascii().to_string(),
            r"POST /forward/length-none HTTP/1.1\r\nHost: a.example\r\n\r\n"
        );
        assert!(messages("answers.txt").len() > 500);
        for recorded in [
            Recorded::RequestBodies,
            Recorded::RequestTargets,
            Recorded::Values("accept-encoding"),
            Recorded::Values("cache-control"),
        ] {
            assert!(!recorded.seeds().is_empty(), "{recorded:?}");
        }
    }

    #[test]
    fn every_byte_is_unescaped() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        assert_eq!(unescaped(all.escape_ascii().to_string().as_bytes()), all);
    }
}
