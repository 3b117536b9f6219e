//! Renders the values of a verdict, which consist of literals, inputs and references.
//!
//! All values of a verdict are rendered before any of its edits is made, so that an input
//! has the value that it had when the policy was asked.

use std::ops::Range;

use janua_http::fields::is_field_value;
use janua_wasm::{Facts, Part, Plan, Value};

/// Rendered values, in memory that is reused.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    arena: Vec<u8>,
    values: Vec<Option<Range<usize>>>,
}

impl Rendered {
    /// Removes all values, and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.values.clear();
    }

    /// Renders one more value. A literal is not copied: [`Self::get`] takes it from the value
    /// itself.
    pub(crate) fn push(&mut self, value: &Value, plan: &Plan, facts: &dyn Facts) {
        let Value::Parts(parts) = value else {
            self.values.push(None);
            return;
        };
        let start = self.arena.len();
        let mut is_present = false;
        for part in parts {
            let input = match part {
                Part::Literal(text) => {
                    self.arena.extend_from_slice(text);
                    continue;
                }
                Part::Input(at) => plan.inputs.get(usize::from(*at)),
                Part::Reference(at) => plan.references.get(usize::from(*at)),
            };
            is_present |= input.is_some_and(|input| facts.input(input, &mut self.arena));
        }
        self.values
            .push(is_present.then_some(start..self.arena.len()));
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

    /// The same, if it is a valid field value. A decoded query parameter can contain a line
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

/// A value is not valid where the verdict puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;
