//! The known keys.

use janua_sdk::syntax;
use subtle::{Choice, ConditionallySelectable};

use crate::digest::Digest;

/// Hashes and the consumers that they belong to.
#[derive(Default)]
pub(crate) struct Keys {
    known: Vec<(Digest, String)>,
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
        if let Some(other) = self.consumer(digest) {
            return Err(format!("{other} and {consumer} have the same key"));
        }
        self.known.push((digest, consumer.to_owned()));
        Ok(())
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

    /// Whose key this is. Every known key is compared, so that the time tells
    /// neither how near a guess came nor whose key it was.
    pub(crate) fn consumer(&self, digest: Digest) -> Option<&str> {
        let mut found = u32::MAX;
        for (index, (known, _)) in (0..).zip(&self.known) {
            let same: Choice = known.same(&digest);
            found.conditional_assign(&index, same);
        }
        let (_, consumer) = self.known.get(found as usize)?;
        Some(consumer)
    }
}
