//! The certificates of the live configuration, for `janua certs`, the status and the metrics.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use janua_admin::{CertificateSource, CertificateStatus};
use janua_proxy::{ServedCertificate, Snapshot};

pub(super) const DAY: i64 = 24 * 60 * 60;

/// All certificates. `errors` are those of the last reload.
pub(super) fn statuses(snapshot: &Snapshot, errors: &[String]) -> Vec<CertificateStatus> {
    let now = unix_now();
    let all = snapshot.certificates().iter();
    all.map(|served| status(served, now, errors)).collect()
}

fn status(served: &ServedCertificate, now: i64, errors: &[String]) -> CertificateStatus {
    let (facts, files) = (served.certificate.facts(), served.certificate.files());
    // An error about a file begins with its path.
    let paths = [Some(&files.cert), Some(&files.key), files.ocsp.as_ref()];
    let paths = paths.map(|path| path.map(|path| format!("{}: ", path.display())));
    let is_about = |error: &&String| paths.iter().flatten().any(|path| error.starts_with(path));
    CertificateStatus {
        names: facts.names.clone(),
        subject: facts.subject.clone(),
        issuer: facts.issuer.clone(),
        key_type: facts.key_type.clone(),
        fingerprint: facts.fingerprint.clone(),
        source: match served.source {
            janua_proxy::CertificateSource::Files => CertificateSource::Files,
            janua_proxy::CertificateSource::SelfSigned => CertificateSource::SelfSigned,
        },
        file: files.cert.display().to_string(),
        valid_from_unix_ms: facts.not_before.saturating_mul(1000),
        valid_until_unix_ms: facts.not_after.saturating_mul(1000),
        days_left: (facts.not_after - now).div_euclid(DAY),
        sites: served.sites().map(str::to_owned).collect(),
        upstreams: served.upstreams().map(str::to_owned).collect(),
        warnings: served.warnings(now),
        last_error: errors.iter().find(is_about).cloned(),
        acme: None,
    }
}

/// The labels of the expiry of a certificate: the site or the upstream that uses it, the other
/// one being empty; the certificate's first name, or its subject if it has none; and the type of
/// its key.
pub(super) type ExpiryLabels = [String; 4];

/// When certificates expire, those by ACME (`issued`) included, in seconds since 1970. Of two with the same labels, the one that
/// expires first.
pub(super) fn expiries(
    snapshot: &Snapshot,
    issued: Vec<(ExpiryLabels, i64)>,
) -> Vec<(ExpiryLabels, f64)> {
    let mut all: BTreeMap<ExpiryLabels, i64> = issued.into_iter().collect();
    for served in snapshot.certificates() {
        let facts = served.certificate.facts();
        let name = facts.names.first().unwrap_or(&facts.subject);
        let sites = served.sites().map(|site| (site, ""));
        let upstreams = served.upstreams().map(|upstream| ("", upstream));
        for (site, upstream) in sites.chain(upstreams) {
            let labels = [site, upstream, name, &facts.key_type].map(str::to_owned);
            let expiry = all.entry(labels).or_insert(facts.not_after);
            *expiry = facts.not_after.min(*expiry);
        }
    }
    #[allow(
        clippy::cast_precision_loss,
        reason = "Prometheus counts in floats, which are exact for seconds of this era"
    )]
    let sample = |(labels, expiry)| (labels, expiry as f64);
    all.into_iter().map(sample).collect()
}

/// Seconds since 1970.
pub(super) fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    })
}
