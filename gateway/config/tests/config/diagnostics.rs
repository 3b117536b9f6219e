//! Fixtures: configuration files with their expected diagnostics. `JANUA_BLESS=1`
//! updates the expected ones; review the difference before committing it.

use std::fs;
use std::path::{Path, PathBuf};

use janua_config::{Diagnostics, Sources, parse};

fn fixtures(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(folder);
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    files
}

/// Parses under the bare file name, so that the diagnostics do not depend on the
/// location of the repository.
fn read(path: &Path) -> Result<Diagnostics, Diagnostics> {
    let name = path.file_name().unwrap();
    let sources = Sources::single(name, fs::read_to_string(path).unwrap());
    parse(sources).map(|loaded| loaded.warnings)
}

fn compare(path: &Path, said: &str) -> bool {
    let beside = path.with_extension("txt");
    if std::env::var_os("JANUA_BLESS").is_some() {
        fs::write(&beside, said).unwrap();
    }
    let expected = fs::read_to_string(&beside).unwrap_or_default();
    if expected != said {
        println!("{} is not what is said:\n{said}", beside.display());
    }
    expected == said
}

#[test]
fn refused_files_are_refused_in_these_words() {
    let mut same = true;
    for path in fixtures("refused") {
        let errors = read(&path).expect_err(&path.display().to_string());
        assert!(errors.has_errors(), "{}", path.display());
        same &= compare(&path, &errors.to_string());
    }
    assert!(same, "JANUA_BLESS=1 writes the fixtures anew");
}

#[test]
fn accepted_files_are_warned_about_in_these_words() {
    let mut same = true;
    for path in fixtures("accepted") {
        let warnings = read(&path).unwrap_or_else(|errors| panic!("{errors}"));
        same &= compare(&path, &warnings.to_string());
    }
    assert!(same, "JANUA_BLESS=1 writes the fixtures anew");
}

#[test]
fn json_counts_lines_and_columns_from_one() {
    let text = "[listeners.public]\naddress = \"*:80\"\ntls = \"on\"\n\"ü\" = 1\n";
    let errors = parse(Sources::single("a.toml", text)).unwrap_err();
    let json = serde_json::to_value(&errors).unwrap();
    let first = &json[0];
    assert_eq!(first["severity"], "error");
    assert_eq!(first["file"], "a.toml");
    assert_eq!(first["line"], 3);
    assert_eq!(first["column"], 7);
    assert_eq!(first["width"], 4);
    assert_eq!(first["text"], "tls = \"on\"");
    assert!(
        first["message"]
            .as_str()
            .unwrap()
            .contains("expected true or false")
    );
    assert_eq!(json.as_array().unwrap().len(), 1 + 1, "{json:#}");
}

/// What a route sets and adds fits into a head, beside what was received.
#[test]
fn a_route_does_not_edit_more_than_fits_into_a_head() {
    let file = |edits: &str| {
        format!(
            "[listeners.public]\naddress = \"*:80\"\n[[sites]]\nhosts = [\"*\"]\n\
             [[sites.routes]]\nrespond = {{}}\n[sites.routes.response_headers]\n{edits}\n"
        )
    };
    let set = (0..100).map(|n| format!("x-{n} = \"{n}\""));
    let set = set.collect::<Vec<_>>().join(", ");
    let add = |lines| vec!["\"1\""; lines].join(", ");
    let lines = |added| format!("set = {{ {set} }}\nadd = {{ x-a = [{}] }}", add(added));
    let text = |bytes| format!("set = {{ x-a = \"a\", x-b = \"{}\" }}", "b".repeat(bytes));
    for (edits, message) in [
        (lines(28), None),
        (lines(29), Some("at most 128 header fields")),
        (text(32 * 1024 - 1), None),
        (text(32 * 1024), Some("at most 32 KiB of text")),
    ] {
        let parsed = parse(Sources::single("a.toml", file(&edits)));
        let errors = parsed.err().map(|errors| errors.to_string());
        match message {
            None => assert_eq!(errors, None),
            Some(message) => assert!(errors.unwrap().contains(message), "{message}"),
        }
    }
}

#[test]
fn a_file_cannot_steer_the_terminal() {
    let text = "[listeners.\"\\u001b[2J\"]\naddress = \"x\"\n";
    let errors = parse(Sources::single("a\u{1b}[2J.toml", text)).unwrap_err();
    assert!(!errors.to_string().contains('\u{1b}'));
    assert!(errors.render(true).contains("\u{1b}[1;31merror"));
}

#[test]
fn the_caret_stands_under_what_is_meant() {
    let text = "[listeners.a]\n\taddress = [\"ä:80\", \"*:80\"]\n";
    let errors = parse(Sources::single("a.toml", text)).unwrap_err();
    let said = errors.to_string();
    let lines: Vec<_> = said.lines().collect();
    let at = lines
        .iter()
        .position(|line| line.contains("address ="))
        .unwrap();
    assert_eq!(lines[at + 1], "  | \t           ^^^^^^");
}
