//! Renders the values of a verdict, which consist of literals, inputs and references.
//!
//! All values of a verdict are rendered before any of its edits is made, so that an input
//! has the value that it had when the policy was asked.

use std::fmt;
use std::ops::Range;

use janua_http::fields::is_field_value;
use janua_wasm::{Facts, Part, Plan, Value};

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
    /// The size of the literals, which are not in the arena.
    literals: usize,
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
        self.literals = 0;
    }

    /// Frees the memory that an unusually large verdict took.
    pub(crate) fn shrink(&mut self) {
        if self.arena.capacity() > KEPT {
            *self = Self::default();
        }
    }

    /// Renders one more value. A literal is not copied: [`Self::get`] takes it from the value
    /// itself.
    ///
    /// # Errors
    /// The value is too large. Then no more than one input beyond the bound was copied.
    pub(crate) fn push(
        &mut self,
        value: &Value,
        plan: &Plan,
        facts: &dyn Facts,
    ) -> Result<(), TooLarge> {
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
            let input = match part {
                Part::Literal(text) => {
                    self.check(start, text.len())?;
                    self.arena.extend_from_slice(text);
                    continue;
                }
                Part::Input(at) => plan.inputs.get(usize::from(*at)),
                Part::Reference(at) => plan.references.get(usize::from(*at)),
            };
            is_present |= input.is_some_and(|input| facts.input(input, &mut self.arena));
            self.check(start, 0)?;
        }
        self.values
            .push(is_present.then_some(start..self.arena.len()));
        Ok(())
    }

    /// Checks that the value that begins at `start` has room for so many more bytes.
    fn check(&self, start: usize, more: usize) -> Result<(), TooLarge> {
        let len = self.arena.len() + more;
        if len - start > MAX_VALUE {
            Err(TooLarge::Value)
        } else if len + self.literals > MAX_VALUES {
            Err(TooLarge::Values)
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

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, most) = match self {
            Self::Value => ("a value", MAX_VALUE),
            Self::Values => ("values", MAX_VALUES),
        };
        write!(f, "{what} of more than {} KiB", most / 1024)
    }
}

/// A value is not valid where the verdict puts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unfit;

#[cfg(test)]
mod tests {
    use janua_wasm::Input;

    use super::*;

    /// Every input has this many bytes.
    struct Long(usize);

    impl Facts for Long {
        fn input(&self, _: &Input, out: &mut Vec<u8>) -> bool {
            out.resize(out.len() + self.0, b'a');
            true
        }
    }

    fn plan() -> Plan {
        Plan::new(vec![Input::Path], Vec::new(), &[]).unwrap()
    }

    /// An input so many times.
    fn repeated(times: usize) -> Value {
        Value::Parts(vec![Part::Input(0); times].into())
    }

    fn render(values: &[Value], facts: &Long) -> (Result<(), TooLarge>, Rendered) {
        let mut rendered = Rendered::default();
        let mut values = values.iter();
        let result = values.try_for_each(|value| rendered.push(value, &plan(), facts));
        (result, rendered)
    }

    #[test]
    fn a_verdict_is_rendered_within_bounds() {
        let literal = |len| Value::Literal(vec![b'a'; len].into());
        let within = |len| vec![repeated(len / 1024)];
        let table = [
            (within(MAX_VALUE), Ok(())),
            (within(MAX_VALUE + 1024), Err(TooLarge::Value)),
            (vec![repeated(64); 4], Ok(())),
            (vec![repeated(51); 6], Err(TooLarge::Values)),
            (vec![repeated(1); 256], Ok(())),
            (vec![repeated(1); 257], Err(TooLarge::Values)),
            (vec![literal(8 * 1024); 32], Ok(())),
            (vec![literal(8 * 1024); 33], Err(TooLarge::Values)),
            (
                vec![literal(MAX_VALUES), repeated(1)],
                Err(TooLarge::Values),
            ),
        ];
        for (values, expected) in table {
            assert_eq!(render(&values, &Long(1024)).0, expected, "{}", values.len());
        }
    }

    /// What the largest verdict of the contract makes of a field of 30 KB would be 491 MB.
    #[test]
    fn the_bound_is_checked_before_memory_is_taken() {
        let (result, mut rendered) = render(&vec![repeated(64); 256], &Long(30_000));
        assert_eq!(result, Err(TooLarge::Value));
        assert!(rendered.arena.capacity() <= 2 * (MAX_VALUE + 30_000));
        rendered.shrink();
        assert_eq!(rendered.arena.capacity(), 0);
    }

    #[test]
    fn memory_of_usual_size_is_kept() {
        let (result, mut rendered) = render(&[repeated(3)], &Long(1024));
        assert_eq!(result, Ok(()));
        rendered.shrink();
        rendered.clear();
        assert!(rendered.arena.capacity() >= 3 * 1024);
    }
}
