//! The prepared responses of the upstream, of HTTP/1.

use std::rc::Rc;

use crate::document;

/// A response: head and body in one buffer.
pub(super) type Answer = Rc<[u8]>;

/// The prepared responses.
pub(super) struct Answers {
    /// The responses by path.
    prepared: Vec<(String, Answer)>,
    missing: Answer,
    tunnel: Answer,
    websocket: Answer,
    /// Requests of HTTP/1 so far.
    requests: u64,
}

impl Answers {
    /// Prepares them.
    pub(super) fn new() -> Self {
        let octets = "application/octet-stream";
        let bodies = [
            ("/1k", octets, vec![0; 1024]),
            ("/100k", octets, vec![0; 100 * 1024]),
            ("/1m", octets, vec![0; 1024 * 1024]),
            ("/json", "application/json", document::json(JSON_LENGTH)),
            ("/upload", octets, vec![0]),
        ];
        let mut prepared = Vec::new();
        for (path, kind, body) in bodies {
            let cached = "Cache-Control: public, max-age=3600\r\n";
            prepared.push((path.to_owned(), response("200 OK", kind, "", &body)));
            let answer = response("200 OK", kind, cached, &body);
            prepared.push((format!("/cached{path}"), answer));
        }
        Self {
            prepared,
            missing: response("404 Not Found", octets, "", &[]),
            tunnel: TUNNEL.into(),
            websocket: WEBSOCKET.into(),
            requests: 0,
        }
    }

    /// The response to the request with this head.
    pub(super) fn to(&mut self, head: &[u8]) -> Answer {
        let path = head
            .strip_prefix(b"GET ")
            .or_else(|| head.strip_prefix(b"POST "));
        let path = path.unwrap_or_default();
        let end = path.iter().position(|byte| matches!(byte, b' ' | b'?'));
        let path = path.get(..end.unwrap_or(0)).unwrap_or_default();
        if path == b"/requests" {
            let count = self.requests.to_string();
            return response("200 OK", "text/plain", "", count.as_bytes());
        }
        self.requests += 1;
        if path == b"/tunnel" {
            return Rc::clone(&self.tunnel);
        }
        if path == b"/websocket" {
            return Rc::clone(&self.websocket);
        }
        let mut prepared = self.prepared.iter();
        let known = prepared.find(|(known, _)| known.as_bytes() == path);
        Rc::clone(known.map_or(&self.missing, |(_, answer)| answer))
    }
}

/// The response to a request for a tunnel.
pub(super) const TUNNEL: &[u8] =
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";

/// The response to a request for a WebSocket. The client has one key, so that this is its proof.
pub(super) const WEBSOCKET: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// Least length of the document `/json`, in bytes.
const JSON_LENGTH: usize = 100 * 1024;

fn response(status: &str, kind: &str, fields: &str, body: &[u8]) -> Answer {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{fields}Content-Length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat().into()
}
