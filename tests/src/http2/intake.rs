//! Reads requests of HTTP/1.1 piece by piece, as they arrive.

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How much is read at a time at most, in bytes: a frame of HTTP/2 holds as much.
const PIECE: usize = 16 * 1024;

/// A stream of requests, and bytes already read from it.
#[derive(Debug)]
pub(super) struct Intake<R> {
    stream: R,
    buffer: BytesMut,
}

/// How much of a body is still to come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rest {
    /// By `Content-Length`.
    Length(usize),
    /// Of the current chunk; none before the size of the next one.
    Chunk(usize),
    /// The line end after a chunk.
    ChunkEnd,
}

/// A part of a body.
#[derive(Debug)]
pub(super) enum Part {
    /// Bytes of it, never none.
    Data(Bytes),
    /// Its end, with the trailers of a chunked body.
    End(HeaderMap),
}

/// Why nothing more can be read.
#[derive(Debug)]
pub(super) enum Fault {
    /// The stream ended within a message.
    Ended,
    /// The message has no counterpart in HTTP/2.
    Untranslatable(String),
}

impl<R: AsyncRead + Unpin> Intake<R> {
    pub(super) fn new(stream: R) -> Self {
        Self {
            stream,
            buffer: BytesMut::new(),
        }
    }

    /// The next head up to and including its empty line; none if the stream ends before it.
    pub(super) async fn head(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            // RFC 9112, section 2.2.
            while self.buffer.starts_with(b"\r\n") {
                self.buffer.advance(2);
            }
            if let Some(end) = position(&self.buffer, b"\r\n\r\n") {
                return Ok(Some(self.buffer.split_to(end + 4).freeze()));
            }
            if !self.fill().await? {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(Fault::Ended),
                };
            }
        }
    }

    /// The next part of a body.
    pub(super) async fn part(&mut self, rest: &mut Rest) -> Result<Part, Fault> {
        match rest {
            Rest::Length(0) => Ok(Part::End(HeaderMap::new())),
            Rest::Length(left) => {
                let bytes = self.some(*left).await?;
                *left -= bytes.len();
                Ok(Part::Data(bytes))
            }
            Rest::Chunk(0) | Rest::ChunkEnd => {
                if matches!(rest, Rest::ChunkEnd) && !self.line().await?.is_empty() {
                    return Err(untranslatable("a chunk without a line end"));
                }
                match size(&self.line().await?)? {
                    0 => self.trailers().await.map(Part::End),
                    size => self.chunk(rest, size).await,
                }
            }
            &mut Rest::Chunk(left) => self.chunk(rest, left).await,
        }
    }

    /// A part of a chunk of which so much is left. Its line end is not waited for: the bytes
    /// may be all that the test sends.
    async fn chunk(&mut self, rest: &mut Rest, left: usize) -> Result<Part, Fault> {
        let bytes = self.some(left).await?;
        *rest = match left - bytes.len() {
            0 => Rest::ChunkEnd,
            left => Rest::Chunk(left),
        };
        Ok(Part::Data(bytes))
    }

    async fn trailers(&mut self) -> Result<HeaderMap, Fault> {
        let mut trailers = HeaderMap::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(trailers);
            }
            let (name, value) = field(&line).map_err(Fault::Untranslatable)?;
            trailers.append(name, value);
        }
    }

    async fn line(&mut self) -> Result<Bytes, Fault> {
        loop {
            if let Some(end) = position(&self.buffer, b"\r\n") {
                let line = self.buffer.split_to(end).freeze();
                self.buffer.advance(2);
                return Ok(line);
            }
            if !self.fill().await? {
                return Err(Fault::Ended);
            }
        }
    }

    /// What is there or comes next, of at most this size.
    async fn some(&mut self, most: usize) -> Result<Bytes, Fault> {
        if self.buffer.is_empty() && !self.fill().await? {
            return Err(Fault::Ended);
        }
        let size = self.buffer.len().min(most);
        Ok(self.buffer.split_to(size).freeze())
    }

    /// Whether something was read, and not the end.
    async fn fill(&mut self) -> Result<bool, Fault> {
        self.buffer.reserve(PIECE);
        let read = self.stream.read_buf(&mut self.buffer).await;
        read.map(|size| size > 0).map_err(|_| Fault::Ended)
    }
}

/// A field line.
pub(super) fn field(line: &[u8]) -> Result<(HeaderName, HeaderValue), String> {
    let bad = || format!("field line {:?}", String::from_utf8_lossy(line));
    let colon = position(line, b":").ok_or_else(bad)?;
    let name = HeaderName::from_bytes(&line[..colon]).map_err(|_| bad())?;
    let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).map_err(|_| bad())?;
    Ok((name, value))
}

fn size(line: &[u8]) -> Result<usize, Fault> {
    let text = String::from_utf8_lossy(line);
    let digits = text.split(';').next().unwrap_or_default();
    usize::from_str_radix(digits, 16).map_err(|_| untranslatable(&format!("chunk size {text:?}")))
}

fn untranslatable(what: &str) -> Fault {
    Fault::Untranslatable(what.to_owned())
}

fn position(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(needle.len());
    windows.position(|window| window == needle)
}
