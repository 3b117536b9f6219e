//! `[server]`: settings of the whole process.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use crate::acme_dns::Resolver;
use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::header::{FieldName, is_of_gateway};
use crate::macros::table;
use crate::span::Spanned;
use crate::units::Size;

table! {
    /// Settings of the whole process.
    pub struct Server("a table of server settings") {
        /// Worker threads. Each has its own listening sockets, upstream connections and policy instances.
        workers: Option<Spanned<NonZeroU32>> = optional("one per core");
        /// How long the process waits for requests in progress when it stops.
        /// `0s`: they are aborted at once.
        drain_timeout: Duration = default("\"30s\"");
        /// The header field that carries the request id to the upstream. If a
        /// trusted proxy sent one, that id is kept.
        request_id_header: Spanned<FieldName> = default("\"x-request-id\"");
        /// The directory of what must last, relative to this file: the keys and certificates
        /// that the gateway makes.
        state_dir: Option<Spanned<PathBuf>> = optional("`$STATE_DIRECTORY` (systemd), `$XDG_STATE_HOME/janua`, or `/var/lib/janua`");
        /// The directory of what may be lost, relative to this file: compiled components. It
        /// must belong to the user of the process and have mode 0700.
        cache_dir: Option<Spanned<PathBuf>> = optional("`cache` in a `state_dir` that is given; otherwise `$CACHE_DIRECTORY` (systemd), `$XDG_CACHE_HOME/janua`, or `/var/cache/janua`");
        /// The hosts file, whose names are not looked up in DNS, relative to
        /// this file.
        hosts_file: Option<Spanned<PathBuf>> = optional("`/etc/hosts`");
        /// The name servers that are asked for the names of endpoints: `"192.0.2.53"`, or with a
        /// port, `"127.0.0.1:8600"`.
        name_servers: Vec<Spanned<Resolver>> = default("[]");
        /// The number of rate-limit buckets that are kept, over all workers.
        buckets: Spanned<NonZeroU32> = default("1_000_000");
        /// The memory for reusable verdicts of all policies, over all workers, within which
        /// each has its `memo`. If it is used up, a policy that would keep more verdicts drops
        /// other ones of its own.
        memos: Size = default("\"256MiB\"");
        /// Header fields that only the gateway and its policies may set: they are removed
        /// from every request before policies see it, even from those of
        /// `trusted_proxies`, because a CDN passes on what its clients send.
        internal_headers: Vec<Spanned<FieldName>> = default("[]");
        /// Where this gateway runs: endpoints of the same `zone` are preferred.
        zone: Option<Spanned<String>> = optional("no preference");
        /// Whether changes of this file, and of the files that it refers to, take effect by
        /// themselves. `false`: only by `janua reload`.
        watch: bool = default("true");
    }
    check whole
}

fn whole(server: &Server, decoder: &mut Decoder<'_>) {
    bounds(server, decoder);
    internal(server, decoder);
    lasting(server, decoder);
}

/// Warns of a `state_dir` that may be emptied. It was the directory of compiled components once.
fn lasting(server: &Server, decoder: &mut Decoder<'_>) {
    let Some(state) = &server.state_dir else {
        return;
    };
    if state.value.starts_with("/var/cache") {
        decoder.push(
            Diagnostic::warning(
                state.span,
                "`state_dir` holds what must last, such as private keys, but `/var/cache` may be \
                 emptied at any time",
            )
            .help("write `cache_dir` for compiled components, and leave `state_dir` out"),
        );
    }
}

/// Refuses values so large that they would exhaust the machine.
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

/// Fields of requests that the gateway interprets, removes or sets, beside those that it sets in all
/// messages.
const OF_REQUESTS: [&str; 7] = [
    "expect",
    "host",
    "http2-settings",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// Refuses fields that cannot be internal, or need not be.
fn internal(server: &Server, decoder: &mut Decoder<'_>) {
    let mut seen: Vec<&Spanned<FieldName>> = Vec::new();
    for field in &server.internal_headers {
        let name = field.as_str();
        if let Some(first) = seen.iter().find(|seen| seen.value == field.value) {
            decoder.push(
                Diagnostic::error(field.span, format!("`{name}` is given twice"))
                    .note(first.span, "first here"),
            );
        } else if is_of_gateway(&field.value) || OF_REQUESTS.contains(&name) {
            decoder.push(
                Diagnostic::error(
                    field.span,
                    format!("the gateway itself sets or removes `{name}`"),
                )
                .help("leave it out"),
            );
        } else if field.value == server.request_id_header.value {
            decoder.push(
                Diagnostic::error(field.span, format!("`{name}` carries the request id"))
                    .help("leave it out: only a trusted proxy may set it"),
            );
        } else if name.contains('_') {
            decoder.push(
                Diagnostic::error(
                    field.span,
                    format!("`{name}` has an underscore: such fields are removed in any case"),
                )
                .help(format!("write \"{}\"", name.replace('_', "-"))),
            );
        }
        seen.push(field);
    }
}
