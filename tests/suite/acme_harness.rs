//! The harness of automatic certificates itself, without the gateway: what it adds, changes and
//! records, so that a test of the gateway that fails has failed because of the gateway.

mod client;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use janua_tests::{Asked, Endpoint, Reply, Response, StubDns, Upstream};
use serde_json::json;

use crate::acme::{NAME, Scene, serial};
pub(crate) use client::{Client, path};

/// A client without an account, through the front.
pub(crate) async fn client_of(scene: &Scene) -> Client {
    Client::new(&scene.pebble, scene.front.address()).await
}

/// Answers HTTP-01 with this, whatever is asked for, where a gateway would.
pub(crate) async fn answer_http(scene: &Scene, authorization: &str) -> Upstream {
    let reply = Reply::ok(authorization);
    let endpoint = Endpoint::Tcp(scene.http.address());
    Upstream::at(endpoint, move |mut visit| {
        let reply = reply.clone();
        async move {
            if visit.request().await.is_ok() {
                visit.wire.send(reply.to_bytes("GET")).await;
            }
        }
    })
    .await
}

/// The certificates of a chain as DER.
fn certificates(chain: &str) -> Vec<Vec<u8>> {
    let blocks = chain.split("-----BEGIN CERTIFICATE-----").skip(1);
    let decode = |block: &str| {
        let text: String = block
            .lines()
            .take_while(|line| !line.starts_with("--"))
            .collect();
        STANDARD.decode(text).unwrap()
    };
    blocks.map(decode).collect()
}

/// The type of a problem document.
pub(crate) fn kind(answer: &Response) -> String {
    answer.json()["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_account_and_an_order_by_http() {
    let scene = Scene::new().await;
    let mut client = client_of(&scene).await;
    assert_eq!(client.register().await.status, 201);
    let (url, order) = client.order(NAME).await;
    let challenge = client.challenge(&order, "http-01").await;
    let upstream = answer_http(&scene, &client.authorize(&challenge)).await;
    assert_eq!(client.validate(&order, &challenge).await, "valid");
    let chain = client.finalize(&url, &order, NAME).await;

    // What validated, from three places at once: the host is the name, and the port is that of
    // the gateway.
    let asked = upstream.requests().remove(0);
    let token = challenge["token"].as_str().unwrap();
    assert_eq!(asked.target, format!("/.well-known/acme-challenge/{token}"));
    let host = format!("{NAME}:{}", scene.http.number());
    assert!(
        [NAME, &host].contains(&asked.header("host").unwrap()),
        "{asked:?}"
    );
    assert!(scene.dns.count(NAME, "A") > 0);

    // What was issued: the leaf and an intermediate of the root that the management says.
    let issued = certificates(&chain);
    assert_eq!(issued.len(), 2);
    let intermediate = scene.pebble.intermediate().await;
    assert_eq!(issued[1], certificates(&intermediate)[0]);
    assert_ne!(scene.pebble.issuing_root().await, intermediate);

    // What the front has seen, all of it through its own URLs.
    assert_eq!(scene.front.ordered(), [[NAME]]);
    let account = &scene.front.calls_of(Asked::NewAccount)[0];
    assert_eq!(
        account.payload["contact"],
        json!(["mailto:ops@example.com"])
    );
    assert!(account.binding().is_null());
    for asked in [
        Asked::Directory,
        Asked::NewAccount,
        Asked::NewOrder,
        Asked::Challenge,
        Asked::Finalize,
        Asked::Certificate,
    ] {
        assert_eq!(scene.front.count(asked), 1, "{asked:?}");
        assert_eq!(scene.front.successes(asked), 1, "{asked:?}");
    }
    assert_eq!(scene.front.count(Asked::Other), 0);

    // Revoking, and what the management says of it.
    let number = serial(&issued[0]);
    assert_eq!(scene.pebble.status(&number).await.as_deref(), Some("Valid"));
    let der = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&issued[0]);
    let revoked = client
        .ask("revokeCert", &json!({ "certificate": der }))
        .await;
    assert_eq!(revoked.status, 200, "{revoked:?}");
    assert_eq!(
        scene.pebble.status(&number).await.as_deref(),
        Some("Revoked")
    );
    assert_eq!(
        scene.front.calls_of(Asked::Revoke)[0].payload["certificate"],
        der
    );
    assert_eq!(scene.pebble.status(&[1, 2, 3]).await, None);
}

#[tokio::test]
async fn an_authority_that_starts_again_knows_nothing() {
    let mut scene = Scene::new().await;
    let mut client = client_of(&scene).await;
    client.register().await;
    let root = scene.pebble.issuing_root().await;
    scene.pebble.stop();
    assert!(
        tokio::net::TcpStream::connect(scene.pebble.address())
            .await
            .is_err()
    );
    scene.pebble.start_again().await;
    assert_ne!(scene.pebble.issuing_root().await, root);
    let payload = json!({ "identifiers": [{ "type": "dns", "value": NAME }] });
    let answer = client.ask("newOrder", &payload).await;
    assert_eq!(
        kind(&answer),
        "urn:ietf:params:acme:error:accountDoesNotExist"
    );
}

#[tokio::test]
async fn what_is_asked_of_new_accounts_and_names() {
    let scene = Scene::with(|settings| {
        let key = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";
        settings
            .external_account("kid-1", key)
            .blocked("blocked.example")
            .strict()
    })
    .await;
    let mut client = client_of(&scene).await;
    assert_eq!(client.directory["meta"]["externalAccountRequired"], true);
    let answer = client.register().await;
    assert_eq!(
        kind(&answer),
        "urn:ietf:params:acme:error:externalAccountRequired"
    );

    let scene = Scene::with(|settings| settings.bad_nonces(100).blocked("blocked.example")).await;
    let answer = client_of(&scene).await.register().await;
    assert_eq!(kind(&answer), "urn:ietf:params:acme:error:badNonce");

    let scene = Scene::with(|settings| settings.blocked("blocked.example")).await;
    let mut client = client_of(&scene).await;
    client.register().await;
    let payload = json!({ "identifiers": [{ "type": "dns", "value": "www.blocked.example" }] });
    let answer = client.ask("newOrder", &payload).await;
    assert_eq!(
        kind(&answer),
        "urn:ietf:params:acme:error:rejectedIdentifier"
    );
}

/// DNS-01 through the records of the stub: an alias, and a zone of another server.
#[tokio::test]
async fn orders_by_dns() {
    let other = StubDns::start().await;
    let scene = Scene::new().await;
    let mut client = client_of(&scene).await;
    client.register().await;
    let alias = "_acme-challenge.sales.example.com";
    scene.dns.set_cname(alias, "sales.acme.example.com");
    for attempt in ["none", "wrong", "right"] {
        let (url, order) = client.order(NAME).await;
        let challenge = client.challenge(&order, "dns-01").await;
        match attempt {
            "none" => {}
            "wrong" => scene.dns.set_txt("sales.acme.example.com", &["wrong"]),
            _ => {
                let value = client.txt(&challenge);
                scene
                    .dns
                    .set_txt("sales.acme.example.com", &["other", &value]);
            }
        }
        let expected = if attempt == "right" {
            "valid"
        } else {
            "invalid"
        };
        assert_eq!(
            client.validate(&order, &challenge).await,
            expected,
            "{attempt}"
        );
        if attempt == "right" {
            client.finalize(&url, &order, NAME).await;
        }
    }
    assert!(scene.dns.count(alias, "TXT") >= 3);

    // The other server plays a resolver and is therefore not authoritative: a lame delegation.
    // The name is another, because pebble accepts one in a hundred that it has seen proven.
    scene.dns.delegate("acme.example.com", other.address());
    let lame = "lame.acme.example.com";
    scene
        .dns
        .set_cname("_acme-challenge.lame.example.com", lame);
    let (_, order) = client.order("lame.example.com").await;
    let challenge = client.challenge(&order, "dns-01").await;
    other.set_txt(lame, &[&client.txt(&challenge)]);
    assert_eq!(client.validate(&order, &challenge).await, "invalid");
    assert!(other.count(lame, "TXT") > 0);
    let lame = scene.dns.lame();
    assert!(
        lame[0].contains("does not say that it is authoritative"),
        "{lame:?}"
    );
}
