//! A response of an OCSP responder (RFC 6960), stapled to handshakes.
//!
//! The gateway does not fetch responses. It takes one from a file, says what
//! clients would hold against it, and serves it as it is. Its signature is left
//! to clients.

use std::path::Path;

use x509_cert::der::Decode as _;
use x509_ocsp::{BasicOcspResponse, CertStatus, OcspResponse, OcspResponseStatus, SingleResponse};

use crate::date::utc;
use crate::error::Error;
use crate::parsed::hex_serial;
use crate::pem;

/// A response for one certificate.
#[derive(Debug)]
pub(crate) struct Staple {
    pub(crate) der: Vec<u8>,
    /// Until when clients believe it, in seconds since 1970; none if it does not
    /// say.
    pub(crate) next_update: Option<i64>,
}

impl Staple {
    /// Reads a file in DER. An error if it is not a response that says that the
    /// certificate with this serial number is good.
    pub(crate) fn load(file: &Path, serial: &str) -> Result<Self, Error> {
        let der = pem::read(file)?;
        let error = |what: &str| {
            Error::of_file(
                file,
                format_args!("{what} Fetch one with `openssl ocsp -respout FILE`."),
            )
        };
        let response = OcspResponse::from_der(&der)
            .map_err(|_| error("this is not an OCSP response in DER."))?;
        if response.response_status != OcspResponseStatus::Successful {
            return Err(error("the OCSP responder answered with an error."));
        }
        let basic = response
            .response_bytes
            .and_then(|bytes| BasicOcspResponse::from_der(bytes.response.as_bytes()).ok())
            .ok_or_else(|| error("this OCSP response is not of the basic kind."))?;
        let mut singles = basic.tbs_response_data.responses.iter();
        let single = singles
            .find(|single| hex_serial(&single.cert_id.serial_number) == serial)
            .ok_or_else(|| error("this OCSP response is about another certificate."))?;
        match single.cert_status {
            CertStatus::Good(_) => {}
            CertStatus::Revoked(_) => {
                return Err(Error::of_file(
                    file,
                    "the issuer has revoked the certificate. Get a new one.",
                ));
            }
            CertStatus::Unknown(_) => {
                return Err(error("the OCSP responder does not know the certificate."));
            }
        }
        Ok(Self {
            next_update: next_update(single),
            der,
        })
    }

    /// Why clients do not believe it at `now`, if so.
    pub(crate) fn expiry(&self, now: i64) -> Option<String> {
        let next_update = self.next_update.filter(|&until| until < now)?;
        Some(format!(
            "the OCSP response expired at {}, and clients may refuse to connect because of it. \
             Fetch a new one, or serve none.",
            utc(next_update)
        ))
    }
}

fn next_update(single: &SingleResponse) -> Option<i64> {
    let until = single.next_update?.0.to_unix_duration();
    Some(until.as_secs().cast_signed())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use x509_cert::Certificate;
    use x509_cert::der::Encode as _;
    use x509_cert::der::asn1::{BitString, GeneralizedTime, Null, OctetString};
    use x509_ocsp::{CertId, OcspGeneralizedTime, ResponderId, ResponseData, RevokedInfo, Version};

    use super::*;
    use crate::testing::{Authority, NOW, Scratch};

    fn time(seconds: i64) -> OcspGeneralizedTime {
        let since = Duration::from_secs(u64::try_from(seconds).unwrap());
        OcspGeneralizedTime(GeneralizedTime::from_unix_duration(since).unwrap())
    }

    /// A response about `certificate`, whose signature is not one.
    fn response(certificate: &[u8], cert_status: CertStatus) -> Vec<u8> {
        let certificate = Certificate::from_der(certificate).unwrap();
        let algorithm = certificate.signature_algorithm.clone();
        let hash = || OctetString::new([0; 20]).unwrap();
        let single = SingleResponse {
            cert_id: CertId {
                hash_algorithm: algorithm.clone(),
                issuer_name_hash: hash(),
                issuer_key_hash: hash(),
                serial_number: certificate.tbs_certificate.serial_number,
            },
            cert_status,
            this_update: time(NOW),
            next_update: Some(time(NOW + 60)),
            single_extensions: None,
        };
        let basic = BasicOcspResponse {
            tbs_response_data: ResponseData {
                version: Version::V1,
                responder_id: ResponderId::ByKey(hash()),
                produced_at: time(NOW),
                responses: vec![single],
                response_extensions: None,
            },
            signature_algorithm: algorithm,
            signature: BitString::from_bytes(&[0; 64]).unwrap(),
            certs: None,
        };
        OcspResponse::successful(basic).unwrap().to_der().unwrap()
    }

    fn load(content: &[u8], serial: &str) -> Result<Staple, String> {
        let scratch = Scratch::new();
        let file = scratch.write("a.ocsp", content);
        let prefix = format!("{}: ", file.display());
        Staple::load(&file, serial)
            .map_err(|error| error.to_string().strip_prefix(&prefix).unwrap().to_owned())
    }

    #[test]
    fn a_response_is_for_its_certificate_and_its_time() {
        let authority = Authority::new("Root");
        let [one, other] = [0, 1].map(|_| authority.issue(&["a.example"]).chain[0].clone());
        let [serial, other] =
            [&one, &other].map(|der| crate::parsed::Parsed::new(der).unwrap().serial());
        let good = response(&one, CertStatus::good());
        let staple = load(&good, &serial).unwrap();
        assert_eq!(staple.der, good);
        assert_eq!(staple.expiry(NOW + 60), None);
        let expiry = staple.expiry(NOW + 61).unwrap();
        assert!(expiry.starts_with("the OCSP response expired at 2026-11-27 18:01 UTC"));
        let error = load(&good, &other).unwrap_err();
        assert!(error.starts_with("this OCSP response is about another certificate."));
    }

    #[test]
    fn only_a_good_one_is_served() {
        let one = Authority::new("Root").issue(&["a.example"]).chain[0].clone();
        let serial = crate::parsed::Parsed::new(&one).unwrap().serial();
        let revoked = CertStatus::revoked(RevokedInfo {
            revocation_time: time(NOW),
            revocation_reason: None,
        });
        let try_later = OcspResponse::try_later().to_der().unwrap();
        let cases = [
            (
                response(&one, revoked),
                "the issuer has revoked the certificate.",
            ),
            (
                response(&one, CertStatus::Unknown(Null)),
                "the OCSP responder does not know the certificate.",
            ),
            (try_later, "the OCSP responder answered with an error."),
            (
                b"-----BEGIN".to_vec(),
                "this is not an OCSP response in DER.",
            ),
        ];
        for (content, expected) in cases {
            let error = load(&content, &serial).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }

    #[test]
    fn it_is_stapled_to_handshakes() {
        let authority = Authority::new("Root");
        let issued = authority.issue(&["a.example"]);
        let scratch = Scratch::new();
        let mut files = scratch.certificate("a", &issued);
        let good = response(&issued.chain[0], CertStatus::good());
        files.ocsp = Some(scratch.write("a.ocsp", &good));
        let certificate = crate::Certificate::load(&files).unwrap();
        assert_eq!(certificate.key().ocsp.as_deref(), Some(good.as_slice()));
        assert_eq!(certificate.check_staple(NOW), None);
        let warning = certificate.check_staple(NOW + 61).unwrap().to_string();
        assert!(
            warning.contains("a.ocsp: the OCSP response expired"),
            "{warning}"
        );
    }
}
