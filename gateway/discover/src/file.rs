//! Writes a list of endpoints, in one step: whoever reads it meanwhile has the old one or the new
//! one, and after a crash of the machine one of them is there.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::container::Endpoint;

/// The most endpoints that a gateway accepts in a list.
pub(crate) const MOST: usize = 1_000;

/// What may be read by everybody: addresses.
const MODE: u32 = 0o644;

/// The text of a list, in JSON if the file's name says so, otherwise in TOML.
pub(crate) fn text(path: &Path, endpoints: &[Endpoint]) -> String {
    let listed = endpoints.iter().take(MOST).map(fields);
    if path.extension().is_some_and(|it| it == "json") {
        let list = Value::Array(listed.map(Value::Object).collect());
        return format!("{list:#}\n");
    }
    let mut text =
        "# Written by `janua discover`, which replaces it at the next change.\n".to_owned();
    if endpoints.is_empty() {
        text.push_str("endpoints = []\n");
    }
    for fields in listed {
        text.push_str("\n[[endpoints]]\n");
        for (name, value) in fields {
            // Words, numbers, and strings without anything to be escaped are the same in JSON.
            text.push_str(&format!("{name} = {value}\n"));
        }
    }
    text
}

fn fields(endpoint: &Endpoint) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("address".to_owned(), endpoint.address.to_string().into());
    fields.insert("weight".to_owned(), endpoint.weight.get().into());
    fields.insert("backup".to_owned(), endpoint.backup.into());
    if let Some(id) = &endpoint.id {
        fields.insert("id".to_owned(), id.as_str().into());
    }
    fields
}

/// Replaces a file, unless it has this text already. True if it was replaced.
///
/// # Errors
/// It cannot be written; the old one is there then.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<bool> {
    if has(path, text) {
        return Ok(false);
    }
    let beside = beside(path)?;
    // Left over from a process that was killed.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = replace(path, &beside, text);
    if written.is_err() {
        let _ = fs::remove_file(&beside);
    }
    written.map(|()| true)
}

fn replace(path: &Path, beside: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(MODE)
        .open(beside)?;
    // The mode that was asked for may have been reduced by the umask.
    file.set_permissions(Permissions::from_mode(MODE))?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(beside, path)?;
    File::open(directory(path))?.sync_all()
}

/// Whether the file has this text.
fn has(path: &Path, text: &str) -> bool {
    // A pipe would block.
    if !fs::metadata(path).is_ok_and(|it| it.is_file() && it.len() == text.len() as u64) {
        return false;
    }
    let mut found = Vec::new();
    let read = File::open(path).and_then(|file| {
        let most = text.len() as u64 + 1;
        file.take(most).read_to_end(&mut found)
    });
    read.is_ok() && found == text.as_bytes()
}

fn beside(path: &Path) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
    let name = name.to_string_lossy();
    Ok(directory(path).join(format!(".{name}.tmp")))
}

fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
