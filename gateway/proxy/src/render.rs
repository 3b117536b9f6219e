//! Renders the values of a verdict, which consist of literals, inputs and references.
//!
//! All values of a verdict are rendered before any of its edits is made, so that an input
//! has the value that it had when the policy was asked.

use std::fmt;
use std::ops::Range;

use janua_http::fields::is_field_value;
use janua_http::{path, query};
use janua_wasm::{BadInput, Destination, Facts, Input, Part, Plan, Single, Value};

use crate::local_policy::MAX_VALUES;

/// The largest rendered value, in bytes.
const MAX_VALUE: usize = 64 * 1024;
/// A larger arena is given back after use: hardly any request needs it.
const KEPT: usize = 64 * 1024;

/// Rendered values, in memory that is reused.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    arena: Vec<u8>,
    values: Vec<Option<Range<usize>>>,
    /// The places of values that contain a variable with a secret.
    secrets: Vec<usize>,
    /// The size of the literals, which are not in the arena.
    literals: usize,
    /// An input that is about to be encoded.
    plain: Vec<u8>,
}

/// Why a verdict cannot be rendered for a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unrendered {
    /// It renders to more than it may.
    TooLarge(TooLarge),
    /// A value has an input that the request does not have in a usable form.
    BadInput(BadInput),
}

/// A verdict renders to more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLarge {
    /// One value.
    Value,
    /// All values together.
    Values,
}

impl Rendered {
    /// Removes all values, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.values.clear();
        self.secrets.clear();
        self.literals = 0;
    }

    /// Frees the memory that an unusually large verdict took.
    pub(crate) fn shrink(&mut self) {
        if self.arena.capacity() > KEPT || self.plain.capacity() > KEPT {
            *self = Self::default();
        }
    }

    /// Renders one more value. A literal is not copied: [`Self::get`] takes it from the value
    /// itself.
    ///
    /// # Errors
    /// The value is too large; then no more than one input beyond the bound was copied. Or a
    /// sensitive input or reference has several values.
    pub(crate) fn push(
        &mut self,
        value: &Value,
        mut destination: Destination,
        plan: &Plan,
        facts: &dyn Facts,
    ) -> Result<(), Unrendered> {
        let parts = match value {
            Value::Literal(text) => {
                self.literals += text.len();
                self.values.push(None);
                return self.check(self.arena.len(), 0);
            }
            Value::Parts(parts) => parts,
        };
        let start = self.arena.len();
        let mut is_present = false;
        for part in parts {
            let (inputs, sensitive, at) = match part {
                Part::Literal(text) => {
                    self.check(start, text.len())?;
                    if destination == Destination::Url && text.contains(&b'?') {
                        destination = Destination::Query;
                    }
                    self.arena.extend_from_slice(text);
                    continue;
                }
                Part::Input(at) => (&plan.inputs, &plan.sensitive, usize::from(*at)),
                Part::Reference(at) => (
                    &plan.references,
                    &plan.sensitive_references,
                    usize::from(*at),
                ),
            };
            let Some(input) = inputs.get(at) else {
                continue;
            };
            if facts.is_secret(input) {
                self.secrets.push(self.values.len());
            }
            let encode = encoding(input, destination);
            let out = match encode {
                None => &mut self.arena,
                Some(_) => &mut self.plain,
            };
            let single = match sensitive.get(at) {
                Some(true) => facts.single(input, out),
                _ if facts.input(input, out) => Single::Present,
                _ => Single::Absent,
            };
            if let Some(encode) = encode {
                encode(&self.plain, &mut self.arena);
                self.plain.clear();
            }
            match single {
                Single::Absent => {}
                Single::Present => is_present = true,
                Single::Conflicting => {
                    return Err(Unrendered::BadInput(BadInput::Conflicting(input.clone())));
                }
            }
            self.check(start, 0)?;
        }
        self.values
            .push(is_present.then_some(start..self.arena.len()));
        Ok(())
    }

    /// The same, but a value that cannot be rendered is absent.
    ///
    /// # Errors
    /// Why it is absent. The next value may be pushed all the same.
    pub(crate) fn push_or_absent(
        &mut self,
        value: &Value,
        destination: Destination,
        plan: &Plan,
        facts: &dyn Facts,
    ) -> Result<(), Unrendered> {
        let (start, place) = (self.arena.len(), self.values.len());
        self.push(value, destination, plan, facts).inspect_err(|_| {
            self.arena.truncate(start);
            self.plain.clear();
            self.values.resize(place + 1, None);
        })
    }

    /// Checks that the value that begins at `start` has room for so many more bytes.
    fn check(&self, start: usize, more: usize) -> Result<(), Unrendered> {
        let len = self.arena.len() + more;
        if len - start > MAX_VALUE {
            Err(Unrendered::TooLarge(TooLarge::Value))
        } else if len + self.literals > MAX_VALUES {
            Err(Unrendered::TooLarge(TooLarge::Values))
        } else {
            Ok(())
        }
    }

    /// The value that was pushed at this place; none if it is absent.
    pub(crate) fn get<'a>(&'a self, place: usize, value: &'a Value) -> Option<&'a [u8]> {
        match value {
            Value::Literal(bytes) => Some(bytes),
            Value::Parts(_) => {
                let range = self.values.get(place)?.clone()?;
                self.arena.get(range)
            }
        }
    }

    /// Whether the value at this place contains a variable that was set to a secret. Of other
    /// secrets the plan tells.
    pub(crate) fn is_secret(&self, place: usize) -> bool {
        self.secrets.contains(&place)
    }

    /// The same as [`Self::get`], if it is a valid field value. A decoded query parameter can contain a line
    /// end, which must not get into a head.
    pub(crate) fn field<'a>(
        &'a self,
        place: usize,
        value: &'a Value,
    ) -> Result<Option<&'a [u8]>, Unfit> {
        match self.get(place, value) {
            Some(bytes) if !is_field_value(bytes) => Err(Unfit),
            bytes => Ok(bytes),
        }
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, most) = match self {
            Self::Value => ("a value", MAX_VALUE),
            Self::Values => ("values", MAX_VALUES),
        };
        write!(f, "{what} of more than {} KiB", most / 1024)
    }
}

/// Appends a value in its encoded form.
type Encode = fn(&[u8], &mut Vec<u8>);

/// How an input is encoded; `None` if it is written as it is, because it is such a thing as the
/// value becomes. In a path everything else is a part of a segment: what a client sends never
/// begins another one. In a query it is the value of a parameter.
fn encoding(input: &Input, destination: Destination) -> Option<Encode> {
    match (destination, input) {
        (Destination::Text, _)
        | (Destination::Path | Destination::Url, Input::Path | Input::OriginalPath)
        | (Destination::Query, Input::Query | Input::OriginalQuery | Input::RawQueryParameter(_)) => {
            None
        }
        (Destination::Path | Destination::Url, _) => Some(path::encode_segment),
        (Destination::Query, _) => Some(query::encode),
    }
}

/// A value is not valid where the verdict puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;

#[cfg(test)]
mod tests;
