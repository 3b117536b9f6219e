//! The front of an authority itself, without the gateway: what it adds, spoils, holds and records.

use std::time::Duration;

use janua_tests::{Asked, Fault, Point, Renewal, Request, Response, TlsClient};
use serde_json::json;

use crate::acme::{NAME, Scene};
use crate::acme_harness::{answer_http, client_of, kind, path};

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
    scene
        .front
        .renew_one("a.b", Renewal::after(Duration::from_secs(86_400)));

    let client = client_of(&scene).await;
    assert_eq!(
        client.directory["meta"]["profiles"],
        json!({ "shortlived": "six days" })
    );
    let base = client.directory["renewalInfo"].as_str().unwrap();
    let get = async |identifier: &str| {
        let target = format!("{}/{identifier}", path(base));
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
    let tls = TlsClient::trusting(pebble.authority());
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
    let tls = TlsClient::trusting(scene.pebble.authority());
    let wire = tls.connect(scene.front.address(), "localhost").await;
    let mut wire = wire.unwrap();
    wire.send(request.host("localhost").to_bytes()).await;
    hold.reached().await;
    hold.lose();
    assert!(wire.is_closed().await);
    assert!(scene.front.orders().is_empty());
}
