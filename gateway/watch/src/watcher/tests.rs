//! With real files and events: the tests wait for conditions.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

/// How long a change may take; a test that passes waits for less.
const PATIENT: Duration = Duration::from_secs(20);

const TIMING: Timing = Timing {
    poll: Duration::from_millis(50),
    patience: Duration::from_millis(100),
    most: None,
};

/// A folder, and a watcher that reports what it is called with.
struct Fixture {
    folder: tempfile::TempDir,
    watcher: Watcher,
    changes: Receiver<(Vec<String>, bool)>,
}

/// The subscriber cannot use a change of this file.
const UNUSABLE: &str = "unusable";

impl Fixture {
    fn new(events: fn(Receive) -> Events) -> Self {
        let (sender, changes) = mpsc::channel();
        let react = move |change: &Change| {
            let name = |file: &ChangedFile| {
                let name = file.path.file_name().unwrap().to_str().unwrap().to_owned();
                match file.is_missing {
                    true => format!("-{name}"),
                    false => name,
                }
            };
            let names: Vec<String> = change.files.iter().map(name).collect();
            let incomplete = change.again || names.iter().any(|name| name == UNUSABLE);
            let _ = sender.send((names, change.again));
            Reaction {
                seen: None,
                incomplete,
            }
        };
        Self {
            folder: tempfile::tempdir().unwrap(),
            watcher: Watcher::start_with(react, TIMING, events).unwrap(),
            changes,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    fn list(&self, names: &[&str]) -> WatchList {
        let mut list = WatchList::default();
        for name in names {
            list.add(self.path(name), FileKind::Reference);
        }
        list
    }

    /// Watches files, and waits until they are watched.
    fn watch(&self, names: &[&str]) {
        let seen = Seen::of(self.list(names), &Sources::default());
        self.watcher.watch(seen);
        self.wait_until(|summary| summary.files == names.len());
    }

    fn wait_until(&self, is_so: impl Fn(Summary) -> bool) {
        let begin = Instant::now();
        while !is_so(self.watcher.summary()) {
            assert!(begin.elapsed() < PATIENT, "{:?}", self.watcher.summary());
            std::thread::yield_now();
        }
    }

    fn change(&self) -> (Vec<String>, bool) {
        self.changes.recv_timeout(PATIENT).expect("a change")
    }

    /// The next change must be of these files.
    fn expect(&self, names: &[&str]) {
        assert_eq!(
            self.change(),
            (names.iter().map(|&name| name.into()).collect(), false)
        );
    }

    /// A change that is noticed after all that has happened so far: nothing else was.
    fn expect_nothing_before(&self, name: &str) {
        self.write(name, &format!("{:?}", Instant::now()));
        self.expect(&[name]);
    }
}

fn replace(path: &Path, content: &str) {
    let new = path.with_extension("new");
    fs::write(&new, content).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn a_changed_content_is_noticed_however_it_is_made() {
    let fixture = Fixture::new(Events::start);
    fixture.write("a", "1");
    fixture.write("last", "");
    fixture.watch(&["a", "last", "later"]);
    fixture.write("a", "2");
    fixture.expect(&["a"]);
    replace(&fixture.path("a"), "3");
    fixture.expect(&["a"]);
    fs::remove_file(fixture.path("a")).unwrap();
    fixture.expect(&["-a"]);
    fixture.write("later", "");
    fixture.expect(&["later"]);
    // The same content is none.
    fixture.write("later", "");
    replace(&fixture.path("later"), "");
    fixture.write("unrelated", "");
    fixture.expect_nothing_before("last");
}

#[test]
fn links_are_followed_to_wherever_they_lead() {
    let fixture = Fixture::new(Events::start);
    for version in ["v1", "v2"] {
        fs::create_dir(fixture.path(version)).unwrap();
        fixture.write(&format!("{version}/file"), version);
    }
    symlink("v1", fixture.path("..data")).unwrap();
    symlink("..data/file", fixture.path("file")).unwrap();
    fixture.watch(&["file"]);
    let swap = |target: &str| {
        symlink(target, fixture.path("..data_tmp")).unwrap();
        fs::rename(fixture.path("..data_tmp"), fixture.path("..data")).unwrap();
    };
    swap("v2");
    fixture.expect(&["file"]);
    // And then in the directory that they lead to now.
    fixture.write("v2/file", "edited");
    fixture.expect(&["file"]);
    fs::remove_dir_all(fixture.path("v1")).unwrap();
    swap("v3");
    fixture.expect(&["-file"]);
    fs::create_dir(fixture.path("v3")).unwrap();
    fixture.write("v3/file", "v3");
    fixture.expect(&["file"]);
}

#[test]
fn a_directory_may_be_replaced_or_come_later() {
    let fixture = Fixture::new(Events::start);
    fs::create_dir_all(fixture.path("new/below")).unwrap();
    fixture.write("new/below/file", "1");
    fixture.watch(&["directory/below/file"]);
    fs::rename(fixture.path("new"), fixture.path("directory")).unwrap();
    fixture.expect(&["file"]);
    fs::create_dir_all(fixture.path("next")).unwrap();
    fixture.write("next/file", "2");
    fs::rename(fixture.path("directory/below"), fixture.path("old")).unwrap();
    fs::rename(fixture.path("next"), fixture.path("directory/below")).unwrap();
    fixture.expect(&["file"]);
    fixture.write("directory/below/file", "3");
    fixture.expect(&["file"]);
}

#[test]
fn what_has_changed_before_it_was_watched_is_noticed() {
    let fixture = Fixture::new(Events::start);
    fixture.write("a", "1");
    let seen = Seen::of(fixture.list(&["a"]), &Sources::default());
    fixture.write("a", "2");
    fixture.watcher.watch(seen);
    fixture.expect(&["a"]);
}

#[test]
fn an_incomplete_change_is_tried_once_more() {
    let fixture = Fixture::new(Events::start);
    fixture.watch(&[UNUSABLE, "last"]);
    fixture.write(UNUSABLE, "1");
    fixture.expect(&[UNUSABLE]);
    assert_eq!(fixture.change(), (vec![], true));
    // It is not repeated for ever.
    fixture.expect_nothing_before("last");
}

#[test]
fn nothing_is_watched_any_more() {
    let fixture = Fixture::new(Events::start);
    fixture.watch(&["a", "last"]);
    fixture.watcher.watch(Seen::default());
    fixture.wait_until(|summary| summary == Summary::default());
    fixture.write("a", "1");
    fixture.watch(&["last"]);
    fixture.expect_nothing_before("last");
}

#[test]
fn without_events_files_are_looked_at() {
    let fixture = Fixture::new(|_| Events::none());
    fixture.write("a", "1");
    fixture.watch(&["a", "later"]);
    fixture.wait_until(|summary| summary.polled == 2 && summary.directories == 0);
    replace(&fixture.path("a"), "22");
    fixture.expect(&["a"]);
    fixture.write("later", "");
    fixture.expect(&["later"]);
}
