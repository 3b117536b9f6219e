//! Messages as they came: read leniently, so that whatever the gateway sends can be
//! written down.
//!
//! The reader of the harness (`Wire::receive`) refuses what is not well-formed. Here
//! nothing is refused: a malformed or unfinished message is part of the transcript.

use janua_tests::{ReadError, Wire};

/// The receiving side of a connection, and what was read ahead.
pub(crate) struct Inbox<'a> {
    pub(crate) wire: &'a mut Wire,
    buffer: Vec<u8>,
    end: Option<End>,
}

/// How a connection ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum End {
    /// The peer closed it in good order.
    Closed,
    /// The peer reset it.
    Reset,
    /// Neither bytes nor an end came for as long as a test waits.
    Silent,
}

/// The head of a message: its start line and its field lines, without line ends.
pub(crate) struct Head(pub(crate) Vec<Vec<u8>>);

/// How the end of a body is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// There is no body.
    None,
    /// `Content-Length`.
    Length(usize),
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// The body ends with the connection.
    UntilClose,
}

/// A body without its transfer coding. How it was cut into chunks depends on the
/// moments at which bytes arrive, and is left out.
#[derive(Default)]
pub(crate) struct Body {
    pub(crate) content: Vec<u8>,
    pub(crate) trailers: Vec<Vec<u8>>,
    /// Why the body is not whole.
    pub(crate) fault: Option<&'static str>,
}

impl<'a> Inbox<'a> {
    pub(crate) fn new(wire: &'a mut Wire) -> Self {
        Self {
            wire,
            buffer: Vec::new(),
            end: None,
        }
    }

    /// How the connection ended, if it has.
    pub(crate) fn end(&self) -> Option<End> {
        self.end
    }

    /// The next head; none if the connection ended before it was complete.
    pub(crate) async fn head(&mut self) -> Option<Head> {
        let head = self.take_until(b"\r\n\r\n").await?;
        let text = &head[..head.len() - 4];
        let mut lines = vec![Vec::new()];
        for (index, &byte) in text.iter().enumerate() {
            if byte == b'\r' && text.get(index + 1) == Some(&b'\n') {
                continue;
            }
            if byte == b'\n' && index > 0 && text[index - 1] == b'\r' {
                lines.push(Vec::new());
            } else {
                lines.last_mut().unwrap().push(byte);
            }
        }
        Some(Head(lines))
    }

    /// The body behind a head.
    pub(crate) async fn body(&mut self, framing: Framing) -> Body {
        match framing {
            Framing::None => Body::default(),
            Framing::Length(length) => {
                while self.buffer.len() < length && self.more().await {}
                let fault = (self.buffer.len() < length).then_some("cut off");
                let rest = self.buffer.split_off(length.min(self.buffer.len()));
                Body {
                    content: std::mem::replace(&mut self.buffer, rest),
                    fault,
                    ..Body::default()
                }
            }
            Framing::UntilClose => Body {
                content: self.rest().await,
                fault: (self.end != Some(End::Closed)).then_some("reset"),
                ..Body::default()
            },
            Framing::Chunked => self.chunks().await,
        }
    }

    /// Waits for at least so many bytes, and takes all that are there.
    pub(crate) async fn at_least(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    /// All that comes until the connection ends.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.buffer)
    }

    async fn chunks(&mut self) -> Body {
        let mut body = Body::default();
        loop {
            let Some(line) = self.take_until(b"\r\n").await else {
                body.fault = Some("cut off");
                return body;
            };
            let digits = line.split(|byte| matches!(byte, b';' | b'\r')).next();
            let digits = String::from_utf8_lossy(digits.unwrap_or_default()).into_owned();
            let Ok(size) = usize::from_str_radix(&digits, 16) else {
                body.fault = Some("not a chunk");
                return body;
            };
            if size == 0 {
                break;
            }
            while self.buffer.len() < size + 2 && self.more().await {}
            if self.buffer.len() < size + 2 {
                body.content.append(&mut self.buffer);
                body.fault = Some("cut off");
                return body;
            }
            body.content.extend(self.buffer.drain(..size));
            if self.buffer.drain(..2).ne(*b"\r\n") {
                body.fault = Some("no line end after a chunk");
                return body;
            }
        }
        loop {
            match self.take_until(b"\r\n").await {
                None => {
                    body.fault = Some("cut off");
                    return body;
                }
                Some(line) if line == b"\r\n" => return body,
                Some(mut line) => {
                    line.truncate(line.len() - 2);
                    body.trailers.push(line);
                }
            }
        }
    }

    async fn take_until(&mut self, needle: &[u8]) -> Option<Vec<u8>> {
        loop {
            let windows = &mut self.buffer.windows(needle.len());
            if let Some(at) = windows.position(|window| window == needle) {
                let rest = self.buffer.split_off(at + needle.len());
                return Some(std::mem::replace(&mut self.buffer, rest));
            }
            if !self.more().await {
                return None;
            }
        }
    }

    /// Reads some more; false at the end.
    async fn more(&mut self) -> bool {
        if self.end.is_some() {
            return false;
        }
        self.end = match self.wire.take_some().await {
            Ok(some) if some.is_empty() => Some(End::Closed),
            Ok(mut some) => {
                self.buffer.append(&mut some);
                None
            }
            Err(ReadError::TimedOut) => Some(End::Silent),
            Err(_) => Some(End::Reset),
        };
        self.end.is_none()
    }
}

impl Head {
    /// The start line.
    pub(crate) fn start(&self) -> String {
        String::from_utf8_lossy(&self.0[0]).into_owned()
    }

    /// The status of a response; 0 if the start line has none.
    pub(crate) fn status(&self) -> u16 {
        let start = self.start();
        let status = start.split(' ').nth(1).unwrap_or_default();
        status.parse().unwrap_or(0)
    }

    /// The value of the first field of this name, in lower case.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        self.0[1..].iter().find_map(|line| {
            let line = String::from_utf8_lossy(line).to_lowercase();
            let (field, value) = line.split_once(':')?;
            (field == name).then(|| value.trim().to_owned())
        })
    }

    /// True if the sender says that it closes the connection behind this message.
    pub(crate) fn closes(&self) -> bool {
        self.value("connection")
            .is_some_and(|value| value.contains("close"))
    }

    /// How a response to a request of this method is framed (RFC 9112 §6.3).
    pub(crate) fn response_framing(&self, method: &str) -> Framing {
        let status = self.status();
        if method == "HEAD" || status < 200 || matches!(status, 204 | 304) {
            return Framing::None;
        }
        self.framing().unwrap_or(Framing::UntilClose)
    }

    /// How a request is framed.
    pub(crate) fn request_framing(&self) -> Framing {
        self.framing().unwrap_or(Framing::None)
    }

    fn framing(&self) -> Option<Framing> {
        if self.value("transfer-encoding").is_some() {
            return Some(Framing::Chunked);
        }
        let length = self.value("content-length")?;
        length.parse().ok().map(Framing::Length)
    }
}
