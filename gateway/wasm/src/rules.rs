//! The rules that a verdict is checked against. All that comes from a guest is
//! checked here once, when its verdict is converted. The proxy only has to check
//! rendered values, which depend on the inputs of a request.

use std::fmt::Display;

use crate::input::Phase;
use crate::permission::Permission;
use crate::plan::Plan;
use crate::said::is_hidden;
use crate::verdict::{DeclaredUpstream, Part, Value};

/// The largest number of edits in a verdict.
pub(crate) const MAX_EDITS: usize = 256;
/// The largest number of effects in a verdict.
pub(crate) const MAX_EFFECTS: usize = 16;
/// The largest number of fields in a reply.
pub(crate) const MAX_REPLY_FIELDS: usize = 64;
/// The maximum size of all literal parts of a value together, in bytes.
const MAX_VALUE: usize = 8 * 1024;
/// The largest number of parts in a value.
const MAX_PARTS: usize = 64;
/// The maximum length of a field name or query parameter name, in bytes.
const MAX_NAME: usize = 128;
/// The maximum size of a reply's body, in bytes.
const MAX_BODY: usize = 256 * 1024;
/// The largest number of upstreams in a split.
pub(crate) const MAX_SHARES: usize = 64;
/// The largest number of annotations.
pub(crate) const MAX_ANNOTATIONS: usize = 16;
/// The maximum length of a name in a verdict, in bytes.
const MAX_WORD: usize = 64;

/// Fields that only the gateway sets (`wit/values.wit`, `header.name`).
pub(crate) const OWNED: [&str; 8] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Fields of a request that the gateway sets before the first policy is asked. A policy may edit
/// them, and not own them.
pub(crate) const SET_BY_GATEWAY: [&str; 5] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
    "x-request-id",
];

mod cache;

pub(crate) use cache::{MAX_PARAMETERS, MAX_VARY_ON, field_line, name, parameter_name, seconds};

/// What a verdict is checked against.
pub(crate) struct Rules<'a> {
    pub(crate) phase: Phase,
    pub(crate) plan: &'a Plan,
    /// The variables that the policy declares.
    pub(crate) variables: &'a [Box<str>],
    /// The upstreams that it declares.
    pub(crate) upstreams: &'a [Box<str>],
}

/// The rule that a verdict breaks, as a clause for the operator.
pub(crate) type Violation = String;

/// Where a value is used, which decides what its literals may contain.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A field value: no control characters except the tab.
    Field,
    /// A path or query: visible ASCII except `#`, and bytes above ASCII.
    Target,
    /// A key: any bytes.
    Key,
}

/// A part as the guest gave it.
pub(crate) enum RawPart {
    Literal(String),
    Input(u32),
    Reference(u32),
}

impl Rules<'_> {
    /// Checks and converts a value. Adjacent literals become one.
    pub(crate) fn value(
        &self,
        place: Place,
        raw: impl ExactSizeIterator<Item = Result<RawPart, Violation>>,
    ) -> Result<Value, Violation> {
        at_most("parts of a value", raw.len(), MAX_PARTS)?;
        let mut parts: Vec<Part> = Vec::new();
        let mut literal: Vec<u8> = Vec::new();
        let mut literal_bytes = 0;
        for part in raw {
            let variable = match part? {
                RawPart::Literal(text) => {
                    literal_bytes += text.len();
                    at_most("bytes of a value", literal_bytes, MAX_VALUE)?;
                    check_literal(place, &text)?;
                    literal.extend_from_slice(text.as_bytes());
                    continue;
                }
                RawPart::Input(at) => {
                    Part::Input(self.position("input", at, self.plan.inputs.len())?)
                }
                RawPart::Reference(at) => {
                    Part::Reference(self.position("reference", at, self.plan.references.len())?)
                }
            };
            if !literal.is_empty() {
                parts.push(Part::Literal(std::mem::take(&mut literal).into()));
            }
            parts.push(variable);
        }
        if parts.is_empty() {
            return Ok(Value::Literal(literal.into()));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal.into()));
        }
        Ok(Value::Parts(parts.into()))
    }

    fn position(&self, what: &str, at: u32, count: usize) -> Result<u16, Violation> {
        u16::try_from(at)
            .ok()
            .filter(|&at| usize::from(at) < count)
            .ok_or_else(|| {
                format!(
                    "it points at {what} {at}, and the phase `{}` has {count}",
                    self.phase.name()
                )
            })
    }

    /// Checks that `what`, an edit, effect or outcome, is allowed in this phase.
    pub(crate) fn only_in(&self, phases: &[Phase], what: &str) -> Result<(), Violation> {
        if phases.contains(&self.phase) {
            return Ok(());
        }
        let names: Vec<String> = phases.iter().map(|p| format!("`{}`", p.name())).collect();
        let plural = if names.len() == 1 { "" } else { "s" };
        Err(format!(
            "`{what}` belongs to the phase{plural} {} and was given in `{}`",
            names.join(" and "),
            self.phase.name()
        ))
    }

    /// Checks that the policy declared what it does, `what`.
    pub(crate) fn declared(&self, is_declared: bool, what: &dyn Display) -> Result<(), Violation> {
        match is_declared {
            true => Ok(()),
            false => Err(format!(
                "it did not declare `{what}` for the phase `{}`",
                self.phase.name()
            )),
        }
    }

    /// Checks that an effect belongs to this phase, and that the policy declared it.
    pub(crate) fn effect(&self, name: &'static str, phases: &[Phase]) -> Result<(), Violation> {
        self.only_in(phases, name)?;
        let effect = Permission::Effect(name);
        self.declared(self.plan.may.has(&effect), &effect)
    }

    /// Checks the name of a field of the request to be edited and returns it in lower case.
    pub(crate) fn header(&self, name: &str) -> Result<Box<str>, Violation> {
        let name = field_name(name)?;
        let what = format_args!("edit:header:{name}");
        self.declared(self.plan.may.edits_header(&name), &what)?;
        Ok(name)
    }

    /// Checks the name of a field of the response to be edited and returns it in lower case.
    pub(crate) fn response_header(&self, name: &str) -> Result<Box<str>, Violation> {
        let name = field_name(name)?;
        let what = format_args!("edit:response-header:{name}");
        self.declared(self.plan.may.edits_response_header(&name), &what)?;
        Ok(name)
    }

    /// Checks that the policy declared an upstream, and finds its position.
    pub(crate) fn upstream(&self, name: &str) -> Result<DeclaredUpstream, Violation> {
        let mut declared = self.upstreams.iter();
        match declared.position(|declared| **declared == *name) {
            Some(place) => Ok(DeclaredUpstream {
                name: name.into(),
                place,
            }),
            None => Err(format!("it did not declare `upstream:{name}`")),
        }
    }

    /// Checks the name of a variable to be set.
    pub(crate) fn variable(&self, name: &str) -> Result<Box<str>, Violation> {
        match self.variables.iter().find(|known| ***known == *name) {
            Some(name) => Ok(name.clone()),
            None => Err(format!("it did not declare the variable {name:?}")),
        }
    }
}

/// Checks the name of a field to be edited and returns it in lower case.
pub(crate) fn field_name(name: &str) -> Result<Box<str>, Violation> {
    let lower = field_name_to_read(name)?;
    if OWNED.contains(&&*lower) {
        return Err(format!("the field `{lower}` belongs to the gateway"));
    }
    Ok(lower)
}

/// Checks the name of a field to be read, which may be one that only the gateway sets,
/// and returns it in lower case.
pub(crate) fn field_name_to_read(name: &str) -> Result<Box<str>, Violation> {
    at_most("bytes of a field name", name.len(), MAX_NAME)?;
    if name.is_empty() || !name.bytes().all(is_token_byte) {
        return Err(format!("{name:?} is no field name (RFC 9110 §5.6.2)"));
    }
    Ok(name.to_ascii_lowercase().into())
}

/// Checks the name of a field of a reply and returns it in lower case.
pub(crate) fn reply_field_name(name: &str) -> Result<Box<str>, Violation> {
    let lower = field_name(name)?;
    if &*lower == "date" {
        return Err("the field `date` of a reply belongs to the gateway".to_owned());
    }
    Ok(lower)
}

/// Checks the name of a cookie or parameter to be read. It is shown in messages and grants.
pub(crate) fn name_to_read(name: &str) -> Result<Box<str>, Violation> {
    if name.chars().any(is_hidden) {
        return Err(format!("the name {name:?} has a control character"));
    }
    Ok(name.into())
}

/// Checks a status: 200 to 599.
pub(crate) fn status(status: u16) -> Result<u16, Violation> {
    if (200..=599).contains(&status) {
        Ok(status)
    } else {
        Err(format!("the status {status} is not between 200 and 599"))
    }
}

/// Checks the name of a variable: lower-case letters, digits, `-` and `_`.
pub(crate) fn variable_name(name: &str) -> Result<Box<str>, Violation> {
    identifier("the name of a variable", name, b"-_")
}

/// Checks the name of an annotation: as that of a variable, with `.` in addition.
pub(crate) fn annotation_name(name: &str) -> Result<Box<str>, Violation> {
    identifier("the name of an annotation", name, b"-_.")
}

fn identifier(what: &str, name: &str, others: &[u8]) -> Result<Box<str>, Violation> {
    at_most(&format!("bytes of {what}"), name.len(), MAX_WORD)?;
    let fits =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || others.contains(&byte);
    match !name.is_empty() && name.bytes().all(fits) {
        true => Ok(name.into()),
        false => Err(format!(
            "{name:?} is not {what}: it has lower-case letters, digits and some of `{}`",
            String::from_utf8_lossy(others)
        )),
    }
}

/// Checks a name: at most 64 bytes of printable ASCII.
pub(crate) fn word(what: &str, text: &str) -> Result<Box<str>, Violation> {
    at_most(&format!("bytes of {what}"), text.len(), MAX_WORD)?;
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        Ok(text.into())
    } else {
        Err(format!("{what} is not printable ASCII"))
    }
}

/// Checks the body of a reply.
pub(crate) fn body(bytes: Vec<u8>) -> Result<Box<[u8]>, Violation> {
    at_most("bytes of a reply's body", bytes.len(), MAX_BODY)?;
    Ok(bytes.into())
}

/// Checks that a number is not zero.
pub(crate) fn at_least_one(what: &str, number: u32) -> Result<u32, Violation> {
    if number == 0 {
        Err(format!("{what} must be at least 1"))
    } else {
        Ok(number)
    }
}

/// Checks that `count` is at most `most`.
pub(crate) fn at_most(what: &str, count: usize, most: usize) -> Result<(), Violation> {
    if count > most {
        Err(format!("it has {count} {what}, and {most} is the most"))
    } else {
        Ok(())
    }
}

/// The message about a part of the contract that this version does not support: one that
/// it does not carry out yet, or one of a later version.
pub(crate) fn not_supported(what: &dyn Display) -> Violation {
    format!("`{what}` is not supported by this version")
}

fn check_literal(place: Place, text: &str) -> Result<(), Violation> {
    let bad = match place {
        Place::Field => text
            .bytes()
            .any(|byte| (byte < b' ' && byte != b'\t') || byte == 0x7f),
        Place::Target => text
            .bytes()
            .any(|byte| byte <= b' ' || byte == 0x7f || byte == b'#'),
        Place::Key => false,
    };
    if bad {
        // Without the text itself: it may contain a secret of the policy.
        Err(match place {
            Place::Field => "a field value contains a control character".to_owned(),
            _ => "a path or query contains a space, a control character or `#`".to_owned(),
        })
    } else {
        Ok(())
    }
}

fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests;
