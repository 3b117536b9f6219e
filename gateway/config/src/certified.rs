//! Checks that the certificates that sites want by ACME can be issued: that there is
//! the authority, that it certifies the hosts, and that it can reach the gateway to
//! verify them.
//!
//! What is refused here would otherwise fail hours later, after an authority has been
//! asked in vain, and its limits may be used up by then.

use std::collections::BTreeSet;

use crate::acme_authority::{Authority, Challenge};
use crate::acme_certificate::AcmeCertificate;
use crate::certificate::Certificate;
use crate::diagnostic::Diagnostic;
use crate::document::Config;
use crate::listener::Listener;
use crate::public_name::{address, is_public};
use crate::site::{HostPattern, Site};
use crate::span::{Span, Spanned};

/// Checks a configuration without other errors: an authority that could not be read
/// is not missing.
pub(crate) fn check(config: &Config, found: &mut Vec<Diagnostic>) {
    let mut warned = BTreeSet::new();
    for site in &config.sites {
        let Some(Spanned { value, span }) = &site.certificate else {
            continue;
        };
        let Certificate::Acme(certificate) = value else {
            continue;
        };
        let name = certificate.authority();
        let Some(authority) = config.acme.authority(name) else {
            found.push(no_authority(config, *span));
            continue;
        };
        let wanted = Wanted {
            site,
            certificate,
            authority,
            span: *span,
        };
        found.extend(site.hosts.iter().filter_map(|host| wanted.host(host)));
        match wanted.way(config) {
            Some(fault) => found.push(fault),
            None if warned.contains(&name) => {}
            None => {
                let odd = wanted.ports(config);
                if odd.is_some() {
                    warned.insert(name);
                }
                found.extend(odd);
            }
        }
    }
}

/// A name that is not defined is reported with all other names, so this is about the
/// default authority.
fn no_authority(config: &Config, span: Span) -> Diagnostic {
    let lines = "add three lines: `[acme]`, `email = \"you@example.com\"` and `accept_terms = true`, \
                 which says that you agree to the terms of service of Let's Encrypt";
    let mut named = config.acme.named.keys();
    let help = match (named.next(), named.next()) {
        (Some(only), None) => {
            format!("write `certificate = {{ acme = \"{only}\" }}`; or {lines}")
        }
        _ => lines.to_owned(),
    };
    Diagnostic::error(
        span,
        "no authority issues this certificate: `[acme]` is missing",
    )
    .help(help)
}

/// A certificate that a site wants.
struct Wanted<'c> {
    site: &'c Site,
    certificate: &'c AcmeCertificate,
    authority: &'c Authority,
    /// The position of the certificate.
    span: Span,
}

impl Wanted<'_> {
    /// Whether the authority can certify a host at all.
    fn host(&self, host: &Spanned<HostPattern>) -> Option<Diagnostic> {
        let in_advance = self.certificate.on_demand.is_none();
        let is_public = match &host.value {
            HostPattern::Any => true,
            HostPattern::Exact(name) | HostPattern::Below(name) => is_public(name),
        };
        match &host.value {
            _ if !is_public && self.authority.directory.is_public() => Some(self.not_public(host)),
            HostPattern::Any => {
                let is_alone = self
                    .site
                    .hosts
                    .iter()
                    .all(|it| it.value == HostPattern::Any);
                (in_advance && is_alone).then(|| self.nameless(host.span))
            }
            HostPattern::Below(_)
                if in_advance && !self.authority.has_challenge(Challenge::Dns01) =>
            {
                Some(self.wildcard(host))
            }
            HostPattern::Exact(name) if address(name).is_some() && !self.connects() => {
                Some(self.address(host))
            }
            HostPattern::Exact(_) | HostPattern::Below(_) => None,
        }
    }

    /// Whether the authority may verify a host by connecting to it.
    fn connects(&self) -> bool {
        let mut challenges = self.authority.challenges.iter();
        challenges.any(|challenge| challenge.value != Challenge::Dns01)
    }

    /// The position of the challenges: that of the first, or of the table whose default
    /// they are.
    fn challenges(&self) -> Span {
        let first = self.authority.challenges.first();
        first.map_or(self.authority.span, |challenge| challenge.span)
    }

    fn nameless(&self, host: Span) -> Diagnostic {
        Diagnostic::error(
            host,
            "`*` is not a name that a certificate can be ordered for",
        )
        .note(self.span, "the certificate")
        .help(
            "write the names in `hosts`; or have certificates ordered when clients ask for them: \
                 `certificate = { on_demand = { ask = \"http://127.0.0.1:5555/allowed\" } }`",
        )
    }

    fn wildcard(&self, host: &Spanned<HostPattern>) -> Diagnostic {
        Diagnostic::error(
            host.span,
            format!("a certificate for `{host}` needs `dns-01`: a wildcard is verified in the DNS only"),
        )
        .note(self.challenges(), "the challenges of the authority")
        .help(
            "give the authority `challenges = [\"dns-01\"]` and `dns`; or write the names in `hosts`, \
             or `on_demand` in the certificate",
        )
    }

    /// RFC 8738, section 7: addresses are not in the DNS.
    fn address(&self, host: &Spanned<HostPattern>) -> Diagnostic {
        Diagnostic::error(
            host.span,
            format!("a certificate for `{host}` needs another challenge than `dns-01`: an address is not in the DNS"),
        )
        .note(self.challenges(), "the challenges of the authority")
        .help("add \"tls-alpn-01\" or \"http-01\" to `challenges`")
    }

    fn not_public(&self, host: &Spanned<HostPattern>) -> Diagnostic {
        let (what, why) = match &host.value {
            HostPattern::Exact(name) if address(name).is_some() => {
                ("address", "it is not an address on the Internet")
            }
            _ => ("name", "it is not below a public top-level domain"),
        };
        Diagnostic::error(
            host.span,
            format!("no public authority certifies the {what} `{host}`: {why}"),
        )
        .note(self.authority.directory.span, "the authority")
        .help(
            "write `certificate = \"self-signed\"` for development, or the URL of your own \
             authority as `directory`",
        )
    }

    /// The listeners where the authority can verify a host by a challenge. HTTP is
    /// answered by each listener without TLS, whatever its sites; a handshake by those
    /// that serve the site.
    fn listeners<'l>(
        &'l self,
        challenge: Challenge,
        config: &'l Config,
    ) -> impl Iterator<Item = &'l Listener> {
        let listeners = config.listeners.iter();
        listeners
            .filter(move |(name, listener)| match challenge {
                Challenge::Http01 => listener.tls.on().is_none(),
                Challenge::TlsAlpn01 => listener.tls.on().is_some() && self.site.is_served_on(name),
                Challenge::Dns01 => false,
            })
            .map(|(_, listener)| &listener.table)
    }

    /// Finds challenges that no listener could answer.
    fn way(&self, config: &Config) -> Option<Diagnostic> {
        let mut challenges = self.authority.challenges.iter().map(|it| it.value);
        let is_answered = |challenge| {
            challenge == Challenge::Dns01 || self.listeners(challenge, config).next().is_some()
        };
        if challenges.any(is_answered) {
            return None;
        }
        let (message, help) = match self.authority.has_challenge(Challenge::Http01) {
            true => (
                "nothing answers the challenge `http-01`: no listener is without TLS",
                "add `[listeners.http]` with `address = \"*:80\"`, or \"tls-alpn-01\" to `challenges`",
            ),
            false => (
                "nothing answers the challenge `tls-alpn-01`: no listener of the site has TLS",
                "add a listener with `address = \"*:443\"` and `tls = true`, or \"http-01\" to `challenges`",
            ),
        };
        Some(
            Diagnostic::error(self.span, message)
                .note(self.challenges(), "the challenges of the authority")
                .help(help),
        )
    }

    /// Finds an authority that connects to ports which no listener has. Those of a public
    /// one are fixed: 80 for `http-01` (RFC 8555, section 8.3), and 443 for `tls-alpn-01`
    /// (RFC 8737, section 3).
    fn ports(&self, config: &Config) -> Option<Diagnostic> {
        let is_reached = |challenge: Challenge| {
            let mut listeners = self.listeners(challenge, config);
            let port = match challenge {
                Challenge::TlsAlpn01 => 443,
                Challenge::Http01 => 80,
                Challenge::Dns01 => return true,
            };
            listeners.any(|listener| listener.address.iter().any(|it| it.port() == port))
        };
        let mut challenges = self.authority.challenges.iter().map(|it| it.value);
        if !self.authority.directory.is_public() || challenges.any(is_reached) {
            return None;
        }
        let http = self.authority.has_challenge(Challenge::Http01);
        let tls = self.authority.has_challenge(Challenge::TlsAlpn01);
        let ports = match (http, tls) {
            (true, true) => "ports 80 and 443, and no listener that could answer has one of them",
            (true, false) => "port 80, and no listener without TLS has it",
            (false, _) => "port 443, and no listener of the site with TLS has it",
        };
        let add = match http {
            true => "`address = \"*:80\"`",
            false => "`address = \"*:443\"` and `tls = true`",
        };
        Some(
            Diagnostic::warning(self.span, format!("the authority connects to the {ports}"))
                .note(self.challenges(), "the challenges of the authority")
                .help(format!(
                    "nothing is wrong if these connections are forwarded to this gateway; otherwise add a \
                 listener with {add}"
                )),
        )
    }
}
