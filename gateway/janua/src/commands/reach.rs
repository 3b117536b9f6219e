//! Finds the admin socket of a running gateway.

use std::fs;
use std::path::{Path, PathBuf};

use janua_admin::Client;
use toml::de::{DeTable, DeValue};

use super::Output;
use crate::cli::Reach;

/// The default path of the socket.
const SOCKET: &str = "/run/janua/admin.sock";

/// The default configuration file, which is used if it exists.
const CONFIG: &str = "janua.toml";

/// A client for the running gateway that the options select.
pub(super) fn client(reach: &Reach) -> Result<Client, Output> {
    let socket = match (&reach.admin, &reach.config) {
        (Some(socket), _) => socket.clone(),
        (None, Some(config)) => configured(config)?,
        (None, None) if Path::new(CONFIG).exists() => configured(Path::new(CONFIG))?,
        (None, None) => PathBuf::from(SOCKET),
    };
    Ok(Client::new(socket))
}

/// The socket that a configuration names. The gateway may run with an earlier
/// version of the file that was valid, so other errors in the file must not
/// prevent commands.
fn configured(config: &Path) -> Result<PathBuf, Output> {
    if let Ok(loaded) = janua_config::load(config) {
        return Ok(loaded.config.admin.socket.value);
    }
    let text = fs::read_to_string(config).map_err(|error| {
        let config = config.display();
        Output::failure(format!(
            "cannot read {config}: {error}; use --admin to name the socket"
        ))
    })?;
    let folder = config.parent().unwrap_or_else(|| Path::new(""));
    // Invalid TOML is read as far as possible.
    let (document, _) = DeTable::parse_recoverable(&text);
    let socket = match document.get_ref().get("admin").map(|admin| admin.get_ref()) {
        Some(DeValue::Table(admin)) => match admin.get("socket").map(|socket| socket.get_ref()) {
            Some(DeValue::String(socket)) => folder.join(&**socket),
            _ => PathBuf::from(SOCKET),
        },
        _ => PathBuf::from(SOCKET),
    };
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::PathBuf;

    use super::{SOCKET, configured};

    #[test]
    fn the_default_is_the_configurations_own() {
        let fields = janua_config::reference();
        let socket = fields
            .iter()
            .find(|field| field.path == "admin.socket")
            .unwrap();
        let default = socket.default.as_deref().unwrap();
        assert_eq!(default.trim_matches(['`', '"']), SOCKET);
    }

    #[test]
    fn a_broken_file_still_names_its_socket() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("janua.toml");
        let table = [
            // Valid TOML, but otherwise completely wrong.
            (
                "[admin]\nsocket = \"a.sock\"\n[sites]\nx = 1\n",
                folder.path().join("a.sock"),
            ),
            (
                "[admin]\nsocket = \"/run/a.sock\"\nno = 1\n",
                PathBuf::from("/run/a.sock"),
            ),
            ("[admin]\nmode = \"0600\"\nno = 1\n", PathBuf::from(SOCKET)),
            (
                "[admin]\nsocket = \"a.sock\"\n[[sites\n",
                folder.path().join("a.sock"),
            ),
            ("admin = 3\n", PathBuf::from(SOCKET)),
        ];
        for (text, socket) in table {
            fs::write(&config, text).unwrap();
            assert!(janua_config::load(&config).is_err(), "{text}");
            assert_eq!(configured(&config).unwrap(), socket, "{text}");
        }
    }

    #[test]
    fn a_missing_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let answer = configured(&folder.path().join("none.toml")).unwrap_err();
        assert!(answer.person.contains("none.toml") && answer.person.contains("--admin"));
    }
}
