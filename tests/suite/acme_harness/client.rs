//! A client of ACME that does no more than the tests of the harness need, and does it step by
//! step: the gateway's own would hide from a test what the harness does.

use std::net::SocketAddr;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use janua_tests::{Pebble, Request, Response, TlsClient, assert_eventually};
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

/// An account with its key, or what becomes one.
pub(crate) struct Client {
    address: SocketAddr,
    tls: TlsClient,
    key: EcdsaKeyPair,
    kid: Option<String>,
    pub(crate) directory: Value,
}

impl Client {
    /// A client without an account, of the authority at this address.
    pub(crate) async fn new(pebble: &Pebble, address: SocketAddr) -> Self {
        let mut client = Self {
            address,
            tls: TlsClient::trusting(pebble.authority()),
            key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap(),
            kid: None,
            directory: Value::Null,
        };
        let url = format!("https://{address}/dir");
        client.directory = client.send(Request::get(path(&url))).await.json();
        client
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request) -> Response {
        let wire = self.tls.connect(self.address, "localhost").await;
        let request = request.host(&self.address.to_string());
        wire.unwrap().exchange(&request).await
    }

    /// Sends a signed request; without a payload it is a POST-as-GET.
    pub(crate) async fn post(&self, url: &str, payload: Option<&Value>) -> Response {
        let request = self.signed(url, payload).await;
        self.send(request).await
    }

    /// The same that is not sent yet.
    pub(crate) async fn signed(&self, url: &str, payload: Option<&Value>) -> Request {
        let nonce_url = self.directory["newNonce"].as_str().unwrap();
        let nonce = self.send(Request::new("HEAD", path(nonce_url))).await;
        let nonce = nonce.header("replay-nonce").unwrap().to_owned();
        let mut protected = json!({ "alg": "ES256", "nonce": nonce, "url": url });
        match &self.kid {
            Some(kid) => protected["kid"] = json!(kid),
            None => protected["jwk"] = self.jwk(),
        }
        let protected = URL_SAFE_NO_PAD.encode(protected.to_string());
        let payload = payload.map(ToString::to_string).unwrap_or_default();
        let payload = URL_SAFE_NO_PAD.encode(payload);
        let input = format!("{protected}.{payload}");
        let signature = self.key.sign(&SystemRandom::new(), input.as_bytes());
        let signature = URL_SAFE_NO_PAD.encode(signature.unwrap());
        let body = json!({ "protected": protected, "payload": payload, "signature": signature });
        Request::post(path(url), body.to_string()).header("Content-Type", "application/jose+json")
    }

    /// Sends a signed request to a resource of the directory.
    pub(crate) async fn ask(&self, resource: &str, payload: &Value) -> Response {
        let url = self.directory[resource].as_str().unwrap().to_owned();
        self.post(&url, Some(payload)).await
    }

    /// Makes an account.
    pub(crate) async fn register(&mut self) -> Response {
        let payload = json!({
            "termsOfServiceAgreed": true,
            "contact": ["mailto:ops@example.com"],
        });
        let answer = self.ask("newAccount", &payload).await;
        self.kid = answer.header("location").map(ToOwned::to_owned);
        answer
    }

    /// An order for a name, and its URL.
    pub(crate) async fn order(&self, name: &str) -> (String, Value) {
        let payload = json!({ "identifiers": [{ "type": "dns", "value": name }] });
        let answer = self.ask("newOrder", &payload).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let url = answer.header("location").unwrap().to_owned();
        (url, answer.json())
    }

    /// The challenge of a type of an order with one authorization.
    pub(crate) async fn challenge(&self, order: &Value, kind: &str) -> Value {
        let url = order["authorizations"][0].as_str().unwrap();
        let authorization = self.post(url, None).await.json();
        let challenges = authorization["challenges"].as_array().unwrap();
        let found = challenges.iter().find(|one| one["type"] == kind);
        found.expect("the challenge is offered").clone()
    }

    /// Has a challenge validated, and waits for the result: the status of the authorization.
    pub(crate) async fn validate(&self, order: &Value, challenge: &Value) -> String {
        let url = challenge["url"].as_str().unwrap();
        let answer = self.post(url, Some(&json!({}))).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let url = order["authorizations"][0].as_str().unwrap();
        let status = async || self.post(url, None).await.json()["status"].clone();
        assert_eventually!(status().await != "pending");
        status().await.as_str().unwrap().to_owned()
    }

    /// Sends the CSR, and waits for the certificate: its chain as PEM.
    pub(crate) async fn finalize(&self, url: &str, order: &Value, name: &str) -> String {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let csr = params.serialize_request(&key).unwrap();
        let payload = json!({ "csr": URL_SAFE_NO_PAD.encode(csr.der()) });
        let finalize = order["finalize"].as_str().unwrap();
        let answer = self.post(finalize, Some(&payload)).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let order = async || self.post(url, None).await.json();
        assert_eventually!(order().await["status"] == "valid");
        let order = order().await;
        let certificate = order["certificate"].as_str().unwrap();
        self.post(certificate, None).await.text().to_owned()
    }

    /// What answers a challenge (RFC 8555, section 8.1).
    pub(crate) fn authorize(&self, challenge: &Value) -> String {
        let token = challenge["token"].as_str().unwrap();
        let thumbprint = digest(&SHA256, self.jwk().to_string().as_bytes());
        format!("{token}.{}", URL_SAFE_NO_PAD.encode(thumbprint))
    }

    /// The value of the TXT record for it (section 8.4).
    pub(crate) fn txt(&self, challenge: &Value) -> String {
        let digest = digest(&SHA256, self.authorize(challenge).as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// Its members are in the order of their names, as a thumbprint needs them.
    fn jwk(&self) -> Value {
        let point = self.key.public_key().as_ref();
        let encode = |part: &[u8]| URL_SAFE_NO_PAD.encode(part);
        json!({ "crv": "P-256", "kty": "EC", "x": encode(&point[1..33]), "y": encode(&point[33..65]) })
    }
}

/// What a URL has after the host.
pub(crate) fn path(url: &str) -> &str {
    let after = url.strip_prefix("https://").unwrap();
    &after[after.find('/').unwrap()..]
}
