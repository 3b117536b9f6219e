//! The datasets of a configuration, by their names.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::networks::{Networks, address};
use crate::records::Records;
use crate::regexes::Regexes;
use crate::source::Kind;
use crate::strings::Strings;

/// The last generation that was given out, in this process.
static LAST: AtomicU64 = AtomicU64::new(0);

/// A dataset.
pub struct Dataset {
    content: Content,
    /// A SHA-256 of its file.
    digest: [u8; 32],
    generation: u64,
}

/// What a dataset consists of.
#[derive(Debug)]
pub(crate) enum Content {
    Networks(Networks),
    Strings(Strings),
    Regexes(Regexes),
    Records(Records),
}

/// All datasets that policies can name.
#[derive(Debug, Default)]
pub struct Datasets(BTreeMap<Box<str>, Arc<Dataset>>);

/// What a dataset says of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The value was appended.
    Value,
    /// It does not contain the key, or its record does not have the member.
    Nothing,
    /// It contains addresses, and the key is none.
    NoAddress,
}

impl Dataset {
    pub(crate) fn new(content: Content, digest: [u8; 32]) -> Self {
        Self {
            content,
            digest,
            generation: LAST.fetch_add(1, Ordering::Relaxed) + 1,
        }
    }

    /// Whether it was made of such a file.
    pub(crate) fn is(&self, kind: Kind, digest: &[u8; 32]) -> bool {
        self.kind() == kind && self.digest == *digest
    }

    /// Appends the value of a key: `1` in a dataset without values. `member` is that of a
    /// record, such as `country.iso_code`; a dataset without records has nothing for it.
    pub fn find(&self, key: &[u8], member: &str, out: &mut Vec<u8>) -> Found {
        if !member.is_empty() && self.kind() != Kind::Records {
            return Found::Nothing;
        }
        let value = match &self.content {
            Content::Networks(networks) => match address(key) {
                Some(address) => networks.find(address),
                None => return Found::NoAddress,
            },
            Content::Records(records) => match address(key) {
                Some(address) if records.find(address, member, out) => return Found::Value,
                Some(_) => return Found::Nothing,
                None => return Found::NoAddress,
            },
            Content::Strings(strings) => strings.find(key),
            Content::Regexes(regexes) => regexes.find(key),
        };
        match value {
            Some(value) => {
                out.extend_from_slice(value.as_bytes());
                Found::Value
            }
            None => Found::Nothing,
        }
    }

    /// What it consists of.
    pub fn kind(&self) -> Kind {
        match &self.content {
            Content::Networks(_) => Kind::Networks,
            Content::Strings(_) => Kind::Strings,
            Content::Regexes(_) => Kind::Regexes,
            Content::Records(_) => Kind::Records,
        }
    }

    /// The number of its entries.
    pub fn entries(&self) -> usize {
        match &self.content {
            Content::Networks(networks) => networks.entries(),
            Content::Strings(strings) => strings.entries(),
            Content::Regexes(regexes) => regexes.entries(),
            Content::Records(records) => records.entries(),
        }
    }

    /// The memory that it takes; of regular expressions, that of their texts.
    pub fn bytes(&self) -> usize {
        match &self.content {
            Content::Networks(networks) => networks.bytes(),
            Content::Strings(strings) => strings.bytes(),
            Content::Regexes(regexes) => regexes.bytes(),
            Content::Records(records) => records.bytes(),
        }
    }

    /// A number above 0 that no other content has had in this process, under any name.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

impl Datasets {
    /// The dataset with this name.
    pub fn get(&self, name: &str) -> Option<&Arc<Dataset>> {
        self.0.get(name)
    }

    /// The generation of the dataset with this name; 0 if there is none.
    pub fn generation(&self, name: &str) -> u64 {
        self.get(name).map_or(0, |dataset| dataset.generation)
    }

    /// All of them, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Arc<Dataset>)> {
        self.0.iter().map(|(name, dataset)| (&**name, dataset))
    }
}

impl FromIterator<(String, Arc<Dataset>)> for Datasets {
    fn from_iter<I: IntoIterator<Item = (String, Arc<Dataset>)>>(datasets: I) -> Self {
        let datasets = datasets.into_iter();
        Self(datasets.map(|(name, it)| (name.into(), it)).collect())
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dataset")
            .field("kind", &self.kind())
            .field("entries", &self.entries())
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(content: Content, key: &[u8], member: &str) -> (Found, String) {
        let mut out = Vec::new();
        let found = Dataset::new(content, [0; 32]).find(key, member, &mut out);
        (found, String::from_utf8(out).unwrap())
    }

    #[test]
    fn keys_of_each_kind() {
        let networks = || Content::Networks(Networks::parse(b"10.0.0.0/8 a").unwrap());
        let strings = || Content::Strings(Strings::parse(b"ann\n").unwrap());
        let nothing = |found| (found, String::new());
        let value = |text: &str| (Found::Value, text.to_owned());
        assert_eq!(find(networks(), b"10.1.2.3", ""), value("a"));
        assert_eq!(find(networks(), b"11.1.2.3", ""), nothing(Found::Nothing));
        assert_eq!(find(networks(), b"ann", ""), nothing(Found::NoAddress));
        assert_eq!(find(networks(), b"10.1.2.3", "a"), nothing(Found::Nothing));
        assert_eq!(find(strings(), b"ann", ""), value("1"));
        assert_eq!(find(strings(), b"bob", ""), nothing(Found::Nothing));
    }
}
