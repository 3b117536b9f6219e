//! HTTP/1.1 for stand-in servers: reads requests and sends replies.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;

use serde_json::json;
use tokio::time::timeout;

use super::{Habits, Visit};
use crate::message::{Received, Reply};

/// Serves one connection.
pub(super) async fn serve<F, R>(mut visit: Visit, habits: Habits, handler: Arc<F>)
where
    F: Fn(Received) -> R,
    R: Future<Output = Reply>,
{
    for _ in 0..habits.requests {
        let Ok(Ok(request)) = timeout(habits.idle, visit.request()).await else {
            return;
        };
        let method = request.method.clone();
        let reply = handler(request).await;
        let sent = visit.wire.try_send(reply.to_bytes(&method)).await;
        if sent.is_err() {
            return;
        }
        if reply.closes() {
            // The end of the connection may be that of the body, and over TLS must be said.
            visit.wire.finish().await;
            return;
        }
    }
}

/// The received request, as JSON.
pub(crate) fn echo(request: &Received) -> Reply {
    let mut headers: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in &request.fields {
        headers
            .entry(name.to_ascii_lowercase())
            .and_modify(|joined| *joined = format!("{joined}, {value}"))
            .or_insert_with(|| value.clone());
    }
    let body = json!({
        "method": request.method,
        "target": request.target,
        "version": request.version,
        "fields": request.fields,
        "headers": headers,
        "framing": format!("{:?}", request.framing),
        "body": String::from_utf8_lossy(&request.body),
        "trailers": request.trailers,
        "connection": request.connection,
    });
    Reply::ok(body.to_string()).header("Content-Type", "application/json")
}
