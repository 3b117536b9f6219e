//! A subscription, compiled for one phase.

use crate::input::Input;

/// The most inputs and the most references of one phase (`wit/types.wit`).
pub(crate) const MAX_INPUTS: usize = 32;

/// What a policy asks for in one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Handed over in this order.
    pub inputs: Vec<Input>,
    /// Only pointed at.
    pub references: Vec<Input>,
    /// Whether the input at the same position is a secret: declared so, or a
    /// credential by nature.
    pub sensitive: Vec<bool>,
}

impl Plan {
    /// Compiles the lists of a subscription. `sensitive` are positions in
    /// `inputs`. An error is a sentence about the policy.
    pub(crate) fn new(
        inputs: Vec<Input>,
        references: Vec<Input>,
        sensitive: &[u32],
    ) -> Result<Self, String> {
        if inputs.len() > MAX_INPUTS || references.len() > MAX_INPUTS {
            return Err(format!(
                "a phase may have at most {MAX_INPUTS} inputs and {MAX_INPUTS} references, and this one has {} and {}",
                inputs.len(),
                references.len()
            ));
        }
        let mut secret: Vec<bool> = inputs.iter().map(Input::is_credential).collect();
        for &position in sensitive {
            match usize::try_from(position)
                .ok()
                .and_then(|at| secret.get_mut(at))
            {
                Some(flag) => *flag = true,
                None => {
                    return Err(format!(
                        "`sensitive` points at input {position}, and there are {}",
                        inputs.len()
                    ));
                }
            }
        }
        Ok(Self {
            inputs,
            references,
            sensitive: secret,
        })
    }

    /// Whether the memo key is empty: one verdict serves every request.
    pub fn is_constant(&self) -> bool {
        self.inputs.iter().all(|input| *input == Input::Now)
    }
}
