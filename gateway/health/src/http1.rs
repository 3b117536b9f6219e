//! A request over HTTP/1.1.

use bytes::Bytes;
use http::{HeaderValue, Request, header};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use janua_upstream::CheckFailure;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::check::HttpRequest;
use crate::expectation::BODY_LIMIT;
use crate::failure::{fault, of_http1};
use crate::task::Background;

/// The largest head of a response.
const HEAD_LIMIT: usize = 64 * 1024;
/// The most fields of a response.
const MAX_FIELDS: usize = 256;

/// Asks, and judges the response. `authority` is the `Host` unless the check has another.
pub(crate) async fn ask(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    check: &HttpRequest,
    authority: &str,
) -> Result<(), CheckFailure> {
    let request = request(check, authority)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_LIMIT)
        .max_headers(MAX_FIELDS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| of_http1(&error))?;
    // The connection is closed when the check is over, whatever is still to come.
    let _connection = Background::run(async {
        // What it ends with, the request ends with too.
        let _ = connection.await;
    });
    let response = sender.send_request(request).await;
    let response = response.map_err(|error| of_http1(&error))?;
    check.expectation.check_status(response.status())?;
    let body = beginning(response.into_body()).await?;
    check.expectation.check_body(&body)
}

/// The whole body, or its beginning if it is larger than [`BODY_LIMIT`].
async fn beginning(mut body: Incoming) -> Result<Vec<u8>, CheckFailure> {
    let mut read = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| of_http1(&error))?;
        if let Some(data) = frame.data_ref() {
            let room = BODY_LIMIT - read.len();
            read.extend_from_slice(data.get(..room).unwrap_or(data));
        }
        if read.len() == BODY_LIMIT {
            break;
        }
    }
    Ok(read)
}

fn request(check: &HttpRequest, authority: &str) -> Result<Request<Empty<Bytes>>, CheckFailure> {
    let host = check.host.as_deref().unwrap_or(authority);
    let mut request = Request::builder()
        .method(&check.method)
        .uri(&check.path)
        .header(header::HOST, host)
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| fault("request", error.to_string()))?;
    add_fields(request.headers_mut(), &check.headers);
    Ok(request)
}

/// Adds the fields of a check, and those by which servers know what it is.
pub(crate) fn add_fields(fields: &mut http::HeaderMap, own: &[(http::HeaderName, HeaderValue)]) {
    fields.insert(header::USER_AGENT, HeaderValue::from_static("janua-health"));
    fields.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
    for (name, value) in own {
        fields.insert(name, value.clone());
    }
}
