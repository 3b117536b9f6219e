//! Checked subscriptions: a plan for each phase that a policy subscribes to.

use crate::configure_error::ConfigureError;
use crate::convert::{RawPhase, RawSubscription};
use crate::input::{Input, Phase};

/// The largest number of inputs, and of references, in one phase (`wit/types.wit`).
pub(crate) const MAX_INPUTS: usize = 32;

/// The inputs and references of a policy in one phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The inputs that are passed to the policy, in this order.
    pub inputs: Vec<Input>,
    /// The inputs that values may refer to. They are not passed to the policy.
    pub references: Vec<Input>,
    /// Whether the input at the same position is sensitive: declared so by the policy,
    /// or a credential.
    pub sensitive: Vec<bool>,
    /// Whether the reference at the same position is sensitive: a credential, or the same as
    /// a sensitive input.
    pub sensitive_references: Vec<bool>,
}

impl Plan {
    /// Checks the lists of a subscription. `sensitive` are positions in `inputs`.
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
        let is_secret_input = |input| {
            let mut inputs = inputs.iter().zip(&secret);
            inputs.any(|(other, is_secret)| *is_secret && other == input)
        };
        Ok(Self {
            sensitive_references: references
                .iter()
                .map(|input| input.is_credential() || is_secret_input(input))
                .collect(),
            inputs,
            references,
            sensitive: secret,
        })
    }

    /// Whether the memo key is empty, so that all requests have the same verdict.
    pub fn is_constant(&self) -> bool {
        self.inputs.iter().all(|input| *input == Input::Now)
    }
}

/// The plans of all phases.
#[derive(Debug)]
pub(crate) struct Plans {
    request: Option<Plan>,
    fetched: Option<Plan>,
    missing: Option<Plan>,
    response: Option<Plan>,
}

impl Plans {
    pub(crate) fn new(subscription: &RawSubscription) -> Result<Self, ConfigureError> {
        Ok(Self {
            request: plan(Phase::Request, subscription.request.as_ref())?,
            fetched: plan(Phase::Fetched, subscription.fetched.as_ref())?,
            missing: plan(Phase::Missing, subscription.missing.as_ref())?,
            response: plan(Phase::Response, subscription.response.as_ref())?,
        })
    }

    #[inline]
    pub(crate) fn of(&self, phase: Phase) -> Option<&Plan> {
        match phase {
            Phase::Request => self.request.as_ref(),
            Phase::Fetched => self.fetched.as_ref(),
            Phase::Missing => self.missing.as_ref(),
            Phase::Response => self.response.as_ref(),
        }
    }
}

fn plan(phase: Phase, raw: Option<&RawPhase>) -> Result<Option<Plan>, ConfigureError> {
    let Some(raw) = raw else {
        return Ok(None);
    };
    for input in raw.inputs.iter().chain(&raw.references) {
        if !input.is_provided() {
            return Err(ConfigureError::NotSupported(format!("the input `{input}`")));
        }
        if !input.is_known_in(phase) {
            let why = match phase {
                Phase::Request => "when there is no response yet",
                _ => "and it is known in the phase `response` only",
            };
            return Err(ConfigureError::Failed(format!(
                "it asks for `{input}` in the phase `{}`, {why}",
                phase.name()
            )));
        }
    }
    Plan::new(raw.inputs.clone(), raw.references.clone(), &raw.sensitive)
        .map(Some)
        .map_err(ConfigureError::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_as_sensitive_as_the_input() {
        let field = |name: &str| Input::Header(name.into());
        let references = vec![field("x-key"), field("x-other"), field("authorization")];
        let plan = Plan::new(vec![field("x-other"), field("x-key")], references, &[1]).unwrap();
        assert_eq!(plan.sensitive_references, [true, false, true]);
    }

    /// A plan with an input or a reference that has no value in its phase is refused.
    #[test]
    fn inputs_belong_to_phases() {
        let of_response = [Phase::Fetched, Phase::Missing, Phase::Response];
        let table: [(Input, &[Phase]); 6] = [
            (Input::Path, &Phase::ALL),
            (Input::Status, &of_response),
            (Input::ResponseHeader("vary".into()), &of_response),
            (Input::ResponseHeaderPresent("vary".into()), &of_response),
            (Input::AnsweredBy, &[Phase::Response]),
            (Input::BodyText(1), &[]),
        ];
        for (input, phases) in table {
            for phase in Phase::ALL {
                let asked = RawPhase {
                    inputs: Vec::new(),
                    references: vec![input.clone()],
                    sensitive: Vec::new(),
                };
                let known = plan(phase, Some(&asked)).is_ok();
                assert_eq!(known, phases.contains(&phase), "{input} in {phase:?}");
            }
        }
    }
}
