//! The head of a response (RFC 9112 §4, RFC 9113 §8.3.2).

mod section;

use std::mem::MaybeUninit;

use crate::fields::{Fields, Known, list};
use crate::framing::Framing;
use crate::head::{HeadError, Limits, Parsed, Table, Version, parse_error, take_fields};
use crate::status;

pub use section::ResponseSection;

/// The head of a response, in memory that is reused.
#[derive(Debug, Default)]
pub struct ResponseHead {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase as sent; empty for the standard one.
    pub reason: Vec<u8>,
    /// All fields.
    pub fields: Fields,
    /// The framing of the body.
    pub framing: Framing,
    /// True if the connection may be used for another request (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// The upstream's `Keep-Alive: timeout=…`, in seconds.
    pub keep_alive_timeout: Option<u32>,
    /// The version of the response.
    pub version: Version,
    /// True if the body is omitted although a `GET` would have one: in responses to `HEAD`, and
    /// in a 304. Faulty upstreams send that body nevertheless, and possibly late.
    pub omits_body: bool,
}

impl ResponseHead {
    /// Resets the head, and keeps its memory.
    pub fn clear(&mut self) {
        self.status = 0;
        self.reason.clear();
        self.fields.clear();
        self.framing = Framing::None;
        self.keep_alive = false;
        self.keep_alive_timeout = None;
        self.version = Version::Http11;
        self.omits_body = false;
    }

    /// Parses a head at the front of `buffer`, and returns its size in bytes; `Ok(None)` if it
    /// is incomplete. `answers_head` tells whether the request was a `HEAD`.
    ///
    /// # Errors
    /// [`HeadError`], after which the connection must be closed.
    pub fn parse(
        &mut self,
        buffer: &[u8],
        limits: Limits,
        answers_head: bool,
    ) -> Result<Option<usize>, HeadError> {
        self.clear();
        let mut table: Table<'_> = [const { MaybeUninit::uninit() }; crate::head::MAX_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let config = httparse::ParserConfig::default();
        let parsed = config.parse_response_with_uninit_headers(&mut response, buffer, &mut table);
        let size = match parsed.map_err(parse_error)? {
            httparse::Status::Complete(size) if size <= limits.bytes => size,
            httparse::Status::Partial if buffer.len() <= limits.bytes => return Ok(None),
            _ => return Err(HeadError::TooLarge),
        };
        let parsed = Parsed::new(buffer.get(..size).unwrap_or_default(), response.headers)?;
        self.version = match response.version {
            Some(1) => Version::Http11,
            Some(0) => Version::Http10,
            _ => return Err(HeadError::Version),
        };
        self.status = response.code.unwrap_or_default();
        if self.status < 100 {
            return Err(HeadError::Malformed("bad status"));
        }
        self.reason
            .extend_from_slice(response.reason.unwrap_or_default().as_bytes());
        let control = take_fields(&parsed, limits, &mut self.fields)?;
        if control.transfer_encoding && self.version == Version::Http10 {
            return Err(HeadError::Malformed("Transfer-Encoding in HTTP/1.0"));
        }
        // A 204 has no body (RFC 9112 §6.3), but this sender announces one, which would be
        // taken for the next response. In a 304, by contrast, `Content-Length` is that of
        // the response to a `GET`.
        if self.status == 204 && control.framing().is_some_and(|body| !body.is_empty()) {
            return Err(HeadError::Malformed("body in a 204"));
        }
        self.keep_alive = control.persists(self.version);
        self.keep_alive_timeout = self.fields.known(Known::KeepAlive).find_map(timeout);
        self.omits_body = answers_head || self.status == 304;
        self.framing = if answers_head || status::has_no_body(self.status) {
            Framing::None
        } else {
            control.framing().unwrap_or(Framing::UntilClose)
        };
        if self.framing == Framing::UntilClose {
            self.keep_alive = false;
        }
        Ok(Some(size))
    }
}

fn timeout(value: &[u8]) -> Option<u32> {
    list(value).find_map(|member| {
        let (name, number) = member.split_at_checked(8)?;
        let is_timeout = name.eq_ignore_ascii_case(b"timeout=");
        std::str::from_utf8(number)
            .ok()
            .filter(|_| is_timeout)?
            .trim()
            .parse()
            .ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        bytes: 512,
        fields: 8,
    };

    fn parse(text: &str, answers_head: bool) -> Result<ResponseHead, HeadError> {
        let mut head = ResponseHead::default();
        match head.parse(text.as_bytes(), LIMITS, answers_head)? {
            Some(_) => Ok(head),
            None => Err(HeadError::Malformed("partial")),
        }
    }

    #[test]
    fn framing_and_persistence() {
        for (text, answers_head, framing, keep_alive) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                false,
                Framing::Length(5),
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
                true,
                Framing::None,
                true,
            ),
            (
                "HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
                Framing::Chunked,
                true,
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", false, Framing::UntilClose, false),
            (
                "HTTP/1.1 204 No Content\r\n\r\n",
                false,
                Framing::None,
                true,
            ),
            (
                "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
                false,
                Framing::None,
                true,
            ),
            (
                "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
                false,
                Framing::None,
                true,
            ),
            (
                "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n",
                false,
                Framing::Length(5),
                false,
            ),
            (
                "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\n",
                false,
                Framing::Length(5),
                true,
            ),
            (
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\n",
                false,
                Framing::Length(5),
                false,
            ),
        ] {
            let head = parse(text, answers_head).unwrap();
            assert_eq!(
                (head.framing, head.keep_alive),
                (framing, keep_alive),
                "{text}"
            );
        }
    }

    #[test]
    fn keep_alive_timeout() {
        let head = parse(
            "HTTP/1.1 200 OK\r\nKeep-Alive: max=9, Timeout=5\r\nContent-Length: 0\r\n\r\n",
            false,
        )
        .unwrap();
        assert_eq!(head.keep_alive_timeout, Some(5));
    }

    #[test]
    fn refusals() {
        for text in [
            "HTTP/1.1 099 Low\r\n\r\n",
            "HTTP/2.0 200 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\nContent-Length: 5\n\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n",
            "garbage\r\n\r\n",
        ] {
            assert!(
                !matches!(
                    parse(text, false),
                    Ok(_) | Err(HeadError::Malformed("partial"))
                ),
                "{text:?}"
            );
        }
        let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(512));
        assert_eq!(parse(&long, false).err(), Some(HeadError::TooLarge));
    }
}
