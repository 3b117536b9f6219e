//! The harness of automatic certificates itself, without the gateway: what it adds, changes and
//! records, so that a test of the gateway that fails has failed because of the gateway.

mod client;

use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use janua_tests::{
    AskServer, Asked, Challtestsrv, DnsWebhook, Endpoint, Fault, PebbleSettings, Permission, Point,
    Renewal, Reply, Request, ReservedPort, Response, StubDns, Upstream, Wire,
};
use serde_json::{Value, json};

use crate::acme::{NAME, Scene, serial};
use client::Client;

/// A client without an account, through the front.
async fn client_of(scene: &Scene) -> Client {
    Client::new(&scene.pebble, scene.front.address()).await
}

/// Answers HTTP-01 with this, whatever is asked for, where a gateway would.
async fn answer_http(scene: &Scene, authorization: &str) -> Upstream {
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

fn kind(answer: &Response) -> String {
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

#[tokio::test]
async fn what_the_front_adds() {
    let scene = Scene::new().await;
    let client = client_of(&scene).await;
    assert!(client.directory["renewalInfo"].is_null());
    scene
        .front
        .offer_profiles(json!({ "shortlived": "six days" }));
    let url = "https://authority.example/why";
    let renewal = Renewal::overdue().explained(url).retry_after("60");
    scene.front.renew(renewal);
    scene.front.renew_one(
        "a.b",
        Renewal::after(std::time::Duration::from_secs(86_400)),
    );

    let client = client_of(&scene).await;
    assert_eq!(
        client.directory["meta"]["profiles"],
        json!({ "shortlived": "six days" })
    );
    let base = client.directory["renewalInfo"].as_str().unwrap();
    let get = async |identifier: &str| {
        let target = format!("{}/{identifier}", client::path(base));
        client.send(Request::get(&target)).await
    };
    let overdue = get("x.y").await;
    assert_eq!(overdue.header("retry-after"), Some("60"));
    assert_eq!(overdue.json()["explanationURL"], url);
    let start = |answer: &Response| {
        let start = &answer.json()["suggestedWindow"]["start"];
        start.as_str().unwrap().to_owned()
    };
    let later = get("a.b").await;
    assert!(start(&later) > start(&overdue), "{later:?}");
    assert_eq!(scene.front.count(Asked::RenewalInfo), 2);

    // What the authority does not know is repeated in orders, as if it did.
    let mut client = client_of(&scene).await;
    client.register().await;
    let payload = json!({
        "identifiers": [{ "type": "dns", "value": NAME }],
        "replaces": "x.y",
    });
    let placed = client.ask("newOrder", &payload).await;
    let url = placed.header("location").unwrap();
    let polled = client.post(url, None).await.json();
    for order in [&placed.json(), &polled] {
        assert_eq!(order["replaces"], "x.y");
        assert!(order["profile"].is_null());
    }
    assert_eq!(scene.front.orders()[0].payload["replaces"], "x.y");
}

#[tokio::test]
async fn what_the_front_spoils() {
    let scene = Scene::new().await;
    let mut client = client_of(&scene).await;
    client.register().await;
    let (front, pebble) = (&scene.front, &scene.pebble);
    let payload = json!({ "identifiers": [{ "type": "dns", "value": NAME }] });

    front.fail(Asked::NewOrder, 2, Fault::rate_limited(7));
    front.fail(Asked::NewOrder, 1, Fault::rejected(&[NAME]));
    front.fail(Asked::NewOrder, 1, Fault::Page(502));
    for _ in 0..2 {
        let limited = client.ask("newOrder", &payload).await;
        assert_eq!(
            (limited.status, limited.header("retry-after")),
            (429, Some("7"))
        );
        assert_eq!(kind(&limited), "urn:ietf:params:acme:error:rateLimited");
        assert!(limited.header("replay-nonce").is_some());
    }
    let rejected = client.ask("newOrder", &payload).await.json();
    assert_eq!(rejected["subproblems"][0]["identifier"]["value"], NAME);
    assert_eq!(client.ask("newOrder", &payload).await.status, 502);
    assert_eq!(client.ask("newOrder", &payload).await.status, 201);
    let order = &front.calls_of(Asked::NewOrder);
    assert_eq!((order.len(), front.orders().len()), (5, 1));
    assert_eq!(order[0].answer["status"], 429);

    // A reset, and an authority that is away for a while.
    let url = client.directory["newOrder"].as_str().unwrap();
    let request = client.signed(url, Some(&payload)).await;
    let tls = janua_tests::TlsClient::trusting(pebble.authority());
    let reset = async || {
        let mut wire = tls.connect(front.address(), "localhost").await.unwrap();
        wire.send(request.clone().host("localhost").to_bytes())
            .await;
        wire.is_closed().await
    };
    front.fail(Asked::NewOrder, 1, Fault::Reset);
    assert!(reset().await);
    front.set_down(true);
    assert!(reset().await);
    front.set_down(false);
    assert_eq!(client.ask("newOrder", &payload).await.status, 201);
}

#[tokio::test]
async fn a_certificate_that_is_not_ready() {
    let scene = Scene::new().await;
    let mut client = client_of(&scene).await;
    client.register().await;
    let (url, order) = client.order(NAME).await;
    let challenge = client.challenge(&order, "http-01").await;
    let _upstream = answer_http(&scene, &client.authorize(&challenge)).await;
    client.validate(&order, &challenge).await;
    scene
        .front
        .fail(Asked::Order, 2, Fault::Processing { retry_after: 1 });
    client.finalize(&url, &order, NAME).await;
    let polled = scene.front.calls_of(Asked::Order);
    let waits = polled
        .iter()
        .filter(|call| call.answer["status"] == "processing");
    assert!(waits.count() >= 2, "{polled:#?}");
    assert!(polled[0].answer["certificate"].is_null());
}

#[tokio::test]
async fn requests_that_are_held() {
    let scene = Scene::new().await;
    let mut client = client_of(&scene).await;
    let before = scene.front.hold(Asked::NewAccount, Point::Request);
    let after = scene.front.hold(Asked::NewAccount, Point::Answer);
    let (registered, ()) = tokio::join!(client.register(), async {
        before.reached().await;
        let held = &scene.front.calls_of(Asked::NewAccount)[0];
        assert_eq!(held.status, None);
        before.release();
        after.reached().await;
        let answered = &scene.front.calls_of(Asked::NewAccount)[0];
        assert_eq!(answered.status, Some(201));
        after.release();
    });
    assert_eq!(registered.status, 201);

    let payload = json!({ "identifiers": [{ "type": "dns", "value": NAME }] });
    let url = client.directory["newOrder"].as_str().unwrap();
    let request = client.signed(url, Some(&payload)).await;
    let hold = scene.front.hold(Asked::NewOrder, Point::Request);
    let tls = janua_tests::TlsClient::trusting(scene.pebble.authority());
    let wire = tls.connect(scene.front.address(), "localhost").await;
    let mut wire = wire.unwrap();
    wire.send(request.host("localhost").to_bytes()).await;
    hold.reached().await;
    hold.lose();
    assert!(wire.is_closed().await);
    assert!(scene.front.orders().is_empty());
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
    scene.dns.delegate("acme.example.com", other.address());
    let (_, order) = client.order(NAME).await;
    let challenge = client.challenge(&order, "dns-01").await;
    other.set_txt("sales.acme.example.com", &[&client.txt(&challenge)]);
    assert_eq!(client.validate(&order, &challenge).await, "invalid");
    assert!(other.count("sales.acme.example.com", "TXT") > 0);
    let lame = scene.dns.lame();
    assert!(
        lame[0].contains("does not say that it is authoritative"),
        "{lame:?}"
    );
}

async fn call(url: &str, token: &str, body: &Value) -> Response {
    let address: SocketAddr = url.split('/').nth(2).unwrap().parse().unwrap();
    let request = Request::post("/dns", body.to_string())
        .header("Authorization", &format!("Bearer {token}"))
        .header("Content-Type", "application/json");
    Wire::connect(address).await.exchange(&request).await
}

#[tokio::test]
async fn an_order_by_the_webhook_of_a_provider() {
    let provider = Challtestsrv::start().await;
    let webhook = DnsWebhook::of(&provider, "secret").await;
    let (http, tls) = (ReservedPort::reserve(), ReservedPort::reserve());
    let settings = PebbleSettings::new(http.number(), tls.number(), provider.address());
    let pebble = settings.start().await;
    // Without a front.
    let mut client = Client::new(&pebble, pebble.address()).await;
    client.register().await;
    let (url, order) = client.order("*.example.com").await;
    let challenge = client.challenge(&order, "dns-01").await;
    let record = |action: &str, value: &str| {
        json!({
            "action": action,
            "domain": "example.com",
            "name": "_acme-challenge.example.com",
            "value": value,
        })
    };
    let value = client.txt(&challenge);
    assert_eq!(
        call(&webhook.url(), "wrong", &record("present", &value))
            .await
            .status,
        401
    );
    let other = call(&webhook.url(), "secret", &record("present", "other"))
        .await
        .json();
    let own = call(&webhook.url(), "secret", &record("present", &value))
        .await
        .json();
    assert_eq!(
        (&other["record"]["id"], &own["record"]["id"]),
        (&json!(1), &json!(2))
    );
    let mut cleanup = record("cleanup", "other");
    assert_eq!(call(&webhook.url(), "secret", &cleanup).await.status, 404);
    cleanup["record"] = other["record"].clone();
    assert_eq!(call(&webhook.url(), "secret", &cleanup).await.status, 200);
    // The other record of the same name is still there.
    let name = "_acme-challenge.example.com".to_owned();
    assert_eq!(webhook.present().await, [(name, value)]);
    assert_eq!(client.validate(&order, &challenge).await, "valid");
    client.finalize(&url, &order, "*.example.com").await;
    assert_eq!(webhook.calls_of("cleanup").len(), 2);
    assert_eq!(webhook.refused().len(), 2);
}

#[tokio::test]
async fn who_permits_names() {
    let server = AskServer::start().await;
    server.set("a.example", Permission::Granted);
    server.set(
        "b.example",
        Permission::Redirected("http://127.0.0.1:1/".to_owned()),
    );
    server.set("c.example", Permission::Awaited);
    let address: SocketAddr = server.url().split('/').nth(2).unwrap().parse().unwrap();
    let ask = async |name: &str| {
        let target = format!("/allowed?domain={name}");
        Wire::connect(address)
            .await
            .exchange(&Request::get(&target))
            .await
    };
    assert_eq!(ask("a.example").await.status, 200);
    assert_eq!(ask("x.example").await.status, 403);
    assert_eq!(
        ask("b.example").await.header("location"),
        Some("http://127.0.0.1:1/")
    );
    let (one, two, ()) = tokio::join!(ask("c.example"), ask("c.example"), async {
        janua_tests::assert_eventually!(server.questions().len() == 5);
        server.set("c.example", Permission::Granted);
    });
    assert_eq!((one.status, two.status), (200, 200));
    assert_eq!(server.most_in_flight(), 2);
    assert!(server.malformed().is_empty());
    server.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
