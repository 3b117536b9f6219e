//! The servers of gRPC, which send each message back. A part of the path says when: `Unary` once
//! the client has sent all, everything else as they arrive.

use std::net::SocketAddr;

use janua_tests::{Http2Habits, Http2Stream, Http2Upstream};

/// A server at an address, or on a free port, with the name that it gives in `X-Endpoint`.
pub(crate) async fn server(address: Option<SocketAddr>, name: &'static str) -> Http2Upstream {
    let habits = Http2Habits {
        address,
        ..Http2Habits::default()
    };
    Http2Upstream::raw_with(habits, move |stream| async move {
        // An error is one of the client or of the connection, which have their own accounts.
        let _ = answer(stream, name).await;
    })
    .await
}

async fn answer(mut stream: Http2Stream, name: &str) -> Result<(), h2::Error> {
    let head = [
        ("content-type", "application/grpc+proto"),
        ("x-endpoint", name),
    ];
    if stream.head().target.ends_with("/Unary") {
        let mut all = Vec::new();
        while let Some(bytes) = stream.data().await? {
            all.extend(bytes);
        }
        stream.respond(200, &head)?;
        stream.send(all).await?;
    } else {
        stream.respond(200, &head)?;
        while let Some(bytes) = stream.data().await? {
            stream.send(bytes).await?;
        }
    }
    stream.finish_with(&[("grpc-status", "0")])
}
