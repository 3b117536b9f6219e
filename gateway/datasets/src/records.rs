//! Records by networks, in the MaxMind format (version 2).

use std::collections::HashSet;
use std::fmt;
use std::io::Write as _;
use std::net::IpAddr;

use maxminddb::{MaxMindDbError, PathElement, Reader};
use serde::de::{Deserialize, Deserializer, IgnoredAny, Visitor};

use crate::source::LoadError;

/// How deep a member may be.
const MAX_DEPTH: usize = 8;

/// A database in memory. It is not mapped: a file that is replaced in place would change
/// under the requests, and one that is cut would end the process.
#[derive(Debug)]
pub(crate) struct Records {
    reader: Reader<Vec<u8>>,
    entries: usize,
    bytes: usize,
}

impl Records {
    /// Reads a database and all of its records, so that a damaged one is refused here.
    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self, LoadError> {
        let size = bytes.len();
        let reader = Reader::from_source(bytes).map_err(|error| damaged(&error))?;
        let entries = check(&reader).map_err(|error| damaged(&error))?;
        Ok(Self {
            reader,
            entries,
            bytes: size,
        })
    }

    /// Appends a member of the record of an address.
    pub(crate) fn find(&self, address: IpAddr, member: &str, out: &mut Vec<u8>) -> bool {
        let mut path = [const { PathElement::Key("") }; MAX_DEPTH];
        let mut depth = 0;
        for name in member.split('.').filter(|_| !member.is_empty()) {
            let Some(place) = path.get_mut(depth) else {
                return false;
            };
            *place = match name.parse() {
                Ok(position) => PathElement::Index(position),
                Err(_) => PathElement::Key(name),
            };
            depth += 1;
        }
        let path = path.get(..depth).unwrap_or_default();
        let found = self.reader.lookup(address.to_canonical());
        // Errors are members that do not fit: of a text, or maps and lists as values.
        let value = found.and_then(|record| record.decode_path::<Scalar<'_>>(path));
        match value {
            Ok(Some(Scalar::Text(text))) => out.extend_from_slice(text.as_bytes()),
            Ok(Some(Scalar::Unsigned(number))) => return write!(out, "{number}").is_ok(),
            Ok(Some(Scalar::Signed(number))) => return write!(out, "{number}").is_ok(),
            Ok(Some(Scalar::Real(number))) => return write!(out, "{number}").is_ok(),
            Ok(None) | Err(_) => return false,
        }
        true
    }

    pub(crate) fn entries(&self) -> usize {
        self.entries
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }
}

/// Decodes each record once. Returns the number of networks that have one.
fn check(reader: &Reader<Vec<u8>>) -> Result<usize, MaxMindDbError> {
    // A tree with more leaves than that goes round in circles.
    let most = (reader.metadata().node_count as usize + 1).saturating_mul(3);
    let mut entries = 0;
    let mut known: HashSet<usize, ahash::RandomState> = HashSet::default();
    for record in reader.networks(maxminddb::WithinOptions::default())? {
        let record = record?;
        entries += 1;
        if entries > most {
            return Err(MaxMindDbError::invalid_database("its tree has a cycle"));
        }
        if record.offset().is_some_and(|offset| known.insert(offset)) {
            record.decode::<IgnoredAny>()?;
        }
    }
    Ok(entries)
}

fn damaged(error: &MaxMindDbError) -> LoadError {
    LoadError::whole(format!(
        "it is not a database in the MaxMind format, or damaged ({error}): fetch it again"
    ))
}

/// A value that can be written as a text.
enum Scalar<'r> {
    Text(&'r str),
    Unsigned(u128),
    Signed(i64),
    Real(f64),
}

impl<'r> Deserialize<'r> for Scalar<'r> {
    fn deserialize<D: Deserializer<'r>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl<'r> Visitor<'r> for ScalarVisitor {
    type Value = Scalar<'r>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number or a truth value")
    }

    fn visit_borrowed_str<E>(self, text: &'r str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(value.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(number.into()))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Self::Value, E> {
        Ok(Scalar::Unsigned(number))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Signed(number))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Real(number))
    }
}

#[cfg(test)]
mod tests;
