//! What guests say: lines of a log, messages of errors, descriptions.
//!
//! Whoever reads it reads it on a terminal or in a log, where control characters could forge
//! lines, hide text or control the terminal. They are escaped here, where the text enters,
//! so that no place at which it is shown can forget it.

/// Text of a guest, truncated at this many bytes and escaped. Escaped, it can be longer.
pub(crate) fn said(text: &str, bytes: usize) -> String {
    shown(text.get(..text.floor_char_boundary(bytes)).unwrap_or(text))
}

/// Text that may be a guest's in part, escaped.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match is_hidden(character) {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

/// Whether a character is not shown as such, but changes how others are: control characters
/// (C0, DEL, C1), the separators of lines and paragraphs, and those for the direction of
/// text, with which `"gnp.exe"` can be shown as `"exe.png"`.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_escaped() {
        for (text, expected) in [
            (
                "plain, \u{e9} and \u{65e5}\u{672c}",
                "plain, \u{e9} and \u{65e5}\u{672c}",
            ),
            ("a\r\nb\tc", r"a\r\nb\tc"),
            ("\0\u{1b}[31m\u{7f}", r"\u{0}\u{1b}[31m\u{7f}"),
            ("\u{9b}2J\u{85}", r"\u{9b}2J\u{85}"),
            ("\u{2028}\u{2029}", r"\u{2028}\u{2029}"),
            (
                "\u{202e}exe\u{2066}\u{200f}",
                r"\u{202e}exe\u{2066}\u{200f}",
            ),
        ] {
            assert_eq!(said(text, 100), expected);
        }
    }

    #[test]
    fn cuts_on_a_character() {
        assert_eq!(said("a\u{e9}", 2), "a");
        assert_eq!(said("a\u{e9}", 3), "a\u{e9}");
        assert_eq!(said("\n\n\n", 2), r"\n\n");
    }
}
