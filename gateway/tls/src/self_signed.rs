//! A certificate for development, which the gateway makes for itself.
//!
//! It is kept in a directory, so that the exception that a developer makes for
//! it in a browser lasts. It is its own issuer and no authority: who trusts it
//! trusts nothing else.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use time::OffsetDateTime;

use crate::certificate::{Certificate, CertificateFiles};
use crate::error::Error;
use crate::names::bare;

const DAY: i64 = 24 * 60 * 60;

/// Apple's systems refuse certificates that are valid for more than 825 days,
/// browsers for more than 398.
const VALID_DAYS: i64 = 397;

/// It is renewed when it has fewer days left.
const RENEW_DAYS: i64 = 30;

/// What an empty list of hosts means.
const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// The files of a certificate for `hosts`: those in `directory` if they are
/// valid for another month and cover all hosts, and new ones otherwise. `hosts`
/// are names, wildcards such as `*.example.com`, or addresses; none means this
/// machine. `now` is in seconds since 1970.
///
/// The directory is made if need be, for the gateway's user alone. Each site
/// with hosts of its own needs a directory of its own.
pub fn ensure(directory: &Path, hosts: &[String], now: i64) -> Result<CertificateFiles, Error> {
    let local = LOCAL.map(str::to_owned);
    let hosts = if hosts.is_empty() { &local } else { hosts };
    let files = CertificateFiles {
        cert: directory.join("self-signed.crt"),
        key: directory.join("self-signed.key"),
        ocsp: None,
    };
    if !is_usable(&files, hosts, now) {
        renew(directory, &files, hosts, now)?;
    }
    Ok(files)
}

/// A certificate for `hosts` that is kept nowhere: what a site shows until an
/// authority has issued one.
pub fn in_memory(hosts: &[String], now: i64) -> Result<Certificate, Error> {
    let (key, certificate) = make(hosts, now).map_err(|error| unmade(hosts, &*error))?;
    let nowhere = CertificateFiles {
        cert: "self-signed".into(),
        key: "self-signed".into(),
        ocsp: None,
    };
    Certificate::parse(&nowhere, certificate.as_bytes(), key.as_bytes())
}

fn unmade(hosts: &[String], error: &dyn std::error::Error) -> Error {
    Error::new(format!(
        "A self-signed certificate for {} cannot be made: {error}.",
        hosts.join(", ")
    ))
}

/// What is missing, damaged, or made by halves is not usable either.
fn is_usable(files: &CertificateFiles, hosts: &[String], now: i64) -> bool {
    let Ok(certificate) = Certificate::load(files) else {
        return false;
    };
    let facts = certificate.facts();
    let covers = |host: &String| match host.starts_with("*.") {
        true => facts.names.contains(&host.to_ascii_lowercase()),
        false => certificate.covers(host),
    };
    facts.not_before <= now && now < facts.not_after - RENEW_DAYS * DAY && hosts.iter().all(covers)
}

fn renew(
    directory: &Path,
    files: &CertificateFiles,
    hosts: &[String],
    now: i64,
) -> Result<(), Error> {
    let (key, certificate) = make(hosts, now).map_err(|error| unmade(hosts, &*error))?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| Error::of_io(directory, "created", &error))?;
    // A gateway that stops between the two finds a key that does not fit, and
    // makes both anew.
    replace(&files.key, &key, 0o600)?;
    replace(&files.cert, &certificate, 0o644)?;
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::of_io(directory, "written", &error))
}

/// The key and the certificate in PEM.
fn make(hosts: &[String], now: i64) -> Result<(String, String), Box<dyn std::error::Error>> {
    let names: Vec<String> = hosts
        .iter()
        .map(|host| bare(host).to_ascii_lowercase())
        .collect();
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    let common_name = "Janua, self-signed";
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // A day for clients whose clock is behind.
    params.not_before = OffsetDateTime::from_unix_timestamp(now - DAY)?;
    params.not_after = OffsetDateTime::from_unix_timestamp(now + (VALID_DAYS - 1) * DAY)?;
    let key = KeyPair::generate()?;
    let certificate = params.self_signed(&key)?;
    Ok((key.serialize_pem(), certificate.pem()))
}

/// Writes a file as a whole or not at all.
fn replace(file: &Path, content: &str, mode: u32) -> Result<(), Error> {
    let new = file.with_extension(format!("new.{}", std::process::id()));
    let write = || -> io::Result<()> {
        // One left by a gateway that was killed has whatever mode it has.
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut opened = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&new)?;
        opened.write_all(content.as_bytes())?;
        opened.sync_all()?;
        std::fs::rename(&new, file)
    };
    write().map_err(|error| Error::of_io(file, "written", &error))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::server::{Server, SiteCertificates};
    use crate::sessions::{SessionSettings, Sessions};
    use crate::settings::ServerSettings;
    use crate::testing::{NOW, Scratch, client_trusting, handshake};

    struct Fixture(Scratch);

    impl Fixture {
        fn directory(&self) -> PathBuf {
            self.0.path().join("state/tls")
        }

        fn ensure(&self, hosts: &[&str], now: i64) -> Certificate {
            let hosts: Vec<String> = hosts.iter().map(|&host| host.into()).collect();
            let files = ensure(&self.directory(), &hosts, now).unwrap();
            Certificate::load(&files).unwrap()
        }

        fn fingerprint(&self, hosts: &[&str], now: i64) -> String {
            self.ensure(hosts, now).facts().fingerprint.clone()
        }
    }

    fn fixture() -> Fixture {
        Fixture(Scratch::new())
    }

    #[test]
    fn it_covers_its_hosts_for_thirteen_months() {
        let hosts = ["Shop.example", "*.shop.example", "[::1]"];
        let certificate = fixture().ensure(&hosts, NOW);
        let facts = certificate.facts();
        assert_eq!(facts.names, ["shop.example", "*.shop.example", "::1"]);
        assert_eq!(facts.not_after - facts.not_before, VALID_DAYS * DAY);
        assert_eq!(certificate.check_time(NOW), Ok(()));
        assert_eq!(certificate.warnings(), []);
    }

    #[test]
    fn a_client_that_trusts_it_accepts_it() {
        let certificate = fixture().ensure(&["a.example", "::1"], NOW);
        let client = Arc::new(client_trusting(&certificate.key().cert[0], NOW));
        let sessions = Sessions::new(&SessionSettings::off()).unwrap();
        let server = Server::new(
            &ServerSettings::default(),
            &SiteCertificates::Fixed(vec![Arc::new(certificate)]),
            &[],
            &sessions,
            &SessionSettings::off(),
        );
        let server = server.unwrap();
        for (name, accepted) in [("a.example", true), ("::1", true), ("b.example", false)] {
            let handshake = handshake(server.config(), &client, name);
            assert_eq!(handshake.is_ok(), accepted, "{name}");
        }
    }

    #[test]
    fn no_hosts_mean_this_machine() {
        assert_eq!(fixture().ensure(&[], NOW).facts().names, LOCAL);
    }

    #[test]
    fn it_is_for_the_gateways_user_alone() {
        let fixture = fixture();
        fixture.ensure(&["a.example"], NOW);
        let mode = |path: PathBuf| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(fixture.directory()), 0o700);
        assert_eq!(mode(fixture.directory().join("self-signed.key")), 0o600);
        // Nothing else is left.
        assert_eq!(std::fs::read_dir(fixture.directory()).unwrap().count(), 2);
    }

    #[test]
    fn it_is_used_again_while_it_is_good() {
        let fixture = fixture();
        let first = fixture.fingerprint(&["a.example", "b.example"], NOW);
        let until = NOW + (VALID_DAYS - 1 - RENEW_DAYS) * DAY;
        assert_eq!(fixture.fingerprint(&["b.example"], until - 1), first);
        assert_ne!(fixture.fingerprint(&["b.example"], until), first);

        let second = fixture.fingerprint(&["a.example"], NOW);
        assert_ne!(fixture.fingerprint(&["c.example"], NOW), second);
    }

    #[test]
    fn what_is_damaged_is_made_anew() {
        let fixture = fixture();
        let first = fixture.fingerprint(&["a.example"], NOW);
        std::fs::write(fixture.directory().join("self-signed.key"), "damaged").unwrap();
        assert_ne!(fixture.fingerprint(&["a.example"], NOW), first);
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_named() {
        let fixture = fixture();
        fixture.0.write("state", b"a file");
        let error = ensure(&fixture.directory(), &[], NOW).unwrap_err();
        let expected = format!("{}: cannot be created: ", fixture.directory().display());
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}
