//! The messages of clients: tables, and each table with several targets.
//!
//! `{p}` in a message stands for the path of a target and the name of the case, so that
//! a request can be recognised and no case finds what another left in the cache.

mod framing;
mod heads;
mod meaning;
mod sequences;
mod targets;

use super::scene::{Case, Then};

/// All cases, in the order of the record.
pub(crate) fn all() -> Vec<Case> {
    let parts = [
        framing::all(),
        heads::all(),
        targets::all(),
        meaning::all(),
        sequences::all(),
    ];
    parts.into_iter().flatten().collect()
}

/// A case of one message, sent to a target.
fn case(table: &str, name: &str, target: &str, message: impl AsRef<[u8]>) -> Case {
    let slug = format!("{table}-{name}").replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    let path = match target {
        "/files" | "/edited-files" => format!("{target}/a.txt"),
        target => format!("{target}/{slug}"),
    };
    let bytes = replace(message.as_ref(), b"{p}", path.as_bytes());
    let method = bytes.split(|&byte| byte == b' ').next().unwrap_or_default();
    Case {
        name: format!("{table}, {target}: {name}"),
        after_interim: Vec::new(),
        methods: vec![String::from_utf8_lossy(method).into_owned()],
        then: Then::GoOn,
        bytes,
    }
}

fn replace(bytes: &[u8], what: &[u8], by: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(what.len()).position(|window| window == what) {
        out.extend_from_slice(&rest[..at]);
        out.extend_from_slice(by);
        rest = &rest[at + what.len()..];
    }
    out.extend_from_slice(rest);
    out
}
