//! URLs that are made of what clients send: [`UrlWriter`].
//!
//! The input is divided at line ends into values, which stand in all places of some addresses.
//! Whatever they are, a browser finds the authority that the text has, and nothing climbs.

use janua_http::path::{has_dot_segment, normalise};
use janua_http::url::UrlWriter;

pub(crate) const WORDS: &[&str] = &[
    "\n",
    "/",
    "//",
    "\\",
    "%2f",
    "%5C",
    "%09",
    "\t",
    "\r",
    "@",
    ":",
    ":80",
    "?",
    "#",
    "..",
    "%2e",
    ".",
    ";",
    "evil.example",
    "https:",
    "[::1]",
    "a=b&c",
];

pub(crate) fn run(input: &[u8]) {
    let mut values = input.split(|byte| *byte == b'\n');
    let mut next = || values.next().unwrap_or_default();
    let (a, b, c) = (next(), next(), next());
    let mut path = Vec::new();
    // The writer is given normalised paths only.
    if normalise(&[b"/", next()].concat(), &mut path).is_err() {
        path = b"/".to_vec();
    }
    // As the head of a request has it.
    let query = next();
    let query = query
        .iter()
        .all(|byte| (b'!'..=b'~').contains(byte))
        .then_some(query);

    for shape in 0..4 {
        let rest = |url: &mut UrlWriter| match shape {
            0 => {
                url.text(b"/");
                url.path(&path);
                url.query(query);
            }
            1 => {
                url.path(&path);
                url.text(b"/");
                url.value(a);
                url.text(b"/");
                url.value(b);
            }
            2 => {
                url.text(b"/");
                url.value(a);
                url.value(b);
                url.text(b"//x");
            }
            _ => {
                url.text(b"/to?at=");
                url.path(&path);
                url.text(b"&v=");
                url.value(a);
            }
        };
        let mut url = UrlWriter::of_path();
        rest(&mut url);
        if let Ok(url) = url.finish() {
            let url = text(url);
            assert_eq!(authority(&url), None, "{url}");
            assert!(
                url.starts_with('/') && !has_dot_segment(before_query(&url)),
                "{url}"
            );
        }
        let mut url = UrlWriter::of_host(b"https:");
        url.value(c);
        url.text(b".shop.example");
        url.end_host();
        rest(&mut url);
        if let Ok(url) = url.finish() {
            let url = text(url);
            let host = authority(&url).unwrap_or_default();
            assert!(
                host.ends_with(".shop.example") && !host.starts_with('.'),
                "{url}"
            );
            assert!(!host.contains(['@', '%', ':', '[']), "{url}");
        }
    }
    check_host(c);
}

/// The host of a request stands in a host as it is, or is refused.
fn check_host(host: &[u8]) {
    let mut url = UrlWriter::of_host(b"https:");
    url.host(host);
    url.port(8443);
    url.text(b"/");
    if let Ok(url) = url.finish() {
        let url = text(url);
        let written = authority(&url).unwrap_or_default();
        assert_eq!(written.as_bytes(), [host, b":8443"].concat(), "{url}");
    }
}

fn text(url: Vec<u8>) -> String {
    let url = String::from_utf8(url).unwrap_or_default();
    assert!(
        !url.is_empty() && url.bytes().all(|byte| (b'!'..=b'~').contains(&byte)),
        "{url:?}"
    );
    url
}

fn before_query(url: &str) -> &[u8] {
    url.split(['?', '#']).next().unwrap_or_default().as_bytes()
}

/// What a browser takes for the authority: it reads `\` as `/`, and drops tabs and line ends
/// (WHATWG URL, section 4.4).
fn authority(url: &str) -> Option<String> {
    let url = url.replace(['\t', '\r', '\n'], "").replace('\\', "/");
    let rest = url.strip_prefix("https:").unwrap_or(&url);
    let rest = rest.strip_prefix("//")?;
    Some(
        rest.split(['/', '?', '#'])
            .next()
            .unwrap_or_default()
            .to_owned(),
    )
}
