//! Shared by the tests of the complete configurations in `examples/`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use janua_tests::{Authority, Gateway, Issue, Request, Response, TlsClient, Wire};
use tempfile::TempDir;

/// The `Accept` field of a browser's page request.
pub(crate) const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";

/// A request for a page, as a browser sends it.
pub(crate) fn navigation(host: &str, target: &str) -> Request {
    Request::get(target).host(host).header("Accept", PAGE)
}

/// A request for a subresource of a page.
pub(crate) fn resource(host: &str, target: &str) -> Request {
    Request::get(target).host(host).header("Accept", "*/*")
}

/// Whether the gateway's cache answered without the upstream.
pub(crate) fn is_hit(response: &Response) -> bool {
    let status = response.header("cache-status");
    status.is_some_and(|status| status.starts_with("janua; hit"))
}

/// Whether a list of names, such as `Vary`, contains this one.
pub(crate) fn has(response: &Response, field: &str, name: &str) -> bool {
    let list = response.header(field).unwrap_or_default();
    list.split(',')
        .any(|item| item.trim().eq_ignore_ascii_case(name))
}

/// Checks that the response is the page with this text.
pub(crate) fn expect_page(response: &Response, text: &str, target: &str) {
    assert_eq!(response.status, 200, "{target}");
    assert!(
        response.text().contains(text),
        "{target}: {}",
        response.text()
    );
    let kind = response.header("content-type");
    assert_eq!(kind, Some("text/html; charset=utf-8"), "{target}");
}

/// Certificates as certbot keeps them in `/etc/letsencrypt`: `live` has links to the latest
/// files in `archive`.
pub(crate) struct Certbot {
    authority: Authority,
    directory: TempDir,
}

impl Certbot {
    pub(crate) fn new() -> Self {
        Self {
            authority: Authority::new("an authority"),
            directory: tempfile::tempdir().unwrap(),
        }
    }

    /// What stands for `/etc/letsencrypt`.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// `certbot certonly` for these names, and later `certbot renew`: new files, then the links
    /// one after the other.
    pub(crate) fn obtain(&self, names: &[&str]) {
        let name = names[0];
        let archive = self.directory().join("archive").join(name);
        fs::create_dir_all(&archive).unwrap();
        let version = fs::read_dir(&archive).unwrap().count() / 2 + 1;
        let issued = self.authority.sign(&Issue::new(names));
        issued.write(&archive, "new");
        let chain = issued.pem() + &self.authority.pem();
        fs::write(archive.join("new.crt"), chain).unwrap();
        for (written, role) in [("key", "privkey"), ("crt", "fullchain")] {
            let file = format!("{role}{version}.pem");
            fs::rename(
                archive.join("new").with_extension(written),
                archive.join(&file),
            )
            .unwrap();
            let link = self.live(name, role);
            fs::create_dir_all(link.parent().unwrap()).unwrap();
            if version > 1 {
                fs::remove_file(&link).unwrap();
            }
            symlink(format!("../../archive/{name}/{file}"), link).unwrap();
        }
    }

    /// A client that trusts the authority, without sessions.
    pub(crate) fn client(&self) -> TlsClient {
        TlsClient::trusting(&self.authority)
    }

    /// The file with the certificate of the first of its names.
    pub(crate) fn certificate(&self, name: &str) -> PathBuf {
        self.live(name, "fullchain")
    }

    fn live(&self, name: &str, role: &str) -> PathBuf {
        self.directory().join(format!("live/{name}/{role}.pem"))
    }
}

/// Connects to the listener `https` for a host.
pub(crate) async fn connect(gateway: &Gateway, client: &TlsClient, host: &str) -> Wire {
    let connected = client.connect(gateway.address_of("https"), host).await;
    connected.unwrap_or_else(|error| panic!("no TLS connection for {host}: {error}"))
}

/// Sends a request to the listener `http`, without TLS.
pub(crate) async fn send_clear(gateway: &Gateway, request: &Request) -> Response {
    let mut wire = Wire::connect(gateway.address_of("http")).await;
    wire.exchange(request).await
}
