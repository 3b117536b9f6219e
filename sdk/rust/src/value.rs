//! Values, which the gateway assembles from literals, inputs and references.

use std::marker::PhantomData;

use crate::NamedConstant;
use crate::bindings::janua::policy::values::Part;
use crate::input::{Reference, Slot};

/// A value in phase `P`: a text, a slot, a reference, or several of them in order (see
/// [`value!`](crate::value)).
///
/// The value is absent if it contains slots or references and all of them are absent.
/// Otherwise an absent one is empty.
#[derive(Clone, Debug, PartialEq)]
pub struct Value<P> {
    parts: Vec<Part>,
    kind: PhantomData<P>,
}

impl<P> Value<P> {
    /// The empty value.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            parts: Vec::new(),
            kind: PhantomData,
        }
    }

    /// Appends another value.
    #[must_use]
    pub fn then(mut self, more: impl Into<Self>) -> Self {
        self.parts.extend(more.into().parts);
        self
    }

    pub(crate) fn into_parts(self) -> Vec<Part> {
        self.parts
    }

    fn of(part: Part) -> Self {
        Self {
            parts: vec![part],
            kind: PhantomData,
        }
    }
}

impl<P> Default for Value<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P> From<&str> for Value<P> {
    fn from(text: &str) -> Self {
        Self::of(Part::Literal(text.to_owned()))
    }
}

impl<P> From<String> for Value<P> {
    fn from(text: String) -> Self {
        Self::of(Part::Literal(text))
    }
}

impl<P> From<&String> for Value<P> {
    fn from(text: &String) -> Self {
        Self::of(Part::Literal(text.clone()))
    }
}

impl<P, R> From<Slot<P, R>> for Value<P> {
    fn from(slot: Slot<P, R>) -> Self {
        Self::of(Part::Input(slot.position))
    }
}

impl<P> From<Reference<P>> for Value<P> {
    fn from(reference: Reference<P>) -> Self {
        Self::of(Part::Reference(reference.position))
    }
}

/// A part that is younger than this version of the contract.
impl<P> From<NamedConstant> for Value<P> {
    fn from(named: NamedConstant) -> Self {
        Self::of(Part::Named(named.into_contract()))
    }
}

impl<P: Clone> From<&Value<P>> for Value<P> {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

/// A [`Value`] of several parts: `value!["https://", self.host, self.path]`.
#[macro_export]
macro_rules! value {
    ($($part:expr),* $(,)?) => {
        $crate::Value::new()$(.then($part))*
    };
}
