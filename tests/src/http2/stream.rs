//! One request as a server of HTTP/2 receives it, under control of a test.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::StatusCode;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedSender;

use super::body::{send, send_trailers};
use super::head::{field_lines, field_map, length};
use super::upstream::{Order, Seen};
use crate::message::{Framing, Received, Reply};
use crate::wire::Wire;

/// A stream that a client has opened. Dropping it before its end resets it.
#[derive(Debug)]
pub struct Http2Stream {
    /// The number of the connection, from 0.
    pub connection: usize,
    request: http::Request<RecvStream>,
    respond: SendResponse<Bytes>,
    response: Option<SendStream<Bytes>>,
    orders: UnboundedSender<Order>,
    seen: Arc<Seen>,
}

impl Http2Stream {
    pub(super) fn new(
        request: http::Request<RecvStream>,
        respond: SendResponse<Bytes>,
        connection: usize,
        orders: UnboundedSender<Order>,
        seen: Arc<Seen>,
    ) -> Self {
        Self {
            connection,
            request,
            respond,
            response: None,
            orders,
            seen,
        }
    }

    /// The identifier of the stream.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.request.body().stream_id().into()
    }

    /// The head of the request. Its scheme and authority are among the fields.
    #[must_use]
    pub fn head(&self) -> Received {
        let (request, uri) = (&self.request, self.request.uri());
        let mut fields = Vec::new();
        let mut add = |name: &str, value: &str| fields.push((name.to_owned(), value.to_owned()));
        if let Some(scheme) = uri.scheme_str() {
            add(":scheme", scheme);
        }
        if let Some(authority) = uri.authority() {
            add(":authority", authority.as_str());
        }
        if let Some(protocol) = request.extensions().get::<h2::ext::Protocol>() {
            add(":protocol", protocol.as_str());
        }
        fields.extend(field_lines(request.headers()));
        Received {
            method: request.method().to_string(),
            target: uri
                .path_and_query()
                .map_or("", |path| path.as_str())
                .to_owned(),
            version: "HTTP/2".to_owned(),
            fields,
            framing: match length(request.headers()) {
                _ if request.body().is_end_stream() => Framing::None,
                Some(length) => Framing::Length(length),
                None => Framing::UntilClose,
            },
            body: Vec::new(),
            trailers: Vec::new(),
            connection: self.connection,
        }
    }

    /// Receives the complete request and counts it.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub async fn request(&mut self) -> Result<Received, h2::Error> {
        let mut received = self.head();
        while let Some(bytes) = self.data().await? {
            received.body.extend(bytes);
        }
        let trailers = self.request.body_mut().trailers().await?;
        received.trailers = trailers.as_ref().map(field_lines).unwrap_or_default();
        self.seen.requests.lock().unwrap().push(received.clone());
        Ok(received)
    }

    /// The next bytes of the request; none at the end of its body.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub async fn data(&mut self) -> Result<Option<Vec<u8>>, h2::Error> {
        let body = self.request.body_mut();
        let Some(bytes) = body.data().await.transpose()? else {
            return Ok(None);
        };
        body.flow_control().release_capacity(bytes.len())?;
        Ok(Some(bytes.to_vec()))
    }

    /// Sends an interim response.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub fn interim(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<(), h2::Error> {
        self.respond.send_informational(head(status, fields))
    }

    /// Sends the head of the response.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub fn respond(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<(), h2::Error> {
        let sent = self.respond.send_response(head(status, fields), false);
        self.response = Some(sent?);
        Ok(())
    }

    /// Sends a response that has only a head.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub fn respond_only(&mut self, status: u16, fields: &[(&str, &str)]) -> Result<(), h2::Error> {
        let sent = self.respond.send_response(head(status, fields), true);
        sent.map(drop)
    }

    /// Sends a part of the response's body, once the windows permit it.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub async fn send(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), h2::Error> {
        send(self.body(), bytes.into().into(), false).await
    }

    /// Ends the response.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub fn finish(&mut self) -> Result<(), h2::Error> {
        self.body().send_data(Bytes::new(), true)
    }

    /// Ends the response with trailers.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub fn finish_with(&mut self, trailers: &[(&str, &str)]) -> Result<(), h2::Error> {
        send_trailers(self.body(), field_map(trailers))
    }

    /// Sends a reply: its interim responses, head, body and trailers. One that is cut short
    /// resets the stream.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub async fn reply(&mut self, reply: &Reply) -> Result<(), h2::Error> {
        let method = self.request.method().to_string();
        let (mut near, far) = UnixStream::pair().expect("a pair of sockets");
        let bytes = reply.to_bytes(&method);
        let writing = async move { near.write_all(&bytes).await };
        let mut wire = Wire::from(far);
        let (_, read) = tokio::join!(writing, wire.try_receive(&method));
        let Ok(read) = read else {
            self.respond.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        };
        for interim in &read.interim {
            self.interim(interim.status, &fields_of(&interim.fields))?;
        }
        let fields = fields_of(&read.fields);
        if read.body.is_empty() && read.trailers.is_empty() {
            return self.respond_only(read.status, &fields);
        }
        self.respond(read.status, &fields)?;
        let is_last = read.trailers.is_empty();
        send(self.body(), read.body.into(), is_last).await?;
        match is_last {
            true => Ok(()),
            false => self.finish_with(&fields_of(&read.trailers)),
        }
    }

    /// Resets the stream with this code.
    pub fn reset(mut self, code: u32) {
        match &mut self.response {
            None => self.respond.send_reset(code.into()),
            Some(response) => response.send_reset(code.into()),
        }
    }

    /// Waits until the client resets the stream, and returns the code; none if the connection
    /// ends.
    pub async fn cancelled(&mut self) -> Option<u32> {
        let reason = match &mut self.response {
            None => poll_fn(|context| self.respond.poll_reset(context)).await,
            Some(response) => poll_fn(|context| response.poll_reset(context)).await,
        };
        reason.ok().map(Into::into)
    }

    /// Announces by GOAWAY that no further requests are accepted. The connection ends after
    /// those in progress.
    pub fn go_away(&self) {
        let _ = self.orders.send(Order::GoAway);
    }

    /// Ends the connection at once, by GOAWAY with this code.
    pub fn abort(&self, code: u32) {
        let _ = self.orders.send(Order::Abort(code));
    }

    /// Closes the TCP connection at once, without GOAWAY.
    pub fn close(&self) {
        let _ = self.orders.send(Order::Close);
    }

    /// Lets the whole connection stall: nothing is read from it or sent any more.
    pub fn stall(&self) {
        let _ = self.orders.send(Order::Stall);
    }

    fn body(&mut self) -> &mut SendStream<Bytes> {
        self.response.as_mut().expect("the head comes first")
    }
}

fn head(status: u16, fields: &[(&str, &str)]) -> http::Response<()> {
    let mut head = http::Response::new(());
    *head.status_mut() = StatusCode::from_u16(status).expect("a valid status");
    *head.headers_mut() = field_map(fields);
    head
}

/// The fields that HTTP/2 has too.
fn fields_of(lines: &[(String, String)]) -> Vec<(&str, &str)> {
    let lines = lines
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    let of_connection = ["connection", "transfer-encoding", "keep-alive", "upgrade"];
    lines
        .filter(|(name, _)| !of_connection.iter().any(|of| name.eq_ignore_ascii_case(of)))
        .collect()
}
