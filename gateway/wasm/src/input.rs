//! What a policy may ask for, independent of the contract's version.

use std::fmt;

mod phase;
mod row;
mod table;

pub use phase::Phase;
pub(crate) use table::for_each_input;

use row::Row;

/// The type of what stands in parentheses behind an input.
macro_rules! argument_type {
    (limit) => { u32 };
    (field) => { Box<str> };
    (name) => { Box<str> };
}

/// What stands in parentheses behind an input: `$value` is bound to it.
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

/// Makes the enum and what is looked up in its rows.
macro_rules! define_input {
    ($($(#[$doc:meta])* $Input:ident $(($kind:ident))?: $row:expr;)*) => {
        /// One thing about an exchange that a policy may ask for. The meaning of each
        /// is written in `wit/types.wit`. Field names are in lower case.
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
    /// What the input names.
    Name(&'a str),
    /// The most bytes of a body.
    Limit(u32),
}

impl Input {
    /// Its name in the contract, without what stands in parentheses behind it.
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

    /// Whether it is a credential by its nature, whatever the policy says: such a
    /// value enters a memo key only as a keyed MAC, is never printed, and needs a grant.
    pub fn is_credential(&self) -> bool {
        self.row().credential.holds(self.name())
    }

    /// Whether it has a value in a phase: what describes the response has none
    /// before there is one, and what made the response is known on delivery.
    pub(crate) fn is_known_in(&self, phase: Phase) -> bool {
        self.row().phases.contains(&phase)
    }

    /// Whether two requests with one cache key can differ in it. What a verdict
    /// makes of such an input must join the key, or stay out of what is stored.
    pub fn is_outside_cache_key(&self) -> bool {
        !self.row().is_fixed_by_cache_key
    }

    /// Whether this version of the gateway gives it to policies.
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

/// What the proxy knows of an exchange.
pub trait Facts {
    /// Appends the bytes of an input to `out` and returns true, or appends
    /// nothing and returns false if it is absent. [`Input::Now`] is never
    /// asked for: the host has it.
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool;
}

/// The time, taken once a request by the proxy.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// Milliseconds of a clock that never goes back, from any origin that all workers share.
    pub monotonic_ms: u64,
    /// Seconds since 1970-01-01T00:00:00Z.
    pub unix_seconds: u64,
}

#[cfg(test)]
mod tests;
