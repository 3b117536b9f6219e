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
//! | `GET /cache` | a [`CacheStatus`] as JSON |
//! | `GET /cache/entry?url=…` | what is stored for an address: a list of [`CacheEntry`] |
//! | `POST /cache/purge` | a [`PurgeRequest`]; 200 with a [`PurgeSummary`] |
//! | `POST /deploy` | a [`DeployRequest`]; 200 with a [`DeployAnswer`] |
//!
//! What cannot be read is answered 400, what cannot be done 422, both with the
//! reason as a line of text.
//!
//! Who may use it is a matter of the socket's group and mode alone. What it can
//! do is ask, reload, purge and notice a deploy: a deploy user in that group can
//! do no more. Nothing here knows the data plane; the binary hands in a
//! [`Control`].

mod cache;
mod client;
mod connection;
mod control;
mod deploy;
mod endpoints;
mod query;
mod server;
mod socket;
mod status;

pub use cache::{
    CacheCount, CacheEntry, CacheStatus, DiskStatus, PURGE_MOST, PurgeRequest, PurgeSummary,
    WebhookOutcome,
};
pub use client::{Client, ClientError};
pub use control::{Control, ReloadChange, ReloadDiagnostic, ReloadError, ReloadSummary};
pub use deploy::{DeployAnswer, DeployPhase, DeployRequest};
pub use server::Server;
pub use socket::{BindError, SocketOptions};
pub use status::{
    AddressStatus, EndpointStatus, Health, ListenerStatus, PolicyState, PolicyStatus, ReloadStatus,
    Reuse, Status, UpstreamStatus,
};
