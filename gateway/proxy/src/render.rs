//! Works out the values of a verdict: literals, and parts that point at
//! inputs or references.
//!
//! All values of one verdict are worked out before any of its edits is
//! carried out, so that an input means what it was when the policy was asked.

use std::ops::Range;

use janua_http::fields::is_field_value;
use janua_wasm::{Facts, Part, Plan, Value};

/// Worked-out values, in memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct Rendered {
    arena: Vec<u8>,
    values: Vec<Option<Range<usize>>>,
}

impl Rendered {
    /// Forgets all values and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.arena.clear();
        self.values.clear();
    }

    /// Works out one more value. A literal is not copied: see [`Self::get`].
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

    /// The value that was pushed at this place; `None` if it is absent.
    pub(crate) fn get<'a>(&'a self, place: usize, value: &'a Value) -> Option<&'a [u8]> {
        match value {
            Value::Literal(bytes) => Some(bytes),
            Value::Parts(_) => {
                let range = self.values.get(place)?.clone()?;
                self.arena.get(range)
            }
        }
    }

    /// The same, checked to be fit for a field: a decoded query parameter can
    /// hold a line end, which a policy never gets to put into a head.
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

/// A value that cannot stand where the verdict puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;
