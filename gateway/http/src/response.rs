//! The head of a response (RFC 9112 §4).

use std::mem::MaybeUninit;

use crate::fields::{Fields, Known, list};
use crate::framing::Framing;
use crate::head::{HeadError, Limits, Parsed, Table, Version, parse_error, take_fields};
use crate::status;

/// A response's head, read into memory that is used again.
#[derive(Debug, Default)]
pub struct ResponseHead {
    /// The status code, 100 to 999.
    pub status: u16,
    /// The reason phrase as sent; empty stands for the usual one.
    pub reason: Vec<u8>,
    /// All fields.
    pub fields: Fields,
    /// Where the body ends.
    pub framing: Framing,
    /// True if the upstream would take another request on this connection.
    pub keep_alive: bool,
    /// The upstream's `Keep-Alive: timeout=…`, in seconds.
    pub keep_alive_timeout: Option<u32>,
    /// The protocol it answered in.
    pub version: Version,
    /// True if a body was left out that another request would have got: the
    /// answer to a `HEAD`, and a 304. Faulty upstreams send it all the same,
    /// and perhaps late.
    pub omits_body: bool,
}

impl ResponseHead {
    /// Forgets everything and keeps the memory.
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

    /// Reads a head from the front of `buffer`, in answer to a request that
    /// was a `HEAD` or not. `Ok(None)` if it is not all there; else how many
    /// bytes it took.
    ///
    /// # Errors
    /// [`HeadError`], after which the connection cannot be trusted any more.
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
        let meaning = take_fields(&parsed, limits, &mut self.fields)?;
        if meaning.transfer_encoding && self.version == Version::Http10 {
            return Err(HeadError::Malformed("Transfer-Encoding in HTTP/1.0"));
        }
        // Such a response has no body (RFC 9112 §6.3), yet its sender means one:
        // what follows would be taken for the next response. A `Content-Length`
        // in a 304 is that of the response to a GET.
        if self.status == 204 && meaning.framing().is_some_and(|body| !body.is_empty()) {
            return Err(HeadError::Malformed("body in a 204"));
        }
        self.keep_alive = meaning.persists(self.version);
        self.keep_alive_timeout = self.fields.known(Known::KeepAlive).find_map(timeout);
        self.omits_body = answers_head || self.status == 304;
        self.framing = if answers_head || status::has_no_body(self.status) {
            Framing::None
        } else {
            meaning.framing().unwrap_or(Framing::UntilClose)
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
