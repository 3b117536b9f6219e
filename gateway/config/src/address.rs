//! An address with inputs: where a redirect leads.
//!
//! What clients send must not decide where it leads. Which part of an address each input stands in
//! is known, so that its value can be checked for that place.

use crate::host_template::{HostTemplate, host_of};
use crate::input::{Input, PlainInput};
use crate::input_advice::Refusal;
use crate::macros::{parsed, words};
use crate::path_template::{no_backslash, no_dots};
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

parsed! {
    Address: address, "an address such as \"https://{host}{path}{query}\"";
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
    let mut parts = Template::of_request(text)?.into_parts();
    let scheme = scheme(&mut parts);
    let Some(scheme) = scheme else {
        no_dots(text, &parts)?;
        return match parts.first() {
            Some(part) if part.begins_path() => Ok(Address {
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
    no_dots(text, &rest)?;
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
            TemplatePart::Input(input) if input.is_path() || input.is_query() => {
                rest.push(TemplatePart::Input(input));
            }
            input => host.push(input),
        }
    }
    (host, rest)
}

#[cfg(test)]
mod tests;
