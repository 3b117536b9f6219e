//! The writer of the access log, from the configuration.

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use janua_config::{AccessFormat, AccessPath, Diagnostic, Log};
use janua_telemetry::access_log::Format;
use janua_telemetry::metrics::{Registry, definitions};
use janua_telemetry::sink::{Destination, Sink};
use rustix::fs::{Access, access};

/// The destination of the access log; none if the log is off.
pub(super) struct AccessLogSink {
    sink: Option<Sink>,
    format: Format,
}

impl AccessLogSink {
    /// Opens the destination.
    ///
    /// # Errors
    /// If the file cannot be opened, at the position of its name.
    pub(super) fn open(log: &Log, registry: &Arc<Registry>) -> Result<Self, Diagnostic> {
        let destination = match &log.access.path.value {
            AccessPath::Stdout => Some(Destination::Stdout),
            AccessPath::Stderr => Some(Destination::Stderr),
            AccessPath::File(path) => Some(Destination::File(path.clone())),
            AccessPath::Off => None,
        };
        let dropped = registry.counter(&definitions::LOG_DROPPED, []);
        Ok(Self {
            sink: destination
                .map(|destination| Sink::open(destination, dropped))
                .transpose()
                .map_err(|error| refused(log, &error))?,
            format: match log.access.format {
                AccessFormat::Json => Format::Json,
                AccessFormat::Text => Format::Text,
            },
        })
    }

    pub(super) fn destination(&self) -> Option<(&Sink, Format)> {
        self.sink.as_ref().map(|sink| (sink, self.format))
    }

    pub(super) fn reopen(&self) {
        if let Some(sink) = &self.sink {
            sink.reopen();
        }
    }

    pub(super) fn drain(&self) {
        if let Some(sink) = &self.sink {
            let _ = sink.drain(Duration::from_secs(2));
        }
    }
}

/// Checks whether the access log could be opened for writing, without creating
/// its file.
pub(super) fn check(log: &Log) -> Option<Diagnostic> {
    let AccessPath::File(path) = &log.access.path.value else {
        return None;
    };
    writable(path).err().map(|error| refused(log, &error))
}

fn writable(path: &Path) -> io::Result<()> {
    match fs::metadata(path) {
        // The file may be a pipe without a reader, which would block when
        // opened.
        Ok(found) if !found.is_dir() => Ok(access(path, Access::WRITE_OK)?),
        Ok(_) => Err(io::ErrorKind::IsADirectory.into()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let folder = folder(path);
            match fs::metadata(folder)?.is_dir() {
                true => Ok(access(folder, Access::WRITE_OK | Access::EXEC_OK)?),
                false => Err(io::ErrorKind::NotADirectory.into()),
            }
        }
        Err(error) => Err(error),
    }
}

/// The directory of a file; for a bare name, the working directory.
fn folder(path: &Path) -> &Path {
    let parent = path.parent().unwrap_or_else(|| Path::new("/"));
    match parent.as_os_str().is_empty() {
        true => Path::new("."),
        false => parent,
    }
}

fn refused(log: &Log, error: &io::Error) -> Diagnostic {
    let place = &log.access.path;
    let AccessPath::File(path) = &place.value else {
        return Diagnostic::error(
            place.span,
            format!("the access log cannot be started: {error}"),
        );
    };
    let directory = folder(path).display();
    let help = match error.kind() {
        io::ErrorKind::NotFound => format!("make the directory {directory}, or name another file"),
        io::ErrorKind::IsADirectory => "name a file in it, such as \"access.log\"".to_owned(),
        io::ErrorKind::PermissionDenied => {
            format!("let the gateway's user write to it and to {directory}, or name another file")
        }
        _ => "name another file, or \"stdout\"".to_owned(),
    };
    let why = match error.kind() {
        io::ErrorKind::NotFound => "its directory does not exist".to_owned(),
        io::ErrorKind::IsADirectory => "it is a directory".to_owned(),
        io::ErrorKind::NotADirectory => "a part of the path is not a directory".to_owned(),
        _ => error.to_string(),
    };
    let path = path.display();
    Diagnostic::error(
        place.span,
        format!("the access log {path} cannot be opened for writing: {why}"),
    )
    .help(help)
}

/// Whether both have the same destination and format.
pub(super) fn is_same(one: &Log, other: &Log) -> bool {
    one.access.path.value == other.access.path.value && one.access.format == other.access.format
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::ErrorKind;

    use super::writable;

    #[test]
    fn what_can_be_written_to_is_told_without_making_it() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("old.log"), "a line\n").unwrap();
        let table = [
            ("old.log", None),
            ("new.log", None),
            ("", Some(ErrorKind::IsADirectory)),
            ("none/access.log", Some(ErrorKind::NotFound)),
            ("old.log/access.log", Some(ErrorKind::NotADirectory)),
        ];
        for (name, error) in table {
            let path = at(name);
            let found = writable(&path).err().map(|error| error.kind());
            assert_eq!(found, error, "{name}");
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(at("old.log")).unwrap(), "a line\n");
    }
}
