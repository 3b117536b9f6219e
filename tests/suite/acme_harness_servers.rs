//! The servers that are asked beside an authority, without the gateway: a provider's webhook, and
//! who permits certificates on demand.

use std::net::SocketAddr;

use janua_tests::{
    AskServer, Challtestsrv, DnsWebhook, PebbleSettings, Permission, Request, ReservedPort,
    Response, Wire, assert_eventually,
};
use serde_json::{Value, json};

use crate::acme_harness::Client;

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
        assert_eventually!(server.questions().len() == 5);
        server.set("c.example", Permission::Granted);
    });
    assert_eq!((one.status, two.status), (200, 200));
    assert_eq!(server.most_in_flight(), 2);
    assert!(server.malformed().is_empty());
    server.stop().await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}
