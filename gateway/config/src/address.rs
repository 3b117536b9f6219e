//! Addresses with inputs: where a redirect leads, and what the host and path of a request
//! become.
//!
//! An input must not decide where an address leads. In a host only the request's own host may
//! stand alone; another input is one label below text. So what clients send can be checked for
//! the place that it stands in.

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::input::{Input, PlainInput, Refusal};
use crate::macros::words;
use crate::template::{Template, TemplatePart};

/// A URL, or a path on the same host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    text: String,
    /// The scheme and host that it names; none for a path.
    pub origin: Option<Origin>,
    /// The path, and what follows it.
    pub rest: Vec<TemplatePart>,
}

/// The scheme and host of an address.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The scheme.
    pub scheme: AddressScheme,
    /// The host.
    pub host: HostTemplate,
}

/// The scheme of an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AddressScheme {
    /// `http`.
    Http,
    /// `https`.
    Https,
    /// That of the request.
    OfRequest,
    /// None is written: `//host/path`.
    Unwritten,
}

/// A host, and its port if one is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostTemplate {
    text: String,
    /// The host, without the port. Never empty.
    pub parts: Vec<TemplatePart>,
    /// The port.
    pub port: Option<u16>,
}

/// A path without a query.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathTemplate(Template);

words! {
    /// The scheme of a redirect.
    pub enum RedirectScheme {
        /// `http`.
        Http = "http",
        /// `https`.
        Https = "https",
    }
}

impl Address {
    /// The text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl HostTemplate {
    /// The text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PathTemplate {
    /// The text as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The parts, in order.
    #[must_use]
    pub fn parts(&self) -> &[TemplatePart] {
        self.0.parts()
    }
}

/// Implements `Decode` by a function from text.
macro_rules! decoded {
    ($($Type:ty: $parse:path, $kind:literal;)*) => {
        $(
            impl Decode for $Type {
                fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
                    let text = decoder.text(node, &Self::kind())?;
                    let span = decoder.span(node);
                    match $parse(text) {
                        Ok(value) => Some(value),
                        Err((message, help)) => {
                            decoder.refuse(Diagnostic::error(span, message).help(help))
                        }
                    }
                }

                fn kind() -> String {
                    $kind.to_owned()
                }
            }
        )*
    };
}

decoded! {
    Address: address, "an address such as \"https://{host}{path}{query}\"";
    HostTemplate: host, "a host such as \"www.example.com\"";
    PathTemplate: path, "a path such as \"/v2{path}\"";
}

/// Parses an address, or returns an error message and advice.
fn address(text: &str) -> Result<Address, Refusal> {
    if text.is_empty() || text.chars().any(|c| c.is_control() || c == ' ') {
        return Err((
            format!("`{text}` is not an address"),
            "write an address without spaces: \"https://{host}{path}{query}\"".to_owned(),
        ));
    }
    no_backslash(text)?;
    let mut parts = Template::parse(text)?.into_parts();
    let scheme = scheme(&mut parts);
    let Some(scheme) = scheme else {
        return match parts.first() {
            Some(part) if begins_path(part) => Ok(Address {
                text: text.to_owned(),
                origin: None,
                rest: parts,
            }),
            _ => Err((
                format!("`{text}` is neither an address of `http` or `https` nor a path"),
                "write \"https://www.example.com{path}{query}\", or \"/path\" on the same host"
                    .to_owned(),
            )),
        };
    };
    let (host, rest) = split_host(parts);
    Ok(Address {
        text: text.to_owned(),
        origin: Some(Origin {
            scheme,
            host: host_of(text, host)?,
        }),
        rest,
    })
}

/// Takes the scheme and the two slashes off the parts; none if they begin with a path, or with
/// nothing that an address begins with.
fn scheme(parts: &mut Vec<TemplatePart>) -> Option<AddressScheme> {
    if let Some(TemplatePart::Input(Input::Plain(PlainInput::Scheme))) = parts.first()
        && let Some(TemplatePart::Literal(next)) = parts.get_mut(1)
        && let Some(rest) = next.strip_prefix("://")
    {
        *next = rest.to_owned();
        parts.remove(0);
        return Some(AddressScheme::OfRequest);
    }
    let Some(TemplatePart::Literal(first)) = parts.first_mut() else {
        return None;
    };
    let schemes = [
        ("http://", AddressScheme::Http),
        ("https://", AddressScheme::Https),
        ("//", AddressScheme::Unwritten),
    ];
    schemes.into_iter().find_map(|(begin, scheme)| {
        *first = first.strip_prefix(begin)?.to_owned();
        Some(scheme)
    })
}

fn no_backslash(text: &str) -> Result<(), Refusal> {
    match text.contains('\\') {
        true => Err((
            format!("`{text}` has a backslash, which browsers take for a slash"),
            "write `/`, or `%5C` for a backslash that is meant".to_owned(),
        )),
        false => Ok(()),
    }
}

fn begins_path(part: &TemplatePart) -> bool {
    match part {
        TemplatePart::Literal(text) => text.starts_with('/'),
        TemplatePart::Input(input) => is_path(input),
    }
}

fn is_path(input: &Input) -> bool {
    matches!(
        input,
        Input::Plain(PlainInput::Path | PlainInput::OriginalPath)
    )
}

fn is_query(input: &Input) -> bool {
    matches!(
        input,
        Input::Plain(PlainInput::Query | PlainInput::OriginalQuery)
    )
}

fn is_host(input: &Input) -> bool {
    matches!(
        input,
        Input::Plain(PlainInput::Host | PlainInput::OriginalHost)
    )
}

/// Separates the host from the path, the query or the fragment that ends it.
fn split_host(parts: Vec<TemplatePart>) -> (Vec<TemplatePart>, Vec<TemplatePart>) {
    let mut host = Vec::new();
    let mut rest = Vec::new();
    for part in parts {
        if !rest.is_empty() {
            rest.push(part);
            continue;
        }
        match part {
            TemplatePart::Literal(text) => {
                let end = text.find(['/', '?', '#']).unwrap_or(text.len());
                let (before, after) = text.split_at(end);
                if !before.is_empty() {
                    host.push(TemplatePart::Literal(before.to_owned()));
                }
                if !after.is_empty() {
                    rest.push(TemplatePart::Literal(after.to_owned()));
                }
            }
            TemplatePart::Input(input) if is_path(&input) || is_query(&input) => {
                rest.push(TemplatePart::Input(input));
            }
            input => host.push(input),
        }
    }
    (host, rest)
}

/// Parses a host, or returns an error message and advice.
fn host(text: &str) -> Result<HostTemplate, Refusal> {
    let parts = Template::parse(text)?.into_parts();
    host_of(text, parts)
}

fn host_of(text: &str, mut parts: Vec<TemplatePart>) -> Result<HostTemplate, Refusal> {
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
    let digits = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port.parse().ok().filter(|port| digits && *port > 0);
    let port = port.ok_or(())?;
    *text = before.to_owned();
    Ok(Some(port))
}

/// Whether the parts form a host. An input other than the request's host may only be a part of
/// a label below text: whatever it is, the text behind it says whose host it is.
fn host_parts(parts: &[TemplatePart]) -> Result<bool, Refusal> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    for (place, part) in parts.iter().enumerate() {
        match part {
            TemplatePart::Literal(text) if !text.bytes().all(fits) => return Ok(false),
            TemplatePart::Literal(_) => {}
            TemplatePart::Input(input) if is_host(input) => {}
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

/// Parses a path, or returns an error message and advice.
fn path(text: &str) -> Result<PathTemplate, Refusal> {
    no_backslash(text)?;
    if text.chars().any(char::is_control) {
        return Err((
            "a path has no control characters".to_owned(),
            "write the path without them".to_owned(),
        ));
    }
    let template = Template::parse(text)?;
    if !template.parts().first().is_some_and(begins_path) {
        return Err((
            format!("`{text}`: a path begins with `/`"),
            format!("write \"/{text}\""),
        ));
    }
    for part in template.parts() {
        match part {
            TemplatePart::Literal(literal) => {
                if let Some(mark) = literal.chars().find(|c| matches!(c, '?' | '#')) {
                    return Err((
                        format!("`{text}`: a path has no `{mark}`"),
                        "leave it out: the query of the request stays".to_owned(),
                    ));
                }
                if literal.contains("//") || has_dots(literal) {
                    return Err((
                        format!("`{text}`: `//`, `.` and `..` do not remain in a path"),
                        "write the path as it is once resolved".to_owned(),
                    ));
                }
            }
            TemplatePart::Input(input) if is_query(input) => {
                return Err((
                    format!("`{text}`: a query is not a part of a path"),
                    "leave it out: the query of the request stays".to_owned(),
                ));
            }
            TemplatePart::Input(_) => {}
        }
    }
    Ok(PathTemplate(template))
}

/// Whether a whole segment of a literal is `.` or `..`.
fn has_dots(literal: &str) -> bool {
    literal
        .split('/')
        .any(|segment| matches!(segment, "." | ".."))
}

#[cfg(test)]
mod tests;
