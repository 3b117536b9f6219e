//! The settings of HTTP/2 on the connections of a listener.

use janua_config::ListenerHttp2;
use janua_h2::{Limits, Settings};
use janua_http::head;

/// What all connections of a listener have in common.
#[derive(Clone, Debug, Default)]
pub(crate) struct Http2Settings {
    settings: Settings,
    pub(crate) limits: Limits,
}

impl Http2Settings {
    pub(crate) fn new(http2: &ListenerHttp2) -> Self {
        let window = |bytes| u32::try_from(bytes).unwrap_or(u32::MAX);
        let own = &http2.limits;
        Self {
            settings: Settings {
                max_concurrent_streams: http2.max_concurrent_streams.get(),
                stream_window: window(http2.stream_window.bytes()),
                connection_window: window(http2.connection_window.bytes()),
                ..Settings::default()
            },
            limits: Limits {
                resets: own.resets.get(),
                rapid_resets: own.rapid_resets.get(),
                provoked_resets: own.provoked_resets.get(),
                continuations: own.continuations.get(),
                header_block: usize::try_from(own.header_block.bytes()).unwrap_or(usize::MAX),
                unpacked_head: usize::try_from(own.unpacked_head.bytes()).unwrap_or(usize::MAX),
                empty_headers: own.empty_headers.get(),
                large_heads: own.large_heads.get(),
                empty_data: own.empty_data.get(),
                settings: own.settings.get(),
                pings: own.pings.get(),
                priorities: own.priorities.get(),
                window_updates: own.window_updates.get(),
                tiny_windows: own.tiny_windows.get(),
                unknown_frames: own.unknown_frames.get(),
                closed_frames: own.closed_frames.get(),
                refused: own.refused.get(),
                stall_ms: u64::try_from(http2.stall_timeout.as_millis()).unwrap_or(u64::MAX),
                max_requests: own.total_requests.get(),
                max_resets: own.total_resets.get(),
                ..Limits::default()
            },
        }
    }

    /// The settings of a connection, for heads within these limits.
    pub(crate) fn settings(&self, head: head::Limits) -> Settings {
        Settings {
            head,
            enable_connect_protocol: true,
            ..self.settings
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The reference of the configuration states the defaults of the crate.
    #[test]
    fn the_defaults_are_those_of_the_crate() {
        let config = "[listeners.a]\naddress = \"127.0.0.1:1\"\nhttp2 = true\n\
            [[sites]]\nhosts = [\"*\"]\n[[sites.routes]]\nrespond = { status = 200 }\n";
        let sources = janua_config::Sources::single("janua.toml", config);
        let loaded = janua_config::parse(sources).expect("a configuration");
        let listener = loaded.config.listeners.values().next().expect("one");
        let http2 = listener.http2.as_ref().and_then(|http2| http2.on());
        let found = Http2Settings::new(http2.expect("it is on"));
        assert_eq!(
            format!("{found:?}"),
            format!("{:?}", Http2Settings::default())
        );
    }
}
