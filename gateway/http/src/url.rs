//! Writes URLs, and their parts, of configured text and of values that requests have.
//!
//! What a client sends must not decide where a URL leads: a value stays in the place that it
//! stands in, whatever it is. In a path it is one segment or a part of one, in a query the
//! value of a parameter, in a host a part of a label. The text is trusted; that it gives no
//! authority to values is for whoever reads it to check.

use crate::authority::Authority;
use crate::path;
use crate::percent;
use crate::query;

/// A URL that is being written.
#[derive(Debug, Default)]
pub struct UrlWriter {
    out: Vec<u8>,
    place: Place,
    /// Where the host begins, and where the path does.
    host: usize,
    path: usize,
    has_authority: bool,
    /// The path is made of values, too.
    has_values: bool,
    fault: Option<UrlError>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    Host,
    #[default]
    Path,
    /// A query, or a fragment.
    Query,
}

/// Why there is no URL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UrlError {
    /// The host, or the value that is a part of it, is empty.
    NoHost,
    /// A value cannot be a part of a host.
    BadHost,
    /// Values would make a segment of the path `.` or `..`.
    DotSegment,
}

impl UrlError {
    /// A description for the client and the log.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::NoHost => "the request does not have what the host is made of",
            Self::BadHost => "the request has a value that cannot be a part of a host",
            Self::DotSegment => "the request has a value that makes a dot segment of a path",
        }
    }
}

impl UrlWriter {
    /// A path, without an authority in front of it.
    #[must_use]
    pub fn of_path() -> Self {
        Self::default()
    }

    /// A URL whose host follows; `scheme` is what is in front of its two slashes, such as
    /// `https:`, and may be empty.
    #[must_use]
    pub fn of_host(scheme: &[u8]) -> Self {
        let out = [scheme, b"//"].concat();
        Self {
            host: out.len(),
            out,
            place: Place::Host,
            has_authority: true,
            ..Self::default()
        }
    }

    /// Appends configured text. In a path, a `?` in it begins the query.
    pub fn text(&mut self, text: &[u8]) {
        if self.place == Place::Host {
            return self.out.extend_from_slice(text);
        }
        for &byte in text {
            match byte {
                b'!'..=b'~' => self.out.push(byte),
                _ => percent::escape(byte, &mut self.out),
            }
        }
        if text.iter().any(|byte| matches!(byte, b'?' | b'#')) {
            self.place = Place::Query;
        }
    }

    /// Appends a value, encoded for its place. An absent one is empty.
    pub fn value(&mut self, value: &[u8]) {
        match self.place {
            Place::Host => {
                if value.is_empty() {
                    self.fail(UrlError::NoHost);
                } else if !value.iter().copied().all(path::is_unreserved) {
                    self.fail(UrlError::BadHost);
                }
                self.out.extend_from_slice(value);
            }
            Place::Path => {
                self.has_values = true;
                path::encode_segment(value, &mut self.out);
            }
            Place::Query => query::encode(value, &mut self.out),
        }
    }

    /// Appends the host of a request, which may be an IPv6 address in brackets. Where a host
    /// does not stand, it is a value like others.
    pub fn host(&mut self, host: &[u8]) {
        match (self.place, host) {
            (Place::Host, b"") => self.fail(UrlError::NoHost),
            // Checked as a part of the whole host.
            (Place::Host, host) => self.out.extend_from_slice(host),
            _ => self.value(host),
        }
    }

    /// Ends the host, and appends the port.
    pub fn port(&mut self, port: u16) {
        self.end_host();
        self.out.push(b':');
        let port = itoa::Buffer::new().format(port).to_owned();
        self.out.extend_from_slice(port.as_bytes());
        self.path = self.out.len();
    }

    /// Ends the host: what follows is the path, or what stands behind it.
    pub fn end_host(&mut self) {
        if self.place != Place::Host {
            return;
        }
        self.place = Place::Path;
        let host = self.out.get(self.host..).unwrap_or_default();
        let is_host = Authority::default().read(host)
            && match host.starts_with(b"[") {
                true => host.ends_with(b"]"),
                false => !host.contains(&b':'),
            };
        let has_labels = !host.starts_with(b".") && !host.windows(2).any(|pair| pair == b"..");
        if host.is_empty() {
            self.fail(UrlError::NoHost);
        } else if !is_host || !has_labels {
            self.fail(UrlError::BadHost);
        }
        self.path = self.out.len();
    }

    /// Appends a normalised path. In a query it is a value like others.
    pub fn path(&mut self, path: &[u8]) {
        match self.place {
            Place::Path => {
                // Behind text that ends in a slash there would be two, and at the beginning of
                // a path that would be an authority.
                let rest = match self
                    .out
                    .get(self.path..)
                    .is_some_and(|it| it.ends_with(b"/"))
                {
                    true => path.strip_prefix(b"/").unwrap_or(path),
                    false => path,
                };
                self.out.extend_from_slice(rest);
                self.has_values = true;
            }
            Place::Host | Place::Query => self.value(path),
        }
    }

    /// Appends a query. In front of the first `?`, it is preceded by one, if there is a query;
    /// behind it, the parameters are those of the query.
    pub fn query(&mut self, query: Option<&[u8]>) {
        let Some(query) = query else {
            return;
        };
        if self.place == Place::Path {
            self.out.push(b'?');
            self.place = Place::Query;
        }
        percent::encode(query, is_query_byte, &mut self.out);
    }

    /// The URL.
    ///
    /// # Errors
    /// The first fault of a value.
    pub fn finish(mut self) -> Result<Vec<u8>, UrlError> {
        if self.place == Place::Host {
            self.end_host();
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let rest = self.out.get(self.path..).unwrap_or_default();
        let end = rest.iter().position(|byte| matches!(byte, b'?' | b'#'));
        let path = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        if self.has_values && path::has_dot_segment(path) {
            return Err(UrlError::DotSegment);
        }
        if !self.has_authority {
            self.root();
        }
        Ok(self.out)
    }

    /// Makes what has no authority begin with one slash, because two would begin an authority.
    fn root(&mut self) {
        let slashes = self.out.iter().take_while(|&&byte| byte == b'/').count();
        match slashes {
            0 => self.out.insert(0, b'/'),
            1 => {}
            more => drop(self.out.drain(..more - 1)),
        }
    }

    fn fail(&mut self, fault: UrlError) {
        self.fault.get_or_insert(fault);
    }
}

/// True for what may stand in a query. Some bytes that RFC 3986 wants to be encoded are kept,
/// because everybody sends and accepts them.
fn is_query_byte(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\')
}

#[cfg(test)]
mod tests;
