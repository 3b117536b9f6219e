//! Parses messages strictly by RFC 9112. Output that only a lenient parser
//! would accept is an error: the gateway's output must be correct, not just
//! understandable.

use super::Wire;
use crate::message::{Framing, ReadError, Received, Response, has_no_body};

/// Field lines in their order.
type FieldLines = Vec<(String, String)>;

impl Wire {
    /// Reads the response to a request with this method, including interim
    /// responses, which must succeed.
    pub async fn receive(&mut self, method: &str) -> Response {
        self.try_receive(method)
            .await
            .unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Reads the response to a request with this method. Interim responses are
    /// kept with the final one; `101` is final.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn try_receive(&mut self, method: &str) -> Result<Response, ReadError> {
        let mut interim = Vec::new();
        loop {
            let mut response = self.receive_head(method).await?;
            if response.status < 200 && response.status != 101 {
                interim.push(response);
                continue;
            }
            (response.body, response.trailers) = self.take_body(response.framing).await?;
            response.interim = interim;
            return Ok(response);
        }
    }

    /// Reads the head of one response, interim or final, without its body.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn receive_head(&mut self, method: &str) -> Result<Response, ReadError> {
        let (start, fields) = self.head().await?;
        let mut parts = start.splitn(3, ' ');
        let version = parts.next().unwrap_or_default().to_owned();
        let status = parts.next().filter(|status| status.len() == 3);
        let status = status
            .and_then(|status| status.parse().ok())
            .filter(|_| version == "HTTP/1.1")
            .ok_or_else(|| ReadError::Malformed(format!("status line {start:?}")))?;
        let reason = parts
            .next()
            .ok_or_else(|| ReadError::Malformed(format!("no space after the status: {start:?}")))?;
        let framing = match framing(&fields)? {
            _ if method == "HEAD" || has_no_body(status) => Framing::None,
            Some(framing) => framing,
            None => Framing::UntilClose,
        };
        // RFC 9112 §6.1, RFC 9110 §8.6.
        let has = |name: &str| {
            fields
                .iter()
                .any(|(field, _)| field.eq_ignore_ascii_case(name))
        };
        if (status < 200 || status == 204) && (has("content-length") || has("transfer-encoding")) {
            return Err(ReadError::Malformed(format!(
                "{status} with a length: {fields:?}"
            )));
        }
        Ok(Response {
            version,
            status,
            reason: reason.to_owned(),
            fields,
            framing,
            body: Vec::new(),
            trailers: Vec::new(),
            interim: Vec::new(),
        })
    }

    /// Reads a complete request.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn receive_request(&mut self) -> Result<Received, ReadError> {
        let mut request = self.receive_request_head().await?;
        (request.body, request.trailers) = self.take_body(request.framing).await?;
        Ok(request)
    }

    /// Reads the head of a request, without its body.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn receive_request_head(&mut self) -> Result<Received, ReadError> {
        let (start, fields) = self.head().await?;
        let parts: Vec<&str> = start.split(' ').collect();
        let &[method, target, version @ ("HTTP/1.1" | "HTTP/1.0")] = parts.as_slice() else {
            return Err(ReadError::Malformed(format!("request line {start:?}")));
        };
        Ok(Received {
            method: method.to_owned(),
            target: target.to_owned(),
            version: version.to_owned(),
            framing: framing(&fields)?.unwrap_or(Framing::None),
            fields,
            body: Vec::new(),
            trailers: Vec::new(),
            connection: 0,
        })
    }

    /// Reads a body and its trailers.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn take_body(
        &mut self,
        framing: Framing,
    ) -> Result<(Vec<u8>, FieldLines), ReadError> {
        let whole = async {
            match framing {
                Framing::None => Ok((Vec::new(), Vec::new())),
                Framing::Length(length) => Ok((self.take(length).await?, Vec::new())),
                Framing::UntilClose => Ok((self.take_rest().await?, Vec::new())),
                Framing::Chunked => self.take_chunks().await,
            }
        };
        // Within a message, a close is an error.
        whole.await.map_err(|error| match error {
            ReadError::Closed => ReadError::Incomplete("the body".to_owned()),
            error => error,
        })
    }

    async fn take_chunks(&mut self) -> Result<(Vec<u8>, FieldLines), ReadError> {
        let mut body = Vec::new();
        loop {
            let chunk = self.take_chunk().await?;
            if chunk.is_empty() {
                break;
            }
            body.extend_from_slice(&chunk);
        }
        let mut trailers = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok((body, trailers));
            }
            trailers.push(field(&line)?);
        }
    }

    /// Reads one chunk; the last one is empty and is followed by the trailers.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn take_chunk(&mut self) -> Result<Vec<u8>, ReadError> {
        let line = self.line().await?;
        let size = usize::from_str_radix(&line, 16)
            .map_err(|_| ReadError::Malformed(format!("chunk size {line:?}")))?;
        if size == 0 {
            return Ok(Vec::new());
        }
        let mut chunk = self.take(size + 2).await?;
        if !chunk.ends_with(b"\r\n") {
            return Err(ReadError::Malformed("no line end after a chunk".to_owned()));
        }
        chunk.truncate(size);
        Ok(chunk)
    }

    async fn head(&mut self) -> Result<(String, FieldLines), ReadError> {
        let head = self.take_until(b"\r\n\r\n").await?;
        let head = String::from_utf8(head)
            .map_err(|error| ReadError::Malformed(format!("not UTF-8: {error}")))?;
        let mut lines = head[..head.len() - 4].split("\r\n");
        let start = lines.next().unwrap_or_default().to_owned();
        let fields = lines.map(field).collect::<Result<_, _>>()?;
        Ok((start, fields))
    }

    async fn line(&mut self) -> Result<String, ReadError> {
        let mut line = self.take_until(b"\r\n").await?;
        line.truncate(line.len() - 2);
        String::from_utf8(line).map_err(|error| ReadError::Malformed(error.to_string()))
    }
}

fn field(line: &str) -> Result<(String, String), ReadError> {
    let bad = || ReadError::Malformed(format!("field line {line:?}"));
    let (name, value) = line.split_once(':').ok_or_else(bad)?;
    let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    let fits = !name.is_empty()
        && name.bytes().all(is_token)
        && !value.chars().any(|c| c.is_control() && c != '\t');
    let value = value.trim_matches([' ', '\t']);
    fits.then(|| (name.to_owned(), value.to_owned()))
        .ok_or_else(bad)
}

fn framing(fields: &[(String, String)]) -> Result<Option<Framing>, ReadError> {
    let values = |wanted: &'static str| {
        let matching = fields
            .iter()
            .filter(move |(name, _)| name.eq_ignore_ascii_case(wanted));
        matching
            .map(|(_, value)| value.as_str())
            .collect::<Vec<_>>()
    };
    let (lengths, codings) = (values("content-length"), values("transfer-encoding"));
    match (lengths.as_slice(), codings.as_slice()) {
        ([], []) => Ok(None),
        ([], ["chunked"]) => Ok(Some(Framing::Chunked)),
        ([length], []) => match length.parse() {
            Ok(length) => Ok(Some(Framing::Length(length))),
            Err(_) => Err(ReadError::Malformed(format!("length {length:?}"))),
        },
        _ => Err(ReadError::Malformed(format!(
            "lengths {lengths:?}, codings {codings:?}"
        ))),
    }
}
