//! The requests of a run, and the expected responses.

use std::net::Ipv4Addr;

use super::API_KEY;
use crate::http2::{self, Payload};
use crate::tls::Over;
use crate::websocket;

/// The method that all gRPC calls are to.
const CALL_PATH: &str = "/janua.load.Echo/Call";

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
    /// The API keys, which take turns.
    keys: Vec<String>,
    /// The address that the requests are sent from, if it matters.
    pub(super) source: Option<Ipv4Addr>,
    /// How the requests are sent.
    pub(crate) over: Over,
    /// Requests that a connection carries at the same time.
    pub(crate) together: usize,
}

/// The expected body of a response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Body {
    /// Exactly this many bytes, without a content coding.
    Plain(usize),
    /// At most this many bytes in this content coding.
    Encoded(&'static str, usize),
    /// The messages of a gRPC call, so many, each after the echo of the one before.
    Call(u8),
    /// A message of a WebSocket with this many bytes, as an echo.
    Message(usize),
}

impl Body {
    /// The expected `Content-Encoding`.
    pub(super) fn coding(self) -> Option<&'static str> {
        match self {
            Self::Plain(_) | Self::Call(_) | Self::Message(_) => None,
            Self::Encoded(coding, _) => Some(coding),
        }
    }

    /// What a connection of HTTP/2 carries.
    pub(super) fn payload(self) -> Payload {
        match self {
            Self::Plain(length) | Self::Encoded(_, length) | Self::Message(length) => {
                Payload::Body(length)
            }
            Self::Call(messages) => Payload::Call(messages),
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
            keys: vec![API_KEY.to_owned()],
            source: None,
            over: Over::Cleartext,
            together: 1,
        }
    }

    /// gRPC calls of so many messages of 100 bytes, at least one, which the server sends back.
    /// Each message follows the echo of the one before.
    pub(crate) fn call(messages: u8) -> Self {
        Self {
            body: Body::Call(messages),
            ..Self::plain(CALL_PATH, 0).over(Over::Http2)
        }
    }

    /// Messages of `length` bytes, at most 125, of a WebSocket at this path that sends them back.
    pub(crate) fn message(path: impl Into<String>, length: usize) -> Self {
        Self {
            body: Body::Message(length),
            ..Self::plain(path, 0)
        }
    }

    /// One path, whose response has this content coding and at most `limit` bytes of body.
    pub(crate) fn encoded(path: impl Into<String>, coding: &'static str, limit: usize) -> Self {
        Self {
            encoding: Some(coding),
            body: Body::Encoded(coding, limit),
            ..Self::plain(path, 0)
        }
    }

    /// An upload of `upload` bytes to one path, whose response has `length` bytes of body.
    pub(crate) fn upload(path: impl Into<String>, upload: usize, length: usize) -> Self {
        Self {
            upload,
            ..Self::plain(path, length)
        }
    }

    /// The same from this address.
    pub(crate) fn from(self, source: Ipv4Addr) -> Self {
        Self {
            source: Some(source),
            ..self
        }
    }

    /// The same with `count` keys in turn, of `length` bytes, that nobody knows.
    pub(crate) fn unknown_keys(self, count: usize, length: usize) -> Self {
        let keys = (0..count).map(|number| format!("{number:0length$}"));
        Self {
            keys: keys.collect(),
            ..self
        }
    }

    /// The same, sent in this way.
    pub(crate) fn over(self, over: Over) -> Self {
        let together = over.streams();
        Self {
            over,
            together,
            ..self
        }
    }

    /// The same, with so many requests at the same time on each connection of HTTP/2.
    pub(crate) fn together(self, together: usize) -> Self {
        debug_assert!(self.over.is_http2());
        Self { together, ..self }
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

    /// What a connection of HTTP/2 carries.
    pub(crate) fn payload(&self) -> Payload {
        self.body.payload()
    }

    /// The path of a WebSocket, and the frame that comes back on it; `None` for requests.
    pub(super) fn socket(&self) -> Option<(&str, Vec<u8>)> {
        let (Body::Message(length), Some(path)) = (self.body, self.paths.first()) else {
            return None;
        };
        Some((path, websocket::message(length).1))
    }

    /// The requests in wire format; for HTTP/2, their blocks of fields, and for a WebSocket the
    /// message.
    pub(crate) fn requests(&self) -> Vec<Vec<u8>> {
        if let Body::Message(length) = self.body {
            return vec![websocket::message(length).0];
        }
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
        let request = |(path, key): (&String, &String)| {
            let mut request = format!(
                "{method} {path} HTTP/1.1\r\nHost: load.example\r\nUser-Agent: janua-load\r\n\
                 Accept: */*\r\n{coding}{length}X-Api-Key: {key}\r\n\r\n"
            )
            .into_bytes();
            request.resize(request.len() + self.upload, 0);
            request
        };
        let keys = self.keys.iter();
        let each = keys.flat_map(|key| self.paths.iter().map(move |path| (path, key)));
        each.map(request).collect()
    }

    /// The blocks of fields. Codings and bodies of requests are not implemented for HTTP/2, and
    /// neither are responses that do not fit into a window.
    fn blocks(&self) -> Vec<Vec<u8>> {
        debug_assert!(self.upload == 0 && self.encoding.is_none());
        let block = match self.payload() {
            Payload::Body(length) => {
                debug_assert!(length <= http2::STREAM_WINDOW);
                http2::block
            }
            Payload::Call(_) => http2::call_block,
        };
        let secure = self.over != Over::Http2;
        let paths = self.paths.iter();
        paths.map(|path| block(path, secure)).collect()
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
