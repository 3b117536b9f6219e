//! The harness of the end-to-end suite: runs the real binary with real sockets.
//!
//! | what | where |
//! |---|---|
//! | the gateway as a process, its admin socket, its logs | [`Gateway`], [`Settings`], [`Proxy`], [`Metrics`] |
//! | what a client does, byte by byte if need be | [`Wire`], [`Request`], [`Response`] |
//! | the configurations of `examples/` | [`Example`] |
//! | certificates, and clients and upstreams that speak TLS | [`Authority`], [`TlsClient`], [`TlsServer`] |
//! | servers that stand in for upstreams | [`Upstream`], [`Visit`], [`Reply`], [`Vacant`], [`Port`] |
//! | clients and upstreams that speak HTTP/2 | [`Http2Client`], [`Frames`], [`Http2Upstream`] |
//! | an authority that issues certificates, its DNS, and what fails between | [`Pebble`], [`Front`], [`StubDns`], [`DnsWebhook`], [`AskServer`] |
//! | the Docker Engine, and the process that asks it | [`DockerEngine`], [`Discovery`] |
//! | databases in the MaxMind format | [`mmdb`] |
//! | the grants of policies, where a test is about something else | [`granted`] |
//! | conditions that are awaited | [`assert_eventually!`] |
//!
//! Every test starts everything it needs on free ports and stops it again, so all tests
//! can run at once. Stand-in servers run on a thread of their own, so that a test may
//! block without stopping them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a harness that cannot go on fails the test that it runs"
)]

mod acme;
mod background;
mod docker;
mod eventually;
mod example;
mod filler;
mod gateway;
mod grants;
mod http2;
mod message;
mod metrics;
pub mod mmdb;
mod proxy;
mod settings;
mod tls;
mod transport;
mod upstream;
mod wire;

pub use acme::{
    AskServer, Asked, Call, Challtestsrv, DnsWebhook, Fault, Front, Hold, Pebble, PebbleSettings,
    Permission, Point, Question, Renewal, ReservedPort, StubDns, WebhookCall,
};
pub use docker::{Discovery, DockerEngine, Manner};
pub use eventually::{PATIENCE, eventually};
pub use example::Example;
pub use filler::{filler, filler_difference};
pub use gateway::{Gateway, Ran, binary, built, component, run};
pub use grants::granted;
pub use http2::{
    Frame, Frames, Http2Call, Http2Client, Http2Habits, Http2Stream, Http2Upstream, code, flag,
    kind, setting,
};
pub use message::{Framing, ReadError, Received, Reply, Request, Response};
pub use metrics::Metrics;
pub use proxy::Proxy;
pub use settings::Settings;
pub use tls::{Authority, Handshake, Issue, Issued, TlsClient, TlsError, TlsServer};
pub use transport::is_over_http2;
pub use upstream::{Endpoint, Habits, Port, Upstream, Vacant, Visit};
pub use wire::Wire;
