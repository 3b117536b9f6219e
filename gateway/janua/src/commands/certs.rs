//! `janua certs`: the certificates that clients get, and those that upstreams are shown.

use janua_admin::{AcmeFailure, AcmeState, AcmeStatus, CertificateStatus, ClientError};
use janua_tls::utc;
use serde_json::json;

use super::table::Table;
use super::{CommandResult, Output, printable, reach};
use crate::cli::{OneCertificate, Reach};

pub(super) fn certs(reach: &Reach) -> CommandResult {
    let client = reach::client(reach)?;
    let certificates = client.certificates().map_err(Output::failure)?;
    Ok(Output::new(person(&certificates), &certificates))
}

/// Orders a new certificate.
pub(super) fn renew(one: &OneCertificate) -> CommandResult {
    let client = reach::client(&one.reach)?;
    said(client.renew_certificate(&one.name))
}

/// Replaces a certificate and has it revoked.
pub(super) fn revoke(one: &OneCertificate) -> CommandResult {
    let client = reach::client(&one.reach)?;
    said(client.revoke_certificate(&one.name))
}

fn said(done: Result<String, ClientError>) -> CommandResult {
    let done = done.map_err(|error| Output::failure(printable(&error.to_string())))?;
    Ok(Output::new(printable(&done), &json!({ "done": done })))
}

fn person(certificates: &[CertificateStatus]) -> String {
    if certificates.is_empty() {
        return "no site and no upstream has a certificate".to_owned();
    }
    let mut page = table(certificates);
    for certificate in certificates {
        for text in attention(certificate) {
            page.push_str(&printable(&format!("\n{}: {text}", certificate.name())));
        }
    }
    page.trim_end().to_owned()
}

/// A row for each certificate.
pub(super) fn table(certificates: &[CertificateStatus]) -> String {
    let mut table = Table::new([
        "names",
        "used by",
        "key",
        "issuer",
        "source",
        "valid until",
        "days left",
    ]);
    for certificate in certificates {
        table.row([
            match certificate.names.as_slice() {
                [] => certificate.name().to_owned(),
                names => names.join(", "),
            },
            users(certificate),
            certificate.key_type.clone(),
            certificate.issuer.clone(),
            source(certificate),
            match certificate.valid_until_unix_ms {
                0 => String::new(),
                until => utc(until / 1000),
            },
            match certificate.valid_until_unix_ms {
                0 => String::new(),
                _ => certificate.days_left.to_string(),
            },
        ]);
    }
    table.render()
}

/// Who has made it, and how one by ACME is getting on.
fn source(certificate: &CertificateStatus) -> String {
    let source = certificate.source.as_str();
    match &certificate.acme {
        Some(acme) => format!("{source}, {}", acme.state.as_str()),
        None => source.to_owned(),
    }
}

/// Its sites, and the upstreams that are shown it.
fn users(certificate: &CertificateStatus) -> String {
    let sites = certificate.sites.iter().cloned();
    let upstreams = certificate.upstreams.iter();
    let upstreams = upstreams.map(|name| format!("upstream {name}"));
    sites.chain(upstreams).collect::<Vec<_>>().join(", ")
}

/// What an operator should know about a certificate.
pub(super) fn attention(certificate: &CertificateStatus) -> impl Iterator<Item = String> {
    let replaced = certificate.last_error.iter().map(|error| {
        format!("its files were refused by the last reload, and the old ones are in use: {error}")
    });
    let warnings = certificate.warnings.iter().cloned();
    let acme = certificate.acme.iter().flat_map(acme_attention);
    certificate
        .expires_soon()
        .into_iter()
        .chain(replaced)
        .chain(acme)
        .chain(warnings)
}

/// What an operator should know about a certificate by ACME.
fn acme_attention(acme: &AcmeStatus) -> Vec<String> {
    let mut lines = Vec::new();
    let has_none = acme.issued_by.is_none();
    if has_none {
        lines
            .push("clients get a self-signed certificate until the first one is issued".to_owned());
    }
    if acme.state == AcmeState::Revoked {
        lines.push("the authority has revoked it".to_owned());
    }
    if let Some(failure) = &acme.last_failure {
        let next = match acme.next_attempt_unix_ms {
            Some(next) => format!("the next attempt is at {}", utc(next / 1000)),
            None => "it is being tried again".to_owned(),
        };
        let (detail, kind) = (failure.detail.trim_end_matches('.'), &failure.kind);
        let at = utc(failure.at_unix_ms / 1000);
        let orders = match acme.failures {
            1 => "the last order".to_owned(),
            failures => format!("the last {failures} orders"),
        };
        lines.push(format!(
            "{orders} failed, at {at}: {detail} ({kind}); {next}"
        ));
    }
    // A failure about the DNS says what is missing.
    let is_said = |failure: &AcmeFailure| failure.kind == "dns";
    let is_said = acme.last_failure.as_ref().is_some_and(is_said);
    let missing = acme.dns_missing.iter().filter(|_| !is_said);
    lines.extend(missing.map(|record| format!("the DNS lacks the record {record}")));
    if has_none && acme.dns_missing.is_empty() {
        let records = acme.dns_records.iter();
        lines.extend(records.map(|record| format!("the DNS needs this record once: {record}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use janua_admin::{CertificateSource, CertificateStatus};

    use super::{attention, person};

    fn certificate() -> CertificateStatus {
        CertificateStatus {
            names: vec!["a.example".to_owned(), "www.a.example".to_owned()],
            subject: "CN=a.example".to_owned(),
            issuer: "CN=R11,O=Let's Encrypt".to_owned(),
            key_type: "ECDSA P-256".to_owned(),
            fingerprint: "ab".repeat(32),
            source: CertificateSource::Files,
            file: "a.crt".to_owned(),
            valid_from_unix_ms: 1_700_000_000_000,
            valid_until_unix_ms: 1_800_000_000_000,
            days_left: 47,
            sites: vec!["a.example".to_owned()],
            upstreams: vec![],
            warnings: Vec::new(),
            last_error: None,
            acme: None,
        }
    }

    #[test]
    fn a_row_for_each_certificate_and_a_line_for_each_trouble() {
        assert_eq!(person(&[]), "no site and no upstream has a certificate");
        let mut one = certificate();
        let page = "  \
NAMES                     USED BY    KEY          ISSUER                  SOURCE  VALID UNTIL           DAYS LEFT
  a.example, www.a.example  a.example  ECDSA P-256  CN=R11,O=Let's Encrypt  files   2027-01-15 08:00 UTC         47";
        assert_eq!(person(&[one.clone()]), page);
        one.warnings = vec!["a.crt: the certificate does not cover `b.example`".to_owned()];
        one.last_error = Some("a.key: the key does not fit".to_owned());
        let lines = "\n\
a.example: its files were refused by the last reload, and the old ones are in use: a.key: the key does not fit
a.example: a.crt: the certificate does not cover `b.example`";
        assert_eq!(person(&[one]), format!("{page}\n{lines}"));
    }

    #[test]
    fn a_certificate_for_upstreams_has_its_subject_as_its_name() {
        let mut one = certificate();
        one.names.clear();
        one.subject = "CN=gateway".to_owned();
        one.sites.clear();
        one.upstreams = vec!["crm".to_owned(), "sales".to_owned()];
        let page = person(&[one]);
        assert!(
            page.contains("  CN=gateway  upstream crm, upstream sales  ECDSA P-256"),
            "{page}"
        );
    }

    #[test]
    fn a_certificate_that_expires_soon_needs_attention() {
        for (days_left, expected) in [
            (14, None),
            (13, Some("it expires in 13 days")),
            (1, Some("it expires in 1 day")),
            (0, Some("it expires within a day")),
            // It is among the warnings then.
            (-1, None),
        ] {
            let soon = CertificateStatus {
                days_left,
                ..certificate()
            };
            let said: Vec<String> = attention(&soon).collect();
            assert_eq!(said.first().map(String::as_str), expected, "{days_left}");
        }
    }
}
