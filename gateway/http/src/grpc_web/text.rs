//! Decodes the text form of a request's body as it arrives.
//!
//! Base64 is made of groups of four bytes. A client may encode each of its messages by itself, so
//! that there is padding (`=`) within the body too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How many bytes make a group.
const GROUP: usize = 4;

/// Decodes base64 in pieces of any size.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a group whose rest has not arrived yet.
    begun: Vec<u8>,
}

/// The body is not the text form of anything; the reason in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadText(pub &'static str);

impl Decoder {
    /// Decodes the next piece: all groups that are complete with it. None may be.
    ///
    /// # Errors
    /// It is not base64.
    pub fn decode(&mut self, data: &[u8]) -> Result<Vec<u8>, BadText> {
        let mut decoded = Vec::with_capacity(data.len() / GROUP * 3 + 3);
        let mut rest = data;
        if !self.begun.is_empty() {
            let missing = GROUP.saturating_sub(self.begun.len()).min(rest.len());
            let (group, after) = rest.split_at_checked(missing).unwrap_or_default();
            self.begun.extend_from_slice(group);
            if self.begun.len() < GROUP {
                return Ok(decoded);
            }
            decode(&self.begun, &mut decoded)?;
            self.begun.clear();
            rest = after;
        }
        let whole = rest.len() - rest.len() % GROUP;
        let (groups, begun) = rest.split_at_checked(whole).unwrap_or_default();
        decode(groups, &mut decoded)?;
        self.begun.extend_from_slice(begun);
        Ok(decoded)
    }

    /// Checks that the body may end here.
    ///
    /// # Errors
    /// The last group is incomplete.
    pub fn finish(&self) -> Result<(), BadText> {
        match self.begun.is_empty() {
            true => Ok(()),
            false => Err(BadText("base64 that ends too early")),
        }
    }
}

/// Decodes whole groups.
fn decode(mut groups: &[u8], decoded: &mut Vec<u8>) -> Result<(), BadText> {
    while !groups.is_empty() {
        // Padding ends a part that was encoded by itself.
        let padding = memchr::memchr(b'=', groups);
        let end = padding.map_or(groups.len(), |at| (at / GROUP + 1) * GROUP);
        let (part, after) = groups.split_at_checked(end).unwrap_or((groups, b""));
        let result = STANDARD.decode_vec(part, decoded);
        result.map_err(|_| BadText("not base64"))?;
        groups = after;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(pieces: &[&[u8]]) -> Result<Vec<u8>, BadText> {
        let mut decoder = Decoder::default();
        let mut all = Vec::new();
        for piece in pieces {
            all.extend(decoder.decode(piece)?);
        }
        decoder.finish().map(|()| all)
    }

    /// The text in one piece, and in three pieces of all sizes.
    fn in_all_splits(text: &[u8]) -> Result<Vec<u8>, BadText> {
        let whole = decoded(&[text]);
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                let parts = decoded(&pieces);
                assert_eq!(parts.is_ok(), whole.is_ok(), "{pieces:?}");
                if whole.is_ok() {
                    assert_eq!(parts, whole, "{pieces:?}");
                }
            }
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(decoded(&bytes).ok(), whole.as_ref().ok().cloned());
        whole
    }

    #[test]
    fn every_split_is_the_whole() {
        for (text, expected) in [
            ("", ""),
            ("aGVsbG8h", "hello!"),
            ("aGVsbG8=", "hello"),
            ("aGVsbA==", "hell"),
            ("aA==aGVs", "hhel"),
            ("aA==aGU=aGVsaGVsbA==", "hhehelhell"),
        ] {
            let expected = expected.as_bytes().to_vec();
            assert_eq!(in_all_splits(text.as_bytes()), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_base64_is_refused_in_every_split() {
        for text in [
            "a",
            "aGV",
            "aGVsb",
            "aGVsbG8",
            "====",
            "a===",
            "aA=a",
            "aA=b=aaa",
            "=aaa",
            "aB==",
            "aGVs\naGVs",
            "aGVs aGVs",
            "_-_-",
            "\u{e9}\u{e9}",
            "aGVs\0\0\0\0",
        ] {
            assert!(in_all_splits(text.as_bytes()).is_err(), "{text:?}");
        }
    }
}
