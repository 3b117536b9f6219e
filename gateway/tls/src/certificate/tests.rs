use rcgen::CustomExtension;

use super::*;
use crate::testing::{Authority, Issued, NOW, Scratch, at};

const DAY: i64 = 24 * 60 * 60;

/// An intermediate's certificate, in files.
fn fixture(names: &[&str]) -> (Scratch, Issued, CertificateFiles) {
    let scratch = Scratch::new();
    let issued = Authority::new("Root")
        .intermediate("Middle")
        .issue_with(names, |params| {
            params.not_before = at(NOW - DAY);
            params.not_after = at(NOW + 90 * DAY);
        });
    let files = scratch.certificate("a", &issued);
    (scratch, issued, files)
}

fn text<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

#[test]
fn a_certificate_is_loaded_with_its_facts() {
    let (_scratch, issued, files) = fixture(&["a.example", "*.b.example", "192.0.2.1"]);
    let certificate = Certificate::load(&files).unwrap();
    let facts = certificate.facts();
    assert_eq!(facts.names, ["a.example", "*.b.example", "192.0.2.1"]);
    assert_eq!(facts.issuer, "CN=Middle");
    assert_eq!(facts.subject, "CN=a.example");
    assert_eq!(facts.key_type, "ECDSA P-256");
    assert_eq!(facts.not_before, NOW - DAY);
    assert_eq!(facts.not_after, NOW + 90 * DAY);
    assert_eq!(facts.chain_length, 2);
    assert_eq!(facts.fingerprint, fingerprint(&issued.chain[0]));
    assert_eq!(text(certificate.warnings()), [""; 0]);
    assert!(certificate.covers("x.b.example") && !certificate.covers("b.example"));
}

#[test]
fn the_time_is_judged() {
    let (_scratch, _, files) = fixture(&["a.example"]);
    let certificate = Certificate::load(&files).unwrap();
    assert_eq!(certificate.check_time(NOW), Ok(()));
    assert_eq!(certificate.check_time(NOW + 90 * DAY), Ok(()));
    assert_eq!(
        certificate
            .check_time(NOW + 90 * DAY + 1)
            .unwrap_err()
            .to_string(),
        format!(
            "{}: the certificate expired at 2027-02-25 18:00 UTC. Renew it, and put the new \
             certificate and its key in these files.",
            files.cert.display()
        )
    );
    assert_eq!(
        certificate
            .check_time(NOW - 2 * DAY)
            .unwrap_err()
            .to_string(),
        format!(
            "{}: the certificate is not valid before 2026-11-26 18:00 UTC, and now it is \
             2026-11-25 18:00 UTC. Wait until then, or set this machine's clock if it is wrong.",
            files.cert.display()
        )
    );
}

#[test]
fn an_expired_intermediate_counts() {
    let scratch = Scratch::new();
    let middle = Authority::new("Root")
        .intermediate_with("Middle", |params| params.not_after = at(NOW + DAY));
    let files = scratch.certificate("a", &middle.issue(&["a.example"]));
    let certificate = Certificate::load(&files).unwrap();
    let error = certificate.check_time(NOW + 2 * DAY).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the second certificate (`CN=Middle`) expired at 2026-11-28 18:00 UTC"),
        "{error}"
    );
}

#[test]
fn hosts_that_are_not_covered_are_named() {
    let (_scratch, _, files) = fixture(&["a.example", "*.b.example"]);
    let certificate = Certificate::load(&files).unwrap();
    let hosts = [
        HostPattern::Exact("a.example".into()),
        HostPattern::Wildcard("b.example".into()),
        HostPattern::Exact("c.example".into()),
        HostPattern::Wildcard("a.example".into()),
        HostPattern::Default,
    ];
    let warnings = text(&certificate.check_hosts(&hosts));
    assert_eq!(warnings.len(), 2);
    assert!(warnings[0].contains(
        "the certificate does not cover `c.example`: its names are a.example, *.b.example."
    ));
    assert!(warnings[1].contains("does not cover `*.a.example`"));
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let (scratch, _, files) = fixture(&["a.example"]);
    let other = Authority::new("Root").issue(&["a.example"]);
    scratch.write("a.key", other.key_pem.as_bytes());
    assert_eq!(
        Certificate::load(&files).unwrap_err().to_string(),
        format!(
            "{}: the key does not fit the certificate in {}. If only one of the two files was \
             replaced, replace the other too.",
            files.key.display(),
            files.cert.display()
        )
    );
}

#[test]
fn a_leaf_that_is_not_first_is_refused() {
    let (scratch, issued, files) = fixture(&["a.example"]);
    scratch.write("a.crt", issued.reversed_chain_pem().as_bytes());
    let error = Certificate::load(&files).unwrap_err().to_string();
    assert!(
        error.contains("belongs to the second certificate of this file instead of the first"),
        "{error}"
    );
}

#[test]
fn keys_of_all_forms_are_read() {
    let scratch = Scratch::new();
    let authority = Authority::new("Root");
    for issued in [
        authority.issue(&["a.example"]),
        authority.issue_rsa(&["a.example"]),
    ] {
        let files = scratch.certificate("a", &issued);
        Certificate::load(&files).unwrap();
        scratch.write("a.key", issued.traditional_key_pem().as_bytes());
        Certificate::load(&files).unwrap();
    }
}

#[test]
fn a_key_that_others_can_read_is_warned_of() {
    let (scratch, _, files) = fixture(&["a.example"]);
    scratch.set_mode("a.key", 0o640);
    assert_eq!(text(Certificate::load(&files).unwrap().warnings()), [""; 0]);
    scratch.set_mode("a.key", 0o644);
    let warnings = text(Certificate::load(&files).unwrap().warnings());
    assert_eq!(
        warnings,
        [format!(
            "{0}: every user of this machine can access the private key (mode 644). Use \
             `chmod o= {0}`.",
            files.key.display()
        )]
    );
}

#[test]
fn must_staple_without_a_response_is_warned_of() {
    let scratch = Scratch::new();
    let issued =
        Authority::new("Root")
            .intermediate("Middle")
            .issue_with(&["a.example"], |params| {
                // RFC 7633: a sequence of one extension, status_request.
                let demand = CustomExtension::from_oid_content(
                    &[1, 3, 6, 1, 5, 5, 7, 1, 24],
                    vec![0x30, 0x03, 0x02, 0x01, 0x05],
                );
                params.custom_extensions.push(demand);
            });
    let files = scratch.certificate("a", &issued);
    let warnings = text(Certificate::load(&files).unwrap().warnings());
    assert!(
        warnings[0].contains("demands a stapled OCSP response"),
        "{warnings:?}"
    );
}

#[test]
fn a_short_rsa_key_is_refused_in_words() {
    let scratch = Scratch::new();
    let files = CertificateFiles {
        cert: scratch.write("short.crt", SHORT_RSA_CERT.as_bytes()),
        key: scratch.write("short.key", SHORT_RSA_KEY.as_bytes()),
        ocsp: None,
    };
    let error = Certificate::load(&files).unwrap_err().to_string();
    assert!(
        error.contains("the key has too few bits: the certificate is RSA 1024"),
        "{error}"
    );
}

/// Made by `openssl req -x509 -newkey rsa:1024`, because rcgen does not make such keys.
const SHORT_RSA_CERT: &str = "-----BEGIN CERTIFICATE-----
MIICFjCCAX+gAwIBAgIUE4f7pTP/Xds6wl0ZkMWQONZdXMkwDQYJKoZIhvcNAQEL
BQAwEDEOMAwGA1UEAwwFc2hvcnQwHhcNMjYxMTI3MTgzODIwWhcNMjYxMjA3MTgz
ODIwWjAQMQ4wDAYDVQQDDAVzaG9ydDCBnzANBgkqhkiG9w0BAQEFAAOBjQAwgYkC
gYEAxAh37ExVvPkrBxx/k3STmqshWc2Ms59eIYqNlAfxrw+V61vPl//MsaPKI4qp
fctTjyEDTudMj1JdsgwhidGZ8Yu5gX+p/CIiLli4w913FAaytRY/DqczmiyKvkTt
b9BVZ62JmkDu9YVF+3rIoNW67xDW1yJcwqzExangzCpUu0cCAwEAAaNtMGswHQYD
VR0OBBYEFHMtv9BRvBHg5NwsejwW9RsWM7IDMB8GA1UdIwQYMBaAFHMtv9BRvBHg
5NwsejwW9RsWM7IDMA8GA1UdEwEB/wQFMAMBAf8wGAYDVR0RBBEwD4INc2hvcnQu
ZXhhbXBsZTANBgkqhkiG9w0BAQsFAAOBgQAYXESCzy+ytmZ8SBxOKU05ZaP88Osz
BZusZxjkYzbmNjnMqSQCI/YSPh+mK60RVixu/ooXplDIuO7gEU7y3UAqrCUACkR5
r12d1qm1gl552YwCfqRyxtw8jqGwAd29GYqTV4dOmWLWdFxV79KLZV/U6mB4LCEe
8zuULULjRT4UkA==
-----END CERTIFICATE-----
";

const SHORT_RSA_KEY: &str = "-----BEGIN PRIVATE KEY-----
MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAMQId+xMVbz5Kwcc
f5N0k5qrIVnNjLOfXiGKjZQH8a8Pletbz5f/zLGjyiOKqX3LU48hA07nTI9SXbIM
IYnRmfGLuYF/qfwiIi5YuMPddxQGsrUWPw6nM5osir5E7W/QVWetiZpA7vWFRft6
yKDVuu8Q1tciXMKsxMWp4MwqVLtHAgMBAAECgYAcsoirxPkAMxHDdr6OXZCGIes9
9ENWwEvNaTUUqJ0O3Z861zPqsn3Ku4mJ7nClg7B10YVkdaPVj188A16diFuaqM9V
A/U8biWSOAN6eNRaB/mEHDARq0vvjolKdItHo/bQ1GrWDAb81XWRfYz9E8sNC1In
jxvxSUOqELNu56gasQJBAPaZjC5xMvoefp13Ah0+F8MbP41veXsBXt+L2v9L0fpr
YTDSr45sFvGyDz60WQ8s/xUbsdIrWXv5LSwv+5f3xlMCQQDLgXbAHHAM53IaoZcn
8gnB0OEhKwDv2Vp0TeW7NIe1ZtQuzt20x0M20Nea89ERNgUo9DmBaQ/Sk+YTjsb9
cXC9AkAg8G2rHm/CvSQIgIcFxO+DnjYk/Ejrx0kW7yV3iHcpzgITdXEBwyplanVi
2NA0mLwR47si6atwRd5k0pv2tqAFAkAKLcmQxltcad8tMdPrrZGLXjVEgXAkjwyV
MKhC+tem3SPTy4kPV8Am579BAtz8LWWIrN6LeIPQFpG1fLi7SIdJAkAaGSRIfeDH
c6W81LIQGvaqMggduWHXWYHWSdhku20qBPAgSmZQ/SmjfrH1XlsKBZM7xGZ+SMi3
p3S1uJMGlUKt
-----END PRIVATE KEY-----
";

#[test]
fn the_identifier_for_renewal_is_that_of_the_standard() {
    let scratch = Scratch::new();
    let authority = Authority::new("Root");
    let issued = authority.issue_with(&["a.example"], |params| {
        params.use_authority_key_identifier_extension = true;
        // The example of RFC 9773, section 4.1, whose highest bit is set.
        params.serial_number = Some(vec![0x87, 0x65, 0x43, 0x21].into());
    });
    let certificate = scratch.load("a", &issued);
    let id = certificate.renewal_id().unwrap();
    let (issuer, serial) = id.split_once('.').unwrap();
    assert_eq!(serial, "AIdlQyE");
    // 20 bytes.
    assert_eq!(issuer.len(), 27, "{id}");

    let plain = scratch.load("b", &authority.issue(&["a.example"]));
    assert_eq!(plain.renewal_id(), None);
}
