//! Cases that are younger than this version of the contract. A gateway that does not
//! know one refuses it by its name.

use std::marker::PhantomData;

use crate::bindings::janua::policy::subscriptions::Input;
use crate::bindings::janua::policy::values::{
    self, Argument, Constant, ConstantArgument, NamedArgument,
};
use crate::{Reply, Value};

/// An edit, an effect or an outcome in phase `P`, with its arguments by name.
///
/// ```
/// # use janua_sdk::{Named, Request};
/// Named::<Request>::new("mirror").text("upstream", "shadow").number("percent", 5);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Named<P> {
    named: values::Named,
    kind: PhantomData<P>,
}

impl<P> Named<P> {
    /// A case without arguments.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            named: values::Named {
                name: name.to_owned(),
                arguments: Vec::new(),
            },
            kind: PhantomData,
        }
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        self.with(name, Argument::Text(text.to_owned()))
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, name: &str, number: i64) -> Self {
        self.with(name, Argument::Number(number))
    }

    /// Adds a yes or no.
    #[must_use]
    pub fn flag(self, name: &str, flag: bool) -> Self {
        self.with(name, Argument::Flag(flag))
    }

    /// Adds a list of texts.
    #[must_use]
    pub fn texts(self, name: &str, texts: &[&str]) -> Self {
        self.with(name, Argument::Texts(owned(texts)))
    }

    /// Adds a value.
    #[must_use]
    pub fn value(self, name: &str, value: impl Into<Value<P>>) -> Self {
        self.with(name, Argument::Value(value.into().into_parts()))
    }

    /// Adds a list of values.
    #[must_use]
    pub fn values(self, name: &str, values: Vec<Value<P>>) -> Self {
        let values = values.into_iter().map(Value::into_parts);
        self.with(name, Argument::Values(values.collect()))
    }

    /// Adds a response.
    #[must_use]
    pub fn reply(self, name: &str, reply: Reply<P>) -> Self {
        self.with(name, Argument::Reply(reply.into_contract()))
    }

    fn with(mut self, name: &str, value: Argument) -> Self {
        self.named.arguments.push(NamedArgument {
            name: name.to_owned(),
            value,
        });
        self
    }

    /// Converts it to the type of the contract.
    #[must_use]
    pub fn into_contract(self) -> values::Named {
        self.named
    }
}

/// An input, a part of a value, a rule of reuse, or a declaration, with its arguments by
/// name. They cannot depend on a request.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedConstant(values::NamedConstant);

impl NamedConstant {
    /// A case without arguments.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(values::NamedConstant {
            name: name.to_owned(),
            arguments: Vec::new(),
        })
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, name: &str, text: &str) -> Self {
        self.with(name, Constant::Text(text.to_owned()))
    }

    /// Adds a number.
    #[must_use]
    pub fn number(self, name: &str, number: i64) -> Self {
        self.with(name, Constant::Number(number))
    }

    /// Adds a yes or no.
    #[must_use]
    pub fn flag(self, name: &str, flag: bool) -> Self {
        self.with(name, Constant::Flag(flag))
    }

    /// Adds a list of texts.
    #[must_use]
    pub fn texts(self, name: &str, texts: &[&str]) -> Self {
        self.with(name, Constant::Texts(owned(texts)))
    }

    fn with(mut self, name: &str, value: Constant) -> Self {
        self.0.arguments.push(ConstantArgument {
            name: name.to_owned(),
            value,
        });
        self
    }

    /// Converts it to the type of the contract, as [`crate::Description`] needs it.
    #[must_use]
    pub fn into_contract(self) -> values::NamedConstant {
        self.0
    }
}

impl From<NamedConstant> for Input {
    fn from(named: NamedConstant) -> Self {
        Self::Named(named.0)
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}
