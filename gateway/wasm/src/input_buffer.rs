//! Collects the inputs of a call and checks that they are UTF-8.

use std::io::Write as _;
use std::ops::Range;

use crate::input::{Facts, Input, Now};
use crate::plan::{MAX_INPUTS, Plan};

/// A buffer with more capacity than this is given back after use: hardly any request needs
/// it, and there are several for each policy and worker.
const KEPT: usize = 64 * 1024;

/// Frees the memory of a buffer that is unusually large.
pub(crate) fn shrink(buffer: &mut Vec<u8>) {
    if buffer.capacity() > KEPT {
        *buffer = Vec::new();
    }
}

/// The inputs of a call as text. The buffers are reused for each call.
#[derive(Default)]
pub(crate) struct InputBuffer {
    text: Vec<u8>,
    ranges: Vec<Option<Range<usize>>>,
}

impl InputBuffer {
    /// Collects the inputs. An error is the first input that is not UTF-8.
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

    /// Frees the memory that unusually large inputs took.
    pub(crate) fn shrink(&mut self) {
        shrink(&mut self.text);
    }

    /// Calls `then` with the inputs, in an array on the stack.
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Long(usize);

    impl Facts for Long {
        fn input(&self, _: &Input, out: &mut Vec<u8>) -> bool {
            out.resize(out.len() + self.0, b'a');
            true
        }
    }

    #[test]
    fn unusually_large_inputs_leave_no_memory_behind() {
        let plan = Plan::new(vec![Input::Path], Vec::new(), &[]).unwrap();
        let now = Now {
            monotonic_ms: 0,
            unix_seconds: 0,
        };
        let mut inputs = InputBuffer::default();
        inputs.fill(&plan, &Long(1_000), now).unwrap();
        inputs.shrink();
        assert!(inputs.text.capacity() >= 1_000);
        inputs.fill(&plan, &Long(KEPT + 1), now).unwrap();
        inputs.shrink();
        assert_eq!(inputs.text.capacity(), 0);
    }
}
