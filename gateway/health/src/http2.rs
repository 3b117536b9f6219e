//! A request over HTTP/2, and what calls of gRPC share with it.

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{self, SendRequest};
use http::{Request, Uri};
use janua_upstream::CheckFailure;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::check::HttpRequest;
use crate::expectation::BODY_LIMIT;
use crate::failure::{fault, of_http2};
use crate::http1::add_fields;
use crate::task::Background;

/// The largest head of a response, which the endpoint is told.
const HEAD_LIMIT: u32 = 64 * 1024;

/// An HTTP/2 connection for one request. It is closed when this is dropped.
pub(crate) struct Connection {
    pub(crate) sender: SendRequest<Bytes>,
    _driver: Background,
}

impl Connection {
    pub(crate) async fn open(
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    ) -> Result<Self, CheckFailure> {
        let opened = client::Builder::new()
            .enable_push(false)
            .max_header_list_size(HEAD_LIMIT)
            .handshake(stream)
            .await;
        let (sender, connection) = opened.map_err(|error| of_http2(&error))?;
        let driver = Background::run(async {
            // What it ends with, the request ends with too.
            let _ = connection.await;
        });
        let sender = sender.ready().await.map_err(|error| of_http2(&error))?;
        Ok(Self {
            sender,
            _driver: driver,
        })
    }
}

/// Asks, and judges the response. `authority` is that of the request unless the check has
/// another.
pub(crate) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    check: &HttpRequest,
    authority: &str,
    scheme: &'static str,
) -> Result<(), CheckFailure> {
    let host = check.host.as_deref().unwrap_or(authority);
    let mut request = Request::builder()
        .method(&check.method)
        .uri(uri(scheme, host, &check.path)?)
        .body(())
        .map_err(|error| fault("request", error.to_string()))?;
    add_fields(request.headers_mut(), &check.headers);
    let mut connection = Connection::open(stream).await?;
    let sent = connection.sender.send_request(request, true);
    let (response, _) = sent.map_err(|error| of_http2(&error))?;
    let response = response.await.map_err(|error| of_http2(&error))?;
    check.expectation.check_status(response.status())?;
    let body = beginning(&mut response.into_body()).await?;
    check.expectation.check_body(&body)
}

/// The whole body, or its beginning if it is larger than [`BODY_LIMIT`].
pub(crate) async fn beginning(body: &mut RecvStream) -> Result<Vec<u8>, CheckFailure> {
    let mut read = Vec::new();
    while let Some(data) = body.data().await {
        let data = data.map_err(|error| of_http2(&error))?;
        // It fails only if more is released than was received.
        let _ = body.flow_control().release_capacity(data.len());
        let room = BODY_LIMIT - read.len();
        read.extend_from_slice(data.get(..room).unwrap_or(&data));
        if read.len() == BODY_LIMIT {
            break;
        }
    }
    Ok(read)
}

pub(crate) fn uri(scheme: &str, authority: &str, path: &str) -> Result<Uri, CheckFailure> {
    let built = Uri::builder()
        .scheme(scheme)
        .authority(authority)
        .path_and_query(path)
        .build();
    built.map_err(|error| fault("request", error.to_string()))
}
