//! `[log]`: the access log and the gateway's own messages.

use std::path::PathBuf;

use crate::decode::{Decode, Decoder, Node};
use crate::macros::{table, words};
use crate::span::Spanned;

table! {
    /// What is written, and where to.
    pub struct Log("a table of log settings") {
        /// The access log: one line a request.
        access: AccessLog = default("{}");
        /// The least level of the gateway's own messages; they go to the standard error stream.
        level: Level = default("\"info\"");
    }
}

table! {
    /// The access log.
    pub struct AccessLog("a table such as `{ path = \"stdout\", format = \"json\" }`") {
        /// `stdout`, `stderr`, `off`, or the path of a file, relative to this file.
        path: Spanned<AccessPath> = default("\"stdout\"");
        /// How a line is written.
        format: AccessFormat = default("\"json\"");
    }
}

/// Where the access log goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessPath {
    /// The standard output stream.
    Stdout,
    /// The standard error stream.
    Stderr,
    /// Nowhere.
    Off,
    /// A file that is appended to.
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
    /// How a line of the access log is written.
    pub enum AccessFormat {
        /// A JSON object.
        Json = "json",
        /// For a person.
        Text = "text",
    }
}

words! {
    /// How much the gateway says about itself.
    pub enum Level {
        /// Something is wrong.
        Error = "error",
        /// Something is odd.
        Warn = "warn",
        /// Worth knowing.
        Info = "info",
        /// For a developer.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}
