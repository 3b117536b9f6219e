//! `[log]`: the access log and the gateway's own log messages.

use std::path::PathBuf;

use crate::decode::{Decode, Decoder, Node};
use crate::macros::{table, words};
use crate::span::Spanned;

table! {
    /// What is logged, and where.
    pub struct Log("a table of log settings") {
        /// The access log: one line per request.
        access: AccessLog = default("{}");
        /// The minimum level of the gateway's own messages, which go to standard
        /// error.
        level: Level = default("\"info\"");
    }
}

table! {
    /// The access log.
    pub struct AccessLog("a table such as `{ path = \"stdout\", format = \"json\" }`") {
        /// `stdout`, `stderr`, `off`, or the path of a file, relative to this file.
        path: Spanned<AccessPath> = default("\"stdout\"");
        /// The format of a line.
        format: AccessFormat = default("\"json\"");
    }
}

/// The destination of the access log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessPath {
    /// The standard output stream.
    Stdout,
    /// The standard error stream.
    Stderr,
    /// Nowhere.
    Off,
    /// A file, opened for appending.
    File(PathBuf),
}

impl Decode for AccessPath {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        Some(match decoder.text(node, &Self::kind())? {
            "stdout" => Self::Stdout,
            "stderr" => Self::Stderr,
            "off" => Self::Off,
            _ => Self::File(PathBuf::decode(node, decoder)?),
        })
    }

    fn kind() -> String {
        "\"stdout\" or \"stderr\" or \"off\" or a path".to_owned()
    }
}

words! {
    /// The format of a line of the access log.
    pub enum AccessFormat {
        /// A JSON object.
        Json = "json",
        /// Text for reading: the combined format with further fields.
        Text = "text",
    }
}

words! {
    /// The level of the gateway's own messages.
    pub enum Level {
        /// Failures.
        Error = "error",
        /// Unexpected conditions.
        Warn = "warn",
        /// Important events.
        Info = "info",
        /// Details for debugging.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}
