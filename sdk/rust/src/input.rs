//! Declared inputs and their values.
//!
//! A [`Slot`] is returned by the declaration of an input (see [`crate::Phase`]) and is
//! the only way to read its value, so an input cannot be read at a wrong position.

use std::marker::PhantomData;

use crate::bindings::janua::policy::subscriptions::PrefixLengths;
use crate::{Input, Kind, base64};

/// A declared input of phase `P`, whose value is read as `R`.
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

/// A declared reference of phase `P`. It can be part of a [`crate::Value`], but its value
/// is not passed to the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference<P> {
    pub(crate) position: u32,
    pub(crate) kind: PhantomData<P>,
}

/// The network of the client with prefixes of these lengths, for example `203.0.113.0/24`.
#[must_use]
pub fn client_network(ipv4: u8, ipv6: u8) -> Input {
    Input::ClientNetwork(PrefixLengths { ipv4, ipv6 })
}

/// The values of one call, in the order of the declarations.
#[derive(Debug)]
pub struct Inputs<P> {
    values: Vec<Option<String>>,
    kind: PhantomData<P>,
}

impl<P: Kind> Inputs<P> {
    /// The values that the gateway passed.
    pub(crate) fn new(values: Vec<Option<String>>) -> Self {
        Self {
            values,
            kind: PhantomData,
        }
    }

    /// The value of an input, with the type of its declaration.
    #[must_use]
    pub fn get<R: Reading>(&self, slot: Slot<P, R>) -> R::Out<'_> {
        let value = self.values.get(slot.position as usize);
        R::read(value.and_then(Option::as_deref))
    }
}

/// Converts the optional string of the contract to the type of an input.
pub trait Reading {
    /// The type of the value.
    type Out<'a>;

    /// Converts the value.
    fn read(value: Option<&str>) -> Self::Out<'_>;
}

/// An input that may be absent: `Option<&str>`. An absent value differs from an empty one.
#[derive(Clone, Copy, Debug)]
pub struct Optional;

impl Reading for Optional {
    type Out<'a> = Option<&'a str>;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value
    }
}

/// An input that is always present: `&str`.
#[derive(Clone, Copy, Debug)]
pub struct Text;

impl Reading for Text {
    type Out<'a> = &'a str;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value.unwrap_or_default()
    }
}

/// An input that tells whether something is present: `bool`.
#[derive(Clone, Copy, Debug)]
pub struct Presence;

impl Reading for Presence {
    type Out<'a> = bool;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value.is_some()
    }
}

/// An input of any bytes that may be absent: `Option<Vec<u8>>`. In a [`crate::Value`] it
/// is the base64 of the bytes.
#[derive(Clone, Copy, Debug)]
pub struct Bytes;

impl Reading for Bytes {
    type Out<'a> = Option<Vec<u8>>;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value.and_then(base64::decode)
    }
}

/// A number that is always present: `u64`.
#[derive(Clone, Copy, Debug)]
pub struct Number;

impl Reading for Number {
    type Out<'a> = u64;

    fn read(value: Option<&str>) -> Self::Out<'_> {
        value.and_then(|text| text.parse().ok()).unwrap_or_default()
    }
}
