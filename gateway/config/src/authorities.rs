//! Checks what the fields of an authority are to each other, and what authorities
//! are to the rest of the configuration.

use crate::acme_authority::{Authority, Challenge};
use crate::acme_directory::Directory;
use crate::acme_dns_provider::{BOTH, DnsProvider};
use crate::certificate::Certificate;
use crate::diagnostic::Diagnostic;
use crate::document::Config;
use crate::listener::ListenAddress;
use crate::span::Spanned;

/// Checks a configuration without other errors: a field that could not be read
/// might have been the one that is missing.
pub(crate) fn check(config: &Config, found: &mut Vec<Diagnostic>) {
    for (name, authority) in config.acme.iter() {
        found.extend(records(authority));
        found.extend(account(authority));
        found.extend(own_fallback(name, authority));
        found.extend(name_server(config, authority));
        found.extend(shared_name_server(config, name, authority));
    }
    found.extend(without_use(config));
}

/// `dns-01` and `dns` need each other.
fn records(authority: &Authority) -> Option<Diagnostic> {
    let mut challenges = authority.challenges.iter();
    let dns01 = challenges.find(|challenge| challenge.value == Challenge::Dns01);
    match (dns01, &authority.dns) {
        (Some(challenge), None) => Some(
            Diagnostic::error(
                challenge.span,
                "`dns-01` needs `dns`: how its records are published",
            )
            .help(format!("in a table `dns`, {BOTH}")),
        ),
        (None, Some(dns)) => Some(
            Diagnostic::error(
                dns.span,
                "`dns` has no effect: `dns-01` is not among the challenges",
            )
            .help("write `challenges = [\"dns-01\"]`, or leave `dns` out"),
        ),
        _ => None,
    }
}

fn account(authority: &Authority) -> Option<Diagnostic> {
    let needs_eab = authority.directory.value == Directory::ZeroSsl && authority.eab.is_none();
    needs_eab.then(|| {
        Diagnostic::error(
            authority.directory.span,
            "ZeroSSL issues certificates only to accounts that it knows, and there is no `eab`",
        )
        .help(
            "have ZeroSSL generate the credentials for ACME, and write `eab = { id = \"…\", \
             key_file = \"eab.key\" }`",
        )
    })
}

fn own_fallback(name: &str, authority: &Authority) -> Option<Diagnostic> {
    let mut fallback = authority.fallback.iter();
    let own = fallback.find(|fallback| fallback.as_str() == name)?;
    Some(
        Diagnostic::error(
            own.span,
            format!("the authority `{name}` is its own fallback"),
        )
        .help("name another authority, or leave it out"),
    )
}

/// The built-in name server needs its addresses for itself: it is asked over UDP,
/// and over TCP if an answer is long (RFC 7766).
fn name_server(config: &Config, authority: &Authority) -> Option<Diagnostic> {
    let DnsProvider::Responder { addresses, .. } = &authority.dns.as_ref()?.provider else {
        return None;
    };
    let listeners = config.listeners.values();
    let mut taken = listeners.flat_map(|listener| listener.address.iter());
    taken.find_map(|taken| {
        let own = addresses.iter().find(|own| own.clashes(taken))?;
        Some(
            Diagnostic::error(own.span, "the address is taken by a listener")
                .note(taken.span, "the listener")
                .help("the name server needs an address of its own, with the port 53"),
        )
    })
}

/// Authorities may share a name server, which then has the same names for all of them.
fn shared_name_server(config: &Config, name: &str, authority: &Authority) -> Option<Diagnostic> {
    let of = |authority: &'_ Authority| match authority.dns.as_ref()?.value.provider.clone() {
        DnsProvider::Responder {
            addresses,
            zone,
            name_server,
        } => {
            let zone = zone.map(|zone| zone.value);
            Some((addresses, (zone, name_server.value)))
        }
        DnsProvider::Webhook { .. } => None,
    };
    let (own, names) = of(authority)?;
    let mut earlier = config.acme.iter().take_while(|(other, _)| *other != name);
    earlier.find_map(|(_, other)| {
        let (others, other_names) = of(other)?;
        if names == other_names {
            return None;
        }
        let clash = |own: &&Spanned<ListenAddress>| others.iter().any(|one| own.clashes(one));
        let own = own.iter().find(clash)?;
        let other = others.iter().find(|one| own.clashes(one))?;
        Some(
            Diagnostic::error(own.span, "another name server has this address")
                .note(other.span, "the other one")
                .help("give both the same `zone` and `name_server`, or other addresses"),
        )
    })
}

/// Finds a default authority that no site uses. Those with names are found with all
/// other names.
fn without_use(config: &Config) -> Option<Diagnostic> {
    let authority = config.acme.default.as_ref()?;
    let certificates = config
        .sites
        .iter()
        .filter_map(|site| site.certificate.as_ref());
    let is_use = |certificate: &Certificate| match certificate {
        Certificate::Acme(certificate) => certificate.authority().is_none(),
        Certificate::SelfSigned | Certificate::Files(_) => false,
    };
    let mut certificates = certificates.map(|certificate| &certificate.value);
    if certificates.any(is_use) {
        return None;
    }
    Some(
        Diagnostic::warning(
            authority.span,
            "no site has a certificate by this authority",
        )
        .help("give a site `certificate = \"auto\"`"),
    )
}
