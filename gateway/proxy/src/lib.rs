//! The data plane: from an accepted connection to the access log's line.
//!
//! Thread per core. Each worker has its own runtime, listening sockets,
//! upstream connections and policy instances; workers share the snapshot, the
//! endpoints' counters, the rate-limit buckets, the cache, open files and the
//! pool of blocking work, and nothing else.
//!
//! `life` is the spine: the only module that names all steps of a request. The
//! table of the steps and the layers that the modules lie in are in
//! ARCHITECTURE.md; `tests/layers.rs` holds the imports against it.
//!
//! | step | module |
//! |---|---|
//! | accept, and one exchange after another | `accept`, `connection`, `session` |
//! | receive the head, and decide about it | `receive`, `decide`, `client`, `clean`, `route` |
//! | ask the policies, carry out their verdicts | `policies` (`execute`, `effects`), `facts`, `render`, `verdict` |
//! | have the target answer | `target`, `answer` |
//! | from an upstream | `forward`, `call` (`search`, `connect`, `request_head`, `head`, `response`), `retries` |
//! | from a second one, or from one that is not there yet | `call` (`hedge`, `hold`), `holds` |
//! | from the cache, filled in a task of its own | `cached` (`key`), `caching`, `fill` (`store`), `invalidate` |
//! | from a directory, or from the configuration | `files`, `redirect` |
//! | choose the form that the client gets | `represent` (`coded`, `ranges`), `representation`, `coding`, `coder` |
//! | send it | `deliver` (`held`, `passing`, `coded`, `tunnel`), `responder` |
//! | count and log, once | `conclude`, `record`, `attempts`, `stats` |
//!
//! Bodies run between `incoming` and `outgoing`, at the pace that `race` and
//! `upload` set, over `wire` and `transport`.

mod accept;
mod acme;
mod additions;
mod affinity;
mod answer;
mod attempts;
mod body;
mod body_copy;
mod boxed;
mod cached;
mod caching;
mod call;
mod certificates;
mod choice;
mod clean;
mod client;
mod client_limits;
mod clock;
mod coder;
mod coding;
mod codings;
mod compile;
mod conclude;
mod connection;
mod content;
mod course;
mod datasets;
mod deadline;
mod decide;
mod deliver;
mod discovery;
mod downstream;
mod endpoint_file;
mod estate;
mod exchange;
mod facts;
mod failed;
mod file_part;
mod files;
mod fill;
mod forward;
mod grpc_web;
mod handshake;
mod head_bounds;
mod head_edits;
mod heads;
mod hidden_query;
mod holds;
mod http1;
mod http2;
mod http2_settings;
mod http2_stream;
mod idle;
mod incoming;
mod invalidate;
mod life;
mod linger;
mod listen;
mod listener_stats;
mod local_policy;
mod location;
mod min_rate;
mod mirror;
mod opening;
mod outgoing;
mod owned;
mod path_rules;
mod policies;
mod prefix;
mod provision;
mod proxy_header;
mod quotas;
mod race;
mod receive;
mod record;
mod redirect;
mod refusal;
mod render;
mod replay;
mod represent;
mod representation;
mod request_id;
mod reserve;
mod responder;
mod retries;
mod rewrite;
mod route;
mod secrets;
mod server;
mod session;
mod snapshot;
mod splits;
mod stats;
mod sticky;
mod target;
mod template;
#[cfg(test)]
mod testing;
mod tls_facts;
mod tls_stream;
mod trailers_only;
mod transport;
mod upload;
mod upstream_connection;
mod upstream_http2;
mod upstream_stream;
mod upstream_tls;
mod variables;
mod verdict;
mod wire;
mod worker;
mod worker_loop;

pub use acme::{Acme, NoCertificate, Obtained, Orders, Wanted};
pub use certificates::{CertificateSource, ServedCertificate};
pub use compile::{OrderedRoute, OrderedSite, compile, routing_order, shadowed_routes};
pub use discovery::{EndpointsChange, SourceState, refresh, sources};
pub use endpoint_file::EndpointFiles;
pub use estate::Estate;
pub use policies::rehearsal;
pub use provision::Bundled;
pub use server::{Opened, Server};
pub use snapshot::{Directory, Snapshot};
pub use splits::{SetWeightError, ShareStatus, SplitStatus};
