//! Errors of a configuration, with the path to the field.

use std::fmt::{self, Display};

use serde::de::{Expected, Unexpected};

use crate::syntax::nearest;

/// A message, and the path to the field. The path is empty for the whole document.
#[derive(Debug)]
pub(crate) struct Error {
    path: String,
    message: String,
}

impl Error {
    fn new(message: String) -> Self {
        Self {
            path: String::new(),
            message,
        }
    }

    /// Prepends the field `name` to the path.
    pub(crate) fn inside(mut self, name: &str) -> Self {
        if !self.path.is_empty() && !self.path.starts_with('[') {
            self.path.insert(0, '.');
        }
        self.path.insert_str(0, name);
        self
    }

    /// Prepends the index of a list entry, counted from 0, to the path.
    pub(crate) fn at(self, index: usize) -> Self {
        self.inside(&["[", &index.to_string(), "]"].concat())
    }
}

impl std::error::Error for Error {}

impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "`{}`: ", self.path)?;
        }
        f.write_str(&self.message)
    }
}

impl serde::de::Error for Error {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }

    /// Replaces serde's message, which prints the value: that adds 18 KB for
    /// floating-point numbers, and the text may be a secret.
    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let found = match found {
            Unexpected::Bool(_) => "a boolean",
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => "a whole number",
            Unexpected::Float(_) => "a number with a fraction",
            Unexpected::Str(_) => "a string",
            Unexpected::Unit | Unexpected::Option => "nothing",
            Unexpected::Seq => "a list",
            Unexpected::Map => "a table",
            _ => "something else",
        };
        mismatch(&found, expected)
    }

    /// The type is right, but the value is out of range.
    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        match found {
            Unexpected::Unsigned(number) => mismatch(&number, expected),
            Unexpected::Signed(number) => mismatch(&number, expected),
            other => Self::invalid_type(other, expected),
        }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        unknown("field", field, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        unknown("value", variant, expected)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(["missing field `", field, "`"].concat())
    }
}

/// Replaces Rust's names of types by those of TOML.
fn mismatch(found: &dyn Display, expected: &dyn Expected) -> Error {
    let expected = match expected.to_string() {
        rust if rust == "a map" || rust.starts_with("struct ") => "a table".to_owned(),
        rust if rust == "a sequence" => "a list".to_owned(),
        rust => integer(&rust).map_or_else(|| rust.clone(), str::to_owned),
    };
    Error::new(format!("expected {expected}, found {found}"))
}

/// The description of an integer type of Rust.
fn integer(rust: &str) -> Option<&'static str> {
    Some(match rust {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" => "a whole number from 0 to 4294967295",
        "u64" | "u128" | "usize" => "a whole number from 0",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        _ => return None,
    })
}

fn unknown(what: &str, name: &str, expected: &[&str]) -> Error {
    let hint = match nearest(name, expected) {
        Some(nearest) => ["; did you mean `", nearest, "`?"].concat(),
        None if expected.is_empty() => "; there is none".to_owned(),
        None => ["; there are ", &expected.join(", ")].concat(),
    };
    Error::new(["unknown ", what, " `", name, "`", &hint].concat())
}
