//! The targets, one module each: its function `run`, and the `WORDS` of its grammar.

pub(crate) mod accept_encoding;
pub(crate) mod cache_control;
pub(crate) mod chunked;
pub(crate) mod dns_query;
pub(crate) mod endpoint_list;
pub(crate) mod grpc_health;
pub(crate) mod grpc_web;
pub(crate) mod h2;
mod head;
pub(crate) mod hpack;
pub(crate) mod path;
pub(crate) mod proxy_header;
pub(crate) mod request_head;
pub(crate) mod response_head;
pub(crate) mod url;

use janua_http::{Fields, fields};

/// The lengths of the beginnings of a message at which it is cut: all of a short one; some of a
/// long one, and a third of those at which a CR or LF is the last byte.
fn cuts(message: &[u8]) -> Vec<usize> {
    const ALL_UP_TO: usize = 64;
    const OF_A_LONG_ONE: usize = 24;
    let stride = match message.len() {
        ..=ALL_UP_TO => 1,
        longer => longer / OF_A_LONG_ONE,
    };
    let is_cut = |at: &usize| {
        let ends_line = matches!(message[at - 1], b'\r' | b'\n');
        at.is_multiple_of(stride) || (ends_line && at.is_multiple_of(3))
    };
    (1..message.len()).filter(is_cut).collect()
}

/// A field with one line for each line of the input; `None` if one of them is no field value,
/// which no parser of a value ever sees.
fn lines_of(name: &[u8], input: &[u8]) -> Option<Fields> {
    let mut lines = Fields::default();
    for value in input.split(|&byte| byte == b'\n') {
        if !fields::is_field_value(value) {
            return None;
        }
        lines.append(name, value.trim_ascii());
    }
    Some(lines)
}
