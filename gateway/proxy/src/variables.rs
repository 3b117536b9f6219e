//! The variables that policies set on an exchange.

use janua_http::Failure;
use janua_http::failure::Kind;
use janua_wasm::{Edit, Verdict};

use crate::render::Rendered;

/// The longest value of a variable, in bytes (`wit/verdicts.wit`).
const MAX_VALUE: usize = 1024;

/// The variables of one exchange.
#[derive(Clone, Debug, Default)]
pub(crate) struct Variables(Vec<Variable>);

/// A variable and its value.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    /// As `policy.name`.
    pub(crate) name: Box<str>,
    pub(crate) value: Box<[u8]>,
    /// Its value is a secret, which is not logged.
    pub(crate) is_secret: bool,
}

impl Variables {
    /// The value of the variable with this name, as `policy.name`.
    pub(crate) fn get(&self, name: &str) -> Option<&[u8]> {
        let found = self.0.iter().find(|variable| *variable.name == *name);
        found.map(|variable| &*variable.value)
    }

    /// Whether the variable with this name has a value that is a secret.
    pub(crate) fn is_secret(&self, name: &str) -> bool {
        let found = self.0.iter().find(|variable| *variable.name == *name);
        found.is_some_and(|variable| variable.is_secret)
    }

    /// All variables that may be logged.
    pub(crate) fn logged(&self) -> impl Iterator<Item = &Variable> {
        self.0.iter().filter(|variable| !variable.is_secret)
    }

    /// Sets what a verdict of this policy sets. What is made of a secret is one, through however
    /// many variables.
    ///
    /// # Errors
    /// A value is too long.
    pub(crate) fn edit(
        &mut self,
        policy: &str,
        verdict: &Verdict,
        rendered: &Rendered,
    ) -> Result<(), Failure> {
        let mut place = 0;
        for edit in &verdict.edits {
            if let Edit::SetVariable {
                name,
                value,
                is_secret,
            } = edit
            {
                let name = format!("{policy}.{name}");
                let is_secret = *is_secret || rendered.is_secret(place);
                self.set(name, rendered.get(place, value), is_secret)?;
            }
            place += usize::from(edit.value().is_some());
        }
        Ok(())
    }

    /// Sets a variable, as `policy.name`, or removes it.
    ///
    /// # Errors
    /// The value is too long.
    pub(crate) fn set(
        &mut self,
        name: String,
        value: Option<&[u8]>,
        is_secret: bool,
    ) -> Result<(), Failure> {
        let name = name.into_boxed_str();
        let known = self.0.iter().position(|variable| variable.name == name);
        let Some(value) = value else {
            if let Some(known) = known {
                self.0.remove(known);
            }
            return Ok(());
        };
        if value.len() > MAX_VALUE {
            return Err(Failure::with(
                Kind::PolicyInput,
                format!("the variable {name} would have more than {MAX_VALUE} bytes"),
            ));
        }
        let variable = Variable {
            name,
            value: value.into(),
            is_secret,
        };
        match known.and_then(|known| self.0.get_mut(known)) {
            Some(known) => *known = variable,
            None => self.0.push(variable),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_set_replaced_and_removed() {
        let mut variables = Variables::default();
        let mut set = |value, is_secret| {
            variables
                .set("jwt.sub".to_owned(), value, is_secret)
                .unwrap();
            (
                variables.get("jwt.sub").map(<[u8]>::to_vec),
                variables.logged().count(),
            )
        };
        assert_eq!(set(Some(b"1"), false), (Some(b"1".to_vec()), 1));
        assert_eq!(set(Some(b""), true), (Some(Vec::new()), 0));
        assert_eq!(set(None, false), (None, 0));
        assert_eq!(set(None, false), (None, 0));
        assert!(variables.get("jwt").is_none());
    }

    #[test]
    fn a_value_has_a_bound() {
        let mut variables = Variables::default();
        let mut set = |length| {
            let value = vec![b'a'; length];
            variables.set("a.b".to_owned(), Some(&value), false)
        };
        assert!(set(MAX_VALUE).is_ok());
        assert!(set(MAX_VALUE + 1).is_err());
    }
}
