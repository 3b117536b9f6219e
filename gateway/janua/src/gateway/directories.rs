//! The directories in which the gateway keeps files of its own.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

use janua_config::Server;

/// What the directories depend on beside the configuration.
struct Surroundings<'a> {
    /// The value of an environment variable.
    variable: &'a dyn Fn(&str) -> Option<OsString>,
    is_root: bool,
}

/// A kind of files, and where the system expects them.
struct Kind {
    /// The variable in which systemd passes what its unit reserves.
    systemd: &'static str,
    /// The variable of the XDG Base Directory Specification.
    xdg: &'static str,
    for_root: &'static str,
    below_home: &'static str,
}

const STATE: Kind = Kind {
    systemd: "STATE_DIRECTORY",
    xdg: "XDG_STATE_HOME",
    for_root: "/var/lib/janua",
    below_home: ".local/state/janua",
};
const CACHE: Kind = Kind {
    systemd: "CACHE_DIRECTORY",
    xdg: "XDG_CACHE_HOME",
    for_root: "/var/cache/janua",
    below_home: ".cache/janua",
};

/// The directory of what must last: private keys and certificates.
pub(super) fn state(server: &Server) -> PathBuf {
    configured_state(server)
        .or_else(|| Surroundings::of_process().directory(&STATE))
        .unwrap_or_else(|| PathBuf::from("."))
}

/// The directory of what may be lost: compiled components. None if there is no place for it, so
/// that they are compiled at each start.
pub(super) fn cache(server: &Server) -> Option<PathBuf> {
    configured_cache(server).or_else(|| Surroundings::of_process().directory(&CACHE))
}

fn configured_state(server: &Server) -> Option<PathBuf> {
    let directory = server.state_dir.as_ref()?;
    Some(directory.value.clone())
}

/// Whoever moves the state elsewhere wants nothing of the gateway in the usual places.
fn configured_cache(server: &Server) -> Option<PathBuf> {
    match &server.cache_dir {
        Some(directory) => Some(directory.value.clone()),
        None => configured_state(server).map(|state| state.join("cache")),
    }
}

impl Surroundings<'_> {
    fn of_process() -> Self {
        Self {
            variable: &|name| std::env::var_os(name),
            is_root: rustix::process::geteuid().is_root(),
        }
    }

    fn directory(&self, kind: &Kind) -> Option<PathBuf> {
        let variable = |name| (self.variable)(name).filter(|value| !value.is_empty());
        if let Some(reserved) = variable(kind.systemd) {
            return Some(first(&reserved));
        }
        if let Some(base) = variable(kind.xdg) {
            return Some(Path::new(&base).join("janua"));
        }
        if self.is_root {
            return Some(PathBuf::from(kind.for_root));
        }
        variable("HOME").map(|home| Path::new(&home).join(kind.below_home))
    }
}

/// The first of the directories that systemd separates by colons.
fn first(directories: &OsString) -> PathBuf {
    let bytes = directories.as_bytes();
    let first = bytes.split(|&byte| byte == b':').next();
    OsString::from_vec(first.unwrap_or_default().to_vec()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_the_system_expects_them() {
        type Variables = &'static [(&'static str, &'static str)];
        let table: [(Variables, bool, Option<&str>, Option<&str>); 6] = [
            (&[], true, Some("/var/lib/janua"), Some("/var/cache/janua")),
            (
                &[("HOME", "/home/ann")],
                false,
                Some("/home/ann/.local/state/janua"),
                Some("/home/ann/.cache/janua"),
            ),
            (
                &[("XDG_STATE_HOME", "/s"), ("XDG_CACHE_HOME", "/c")],
                true,
                Some("/s/janua"),
                Some("/c/janua"),
            ),
            (
                &[
                    ("STATE_DIRECTORY", "/var/lib/janua:/var/lib/other"),
                    ("CACHE_DIRECTORY", "/var/cache/janua"),
                    ("XDG_CACHE_HOME", "/c"),
                    ("HOME", "/home/janua"),
                ],
                false,
                Some("/var/lib/janua"),
                Some("/var/cache/janua"),
            ),
            (
                &[("XDG_STATE_HOME", ""), ("HOME", "/h")],
                false,
                Some("/h/.local/state/janua"),
                Some("/h/.cache/janua"),
            ),
            (&[], false, None, None),
        ];
        for (variables, is_root, state, cache) in table {
            let variable = |name: &str| {
                let found = variables.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| OsString::from(value))
            };
            let surroundings = Surroundings {
                variable: &variable,
                is_root,
            };
            let path = |path: Option<&str>| path.map(PathBuf::from);
            assert_eq!(surroundings.directory(&STATE), path(state), "{variables:?}");
            assert_eq!(surroundings.directory(&CACHE), path(cache), "{variables:?}");
        }
    }
}
