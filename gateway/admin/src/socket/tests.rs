use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;

use super::{BindError, SocketOptions, bind, group_in};

fn options(path: PathBuf) -> SocketOptions {
    SocketOptions {
        path,
        mode: 0o660,
        group: None,
    }
}

#[test]
fn the_socket_has_its_mode_and_its_folder_is_not_for_everybody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run/admin.sock");
    let bound = bind(&options(path.clone())).unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(path.clone()), 0o660);
    assert_eq!(mode(folder.path().join("run")), 0o700);
    assert!(UnixStream::connect(&path).is_ok());
    assert_eq!(fs::read_dir(folder.path().join("run")).unwrap().count(), 1);
    drop(bound);
    assert!(!path.exists());
}

#[test]
fn a_folder_that_is_there_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let _bound = bind(&options(folder.path().join("admin.sock"))).unwrap();
    let mode = fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o755);
}

/// The default path is below /run, which belongs to root: a user who starts the
/// gateway by hand must be told how to choose another.
#[test]
fn a_folder_that_must_not_be_made_says_what_to_write() {
    let refused = |doing| BindError::Io {
        doing,
        path: "/run/janua".into(),
        source: std::io::ErrorKind::PermissionDenied.into(),
    };
    let error = refused("make the folder");
    assert!(error.to_string().contains("/run/janua"), "{error}");
    assert!(error.is_about_the_path());
    for doing in [super::GIVE, super::READ_GROUPS] {
        assert!(!refused(doing).is_about_the_path(), "{doing}");
    }
    // EMFILE and similar errors have no `ErrorKind`.
    let busy = BindError::Io {
        doing: "make the admin socket",
        path: "/run/janua/admin.sock".into(),
        source: std::io::Error::other("Too many open files"),
    };
    assert!(!busy.is_about_the_path());
    assert!(!BindError::NoGroup("deploy".into()).is_about_the_path());
}

#[test]
fn the_group_is_set() {
    let folder = tempfile::tempdir().unwrap();
    // Any user may give a file to a group that the user belongs to.
    let own = fs::metadata(folder.path()).unwrap().gid();
    let path = folder.path().join("run/admin.sock");
    let group = Some(own.to_string());
    let _bound = bind(&SocketOptions {
        group,
        ..options(path.clone())
    })
    .unwrap();
    assert_eq!(fs::metadata(&path).unwrap().gid(), own);
    let parent = fs::metadata(folder.path().join("run")).unwrap();
    assert_eq!(parent.permissions().mode() & 0o777, 0o710);
}

#[test]
fn a_living_socket_is_refused_and_a_stale_one_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let living = UnixListener::bind(&path).unwrap();
    let refused = bind(&options(path.clone()));
    assert!(matches!(refused, Err(BindError::InUse(_))), "{refused:?}");
    assert!(UnixStream::connect(&path).is_ok(), "it was disturbed");
    drop(living);
    assert!(path.exists(), "std leaves the file behind");
    let _bound = bind(&options(path.clone())).unwrap();
    assert!(UnixStream::connect(&path).is_ok());
}

#[test]
fn a_file_in_its_place_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    fs::write(&path, "notes").unwrap();
    let refused = bind(&options(path.clone()));
    assert!(matches!(refused, Err(BindError::Occupied(_))));
    assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
}

#[test]
fn a_successor_in_its_place_is_not_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("admin.sock");
    let bound = bind(&options(path.clone())).unwrap();
    fs::remove_file(&path).unwrap();
    let _successor = UnixListener::bind(&path).unwrap();
    drop(bound);
    assert!(path.exists());
}

#[test]
fn a_path_that_cannot_be_says_so() {
    let long = PathBuf::from("/tmp").join("x".repeat(120));
    assert!(matches!(bind(&options(long)), Err(BindError::TooLong(_))));
    let folder = tempfile::tempdir().unwrap();
    let group = Some("no-such-group-here".to_owned());
    let refused = bind(&SocketOptions {
        group,
        ..options(folder.path().join("admin.sock"))
    });
    assert!(matches!(refused, Err(BindError::NoGroup(_))));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn groups_by_name() {
    let groups = "root:x:0:\nbroken\ndeploy:x:1042:anna,ben\nodd:x:y:\n";
    let table = [
        ("root", Some(0)),
        ("deploy", Some(1042)),
        ("odd", None),
        ("broken", None),
        ("dep", None),
        ("", None),
    ];
    for (name, id) in table {
        assert_eq!(group_in(groups, name), id, "{name}");
    }
}
