//! Regular expressions, each with a value. The first line that matches answers.
//!
//! All of them are searched for at once, in time that is linear in the length of the key.

use regex::bytes::{RegexBuilder, RegexSet, RegexSetBuilder};

use crate::lines::{Form, Line, lines};
use crate::networks::shown;
use crate::source::LoadError;
use crate::values::{Collected, Values};

/// The most expressions of a dataset.
const MAX_EXPRESSIONS: usize = 1_000;
/// The largest size of all of them, compiled, and that of the tables that each thread makes
/// of them while it searches, in bytes. It bounds what one byte of a key can cost, too.
const MAX_COMPILED: usize = 4 * 1024 * 1024;

/// Expressions in the order of their lines.
#[derive(Debug)]
pub(crate) struct Regexes {
    set: RegexSet,
    /// The value of each.
    numbers: Box<[u32]>,
    values: Values,
    /// The length of their texts.
    text: usize,
}

impl Regexes {
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut values = Collected::default();
        let lines: Vec<_> = lines(bytes, Form::Tab)?
            .take(MAX_EXPRESSIONS + 1)
            .collect::<Result<_, _>>()?;
        if let Some(line) = lines.get(MAX_EXPRESSIONS) {
            return Err(LoadError::at(
                line.number,
                format!(
                    "there are more than {MAX_EXPRESSIONS} expressions: join some with `|`, or divide the file"
                ),
            ));
        }
        let numbers = lines.iter().map(|line| values.number(line.value)).collect();
        let set = RegexSetBuilder::new(lines.iter().map(|line| line.key))
            .size_limit(MAX_COMPILED)
            .dfa_size_limit(MAX_COMPILED)
            .build()
            .map_err(|error| refused(&lines, &error))?;
        Ok(Self {
            set,
            numbers,
            values: values.finish(),
            text: lines.iter().map(|line| line.key.len()).sum(),
        })
    }

    pub(crate) fn find(&self, key: &[u8]) -> Option<&str> {
        let first = self.set.matches(key).iter().next()?;
        self.values.get(*self.numbers.get(first)?)
    }

    pub(crate) fn entries(&self) -> usize {
        self.set.len()
    }

    /// Those of the texts: what the engine makes of them is not known.
    pub(crate) fn bytes(&self) -> usize {
        self.text + size_of_val(&*self.numbers) + self.values.bytes()
    }
}

/// Which line the error of the whole set is about, if one of them is wrong by itself.
fn refused(lines: &[Line<'_>], error: &regex::Error) -> LoadError {
    let alone = |line: &Line<'_>| {
        let built = RegexBuilder::new(line.key).size_limit(MAX_COMPILED).build();
        built
            .err()
            .map(|error| (line.number, shown(line.key), error))
    };
    match lines.iter().find_map(alone) {
        Some((number, text, regex::Error::CompiledTooBig(_))) => LoadError::at(
            number,
            format!(
                "the regular expression `{text}` is too large when it is compiled: simplify it, for example its repetitions"
            ),
        ),
        Some((number, text, error)) => {
            // The parser prints the expression over several lines; the last one has the
            // reason.
            let error = error.to_string();
            let why = error.lines().last().unwrap_or_default();
            let why = why.trim().trim_start_matches("error: ");
            LoadError::at(number, format!("regular expression `{text}`: {why}"))
        }
        None => LoadError::whole(format!(
            "the expressions together cannot be compiled ({}): simplify them, or divide the file",
            error.to_string().trim()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_matches_answers() {
        let file = "# paths\n^/admin/\tstaff\n\\.(png|jpg)$\timage\n^/admin/logo\nA B\n";
        let regexes = Regexes::parse(file.as_bytes()).unwrap();
        for (key, value) in [
            ("/admin/", Some("staff")),
            ("/admin/logo.png", Some("staff")),
            ("/logo.png", Some("image")),
            ("xA By", Some("1")),
            ("/", None),
            ("", None),
        ] {
            assert_eq!(regexes.find(key.as_bytes()), value, "{key}");
        }
        assert_eq!(regexes.find(b"\xff/.png"), Some("image"));
        assert_eq!(Regexes::parse(b"").unwrap().find(b"a"), None);
    }

    #[test]
    fn what_is_no_expression_is_said_with_its_line() {
        let many = "a\n".repeat(MAX_EXPRESSIONS + 1);
        let large = "(\\pL{1,100}){1,100}\n";
        let medium = "\\pL{1,60}\n".repeat(15);
        for (file, error) in [
            (
                "a\n\n(b\n",
                "line 3: regular expression `(b`: unclosed group",
            ),
            (
                "a(?=b)\n",
                "line 1: regular expression `a(?=b)`: look-around",
            ),
            (
                large,
                "line 1: the regular expression `(\\\\pL{1,100}){1,100}` is too large",
            ),
            (&medium, "the expressions together cannot be compiled"),
            (&many, "line 1001: there are more than 1000 expressions"),
        ] {
            let found = Regexes::parse(file.as_bytes()).unwrap_err().to_string();
            assert!(found.starts_with(error), "{found}");
        }
    }
}
