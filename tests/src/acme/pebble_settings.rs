//! The settings of an authority.

use std::net::SocketAddr;

use serde_json::{Map, Value, json};

use super::Pebble;

/// How a [`Pebble`] behaves. By default it makes nobody wait, accepts all its nonces, and
/// validates every name of every order, because tests count what is asked of it.
#[derive(Clone, Debug)]
pub struct PebbleSettings {
    http_port: u16,
    tls_port: u16,
    resolver: SocketAddr,
    bad_nonces: u8,
    authorizations_reused: u8,
    external_accounts: Vec<(String, String)>,
    validity: Option<u64>,
    chain_length: usize,
    blocked: Vec<String>,
    is_strict: bool,
}

impl PebbleSettings {
    /// It validates HTTP-01 and TLS-ALPN-01 on these ports, where the gateway listens, and asks
    /// this resolver for addresses and for the records of DNS-01.
    #[must_use]
    pub fn new(http_port: u16, tls_port: u16, resolver: SocketAddr) -> Self {
        Self {
            http_port,
            tls_port,
            resolver,
            bad_nonces: 0,
            authorizations_reused: 0,
            external_accounts: Vec::new(),
            validity: None,
            chain_length: 1,
            blocked: Vec::new(),
            is_strict: false,
        }
    }

    /// It refuses this percentage of its nonces.
    #[must_use]
    pub fn bad_nonces(mut self, percent: u8) -> Self {
        self.bad_nonces = percent;
        self
    }

    /// This percentage of authorizations that are valid already is valid for later orders too.
    #[must_use]
    pub fn authorizations_reused(mut self, percent: u8) -> Self {
        self.authorizations_reused = percent;
        self
    }

    /// New accounts must be bound to an external account: with this identifier, and this key in
    /// base64url.
    #[must_use]
    pub fn external_account(mut self, kid: &str, key: &str) -> Self {
        self.external_accounts
            .push((kid.to_owned(), key.to_owned()));
        self
    }

    /// What it issues is valid for so many seconds. Otherwise it is for five years.
    #[must_use]
    pub fn validity(mut self, seconds: u64) -> Self {
        self.validity = Some(seconds);
        self
    }

    /// So many intermediate certificates follow that of the site.
    #[must_use]
    pub fn chain_length(mut self, certificates: usize) -> Self {
        self.chain_length = certificates;
        self
    }

    /// It refuses orders for this name and those below it, with `rejectedIdentifier`.
    #[must_use]
    pub fn blocked(mut self, name: &str) -> Self {
        self.blocked.push(name.to_owned());
        self
    }

    /// It refuses what future versions of it will.
    #[must_use]
    pub fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Starts it, and waits until it answers.
    pub async fn start(self) -> Pebble {
        Pebble::start(self).await
    }

    /// The content of the file for `-config`.
    pub(super) fn config(&self, listen: SocketAddr, management: SocketAddr) -> Value {
        let mut config = json!({
            "listenAddress": listen.to_string(),
            "managementListenAddress": management.to_string(),
            "certificate": "pebble.crt",
            "privateKey": "pebble.key",
            "httpPort": self.http_port,
            "tlsPort": self.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": !self.external_accounts.is_empty(),
            "domainBlocklist": self.blocked,
        });
        let keys = self.external_accounts.iter();
        let keys: Map<_, _> = keys.map(|(kid, key)| (kid.clone(), json!(key))).collect();
        if !keys.is_empty() {
            config["externalAccountMACKeys"] = Value::Object(keys);
        }
        if let Some(seconds) = self.validity {
            config["certificateValidityPeriod"] = json!(seconds);
        }
        json!({ "pebble": config })
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        let resolver = self.resolver.to_string();
        let mut all = vec!["-config", "pebble.json", "-dnsserver", &resolver];
        if self.is_strict {
            all.push("-strict");
        }
        all.into_iter().map(ToOwned::to_owned).collect()
    }

    pub(super) fn environment(&self) -> Vec<(String, String)> {
        [
            ("PEBBLE_VA_NOSLEEP", "1".to_owned()),
            ("PEBBLE_WFE_NONCEREJECT", self.bad_nonces.to_string()),
            ("PEBBLE_AUTHZREUSE", self.authorizations_reused.to_string()),
            ("PEBBLE_CHAIN_LENGTH", self.chain_length.to_string()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }
}
