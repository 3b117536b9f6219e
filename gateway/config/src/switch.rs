//! Features that `true` and `false` turn on and off, and values that `false`
//! leaves out.

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::diagnostic::Diagnostic;
use crate::reference::FieldDoc;
use crate::tree::{ToTree, Tree};
use crate::units::truth;

/// A feature with settings: `false`, `true` for the defaults, or the settings.
#[derive(Debug, Clone)]
pub enum Switch<T> {
    /// The feature is off.
    Off,
    /// The feature is on, with these settings.
    On(T),
}

impl<T> Switch<T> {
    /// The settings; none if the feature is off.
    pub fn on(&self) -> Option<&T> {
        match self {
            Self::Off => None,
            Self::On(settings) => Some(settings),
        }
    }
}

impl<T: Decode> Decode for Switch<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        let span = decoder.span(node);
        match node.get_ref() {
            DeValue::Boolean(false) => Some(Self::Off),
            // The settings are then at the position of `true`.
            DeValue::Boolean(true) => decoder.default("{}", span).map(Self::On),
            DeValue::String(text) => match truth(text) {
                Some(word) => decoder.refuse(
                    Diagnostic::error(span, "expected true or false, found a string")
                        .help(format!("write {word}, without quotes")),
                ),
                None => T::decode(node, decoder).map(Self::On),
            },
            _ => T::decode(node, decoder).map(Self::On),
        }
    }

    fn kind() -> String {
        format!("true, false, or {}", T::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(path, fields);
    }
}

/// Turning a feature on adds its settings, and turning it off removes them.
impl<T: ToTree> ToTree for Switch<T> {
    fn to_tree(&self) -> Tree {
        self.on().map_or(Tree::Absent, T::to_tree)
    }
}

/// A value, or `false` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrFalse<T> {
    /// There is none.
    False,
    /// This value.
    Value(T),
}

impl<T> OrFalse<T> {
    /// The value, if there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::False => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<T: Decode> Decode for OrFalse<T> {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Boolean(false) => Some(Self::False),
            DeValue::Boolean(true) => decoder.mismatch(node, &Self::kind()),
            _ => T::decode(node, decoder).map(Self::Value),
        }
    }

    fn kind() -> String {
        format!("{}, or false", T::kind())
    }

    fn describe(path: &str, fields: &mut Vec<FieldDoc>) {
        T::describe(path, fields);
    }
}

impl<T: ToTree> ToTree for OrFalse<T> {
    fn to_tree(&self) -> Tree {
        match self {
            Self::False => Tree::Value("false".to_owned()),
            Self::Value(value) => value.to_tree(),
        }
    }
}
