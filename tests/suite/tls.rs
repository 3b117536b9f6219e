//! Shared by the tests of TLS: an authority and its certificates in a directory, and sites that
//! answer with their names.

use std::fmt::Display;

use janua_tests::{
    Authority, Gateway, Issue, Issued, Request, Response, Settings, TlsClient, Wire,
};
use tempfile::TempDir;

/// A listener with TLS.
pub(crate) const LISTENER: &str = "[listeners.https]\naddress = \"127.0.0.1:0\"\ntls = true\n";

/// An authority, and a directory with what it has issued.
pub(crate) struct Stage {
    pub(crate) authority: Authority,
    pub(crate) directory: TempDir,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let stage = Self {
            authority: Authority::new("Authority of Tests"),
            directory: tempfile::tempdir().unwrap(),
        };
        stage.authority.write(stage.directory.path(), "ca");
        stage
    }

    /// With a certificate for these hosts, `NAME.crt`.
    pub(crate) fn with(self, name: &str, hosts: &[&str]) -> Self {
        self.issue(name, &Issue::new(hosts));
        self
    }

    /// Writes a certificate, `NAME.crt`.
    pub(crate) fn issue(&self, name: &str, issue: &Issue) -> Issued {
        let issued = self.authority.sign(issue);
        issued.write(self.directory.path(), name);
        issued
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.directory.path().join(name), text).unwrap();
    }

    /// A client that trusts the authority.
    pub(crate) fn client(&self) -> TlsClient {
        TlsClient::trusting(&self.authority)
    }

    /// Starts a gateway in the directory.
    pub(crate) async fn start(self, config: impl Display) -> Gateway {
        self.start_with(Settings::new(), config).await
    }

    pub(crate) async fn start_with(self, settings: Settings, config: impl Display) -> Gateway {
        settings.start_in(self.directory, config).await
    }
}

/// A site with the certificate `NAME.crt`, which answers with that name.
pub(crate) fn site(name: &str, hosts: &[&str], lines: &str) -> String {
    answering(name, name, hosts, lines)
}

/// A site with the certificate `NAME.crt`, which answers with this body.
pub(crate) fn answering(body: &str, name: &str, hosts: &[&str], lines: &str) -> String {
    format!(
        "
[[sites]]
hosts = {hosts:?}
certificate = {{ cert = \"{name}.crt\", key = \"{name}.key\" }}
routes = [{{ respond = {{ body = \"{body}\" }} }}]
{lines}
"
    )
}

/// The response to a `GET` for a host.
pub(crate) async fn get(wire: &mut Wire, host: &str) -> Response {
    wire.exchange(&Request::get("/").host(host)).await
}
