//! What is known of certificates by ACME, for `janua certs`, the status and the metrics.

use janua_acme::{Engine, NameStatus, State};
use janua_admin::{AcmeFailure, AcmeStatus, CertificateSource, CertificateStatus};
use janua_config as config;
use janua_config::Config;
use janua_tls::utc;

use super::certificate;
use crate::gateway::certificates::{DAY, ExpiryLabels};

/// All certificates by ACME, and the names that have none yet.
pub(crate) fn statuses(engine: &Engine, config: &Config, now: i64) -> Vec<CertificateStatus> {
    let all = engine.statuses();
    all.iter().map(|one| status(one, config, now)).collect()
}

fn status(one: &NameStatus, config: &Config, now: i64) -> CertificateStatus {
    let certificate = one.certificate.as_ref();
    let facts = certificate.map(|certificate| certificate.facts());
    let text = |of: fn(&janua_tls::Facts) -> &String| facts.map(of).cloned().unwrap_or_default();
    let (from, until) = facts.map_or((0, 0), |facts| (facts.not_before, facts.not_after));
    let chain = certificate.iter().flat_map(|one| one.warnings());
    CertificateStatus {
        names: facts.map_or_else(|| vec![one.name.clone()], |facts| facts.names.clone()),
        subject: text(|facts| &facts.subject),
        issuer: text(|facts| &facts.issuer),
        key_type: text(|facts| &facts.key_type),
        fingerprint: text(|facts| &facts.fingerprint),
        source: CertificateSource::Acme,
        file: certificate
            .map(|certificate| certificate.files().cert.display().to_string())
            .unwrap_or_default(),
        valid_from_unix_ms: from.saturating_mul(1000),
        valid_until_unix_ms: until.saturating_mul(1000),
        days_left: facts.map_or(0, |facts| (facts.not_after - now).div_euclid(DAY)),
        sites: sites(one, config).collect(),
        upstreams: Vec::new(),
        warnings: facts
            .and_then(|facts| out_of_time(facts, now))
            .into_iter()
            .chain(chain.map(ToString::to_string))
            .collect(),
        last_error: None,
        acme: Some(acme(one)),
    }
}

/// That a certificate is not valid now. The gateway itself gets another.
fn out_of_time(facts: &janua_tls::Facts, now: i64) -> Option<String> {
    if now > facts.not_after {
        return Some(format!("it expired at {}", utc(facts.not_after)));
    }
    (now < facts.not_before).then(|| {
        format!(
            "it is not valid before {}; is the clock of this machine right?",
            utc(facts.not_before)
        )
    })
}

fn acme(one: &NameStatus) -> AcmeStatus {
    let ms = |seconds: i64| seconds.saturating_mul(1000);
    AcmeStatus {
        name: one.name.clone(),
        authority: one.authority.clone(),
        issued_by: one.issuer.clone(),
        state: match one.state {
            State::Pending => janua_admin::AcmeState::Pending,
            State::Valid => janua_admin::AcmeState::Valid,
            State::Renewing => janua_admin::AcmeState::Renewing,
            State::Failing => janua_admin::AcmeState::Failing,
            State::Revoked => janua_admin::AcmeState::Revoked,
        },
        on_demand: one.on_demand,
        renew_at_unix_ms: one.renew_at.map(ms),
        window_unix_ms: one.window.map(|window| [ms(window.start), ms(window.end)]),
        explanation: one.explanation.clone(),
        failures: one.failures,
        last_failure: one.last_failure.as_ref().map(|(at, failure)| AcmeFailure {
            at_unix_ms: ms(*at),
            kind: failure.kind.clone(),
            detail: failure.detail.clone(),
            problem: failure.problem.clone(),
        }),
        next_attempt_unix_ms: one.next_attempt.map(ms),
        dns_records: one.records.clone(),
        dns_missing: one.missing.clone(),
    }
}

/// The labels of the sites that show the certificate.
fn sites<'a>(one: &'a NameStatus, config: &'a Config) -> impl Iterator<Item = String> + 'a {
    let uses = |site: &&config::Site| {
        let Some(acme) = certificate(site) else {
            return false;
        };
        let authority = acme.authority().unwrap_or(config::Acme::DEFAULT);
        authority == one.authority && site.hosts.iter().any(|host| shows(&host.value, &one.name))
    };
    config.sites.iter().filter(uses).map(config::Site::label)
}

/// Whether a host is served with the certificate for this name.
fn shows(host: &config::HostPattern, name: &str) -> bool {
    match host {
        config::HostPattern::Any => true,
        config::HostPattern::Below(parent) => {
            let (label, rest) = name.split_once('.').unwrap_or(("", name));
            rest == parent || (label != "*" && rest.ends_with(&format!(".{parent}")))
        }
        config::HostPattern::Exact(host) => {
            let parent = name.strip_prefix("*.");
            let of_host = host.split_once('.').map(|(_, parent)| parent);
            host == name || (parent.is_some() && parent == of_host)
        }
    }
}

/// When the certificates expire.
pub(crate) fn expiries(engine: &Engine, config: &Config) -> Vec<(ExpiryLabels, i64)> {
    let mut all = Vec::new();
    for one in engine.statuses().iter() {
        let Some(certificate) = &one.certificate else {
            continue;
        };
        let facts = certificate.facts();
        for site in sites(one, config) {
            let labels = [site.as_str(), "", &one.name, &facts.key_type];
            all.push((labels.map(str::to_owned), facts.not_after));
        }
    }
    all
}

/// How many orders in a row have failed, by authority and name.
pub(crate) fn failures(engine: &Engine) -> Vec<([String; 2], u32)> {
    let all = engine.statuses();
    all.iter()
        .map(|one| ([one.authority.clone(), one.name.clone()], one.failures))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_hosts_show_which_certificate() {
        let exact = |host: &str| config::HostPattern::Exact(host.to_owned());
        let below = |parent: &str| config::HostPattern::Below(parent.to_owned());
        assert!(shows(&exact("a.example"), "a.example"));
        assert!(shows(&exact("x.a.example"), "*.a.example"));
        assert!(!shows(&exact("a.example"), "*.a.example"));
        assert!(!shows(&exact("b.example"), "a.example"));
        assert!(shows(&below("a.example"), "*.a.example"));
        // On demand.
        assert!(shows(&below("a.example"), "x.a.example"));
        assert!(shows(&below("a.example"), "x.y.a.example"));
        assert!(!shows(&below("a.example"), "a.example"));
        assert!(!shows(&below("a.example"), "*.x.a.example"));
        assert!(shows(&config::HostPattern::Any, "a.example"));
    }
}
