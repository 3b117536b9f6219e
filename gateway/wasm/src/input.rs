//! The inputs of policies, independent of the contract's version.

use std::fmt;

use crate::client::ClientKey;

mod phase;
mod row;
mod table;

pub use phase::Phase;
pub(crate) use table::for_each_input;

use row::Row;

/// The type of an input's argument, written in parentheses behind its name.
macro_rules! argument_type {
    (limit) => { u32 };
    (field) => { Box<str> };
    (name) => { Box<str> };
}

/// The argument of an input, to which `$value` is bound.
macro_rules! argument {
    () => {
        Argument::None
    };
    (limit $value:ident) => {
        Argument::Limit(*$value)
    };
    (field $value:ident) => {
        Argument::Name($value)
    };
    (name $value:ident) => {
        Argument::Name($value)
    };
}

/// Defines the enum and the look-up of its rows.
macro_rules! define_input {
    ($($(#[$doc:meta])* $Input:ident $(($kind:ident))?: $row:expr;)*) => {
        /// A property of an exchange that a policy may read. Each is defined in
        /// `wit/types.wit`. Field names are in lower case.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum Input {
            $($(#[$doc])* $Input $((argument_type!($kind)))?,)*
        }

        impl Input {
            fn row(&self) -> &'static Row {
                match self {
                    $(Self::$Input { .. } => const { &$row },)*
                }
            }

            fn argument(&self) -> Argument<'_> {
                match self {
                    $(Self::$Input $(($kind))? => argument!($($kind $kind)?),)*
                }
            }
        }

        #[cfg(test)]
        const ROWS: &[Row] = &[$($row,)*];
    };
}

for_each_input!(define_input);

enum Argument<'a> {
    None,
    /// The name of a field, cookie or query parameter.
    Name(&'a str),
    /// The maximum size of a body, in bytes.
    Limit(u32),
}

impl Input {
    /// Its name in the contract, without the argument.
    pub(crate) fn kind(&self) -> &'static str {
        self.row().name
    }

    /// The field, cookie or parameter that it names.
    pub(crate) fn name(&self) -> Option<&str> {
        match self.argument() {
            Argument::Name(name) => Some(name),
            Argument::None | Argument::Limit(_) => None,
        }
    }

    /// Whether it is a credential, even if the policy does not declare it sensitive. The
    /// value of a credential enters a memo key only as a keyed MAC, is never printed, and
    /// requires a grant.
    pub fn is_credential(&self) -> bool {
        self.row().credential.holds(self.name())
    }

    /// Whether it has a value in a phase. Inputs about the response have none before
    /// there is a response, and its source (`answered-by`) is known only on delivery.
    pub(crate) fn is_known_in(&self, phase: Phase) -> bool {
        self.row().phases.contains(&phase)
    }

    /// Whether two requests with the same cache key can differ in it. A value that
    /// contains such an input must be part of the cache key or must not be stored.
    pub fn is_outside_cache_key(&self) -> bool {
        !self.row().is_fixed_by_cache_key
    }

    /// Whether this version supports it.
    pub(crate) fn is_provided(&self) -> bool {
        self.row().is_provided
    }
}

/// As the contract spells it, for example `header(x-api-key)`.
impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind())?;
        match self.argument() {
            Argument::None => Ok(()),
            Argument::Name(name) => write!(f, "({name})"),
            Argument::Limit(bytes) => write!(f, "({bytes})"),
        }
    }
}

/// Gives the values of the inputs of an exchange.
pub trait Facts {
    /// Appends the value of an input to `out` and returns true, or appends nothing and
    /// returns false if it is absent. Never called with [`Input::Now`], which is an
    /// argument of [`WorkerPolicy::decide`](crate::WorkerPolicy::decide).
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool;

    /// The client whose account pays for a call.
    fn client(&self) -> ClientKey;
}

/// The time of a decision.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Milliseconds of a monotonic clock whose origin all workers share.
    pub monotonic_ms: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: u64,
}

#[cfg(test)]
mod tests;
