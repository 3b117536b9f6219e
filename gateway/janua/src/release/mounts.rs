//! Finds mount points within a directory. They would be moved with the
//! directory, and the files on them would be removed with it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// The first mount point at or below a directory, as far as the system reports
/// them. The path must contain no symbolic links.
pub(super) fn within(directory: &Path) -> Option<PathBuf> {
    let table = fs::read("/proc/self/mountinfo").ok()?;
    first(&table, directory)
}

/// See proc_pid_mountinfo(5): the fifth field of a line is the mount point.
fn first(table: &[u8], directory: &Path) -> Option<PathBuf> {
    let lines = table.split(|&byte| byte == b'\n');
    let places = lines.filter_map(|line| line.split(|&byte| byte == b' ').nth(4));
    places
        .map(unescape)
        .find(|place| place.starts_with(directory))
}

/// Space, tab, line feed and backslash are written as octal escapes.
fn unescape(field: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&byte, behind)) = rest.split_first() {
        let octal = behind
            .get(..3)
            .filter(|_| byte == b'\\')
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match octal {
            Some(value) => {
                bytes.push(value);
                rest = behind.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(byte);
                rest = behind;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mounted_within() {
        let table = b"22 1 8:1 / / rw shared:1 - ext4 /dev/a rw\n\
            30 22 8:2 / /srv/app/uploads rw - ext4 /dev/b rw\n\
            31 22 8:3 / /srv/my\\040app/a\\134b rw - ext4 /dev/c rw\n\
            32 22 8:4 / /srv/whole rw - ext4 /dev/d rw\n\
            short\n";
        for (directory, expected) in [
            ("/srv/app", Some("/srv/app/uploads")),
            ("/srv/ap", None),
            ("/srv/app/assets", None),
            ("/srv/my app", Some("/srv/my app/a\\b")),
            ("/srv/whole", Some("/srv/whole")),
            ("/home", None),
        ] {
            let found = first(table, Path::new(directory));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{directory}");
        }
    }
}
