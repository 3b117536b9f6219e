//! A client of HTTP/2, for tests that are about HTTP/2 itself.

use std::future::{Future as _, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{RecvStream, SendStream};
use http::uri::Scheme;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::ANY_FRAMES;
use super::body::{send, send_trailers, upload};
use super::head::{Outgoing, field_lines, field_map, response};
use super::intake::{Intake, Rest};
use crate::message::{Request, Response};
use crate::wire::Wire;
use crate::{PATIENCE, background};

/// A connection of HTTP/2, over which requests are sent one after the other or at the same time.
/// Dropping it closes the connection.
#[derive(Debug)]
pub struct Http2Client {
    client: SendRequest<Bytes>,
    scheme: Scheme,
    ended: watch::Receiver<Option<Result<(), String>>>,
    connection: AbortHandle,
}

/// A request in progress. Dropping it resets the stream with CANCEL.
#[derive(Debug)]
pub struct Http2Call {
    request: SendStream<Bytes>,
    state: State,
}

#[derive(Debug)]
enum State {
    Waiting(ResponseFuture),
    Reading(RecvStream),
}

impl Http2Client {
    /// Over a connection on which nothing has been sent yet.
    pub async fn over(wire: Wire) -> Self {
        Self::with(wire, h2::client::Builder::new()).await
    }

    /// The same with windows of this size, for each stream and the connection, in bytes.
    pub async fn with_window(wire: Wire, size: u32) -> Self {
        let mut builder = h2::client::Builder::new();
        builder
            .initial_window_size(size)
            .initial_connection_window_size(size);
        Self::with(wire, builder).await
    }

    async fn with(wire: Wire, mut builder: h2::client::Builder) -> Self {
        builder.data_frame_budget(ANY_FRAMES);
        let scheme = match wire.optional_handshake() {
            Some(_) => Scheme::HTTPS,
            None => Scheme::HTTP,
        };
        let opened = builder.handshake(wire.into_stream()).await;
        let (client, connection) = opened.expect("the gateway takes the preface");
        let (end, ended) = watch::channel(None);
        let running = async move {
            let result = connection.await.map_err(|error| error.to_string());
            end.send_replace(Some(result));
        };
        Self {
            client,
            scheme,
            ended,
            connection: background::runtime().spawn(running).abort_handle(),
        }
    }

    /// Sends a `GET` to the host `a.example` and reads the response, which must succeed.
    pub async fn get(&self, path: &str) -> Response {
        self.send(&Request::get(path)).await
    }

    /// Sends a request and reads the response, which must succeed.
    pub async fn send(&self, request: &Request) -> Response {
        let sent = self.try_send(request).await;
        sent.unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Sends a request and reads the response.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub async fn try_send(&self, request: &Request) -> Result<Response, h2::Error> {
        let bytes = request.to_bytes();
        let mut intake = Intake::new(bytes.as_slice());
        let head = intake.head().await.ok().flatten();
        let outgoing = self.outgoing(&head.expect("a request has a head"));
        let (mut call, body) = self.begin(outgoing, false).await?;
        if let Some(mut rest) = body {
            // If it is not wanted, the response says why.
            let _ = upload(&mut intake, &mut rest, &mut call.request).await;
        }
        call.try_response().await
    }

    /// Sends the head of a request, whose body is sent by the call.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn open(&self, request: &Request) -> Result<Http2Call, h2::Error> {
        let outgoing = self.outgoing(&request.to_bytes());
        Ok(self.begin(outgoing, true).await?.0)
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// The connection has ended.
    pub async fn ask(&self, request: &Request) -> Result<Http2Call, h2::Error> {
        let outgoing = self.outgoing(&request.to_bytes());
        Ok(self.begin(outgoing, false).await?.0)
    }

    /// Waits until the connection has ended. The error says why, unless it ended in good order:
    /// by GOAWAY with NO_ERROR, or by a close without GOAWAY.
    ///
    /// # Panics
    /// If it does not end in time.
    pub async fn ended(&self) -> Result<(), String> {
        let mut ended = self.ended.clone();
        let result = timeout(PATIENCE, ended.wait_for(Option::is_some)).await;
        let result = result.expect("the connection ends in time");
        result.ok().and_then(|result| result.clone()).unwrap()
    }

    /// Whether the connection has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ended.borrow().is_some()
    }

    /// How many requests the server permits at the same time.
    #[must_use]
    pub fn most_streams(&self) -> usize {
        self.client.current_max_send_streams()
    }

    fn outgoing(&self, bytes: &[u8]) -> Outgoing {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let head = &bytes[..end.expect("a request has a head") + 4];
        let outgoing = Outgoing::of(head, &self.scheme);
        outgoing.unwrap_or_else(|what| panic!("HTTP/2 has nothing like this: {what}"))
    }

    async fn begin(
        &self,
        outgoing: Outgoing,
        has_body: bool,
    ) -> Result<(Http2Call, Option<Rest>), h2::Error> {
        let mut client = self.client.clone().ready().await?;
        let is_over = outgoing.body.is_none() && !has_body;
        let (state, request) = client.send_request(outgoing.request, is_over)?;
        let call = Http2Call {
            request,
            state: State::Waiting(state),
        };
        Ok((call, outgoing.body))
    }
}

impl Drop for Http2Client {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

impl Http2Call {
    /// The identifier of the stream.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.request.stream_id().into()
    }

    /// Sends a part of the body, once the windows permit it.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub async fn send(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), h2::Error> {
        send(&mut self.request, bytes.into().into(), false).await
    }

    /// Ends the body.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub fn finish(&mut self) -> Result<(), h2::Error> {
        self.request.send_data(Bytes::new(), true)
    }

    /// Ends the body with trailers.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub fn finish_with(&mut self, trailers: &[(&str, &str)]) -> Result<(), h2::Error> {
        send_trailers(&mut self.request, field_map(trailers))
    }

    /// Resets the stream with this code.
    pub fn reset(mut self, code: u32) {
        self.request.send_reset(code.into());
    }

    /// Waits for the head of the response, with the interim responses before it.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    ///
    /// # Panics
    /// If there is a head already, or none arrives in time.
    pub async fn head(&mut self) -> Result<Response, h2::Error> {
        let State::Waiting(future) = &mut self.state else {
            panic!("the response has one head");
        };
        let mut interim = Vec::new();
        let received = poll_fn(|context| {
            while let Poll::Ready(Some(head)) = future.poll_informational(context) {
                interim.push(response(&head?.into_parts().0, true));
            }
            Pin::new(&mut *future).poll(context)
        });
        let received = timeout(PATIENCE, received).await;
        let (parts, body) = received.expect("a head arrives in time")?.into_parts();
        let mut head = response(&parts, body.is_end_stream());
        head.interim = interim;
        self.state = State::Reading(body);
        Ok(head)
    }

    /// The next bytes of the response; none at the end of its body.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    ///
    /// # Panics
    /// If nothing arrives in time.
    pub async fn data(&mut self) -> Result<Option<Vec<u8>>, h2::Error> {
        let body = self.body();
        let data = timeout(PATIENCE, body.data()).await;
        match data.expect("bytes arrive in time") {
            None => Ok(None),
            Some(bytes) => {
                let bytes = bytes?;
                body.flow_control().release_capacity(bytes.len())?;
                Ok(Some(bytes.to_vec()))
            }
        }
    }

    /// Waits for the complete response, which must succeed.
    pub async fn response(&mut self) -> Response {
        let response = self.try_response().await;
        response.unwrap_or_else(|error| panic!("no response: {error}"))
    }

    /// Waits for the complete response.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    pub async fn try_response(&mut self) -> Result<Response, h2::Error> {
        let mut response = self.head().await?;
        while let Some(bytes) = self.data().await? {
            response.body.extend(bytes);
        }
        response.trailers = self.trailers().await?;
        Ok(response)
    }

    /// The trailers, after the end of the body.
    ///
    /// # Errors
    /// The stream is reset, or the connection ends.
    ///
    /// # Panics
    /// If the stream does not end in time.
    pub async fn trailers(&mut self) -> Result<Vec<(String, String)>, h2::Error> {
        let trailers = timeout(PATIENCE, self.body().trailers()).await;
        let trailers = trailers.expect("the stream ends in time")?;
        Ok(trailers.as_ref().map(field_lines).unwrap_or_default())
    }

    fn body(&mut self) -> &mut RecvStream {
        match &mut self.state {
            State::Reading(body) => body,
            State::Waiting(_) => panic!("the head comes first"),
        }
    }
}
