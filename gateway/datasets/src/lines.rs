//! The lines of a dataset in text form: a key, and perhaps a value.

use crate::source::LoadError;

/// The most entries of a dataset. More would not fit into the file anyway, unless they are
/// very short.
const MAX_ENTRIES: usize = 10_000_000;
/// The longest line, in bytes.
const MAX_LINE: usize = 4_096;
/// What stands for the value in a dataset without values.
pub(crate) const NO_VALUE: &str = "1";

/// An entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line<'t> {
    /// From 1.
    pub(crate) number: u32,
    pub(crate) key: &'t str,
    pub(crate) value: &'t str,
}

/// What separates the key from the value, and begins a comment behind them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A tab, or else spaces. ` #` begins a comment.
    Words,
    /// A tab alone, because the key may contain anything else. Only a whole line can be a
    /// comment.
    Tab,
}

/// The entries of a file, one after the other: all of them as texts take several times the
/// memory of the file.
///
/// # Errors
/// It is not UTF-8, or has a line or a number of entries above the limits.
pub(crate) fn lines(
    bytes: &[u8],
    form: Form,
) -> Result<impl Iterator<Item = Result<Line<'_>, LoadError>>, LoadError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let number = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        LoadError::at(number, "the line is not UTF-8: convert the file")
    })?;
    let mut entries = 0_usize;
    Ok((1..).zip(text.lines()).filter_map(move |(number, line)| {
        if line.len() > MAX_LINE {
            let why = format!("the line is longer than {MAX_LINE} bytes: shorten it");
            return Some(Err(LoadError::at(number, why)));
        }
        let (key, value) = form.entry(line)?;
        entries += 1;
        if entries > MAX_ENTRIES {
            let why = format!("the file has more than {MAX_ENTRIES} entries: divide it");
            return Some(Err(LoadError::at(number, why)));
        }
        Some(Ok(Line {
            number: u32::try_from(number).unwrap_or(u32::MAX),
            key,
            value: if value.is_empty() { NO_VALUE } else { value },
        }))
    }))
}

impl Form {
    /// The key and the value, which is empty if there is none; nothing for an empty line
    /// or a comment.
    fn entry(self, line: &str) -> Option<(&str, &str)> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return None;
        }
        let line = match self {
            Self::Words => without_comment(line),
            Self::Tab => line,
        };
        let (key, value) = match (line.split_once('\t'), self) {
            (Some(parts), _) => parts,
            (None, Self::Words) => line.split_once(' ').unwrap_or((line, "")),
            (None, Self::Tab) => (line, ""),
        };
        Some((key.trim_end(), value.trim_start()))
    }
}

fn without_comment(line: &str) -> &str {
    let mut signs = line.match_indices('#').map(|(at, _)| at);
    let start = signs.find(|at| {
        let before = line.get(..*at).unwrap_or_default();
        before.ends_with([' ', '\t'])
    });
    start
        .and_then(|at| line.get(..at))
        .unwrap_or(line)
        .trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, form: Form) -> Vec<(u32, &str, &str)> {
        let lines = lines(text.as_bytes(), form).unwrap();
        lines
            .map(|line| line.unwrap())
            .map(|line| (line.number, line.key, line.value))
            .collect()
    }

    #[test]
    fn keys_and_values() {
        let text =
            "\u{feff}# comment\n\n  a\r\nb two\n c\t three words \nd e\tf # g\nh#i j#k\n#\n\tl\n";
        assert_eq!(
            read(text, Form::Words),
            [
                (3, "a", "1"),
                (4, "b", "two"),
                (5, "c", "three words"),
                (6, "d e", "f"),
                (7, "h#i", "j#k"),
                (9, "l", "1"),
            ]
        );
        let text = "# comment\na b # c\n^/d #\te f\n";
        assert_eq!(
            read(text, Form::Tab),
            [(2, "a b # c", "1"), (3, "^/d #", "e f")]
        );
        assert_eq!(read("", Form::Words), []);
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_line() {
        let error = lines(b"a\n\nb\xff\n", Form::Words).map(|_| ()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 3: the line is not UTF-8: convert the file"
        );
        let long = format!("a\n{}\n", "b".repeat(MAX_LINE + 1));
        let mut long = lines(long.as_bytes(), Form::Words).unwrap();
        let error = long.find_map(Result::err).unwrap();
        assert_eq!(error.line, Some(2));
    }
}
