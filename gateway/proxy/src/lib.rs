//! The data plane: from an accepted connection to the access log's line.
//!
//! Thread per core. Each worker has its own runtime, listening sockets,
//! upstream connections and policy instances; workers share the snapshot, the
//! endpoints' counters and the rate-limit buckets, and nothing else.
//!
//! The modules in the order of a request's way:
//!
//! | step | module |
//! |---|---|
//! | accept, and one exchange after another | `accept`, `connection` |
//! | the life of a request, a step a line | `exchange` |
//! | receive the head, make it fit to be passed on | `receive`, `clean`, `client` |
//! | find site and route | `route` |
//! | ask the policies, carry out their verdicts | `policies`, `facts`, `render`, `verdict` |
//! | answer here | `answer`, `redirect` |
//! | or forward: endpoint, connection, both bodies at once | `course`, `attempt`, `forward`, `request_head`, `race`, `converse`, `tunnel` |
//! | write to the client | `deliver`, `body` |
//! | count and log, once | `record`, `stats` |
//!
//! Around it: `server` and `worker` run it, `compile` and `provision` make the
//! `snapshot` that it goes by, `estate` holds what outlives snapshots, and
//! `wire`, `transport`, `deadline` and `clock` are what it runs on.

mod accept;
mod answer;
mod attempt;
mod body;
mod cached;
mod caching;
mod clean;
mod client;
mod clock;
mod compile;
mod connection;
mod content;
mod converse;
mod course;
mod deadline;
mod deliver;
mod encode;
mod estate;
mod exchange;
mod facts;
mod fetch;
mod files;
mod fill;
mod forward;
mod listen;
mod policies;
mod provision;
mod race;
mod receive;
mod record;
mod redirect;
mod render;
mod represent;
mod request_head;
mod request_id;
mod route;
mod server;
mod snapshot;
mod stats;
mod transport;
mod tunnel;
mod verdict;
mod wire;
mod worker;

pub use compile::compile;
pub use estate::Estate;
pub use provision::Bundled;
pub use server::{Opened, Server};
pub use snapshot::{Directory, Snapshot};
