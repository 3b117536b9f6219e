//! Checks that TLS is where it is meant to be: what listeners, certificates and
//! redirects of a whole configuration are to each other.
//!
//! A site that is reached over TLS needs a certificate of its own. Nothing takes
//! its place silently: neither clear text, nor the certificate of another site,
//! even if that one covers the host.

use crate::diagnostic::Diagnostic;
use crate::document::Config;
use crate::listener::Listener;
use crate::names::Named;
use crate::redirect_http::RedirectHttp;
use crate::site::Site;

/// What is written to give a site a certificate.
const GIVE: &str =
    "`certificate = \"auto\"`, or `certificate = { cert = \"a.crt\", key = \"a.key\" }`";

/// Checks a configuration without other errors: a site that could not be read
/// might have had a certificate.
pub(crate) fn check(config: &Config, found: &mut Vec<Diagnostic>) {
    for listener in config.listeners.values() {
        certificates(config, listener, found);
    }
    for site in &config.sites {
        let listeners: Vec<&Named<Listener>> = config
            .listeners
            .values()
            .filter(|listener| site.is_served_on(&listener.name))
            .collect();
        found.extend(settings(site));
        found.extend(use_of_certificate(site, &listeners));
        if let Some(redirect) = site.redirect_http.on() {
            found.extend(way_to_https(site, redirect, &listeners));
        }
    }
}

/// Finds the sites of a listener with TLS that have no certificate. If none of
/// them has one, the listener is of no use.
fn certificates(config: &Config, listener: &Named<Listener>, found: &mut Vec<Diagnostic>) {
    let Some(tls) = listener.tls.on() else {
        return;
    };
    let name = &listener.name;
    let sites = config.sites.iter().filter(|site| site.is_served_on(name));
    let (with, without): (Vec<&Site>, Vec<&Site>) =
        sites.partition(|site| site.certificate.is_some());
    if with.is_empty() {
        found.push(
            Diagnostic::error(
                tls.span,
                format!("no site of listener `{name}` has a certificate for TLS"),
            )
            .help(format!(
                "give a site that it serves {GIVE}, or \"self-signed\" for development"
            )),
        );
        return;
    }
    for site in without {
        let label = site.label();
        found.push(
            Diagnostic::warning(
                site.span,
                format!(
                    "site `{label}` cannot be reached on listener `{name}`: it has no certificate"
                ),
            )
            .note(tls.span, "this listener needs one")
            .help(format!(
                "add {GIVE}; or name the listeners that serve the site: `listeners = […]`"
            )),
        );
    }
}

/// Refuses settings of TLS where there is no TLS.
fn settings(site: &Site) -> Option<Diagnostic> {
    // The position of a default is its table.
    let is_default = site.tls.span == site.span;
    if is_default || site.certificate.is_some() {
        return None;
    }
    let fault = match &site.tls.client_auth {
        // Whoever asks for certificates relies on it.
        Some(auth) => Diagnostic::error(
            auth.span,
            "`client_auth` needs TLS, and the site has no certificate",
        ),
        None => Diagnostic::error(
            site.tls.span,
            "`tls` has no effect: the site has no certificate",
        ),
    };
    Some(fault.help(format!("add {GIVE}")))
}

/// Finds a certificate that no listener shows.
fn use_of_certificate(site: &Site, listeners: &[&Named<Listener>]) -> Option<Diagnostic> {
    let certificate = site.certificate.as_ref()?;
    if listeners.iter().any(|listener| listener.tls.on().is_some()) {
        return None;
    }
    let label = site.label();
    let message = format!("the certificate is not used: no listener of site `{label}` has TLS");
    Some(
        Diagnostic::warning(certificate.span, message).help(match site.listeners {
            None => "add a listener with `address = \"*:443\"` and `tls = true`",
            Some(_) => "add a listener with `tls = true` to the `listeners` of the site",
        }),
    )
}

/// Finds a redirect that never happens, or that leads nowhere.
///
/// A trusted proxy states the scheme of the client, so behind one the scheme may
/// be either, whatever the listener itself speaks.
fn way_to_https(
    site: &Site,
    redirect: &RedirectHttp,
    listeners: &[&Named<Listener>],
) -> Option<Diagnostic> {
    let label = site.label();
    let is_behind_proxy = listeners
        .iter()
        .any(|listener| !listener.trusted_proxies.is_empty());
    if is_behind_proxy || listeners.is_empty() {
        return None;
    }
    let has_tls = |listener: &&Named<Listener>| listener.tls.on().is_some();
    if listeners.iter().all(has_tls) {
        return Some(
            Diagnostic::warning(
                redirect.span,
                format!("`redirect_http` has no effect: every listener of site `{label}` has TLS"),
            )
            .help("add a listener without it, such as `address = \"*:80\"`, or leave it out"),
        );
    }
    if site.certificate.is_none() || !listeners.iter().any(has_tls) {
        return Some(
            Diagnostic::warning(
                redirect.span,
                format!("site `{label}` is redirected to HTTPS, and no listener serves it there"),
            )
            .help(format!(
                "add {GIVE}, and a listener with `tls = true`; if a proxy in front ends TLS, name \
                 it in `trusted_proxies`, or its requests are redirected for ever"
            )),
        );
    }
    None
}
