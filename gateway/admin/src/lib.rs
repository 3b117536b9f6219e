//! The admin API: HTTP/1.1 on a Unix socket, served by a separate thread, and the
//! client for it that the command line uses.
//!
//! | request | response |
//! |---|---|
//! | `GET /healthz` | 200 while the process is alive |
//! | `GET /readyz` | 200 while requests are served; 503 before that, and while draining |
//! | `GET /metrics` | the Prometheus text format |
//! | `GET /status` | a [`Status`] as JSON |
//! | `POST /reload` | blocks; 200 with a [`ReloadSummary`], or 422 with a [`ReloadError`] |
//! | `GET /upstreams` | the upstreams, their endpoints and how requests are divided: an [`UpstreamList`] |
//! | `POST /upstreams/drain` | body: an [`EndpointRequest`]; 200 with an [`EndpointAnswer`] |
//! | `POST /upstreams/undrain` | the same |
//! | `POST /upstreams/weight` | body: a [`WeightRequest`]; 200 with an [`EndpointAnswer`] |
//! | `POST /splits/weight` | body: a [`SplitWeightRequest`]; 200 with a [`SplitStatus`] |
//! | `GET /certificates` | the certificates of sites and upstreams: a list of [`CertificateStatus`] |
//! | `POST /certificates/renew` | body: a [`CertificateRequest`]; blocks; 200 with a sentence as JSON |
//! | `POST /certificates/revoke` | the same |
//! | `GET /cache` | a [`CacheStatus`] as JSON |
//! | `GET /cache/entry?url=…` | the responses stored for a URL: a list of [`CacheEntry`] |
//! | `POST /cache/purge` | body: a [`PurgeRequest`]; 200 with a [`PurgeSummary`] |
//! | `POST /deploy` | body: a [`DeployRequest`]; 200 with a [`DeployAnswer`] |
//!
//! A malformed request gets 400, and one that cannot be carried out gets 422, both with
//! the reason as a line of text.
//!
//! Access is controlled only by the group and mode of the socket. The API can query,
//! reload, purge, take part in a deploy, take endpoints out, and have certificates renewed or
//! revoked, so a deploy user in that group can do no more than that. This crate does not know the
//! data plane; the binary passes in a [`Control`].

mod asker;
mod cache;
mod certificate;
mod client;
mod connection;
mod control;
mod deploy;
mod endpoints;
mod query;
mod server;
mod socket;
mod status;
mod upstream;

pub use asker::Asker;
pub use cache::{
    CacheCount, CacheEntry, CacheStatus, DiskStatus, PURGE_MOST, PurgeRequest, PurgeSummary,
    WebhookOutcome,
};
pub use certificate::{
    AcmeFailure, AcmeState, AcmeStatus, CertificateRequest, CertificateSource, CertificateStatus,
};
pub use client::{Client, ClientError};
pub use control::{Control, ReloadChange, ReloadDiagnostic, ReloadError, ReloadSummary};
pub use deploy::{DeployAnswer, DeployPhase, DeployRequest};
pub use server::Server;
pub use socket::{BindError, SocketOptions};
pub use status::{
    AddressStatus, CheckStatus, DatasetStatus, EndpointStatus, Health, LimitStatus, ListenerStatus,
    MemosStatus, PolicyState, PolicyStatus, ReloadStatus, Reuse, SecretKeyStatus, SecretStatus,
    SourceStatus, Status, UpstreamStatus, WatchStatus,
};
pub use upstream::{
    AbsentEndpoint, EndpointAnswer, EndpointCommand, EndpointRequest, ShareStatus, SplitStatus,
    SplitWeightRequest, UpstreamList, WeightRequest,
};
