use std::fs;
use std::num::NonZeroU32;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;

use super::{MOST, text, write};
use crate::container::Endpoint;

fn endpoint(address: &str) -> Endpoint {
    Endpoint {
        address: address.parse().unwrap(),
        weight: NonZeroU32::MIN,
        backup: false,
        id: Some("shop-app-1".to_owned()),
    }
}

#[test]
fn a_gateway_reads_what_is_written() {
    let mut special = endpoint("[fd00::3]:80");
    special.weight = NonZeroU32::new(7).unwrap();
    special.backup = true;
    special.id = None;
    let endpoints = [endpoint("172.18.0.3:8080"), special];
    for file in ["app.toml", "app.json", "app"] {
        let path = Path::new(file);
        let read = janua_config::parse_endpoint_list(path, &text(path, &endpoints));
        let read = read.unwrap_or_else(|found| panic!("{}", found.render(false)));
        let addresses: Vec<_> = read.iter().map(|it| it.address.to_string()).collect();
        assert_eq!(addresses, ["172.18.0.3:8080", "[fd00::3]:80"], "{file}");
        let weights: Vec<_> = read.iter().map(|it| it.weight.get()).collect();
        assert_eq!(weights, [1, 7]);
        let backups: Vec<_> = read.iter().map(|it| it.backup).collect();
        assert_eq!(backups, [false, true]);
        assert_eq!(read[0].id.as_deref(), Some("shop-app-1"));
        let none = janua_config::parse_endpoint_list(path, &text(path, &[]));
        assert!(none.unwrap().is_empty(), "{file}");
    }
}

#[test]
fn a_list_is_never_longer_than_a_gateway_accepts() {
    let many: Vec<_> = (0..MOST + 5)
        .map(|at| endpoint(&format!("10.0.{}.{}:80", at / 250, at % 250)))
        .collect();
    let path = Path::new("app.toml");
    let read = janua_config::parse_endpoint_list(path, &text(path, &many));
    assert_eq!(read.unwrap().len(), janua_config::MOST_LISTED);
}

#[test]
fn a_file_is_replaced_in_one_step_and_only_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.toml");
    // Left over from a process that was killed.
    fs::write(folder.path().join(".app.toml.tmp"), "half").unwrap();
    assert!(write(&path, "one").unwrap());
    assert_eq!(fs::read_to_string(&path).unwrap(), "one");
    let first = fs::metadata(&path).unwrap();
    assert_eq!(first.permissions().mode() & 0o777, 0o644);
    assert!(!write(&path, "one").unwrap());
    assert_eq!(
        fs::metadata(&path).unwrap().ino(),
        first.ino(),
        "it was left alone"
    );
    assert!(write(&path, "two").unwrap());
    assert_ne!(
        fs::metadata(&path).unwrap().ino(),
        first.ino(),
        "it is another file"
    );
    let names = fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names.map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["app.toml"]);

    // A link is replaced, and not what it leads to.
    let other = folder.path().join("other");
    fs::write(&other, "other").unwrap();
    let link = folder.path().join("link.toml");
    symlink(&other, &link).unwrap();
    assert!(write(&link, "two").unwrap());
    assert_eq!(fs::read_to_string(&other).unwrap(), "other");
    assert!(!fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn what_cannot_be_written_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing/app.toml");
    write(&path, "one").unwrap_err();
    // A directory in its place.
    let path = folder.path().join("app.toml");
    fs::create_dir(&path).unwrap();
    write(&path, "one").unwrap_err();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    write(Path::new("/"), "one").unwrap_err();
}
