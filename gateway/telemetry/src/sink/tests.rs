use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Destination, QUEUE, Sink};
use crate::metrics::Counter;

const PATIENCE: Duration = Duration::from_secs(10);

fn sink(path: &Path) -> (Sink, Arc<Counter>) {
    let dropped = Arc::new(Counter::new(1));
    let destination = Destination::File(path.to_owned());
    (
        Sink::open(destination, Arc::clone(&dropped)).unwrap(),
        dropped,
    )
}

#[test]
fn lines_are_appended_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, "before\n").unwrap();
    let (sink, dropped) = sink(&path);
    sink.send(b"one\ntwo\n".to_vec(), 2, 0);
    sink.send(b"three\n".to_vec(), 1, 0);
    assert!(sink.drain(PATIENCE));
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        "before\none\ntwo\nthree\n"
    );
    assert_eq!(dropped.value(), 0);
}

#[test]
fn a_new_file_is_not_world_readable() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("access.log");
    let _sink = sink(&path);
    let mode = fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o137, 0, "{mode:o}");
}

#[test]
fn a_missing_folder_is_an_error_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let destination = Destination::File(folder.path().join("none/access.log"));
    assert!(Sink::open(destination, Arc::new(Counter::new(1))).is_err());
}

#[test]
fn rotation_moves_to_the_new_file_even_if_nothing_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let (path, rotated) = (
        folder.path().join("access.log"),
        folder.path().join("access.log.1"),
    );
    let (sink, _) = sink(&path);
    sink.send(b"old\n".to_vec(), 1, 0);
    assert!(sink.drain(PATIENCE));
    fs::rename(&path, &rotated).unwrap();
    sink.reopen();
    let deadline = Instant::now() + PATIENCE;
    while !path.exists() {
        assert!(Instant::now() < deadline, "the file was not opened anew");
        std::thread::yield_now();
    }
    sink.send(b"new\n".to_vec(), 1, 0);
    assert!(sink.drain(PATIENCE));
    assert_eq!(fs::read_to_string(&rotated).unwrap(), "old\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
}

/// A named pipe that is not read stands for a destination that is blocked
/// forever.
#[test]
fn a_blocked_destination_loses_lines_but_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pipe");
    let made = std::process::Command::new("mkfifo")
        .arg(&path)
        .status()
        .unwrap();
    assert!(made.success());
    // Opened for reading and writing, so that neither open waits for the other
    // side.
    let mut reader = fs::File::options()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let (sink, dropped) = sink(&path);
    let mut batch = vec![b'x'; 256 * 1024];
    batch.push(b'\n');
    let sent = QUEUE as u64 + 50;
    // If sending could block, it would block forever here.
    for _ in 0..sent {
        sink.send(batch.clone(), 1, 0);
    }
    // The writer may hold one batch; the queue holds the others.
    let lost = dropped.value();
    assert!((49..=50).contains(&lost), "{lost} lines lost");
    assert!(
        !sink.drain(Duration::from_millis(20)),
        "nothing can be written"
    );

    // Once the pipe is read, the writer continues.
    let mut left = (sent - lost) as usize * batch.len();
    let mut buffer = vec![0; 1 << 20];
    while left > 0 {
        let read = reader.read(&mut buffer).unwrap();
        assert!(read > 0);
        left -= read;
    }
    assert!(sink.drain(PATIENCE));
    assert_eq!(dropped.value(), lost);
}

/// `/dev/full` fails every write: every line is lost and counted.
#[test]
fn a_full_disk_is_counted() {
    let (sink, dropped) = sink(Path::new("/dev/full"));
    sink.send(b"one\ntwo\n".to_vec(), 2, 0);
    assert!(sink.drain(PATIENCE));
    assert_eq!(dropped.value(), 2);
}
