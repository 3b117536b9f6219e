//! A policy's declaration for one phase, checked: what it is told, and what its verdicts
//! may do.

use crate::input::Input;
use crate::permission::{FieldPattern, Permission, Readable};
use crate::verdict::{Part, Value};

/// The largest number of inputs, and of references, in one phase
/// (`wit/subscriptions.wit`).
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
    pub(crate) may: May,
}

/// What the verdicts of a phase may do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct May(Vec<Permission>);

impl Plan {
    /// Checks the lists of a phase. `sensitive` are positions in `inputs`. The verdicts of
    /// this plan may do nothing yet.
    ///
    /// # Errors
    /// Too many inputs, or a position without one.
    pub fn new(
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
        let parts = inputs.iter().zip(&secret);
        let parts: Vec<Readable> = parts
            .filter(|(_, is_secret)| **is_secret)
            .filter_map(|(input, _)| input.readable())
            .collect();
        // Another form of a secret is one too, and so is the query that contains it.
        let tells = |input: &Input| {
            let readable = input.readable();
            readable.is_some_and(|readable| parts.iter().any(|part| part.shares(&readable)))
        };
        let sensitive = inputs.iter().zip(&secret);
        Ok(Self {
            sensitive_references: references
                .iter()
                .map(|input| input.is_credential() || tells(input))
                .collect(),
            sensitive: sensitive
                .map(|(input, is_secret)| *is_secret || tells(input))
                .collect(),
            inputs,
            references,
            may: May::default(),
        })
    }

    /// Whether the memo key is empty, so that all requests have the same verdict.
    pub fn is_constant(&self) -> bool {
        self.inputs.iter().all(|input| *input == Input::Now)
    }

    /// Whether a verdict may change the response that is delivered, wherever it comes from.
    pub fn edits_responses(&self) -> bool {
        self.may.0.iter().any(|permission| {
            matches!(
                permission,
                Permission::EditResponseHeader(_) | Permission::SetStatus
            )
        })
    }

    /// Whether a verdict may change the head of the request.
    pub(crate) fn edits_requests(&self) -> bool {
        self.may.0.iter().any(|permission| {
            matches!(
                permission,
                Permission::EditHeader(_) | Permission::SetPath | Permission::SetQuery
            )
        })
    }

    /// Whether a verdict may answer instead of the target.
    pub fn responds(&self) -> bool {
        self.may.has(&Permission::Respond)
            || self.may.0.iter().any(|permission| {
                matches!(
                    permission,
                    Permission::Effect("take" | "concurrency" | "verify")
                )
            })
    }

    /// The inputs and references that are secrets of this policy.
    pub fn secrets(&self) -> impl Iterator<Item = &Input> {
        let declared = self.inputs.iter().zip(&self.sensitive);
        let declared = declared
            .filter(|(_, sensitive)| **sensitive)
            .map(|(input, _)| input);
        declared.chain(self.references.iter().filter(|input| input.is_credential()))
    }

    /// Whether a value contains a secret of this policy, which must not be logged.
    pub fn has_secret(&self, value: &Value) -> bool {
        let Value::Parts(parts) = value else {
            return false;
        };
        parts.iter().any(|part| {
            let sensitive = match part {
                Part::Literal(_) => None,
                Part::Input(at) => self.sensitive.get(usize::from(*at)),
                Part::Reference(at) => self.sensitive_references.get(usize::from(*at)),
            };
            sensitive == Some(&true)
        })
    }
}

impl May {
    pub(crate) fn new(permissions: Vec<Permission>) -> Self {
        Self(permissions)
    }

    pub(crate) fn permissions(&self) -> &[Permission] {
        &self.0
    }

    pub(crate) fn has(&self, wanted: &Permission) -> bool {
        self.0.contains(wanted)
    }

    /// Whether the field of the request may be edited.
    pub(crate) fn edits_header(&self, name: &str) -> bool {
        self.edits(name, |permission| match permission {
            Permission::EditHeader(field) => Some(field),
            _ => None,
        })
    }

    /// Whether the field of the response may be edited.
    pub(crate) fn edits_response_header(&self, name: &str) -> bool {
        self.edits(name, |permission| match permission {
            Permission::EditResponseHeader(field) => Some(field),
            _ => None,
        })
    }

    fn edits(&self, name: &str, field: impl Fn(&Permission) -> Option<&FieldPattern>) -> bool {
        let mut fields = self.0.iter().filter_map(field);
        fields.any(|field| field.matches(name))
    }
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

    #[test]
    fn another_form_of_a_secret_is_one_too() {
        let parameter = Input::QueryParameter("key".into());
        for (declared, other, is_secret) in [
            (
                Input::Header("x".into()),
                Input::HeaderBase64("x".into()),
                true,
            ),
            (
                Input::Header("x".into()),
                Input::HeaderBase64("y".into()),
                false,
            ),
            (
                parameter.clone(),
                Input::RawQueryParameter("key".into()),
                true,
            ),
            (
                parameter.clone(),
                Input::QueryParameter("other".into()),
                false,
            ),
            (parameter.clone(), Input::Query, true),
            (parameter.clone(), Input::OriginalQuery, true),
            (Input::Query, parameter, true),
        ] {
            let inputs = vec![declared, other.clone()];
            let plan = Plan::new(inputs, vec![other.clone()], &[0]).unwrap();
            assert_eq!(plan.sensitive, [true, is_secret], "{other}");
            assert_eq!(plan.sensitive_references, [is_secret], "{other}");
        }
    }
}
