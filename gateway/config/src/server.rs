//! `[server]`: the process as a whole.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::header::FieldName;
use crate::macros::table;
use crate::span::Spanned;

table! {
    /// What concerns the process as a whole.
    pub struct Server("a table of server settings") {
        /// Worker threads. Each has its own listening sockets, upstream connections and policy instances.
        workers: Option<Spanned<NonZeroU32>> = optional("one per core");
        /// How long requests in flight may take to end when the process stops. `0s`: they are cut off at once.
        drain_timeout: Duration = default("\"30s\"");
        /// The header field that carries the id of a request to the upstream. A trusted proxy's is kept.
        request_id_header: Spanned<FieldName> = default("\"x-request-id\"");
        /// Directory of the compile cache, relative to this file. It must belong to the user of the process.
        state_dir: Option<Spanned<PathBuf>> = optional("`$XDG_CACHE_HOME/janua`, or `/var/cache/janua`");
        /// The file with the names of hosts that no name server is asked for, relative to this file.
        hosts_file: Option<Spanned<PathBuf>> = optional("`/etc/hosts`");
        /// How many rate-limit buckets are kept, shared by all workers.
        buckets: Spanned<NonZeroU32> = default("1_000_000");
    }
    check bounds
}

/// Slips that would take the machine down.
fn bounds(server: &Server, decoder: &mut Decoder<'_>) {
    if let Some(workers) = server.workers.filter(|workers| workers.get() > 1024) {
        decoder.push(
            Diagnostic::error(workers.span, "there can be at most 1024 workers")
                .help("leave `workers` out for one per core"),
        );
    }
    if server.buckets.get() > 100_000_000 {
        decoder.push(Diagnostic::error(
            server.buckets.span,
            "there can be at most 100_000_000 buckets",
        ));
    }
}
