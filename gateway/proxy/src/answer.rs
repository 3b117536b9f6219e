//! Responses that no upstream made: a policy's, the configuration's, and the
//! one place where a failure becomes a response.

use std::fmt::Write as _;

use janua_http::failure::Kind;
use janua_http::status::{has_no_body, reason};
use janua_http::{Failure, Fault, Framing};

use crate::client::Client;
use crate::content::Content;
use crate::deliver;
use crate::exchange::{Body, Exchange, Fate};
use crate::facts::AnsweredBy;
use crate::policies;
use crate::verdict::{Line, Made};

/// How long and how much of a request's body is read and dropped, so that the
/// connection can be used again after an answer that did not wait for it.
const DRAIN_BYTES: u64 = 64 * 1024;

/// Answers with a response that was made here.
///
/// # Errors
/// A policy of the response phase that failed.
pub(crate) async fn made(
    exchange: &mut Exchange,
    client: &mut Client,
    made: Made,
    by: AnsweredBy,
) -> Result<Fate, Failure> {
    exchange.take_made(&made);
    held(exchange, client, made.body.into(), by).await
}

/// Answers with the head that stands in the exchange and content that the
/// gateway holds.
///
/// # Errors
/// A policy of the response phase that failed.
pub(crate) async fn held(
    exchange: &mut Exchange,
    client: &mut Client,
    content: Content,
    by: AnsweredBy,
) -> Result<Fate, Failure> {
    exchange.record.answered_by = Some(by);
    if exchange.matched.is_none() {
        add_default_headers(exchange, client);
    }
    let mut content = content;
    if let Some(matched) = exchange.matched.clone()
        && let Some(replacement) = policies::response_phase(exchange, &matched, by)?
    {
        content = replacement.body.into();
        exchange.record.answered_by = Some(AnsweredBy::Policy);
    }
    exchange.mark_again();
    exchange.matched = None;
    Ok(send(exchange, client, content).await)
}

/// What `OPTIONS *` is told, which asks the server and no resource (RFC 9110
/// §9.3.7): it is there.
pub(crate) fn to_options() -> Made {
    Made {
        status: 200,
        headers: Vec::new(),
        body: Box::default(),
    }
}

/// Answers a failure. What has begun cannot be answered any more: then the
/// connection is broken off, so that the client does not take the fragment
/// for the whole.
pub(crate) async fn failure(
    exchange: &mut Exchange,
    client: &mut Client,
    failure: Failure,
) -> Fate {
    exchange.record.fail(&failure);
    if exchange.has_begun {
        return Fate::Abort;
    }
    if failure.kind == Kind::ClientGone {
        return Fate::Abort;
    }
    let response = made_of(exchange, &failure);
    let second = match made(exchange, client, response, AnsweredBy::Gateway).await {
        Ok(fate) => return fate,
        Err(second) => second,
    };
    // A policy of the response phase failed on the failure, or was it: now
    // without that one, which cannot fail again.
    exchange.record.fail(&second);
    let response = made_of(exchange, &second);
    match made(exchange, client, response, AnsweredBy::Gateway).await {
        Ok(fate) => fate,
        Err(_) => Fate::Abort,
    }
}

/// The one place where a failure becomes a response.
fn made_of(exchange: &Exchange, failure: &Failure) -> Made {
    let kind = failure.kind;
    let status = kind.status();
    let mut proxy_status = format!("janua; error={}", kind.proxy_status());
    let mut headers: Vec<Line> = Vec::new();
    match kind {
        Kind::MethodNotAllowed => headers.push((name(b"Allow"), failure.detail.as_bytes().into())),
        Kind::MethodRefused => headers.push((name(b"Allow"), Box::default())),
        // The detail may name what is inside: it is for the log.
        _ if kind.fault() == Fault::Client && !failure.detail.is_empty() => {
            let _ = write!(proxy_status, "; details=\"{}\"", quoted(&failure.detail));
        }
        _ => {}
    }
    headers.push((name(b"Proxy-Status"), proxy_status.into_bytes().into()));
    headers.push((name(b"Content-Type"), name(b"text/plain; charset=utf-8")));
    headers.push((name(b"Cache-Control"), name(b"no-store")));
    let mut body = format!("{status} {}: {}\n", reason(status), kind.words());
    if let Ok(id) = std::str::from_utf8(exchange.request_id.as_bytes())
        && !id.is_empty()
    {
        let _ = writeln!(body, "request {id}");
    }
    Made {
        status,
        headers,
        body: body.into_bytes().into(),
    }
}

/// Where no route matched, the listener's default fields apply.
fn add_default_headers(exchange: &mut Exchange, client: &Client) {
    let local = exchange.worker.snapshot();
    if let Some(listener) = local.listener(client.listener) {
        for (name, value) in &listener.headers {
            exchange
                .heads
                .response
                .fields
                .set(name.as_bytes(), value.as_bytes());
        }
    }
}

async fn send(exchange: &mut Exchange, client: &mut Client, content: Content) -> Fate {
    let response = &mut exchange.heads.response;
    response.fields.remove(b"content-length");
    // Nothing stands behind a body that the gateway holds.
    response.fields.remove(b"trailer");
    response.framing = match content.length() {
        _ if has_no_body(response.status) => Framing::None,
        Some(bytes) => {
            let length = itoa::Buffer::new().format(bytes).to_owned();
            response.fields.append(b"Content-Length", length.as_bytes());
            Framing::Length(bytes)
        }
        None => Framing::Chunked,
    };
    let framing = response.framing;
    let outgoing = deliver::outgoing(framing, exchange.heads.request.version);
    let fate = match exchange.body {
        _ if exchange.record.failure.is_some_and(breaks_framing) => Fate::Close,
        _ if outgoing == Framing::UntilClose => Fate::Close,
        Body::Read => exchange.fate(),
        Body::Untouched if drain_later(exchange) => exchange.fate(),
        Body::Untouched | Body::Begun => Fate::Close,
    };
    deliver::begin(exchange, &mut client.writer, fate);
    let content = if framing == Framing::None || exchange.heads.request.method == b"HEAD" {
        Content::empty()
    } else {
        content
    };
    if let Err(failure) = deliver::content::send(exchange, client, content, outgoing).await {
        exchange.record.fail(&failure);
        return Fate::Abort;
    }
    let is_untouched = exchange.body == Body::Untouched;
    if fate == Fate::KeepAlive
        && is_untouched
        && !deliver::drain(exchange, client, DRAIN_BYTES).await
    {
        return Fate::Close;
    }
    fate
}

/// After these nobody knows where the next request would begin.
fn breaks_framing(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::BadRequest
            | Kind::RequestHeadTooLarge
            | Kind::RequestBodyTooLarge
            | Kind::RequestTimeout
            | Kind::TransferCoding
            | Kind::HttpVersion
            | Kind::MethodRefused
            | Kind::Draining
    )
}

/// True if the rest of the request is short and sure to come, so that it can
/// be read and dropped. A client that waits for `100 Continue` may send it or
/// not (RFC 9110 §10.1.1).
fn drain_later(exchange: &Exchange) -> bool {
    let request = &exchange.heads.request;
    let left = request.framing.length().unwrap_or(u64::MAX);
    left == 0 || (left <= DRAIN_BYTES && !request.expects_continue)
}

fn name(text: &[u8]) -> Box<[u8]> {
    text.into()
}

/// As a quoted string of a structured field (RFC 9651 §3.3.3).
fn quoted(text: &str) -> String {
    text.chars()
        .filter(|character| (' '..='~').contains(character))
        .flat_map(|character| {
            let escape = matches!(character, '"' | '\\').then_some('\\');
            escape.into_iter().chain([character])
        })
        .collect()
}
