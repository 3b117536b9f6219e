//! `panic_threshold` of an upstream: with how few endpoints left all are tried.

use toml::de::DeValue;

use crate::decode::{Decode, Decoder, Node};
use crate::units::{Percent, integer};

/// The share of endpoints below which all are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PanicThreshold {
    /// Ejected endpoints are never tried.
    Never,
    /// All are tried if less than this share is left.
    Below(Percent),
}

impl Decode for PanicThreshold {
    fn decode(node: &Node<'_>, decoder: &mut Decoder<'_>) -> Option<Self> {
        match node.get_ref() {
            DeValue::Boolean(false) => Some(Self::Never),
            DeValue::Boolean(true) => decoder.mismatch(node, &Self::kind()),
            DeValue::Integer(number) if integer(number) == Some(0) => Some(Self::Never),
            DeValue::String(text) if *text == "0%" => Some(Self::Never),
            _ => Percent::decode(node, decoder).map(Self::Below),
        }
    }

    fn kind() -> String {
        format!("{}, or 0", Percent::kind())
    }
}
