//! The data plane: from an accepted connection to the access log's line.
//!
//! Thread per core. Each worker has its own runtime, listening sockets,
//! upstream connections and policy instances; workers share the snapshot, the
//! endpoints' counters, the rate-limit buckets, the cache, open files and the
//! pool of blocking work, and nothing else.
//!
//! The modules in the order of a request's way:
//!
//! | step | module |
//! |---|---|
//! | accept, and one exchange after another | `accept`, `connection` |
//! | the life of a request, a step a line | `exchange` and its `heads` |
//! | receive the head, make it fit to be passed on | `receive`, `clean`, `client` |
//! | find site and route | `route` |
//! | ask the policies, carry out their verdicts | `policies` (`fetched`, `missing`, `effects`), `facts`, `render`, `verdict` |
//! | answer here | `answer`, `redirect` |
//! | or with a file | `files` |
//! | or from the cache: the key, the look-up, what the cache reports | `cached` (`key`, `report`), `caching` |
//! | what misses is fetched for all who wait, in a task of its own | `fill` (`store`), `fetch` |
//! | or forward: endpoint, connection, both bodies at once | `course`, `attempt`, `forward`, `request_head`, `race`, `converse`, `tunnel` |
//! | the form that the client gets: coded, in parts, or a 304 | `represent` (`coded`, `ranges`), `content`, `coding`, `coder`, `encode` |
//! | write to the client | `deliver` (`content`), `body` |
//! | count and log, once | `record`, `stats` |
//!
//! Around it: `server` and `worker` run it, `compile` and `provision` make the
//! `snapshot` that it goes by, `estate` holds what outlives snapshots, and
//! `wire`, `transport`, `deadline` and `clock` are what it runs on.

mod accept;
mod additions;
mod answer;
mod attempts;
mod body;
mod cached;
mod caching;
mod call;
mod clean;
mod client;
mod clock;
mod coder;
mod coding;
mod codings;
mod compile;
mod conclude;
mod connection;
mod content;
mod course;
mod deadline;
mod decide;
mod deliver;
mod downstream;
mod estate;
mod exchange;
mod facts;
mod failed;
mod files;
mod fill;
mod forward;
mod heads;
mod incoming;
mod invalidate;
mod life;
mod linger;
mod listen;
mod listener_stats;
mod obey;
mod outgoing;
mod policies;
mod provision;
mod race;
mod receive;
mod record;
mod redirect;
mod render;
mod represent;
mod representation;
mod request_id;
mod reserve;
mod responder;
mod route;
mod server;
mod session;
mod snapshot;
mod stats;
mod target;
mod transport;
mod upload;
mod upstream_connection;
mod verdict;
mod wire;
mod worker;

pub use compile::{compile, shadowed_routes};
pub use estate::Estate;
pub use provision::Bundled;
pub use server::{Opened, Server};
pub use snapshot::{Directory, Snapshot};
