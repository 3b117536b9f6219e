//! The known keys.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use janua_sdk::syntax;

use crate::digest::Digest;

/// Hashes and the consumers that they belong to.
///
/// The map hashes each digest again, with SipHash under a random key of its own,
/// and digests are compared in constant time: so neither where one is looked for
/// nor how long that takes tells how near a guess came.
#[derive(Default)]
pub(crate) struct Keys {
    known: HashMap<Digest, Box<str>>,
}

impl Keys {
    /// Adds a key.
    ///
    /// # Errors
    /// A name that cannot stand in a field, or a key that is there already.
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

    /// Adds the keys of a file: lines of `name:sha256:<hex>`; empty lines and
    /// those that begin with `#` are passed over.
    ///
    /// # Errors
    /// The number of the line and what is wrong with it.
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

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Whose key this is; the time does not grow with the number of keys.
    pub(crate) fn consumer(&self, digest: Digest) -> Option<&str> {
        self.known.get(&digest).map(|consumer| &**consumer)
    }
}
