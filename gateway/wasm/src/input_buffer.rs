//! Collects the inputs of a call and checks that a policy can take them.

use std::fmt;
use std::io::Write as _;
use std::ops::Range;

use crate::input::{Facts, Input, Now, Phase, Single};
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

/// Why a request has no value of an input that a policy could take: it is answered 400. In the
/// phase `finished` the input is absent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadInput {
    /// The value is not UTF-8.
    NotUtf8(Input),
    /// The input is sensitive, and comes several times with different values: the upstream
    /// might take another one than the policy has checked.
    Conflicting(Input),
}

/// For the access log: without the value.
impl fmt::Display for BadInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8(input) => write!(f, "{input} is not UTF-8"),
            Self::Conflicting(input) => {
                write!(f, "{input} comes several times with different values")
            }
        }
    }
}

/// The inputs of a call as text. The buffers are reused for each call.
#[derive(Default)]
pub(crate) struct InputBuffer {
    text: Vec<u8>,
    ranges: Vec<Option<Range<usize>>>,
    /// In a box, because there hardly ever is one.
    lost: Option<Box<BadInput>>,
}

impl InputBuffer {
    /// Collects the inputs. An error is about the first one that a policy cannot take. A value
    /// of the response that is not UTF-8 is absent: the client has not sent it.
    ///
    /// In the phase `finished` every such value is absent, and [`Self::lost`] tells of it: the
    /// client has its response, and must not avoid what the policy counts.
    pub(crate) fn fill(
        &mut self,
        phase: Phase,
        plan: &Plan,
        facts: &dyn Facts,
        now: Now,
    ) -> Result<(), BadInput> {
        self.text.clear();
        self.ranges.clear();
        self.lost = None;
        for (input, &is_sensitive) in plan.inputs.iter().zip(&plan.sensitive) {
            let start = self.text.len();
            let is_present = if *input == Input::Now {
                // Writing to a Vec does not fail.
                write!(self.text, "{}", now.unix_seconds).is_ok()
            } else if is_sensitive {
                match facts.single(input, &mut self.text) {
                    Single::Absent => false,
                    Single::Present => true,
                    Single::Conflicting => {
                        self.lose(phase, start, BadInput::Conflicting(input.clone()))?;
                        continue;
                    }
                }
            } else {
                facts.input(input, &mut self.text)
            };
            let range = start..self.text.len();
            let is_text = self
                .text
                .get(range.clone())
                .is_some_and(|bytes| std::str::from_utf8(bytes).is_ok());
            if is_text {
                self.ranges.push(is_present.then_some(range));
            } else if input.is_known_in(Phase::Request) {
                self.lose(phase, start, BadInput::NotUtf8(input.clone()))?;
            } else {
                self.text.truncate(start);
                self.ranges.push(None);
            }
        }
        Ok(())
    }

    /// Makes the input absent that begins at `start`, if that is possible in this phase.
    fn lose(&mut self, phase: Phase, start: usize, bad: BadInput) -> Result<(), BadInput> {
        if phase != Phase::Finished {
            return Err(bad);
        }
        self.text.truncate(start);
        self.ranges.push(None);
        self.lost.get_or_insert_with(|| Box::new(bad));
        Ok(())
    }

    /// Why an input is absent although the exchange has it.
    pub(crate) fn lost(&self) -> Option<&BadInput> {
        self.lost.as_deref()
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

        fn client(&self) -> crate::client::ClientKey {
            crate::client::ClientKey::default()
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
        inputs
            .fill(Phase::Request, &plan, &Long(1_000), now)
            .unwrap();
        inputs.shrink();
        assert!(inputs.text.capacity() >= 1_000);
        inputs
            .fill(Phase::Request, &plan, &Long(KEPT + 1), now)
            .unwrap();
        inputs.shrink();
        assert_eq!(inputs.text.capacity(), 0);
    }
}
