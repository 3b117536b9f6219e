//! Shared by the tests of automatic certificates: an authority and its DNS, configurations that
//! order from it, and what clients get.

use std::net::SocketAddr;

use janua_tests::{
    Front, Gateway, Pebble, PebbleSettings, Ran, Request, ReservedPort, Response, StubDns,
    TlsClient, Wire, assert_eventually,
};
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// A host of most tests.
pub(crate) const NAME: &str = "sales.example.com";

/// An authority behind a front, and the ports on which it validates, where gateways listen.
pub(crate) struct Scene {
    pub(crate) http: ReservedPort,
    pub(crate) tls: ReservedPort,
    pub(crate) dns: StubDns,
    pub(crate) pebble: Pebble,
    pub(crate) front: Front,
}

impl Scene {
    pub(crate) async fn new() -> Self {
        Self::with(|settings| settings).await
    }

    /// With other settings of the authority.
    pub(crate) async fn with(set: impl FnOnce(PebbleSettings) -> PebbleSettings) -> Self {
        let dns = StubDns::start().await;
        let address = dns.address();
        Self::over(dns, address, set).await
    }

    /// With another resolver of the authority than the stub.
    pub(crate) async fn resolving_by(resolver: SocketAddr) -> Self {
        Self::over(StubDns::start().await, resolver, |settings| settings).await
    }

    async fn over(
        dns: StubDns,
        resolver: SocketAddr,
        set: impl FnOnce(PebbleSettings) -> PebbleSettings,
    ) -> Self {
        let (http, tls) = (ReservedPort::reserve(), ReservedPort::reserve());
        let settings = PebbleSettings::new(http.number(), tls.number(), resolver);
        let pebble = set(settings).start().await;
        let front = Front::of(&pebble).await;
        Self {
            http,
            tls,
            dns,
            pebble,
            front,
        }
    }

    /// The lines of an authority's table: that of this scene through its front.
    pub(crate) fn authority(&self) -> String {
        format!(
            "email = \"ops@example.com\"\ndirectory = \"{}\"\naccept_terms = true\nroots = {:?}\n",
            self.front.directory_url(),
            self.pebble.ca_path(),
        )
    }

    /// A configuration with the listeners where this authority validates. The lines belong to
    /// `[acme]`, and may end with tables of it.
    pub(crate) fn config(&self, acme: &str, sites: &[String]) -> String {
        let listeners = listeners(&self.http, &self.tls);
        let authority = self.authority();
        format!("[acme]\n{authority}{acme}\n{listeners}{}", sites.concat())
    }

    /// The same with HTTP-01.
    pub(crate) fn by_http(&self, sites: &[String]) -> String {
        self.config(HTTP, sites)
    }

    /// A gateway that orders by HTTP-01 for one site with these hosts.
    pub(crate) async fn start(&self, hosts: &[&str]) -> Gateway {
        Gateway::start(self.by_http(&[site(hosts)])).await
    }

    /// Waits until clients get a certificate of the authority for a host: it, as DER.
    pub(crate) async fn issued(&self, gateway: &Gateway, host: &str) -> Vec<u8> {
        let client = self.pebble.client().await;
        let address = gateway.address_of("https");
        assert_eventually!(
            client.anew().connect(address, host).await.is_ok(),
            "no certificate for {host}"
        );
        served(gateway, &client, host).await
    }

    /// What the authority says of a certificate.
    pub(crate) async fn status(&self, certificate: &[u8]) -> Option<String> {
        self.pebble.status(&serial(certificate)).await
    }
}

/// The line by which names are validated over HTTP.
pub(crate) const HTTP: &str = "challenges = [\"http-01\"]\n";

/// A listener without TLS and one with it, on these ports.
pub(crate) fn listeners(http: &ReservedPort, tls: &ReservedPort) -> String {
    format!(
        "
[listeners.http]
address = \"{}\"

[listeners.https]
address = \"{}\"
tls = true
",
        http.address(),
        tls.address()
    )
}

/// A site with these hosts whose certificates are automatic, and which redirects from HTTP.
pub(crate) fn site(hosts: &[&str]) -> String {
    site_with(hosts, "certificate = \"auto\"")
}

/// A site with these hosts and lines, which redirects from HTTP.
pub(crate) fn site_with(hosts: &[&str], lines: &str) -> String {
    format!(
        "
[[sites]]
hosts = {hosts:?}
redirect_http = true
{lines}
routes = [{{ respond = {{ body = \"served\" }} }}]
"
    )
}

/// The certificate that a client gets for a host, which must accept it: as DER.
pub(crate) async fn served(gateway: &Gateway, client: &TlsClient, host: &str) -> Vec<u8> {
    let address = gateway.address_of("https");
    let connected = client.anew().connect(address, host).await;
    let wire = connected.unwrap_or_else(|error| panic!("{host}: {error}"));
    wire.handshake().certificate.clone().unwrap()
}

/// The certificate that a client gets which accepts any.
pub(crate) async fn shown(gateway: &Gateway, host: &str) -> Vec<u8> {
    served(gateway, &TlsClient::trusting_everybody(), host).await
}

/// The response of the listener without TLS.
pub(crate) async fn get(gateway: &Gateway, host: &str, target: &str) -> Response {
    let mut wire = Wire::connect(gateway.address_of("http")).await;
    wire.exchange(&Request::get(target).host(host)).await
}

/// The serial number of a certificate.
pub(crate) fn serial(certificate: &[u8]) -> Vec<u8> {
    let certificate = Certificate::from_der(certificate).unwrap();
    let number = certificate.tbs_certificate.serial_number;
    number.as_bytes().to_vec()
}

/// The name of who issued a certificate.
pub(crate) fn issuer(certificate: &[u8]) -> String {
    let certificate = Certificate::from_der(certificate).unwrap();
    certificate.tbs_certificate.issuer.to_string()
}

/// Runs `janua certs` with these arguments.
pub(crate) async fn certs(gateway: &Gateway, arguments: &[&str]) -> Ran {
    gateway.command(&[&["certs"], arguments].concat()).await
}

/// What `janua certs --json` says of the certificate that is ordered for a host.
pub(crate) async fn listed(gateway: &Gateway, host: &str) -> Option<Value> {
    let ran = certs(gateway, &["--json"]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let all: Vec<Value> = serde_json::from_str(&ran.stdout).unwrap();
    all.into_iter().find(|one| one["acme"]["name"] == host)
}

/// Waits until `janua certs --json` says something of a host's certificate.
pub(crate) async fn lists(gateway: &Gateway, host: &str, words: &str) {
    let says = async || {
        let listed = listed(gateway, host).await;
        listed.is_some_and(|listed| listed.to_string().contains(words))
    };
    if janua_tests::eventually(async || says().await.then_some(()))
        .await
        .is_none()
    {
        panic!("{words:?} is not in {:#?}", listed(gateway, host).await);
    }
}

/// Has an order placed now, whatever it waits for.
pub(crate) async fn renew(gateway: &Gateway, host: &str) {
    let ran = certs(gateway, &["renew", host]).await;
    assert_eq!(ran.code, Some(0), "{ran:?}");
}
