//! The head of a request (RFC 9112 §3, RFC 9113 §8.3.1).

mod section;

use std::mem::MaybeUninit;

use crate::authority::Authority;
use crate::fields::{Fields, Known};
use crate::framing::Framing;
use crate::head::{HeadError, Limits, Parsed, Table, Version, parse_error, take_fields};
use crate::method;
use crate::path::{self, Spelling};

pub use section::RequestSection;

/// The head of a request, in memory that is reused.
#[derive(Clone, Debug, Default)]
pub struct RequestHead {
    /// The method as sent.
    pub method: Vec<u8>,
    /// The path as sent.
    pub raw_path: Vec<u8>,
    /// The one normalised path (see [`path`]); `*` for `OPTIONS *`.
    pub path: Vec<u8>,
    /// The query as sent, without its `?`.
    pub query: Option<Vec<u8>>,
    /// The authority of the request target if it has one, otherwise of `Host`.
    pub authority: Authority,
    /// The client's version.
    pub version: Version,
    /// All fields.
    pub fields: Fields,
    /// The framing of the body.
    pub framing: Framing,
    /// True if the client may send another request on the connection (RFC 9112 §9.3).
    pub keep_alive: bool,
    /// True if the client waits for `100 Continue` (RFC 9110 §10.1.1).
    pub expects_continue: bool,
    /// True if the client requests another protocol (RFC 9110 §7.8).
    pub upgrade: bool,
    /// What is special about the path as it was sent.
    pub spelling: Spelling,
    /// The protocol that an extended `CONNECT` requests, as sent (RFC 8441 §4).
    pub protocol: Option<Vec<u8>>,
}

impl RequestHead {
    /// Resets the head, and keeps its memory.
    pub fn clear(&mut self) {
        self.method.clear();
        self.raw_path.clear();
        self.path.clear();
        self.query = None;
        self.authority.clear();
        self.fields.clear();
        self.version = Version::Http11;
        self.framing = Framing::None;
        self.keep_alive = false;
        self.expects_continue = false;
        self.upgrade = false;
        self.spelling = Spelling::default();
        self.protocol = None;
    }

    /// Parses a head at the front of `buffer`, and returns its size in bytes; `Ok(None)` if it
    /// is incomplete.
    ///
    /// # Errors
    /// [`HeadError`], after which the connection must be closed. What was parsed until then
    /// remains in the head, for the log.
    pub fn parse(&mut self, buffer: &[u8], limits: Limits) -> Result<Option<usize>, HeadError> {
        self.clear();
        // An empty line before the request line is ignored (RFC 9112 §2.2).
        let skipped = match buffer {
            [b'\r', b'\n', ..] => 2,
            _ => 0,
        };
        let text = buffer.get(skipped..).unwrap_or_default();
        let mut table: Table<'_> = [const { MaybeUninit::uninit() }; crate::head::MAX_FIELDS];
        let mut request = httparse::Request::new(&mut []);
        let status = request.parse_with_uninit_headers(text, &mut table);
        self.method
            .extend_from_slice(request.method.unwrap_or_default().as_bytes());
        let size = match status.map_err(|error| start_line(error, text))? {
            httparse::Status::Complete(size) if size <= limits.bytes => size,
            httparse::Status::Partial if text.len() <= limits.bytes => return Ok(None),
            _ => return Err(HeadError::TooLarge),
        };
        let parsed = Parsed::new(text.get(..size).unwrap_or_default(), request.headers)?;
        self.version = match request.version {
            Some(1) => Version::Http11,
            Some(0) => Version::Http10,
            _ => return Err(HeadError::Version),
        };
        let control = take_fields(&parsed, limits, &mut self.fields)?;
        if control.transfer_encoding && self.version == Version::Http10 {
            return Err(HeadError::Malformed("Transfer-Encoding in HTTP/1.0"));
        }
        self.framing = control.framing().unwrap_or(Framing::None);
        self.keep_alive = control.persists(self.version);
        self.upgrade = control.upgrade
            && self.version == Version::Http11
            && self.fields.known(Known::Upgrade).next().is_some();
        self.expects_continue = self.version == Version::Http11
            && self
                .fields
                .known(Known::Expect)
                .any(|value| value.eq_ignore_ascii_case(b"100-continue"));
        self.take_host()?;
        self.take_target(request.path.unwrap_or_default().as_bytes())?;
        Ok(Some(skipped + size))
    }

    /// Reads `Host`, of which HTTP/1.1 requires exactly one, and HTTP/1.0 allows at most one
    /// (RFC 9112 §3.2).
    fn take_host(&mut self) -> Result<(), HeadError> {
        let (first, second) = {
            let mut hosts = self.fields.known(Known::Host);
            (hosts.next(), hosts.next())
        };
        if second.is_some() {
            return Err(HeadError::Malformed("more than one Host"));
        }
        match first {
            None if self.version == Version::Http10 => return Ok(()),
            None => return Err(HeadError::Malformed("no Host")),
            // An empty `Host` is allowed if the target has no authority.
            Some(b"") => return Ok(()),
            Some(host) if self.authority.read(host) => {
                if self.authority.is_written(host) {
                    return Ok(());
                }
            }
            Some(_) => return Err(HeadError::Malformed("bad Host")),
        }
        // The gateway and the upstream see the same, normalised spelling (RFC 9110 §4.2.3).
        let mut host = Vec::new();
        self.authority.write_to(&mut host);
        self.fields.set(b"Host", &host);
        Ok(())
    }

    /// Reads the request target in any of its forms (RFC 9112 §3.2).
    fn take_target(&mut self, target: &[u8]) -> Result<(), HeadError> {
        if !has_target_bytes(target) {
            return Err(HeadError::Malformed("bad request target"));
        }
        let target = match target.first() {
            Some(b'/') => target,
            Some(b'*') if target == b"*" && self.method == b"OPTIONS" => {
                self.raw_path.push(b'*');
                self.path.push(b'*');
                return Ok(());
            }
            _ if method::is_refused(&self.method) => return Ok(()),
            _ => self.take_absolute(target)?,
        };
        let (raw_path, query) = match memchr::memchr(b'?', target) {
            Some(mark) => (
                target.get(..mark).unwrap_or_default(),
                target.get(mark + 1..),
            ),
            None => (target, None),
        };
        self.raw_path
            .extend_from_slice(if raw_path.is_empty() { b"/" } else { raw_path });
        self.query = query.map(<[u8]>::to_vec);
        self.normalise_path()
    }

    /// Makes the one normalised path of `raw_path`.
    fn normalise_path(&mut self) -> Result<(), HeadError> {
        self.spelling = path::normalise(&self.raw_path, &mut self.path)
            .map_err(|error| HeadError::Malformed(error.words()))?;
        Ok(())
    }

    /// Reads a target in the absolute form, whose authority overrides `Host` (RFC 9112 §3.2.2).
    /// Returns the part after the authority.
    fn take_absolute<'t>(&mut self, target: &'t [u8]) -> Result<&'t [u8], HeadError> {
        let bad = HeadError::Malformed("bad request target");
        let scheme_end = memchr::memmem::find(target, b"://").ok_or(bad)?;
        let (scheme, rest) = target.split_at_checked(scheme_end).ok_or(bad)?;
        if !scheme.eq_ignore_ascii_case(b"http") && !scheme.eq_ignore_ascii_case(b"https") {
            return Err(bad);
        }
        let rest = rest.get(3..).ok_or(bad)?;
        let end = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
        let (authority, tail) = rest.split_at_checked(end).ok_or(bad)?;
        if !self.authority.read(authority) {
            return Err(bad);
        }
        let mut host = Vec::new();
        self.authority.write_to(&mut host);
        self.fields.set(b"Host", &host);
        Ok(tail)
    }
}

/// True if all bytes may be part of a request target: no spaces, no control characters, and
/// no fragment.
fn has_target_bytes(target: &[u8]) -> bool {
    target
        .iter()
        .all(|&byte| byte > b' ' && byte != 0x7f && byte != b'#')
}

/// Corrects the parser's error for a malformed request line. It takes everything after the
/// target for the version, so that it reports a space in the target as an unsupported
/// version.
fn start_line(error: httparse::Error, text: &[u8]) -> HeadError {
    let line = text.split(|&byte| byte == b'\r' || byte == b'\n').next();
    let mut words = line.unwrap_or_default().split(|&byte| byte == b' ').skip(2);
    let is_version = |word: &[u8]| {
        matches!(
            word,
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9']
        )
    };
    let names_version = words.next().is_some_and(is_version) && words.next().is_none();
    match parse_error(error) {
        HeadError::Version if !names_version => HeadError::Malformed("bad start line"),
        other => other,
    }
}

#[cfg(test)]
mod tests;
