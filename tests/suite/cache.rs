//! Shared by the tests of the cache: an origin that counts requests, and
//! helpers for what the gateway reports.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Proxy, Received, Reply, Request, Response, Upstream};

pub(crate) type Fields = &'static [(&'static str, &'static str)];

/// Answers each path with these fields, and other paths with 404. The body is
/// the path and the number of requests for it: `/a 1`. A request with the
/// current `ETag` gets a 304 with the same fields.
pub(crate) async fn origin(pages: &'static [(&'static str, Fields)]) -> Upstream {
    counting(move |request, _| {
        let mut named = pages.iter().filter(|(path, _)| *path == request.target);
        let (status, fields) = named.next().map_or((404, &[][..]), |page| (200, page.1));
        let tag = fields.iter().find(|(name, _)| *name == "ETag");
        let is_same = tag.is_some_and(|tag| request.header("if-none-match") == Some(tag.1));
        with(Reply::new(if is_same { 304 } else { status }), fields)
    })
    .await
}

/// Answers with the replies of `answer`, which gets the request and its number,
/// from 1. A 2xx or 4xx without a body gets the body `/a 1`.
pub(crate) async fn counting<F>(answer: F) -> Upstream
where
    F: Fn(&Received, usize) -> Reply + Send + Sync + 'static,
{
    let count = Arc::new(AtomicUsize::new(0));
    Upstream::http(move |request| {
        let number = count.fetch_add(1, SeqCst) + 1;
        let reply = answer(&request, number);
        let body = format!("{} {number}", request.target);
        std::future::ready(reply.body_if_none(body))
    })
    .await
}

/// A reply with these fields.
pub(crate) fn with(reply: Reply, fields: &[(&str, &str)]) -> Reply {
    let add = |reply: Reply, (name, value): &(&str, &str)| reply.header(name, value);
    fields.iter().fold(reply, add)
}

/// A reply that is fresh for a minute.
pub(crate) fn fresh() -> Reply {
    Reply::new(200).header("Cache-Control", "max-age=60")
}

/// Enables the cache in front of an upstream.
pub(crate) fn before(upstream: &Upstream) -> Proxy {
    Proxy::to(upstream.endpoint()).route("cache = true")
}

/// A gateway with the cache in front of an upstream.
pub(crate) async fn gateway(upstream: &Upstream) -> Gateway {
    Gateway::start(before(upstream)).await
}

/// `Cache-Status` without the gateway's name and the number of seconds:
/// `fwd=uri-miss; stored`.
pub(crate) fn told(response: &Response) -> String {
    let value = response.header("cache-status").unwrap_or_default();
    let parts = value.split("; ").skip(1);
    let words: Vec<_> = parts.filter(|part| !part.starts_with("ttl=")).collect();
    words.join("; ")
}

/// The `ttl` in `Cache-Status`, in seconds.
pub(crate) fn ttl(response: &Response) -> Option<i64> {
    let value = response.header("cache-status")?;
    let ttl = value.split("; ").find_map(|part| part.strip_prefix("ttl="));
    ttl.map(|ttl| ttl.parse().unwrap())
}

/// Gets a path; returns the status and the body.
pub(crate) async fn page(gateway: &Gateway, path: &str) -> (u16, String) {
    let response = gateway.get(path).await;
    (response.status, response.text().to_owned())
}

/// Sends a request; returns the body, which identifies the origin's response.
pub(crate) async fn body(gateway: &Gateway, request: Request) -> String {
    gateway.send(request).await.text().to_owned()
}

/// Whether no fetch and no fill is in progress.
pub(crate) async fn is_idle(gateway: &Gateway) -> bool {
    let cache = gateway.ask("GET", "/cache").await.json();
    ["flights", "fills", "fill_bytes"]
        .iter()
        .all(|figure| cache[figure] == 0)
}
