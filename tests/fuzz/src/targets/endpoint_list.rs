//! Lists of endpoints in both formats: [`parse_endpoint_list`].

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use janua_config::{EndpointAddress, ListedEndpoint, MOST_LISTED, parse_endpoint_list};

pub(crate) const WORDS: &[&str] = &[
    "[[endpoints]]\n",
    "endpoints = [",
    "{\"endpoints\":[",
    "\"address\":",
    "address = ",
    "\"10.0.0.1:80\"",
    "\"[::1]:80\"",
    "\"app.internal:80\"",
    "\"unix:/run/admin.sock\"",
    "\"srv:_http._tcp.app\"",
    "\"file\":\"a.toml\"",
    "\"weight\":2",
    "\"max_connections\":1",
    "\"backup\":true",
    "\"healthy\":false",
    "\"zone\":\"a\"",
    "\"id\":\"a\"",
    "null",
    "\\u0000",
    "\\ud83d\\ude00",
    "4294967296",
    "'''",
    "\"\"\"",
    "},{",
    "],[",
];

/// The most errors that are reported of one list.
const MOST_ERRORS: usize = 100;

pub(crate) fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    for file in ["list.toml", "list.json"] {
        match parse_endpoint_list(Path::new(file), text) {
            Ok(listed) => check(&listed),
            Err(found) => {
                let lines: Vec<String> = found.lines().take(MOST_ERRORS + 1).collect();
                assert!((1..=MOST_ERRORS).contains(&lines.len()), "{lines:?}");
                for line in &lines {
                    assert!(line.starts_with(file), "{line}");
                    // It is logged, and shown on a terminal.
                    let hidden = |c: char| c.is_control() && c != '\t';
                    assert!(!line.contains(hidden), "{line:?}");
                }
            }
        }
    }
}

/// A list says nothing but where endpoints are, and both formats say the same.
fn check(listed: &[ListedEndpoint]) {
    assert!(listed.len() <= MOST_LISTED, "{} endpoints", listed.len());
    let mut known = HashSet::new();
    for endpoint in listed {
        assert!(endpoint.healthy, "{endpoint:?}");
        assert!(known.insert(&endpoint.address.value), "{endpoint:?}");
        let port = match &endpoint.address.value {
            EndpointAddress::Socket(address) => address.port(),
            EndpointAddress::Name { host, port } => {
                let fits =
                    |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b);
                assert!(!host.is_empty() && host.bytes().all(fits), "{host:?}");
                *port
            }
            EndpointAddress::Unix(_) | EndpointAddress::Srv(_) => panic!("{endpoint:?}"),
        };
        assert_ne!(port, 0, "{endpoint:?}");
    }
    let expected: Vec<Plain> = listed.iter().map(plain).collect();
    for (file, text) in [("again.toml", toml(listed)), ("again.json", json(listed))] {
        let again = parse_endpoint_list(Path::new(file), &text);
        let again = again.unwrap_or_else(|found| panic!("{text}\n{found}"));
        let again: Vec<Plain> = again.iter().map(plain).collect();
        assert_eq!(again, expected, "{text}");
    }
}

type Plain = (
    EndpointAddress,
    u32,
    Option<u32>,
    bool,
    Option<String>,
    Option<String>,
);

fn plain(endpoint: &ListedEndpoint) -> Plain {
    (
        endpoint.address.value.clone(),
        endpoint.weight.get(),
        endpoint.max_connections.map(std::num::NonZeroU32::get),
        endpoint.backup,
        endpoint.zone.clone(),
        endpoint.id.clone(),
    )
}

fn toml(listed: &[ListedEndpoint]) -> String {
    let mut text = String::new();
    if listed.is_empty() {
        text.push_str("endpoints = []");
    }
    let escape = |text: &str| {
        let each = text.chars().map(|c| format!("\\U{:08x}", u32::from(c)));
        each.collect::<String>()
    };
    for endpoint in listed {
        text.push_str("[[endpoints]]\n");
        for (name, value) in fields(endpoint, escape) {
            writeln!(text, "{name} = {value}").unwrap();
        }
    }
    text
}

fn json(listed: &[ListedEndpoint]) -> String {
    let escape = |text: &str| {
        let each = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        each.collect::<String>()
    };
    let each = listed.iter().map(|endpoint| {
        let fields = fields(endpoint, escape).into_iter();
        let fields = fields.map(|(name, value)| format!("\"{name}\":{value}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
    });
    format!("[{}]", each.collect::<Vec<_>>().join(","))
}

/// The fields of an endpoint, with values as they are written in both formats.
fn fields(
    endpoint: &ListedEndpoint,
    escape: impl Fn(&str) -> String,
) -> Vec<(&'static str, String)> {
    let quoted = |text: &str| format!("\"{}\"", escape(text));
    let mut fields = vec![
        ("address", quoted(&endpoint.address.to_string())),
        ("weight", endpoint.weight.to_string()),
        ("backup", endpoint.backup.to_string()),
    ];
    let most = endpoint.max_connections;
    fields.extend(most.map(|most| ("max_connections", most.to_string())));
    fields.extend(endpoint.zone.iter().map(|zone| ("zone", quoted(zone))));
    fields.extend(endpoint.id.iter().map(|id| ("id", quoted(id))));
    fields
}
