//! The inputs of a call, collected and checked to be text.

use std::io::Write as _;
use std::ops::Range;

use crate::input::{Facts, Input, Now};
use crate::plan::{MAX_INPUTS, Plan};

/// The inputs of a call, as text. Used again for each.
#[derive(Default)]
pub(crate) struct InputBuffer {
    text: Vec<u8>,
    ranges: Vec<Option<Range<usize>>>,
}

impl InputBuffer {
    /// Collects the inputs. An error is the one that is not UTF-8.
    pub(crate) fn fill(&mut self, plan: &Plan, facts: &dyn Facts, now: Now) -> Result<(), Input> {
        self.text.clear();
        self.ranges.clear();
        for input in &plan.inputs {
            let start = self.text.len();
            let present = if *input == Input::Now {
                // Writing to a Vec does not fail.
                write!(self.text, "{}", now.unix_seconds).is_ok()
            } else {
                facts.input(input, &mut self.text)
            };
            let range = start..self.text.len();
            let valid = self
                .text
                .get(range.clone())
                .is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
            if !valid {
                return Err(input.clone());
            }
            self.ranges.push(present.then_some(range));
        }
        Ok(())
    }

    /// The inputs, in an array on the stack.
    pub(crate) fn with<R>(&self, then: impl FnOnce(&[Option<&str>]) -> R) -> R {
        let mut inputs: [Option<&str>; MAX_INPUTS] = [None; MAX_INPUTS];
        for (input, range) in inputs.iter_mut().zip(&self.ranges) {
            *input = range
                .clone()
                .and_then(|range| std::str::from_utf8(self.text.get(range)?).ok());
        }
        then(inputs.get(..self.ranges.len()).unwrap_or_default())
    }
}
