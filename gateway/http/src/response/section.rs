//! A response's head made of the field section of HTTP/2 (RFC 9113 §8.3.2).
//!
//! The result is what the same response gives in HTTP/1, so that nothing behind it depends on
//! the version.

use crate::fields::Known;
use crate::framing::Framing;
use crate::head::{HeadError, Limits, Version, length};
use crate::section::{OVERHEAD, SectionError, check};
use crate::status;

use super::ResponseHead;

/// A response's head that is being received.
///
/// The fields are passed one by one to [`Self::field`], and [`Self::finish`] ends the head.
pub struct ResponseSection<'h> {
    head: &'h mut ResponseHead,
    limits: Limits,
    /// The size of the list so far (RFC 9113 §6.5.2).
    size: usize,
    content_length: Option<u64>,
    error: Option<HeadError>,
}

impl<'h> ResponseSection<'h> {
    /// Begins a head with this status, and clears `head` for it. `limits.bytes` is the largest
    /// size of the list, in which each field counts its name, its value and 32 bytes.
    #[must_use]
    pub fn new(head: &'h mut ResponseHead, status: u16, limits: Limits) -> Self {
        head.clear();
        head.version = Version::Http2;
        head.status = status;
        Self {
            head,
            limits,
            size: 0,
            content_length: None,
            error: (status < 100).then_some(HeadError::Malformed("bad status")),
        }
    }

    /// Takes the next field. After an error the rest is ignored.
    pub fn field(&mut self, name: &[u8], value: &[u8]) {
        if self.error.is_none() {
            self.error = self.take(name, value).err();
        }
    }

    /// Ends the head. `answers_head` tells whether the request was a `HEAD`, and `ends` that no
    /// body follows.
    ///
    /// # Errors
    /// The first violation.
    pub fn finish(self, answers_head: bool, ends: bool) -> Result<(), HeadError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let head = self.head;
        let omits_body = answers_head || head.status == 304;
        let announced = self.content_length.unwrap_or_default();
        // In a response to `HEAD` and in a 304 it is the length that `GET` would give.
        if announced > 0 && !omits_body && (ends || head.status == 204) {
            return Err(HeadError::Malformed("content-length without body"));
        }
        head.omits_body = omits_body;
        head.framing = match ends || answers_head || status::has_no_body(head.status) {
            true => Framing::None,
            false => Framing::Stream(self.content_length),
        };
        Ok(())
    }

    fn take(&mut self, name: &[u8], value: &[u8]) -> Result<(), HeadError> {
        self.size += name.len() + value.len() + OVERHEAD;
        if self.size > self.limits.bytes {
            return Err(HeadError::TooLarge);
        }
        if self.head.fields.len() == self.limits.fields {
            return Err(HeadError::TooManyFields);
        }
        check(name, value).map_err(|error| match error {
            SectionError::Malformed(words) => HeadError::Malformed(words),
            SectionError::Head(error) => error,
        })?;
        match self.head.fields.append(name, value) {
            known if known.is_hop_by_hop() => {
                Err(HeadError::Malformed("connection-specific field"))
            }
            Known::ContentLength => match self.content_length.replace(length(value)?) {
                Some(_) => Err(HeadError::Malformed("more than one Content-Length")),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 256,
        fields: 4,
    };

    type Field<'a> = (&'a str, &'a [u8]);

    fn receive(
        status: u16,
        fields: &[Field<'_>],
        answers_head: bool,
        ends: bool,
    ) -> Result<ResponseHead, HeadError> {
        let mut head = ResponseHead::default();
        let mut section = ResponseSection::new(&mut head, status, LIMITS);
        for (name, value) in fields {
            section.field(name.as_bytes(), value);
        }
        section.finish(answers_head, ends).map(|()| head)
    }

    #[test]
    fn framing() {
        let five: &[Field<'_>] = &[("content-length", b"5")];
        for (status, fields, answers_head, ends, framing) in [
            (200, five, false, false, Framing::Stream(Some(5))),
            (200, &[], false, false, Framing::Stream(None)),
            (200, &[], false, true, Framing::None),
            (200, five, true, true, Framing::None),
            (200, five, true, false, Framing::None),
            (304, five, false, true, Framing::None),
            (204, &[], false, true, Framing::None),
            (103, &[], false, false, Framing::None),
        ] {
            let head = receive(status, fields, answers_head, ends).unwrap();
            let case = (status, fields, answers_head, ends);
            assert_eq!(head.framing, framing, "{case:?}");
            assert_eq!(head.version, Version::Http2);
        }
    }

    #[test]
    fn refusals() {
        let bad = HeadError::Malformed;
        let cases: [(&[Field<'_>], HeadError); 14] = [
            (&[("X-Upper", b"1")], bad("bad field name")),
            (&[(":status", b"200")], bad("bad field name")),
            (&[("", b"1")], bad("bad field name")),
            (&[("x y", b"1")], bad("bad field name")),
            (&[("x", b"a\r\nb: c")], bad("bad field value")),
            (&[("x", b"a\nb")], bad("bad field value")),
            (&[("x", b"a\0b")], bad("bad field value")),
            (&[("x", b" a")], bad("bad field value")),
            (&[("connection", b"x-a")], bad("connection-specific field")),
            (
                &[("transfer-encoding", b"chunked")],
                bad("connection-specific field"),
            ),
            (&[("upgrade", b"h2c")], bad("connection-specific field")),
            (&[("content-length", b"+5")], bad("bad Content-Length")),
            (
                &[("content-length", b"5"), ("content-length", b"5")],
                bad("more than one Content-Length"),
            ),
            (&[("x", &[b'y'; 256])], HeadError::TooLarge),
        ];
        for (fields, expected) in cases {
            let refused = receive(200, fields, false, false).map(|head| head.fields);
            assert_eq!(refused.err(), Some(expected), "{fields:?}");
        }
        let many: [Field<'_>; 5] = [("x", b"1"); 5];
        let refused = receive(200, &many, false, false).map(|head| head.fields);
        assert_eq!(refused.err(), Some(HeadError::TooManyFields));
    }

    #[test]
    fn a_length_needs_a_body() {
        let five: &[Field<'_>] = &[("content-length", b"5")];
        for (status, ends) in [(200, true), (204, true), (204, false)] {
            assert!(receive(status, five, false, ends).is_err(), "{status}");
        }
    }

    #[test]
    fn other_bytes_of_a_value_are_kept() {
        let head = receive(200, &[("x", b"caf\xe9\tau lait")], false, false).unwrap();
        assert_eq!(head.fields.get(b"x"), Some(&b"caf\xe9\tau lait"[..]));
    }
}
