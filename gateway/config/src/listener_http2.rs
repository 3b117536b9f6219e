//! `http2` of a listener: how much a client may have at once on a connection, and how
//! often it may do what costs the gateway more than the client.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::decode::Decoder;
use crate::diagnostic::Diagnostic;
use crate::macros::table;
use crate::span::Spanned;
use crate::units::Size;

table! {
    /// HTTP/2 on the connections of a listener.
    pub struct ListenerHttp2("a table such as `{ max_concurrent_streams = 64 }`") {
        /// The maximum number of requests in progress on a connection. Further
        /// ones are refused, and clients repeat them.
        max_concurrent_streams: NonZeroU32 = default("100");
        /// How many bytes of a request body a client may send ahead of what the
        /// upstream has taken: from `"1KiB"` to `"16MiB"`.
        stream_window: Spanned<Size> = default("\"128KiB\"");
        /// The same for all requests of a connection together: from `"64KiB"` to
        /// `"64MiB"`. This much memory a connection may take.
        connection_window: Spanned<Size> = default("\"512KiB\"");
        /// How long a response may wait for a client that has closed its window.
        /// Then the request is aborted.
        stall_timeout: Duration = default("\"30s\"");
        /// How often a client may do what costs more than it brings. A client
        /// over a limit loses its connection. Browsers and gRPC clients stay far
        /// below all of them.
        limits: Http2Limits = default("{}");
    }
    check windows
}

table! {
    /// What a client may do in one second on a connection, unless a field says
    /// otherwise.
    pub struct Http2Limits("a table such as `{ rapid_resets = 50 }`") {
        /// Requests that it cancels.
        resets: NonZeroU32 = default("300");
        /// Requests that it cancels before their response has begun
        /// (CVE-2023-44487, "rapid reset").
        rapid_resets: NonZeroU32 = default("150");
        /// Requests that the gateway must abort because of what the client sent
        /// (CVE-2025-8671, "MadeYouReset").
        provoked_resets: NonZeroU32 = default("100");
        /// `CONTINUATION` frames of one head (CVE-2024-27316).
        continuations: NonZeroU32 = default("20");
        /// The maximum size of one encoded head.
        header_block: Size = default("\"64KiB\"");
        /// The maximum size of one head with all its fields, each of which may be a
        /// reference of one byte ("HPACK bomb"). Heads above `max_head` are answered
        /// with 431; this is what is decoded for that.
        unpacked_head: Size = default("\"256KiB\"");
        /// `HEADERS` and `CONTINUATION` frames without content.
        empty_headers: NonZeroU32 = default("20");
        /// Heads above `max_head` or `max_fields`.
        large_heads: NonZeroU32 = default("50");
        /// `DATA` frames without content (CVE-2019-9518).
        empty_data: NonZeroU32 = default("100");
        /// `SETTINGS` frames (CVE-2019-9515).
        settings: NonZeroU32 = default("50");
        /// `PING` frames (CVE-2019-9512).
        pings: NonZeroU32 = default("100");
        /// `PRIORITY` and `PRIORITY_UPDATE` frames (CVE-2019-9513).
        priorities: NonZeroU32 = default("250");
        /// `WINDOW_UPDATE` frames beyond two for each `DATA` frame that it was sent.
        window_updates: NonZeroU32 = default("250");
        /// Closed windows that it opens by less than 64 bytes, so that a `DATA` frame
        /// has no room for more (CVE-2019-9511).
        tiny_windows: NonZeroU32 = default("100");
        /// Frames of unknown types.
        unknown_frames: NonZeroU32 = default("100");
        /// Frames of requests that have ended.
        closed_frames: NonZeroU32 = default("1000");
        /// Requests over `max_concurrent_streams`.
        refused: NonZeroU32 = default("1000");
        /// Requests that it cancels during the whole connection, which is then
        /// closed in an orderly way.
        total_resets: NonZeroU32 = default("10000");
        /// Requests during the whole connection, which is then closed in an
        /// orderly way: no connection stays on one worker for ever.
        total_requests: NonZeroU32 = default("100000");
    }
}

fn windows(http2: &ListenerHttp2, decoder: &mut Decoder<'_>) {
    window(
        "stream_window",
        &http2.stream_window,
        1 << 10,
        16 << 20,
        decoder,
    );
    window(
        "connection_window",
        &http2.connection_window,
        64 << 10,
        64 << 20,
        decoder,
    );
}

fn window(name: &str, size: &Spanned<Size>, least: u64, most: u64, decoder: &mut Decoder<'_>) {
    if !(least..=most).contains(&size.bytes()) {
        decoder.push(
            Diagnostic::error(size.span, format!("`{name}` is out of bounds")).help(format!(
                "write a size from \"{}KiB\" to \"{}MiB\"",
                least >> 10,
                most >> 20
            )),
        );
    }
}
