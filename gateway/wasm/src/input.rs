//! The inputs of policies, independent of the contract's version.

use std::fmt;

use crate::client::ClientKey;

mod phase;
mod readable;
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
    (network) => { PrefixLengths };
    (lookup) => { Box<Lookup> };
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
    (network $value:ident) => {
        Argument::Network(*$value)
    };
    (lookup $value:ident) => {
        Argument::Lookup($value)
    };
}

/// Defines the enum and the look-up of its rows.
macro_rules! define_input {
    ($($(#[$doc:meta])* $Input:ident $(($kind:ident))?: $row:expr;)*) => {
        /// A property of an exchange that a policy may read. Each is defined in
        /// `wit/subscriptions.wit`. Field names are in lower case.
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
    /// The name of a field, cookie, query parameter or variable.
    Name(&'a str),
    /// The maximum size of a body, in bytes.
    Limit(u32),
    Network(PrefixLengths),
    Lookup(&'a Lookup),
}

/// The lengths of the prefixes by which client addresses form networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PrefixLengths {
    /// Of an IPv4 address, at most 32.
    pub ipv4: u8,
    /// Of an IPv6 address, at most 128.
    pub ipv6: u8,
}

/// A look-up in a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lookup {
    /// The configured name of the dataset.
    pub dataset: Box<str>,
    /// The input whose value is looked up. Not a look-up itself.
    pub key: Input,
    /// The member of a record; empty for a dataset without records.
    pub member: Box<str>,
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
            _ => None,
        }
    }

    /// Whether it is a credential, even if the policy does not declare it sensitive. The
    /// value of a credential enters a memo key only as a keyed MAC, is never printed, and
    /// requires a grant.
    pub fn is_credential(&self) -> bool {
        match self {
            Self::Lookup(lookup) => lookup.key.is_credential(),
            _ => self.row().credential.holds(self.name()),
        }
    }

    /// Whether it has a value in a phase. Inputs about the response have none before
    /// there is a response, and its source (`answered-by`) is known only on delivery.
    pub(crate) fn is_known_in(&self, phase: Phase) -> bool {
        match self {
            Self::Lookup(lookup) => lookup.key.is_known_in(phase),
            _ => self.row().phases.contains(&phase),
        }
    }

    /// Whether two requests with the same cache key can differ in it. A value that
    /// contains such an input must be part of the cache key or must not be stored.
    pub fn is_outside_cache_key(&self) -> bool {
        match self {
            Self::Lookup(lookup) => lookup.key.is_outside_cache_key(),
            _ => !self.row().is_fixed_by_cache_key,
        }
    }

    /// Whether this version supports it.
    pub(crate) fn is_provided(&self) -> bool {
        match self {
            Self::Lookup(lookup) => self.row().is_provided && lookup.key.is_provided(),
            _ => self.row().is_provided,
        }
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
            Argument::Network(PrefixLengths { ipv4, ipv6 }) => write!(f, "({ipv4}, {ipv6})"),
            Argument::Lookup(Lookup {
                dataset,
                key,
                member,
            }) if member.is_empty() => write!(f, "({dataset}, {key})"),
            Argument::Lookup(Lookup {
                dataset,
                key,
                member,
            }) => write!(f, "({dataset}, {key}, {member})"),
        }
    }
}

/// Whether an exchange has one value of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Single {
    /// It has none.
    Absent,
    /// It has one, or the same several times.
    Present,
    /// It has several that differ. Which of them another reader would take is not known.
    Conflicting,
}

/// Gives the values of the inputs of an exchange.
pub trait Facts {
    /// Appends the value of an input to `out` and returns true, or appends nothing and
    /// returns false if it is absent. Never called with [`Input::Now`], which is an
    /// argument of [`WorkerPolicy::decide`](crate::WorkerPolicy::decide).
    fn input(&self, input: &Input, out: &mut Vec<u8>) -> bool;

    /// The same for a sensitive input. If it is a field or parameter that the client sent
    /// several times, the values are not joined, and none is chosen: they are equal, or
    /// conflicting. What `out` gets then is unspecified.
    fn single(&self, input: &Input, out: &mut Vec<u8>) -> Single {
        match self.input(input, out) {
            true => Single::Present,
            false => Single::Absent,
        }
    }

    /// Whether the value that the exchange has of this input is a secret, even if the plan does
    /// not say so: a variable that was set to one.
    fn is_secret(&self, _input: &Input) -> bool {
        false
    }

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
