//! What operators are told of endpoints by webhooks.

use janua_tests::{Gateway, Proxy, Reply, Upstream, Visit, assert_eventually, run};
use serde_json::Value;

use crate::upstreams_health::{FAST, Service, is};

fn webhook(service: &Upstream, lines: &str) -> String {
    format!(
        "\n[[webhooks]]\non = [\"endpoint\"]\nurl = \"http://{}/hook\"\n{lines}\n",
        service.endpoint()
    )
}

fn bodies(service: &Upstream) -> Vec<Value> {
    let requests = service.requests();
    let bodies = requests.iter().map(|it| serde_json::from_slice(&it.body));
    bodies.map(Result::unwrap).collect()
}

#[tokio::test]
async fn an_endpoint_that_goes_down_and_comes_back() {
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    let plain = Upstream::always(Reply::new(204)).await;
    let slack = Upstream::always(Reply::ok("ok")).await;
    let config = Proxy::to(one.upstream.endpoint())
        .and(two.upstream.endpoint())
        .upstream(&format!("health = {{ {FAST}, fall = 2 }}"));
    let config = format!(
        "{config}{}{}",
        webhook(&plain, ""),
        webhook(&slack, "template = \"slack\"")
    );
    let gateway = Gateway::start(config).await;
    two.set(503);
    assert_eventually!(bodies(&plain).len() == 1 && bodies(&slack).len() == 1);
    let address = two.upstream.endpoint();
    let event = bodies(&plain).remove(0);
    assert_eq!(event["event"], "endpoint");
    assert_eq!(event["name"], format!("app {address}"));
    assert_eq!(event["state"], "down");
    let details = &event["details"];
    assert_eq!(details["upstream"], "app");
    assert_eq!(details["endpoint"], address);
    assert_eq!(
        (details["from"].as_str(), details["to"].as_str()),
        (Some("up"), Some("down"))
    );
    assert_eq!(details["reason"]["failed"], "check");
    assert_eq!(details["reason"]["failure"], "status");
    assert_eq!(details["reason"]["status"], 503);
    assert_eq!(details["reason"]["count"], 2);
    let message = bodies(&slack).remove(0);
    let text = message["text"].as_str().unwrap();
    let sentence =
        format!("endpoint {address} of upstream app is down: check status 503, 2 times in a row");
    assert!(text.ends_with(&sentence), "{text}");
    assert_eq!(message.as_object().unwrap().len(), 1, "{message}");
    // It comes back, goes, and comes back: that is told a minute later, and by one message.
    for (status, health) in [(200, "up"), (503, "down"), (200, "up")] {
        two.set(status);
        assert_eventually!(is(&gateway, 1, health).await);
    }
    // Another endpoint has a message of its own in the meantime.
    one.set(500);
    assert_eventually!(bodies(&plain).len() == 2);
    assert_eq!(
        bodies(&plain)[1]["details"]["endpoint"],
        one.upstream.endpoint()
    );
}

/// The only endpoint fails its requests, without any checks.
#[tokio::test]
async fn requests_that_fail_are_told_too() {
    let upstream = Upstream::raw(|mut visit: Visit| async move {
        let _ = visit.request().await;
    })
    .await;
    let hook = Upstream::always(Reply::new(204)).await;
    let config = format!("{}{}", Proxy::to(upstream.endpoint()), webhook(&hook, ""));
    let gateway = Gateway::start(config).await;
    for _ in 0..20 {
        assert_eq!(gateway.get("/").await.status, 502);
    }
    assert_eventually!(bodies(&hook).len() == 1);
    let event = bodies(&hook).remove(0);
    assert_eq!(
        event["details"]["reason"]["failed"], "requests",
        "{event:#}"
    );
    assert_eq!(event["details"]["reason"]["failure"], "reset");
}

/// A deploy that takes an instance out, ends it and lets the next one in is quiet, unless that one does
/// not work.
#[tokio::test]
async fn the_end_of_what_was_taken_out_is_no_event() {
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    let hook = Upstream::always(Reply::new(204)).await;
    let config = Proxy::to(one.upstream.endpoint())
        .and(two.upstream.endpoint())
        .upstream(&format!("health = {{ {FAST}, fall = 1 }}"));
    let gateway = Gateway::start(format!("{config}{}", webhook(&hook, ""))).await;
    let address = one.upstream.endpoint();
    let command = async |word: &str| {
        let line = ["upstream", word, "app", &address, "--admin", "admin.sock"];
        let ran = run(gateway.directory(), &line).await;
        assert_eq!(ran.code, Some(0), "{ran:?}");
    };
    command("drain").await;
    one.set(503);
    assert_eventually!(is(&gateway, 0, "down").await);
    one.set(200);
    command("undrain").await;
    assert_eventually!(is(&gateway, 0, "up").await);
    command("drain").await;
    one.set(503);
    assert_eventually!(is(&gateway, 0, "down").await);
    command("undrain").await;
    // The first message is about the instance that was let in and does not work.
    assert_eventually!(!bodies(&hook).is_empty());
    let event = bodies(&hook).remove(0);
    assert_eq!(event["details"]["endpoint"], address, "{event:#}");
    assert_eq!(
        (
            &event["details"]["from"],
            &event["state"],
            &event["details"]["left_out"]
        ),
        (&"new".into(), &"down".into(), &0.into()),
        "{event:#}"
    );
}

/// A receiver that never answers holds up neither checks nor requests.
#[tokio::test]
async fn a_receiver_that_hangs_delays_no_check() {
    let hung = Upstream::silent().await;
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    let config = Proxy::to(one.upstream.endpoint())
        .and(two.upstream.endpoint())
        .upstream(&format!("health = {{ {FAST}, rise = 1, fall = 1 }}"));
    let gateway = Gateway::start(format!("{config}{}", webhook(&hung, ""))).await;
    one.set(503);
    assert_eventually!(hung.connections() > 0, "the receiver is called");
    for turn in 0..20 {
        let (status, health) = if turn % 2 == 0 {
            (503, "down")
        } else {
            (200, "up")
        };
        two.set(status);
        assert_eventually!(is(&gateway, 1, health).await);
    }
    one.set(200);
    assert_eventually!(gateway.get("/").await.text() == "one");
    // The calls end with the process, whatever they wait for.
    drop(gateway);
}

/// Nor a message to another receiver.
#[tokio::test]
async fn a_receiver_that_hangs_delays_no_other() {
    let hung = Upstream::silent().await;
    let hook = Upstream::always(Reply::new(204)).await;
    let (one, two) = (Service::start("one").await, Service::start("two").await);
    let config = Proxy::to(one.upstream.endpoint())
        .and(two.upstream.endpoint())
        .upstream(&format!("health = {{ {FAST}, rise = 1, fall = 1 }}"));
    let webhooks = webhook(&hung, "") + &webhook(&hook, "");
    let gateway = Gateway::start(format!("{config}{webhooks}")).await;
    one.set(503);
    two.set(503);
    assert_eventually!(hung.connections() > 0, "the receiver is called");
    assert_eventually!(bodies(&hook).len() == 2, "{:#?}", bodies(&hook));
    drop(gateway);
}

/// A hundred endpoints that fail together are told of by a few messages.
#[tokio::test]
async fn many_that_fail_together_are_told_of_together() {
    let hook = Upstream::always(Reply::new(204)).await;
    let service = Service::start("well").await;
    let port = service.upstream.port();
    let mut config = Proxy::to(service.upstream.endpoint());
    // Only 127.0.0.1 answers: the others refuse from the beginning.
    for n in 0..100 {
        config = config.and(format!("127.0.9.{}:{port}", 1 + n));
    }
    let config = config.upstream("health = { path = \"/health\", interval = \"1h\" }");
    let _gateway = Gateway::start(format!("{config}{}", webhook(&hook, ""))).await;
    // However long the checks take on a busy machine: a summary is among the first messages.
    assert_eventually!(
        bodies(&hook)
            .iter()
            .any(|event| event["details"]["down"].as_u64() > Some(1)),
        "{:#?}",
        bodies(&hook)
    );
    assert!(bodies(&hook).len() <= 10, "{:#?}", bodies(&hook));
}
