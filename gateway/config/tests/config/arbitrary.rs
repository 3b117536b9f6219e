//! Reading a file never panics, whatever its content, and its diagnostics can be
//! rendered.

use std::fs;

use janua_config::{Sources, load, parse};
use proptest::prelude::*;

const FULL: &str = include_str!("../fixtures/accepted/full.toml");

fn read(text: &str) {
    match parse(Sources::single("a.toml", text)) {
        Ok(loaded) => drop(loaded.warnings.to_string()),
        Err(errors) => {
            assert!(errors.has_errors());
            assert!(!errors.render(true).is_empty());
            serde_json::to_string(&errors).unwrap();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.toml");
        fs::write(&path, bytes).unwrap();
        let _ = load(&path).map_err(|errors| errors.to_string());
    }

    #[test]
    fn almost_toml(text in "([a-z.\\[\\]{}=\"', \n#0-9_\\\\-]|include|sites|routes|path|ü|\r\n){0,80}") {
        read(&text);
    }

    /// The full file with one part replaced by another: most of it is still decoded,
    /// so that the errors reach deeply nested code.
    #[test]
    fn a_torn_file(
        cut in 0..FULL.len(),
        length in 0..60_usize,
        from in 0..FULL.len(),
        taken in 0..60_usize,
    ) {
        let end = (cut + length).min(FULL.len());
        let taken = &FULL[from..(from + taken).min(FULL.len())];
        read(&format!("{}{taken}{}", &FULL[..cut], &FULL[end..]));
    }

    /// A field's value replaced by a value of any type.
    #[test]
    fn another_value(
        at in any::<prop::sample::Index>(),
        value in prop::sample::select(vec![
            "3", "-1", "\"\"", "\"x\"", "[]", "[[]]", "{}", "{ x = 1 }", "true", "nan", "0x10",
            "1979-05-27", "07:32:00", "9999999999999999999", "[{}]", "\"\\u0000\"", "[\"\", 3, {}]",
        ]),
    ) {
        let fields: Vec<_> = FULL.match_indices(" = ").map(|(at, _)| at + 3).collect();
        let start = fields[at.index(fields.len())];
        let end = start + FULL[start..].find('\n').unwrap();
        read(&format!("{}{value}{}", &FULL[..start], &FULL[end..]));
    }
}

#[test]
fn deep_nesting_is_an_error() {
    let deep = 100_000;
    read(&format!("x = {}{}", "[".repeat(deep), "]".repeat(deep)));
    read(&format!("x = {}", "{ x = ".repeat(deep)));
    read(&format!("[x{}]", ".x".repeat(3_000)));
}
