//! The known keys.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use janua_sdk::syntax;

use crate::digest::Digest;

/// The hashes of the keys, and the consumers that they belong to.
///
/// The map hashes each digest with SipHash under a random key, and digests are compared
/// in constant time. The time of a look-up therefore reveals nothing about the known
/// digests.
#[derive(Default)]
pub(crate) struct Keys {
    known: HashMap<Digest, Box<str>>,
}

impl Keys {
    /// Adds a key.
    ///
    /// # Errors
    /// A name that is not valid in a field value, or a key that was already added.
    pub(crate) fn add(&mut self, consumer: &str, digest: Digest) -> Result<(), String> {
        syntax::field_text(consumer)?;
        if consumer.trim() != consumer || consumer.is_empty() {
            return Err(format!("{consumer:?} is not the name of a consumer"));
        }
        match self.known.entry(digest) {
            Entry::Occupied(other) => {
                let other = other.get();
                Err(format!("{other} and {consumer} have the same key"))
            }
            Entry::Vacant(place) => {
                place.insert(consumer.into());
                Ok(())
            }
        }
    }

    /// Adds the keys of a file: lines of the form `name:sha256:<hex>`. Empty lines and
    /// lines that begin with `#` are ignored.
    ///
    /// # Errors
    /// A line that is not valid. The message contains its number.
    pub(crate) fn add_lines(&mut self, text: &str) -> Result<(), String> {
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let read = match line.find(":sha256:") {
                Some(colon) => {
                    let (consumer, digest) = line.split_at(colon);
                    let digest = digest.trim_start_matches(':');
                    Digest::parse(digest).and_then(|digest| self.add(consumer, digest))
                }
                None => Digest::parse("").map(|_| ()),
            };
            read.map_err(|why| format!("line {}: {why}", index + 1))?;
        }
        Ok(())
    }

    /// Whether there are no keys.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The consumer that a key belongs to. The time does not depend on the number of keys.
    pub(crate) fn consumer(&self, digest: Digest) -> Option<&str> {
        self.known.get(&digest).map(|consumer| &**consumer)
    }
}
