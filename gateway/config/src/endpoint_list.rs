//! A file with endpoints of one upstream, which somebody else writes while the gateway runs.
//!
//! It is no part of the configuration: it adds endpoints to one upstream, and can say nothing
//! else. Sockets of the machine, records of the DNS and further files must be named by the
//! configuration. A file with an error is refused as a whole.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::path::Path;

use serde_json::Value;
use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node, TableReader};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::endpoint_address::EndpointAddress;
use crate::macros::table;
use crate::span::{SourceId, Sources, Spanned};
use crate::syntax;

/// The longest list, in endpoints.
pub const MOST_LISTED: usize = 1_000;

/// The longest file with a list, in bytes.
pub const LONGEST_LIST: u64 = 1024 * 1024;

/// The most fields of a table whose names are looked at one by one.
const MOST_FIELDS: usize = 32;

table! {
    /// One endpoint of a list.
    pub struct ListedEndpoint("an endpoint: an address, or a table with one") {
        /// `"10.0.0.1:3000"` or `"app.internal:3000"`.
        address: Spanned<EndpointAddress> = required;
        /// Its share of the requests, relative to the other weights.
        weight: NonZeroU32 = default("1");
        /// The maximum number of concurrent requests, over all workers.
        max_connections: Option<NonZeroU32> = optional("no limit");
        /// Whether it gets requests only while none of the other endpoints can.
        backup: bool = default("false");
        /// Where it runs.
        zone: Option<String> = optional("in no zone");
        /// What its writer calls it; it has no effect.
        id: Option<String> = optional("no name");
        /// False if it is to get no requests, as if it were not listed.
        healthy: bool = default("true");
    }
    short address
    check is_reachable
}

fn is_reachable(endpoint: &ListedEndpoint, decoder: &mut Decoder<'_>) {
    let fault = match &endpoint.address.value {
        EndpointAddress::Socket(_) | EndpointAddress::Name { .. } => return,
        EndpointAddress::Unix(_) => "a socket's path",
        EndpointAddress::Srv(_) => "a record of the DNS",
    };
    decoder.push(
        Diagnostic::error(
            endpoint.address.span,
            format!("{fault} must be named by the configuration, not by a list"),
        )
        .help("write an address such as \"10.0.0.1:3000\""),
    );
}

/// The value of `endpoints`.
///
/// Unlike in the configuration, not all errors are reported, but those of the first endpoint that
/// has any: a file with a hundred thousand errors must not keep the gateway busy for minutes.
struct Listed(Vec<ListedEndpoint>);

impl Decode for Listed {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let DeValue::Array(items) = node.get_ref() else {
            return Vec::decode(node, decoder).map(Self);
        };
        if items.len() > MOST_LISTED {
            let span = decoder.span(node);
            return decoder.refuse(Diagnostic::error(span, too_many(items.len())));
        }
        let mut listed = Vec::with_capacity(items.len());
        for item in items {
            if let DeValue::Table(fields) = item.get_ref()
                && fields.len() > MOST_FIELDS
            {
                let fault = format!("an endpoint has no {} fields", fields.len());
                let span = decoder.span(item);
                return decoder.refuse(Diagnostic::error(span, fault));
            }
            let endpoint = ListedEndpoint::decode(item, decoder);
            listed.push(endpoint.filter(|_| decoder.diagnostics.is_empty())?);
        }
        Some(Self(listed))
    }

    fn kind() -> String {
        Vec::<ListedEndpoint>::kind()
    }
}

fn too_many(count: usize) -> String {
    format!("{count} endpoints are listed, and {MOST_LISTED} are the most")
}

/// Reads the text of a list. Endpoints that are not healthy are left out, and of several with
/// one address only the first is there.
///
/// # Errors
/// What is wrong with the first endpoint that cannot be used; the list is of no use then.
pub fn parse_endpoint_list(path: &Path, text: &str) -> Result<Vec<ListedEndpoint>, Diagnostics> {
    let is_json = path.extension().is_some_and(|it| it == "json");
    let read = match is_json {
        true => json(path, text),
        false => toml(path, text),
    };
    let mut listed = read?;
    let mut seen = HashSet::new();
    listed.retain(|endpoint| endpoint.healthy && seen.insert(endpoint.address.value.clone()));
    Ok(listed)
}

fn toml(path: &Path, text: &str) -> Result<Vec<ListedEndpoint>, Diagnostics> {
    let sources = Sources::single(path, text);
    let (document, faults) = syntax::parse(SourceId::MAIN, text);
    let mut found = Diagnostics::new(sources.clone());
    found.extend(faults.into_iter().map(syntax::Fault::into_diagnostic));
    let fields = document.get_ref().len();
    if found.is_empty() && fields > MOST_FIELDS {
        let fault = format!("a list has one field, `endpoints`, and not {fields}");
        return Err(only(path, text, Diagnostic::file(path, fault)));
    }
    let source = sources.iter().next().filter(|_| found.is_empty());
    if let Some((id, source)) = source {
        let mut decoder = Decoder::new(id, source);
        let mut table = TableReader::document(&document, &mut decoder);
        let listed: Option<Listed> = table.required("endpoints");
        table.finish(&[]);
        match listed.filter(|_| decoder.diagnostics.is_empty()) {
            Some(Listed(listed)) => return Ok(listed),
            None => found.extend(decoder.diagnostics),
        }
    }
    Err(found)
}

/// JSON: a list, or an object with the list under `endpoints`. Errors of syntax have their
/// line; others name the endpoint, counted from 1.
///
/// It is read as the TOML that says the same, with a line for each endpoint.
fn json(path: &Path, text: &str) -> Result<Vec<ListedEndpoint>, Diagnostics> {
    let fault = |fault: String| only(path, text, Diagnostic::file(path, fault));
    let value: Value = serde_json::from_str(text).map_err(|error| fault(error.to_string()))?;
    let listed = match value {
        Value::Array(listed) => listed,
        Value::Object(mut object) => match (object.remove("endpoints"), object.keys().next()) {
            (_, Some(other)) => return Err(fault(format!("unknown field `{other}`"))),
            (Some(Value::Array(listed)), None) => listed,
            _ => return Err(fault("`endpoints` must be a list".to_owned())),
        },
        _ => return Err(fault("expected a list of endpoints".to_owned())),
    };
    if listed.len() > MOST_LISTED {
        return Err(fault(too_many(listed.len())));
    }
    let mut same = "endpoints = [\n".to_owned();
    for value in &listed {
        write_toml(value, &mut same);
        same.push_str(",\n");
    }
    same.push(']');
    toml(path, &same).map_err(|found| {
        let mut named = Diagnostics::new(Sources::single(path, text));
        for fault in found.iter() {
            let place = fault.span().and_then(|span| found.sources().locate(span));
            // The first endpoint is on the second line.
            let number = place.map_or(0, |place| place.line.saturating_sub(1));
            let text = format!("endpoint {number}: {}", fault.message());
            let text = Diagnostic::file(path, text);
            named.extend([match fault.suggestion() {
                Some(help) => text.help(help),
                None => text,
            }]);
        }
        named
    })
}

/// Writes a JSON value as TOML, on one line. Members that are null are left out, because TOML has
/// no such value.
fn write_toml(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("\"null\""),
        // They are written in the same way.
        Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::String(text) => write_text(text, out),
        Value::Array(items) => {
            out.push('[');
            for item in items {
                write_toml(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            let present = members.iter().filter(|(_, value)| !value.is_null());
            for (at, (name, value)) in present.enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push('=');
                write_toml(value, out);
            }
            out.push('}');
        }
    }
}

/// Writes a text in quotes. All but one character is escaped in JSON as it is in TOML.
fn write_text(text: &str, out: &mut String) {
    let quoted = Value::from(text).to_string();
    out.push_str(&quoted.replace('\u{7f}', "\\u007f"));
}

fn only(path: &Path, text: &str, fault: Diagnostic) -> Diagnostics {
    let mut found = Diagnostics::new(Sources::single(path, text));
    found.push(fault);
    found
}

#[cfg(test)]
mod tests;
