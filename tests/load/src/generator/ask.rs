//! The requests of a run, and the expected responses.

use super::API_KEY;
use crate::http2;
use crate::tls::Over;

/// A request, or several that take turns, and the response that all of them must get.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// Paths with queries; not empty unless the run has no requests.
    paths: Vec<String>,
    /// The value of `Accept-Encoding`, if one is sent.
    encoding: Option<&'static str>,
    /// Bytes of body in each request; with any, the method is `POST`.
    upload: usize,
    /// The expected body.
    pub(super) body: Body,
    /// How the requests are sent.
    pub(crate) over: Over,
}

/// The expected body of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Body {
    /// Exactly this many bytes, without a content coding.
    Plain(usize),
    /// At most this many bytes in this content coding.
    Encoded(&'static str, usize),
}

impl Body {
    /// The expected `Content-Encoding`.
    pub(super) fn coding(self) -> Option<&'static str> {
        match self {
            Self::Plain(_) => None,
            Self::Encoded(coding, _) => Some(coding),
        }
    }

    /// The most bytes of body.
    fn longest(self) -> usize {
        match self {
            Self::Plain(length) | Self::Encoded(_, length) => length,
        }
    }
}

impl Ask {
    /// One path, whose response has `length` bytes of body.
    pub(crate) fn plain(path: impl Into<String>, length: usize) -> Self {
        Self {
            paths: vec![path.into()],
            encoding: None,
            upload: 0,
            body: Body::Plain(length),
            over: Over::Cleartext,
        }
    }

    /// One path, whose response has this content coding and at most `limit` bytes of body.
    pub(crate) fn encoded(path: impl Into<String>, coding: &'static str, limit: usize) -> Self {
        Self {
            paths: vec![path.into()],
            encoding: Some(coding),
            upload: 0,
            body: Body::Encoded(coding, limit),
            over: Over::Cleartext,
        }
    }

    /// An upload of `upload` bytes to one path, whose response has `length` bytes of body.
    pub(crate) fn upload(path: impl Into<String>, upload: usize, length: usize) -> Self {
        Self {
            upload,
            ..Self::plain(path, length)
        }
    }

    /// The same, sent in this way.
    pub(crate) fn over(self, over: Over) -> Self {
        Self { over, ..self }
    }

    /// The same for `count` objects in turn: `?0`, `?1` and so on are appended to the path.
    pub(crate) fn of_objects(self, count: usize) -> Self {
        let paths = self
            .paths
            .iter()
            .flat_map(|path| (0..count).map(move |number| format!("{path}?{number}")))
            .collect();
        Self { paths, ..self }
    }

    /// The most bytes of body in a response.
    pub(crate) fn length(&self) -> usize {
        self.body.longest()
    }

    /// The requests in wire format; for HTTP/2, their blocks of fields.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        if self.over.is_http2() {
            return self.blocks();
        }
        let coding = self.encoding.map_or_else(String::new, |coding| {
            format!("Accept-Encoding: {coding}\r\n")
        });
        let (method, length) = match self.upload {
            0 => ("GET", String::new()),
            upload => ("POST", format!("Content-Length: {upload}\r\n")),
        };
        let request = |path: &String| {
            let mut request = format!(
                "{method} {path} HTTP/1.1\r\nHost: load.example\r\nUser-Agent: janua-load\r\n\
                 Accept: */*\r\n{coding}{length}X-Api-Key: {API_KEY}\r\n\r\n"
            )
            .into_bytes();
            request.resize(request.len() + self.upload, 0);
            request
        };
        self.paths.iter().map(request).collect()
    }

    /// The blocks of fields. Codings and bodies of requests are not implemented for HTTP/2, and
    /// neither are responses that do not fit into a window.
    fn blocks(&self) -> Vec<Vec<u8>> {
        debug_assert!(self.upload == 0 && self.encoding.is_none());
        debug_assert!(self.length() <= http2::STREAM_WINDOW);
        let secure = self.over != Over::Http2;
        let paths = self.paths.iter();
        paths.map(|path| http2::block(path, secure)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_take_turns() {
        let requests = Ask::encoded("/j", "gzip", 9).of_objects(2).requests();
        let texts: Vec<_> = requests
            .iter()
            .map(|one| String::from_utf8_lossy(one))
            .collect();
        assert!(texts[0].starts_with("GET /j?0 HTTP/1.1\r\n"), "{texts:?}");
        assert!(texts[1].starts_with("GET /j?1 HTTP/1.1\r\n"), "{texts:?}");
        assert!(
            texts
                .iter()
                .all(|one| one.contains("\r\nAccept-Encoding: gzip\r\n"))
        );
        assert_eq!(Ask::plain("/1k", 1024).requests().len(), 1);
    }
}
