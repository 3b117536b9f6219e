//! Files that list endpoints: what they say, and what they said when they could last be used.
//!
//! Somebody else writes them while the gateway runs, atomically or not. A file that is missing,
//! broken or too long changes nothing. Nothing that stands in its place, such as a pipe, can make
//! the reader wait.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use arc_swap::ArcSwap;
use janua_config::{EndpointAddress, LONGEST_LIST, ListedEndpoint, parse_endpoint_list};
use janua_upstream::{Address, EndpointSpec};
use rustix::fs::OFlags;

/// The longest error that is kept, in characters. It is logged and shown, and may quote the file.
const LONGEST_ERROR: usize = 500;

/// The files that snapshots use, by path.
#[derive(Debug, Default)]
pub struct EndpointFiles(Mutex<BTreeMap<PathBuf, Weak<EndpointFile>>>);

/// A file with endpoints of an upstream.
#[derive(Debug)]
pub(crate) struct EndpointFile {
    path: PathBuf,
    state: ArcSwap<FileState>,
    /// Held while the file is read, so that what is read later is stored later.
    reading: Mutex<()>,
}

/// What is known of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileState {
    /// The endpoints, of the last time that the file could be used.
    pub(crate) endpoints: Arc<[EndpointSpec]>,
    /// Why it cannot be used now, if it cannot.
    pub(crate) error: Option<String>,
}

impl EndpointFiles {
    /// The file at this path, read anew.
    pub(crate) fn read(&self, path: &Path) -> Arc<EndpointFile> {
        let file = {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.retain(|_, file| file.strong_count() > 0);
            match known.get(path).and_then(Weak::upgrade) {
                Some(file) => file,
                None => {
                    let file = Arc::new(EndpointFile::new(path));
                    known.insert(path.to_owned(), Arc::downgrade(&file));
                    file
                }
            }
        };
        file.read();
        file
    }

    /// Reads the files that snapshots use again, and logs what cannot be used.
    pub fn read_again(&self) {
        let known: Vec<Arc<EndpointFile>> = {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            known.values().filter_map(Weak::upgrade).collect()
        };
        for file in known {
            let before = file.state();
            let now = file.read();
            let path = file.path.display();
            match &now.error {
                Some(error) if before.error != now.error => tracing::warn!(
                    file = %path,
                    endpoints = now.endpoints.len(),
                    "a list of endpoints cannot be used, and what it said before stays: {error}"
                ),
                None if before.error.is_some() => {
                    tracing::info!(file = %path, "a list of endpoints can be used again");
                }
                _ => {}
            }
        }
    }
}

impl EndpointFile {
    fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            state: ArcSwap::default(),
            reading: Mutex::default(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is known.
    pub(crate) fn state(&self) -> Arc<FileState> {
        self.state.load_full()
    }

    /// Reads the file, and returns what is known from now on.
    fn read(&self) -> Arc<FileState> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.state();
        let (endpoints, error) = match listed(&self.path) {
            Ok(endpoints) => (endpoints.into(), None),
            Err(error) => (Arc::clone(&before.endpoints), Some(shortened(error))),
        };
        let now = Arc::new(FileState { endpoints, error });
        if now != before {
            self.state.store(Arc::clone(&now));
        }
        now
    }
}

/// The endpoints that a file lists.
///
/// # Errors
/// Why it cannot be used, on one line.
fn listed(path: &Path) -> Result<Vec<EndpointSpec>, String> {
    let text = text(path)?;
    let listed = parse_endpoint_list(path, &text).map_err(|found| {
        let first = found.lines().next().unwrap_or_default();
        match found.errors() {
            0 | 1 => first,
            more => format!("{first} (and {} more errors)", more - 1),
        }
    })?;
    Ok(listed.iter().filter_map(spec).collect())
}

fn shortened(mut error: String) -> String {
    if let Some((end, _)) = error.char_indices().nth(LONGEST_ERROR) {
        error.truncate(end);
        error.push('…');
    }
    error
}

/// The text of a file.
///
/// # Errors
/// Why it cannot be read.
fn text(path: &Path) -> Result<String, String> {
    let words = |error: std::io::Error| format!("{}: {error}", path.display());
    let no_file = || format!("{}: is no file", path.display());
    // Opening a device may do something: a watchdog restarts the machine.
    if !std::fs::metadata(path).map_err(words)?.is_file() {
        return Err(no_file());
    }
    // It may be replaced in between, and a pipe without a writer would block.
    let file = OpenOptions::new()
        .read(true)
        .custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
        .open(path)
        .map_err(words)?;
    if !file.metadata().map_err(words)?.is_file() {
        return Err(no_file());
    }
    let mut text = String::new();
    let length = file.take(LONGEST_LIST + 1).read_to_string(&mut text);
    if length.map_err(words)? as u64 > LONGEST_LIST {
        return Err(format!(
            "{}: is longer than {LONGEST_LIST} bytes",
            path.display()
        ));
    }
    Ok(text)
}

/// None for addresses that a list cannot have.
fn spec(endpoint: &ListedEndpoint) -> Option<EndpointSpec> {
    let address = match &endpoint.address.value {
        EndpointAddress::Socket(address) => Address::Ip(*address),
        EndpointAddress::Name { host, port } => Address::Name {
            host: host.clone(),
            port: *port,
        },
        EndpointAddress::Unix(_) | EndpointAddress::Srv(_) => return None,
    };
    Some(EndpointSpec {
        weight: endpoint.weight.get(),
        max_connections: endpoint.max_connections.map(std::num::NonZeroU32::get),
        backup: endpoint.backup,
        zone: endpoint.zone.clone(),
        ..EndpointSpec::new(address)
    })
}

#[cfg(test)]
mod tests;
