use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode};

use super::{EndpointFile, EndpointFiles};

fn addresses(file: &EndpointFile) -> Vec<String> {
    let state = file.state();
    state
        .endpoints
        .iter()
        .map(|it| it.address.to_string())
        .collect()
}

/// Reads the files again. True if the file has another list than before.
fn again(files: &EndpointFiles, file: &EndpointFile) -> bool {
    let before = addresses(file);
    files.read_again();
    addresses(file) != before
}

fn error(file: &EndpointFile) -> String {
    file.state().error.clone().unwrap_or_default()
}

fn pipe(path: &Path) {
    rustix::fs::mknodat(CWD, path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
}

#[test]
fn what_cannot_be_used_leaves_what_was_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.toml");
    let files = EndpointFiles::default();
    let file = files.read(&path);
    assert!(addresses(&file).is_empty());
    assert!(error(&file).contains("No such file"), "{}", error(&file));

    fs::write(&path, "endpoints = [\"10.0.0.1:80\"]").unwrap();
    assert!(again(&files, &file));
    assert_eq!(addresses(&file), ["10.0.0.1:80"]);
    assert_eq!(error(&file), "");
    assert!(!again(&files, &file), "nothing has changed");

    fs::write(&path, "endpoints = [\"10.0.0.2:80\",\n\"10.0.0").unwrap();
    assert!(!again(&files, &file));
    assert_eq!(addresses(&file), ["10.0.0.1:80"]);
    assert!(error(&file).contains("app.toml:2:"), "{}", error(&file));

    fs::write(&path, [0xff; 8]).unwrap();
    assert!(!again(&files, &file));
    assert!(error(&file).contains("UTF-8"), "{}", error(&file));

    fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
    assert!(!again(&files, &file));
    assert!(error(&file).contains("is longer than 1048576 bytes"));

    // An error may quote the file, which is neither logged nor shown as a whole.
    fs::write(&path, format!("endpoints = [\"{}\"]", "é".repeat(100_000))).unwrap();
    assert!(!again(&files, &file));
    let said = error(&file);
    assert!(
        said.contains("app.toml:1:") && said.ends_with("é…"),
        "{said}"
    );
    assert!(said.chars().count() < 600, "{said}");

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(!again(&files, &file));
    assert!(error(&file).contains("is no file"), "{}", error(&file));

    fs::remove_dir(&path).unwrap();
    symlink("app.toml", &path).unwrap();
    assert!(!again(&files, &file));
    assert_eq!(addresses(&file), ["10.0.0.1:80"]);

    fs::remove_file(&path).unwrap();
    fs::write(folder.path().join("real"), "endpoints = []").unwrap();
    symlink("real", &path).unwrap();
    assert!(again(&files, &file), "an empty list is a list");
    assert!(addresses(&file).is_empty());
    assert_eq!(error(&file), "");
}

#[test]
fn nothing_in_its_place_makes_the_reader_wait() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    pipe(&path);
    let files = EndpointFiles::default();
    for path in [&*path, Path::new("/dev/zero"), Path::new("/dev/null")] {
        let file = files.read(path);
        assert!(error(&file).contains("is no file"), "{}", error(&file));
    }
}

#[test]
fn a_file_is_known_as_long_as_somebody_uses_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.json");
    fs::write(&path, "[\"10.0.0.1:80\"]").unwrap();
    let files = EndpointFiles::default();
    let file = files.read(&path);
    assert!(std::sync::Arc::ptr_eq(&file, &files.read(&path)));
    drop(file);
    fs::write(&path, "[\"10.0.0.2:80\"]").unwrap();
    assert_eq!(addresses(&files.read(&path)), ["10.0.0.2:80"]);
}
