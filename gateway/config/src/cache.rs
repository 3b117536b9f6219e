//! `[cache]`: the shared cache of the process, and who is told of a purge.

use std::path::PathBuf;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;
use crate::units::Size;
use crate::webhook::Webhook;

table! {
    /// The shared cache of the process. Which routes use it, `cache = true` there says.
    pub struct Cache("a table of cache settings") {
        /// Memory for stored responses, over all workers.
        memory: Spanned<Size> = default("\"64MiB\"");
        /// The longest body that is stored; a longer one passes by.
        max_object: Spanned<Size> = default("\"8MiB\"");
        /// Where responses are also stored so that they survive a restart.
        disk: Option<CacheDisk> = optional("memory only");
        /// Who is told of a purge that comes from outside (the command line, the admin socket): the CDN in front.
        webhooks: Vec<Webhook> = default("[]");
    }
    check budgets
}

table! {
    /// The part of the cache that survives a restart.
    pub struct CacheDisk("a table such as `{ path = \"cache\", size = \"10GiB\" }`") {
        /// A directory that is the cache's own, relative to this file.
        path: Spanned<PathBuf> = required;
        /// The most that is stored in it.
        size: Spanned<Size> = default("\"10GiB\"");
    }
}

/// An object must fit in whatever it is stored in.
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
