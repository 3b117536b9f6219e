//! The values of a verdict, evaluated for a simulated exchange.

use super::Exchange;
use crate::bindings::janua::policy::subscriptions::{Input, Phase};
use crate::bindings::janua::policy::values::{Header, Part};
use crate::syntax;

/// The exchange, and the inputs and references that a value may point at.
pub(super) struct Values<'a> {
    phase: &'a Phase,
    before: &'a Exchange,
}

impl<'a> Values<'a> {
    pub(super) fn new(phase: &'a Phase, before: &'a Exchange) -> Self {
        Self { phase, before }
    }

    /// A value as text. `None` if it is absent.
    pub(super) fn text(&self, value: &[Part]) -> Result<Option<String>, String> {
        self.joined(value, |_, text| Ok(text))
    }

    /// A value as a path: inputs other than the path become one segment.
    pub(super) fn path(&self, value: &[Part]) -> Result<Option<String>, String> {
        self.joined(value, |input, text| match input {
            Input::Path | Input::OriginalPath => Ok(text),
            _ if matches!(text.as_str(), "." | "..") => {
                Err(format!("{text:?} is no segment of a path"))
            }
            _ => Ok(encoded(&text)),
        })
    }

    /// The value of an annotation, which is written to the log.
    pub(super) fn public(&self, name: &str, value: &[Part]) -> Result<Option<String>, String> {
        let allowed = |b: u8| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.');
        if name.is_empty() || name.len() > 64 || !name.bytes().all(allowed) {
            return Err(format!("{name:?} is not the name of an annotation"));
        }
        for part in value {
            if let Some(input) = self.input(part)?
                && self.is_secret(input)
            {
                return Err(format!(
                    "the annotation `{name}` contains a sensitive input"
                ));
            }
        }
        self.text(value)
    }

    /// The name of a field in lower case, and its value unless it is absent.
    pub(super) fn field(&self, header: &Header) -> Result<(String, Option<String>), String> {
        let name = syntax::field_name(&header.name)?;
        let value = self.text(&header.value)?;
        syntax::field_text(value.as_deref().unwrap_or_default())?;
        Ok((name, value))
    }

    fn joined(
        &self,
        value: &[Part],
        write: impl Fn(&Input, String) -> Result<String, String>,
    ) -> Result<Option<String>, String> {
        let mut text = String::new();
        let mut variables = 0;
        let mut absent = 0;
        for part in value {
            if let Part::Literal(literal) = part {
                text.push_str(literal);
            } else if let Some(input) = self.input(part)? {
                variables += 1;
                match self.before.input(input, &self.phase.references) {
                    Some(value) => text.push_str(&write(input, value)?),
                    None => absent += 1,
                }
            }
        }
        Ok((variables == 0 || absent < variables).then_some(text))
    }

    /// What a part points at. `None` for a literal.
    fn input(&self, part: &Part) -> Result<Option<&Input>, String> {
        let (list, position) = match part {
            Part::Literal(_) => return Ok(None),
            Part::Input(position) => (&self.phase.inputs, position),
            Part::Reference(position) => (&self.phase.references, position),
            Part::Named(named) => {
                return Err(format!("there is no part of a value `{}`", named.name));
            }
        };
        let input = list.get(*position as usize);
        input
            .map(Some)
            .ok_or_else(|| format!("nothing was declared at position {position}"))
    }

    fn is_secret(&self, input: &Input) -> bool {
        let mut marked = self.phase.sensitive.iter();
        let marked = marked.any(|at| self.phase.inputs.get(*at as usize) == Some(input));
        marked
            || match input {
                Input::Cookie(_) => true,
                Input::Header(name) | Input::HeaderBase64(name) => {
                    ["authorization", "proxy-authorization", "cookie"].contains(&name.as_str())
                }
                Input::ResponseHeader(name) | Input::ResponseHeaderBase64(name) => {
                    name == "set-cookie"
                }
                _ => false,
            }
    }
}

/// Text as one segment of a path (RFC 3986 §3.3).
fn encoded(text: &str) -> String {
    let mut segment = String::new();
    for byte in text.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => segment.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => segment.push(char::from(byte)),
            _ => segment.push_str(&format!("%{byte:02X}")),
        }
    }
    segment
}
