//! Texts that are found exactly as they stand, each with a value.
//!
//! They lie one after the other in one allocation, ordered by the bucket that their hash
//! chooses. There are as many buckets as texts, so that a look-up compares with one or two.

use ahash::RandomState;

use crate::lines::{Form, lines};
use crate::networks::shown;
use crate::source::LoadError;
use crate::values::{Collected, Values};

/// Texts by their hashes.
#[derive(Debug)]
pub(crate) struct Strings {
    hasher: RandomState,
    /// For each bucket the position of its first text, and the number of texts at the end.
    buckets: Box<[u32]>,
    text: Box<[u8]>,
    /// Where each text ends, and the next one begins.
    ends: Box<[u32]>,
    numbers: Box<[u32]>,
    values: Values,
}

impl Strings {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, LoadError> {
        let hasher = RandomState::new();
        let mut values = Collected::default();
        let mut entries = Vec::new();
        for line in lines(bytes, Form::Words)? {
            let line = line?;
            entries.push(Entry {
                hash: hash(&hasher, line.key.as_bytes()),
                value: values.number(line.value),
                line: line.number,
                key: line.key,
            });
        }
        // In proportion to the hash, the bucket grows with it.
        entries.sort_unstable_by_key(|entry| (entry.hash, entry.key, entry.line));
        let count = entries.len();
        let mut strings = Unfinished::default();
        let mut before: Option<&Entry<'_>> = None;
        for entry in &entries {
            match before.filter(|before| before.key == entry.key) {
                Some(before) if before.value != entry.value => return Err(twice(before, entry)),
                Some(_) => {}
                None => strings.add(bucket(entry.hash, count), entry),
            }
            before = Some(entry);
        }
        strings.fill_buckets(count + 1);
        Ok(Self {
            hasher,
            buckets: strings.buckets.into(),
            text: strings.text.into(),
            ends: strings.ends.into(),
            numbers: strings.numbers.into(),
            values: values.finish(),
        })
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<&str> {
        let count = self.buckets.len().checked_sub(1)?;
        let bucket = bucket(hash(&self.hasher, key), count);
        let first = usize::try_from(*self.buckets.get(bucket)?).ok()?;
        let behind = usize::try_from(*self.buckets.get(bucket + 1)?).ok()?;
        let place = (first..behind).find(|place| self.key(*place) == Some(key))?;
        self.values.get(*self.numbers.get(place)?)
    }

    fn key(&self, place: usize) -> Option<&[u8]> {
        let start = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        let end = *self.ends.get(place)?;
        self.text
            .get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    /// How many different texts there are.
    pub(crate) fn entries(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len()
            + size_of_val(&*self.buckets)
            + size_of_val(&*self.ends)
            + size_of_val(&*self.numbers)
            + self.values.bytes()
    }
}

/// A line of the file.
struct Entry<'t> {
    hash: u32,
    value: u32,
    line: u32,
    key: &'t str,
}

fn hash(hasher: &RandomState, key: &[u8]) -> u32 {
    // The upper half.
    u32::try_from(hasher.hash_one(key) >> 32).unwrap_or_default()
}

/// The bucket of a hash, of this many.
fn bucket(hash: u32, count: usize) -> usize {
    usize::try_from((u64::from(hash) * count as u64) >> 32).unwrap_or_default()
}

fn twice(first: &Entry<'_>, second: &Entry<'_>) -> LoadError {
    LoadError::at(
        second.line,
        format!(
            "`{}` is there already, with another value (line {}): remove one",
            shown(second.key),
            first.line
        ),
    )
}

/// What is filled in the order of the buckets. No file has so much text that a position
/// would not fit.
#[derive(Default)]
struct Unfinished {
    buckets: Vec<u32>,
    text: Vec<u8>,
    ends: Vec<u32>,
    numbers: Vec<u32>,
}

impl Unfinished {
    fn add(&mut self, bucket: usize, entry: &Entry<'_>) {
        self.fill_buckets(bucket + 1);
        self.text.extend_from_slice(entry.key.as_bytes());
        self.ends
            .push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.numbers.push(entry.value);
    }

    /// All buckets below this one that were not reached yet begin here.
    fn fill_buckets(&mut self, until: usize) {
        let reached = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        if self.buckets.len() < until {
            self.buckets.resize(until, reached);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_are_found_as_they_stand() {
        let file = "# users\nann admin\nbob\nAnn\tguest of honour\nMozilla/5.0 (X)\tbot\nbob\n";
        let strings = Strings::parse(file.as_bytes()).unwrap();
        for (key, value) in [
            ("ann", Some("admin")),
            ("bob", Some("1")),
            ("Ann", Some("guest of honour")),
            ("Mozilla/5.0 (X)", Some("bot")),
            ("bo", None),
            ("bobb", None),
            ("", None),
        ] {
            assert_eq!(strings.find(key.as_bytes()), value, "{key}");
        }
        assert_eq!(strings.find(b"\xff"), None);
        assert_eq!(strings.entries(), 4);
        assert_eq!(Strings::parse(b"").unwrap().find(b"ann"), None);
    }

    #[test]
    fn a_text_with_two_values_is_refused() {
        let error = Strings::parse(b"ann a\nbob\n\nann b\n").unwrap_err();
        let expected = "line 4: `ann` is there already, with another value (line 1): remove one";
        assert_eq!(error.to_string(), expected);
    }

    proptest! {
        #[test]
        fn what_was_put_in_is_found(texts in prop::collection::hash_map("[a-c]{1,4}", "[a-z]{1,3}", 0..60)) {
            let file: String = texts.iter().map(|(key, value)| format!("{key} {value}\n")).collect();
            let strings = Strings::parse(file.as_bytes()).unwrap();
            let texts: HashMap<String, String> = texts;
            for (key, value) in &texts {
                prop_assert_eq!(strings.find(key.as_bytes()), Some(&**value));
            }
            for key in ["aaaaa", "d", "abc", "b"] {
                let expected = texts.get(key).map(|value| &**value);
                prop_assert_eq!(strings.find(key.as_bytes()), expected);
            }
        }
    }
}
