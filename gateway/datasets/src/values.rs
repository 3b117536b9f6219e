//! The values of a dataset, each different one stored once.

use std::collections::HashMap;

/// The values of a dataset by their numbers.
#[derive(Debug)]
pub(crate) struct Values {
    text: Box<str>,
    /// Where each value ends in the text, and the next one begins.
    ends: Box<[u32]>,
}

/// Collects values.
#[derive(Debug, Default)]
pub(crate) struct Collected<'t> {
    numbers: HashMap<&'t str, u32, ahash::RandomState>,
    text: String,
    ends: Vec<u32>,
}

impl Values {
    /// The value with this number.
    pub(crate) fn get(&self, number: u32) -> Option<&str> {
        let number = usize::try_from(number).ok()?;
        let end = *self.ends.get(number)?;
        let start = match number.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.text
            .get(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
    }

    pub(crate) fn bytes(&self) -> usize {
        self.text.len() + size_of_val(&*self.ends)
    }
}

impl<'t> Collected<'t> {
    /// The number of a value.
    pub(crate) fn number(&mut self, value: &'t str) -> u32 {
        if let Some(known) = self.numbers.get(value) {
            return *known;
        }
        // There are at most as many values as entries, and no more text than in the file,
        // apart from the one that stands for no value.
        let number = u32::try_from(self.ends.len()).unwrap_or(u32::MAX);
        self.text.push_str(value);
        self.ends
            .push(u32::try_from(self.text.len()).unwrap_or(u32::MAX));
        self.numbers.insert(value, number);
        number
    }

    pub(crate) fn finish(self) -> Values {
        Values {
            text: self.text.into(),
            ends: self.ends.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_is_stored_once() {
        let mut collected = Collected::default();
        let numbers = ["DE", "1", "DE", "", "FR"].map(|value| collected.number(value));
        assert_eq!(numbers, [0, 1, 0, 2, 3]);
        let values = collected.finish();
        let all: Vec<_> = (0..5).map(|number| values.get(number)).collect();
        assert_eq!(all, [Some("DE"), Some("1"), Some(""), Some("FR"), None]);
    }
}
