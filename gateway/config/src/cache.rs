//! `[cache]`: the shared cache of the process, and the webhooks called after a
//! purge.

use std::path::PathBuf;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;
use crate::units::Size;
use crate::webhook::Webhook;

table! {
    /// The shared cache of the process. A site or route uses it if it has
    /// `cache = true`.
    pub struct Cache("a table of cache settings") {
        /// Memory for stored responses, over all workers.
        memory: Spanned<Size> = default("\"64MiB\"");
        /// The longest body that is stored; a longer one is passed through
        /// without being stored.
        max_object: Spanned<Size> = default("\"8MiB\"");
        /// Where responses are also stored on disk, so that they survive a
        /// restart.
        disk: Option<CacheDisk> = optional("memory only");
        /// HTTP calls that are made after a purge by the command line or the
        /// admin socket, for example to purge a CDN.
        webhooks: Vec<Webhook> = default("[]");
    }
    check budgets
}

table! {
    /// The disk store, whose responses survive a restart.
    pub struct CacheDisk("a table such as `{ path = \"cache\", size = \"10GiB\" }`") {
        /// A directory used only for the cache, relative to this file.
        path: Spanned<PathBuf> = required;
        /// The maximum size of the store.
        size: Spanned<Size> = default("\"10GiB\"");
    }
}

/// Checks that the largest object fits into the memory and into the disk store.
fn budgets(cache: &Cache, decoder: &mut Decoder<'_>) {
    let object = &cache.max_object;
    if object.bytes() == 0 {
        decoder.push(
            Diagnostic::error(object.span, "`max_object` must not be 0")
                .help("to store nothing, leave `cache = true` out of the sites"),
        );
    }
    if object.value > cache.memory.value {
        decoder.push(
            Diagnostic::error(object.span, "`max_object` is larger than `memory`")
                .note(cache.memory.span, "the memory of the cache"),
        );
    }
    if let Some(disk) = &cache.disk
        && object.value > disk.size.value
    {
        decoder.push(
            Diagnostic::error(disk.size.span, "`size` is smaller than `max_object`")
                .note(object.span, "the longest body that is stored"),
        );
    }
}
