//! The access log's writer, as the configuration asks for it.

use std::sync::Arc;
use std::time::Duration;

use janua_config::{AccessFormat, AccessPath, Log};
use janua_telemetry::access_log::Format;
use janua_telemetry::metrics::{Registry, definitions};
use janua_telemetry::sink::{Destination, Sink};

/// Where the access log goes; nowhere if there is no sink.
pub(super) struct AccessLogSink {
    sink: Option<Sink>,
    format: Format,
}

impl AccessLogSink {
    /// Opens it.
    ///
    /// # Errors
    /// The file cannot be opened, in words.
    pub(super) fn open(log: &Log, registry: &Arc<Registry>) -> Result<Self, String> {
        let destination = match &log.access.path.value {
            AccessPath::Stdout => Some(Destination::Stdout),
            AccessPath::Stderr => Some(Destination::Stderr),
            AccessPath::File(path) => Some(Destination::File(path.clone())),
            AccessPath::Off => None,
        };
        let dropped = registry.counter(&definitions::LOG_DROPPED, []);
        let words = |error| {
            format!(
                "the access log cannot be opened ({:?}): {error}",
                log.access.path.value
            )
        };
        Ok(Self {
            sink: destination
                .map(|destination| Sink::open(destination, dropped))
                .transpose()
                .map_err(words)?,
            format: match log.access.format {
                AccessFormat::Json => Format::Json,
                AccessFormat::Text => Format::Text,
            },
        })
    }

    pub(super) fn destination(&self) -> Option<(&Sink, Format)> {
        self.sink.as_ref().map(|sink| (sink, self.format))
    }

    pub(super) fn reopen(&self) {
        if let Some(sink) = &self.sink {
            sink.reopen();
        }
    }

    pub(super) fn drain(&self) {
        if let Some(sink) = &self.sink {
            let _ = sink.drain(Duration::from_secs(2));
        }
    }
}

/// True if both write to the same place in the same way.
pub(super) fn is_same(one: &Log, other: &Log) -> bool {
    one.access.path.value == other.access.path.value && one.access.format == other.access.format
}
