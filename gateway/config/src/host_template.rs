//! A host with inputs: where a redirect leads, or what an upstream gets as `Host`.
//!
//! An input must not decide which host it is. Only the request's own host may stand alone; another
//! input is one label below text.

use crate::input_advice::Refusal;
use crate::macros::parsed;
use crate::path::is_unreserved;
use crate::sent_host;
use crate::template::{Template, TemplatePart};

/// A host, and its port if one is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostTemplate {
    text: String,
    /// The host, without the port. Never empty.
    pub parts: Vec<TemplatePart>,
    /// The port.
    pub port: Option<u16>,
}

impl HostTemplate {
    /// The text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

parsed! {
    HostTemplate: host, "a host such as \"www.example.com\"";
}

/// Parses a host, or returns an error message and advice.
pub(crate) fn host(text: &str) -> Result<HostTemplate, Refusal> {
    let parts = Template::of_request(text)?.into_parts();
    host_of(text, parts)
}

/// Parses a host of these parts, which are a part of the text.
pub(crate) fn host_of(text: &str, mut parts: Vec<TemplatePart>) -> Result<HostTemplate, Refusal> {
    let bad = || {
        (
            format!("`{text}` does not name a host"),
            "write a name: \"www.example.com\", or \"{host}\"".to_owned(),
        )
    };
    let port = match parts.last_mut() {
        Some(TemplatePart::Literal(last)) => take_port(last).map_err(|()| bad())?,
        _ => None,
    };
    parts.retain(|part| !matches!(part, TemplatePart::Literal(text) if text.is_empty()));
    if let [TemplatePart::Literal(name)] = parts.as_slice()
        && name.starts_with('[')
    {
        let inside = name.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
        if inside.is_none_or(|it| it.parse::<std::net::Ipv6Addr>().is_err()) {
            return Err(bad());
        }
    } else {
        host_parts(&parts)?.then_some(()).ok_or_else(bad)?;
    }
    Ok(HostTemplate {
        text: text.to_owned(),
        parts,
        port,
    })
}

/// Removes a port from the end of a literal.
fn take_port(text: &mut String) -> Result<Option<u16>, ()> {
    if text.ends_with(']') {
        return Ok(None);
    }
    let Some((before, port)) = text.rsplit_once(':') else {
        return Ok(None);
    };
    let port = sent_host::port(port).ok_or(())?;
    *text = before.to_owned();
    Ok(Some(port))
}

/// Whether the parts form a host. An input other than the request's host may only be a part of
/// a label below text: whatever it is, the text behind it says whose host it is.
fn host_parts(parts: &[TemplatePart]) -> Result<bool, Refusal> {
    for (place, part) in parts.iter().enumerate() {
        match part {
            TemplatePart::Literal(text) if !text.bytes().all(is_unreserved) => return Ok(false),
            // No label is empty.
            TemplatePart::Literal(text) if text.contains("..") => return Ok(false),
            TemplatePart::Literal(text) if place == 0 && text.starts_with('.') => return Ok(false),
            TemplatePart::Literal(_) => {}
            TemplatePart::Input(input) if input.is_host() => {}
            TemplatePart::Input(input) => {
                let is_below = match parts.get(place + 1) {
                    Some(TemplatePart::Literal(next)) => {
                        next.starts_with('.')
                            && (place + 2 < parts.len()
                                || next.bytes().any(|byte| byte.is_ascii_alphanumeric()))
                    }
                    _ => false,
                };
                if !is_below {
                    return Err((
                        format!("`{{{input}}}` would decide which host it is"),
                        format!(
                            "write the end of the host behind it, `{{{input}}}.example.com`, or a \
                             `/` in front of it"
                        ),
                    ));
                }
            }
        }
    }
    Ok(match parts.last() {
        Some(TemplatePart::Literal(text)) => {
            parts.len() > 1 || text.bytes().any(|byte| byte.is_ascii_alphanumeric())
        }
        Some(TemplatePart::Input(_)) => true,
        None => false,
    })
}
