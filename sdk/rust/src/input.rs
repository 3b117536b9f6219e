//! Where the value of a declared input will be, and how it is read.
//!
//! A [`Slot`] comes only from declaring an input (see [`crate::Phase`]) and is
//! the only way to read one, so the order of the declarations and of the
//! reads cannot disagree.

use std::marker::PhantomData;

use crate::Kind;

/// The place of a declared input of phase `P`, read as `R`.
#[derive(Debug)]
pub struct Slot<P, R = Optional> {
    pub(crate) position: u32,
    pub(crate) kind: PhantomData<(P, R)>,
}

impl<P, R> Clone for Slot<P, R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, R> Copy for Slot<P, R> {}

/// The place of a declared reference of phase `P`: a [`crate::Value`] may point
/// at it, the policy never sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<P> {
    pub(crate) position: u32,
    pub(crate) kind: PhantomData<P>,
}

/// The values of one call, in the order of the declarations.
#[derive(Debug)]
pub struct Inputs<P> {
    values: Vec<Option<String>>,
    kind: PhantomData<P>,
}

impl<P: Kind> Inputs<P> {
    /// Takes over what the gateway handed in.
    pub(crate) fn new(values: Vec<Option<String>>) -> Self {
        Self {
            values,
            kind: PhantomData,
        }
    }

    /// The value of an input, in the type that its declaration gave it.
    #[must_use]
    pub fn get<R: Reading>(&self, slot: Slot<P, R>) -> R::Out<'_> {
        let value = self.values.get(slot.position as usize);
        R::read(value.and_then(Option::as_deref))
    }
}

/// How the optional string of the contract is read.
pub trait Reading {
    /// What the policy gets.
    type Out<'a>;

    /// Reads it.
    fn read(value: Option<&str>) -> Self::Out<'_>;
}

/// An input that may be absent: `Option<&str>`. Absent differs from empty.
#[derive(Clone, Copy, Debug)]
pub struct Optional;

impl Reading for Optional {
    type Out<'a> = Option<&'a str>;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value
    }
}

/// An input that is always there: `&str`.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Reading for Text {
    type Out<'a> = &'a str;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value.unwrap_or_default()
    }
}

/// Whether something is there: `bool`.
#[derive(Clone, Copy, Debug)]
pub struct Presence;

impl Reading for Presence {
    type Out<'a> = bool;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value.is_some()
    }
}

/// A number that is always there: `u64`; 0 if it were not a number.
#[derive(Clone, Copy, Debug)]
pub struct Number;

impl Reading for Number {
    type Out<'a> = u64;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}
