//! The configuration of `make run`, on free ports.

use std::path::Path;

use janua_tests::{Example, Reply, Request, Settings, Upstream, Wire};

use crate::openssl;

#[tokio::test]
async fn it_serves_http_and_https() {
    let upstream = Upstream::always(Reply::ok("upstream")).await;
    let endpoint = upstream.endpoint();
    let example = Example::of("quickstart")
        .listener("127.0.0.1:8080")
        .listener("127.0.0.1:8443")
        .endpoint("127.0.0.1:7101", &endpoint)
        .to_string();
    // The harness has its own settings of the process.
    let (_, config) = example.split_once("[listeners.public]").unwrap();
    let keys = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/quickstart/keys.txt");
    let config = format!("[listeners.public]{config}")
        .replace(", \"127.0.0.1:7102\"", "")
        .replace("\"keys.txt\"", &format!("\"{}\"", keys.display()));
    let gateway = Settings::new().start(config).await;

    let mut wire = Wire::connect(gateway.address_of("public")).await;
    let hello = wire.exchange(&Request::get("/")).await;
    assert!(hello.text().contains("Janua is running"), "{hello:?}");
    let old = wire.exchange(&Request::get("/old?x=1")).await;
    assert_eq!(old.header("location"), Some("/open?x=1"));
    assert_eq!(
        wire.exchange(&Request::get("/open")).await.text(),
        "upstream"
    );
    assert_eq!(wire.exchange(&Request::get("/api/hello")).await.status, 401);
    let hello = Request::get("/api/hello").header("x-api-key", "demo-key");
    assert_eq!(wire.exchange(&hello).await.text(), "upstream");

    // The certificate is where README.md says.
    let secure = gateway.address_of("secure");
    let certificate = gateway
        .directory()
        .join("state/self-signed/_/self-signed.crt");
    assert!(openssl::is_trusted(secure, "localhost", certificate.clone()).await);
    assert!(!openssl::is_trusted(secure, "other.example", certificate).await);
}
