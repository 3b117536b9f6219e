//! The clients against the server, so that a test of the gateway that fails does so for the
//! gateway's sake.

mod adapter;
mod client;
mod endings;
mod frames;

use super::{Http2Client, Http2Upstream, adapt};
use crate::wire::Wire;

const MIB: usize = 1 << 20;

/// A wire whose other end speaks HTTP/2 to this server.
async fn adapted(upstream: &Http2Upstream) -> Wire {
    adapt(Wire::connect(upstream.address()).await)
}

async fn client(upstream: &Http2Upstream) -> Http2Client {
    Http2Client::over(Wire::connect(upstream.address()).await).await
}
