//! Creates and removes the admin socket in the file system.

use std::fmt;
use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{
    DirBuilderExt as _, FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown,
};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use socket2::{Domain, SockAddr, Socket, Type};

/// The path of the socket, and who may use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SocketOptions {
    /// The path; at most 100 bytes, so that the temporary name used while
    /// creating it also fits into a socket address.
    pub path: PathBuf,
    /// The permission bits; connecting requires write permission. 0o600 admits
    /// only the gateway's own user, 0o660 also the group.
    pub mode: u32,
    /// The group of the socket: a name in `/etc/group`, or a number.
    pub group: Option<String>,
}

/// Why the admin socket could not be created.
#[derive(Debug)]
pub enum BindError {
    /// Another gateway is running on this socket.
    InUse(PathBuf),
    /// The path exists and is not a socket; it is left unchanged.
    Occupied(PathBuf),
    /// The path does not fit into a socket address.
    TooLong(PathBuf),
    /// The group does not exist.
    NoGroup(String),
    /// A system call failed.
    Io {
        /// The operation that failed.
        doing: &'static str,
        /// The path concerned.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
}

/// A bound socket; dropping it removes its file, unless another socket has
/// replaced it.
#[derive(Debug)]
pub(crate) struct BoundSocket {
    pub(crate) listener: UnixListener,
    pub(crate) file: SocketFile,
}

#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    device_and_inode: (u64, u64),
}

const MAX_PATH: usize = 100;
/// An operation that would fail at every path.
const GIVE: &str = "give to its group";
/// Another one.
const READ_GROUPS: &str = "read";

/// Binds the socket under a temporary name, sets mode and group before it
/// listens, and renames it into place. Nobody can connect before the
/// permissions are set, and the socket of a dead gateway is replaced
/// atomically.
pub(crate) fn bind(options: &SocketOptions) -> Result<BoundSocket, BindError> {
    let path = &options.path;
    if path.as_os_str().len() > MAX_PATH {
        return Err(BindError::TooLong(path.clone()));
    }
    let group = options.group.as_deref().map(group_id).transpose()?;
    make_parent(path, group)?;
    refuse_living(path)?;

    let passing = path.with_extension(format!("{}", std::process::id()));
    let failed = |source| BindError::Io {
        doing: "make the admin socket",
        path: path.clone(),
        source,
    };
    // Errors name the final path, because the temporary one means nothing to
    // the operator.
    match fs::remove_file(&passing) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed(error));
        }
        _ => {}
    }
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    SockAddr::unix(&passing)
        .and_then(|address| socket.bind(&address))
        .map_err(failed)?;
    let placed = place(&socket, &passing, options, group);
    if placed.is_err() {
        let _ = fs::remove_file(&passing);
    }
    Ok(BoundSocket {
        listener: socket.into(),
        file: placed?,
    })
}

fn place(
    socket: &Socket,
    passing: &Path,
    options: &SocketOptions,
    group: Option<u32>,
) -> Result<SocketFile, BindError> {
    let path = &options.path;
    let step = |doing, done: io::Result<()>| {
        done.map_err(|source| BindError::Io {
            doing,
            path: path.clone(),
            source,
        })
    };
    if let Some(group) = group {
        step(GIVE, chown(passing, None, Some(group)))?;
    }
    step(
        "set the mode of",
        fs::set_permissions(passing, Permissions::from_mode(options.mode)),
    )?;
    step("listen on", socket.listen(64))?;
    step("set up", socket.set_nonblocking(true))?;
    let metadata = fs::symlink_metadata(passing).map_err(|source| BindError::Io {
        doing: "look at",
        path: path.clone(),
        source,
    })?;
    step("put into place", fs::rename(passing, path))?;
    Ok(SocketFile {
        path: path.clone(),
        device_and_inode: (metadata.dev(), metadata.ino()),
    })
}

/// A missing folder is created for the owner only; the group may enter it if
/// the socket belongs to the group. An existing folder is left unchanged.
fn make_parent(path: &Path, group: Option<u32>) -> Result<(), BindError> {
    let Some(parent) = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
    else {
        return Ok(());
    };
    if parent.is_dir() {
        return Ok(());
    }
    let mode = if group.is_some() { 0o710 } else { 0o700 };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(parent)
        .and_then(|()| match group {
            Some(group) => chown(parent, None, Some(group)),
            None => Ok(()),
        })
        .map_err(|source| BindError::Io {
            doing: "make the folder",
            path: parent.to_owned(),
            source,
        })
}

/// Ok if the path is free, or is a socket on which nothing listens.
fn refuse_living(path: &Path) -> Result<(), BindError> {
    let failed = |source| BindError::Io {
        doing: "look at",
        path: path.to_owned(),
        source,
    };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
        Ok(metadata) if !metadata.file_type().is_socket() => {
            return Err(BindError::Occupied(path.to_owned()));
        }
        Ok(_) => {}
    }
    match UnixStream::connect(path) {
        // A full accept queue also means that a process listens.
        Ok(_) => Err(BindError::InUse(path.to_owned())),
        Err(error) => match error.kind() {
            io::ErrorKind::WouldBlock => Err(BindError::InUse(path.to_owned())),
            io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => Ok(()),
            _ => Err(failed(error)),
        },
    }
}

/// Parses a number, or finds a name in `/etc/group`. The name service switch
/// would need libc's resolver, which is not thread-safe and missing in a static
/// binary; groups of a directory service must be given by number.
fn group_id(group: &str) -> Result<u32, BindError> {
    if let Ok(id) = group.parse() {
        return Ok(id);
    }
    let path = Path::new("/etc/group");
    let groups = fs::read_to_string(path).map_err(|source| BindError::Io {
        doing: READ_GROUPS,
        path: path.to_owned(),
        source,
    })?;
    group_in(&groups, group).ok_or_else(|| BindError::NoGroup(group.to_owned()))
}

/// The id of a group in a file with the format of `/etc/group`:
/// `name:password:id:members`.
fn group_in(groups: &str, group: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut columns = line.split(':');
        (columns.next() == Some(group))
            .then(|| columns.nth(1)?.parse().ok())
            .flatten()
    })
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let ours = fs::symlink_metadata(&self.path)
            .is_ok_and(|file| (file.dev(), file.ino()) == self.device_and_inode);
        if ours {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl BoundSocket {
    pub(crate) fn path(&self) -> &Path {
        &self.file.path
    }
}

impl BindError {
    /// Whether a different path could solve the problem. The caller who chose
    /// the path knows how to choose another.
    #[must_use]
    pub fn is_about_the_path(&self) -> bool {
        match self {
            BindError::InUse(_) | BindError::Occupied(_) | BindError::TooLong(_) => true,
            BindError::NoGroup(_) => false,
            BindError::Io { doing, .. } if [GIVE, READ_GROUPS].contains(doing) => false,
            // Other errors, such as too many open files, would occur at every
            // path.
            BindError::Io { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::PermissionDenied
                    | io::ErrorKind::NotFound
                    | io::ErrorKind::AlreadyExists
                    | io::ErrorKind::NotADirectory
                    | io::ErrorKind::IsADirectory
                    | io::ErrorKind::ReadOnlyFilesystem
                    | io::ErrorKind::StorageFull
                    | io::ErrorKind::QuotaExceeded
                    | io::ErrorKind::InvalidInput
                    | io::ErrorKind::InvalidFilename
                    | io::ErrorKind::Unsupported
            ),
        }
    }
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BindError::InUse(path) => write!(
                f,
                "another gateway answers on {}: stop it, or give this one a socket of its own",
                path.display()
            ),
            BindError::Occupied(path) => write!(
                f,
                "{} is there and is no socket: move it away, or give the socket another path",
                path.display()
            ),
            BindError::TooLong(path) => write!(
                f,
                "the admin socket's path is longer than {MAX_PATH} bytes: {}",
                path.display()
            ),
            BindError::NoGroup(group) => write!(
                f,
                "there is no group {group} in /etc/group; name another, or give its number"
            ),
            BindError::Io {
                doing,
                path,
                source,
            } => write!(f, "cannot {doing} {}: {source}", path.display()),
        }
    }
}

impl std::error::Error for BindError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            BindError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
