//! What the tests of the cache share: an origin that counts, and what the
//! gateway says that it did.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::SeqCst;

use janua_tests::{Gateway, Proxy, Received, Reply, Request, Response, Upstream};

pub(crate) type Fields = &'static [(&'static str, &'static str)];

/// Answers each path with these fields, and 404 without any. The body says what
/// was asked for and how many requests that made: `/a 1`. Who names the `ETag`
/// that is there gets a 304 with the same fields.
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

/// Answers as `answer` says, which is given the request and its number from 1
/// on. A 2xx or 4xx without a body gets one: `/a 1`.
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

/// With the cache before an upstream.
pub(crate) fn before(upstream: &Upstream) -> Proxy {
    Proxy::to(upstream.endpoint()).route("cache = true")
}

/// A gateway with the cache before an upstream.
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

/// The seconds that `Cache-Status` gives what is stored.
pub(crate) fn ttl(response: &Response) -> Option<i64> {
    let value = response.header("cache-status")?;
    let ttl = value.split("; ").find_map(|part| part.strip_prefix("ttl="));
    ttl.map(|ttl| ttl.parse().unwrap())
}

/// Gets a path; the status and the body.
pub(crate) async fn page(gateway: &Gateway, path: &str) -> (u16, String) {
    let response = gateway.get(path).await;
    (response.status, response.text().to_owned())
}

/// Sends a request; the body, which is what tells answers of the origin apart.
pub(crate) async fn body(gateway: &Gateway, request: Request) -> String {
    gateway.send(request).await.text().to_owned()
}

/// True once nobody fetches anything: no flight and no body on its way in.
pub(crate) async fn is_idle(gateway: &Gateway) -> bool {
    let cache = gateway.ask("GET", "/cache").await.json();
    ["flights", "fills", "fill_bytes"]
        .iter()
        .all(|figure| cache[figure] == 0)
}
