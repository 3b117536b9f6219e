//! What operators are told of certificates by webhooks.

use janua_tests::{Asked, Fault, Gateway, Reply, Upstream, assert_eventually};
use serde_json::Value;

use crate::acme::{NAME, Scene, renew, site};

/// The events that a service was told of.
fn events(service: &Upstream) -> Vec<Value> {
    let requests = service.requests();
    let bodies = requests
        .iter()
        .map(|request| serde_json::from_slice(&request.body));
    bodies.map(Result::unwrap).collect()
}

async fn told(service: &Upstream, state: &str) -> Value {
    let found = janua_tests::eventually(async || {
        events(service)
            .into_iter()
            .find(|event| event["state"] == state)
    });
    found
        .await
        .unwrap_or_else(|| panic!("no {state} in {:#?}", events(service)))
}

#[tokio::test]
async fn from_the_first_failure_to_the_renewal() {
    let scene = Scene::new().await;
    let service = Upstream::always(Reply::new(204)).await;
    let webhook = format!(
        "[[webhooks]]\non = [\"certificate\"]\nurl = \"http://{}/hook\"\n",
        service.endpoint()
    );
    scene
        .front
        .fail(Asked::NewOrder, 1, Fault::rejected(&[NAME]));
    let config = format!("{}{webhook}", scene.by_http(&[site(&[NAME])]));
    let gateway = Gateway::start(config).await;
    let failed = told(&service, "failed").await;
    assert_eq!(failed["event"], "certificate");
    assert_eq!(failed["name"], NAME);
    assert!(
        failed["text"]
            .as_str()
            .unwrap()
            .contains("the policy forbids"),
        "{failed}"
    );
    assert!(
        failed["details"].to_string().contains("rejectedIdentifier"),
        "{failed}"
    );
    renew(&gateway, NAME).await;
    let issued = told(&service, "issued").await;
    assert_eq!(issued["name"], NAME);
    renew(&gateway, NAME).await;
    told(&service, "renewed").await;
    assert_eventually!(events(&service).len() == 3);
}
