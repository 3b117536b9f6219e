//! The admin endpoint: HTTP/1.1 on a Unix socket, on a thread of its own, and
//! the client with which the command line asks it.
//!
//! | request | answer |
//! |---|---|
//! | `GET /healthz` | 200 while the process lives |
//! | `GET /readyz` | 200 while requests are served, 503 before and while draining |
//! | `GET /metrics` | the Prometheus text format |
//! | `GET /status` | a [`Status`] as JSON |
//! | `POST /reload` | waits; 200 with a [`ReloadSummary`], 422 with a [`ReloadError`] |
//!
//! Who may use it is a matter of the socket's group and mode alone. What it can
//! do is ask and reload: a deploy user in that group can do no more. Nothing
//! here knows the data plane; the binary hands in a [`Control`].

mod client;
mod connection;
mod control;
mod endpoints;
mod server;
mod socket;
mod status;

pub use client::{Client, ClientError};
pub use control::{Control, ReloadDiagnostic, ReloadError, ReloadSummary};
pub use server::Server;
pub use socket::{BindError, SocketOptions};
pub use status::{
    AddressStatus, EndpointStatus, Health, ListenerStatus, PolicyState, PolicyStatus, ReloadStatus,
    Reuse, Status, UpstreamStatus,
};
